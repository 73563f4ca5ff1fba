/**
 * admin_redis.test.js -- what an admin sees and does with redis-cli.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, connectMany } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';

/** Two gateways through one Redis; rooms are given up one second after their last member. */
async function startPair(t, more = []) {
    const redis = await startRedis(t);
    const args = ['--redis', redis.url, '--room-linger', '1', ...more];
    const gateways = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
    return { redis, gateways };
}

/** How many subscribers PUBSUB NUMSUB shows for a room. */
async function subscribers(redis, room) {
    return Number((await redis.cliLines('PUBSUB', 'NUMSUB', `plenum:{${room}}`))[1]);
}

describe('redis-cli for admins', { concurrency: true }, () => {
    test('pubsub_shows_the_open_rooms_and_in_how_many_workers', async (t) => {
        const { redis, gateways } = await startPair(t);
        await connect(t, gateways[0].url);
        await connect(t, `${gateways[0].url}/rooms/quiet`);
        await connect(t, `${gateways[1].url}/rooms/lobby`);
        const rooms = await redis.cliLines('PUBSUB', 'CHANNELS', 'plenum:{*}');
        assert.deepEqual(rooms.sort(), ['plenum:{lobby}', 'plenum:{quiet}']);
        assert.equal(await subscribers(redis, 'lobby'), 2);
        assert.equal(await subscribers(redis, 'quiet'), 1);
        assert.equal(await subscribers(redis, 'nowhere'), 0);
    });

    test('more_members_of_a_worker_do_not_subscribe_again', async (t) => {
        const { redis, gateways } = await startPair(t);
        await connectMany(t, 40, (i) => `${gateways[i % 2].url}/rooms/full`);
        const count = await subscribers(redis, 'full');
        const workers = gateways[0].workers + gateways[1].workers;
        assert.ok(count >= 2 && count <= workers, `${count} subscribers for ${workers} workers`);
    });

    test('a_room_disappears_after_its_last_leave_and_can_come_back', async (t) => {
        const { redis, gateways } = await startPair(t);
        const members = await connectMany(t, 4, (i) => `${gateways[i % 2].url}/rooms/passing`);
        for (const member of members.slice(0, 3)) await member.close();
        assert.ok((await subscribers(redis, 'passing')) >= 1, 'a room with a member stays');
        await members[3].close();
        await waitUntil('the room to disappear', async () => (await subscribers(redis, 'passing')) === 0);
        assert.deepEqual(await redis.cliLines('PUBSUB', 'CHANNELS', 'plenum:{*}'), []);

        const again = await connectMany(t, 2, (i) => `${gateways[i].url}/rooms/passing`);
        again[0].send('back');
        assert.equal((await again[1].next()).data, 'back');
    });

    test('a_room_that_is_entered_again_while_it_lingers_misses_nothing', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listener = await connect(t, `${gateways[1].url}/rooms/door`);
        for (let i = 0; i < 12; i++) {
            // The stay and the pause move against the lingering second, so that some turn falls on its end.
            const visitor = await connect(t, `${gateways[0].url}/rooms/door`);
            await redis.cli('PUBLISH', 'plenum:{door}', `visit ${i}`);
            await visitor.waitFor(`visit ${i}`);
            await visitor.close();
            if (i % 4 === 3) await waitUntil('the end of lingering', async () => (await subscribers(redis, 'door')) === 1);
        }
        await listener.waitForCount(12);
        assert.deepEqual(listener.heard, Array.from({ length: 12 }, (_, i) => `visit ${i}`));
    });

    test('a_plain_publish_speaks_to_everyone_as_text', async (t) => {
        const { redis, gateways } = await startPair(t);
        const members = await connectMany(t, 2, (i) => gateways[i].url);
        const reached = await redis.cli('PUBLISH', 'plenum:{lobby}', 'Grüße: restart in 5 min');
        assert.equal(Number(reached), 2);
        for (const member of members) {
            assert.deepEqual(await member.next(), { data: 'Grüße: restart in 5 min', binary: false });
        }
    });

    test('a_plain_publish_that_is_not_utf8_arrives_as_binary', async (t) => {
        const { redis, gateways } = await startPair(t);
        const members = await connectMany(t, 2, (i) => gateways[i].url, { deflate: true });
        await redis.cli('EVAL', "return redis.call('PUBLISH', KEYS[1], 'a\\255\\192z')", 1, 'plenum:{lobby}');
        await redis.cli('PUBLISH', 'plenum:{lobby}', 'and text again');
        for (const member of members) {
            assert.deepEqual(await member.next(), { data: Buffer.from([0x61, 0xff, 0xc0, 0x7a]), binary: true });
            assert.deepEqual(await member.next(), { data: 'and text again', binary: false });
        }
    });

    test('broken_and_foreign_envelopes_are_counted_and_dropped', async (t) => {
        const { redis, gateways } = await startPair(t);
        const member = await connect(t, gateways[0].url);
        for (const bad of ['p1 ', 'p1 x - t - 0123456789abcdef 1 hi', 'p1 0 - t - 0123456789abcdef', 'p2 0 new things']) {
            await redis.cli('PUBLISH', 'plenum:{lobby}', bad);
        }
        await redis.cli('PUBLISH', 'plenum:{lobby}', 'still here');
        assert.equal((await member.next()).data, 'still here');
    });

    test('subscribe_shows_a_readable_envelope', async (t) => {
        const { redis, gateways } = await startPair(t);
        const sender = await connect(t, gateways[0].url);
        const watch = await redis.watch('plenum:{lobby}');
        const before = Date.now();
        sender.send('hello, all of you');
        sender.send(Buffer.from('0123'));
        const payloads = await waitUntil('redis-cli to show both', () => watch.payloads().length === 2 && watch.payloads());
        const [text, binary] = payloads.map((line) => /^p1 [12] [0-9a-f]{16} ([tb]) - ([0-9a-f]{16}) (\d+) (.*)$/.exec(line));
        assert.ok(text && binary, `readable: ${payloads}`);
        assert.deepEqual([text[1], text[4]], ['t', 'hello, all of you']);
        assert.deepEqual([binary[1], binary[4]], ['b', '0123']);
        assert.equal(text[2], binary[2], 'one member, one id');
        assert.ok(Math.abs(Number(text[3]) - before) < 30_000, 'a time in ms');

        await waitUntil("the member's gateway, with which its id begins, to be listed", async () => {
            return (await redis.cliLines('ZRANGE', 'plenum:gws', 0, -1)).includes(text[2].slice(0, 8));
        });
    });

    test('gateways_show_who_lives_and_how_loaded', async (t) => {
        const { redis, gateways } = await startPair(t);
        const workers = gateways[0].workers + gateways[1].workers;
        await connectMany(t, 5, (i) => `${gateways[0].url}/rooms/${i < 3 ? 'a' : 'b'}`);
        const ids = await waitUntil('all workers to beat', async () => {
            const lines = await redis.cliLines('ZRANGE', 'plenum:gws', 0, -1);
            return lines.length === workers && lines;
        });
        for (const id of ids) assert.match(id, /^[0-9a-f]{8}$/);

        const fields = (id) => redis.cliFields('HGETALL', `plenum:gw:${id}`);
        const sum = (reports, name) => reports.reduce((total, report) => total + Number(report[name]), 0);
        const reports = await waitUntil('the beats to tell of five connections', async () => {
            const all = await Promise.all(ids.map(fields));
            return sum(all, 'connections') === 5 && all;
        });
        assert.equal(sum(reports, 'members'), 5);
        assert.ok(sum(reports, 'rooms') >= 2);
        for (const report of reports) {
            assert.equal(report.state, 'up');
            assert.ok(report.pod && report.version && report.started, JSON.stringify(report));
            assert.match(report.address, /:\d+$/);
        }
        const ttl = Number(await redis.cli('PTTL', `plenum:gw:${ids[0]}`));
        assert.ok(ttl > 0 && ttl <= 15_000, `a report lives for 15 s at most: ${ttl}`);
        const beat = Number(await redis.cli('ZSCORE', 'plenum:gws', ids[0]));
        assert.ok(Math.abs(Date.now() - beat) < 30_000, 'the last beat, in ms');
    });

    test('a_gateway_that_ends_takes_its_name_off_the_list', async (t) => {
        const { redis, gateways } = await startPair(t, ['--drain', '1']);
        const count = async () => Number(await redis.cli('ZCARD', 'plenum:gws'));
        const both = gateways[0].workers + gateways[1].workers;
        await waitUntil('both to beat', async () => (await count()) === both);
        await gateways[0].stop('SIGTERM');
        await waitUntil('one to be gone', async () => (await count()) === gateways[1].workers, { seconds: 25 });
    });

    test('another_prefix_is_another_cluster', async (t) => {
        const redis = await startRedis(t);
        const start = (prefix) => startGateway(t, { args: ['--redis', redis.url, '--redis-prefix', prefix] });
        const gateways = await Promise.all([start('blue'), start('blue'), start('green')]);
        const members = await connectMany(t, 3, (i) => gateways[i].url);
        members[0].send('to the blue ones');
        assert.equal((await members[1].next()).data, 'to the blue ones');
        await redis.cli('PUBLISH', 'green:{lobby}', 'to the green ones');
        assert.equal((await members[2].next()).data, 'to the green ones');
        const channels = await redis.cliLines('PUBSUB', 'CHANNELS', '*:{lobby}');
        assert.deepEqual(channels.sort(), ['blue:{lobby}', 'green:{lobby}']);
    });
});
