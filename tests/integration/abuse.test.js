/**
 * abuse.test.js -- who sends more than his share, in bytes or in what they become, takes neither the gateway's memory nor
 * the time of others. (Who does not read: abuse_reading.test.js.)
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';
import { connectMany } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { closeCode, dial, frame, rawWebSocket, upgradeRequest } from '../support/raw.js';
import { patience, sanitizer, scaled } from '../support/scale.js';
import { elapse, turn, waitUntil, within } from '../support/wait.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What the gateway takes with one read. */
const READ_BYTES = 64 * KIB;

/** A compressed frame of some 280 bytes that becomes 256 KiB, the largest message that is allowed. */
const bomb = (() => {
    const packed = zlib.deflateRawSync(Buffer.alloc(256 * KIB), { level: 9, finishFlush: zlib.constants.Z_SYNC_FLUSH });
    return frame(0x42, packed.subarray(0, -4));
})();
const bombsInARead = Math.floor(READ_BYTES / bomb.length);
/** What they become, as a reader without compression gets it. */
const inflatedBytes = bombsInARead * (256 * KIB + 10);

/** The most memory that the gateway has had so far, bytes. */
function peakRss(gateway) {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))[1]) * KIB;
}

/** A sanitizer's quarantine and shadow are not ours to judge. */
function assertMemory(t, gateway, most) {
    const peak = peakRss(gateway) / MIB;
    t.diagnostic(`resident memory: ${peak.toFixed(1)} MiB at most`);
    if (!sanitizer) assert.ok(peak < most, `it had ${peak} MiB`);
}

