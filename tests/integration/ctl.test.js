/**
 * ctl.test.js -- an admin's commands on plenum:ctl: what they do across gateways, and what each gateway answers. What
 * the runbook shows is tested by runbook.test.js; here are the corners.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { connectPlenum } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';

/** Two gateways and an ear on plenum:ctl:ack. */
async function startPair(t, more = []) {
    const redis = await startRedis(t);
    const args = ['--redis', redis.url, '--room-linger', '1', ...more];
    const gateways = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
    const workers = gateways[0].workers + gateways[1].workers;
    const acks = await redis.watch('plenum:ctl:ack');
    let seen = 0;
    /** Says it, and gives the answers of all workers without their ids. */
    const say = async (line, channel = 'plenum:ctl') => {
        const heard = Number(await redis.cli('PUBLISH', channel, line));
        const answers = () => acks.payloads().slice(seen);
        await waitUntil(`the answers to: ${line}`, () => answers().length >= heard);
        const lines = answers();
        seen += lines.length;
        assert.equal(lines.length, heard);
        assert.equal(new Set(lines.map((answer) => answer.slice(0, 8))).size, heard, 'one of each');
        return lines.map((answer) => answer.slice(9)).sort();
    };
    await waitUntil('all workers to listen', async () => {
        return Number((await redis.cliLines('PUBSUB', 'NUMSUB', 'plenum:ctl'))[1]) === workers;
    });
    return { redis, gateways, workers, say };
}

async function member(t, gateway, name, room = 'lobby') {
    const client = await connectPlenum(t, gateway, { hello: { name } });
    await client.joined(room);
    return client;
}

/** Adds up a figure of the answers. */
function total(answers, name) {
    return answers.reduce((sum, answer) => sum + Number(new RegExp(`\\b${name}=(\\d+)`).exec(answer)?.[1] ?? 0), 0);
}

const refusal = async (client, room) => (await within('the reply to join', client.request('join', { room }))).code;

