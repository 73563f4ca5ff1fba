/**
 * abuse_reading.test.js -- who does not read, or does it slowly, holds little memory, is sent all that he is owed, and ends
 * nothing but himself. (Who sends too much: abuse.test.js. The ordinary slow client: slow_clients.test.js.)
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { connect, connectMany } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { closeCode, dial, frame, parseFrames, rawWebSocket } from '../support/raw.js';
import { patience, sanitizer, scaled } from '../support/scale.js';
import { elapse, turn, waitUntil, within } from '../support/wait.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** The most memory that the gateway has had so far, bytes. */
function peakRss(gateway) {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))[1]) * KIB;
}

/** Two clients hear each other. */
async function assertServes([one, other], text) {
    one.send(text);
    await other.waitFor(text);
    assert.ok(one.isOpen && other.isOpen);
}

/** A WebSocket that reads no more, and does not mind how it ends. */
async function stoppedWebSocket(t, gateway, path) {
    const stopped = await rawWebSocket(t, gateway, path);
    stopped.stopReading();
    stopped.socket.on('error', () => {});
    return stopped;
}

/** Writes as fast as the socket takes it. */
async function write(socket, bytes) {
    socket.write(bytes);
    while (socket.writableLength > MIB && socket.writable) await turn();
}

/** Sends into the room of a stopped reader until something waits for it: from there on all of it waits in the gateway. */
async function fillKernel(gateway, sender) {
    const filling = Buffer.alloc(20_000, 'f');
    for (let i = 0; (await gateway.metric('plenum_outbox_bytes')) === 0; i++) {
        assert.ok(i < 2000, 'the kernel takes all of it');
        sender.send(filling);
        while (sender.socket.bufferedAmount > 0) await turn();
    }
}

/** A GET on a raw socket: its bytes, as slowly as read. @returns {Promise<import('../support/raw.js').RawConnection>} */
async function slowGet(t, port, path) {
    const connection = await dial(t, port);
    connection.socket.on('error', (error) => (connection.error = error));
    connection.stopReading();
    connection.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return connection;
}

