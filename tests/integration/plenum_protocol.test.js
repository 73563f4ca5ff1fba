/**
 * plenum_protocol.test.js -- what plenum.v1 promises beside the order of messages: errors with their codes, limits, who is
 * told what, and that a fault costs nobody but who made it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { connect, refusal } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { connectMembers, connectPlenum, PlenumClient } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';

/** Sends a text as it is, and gives the next frame of a type. */
async function sayRaw(client, text, type = 'error') {
    const before = client.frames.length;
    client.socket.send(text);
    await client.until(`a ${type} for ${text}`, () => client.frames.slice(before).some((frame) => frame.type === type));
    return client.frames.slice(before).find((frame) => frame.type === type);
}

async function codeOf(promise) {
    try {
        return (await promise).type;
    } catch (error) {
        return error.code ?? String(error);
    }
}

/** Both buses, each with one gateway. */
function onBoth(name, body) {
    test(`${name}, alone`, async (t) => body(t, await startGateway(t)));
    test(`${name}, with Redis`, async (t) => {
        const redis = await startRedis(t);
        await body(t, await startGateway(t, { args: ['--redis', redis.url] }), redis);
    });
}

describe('plenum.v1', { concurrency: true }, () => {
    test('a_malformed_request_gets_its_error_and_the_connection_goes_on', async (t) => {
        const client = await connectPlenum(t, await startGateway(t));
        await client.joined('lobby');
        const cases = [
            ['{', 'bad_json'],
            ['[]', 'bad_json'],
            ['null', 'bad_json'],
            ['{"type":"publish","id":1,"room":"lobby","data":01}', 'bad_json'],
            ['{"type":"publish","id":1,"room":"lobby","data":{"a":1,}}', 'bad_json'],
            ['{}', 'bad_request'],
            ['{"type":7,"id":1}', 'bad_request'],
            ['{"type":"fly","id":1}', 'unknown_type'],
            ['{"type":"publish","room":"lobby","data":1}', 'bad_request'],
            ['{"type":"publish","id":-1,"room":"lobby","data":1}', 'bad_request'],
            ['{"type":"publish","id":1.5,"room":"lobby","data":1}', 'bad_request'],
            ['{"type":"publish","id":9007199254740992,"room":"lobby","data":1}', 'bad_request'],
            ['{"type":"publish","id":1,"data":1}', 'bad_request'],
            ['{"type":"publish","id":1,"room":"lobby"}', 'bad_request'],
            ['{"type":"publish","id":1,"room":"no{braces}","data":1}', 'bad_room'],
            ['{"type":"publish","id":1,"room":"lobby","data":1,"key":"with space"}', 'bad_request'],
            ['{"type":"publish","id":1,"room":"elsewhere","data":1}', 'not_joined'],
            ['{"type":"join","id":1,"room":"@reserved"}', 'bad_room'],
            ['{"type":"join","id":1,"room":"lobby"}', 'already_joined'],
            ['{"type":"join","id":1,"room":"b","history":-1}', 'bad_request'],
            ['{"type":"join","id":1,"room":"b","resume":{"epoch":"x"}}', 'bad_request'],
            [`{"type":"update","id":1,"room":"lobby","info":"${'x'.repeat(4095)}"}`, 'too_large'],
            ['{"type":"leave","id":1,"room":"elsewhere"}', 'not_joined'],
            ['{"type":"history","id":1,"room":"elsewhere"}', 'not_joined'],
            ['{"type":"signal","id":1,"room":"lobby","to":"nobody","data":1}', 'bad_request'],
            ['{"type":"signal","id":1,"room":"lobby","to":"00000000ffffffff","data":1}', 'not_found'],
            ['{"type":"hello"}', 'hello_again'],
            ['{"type":"auth","id":1,"token":"x"}', 'not_supported'],
            ['{"type":"open","id":1,"room":"lobby","kind":"audio"}', 'not_supported'],
        ];
        for (const [text, code] of cases) {
            const { code: got, message, id } = await sayRaw(client, text);
            assert.equal(got, code, text);
            assert.ok(message.length > 5, 'in words');
            if (text.includes('"id":1,') && code !== 'bad_json') assert.equal(id, 1, text);
        }
        assert.equal((await client.published('lobby', 'still here')).offset, 1);
    });

    test('a_binary_frame_is_not_supported_yet_and_costs_nothing', async (t) => {
        const client = await connectPlenum(t, await startGateway(t));
        client.socket.send(Buffer.from([1, 2, 3]));
        const { code } = await client.waitFor('error');
        assert.equal(code, 'not_supported');
        await client.joined('lobby');
    });

    test('before_the_hello_nothing_else_is_answered', async (t) => {
        const gateway = await startGateway(t);
        const client = new PlenumClient(gateway.url);
        await within('it to open', client.opened);
        assert.equal((await client.request('join', { room: 'lobby' })).code, 'hello_first');
        await client.hello();
        await client.joined('lobby');
        await client.close();
    });

    test('the_path_wants_its_subprotocol', async (t) => {
        const gateway = await startGateway(t);
        assert.equal((await refusal(`${gateway.url}/connect`)).status, 400);
        const other = new WebSocket(`${gateway.url}/connect`, ['chat', 'plenum.v1']);
        await within('the second one offered to be taken', new Promise((resolve) => other.on('open', resolve)));
        assert.equal(other.protocol, 'plenum.v1');
        other.terminate();
        const { status } = await fetch(`${gateway.httpUrl}/connect`);
        assert.equal(status, 426);
    });

    test('a_flood_of_errors_closes_the_connection_and_nobody_else_notices', async (t) => {
        const gateway = await startGateway(t);
        const [honest, flooder] = await connectMembers(t, 2, () => gateway, 'lobby');
        for (let i = 0; i < 300; i++) flooder.socket.send('{"type":');
        assert.equal((await within('the flooder to be closed', flooder.closed)).code, 4429);
        assert.ok(flooder.all('error').length >= 100, 'a hundred faults are forgiven');
        assert.equal((await honest.published('lobby', 1)).offset, 1);
    });

    test('a_connection_is_in_so_many_rooms_at_most', async (t) => {
        const gateway = await startGateway(t, { args: ['--max-rooms', '3'] });
        const client = await connectPlenum(t, gateway);
        assert.equal(client.welcome.limits.rooms, 3);
        for (const room of ['a', 'b', 'c']) await client.joined(room);
        assert.equal(await codeOf(client.joined('d')), 'too_many_rooms');
        await client.left('b');
        await client.joined('d');
    });

    test('a_room_is_full_when_its_rule_says_so', async (t) => {
        const gateway = await startGateway(t, { workers: 1, args: ['--room-rule', 'small-* members=2'] });
        await connectMembers(t, 2, () => gateway, 'small-one');
        const third = await connectPlenum(t, gateway);
        assert.equal(await codeOf(third.joined('small-one')), 'full');
        await third.joined('large');
    });

    test('requests_may_be_sent_without_waiting_for_replies', async (t) => {
        const client = await connectPlenum(t, await startGateway(t));
        await Promise.all(Array.from({ length: 50 }, (_, i) => client.joined(`room-${i}`)));
        const acks = await Promise.all(Array.from({ length: 200 }, (_, i) => client.published('room-7', i)));
        assert.deepEqual(
            acks.map(({ offset }) => offset),
            Array.from({ length: 200 }, (_, i) => i + 1),
        );
        assert.deepEqual(client.faults, []);
    });

    test('data_goes_to_the_others_byte_for_byte', async (t) => {
        const [sender, receiver] = await connectMembers(t, 2, await sameGateway(t), 'lobby');
        const texts = ['12345678901234567890.000', '"\\u00fc \\ud83d"', '{ "a" : [ 1e2 , -0 ] }', 'null', '"\u2028"'];
        for (const [i, data] of texts.entries()) {
            sender.socket.send(`{"type":"publish","id":${1000 + i},"data":${data},"room":"lobby"}`);
            await receiver.until('it to come', () => receiver.all('message').length === i + 1);
            assert.ok(receiver.texts.at(-1).includes(`"data":${data},`), receiver.texts.at(-1));
        }
    });

    onBoth('relay_and_plenum_members_hear_each_other', async (t, gateway) => {
        const [ada] = await connectMembers(t, 1, () => gateway, 'lobby');
        const relay = await connect(t, gateway.url);
        await ada.published('lobby', { text: 'hello' });
        assert.equal((await relay.next()).data, '{"text":"hello"}');
        relay.socket.send('plain "text"');
        relay.socket.send(Buffer.from([0, 255]));
        const [text, binary] = await waitUntil('both to come', () => ada.all('message').length === 2 && ada.all('message'));
        assert.equal(text.data, 'plain "text"');
        assert.deepEqual(binary.data, { base64: 'AP8=' });
        assert.deepEqual([text.offset, binary.offset], [2, 3]);
        const late = await connectPlenum(t, gateway);
        const { count, members } = await late.joined('lobby');
        assert.equal(count, 3, 'relay connections are counted');
        assert.equal(members.length, 2, 'and not listed');
    });

    onBoth('a_room_without_a_log_acks_and_keeps_nothing', async (t, gateway) => {
        const [ada, ben] = await connectMembers(t, 2, () => gateway, 'lobby');
        assert.equal((await ada.published('lobby', 1)).offset, 1);
        const rule = await startGateway(t, { args: ['--room-rule', 'live-* log=0 presence=off'] });
        const [cleo, dan] = await connectMembers(t, 2, () => rule, 'live-1');
        for (let i = 0; i < 3; i++) assert.equal((await cleo.published('live-1', i, 'same-key')).offset, 0);
        await dan.until('all three', () => dan.all('message').length === 3);
        assert.deepEqual((await dan.history('live-1')).messages, []);
        assert.deepEqual(dan.all('member_joined'), []);
        const joined = dan.all('joined')[0];
        assert.deepEqual([joined.epoch, joined.offset, joined.members], ['', 0, []]);
        await ben.waitFor('message');
    });

    onBoth('history_is_read_in_both_directions', async (t, gateway) => {
        const client = await connectPlenum(t, gateway);
        await client.joined('lobby');
        for (let i = 1; i <= 20; i++) await client.published('lobby', i);
        const ask = async (fields) => {
            const { messages, more } = await client.history('lobby', fields);
            return [messages.map(({ offset }) => offset), more];
        };
        assert.deepEqual(await ask({ limit: 3 }), [[18, 19, 20], true]);
        assert.deepEqual(await ask({ limit: 20 }), [Array.from({ length: 20 }, (_, i) => i + 1), false]);
        assert.deepEqual(await ask({ before: 4 }), [[1, 2, 3], false]);
        assert.deepEqual(await ask({ before: 4, limit: 2 }), [[2, 3], true]);
        assert.deepEqual(await ask({ after: 17 }), [[18, 19, 20], false]);
        assert.deepEqual(await ask({ after: 0, limit: 2 }), [[1, 2], true]);
        assert.deepEqual(await ask({ before: 0 }), [[], false]);
        assert.deepEqual(await ask({ after: 20 }), [[], false]);
    });

    onBoth('a_join_with_history_replays_the_last_ones', async (t, gateway) => {
        const [ada] = await connectMembers(t, 1, () => gateway, 'lobby');
        for (let i = 1; i <= 600; i++) ada.request('publish', { room: 'lobby', data: i });
        await ada.until('all to be acked', () => ada.all('ack').length === 600);
        const ben = await connectPlenum(t, gateway);
        const { offset, recovered } = await ben.joined('lobby', { history: 256 });
        assert.deepEqual([offset, recovered], [600, false]);
        await ben.until('the replay', () => ben.all('message').length === 256);
        assert.deepEqual(
            ben.all('message').map((message) => message.offset),
            Array.from({ length: 256 }, (_, i) => 345 + i),
        );
        const cleo = await connectPlenum(t, gateway);
        const { epoch } = await cleo.joined('lobby', { resume: { epoch: ada.all('joined')[0].epoch, offset: 0 } });
        await cleo.until('all of the log', () => cleo.all('message').length === 600);
        assert.equal(cleo.all('joined')[0].recovered, true);
        assert.equal(epoch, ada.all('joined')[0].epoch);
        for (const [claim, recovered2] of [
            [{ epoch, offset: 600 }, true],
            [{ epoch, offset: 601 }, false],
            [{ epoch: 'unknown', offset: 5 }, false],
        ]) {
            const one = await connectPlenum(t, gateway);
            assert.equal((await one.joined('lobby', { resume: claim })).recovered, recovered2, JSON.stringify(claim));
        }
    });

    onBoth('a_resume_behind_the_log_is_told_its_gap', async (t, gateway, redis) => {
        const args = ['--room-rule', 'short log=10', ...(redis ? ['--redis', redis.url] : [])];
        const short = await startGateway(t, { args });
        const [ada] = await connectMembers(t, 1, () => short, 'short');
        for (let i = 1; i <= 1500; i++) ada.request('publish', { room: 'short', data: i });
        await ada.until('all to be acked', () => ada.all('ack').length === 1500);
        const ben = await connectPlenum(t, short);
        const joined = await ben.joined('short', { resume: { epoch: ada.all('joined')[0].epoch, offset: 3 } });
        assert.equal(joined.recovered, true);
        await ben.until('the last', () => ben.all('message').at(-1)?.offset === 1500);
        const [gap] = ben.all('gap');
        const first = ben.all('message')[0].offset;
        assert.deepEqual([gap.room, gap.from, gap.to], ['short', 4, first - 1]);
        assert.equal(ben.all('message').length, 1500 - first + 1);
    });

    test('a_draining_gateway_says_so_before_it_closes', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '2'] });
        const clients = await connectMembers(t, 5, () => gateway, 'lobby');
        gateway.signal('SIGTERM');
        for (const client of clients) {
            const { after_ms: after } = await client.waitFor('drain');
            assert.ok(after > 0 && after <= 2000, `${after} ms`);
            assert.equal((await within('it to be closed', client.closed)).code, 1012);
        }
    });
});

/** For connectMembers: all on one new gateway. */
async function sameGateway(t) {
    const gateway = await startGateway(t);
    return () => gateway;
}