/** A WebSocket by hand that may send compressed frames. */
async function deflatingWebSocket(t, gateway, path) {
    const connection = await dial(t, gateway.port);
    connection.socket.write(upgradeRequest(path, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'));
    await connection.waitForText('\r\n\r\n');
    assert.match(connection.collect().toString('latin1'), /permessage-deflate/);
    return connection;
}

/** A WebSocket that reads as fast as it can, and only counts the bytes. */
async function countingWebSocket(t, gateway, path) {
    const connection = await rawWebSocket(t, gateway, path);
    connection.bytes = connection.collect().length;
    connection.socket.removeAllListeners('data');
    connection.socket.on('data', (chunk) => (connection.bytes += chunk.length));
    return connection;
}

/** Has all of them send their bytes in one and the same turn of the gateway: it is stopped while they write. */
async function sendAtOnce(gateway, connections, bytes) {
    gateway.signal('SIGSTOP');
    const written = connections.map((one) => new Promise((resolve) => one.socket.write(bytes, resolve)));
    await within('the bytes to be in the kernel', Promise.all(written));
    gateway.signal('SIGCONT');
}

/**
 * Two honest members of a room talk, one message at a time, until `over` holds; and some more after it.
 * @param {import('../support/client.js').Client[]} pair
 * @param {(said: number) => unknown} over is told how many messages they have said
 * @returns {Promise<number>} the longest that one took to be heard, ms
 */
async function converse([one, other], over) {
    let slowest = 0;
    for (let said = 0, after = 0; after < 5; said++) {
        if (await over(said)) after++;
        const begun = Date.now();
        one.send(`honest ${said}`);
        await other.waitFor(`honest ${said}`, 30);
        slowest = Math.max(slowest, Date.now() - begun);
        await elapse(5);
    }
    assert.ok(one.isOpen && other.isOpen);
    return slowest;
}

/** Nobody was closed or dropped, for whatever reason. */
async function assertNobodyWent(gateway) {
    const metrics = await gateway.metrics();
    assert.equal(metrics.get('plenum_dropped_connections_total'), 0);
    assert.equal(metrics.get('plenum_closes_total'), 0);
}

/** The local bus with one worker, or a Redis. @param {'local' | 'redis'} bus */
async function startWithBus(t, bus) {
    const args = bus === 'redis' ? ['--redis', (await startRedis(t)).url] : [];
    return startGateway(t, { workers: 1, args });
}

describe('clients that send too much', () => {
    for (const bus of ['local', 'redis']) {
        test(`one_read_of_compressed_bombs_closes_no_fast_reader_of_its_room (${bus})`, async (t) => {
            const gateway = await startWithBus(t, bus);
            const readers = [];
            for (let i = 0; i < scaled(5, 2); i++) readers.push(await countingWebSocket(t, gateway, '/rooms/target'));
            const bomber = await deflatingWebSocket(t, gateway, '/rooms/target');
            const begun = Date.now();
            await sendAtOnce(gateway, [bomber], Buffer.concat(Array(bombsInARead).fill(bomb)));
            await waitUntil(
                'the readers to have all of it',
                () => readers.every((one) => one.bytes >= inflatedBytes || one.ended),
                { seconds: 60 },
            );
            t.diagnostic(
                `${bombsInARead * bomb.length} bytes became ${(inflatedBytes / MIB).toFixed(1)} MiB for each of ` +
                    `${readers.length} readers within ${Date.now() - begun} ms`,
            );
            for (const one of readers) assert.deepEqual([one.bytes, one.ended], [inflatedBytes, false]);
            await assertNobodyWent(gateway);
            assertMemory(t, gateway, 200);
        });

        test(`bombers_do_not_keep_others_from_hearing_each_other (${bus})`, async (t) => {
            const count = scaled(20, 5);
            const gateway = await startWithBus(t, bus);
            const bombers = [];
            for (let i = 0; i < count; i++) bombers.push(await deflatingWebSocket(t, gateway, `/rooms/bomber-${i}`));
            const honest = await connectMany(t, 2, () => `${gateway.url}/rooms/honest`);
            await sendAtOnce(gateway, bombers, Buffer.concat(Array(bombsInARead).fill(bomb)));
            const begun = Date.now();
            const all = count * bombsInARead;
            let done = 0;
            const slowest = await converse(honest, async (said) => {
                assert.ok(Date.now() - begun < 60_000 * patience, 'the bombs should have been taken by now');
                if ((await gateway.metric('plenum_messages_received_total')) - said >= all) done ||= Date.now();
                return done;
            });
            t.diagnostic(`${count} bombers: ${all} bombs taken within ${done - begun} ms`);
            t.diagnostic(`an honest message took ${slowest} ms at most`);
            await assertNobodyWent(gateway);
            assertMemory(t, gateway, 200);
        });
    }

    test('floods_of_tiny_frames_do_not_keep_others_from_hearing_each_other', async (t) => {
        const count = scaled(100, 30);
        const gateway = await startGateway(t, { workers: 1 });
        const flooders = [];
        for (let i = 0; i < count; i++) flooders.push(await rawWebSocket(t, gateway, `/rooms/flooder-${i}`));
        const honest = await connectMany(t, 2, () => `${gateway.url}/rooms/honest`);
        const empty = frame(2, Buffer.alloc(0));
        const frames = Math.floor(READ_BYTES / empty.length);
        await sendAtOnce(gateway, flooders, Buffer.concat(Array(frames).fill(empty)));
        const begun = Date.now();
        let done = 0;
        const slowest = await converse(honest, async (said) => {
            assert.ok(Date.now() - begun < 60_000 * patience, 'the frames should have been taken by now');
            if ((await gateway.metric('plenum_messages_received_total')) - said >= count * frames) done ||= Date.now();
            return done;
        });
        t.diagnostic(`${count * frames} empty messages taken within ${done - begun} ms`);
        t.diagnostic(`an honest message took ${slowest} ms at most`);
        await assertNobodyWent(gateway);
        assertMemory(t, gateway, 200);
    });

    test('a_flood_of_pings_by_one_that_does_not_read_ends_with_its_close', async (t) => {
        const gateway = await startGateway(t, { workers: 1 });
        const before = peakRss(gateway);
        const flooder = await rawWebSocket(t, gateway, '/rooms/pings');
        const honest = await connectMany(t, 2, () => `${gateway.url}/rooms/honest`);
        flooder.stopReading();
        flooder.socket.on('error', () => {});
        const pings = Buffer.concat(Array(10_000).fill(frame(9, Buffer.alloc(0))));
        let sent = 0;
        const begun = Date.now();
        while ((await gateway.metric('plenum_dropped_connections_total')) === 0) {
            assert.ok(Date.now() - begun < 60_000 * patience, 'it should have been closed by now');
            for (let i = 0; i < 20 && flooder.socket.writable; i++) {
                flooder.socket.write(pings);
                sent += pings.length;
                while (flooder.socket.writableLength > MIB && flooder.socket.writable) await turn();
            }
        }
        const metrics = await gateway.metrics();
        const drops = (reason) => metrics.get('plenum_dropped_connections_total', { reason });
        assert.equal(drops('outbox_full') + drops('outbox_slow'), 1);
        const grown = (peakRss(gateway) - before) / MIB;
        t.diagnostic(`${(sent / MIB).toFixed(0)} MiB of pings: resident memory grew by ${grown.toFixed(1)} MiB at most`);
        if (!sanitizer) assert.ok(grown < 64, `it grew by ${grown} MiB`);
        await waitUntil('its connection to be gone', async () => (await gateway.metric('plenum_connections')) === 2);
        await waitUntil('what it was charged with to be free', async () => {
            const left = await gateway.metrics();
            return left.get('plenum_block_bytes') < MIB && left.get('plenum_outbox_bytes') === 0;
        });
        await converse(honest, () => true);
    });

    test('unfinished_messages_that_hold_too_much_are_shed_and_counted', async (t) => {
        const count = scaled(400, 200);
        const gateway = await startGateway(t, { workers: 1, args: ['--memory-mb', '32'] });
        const honest = await connectMany(t, 2, () => `${gateway.url}/rooms/honest`);
        // He who is only in the middle of a small message holds little, and stays.
        const modest = await rawWebSocket(t, gateway, '/rooms/honest');
        modest.socket.write(frame(1, Buffer.from('begun '), { fin: false }));
        const half = frame(2, Buffer.alloc(128 * KIB, 'x'), { fin: false });
        const next = frame(0, Buffer.alloc(120 * KIB, 'x'), { fin: false });
        const hoarders = [];
        const closes = () => hoarders.filter((one) => one.ended).map((one) => closeCode(one.collect()));
        for (let i = 0; i < count; i++) {
            const hoarder = await rawWebSocket(t, gateway, '/rooms/hoard');
            hoarder.socket.on('error', () => {});
            hoarder.socket.write(half);
            hoarder.socket.write(next);
            hoarders.push(hoarder);
        }
        const shed = await waitUntil('some to be shed', () =>
            gateway.metric('plenum_dropped_connections_total', { reason: 'memory' }),
        );
        await waitUntil('the memory to be back below the limit', async () => {
            return (await gateway.metric('plenum_unfinished_bytes')) <= 32 * MIB;
        });
        t.diagnostic(`${count} unfinished messages of 248 KiB: ${shed} or more shed`);
        await waitUntil('those to be told', () => closes().length >= shed);
        assert.ok(closes().every((code) => code === 1013 || code === null), `closed with ${closes()}`);
        assert.ok(closes().includes(1013));
        assertMemory(t, gateway, 150);
        await converse(honest, () => true);
        assert.equal(modest.ended, false, 'a few bytes are no reason');
        modest.socket.write(frame(0, Buffer.from('and finished')));
        await honest[0].waitFor('begun and finished');
    });

    test('what_an_admin_publishes_above_the_limit_is_dropped_and_counted', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url, '--max-message', '1000'] });
        const members = await connectMany(t, 2, () => `${gateway.url}/rooms/lobby`);
        await publish(redis, 'plenum:{lobby}', Buffer.alloc(1000, 'f'));
        await publish(redis, 'plenum:{lobby}', Buffer.alloc(1001, 'x'));
        await publish(redis, 'plenum:{lobby}', Buffer.alloc(scaled(20, 5) * MIB, 'y'));
        await publish(redis, 'plenum:{lobby}', Buffer.from('the end'));
        for (const member of members) {
            await member.waitFor('the end');
            assert.deepEqual(member.heard, ['f'.repeat(1000), 'the end']);
            assert.ok(member.isOpen);
        }
        // Each worker with a member has dropped it.
        const dropped = await gateway.metric('plenum_bus_discarded_total', { reason: 'too_big' });
        assert.ok(dropped >= 2 && dropped <= 2 * gateway.workers && dropped % 2 === 0, `${dropped} dropped`);
        assertMemory(t, gateway, 150);
    });
});

/** PUBLISH over a socket of our own: a command line has no room for megabytes. */
async function publish(redis, channel, payload) {
    const socket = net.connect(redis.port, '127.0.0.1');
    const answer = new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
    socket.write(`*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${payload.length}\r\n`);
    socket.write(payload);
    socket.write('\r\n');
    assert.match((await within('Redis to answer', answer)).toString(), /^:\d+\r\n$/);
    socket.destroy();
}