describe('clients that do not read, and what they could break', () => {
    test('tiny_messages_for_a_stopped_reader_do_not_hold_the_blocks_that_they_share_with_big_ones', async (t) => {
        const gateway = await startGateway(t, { workers: 1 });
        const stopped = await stoppedWebSocket(t, gateway, '/rooms/pin'); // the big messages are its own: not for it
        const tiny = await connect(t, `${gateway.url}/rooms/pin`);
        tiny.socket.removeAllListeners('message');
        let heard = 0;
        tiny.socket.on('message', () => heard++);
        await fillKernel(gateway, tiny);
        const big = frame(2, Buffer.alloc(60 * KIB, 'x')); // the gateway takes it with one read
        const rounds = scaled(400, 100);
        let highest = 0;
        heard = 0;
        for (let i = 0; i < rounds; i++) {
            // Both in one turn of the gateway, so that they come to stand in one block.
            gateway.signal('SIGSTOP');
            await Promise.all([
                new Promise((resolve) => stopped.socket.write(big, resolve)),
                new Promise((resolve) => tiny.socket.send('t', resolve)),
            ]);
            gateway.signal('SIGCONT');
            await waitUntil('the big one to be heard', () => heard > i, { everyMs: 1 });
            if (i % 10 === 0) highest = Math.max(highest, await gateway.metric('plenum_block_bytes'));
        }
        highest = Math.max(highest, await gateway.metric('plenum_block_bytes'));
        const outbox = await gateway.metric('plenum_outbox_bytes');
        t.diagnostic(`${rounds} messages of 60 KiB: ${outbox} bytes wait, blocks of ${highest} bytes at most`);
        assert.ok(outbox >= rounds * 3, `only ${outbox} bytes wait for the stopped reader`);
        assert.ok(highest < MIB, `${highest} bytes of blocks were held`);
        assert.equal(await gateway.metric('plenum_dropped_connections_total'), 0);
    });

    test('stopped_readers_that_hold_too_much_together_are_shed_and_counted', async (t) => {
        const count = scaled(60, 20);
        const limit = scaled(64, 16);
        const gateway = await startGateway(t, { workers: 1, args: ['--memory-mb', String(limit), '--log-size', '0'] });
        const honest = await connectMany(t, 2, () => `${gateway.url}/rooms/honest`);
        const before = peakRss(gateway);
        const message = frame(2, Buffer.alloc(200_000, 'z'));
        const stopped = [];
        for (let i = 0; i < count; i++) stopped.push(await stoppedWebSocket(t, gateway, `/rooms/own-${i}?echo=1`));
        // Each alone keeps below the hard limit of 16 MiB, and is not above the soft one for long enough.
        let said = 0;
        for (let round = 0; round < 85; round++) {
            await Promise.all(stopped.map((one) => one.socket.writable && write(one.socket, message)));
            if (round % 10 === 0) await assertServes(honest, `honest ${said++}`);
        }
        await waitUntil('the blocks to be within the limit', async () => {
            return (await gateway.metric('plenum_block_bytes')) <= limit * MIB;
        });
        const metrics = await gateway.metrics();
        const shed = metrics.get('plenum_dropped_connections_total', { reason: 'memory' });
        const grown = (peakRss(gateway) - before) / MIB;
        t.diagnostic(`${count} stopped readers of 16 MiB: ${shed} shed, memory grew by ${grown.toFixed(1)} MiB at most`);
        assert.ok(shed > 0, 'nobody was shed');
        assert.equal(metrics.get('plenum_closes_total', { code: '1013' }), metrics.get('plenum_dropped_connections_total'));
        if (!sanitizer) assert.ok(grown < 3 * limit, `it grew by ${grown} MiB`);
        await assertServes(honest, 'still here');
        const closed = stopped.find((one) => !one.socket.writable) ?? stopped[0];
        closed.readAgain();
        await within('it to see its end', closed.finished);
        const code = closeCode(closed.collect());
        assert.ok(code === 1013 || code === null, `closed with ${code}`);
    });

    test('a_slow_reader_of_a_page_gets_every_byte', async (t) => {
        const gateway = await startGateway(t);
        const pages = [];
        for (const [port, path] of [
            [gateway.adminPort, '/metrics'],
            [gateway.adminPort, '/metrics'],
            [gateway.port, '/'],
        ]) {
            pages.push({ path, connection: await slowGet(t, port, path) });
        }
        await elapse(4000); // longer than any time that it has to close, or that we linger
        for (const { path, connection } of pages) {
            connection.readAgain();
            await within(`${path} to end`, connection.finished);
            const bytes = connection.collect();
            const head = bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n'));
            assert.match(head, /^HTTP\/1\.1 200 /, path);
            const length = Number(/^content-length: (\d+)$/im.exec(head)[1]);
            assert.equal(bytes.length - head.length - 4, length, path);
            assert.equal(connection.error, undefined, path);
            t.diagnostic(`${path}: ${length} bytes, read 4 s late`);
        }
    });

    test('one_with_messages_in_flight_at_sigterm_gets_them_and_then_1012', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '4'] });
        const slow = await rawWebSocket(t, gateway, '/rooms/late');
        slow.socket.on('error', (error) => (slow.error = error));
        slow.stopReading();
        const sender = await connect(t, `${gateway.url}/rooms/late`);
        for (let i = 0; i < 20; i++) sender.send(Buffer.alloc(20_000, 'a'.charCodeAt(0) + i));
        await waitUntil('all to be sent', async () => {
            const metrics = await gateway.metrics();
            return metrics.get('plenum_messages_received_total') === 20 && metrics.get('plenum_outbox_bytes') === 0;
        });
        gateway.signal('SIGTERM');
        await within('the gateway to end', gateway.exited, 12);
        slow.readAgain(); // from here on the kernel alone has it
        await within('the end to be seen', slow.finished);
        const frames = parseFrames(slow.collect()).filter(({ opcode }) => opcode !== 9);
        assert.deepEqual(frames.map(({ opcode }) => opcode), [...Array(20).fill(2), 8]);
        frames.slice(0, 20).forEach(({ payload }, i) => {
            assert.ok(payload.length === 20_000 && payload[0] === 'a'.charCodeAt(0) + i, `message ${i}`);
        });
        assert.equal(closeCode(slow.collect()), 1012);
        assert.equal(slow.error, undefined);
    });

    test('a_silent_connection_does_not_hold_up_the_drain', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '6', '--handshake-timeout', '20'] });
        const silent = await dial(t, gateway.port);
        silent.socket.on('error', () => {});
        await waitUntil('it to be accepted', async () => (await gateway.metric('plenum_handshakes')) === 1);
        const begun = Date.now();
        gateway.signal('SIGTERM');
        assert.deepEqual(await within('the gateway to end', gateway.exited, 12), { code: 0, signal: null });
        const took = Date.now() - begun;
        t.diagnostic(`ended after ${took} ms`);
        assert.ok(took < 4000 * patience, `it took ${took} ms`);
    });

    test('a_slow_reader_that_closes_in_the_middle_of_an_interrupted_flush_ends_nothing', async (t) => {
        const gateway = await startGateway(t, { workers: 1, args: ['--flush-budget-ms', '0.1'] });
        const readers = await connectMany(t, scaled(300, 100), () => `${gateway.url}/rooms/crowd`);
        for (const reader of readers) reader.socket.removeAllListeners('message');
        const open = () => stoppedWebSocket(t, gateway, '/rooms/crowd');
        const publishers = await connectMany(t, 2, () => `${gateway.url}/rooms/crowd`);
        for (const publisher of publishers) publisher.socket.removeAllListeners('message');
        const filling = Buffer.alloc(3000, 'q');
        const timer = setInterval(() => {
            for (const one of publishers) for (let i = 0; i < 5 && one.socket.bufferedAmount < MIB; i++) one.send(filling);
        }, 5);
        onEnd(t, () => clearInterval(timer));
        let slow = await Promise.all(Array.from({ length: 20 }, open));
        const rounds = scaled(25, 8);
        let closed = 0;
        for (let round = 0; round < rounds; round++) {
            const outbox = () => gateway.metric('plenum_outbox_bytes');
            if (round === 0) await waitUntil('something to wait for them', outbox, { seconds: 60 });
            else await elapse(100);
            for (const one of slow.splice(0, 10)) {
                if (one.socket.writable) one.socket.write(frame(8, Buffer.from([0x03, 0xe8])));
                closed++;
            }
            slow = slow.concat(await Promise.all(Array.from({ length: 10 }, open)));
        }
        const interrupted = await gateway.metric('plenum_flush_interrupted_total');
        t.diagnostic(`${closed} closed while ${interrupted} flushes were interrupted`);
        assert.ok(interrupted > rounds, 'or it was not asked for');
        clearInterval(timer);
        await assertServes(await connectMany(t, 2, () => `${gateway.url}/rooms/other`), 'nothing has ended');
        assert.ok(readers.every((reader) => reader.isOpen));
    });

    test('who_is_closed_leaves_a_log_line_with_code_reason_and_peer', async (t) => {
        const args = ['--outbox-hard', '512k', '--outbox-soft', '512k', '--log-level', 'info'];
        const gateway = await startGateway(t, { workers: 1, args });
        const cases = [
            [1002, 'protocol error', Buffer.from([0x81, 0x02, 0x68, 0x69])],
            [1007, 'invalid data', frame(1, Buffer.from([0xff]))],
        ];
        const lineOf = (connection) => {
            const peer = `127.0.0.1:${connection.socket.localPort}`;
            return gateway.logs.find((line) => line.msg === 'connection closed' && line.peer === peer);
        };
        for (const [code, reason, bytes] of cases) {
            const connection = await rawWebSocket(t, gateway, '/');
            connection.socket.write(bytes);
            const line = await waitUntil(`a line about ${code}`, () => lineOf(connection));
            assert.equal(line.code, code);
            assert.equal(line.reason, reason);
            assert.equal(line.level, 'info');
        }
        const stopped = await stoppedWebSocket(t, gateway, '/rooms/slow');
        const sender = await connect(t, `${gateway.url}/rooms/slow`);
        const line = await waitUntil(
            'a line about the slow reader',
            () => {
                if (sender.socket.bufferedAmount < MIB) sender.send(Buffer.alloc(60_000, 's'));
                return lineOf(stopped);
            },
            { seconds: 30, everyMs: 1 },
        );
        assert.equal(line.code, 1013);
        assert.match(line.reason, /^too slow/);
        // Who goes by himself is no news.
        const polite = await connect(t, gateway.url);
        await polite.close();
        assert.equal(gateway.logs.filter(({ msg }) => msg === 'connection closed').length, 3);
    });
});