describe('commands', { concurrency: true }, () => {
    test('a_kick_by_name_puts_out_all_of_that_name_in_that_room_and_nobody_else', async (t) => {
        const { gateways, say } = await startPair(t);
        const alices = [await member(t, gateways[0], 'Alice L.'), await member(t, gateways[1], 'Alice L.')];
        const bob = await member(t, gateways[0], 'Bob');
        await alices[0].joined('other');
        const answers = await say('kick room=lobby user=Alice%20L.');
        assert.equal(total(answers, 'kicked'), 2);
        for (const alice of alices) {
            const { room, reason } = await alice.waitFor('kicked');
            assert.deepEqual([room, reason], ['lobby', 'kicked']);
        }
        for (const alice of alices) {
            const left = await bob.waitFor('member_left', (frame) => frame.member === alice.member);
            assert.equal(left.reason, 'kicked');
        }
        assert.deepEqual(bob.all('kicked'), []);
        assert.equal((await alices[0].published('other', 'still here')).offset, 1);
        assert.equal((await alices[1].joined('lobby')).type, 'joined', 'a kick is no ban');
    });

    test('a_relay_client_is_kicked_by_its_id', async (t) => {
        const { gateways, say } = await startPair(t);
        const watcher = await member(t, gateways[1], 'Watcher');
        const relay = await connect(t, `${gateways[0].url}/rooms/lobby`);
        relay.send('here I am');
        const { from } = await watcher.waitFor('message');
        assert.equal(total(await say(`kick room=lobby member=${from}`), 'kicked'), 1);
        assert.equal((await within('it to be closed', relay.closed)).code, 4403);
    });

    test('a_ban_keeps_a_user_out_everywhere_until_it_ends', async (t) => {
        const { redis, gateways, say } = await startPair(t);
        const eve = await member(t, gateways[0], 'Eve');
        assert.equal(total(await say('ban room=lobby user=Eve for=4'), 'kicked'), 1);
        assert.equal((await eve.waitFor('kicked')).reason, 'banned');
        const until = Number(await redis.cli('HGET', 'plenum:bans', 'lobby Eve'));
        assert.ok(until > Date.now() && until <= Date.now() + 5000, String(until));
        const again = await connectPlenum(t, gateways[1], { hello: { name: 'Eve' } });
        assert.equal(await refusal(again, 'lobby'), 'banned');
        assert.equal((await again.joined('elsewhere')).type, 'joined');
        await waitUntil('the ban to end', async () => (await again.request('join', { room: 'lobby' })).type === 'joined', {
            everyMs: 200,
        });
    });

    test('a_ban_without_an_end_is_for_good_and_can_be_taken_back', async (t) => {
        const { redis, gateways, workers, say } = await startPair(t);
        await say('ban room=lobby user=Mallory');
        assert.equal(await redis.cli('HGET', 'plenum:bans', 'lobby Mallory'), '0');
        const mallory = await connectPlenum(t, gateways[0], { hello: { name: 'Mallory' } });
        assert.equal(await refusal(mallory, 'lobby'), 'banned');
        assert.deepEqual(await say('unban room=lobby user=Mallory'), Array(workers).fill('unban room=lobby done'));
        assert.equal(await redis.cli('HLEN', 'plenum:bans'), '0');
        await waitUntil('it to be known', async () => (await mallory.request('join', { room: 'lobby' })).type === 'joined');
    });

    test('a_ban_written_by_hand_holds_without_a_command', async (t) => {
        const { redis, gateways } = await startPair(t);
        const eve = await member(t, gateways[0], 'Eve');
        await redis.cli('HSET', 'plenum:bans', 'lobby Eve', 0);
        assert.equal((await eve.waitFor('kicked', () => true, 15)).reason, 'banned');
    });

    test('a_locked_room_lets_nobody_else_in', async (t) => {
        const { redis, gateways, say } = await startPair(t);
        const inside = await member(t, gateways[0], 'Ada');
        await say('lock room=lobby');
        assert.equal(await redis.cli('HGET', 'plenum:{lobby}:state', 'lock'), '1');
        for (const gateway of gateways) {
            const late = await connectPlenum(t, gateway, { hello: { name: 'Late' } });
            assert.equal(await refusal(late, 'lobby'), 'locked');
        }
        assert.equal((await inside.published('lobby', 'among ourselves')).offset, 1);
        await say('unlock room=lobby');
        assert.equal(await redis.cli('EXISTS', 'plenum:{lobby}:state'), '0');
        await member(t, gateways[1], 'Late');
    });

    test('the_end_of_a_room_is_for_everybody_in_it', async (t) => {
        const { gateways, say } = await startPair(t);
        const inside = [await member(t, gateways[0], 'Ada'), await member(t, gateways[1], 'Ben')];
        const nameless = await connectPlenum(t, gateways[1]);
        await nameless.joined('lobby');
        const outside = await member(t, gateways[0], 'Cleo', 'other');
        const relay = await connect(t, `${gateways[1].url}/rooms/lobby`);
        assert.equal(total(await say('end room=lobby'), 'kicked'), 4);
        for (const client of [...inside, nameless]) assert.equal((await client.waitFor('kicked')).reason, 'ended');
        assert.equal((await within('it to be closed', relay.closed)).code, 4403);
        assert.equal((await outside.published('other', 'untouched')).offset, 1);
        assert.deepEqual(outside.all('kicked'), []);
    });

    test('a_mute_is_a_mark_that_all_see', async (t) => {
        const { gateways, say } = await startPair(t);
        const [ada, ben] = [await member(t, gateways[0], 'Ada'), await member(t, gateways[1], 'Ben')];
        await ada.waitFor('member_joined', ({ name }) => name === 'Ben');
        assert.equal(total(await say(`mute room=lobby member=${ben.member}`), 'muted'), 1);
        await ada.waitFor('member_updated', (frame) => frame.member === ben.member && frame.muted === true);
        assert.equal(total(await say(`mute room=lobby member=${ben.member}`), 'muted'), 0, 'it is already');
        const later = await member(t, gateways[0], 'Cleo');
        const { members } = later.all('joined')[0];
        assert.equal(members.find((one) => one.member === ben.member)?.muted, true);
        assert.equal((await ben.published('lobby', 'text goes out all the same')).offset, 1);
        assert.equal(total(await say('unmute room=lobby user=Ben'), 'unmuted'), 1);
    });

    test('count_adds_up', async (t) => {
        const { gateways, say } = await startPair(t);
        for (let i = 0; i < 3; i++) await member(t, gateways[i % 2], `m${i}`);
        await connect(t, `${gateways[0].url}/rooms/lobby`);
        await connect(t, `${gateways[0].url}/rooms/other`);
        assert.equal(total(await say('count room=lobby'), 'members'), 4);
        assert.equal(total(await say('count'), 'members'), 5);
        assert.equal(total(await say('count room=nowhere'), 'members'), 0);
    });

    test('nonsense_is_answered_in_words_and_does_nothing', async (t) => {
        const { gateways, workers, say } = await startPair(t);
        const ada = await member(t, gateways[0], 'Ada');
        for (const [line, words] of [
            ['', 'unknown verb'],
            ['kik room=lobby user=Ada', 'unknown verb'],
            ['kick user=Ada', 'room= is missing'],
            ['kick room=lobby', 'user= or member= is missing'],
            ['ban room=lobby user=Ada for=soon', 'seconds'],
            ['kick room={lobby} user=Ada', "not a room's name"],
            [`kick room=lobby user=${'x'.repeat(5000)}`, 'too long'],
        ]) {
            const answers = await say(line);
            assert.equal(answers.length, workers);
            for (const answer of answers) assert.ok(answer.startsWith('error ') && answer.includes(words), answer);
        }
        assert.deepEqual(ada.all('kicked'), []);
    });

    test('one_gateway_can_be_drained_alone', async (t) => {
        const { redis, gateways, say } = await startPair(t);
        const ada = await member(t, gateways[0], 'Ada');
        const ben = await member(t, gateways[1], 'Ben');
        const ids = await redis.cliLines('ZRANGE', 'plenum:gws', 0, -1);
        const own = [];
        for (const id of ids) {
            const address = await redis.cli('HGET', `plenum:gw:${id}`, 'address');
            if (address.endsWith(`:${gateways[0].port}`)) own.push(id);
        }
        assert.equal(own.length, gateways[0].workers);
        for (const id of own) assert.deepEqual(await say('drain over=1', `plenum:ctl:${id}`), ['drain draining']);
        assert.equal((await within('Ada to be sent away', ada.closed, 10)).code, 1012);
        assert.deepEqual(await within('the gateway to end', gateways[0].exited, 15), { code: 0, signal: null });
        assert.equal((await ben.published('lobby', 'still here')).offset, 1);
        gateways[0].signal('SIGTERM'); // it was told to end: only its harness does not know yet
    });
});
