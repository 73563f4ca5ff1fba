/**
 * slow_clients.test.js -- who does not read is closed; nobody else notices, and the gateway's memory stays bounded.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, connectMany } from '../support/client.js';
import { Counter, openCounters } from '../support/counter_room.js';
import { startGateway } from '../support/gateway.js';
import { closeCode, parseFrames, rawWebSocket } from '../support/raw.js';
import { onEnd } from '../support/cleanup.js';
import { sanitizer, scaled } from '../support/scale.js';
import { turn, waitUntil } from '../support/wait.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Connections that were closed because they did not keep up. */
async function closedForSlowness(gateway) {
    const metrics = await gateway.metrics();
    const drops = (reason) => metrics.get('plenum_dropped_connections_total', { reason });
    return drops('outbox_full') + drops('outbox_slow');
}

/** Sends numbered messages of that size, as fast as the socket takes them, until `enough` says so. */
async function flood(sender, size, enough) {
    const filling = Buffer.alloc(size, '.');
    let number = 0;
    while (!(await enough(number))) {
        filling.write(`${number++} `.padEnd(12, '.'));
        sender.send(Buffer.from(filling));
        while (sender.socket.bufferedAmount > MIB) await turn();
    }
    return number;
}

describe('clients that do not read', () => {
    test('one_is_closed_and_counted_while_all_others_in_its_room_lose_nothing', async (t) => {
        const others = scaled(999, 99);
        const gateway = await startGateway(t, { args: ['--outbox-hard', '1m', '--outbox-soft', '512k'] });
        const listeners = await openCounters(others, () => new Counter(`${gateway.url}/rooms/crowd`));
        onEnd(t, () => listeners.forEach((listener) => listener.socket.terminate()));
        const stopped = await rawWebSocket(t, gateway, '/rooms/crowd');
        stopped.stopReading();
        const sender = await connect(t, `${gateway.url}/rooms/crowd`);
        const before = gateway.rss();
        let highest = before;
        // The kernel's buffers take some MiB before the gateway's own outbox grows.
        const sent = await flood(sender, 32 * KIB, async (number) => {
            if (number % 8 === 0) {
                highest = Math.max(highest, gateway.rss());
                // The crowd is one process: it must not become slow itself.
                await waitUntil('the crowd to follow', () => listeners.every((one) => one.last >= number - 24), {
                    seconds: 30,
                    everyMs: 1,
                });
            }
            assert.ok(number < 4000, 'it should have been closed by now');
            return number % 8 === 0 && (await closedForSlowness(gateway)) > 0;
        });
        assert.equal(await closedForSlowness(gateway), 1, 'it, and nobody else');
        sender.send(`${sent} and this is the end`);
        await waitUntil('all others to hear the end', () => listeners.every((one) => one.last === sent), { seconds: 30 });
        for (const listener of listeners) assert.equal(listener.verdict(sent), null);
        highest = Math.max(highest, gateway.rss());
        t.diagnostic(`${sent} messages of 32 KiB to ${others} listeners: nothing lost`);
        t.diagnostic(`resident memory: ${(before / MIB).toFixed(1)} MiB before, ${(highest / MIB).toFixed(1)} at most`);

        // Whatever still reached the stopped client is whole messages in order; where it can see a close, it is 1013.
        stopped.readAgain();
        await stopped.finished;
        const bytes = stopped.collect();
        const numbers = parseFrames(bytes).filter((one) => one.opcode === 2);
        numbers.forEach((one, i) => assert.equal(Number.parseInt(one.payload.toString('latin1', 0, 12), 10), i));
        const code = closeCode(bytes);
        t.diagnostic(`the stopped client got ${numbers.length} messages and ${code ? `close ${code}` : 'no close frame'}`);
        assert.ok(code === null || code === 1013, `closed with ${code}`);
    });

    test('the_gateways_memory_stays_bounded', async (t) => {
        const clients = 20;
        const gateway = await startGateway(t, { args: ['--outbox-hard', '1m', '--outbox-soft', '512k'] });
        const reader = await connect(t, `${gateway.url}/rooms/flood`);
        reader.socket.removeAllListeners('message');
        let heard = 0;
        reader.socket.on('message', () => heard++);
        const sender = await connect(t, `${gateway.url}/rooms/flood`);
        for (let i = 0; i < clients; i++) (await rawWebSocket(t, gateway, '/rooms/flood')).stopReading();
        const before = gateway.rss();
        let highest = before;
        const megabytes = scaled(200, 40);
        const sent = await flood(sender, 64 * KIB, async (number) => {
            highest = Math.max(highest, gateway.rss());
            if (number % 8 === 0) await waitUntil('the reader to follow', () => heard >= number - 32, { everyMs: 1 });
            return number === megabytes * 16;
        });
        await waitUntil('all to be heard', () => heard === sent);
        const grown = (highest - before) / MIB;
        t.diagnostic(
            `${megabytes} MiB past ${clients} stopped clients: resident memory grew by ${grown.toFixed(1)} MiB at most ` +
                `(${(before / MIB).toFixed(1)} before)`,
        );
        assert.equal(await closedForSlowness(gateway), clients);
        // What stopped clients may hold is shared; a sanitizer's quarantine and shadow are not ours to judge.
        if (!sanitizer) assert.ok(grown < 40, `it grew by ${grown} MiB`);
    });

    test('one_above_the_soft_limit_for_too_long_is_closed', async (t) => {
        const gateway = await startGateway(t, {
            args: ['--outbox-hard', '64m', '--outbox-soft', '64k', '--outbox-soft-seconds', '1'],
        });
        const sender = await connect(t, `${gateway.url}/rooms/soft`);
        const reader = await connect(t, `${gateway.url}/rooms/soft`);
        const stopped = await rawWebSocket(t, gateway, '/rooms/soft');
        stopped.stopReading();
        await flood(sender, 64 * KIB, (number) => number === 300); // 19 MiB: far above what the kernel takes
        await reader.waitForCount(300);
        await waitUntil('it to be closed', async () => (await closedForSlowness(gateway)) === 1);
        assert.equal(await gateway.metric('plenum_dropped_connections_total', { reason: 'outbox_slow' }), 1);
        assert.equal(reader.closing, null);
    });

    test('one_that_pauses_and_reads_again_in_time_gets_everything', async (t) => {
        const gateway = await startGateway(t, { args: ['--outbox-hard', '64m', '--outbox-soft', '64m'] });
        const sender = await connect(t, `${gateway.url}/rooms/pause`);
        const slow = new Counter(`${gateway.url}/rooms/pause`);
        onEnd(t, () => slow.socket.terminate());
        await slow.opened;
        slow.stopReading();
        const sent = await flood(sender, 64 * KIB, (number) => number === 400); // 25 MiB
        await waitUntil('its outbox to fill', async () => (await gateway.metric('plenum_outbox_bytes')) > MIB);
        slow.readAgain();
        await waitUntil('it to have everything', () => slow.last === sent - 1);
        assert.equal(slow.verdict(sent - 1), null);
        await waitUntil('its outbox to be empty', async () => (await gateway.metric('plenum_outbox_bytes')) === 0);
    });

    test('one_that_reads_a_byte_at_a_time_gets_every_byte_and_slows_nobody', async (t) => {
        const gateway = await startGateway(t);
        const trickle = await rawWebSocket(t, gateway, '/rooms/drip', { readBytes: 1 });
        const [sender, ...others] = await connectMany(t, 11, () => `${gateway.url}/rooms/drip`);
        const count = scaled(600, 200);
        const text = (i) => `${i} ${'drop by drop '.repeat(8)}`;
        for (let i = 0; i < count; i++) sender.send(text(i));
        for (const other of others) {
            await other.waitForCount(count);
            other.heard.forEach((heard, i) => assert.equal(heard, text(i)));
        }
        const behind = parseFrames(trickle.collect()).length;
        t.diagnostic(`the others had all ${count} when it had ${behind}`);
        await trickle.waitForBytes((bytes) => bytes.includes(text(count - 1)), 'the last message', 60);
        parseFrames(trickle.collect()).forEach((one, i) => assert.equal(one.payload.toString(), text(i)));
    });
});
