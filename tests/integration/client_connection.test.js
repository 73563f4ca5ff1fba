/**
 * client_connection.test.js -- the JavaScript client's connection: when it comes back, when it stays away, and how it
 * notices that it is dead.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { onEnd } from '../support/cleanup.js';
import { FakeClock, record, startClient, startFakePlenum } from '../support/fake_plenum.js';
import { turn, waitUntil } from '../support/wait.js';

async function startOne(t, options) {
    const fake = await startFakePlenum(t);
    const clock = new FakeClock();
    const client = startClient(t, fake, { clock, random: () => 0.5, ...options });
    const states = record(client, 'state');
    return { fake, clock, client, states };
}

/** The waits before the next attempts when every connection is closed with this code right after its welcome. */
async function waitsAfter(t, code, random, count) {
    const { fake, clock, states } = await startOne(t, { random: () => random });
    const waits = [];
    const seen = (state) => states.filter(([, event]) => event.state === state);
    for (let i = 0; i < count; i++) {
        const connection = await fake.connection(i);
        await waitUntil('online', () => seen('online').length === i + 1, { everyMs: 1 });
        if (code === null) connection.terminate();
        else connection.close(code);
        await waitUntil('offline', () => seen('offline').length === i + 1, { everyMs: 1 });
        const { retryMs } = seen('offline')[i][1];
        waits.push(retryMs);
        clock.advance(retryMs);
    }
    return waits;
}

/** Browser events that Node has not: `online`, navigator.onLine. */
function pretendNetwork(t) {
    const target = new EventTarget();
    const network = { onLine: true };
    const given = { navigator: network, addEventListener: target.addEventListener.bind(target), removeEventListener: target.removeEventListener.bind(target) };
    const before = Object.keys(given).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
    for (const [name, value] of Object.entries(given)) Object.defineProperty(globalThis, name, { value, configurable: true });
    onEnd(t, () => {
        for (const [name, descriptor] of before) {
            if (descriptor) Object.defineProperty(globalThis, name, descriptor);
            else delete globalThis[name];
        }
    });
    return { network, goOnline: () => target.dispatchEvent(new Event('online')) };
}

describe('the JavaScript client comes back', { concurrency: true }, () => {
    test('within_200_ms_at_first_and_then_doubling_to_10_s_with_full_jitter', async (t) => {
        assert.deepEqual(await waitsAfter(t, null, 1, 8), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert.deepEqual(await waitsAfter(t, 1000, 0.25, 3), [50, 100, 200]);
        assert.deepEqual(await waitsAfter(t, 1001, 0, 3), [0, 0, 0]);
    });

    test('not_before_a_second_where_the_server_has_too_much_to_do', async (t) => {
        assert.deepEqual(await waitsAfter(t, 1013, 0, 2), [1000, 1000]);
        assert.deepEqual(await waitsAfter(t, 1013, 1, 4), [2000, 3000, 5000, 9000]);
        assert.deepEqual(await waitsAfter(t, 4429, 0, 1), [1000]);
    });

    test('spread_where_the_gateway_restarts', async (t) => {
        assert.deepEqual(await waitsAfter(t, 1012, 1, 1), [2000]);
        assert.deepEqual(await waitsAfter(t, 1012, 0.1, 1), [200]);
    });

    test('soon_again_after_a_connection_that_has_lived', async (t) => {
        const { fake, clock, client, states } = await startOne(t, { random: () => 1 });
        for (let i = 0; i < 3; i++) {
            const connection = await fake.connection(i);
            await waitUntil('online', () => client.state === 'online');
            clock.advance(6000);
            connection.terminate();
            await waitUntil('offline', () => client.state === 'offline');
            assert.equal(states.at(-1)[1].retryMs, 200);
            clock.advance(200);
        }
    });

    test('never_after_4403_and_says_so', async (t) => {
        const { fake, clock, client, states } = await startOne(t);
        const room = await client.join('lobby');
        const joining = assert.rejects(client.join('other'), { code: 'closed' });
        fake.intercept = () => true;
        fake.connections[0].close(4403);
        await waitUntil('the end', () => client.state === 'closed');
        await joining;
        assert.equal(room.state, 'left');
        clock.advance(1_000_000);
        await turn();
        assert.equal(fake.connections.length, 1);
        assert.deepEqual(states.at(-1)[1], { state: 'closed', previous: 'online', code: 4403, reason: '' });
    });

    test('after_4401_only_with_a_fresh_token', async (t) => {
        const { fake, client } = await startOne(t, { token: 'old' });
        await waitUntil('online', () => client.state === 'online');
        assert.equal(fake.connections[0].of('hello')[0].token, 'old');
        fake.connections[0].close(4401);
        await waitUntil('the end', () => client.state === 'closed');

        let tokens = 0;
        const other = await startOne(t, { token: async () => `token ${++tokens}` });
        await waitUntil('online', () => other.client.state === 'online');
        other.fake.connections[0].close(4401);
        await waitUntil('offline', () => other.client.state === 'offline');
        other.clock.advance(10_000);
        const hello = await (await other.fake.connection(1)).heard('hello');
        assert.equal(hello.token, 'token 2');
    });

    test('when_there_is_no_welcome_in_time', async (t) => {
        const { fake, clock, client, states } = await startOne(t);
        fake.intercept = () => true;
        await (await fake.connection(0)).heard('hello');
        clock.advance(10_000);
        assert.equal(client.state, 'offline');
        assert.match(states.at(-1)[1].reason, /welcome/);
        fake.intercept = () => false;
        clock.advance(10_000);
        await waitUntil('online', () => client.state === 'online');
    });

    test('not_when_its_hello_is_refused', async (t) => {
        const { fake, client } = await startOne(t, { name: 'x'.repeat(65) });
        const errors = record(client, 'error');
        fake.intercept = (connection, request) => {
            connection.refuse(request, 'bad_request');
            return true;
        };
        await waitUntil('the end', () => client.state === 'closed');
        assert.equal(errors[0][1].code, 'bad_request');
    });

    test('close_is_the_end_and_leaves_nothing_behind', async (t) => {
        const { fake, clock, client } = await startOne(t);
        await client.join('lobby');
        client.close();
        assert.equal(client.state, 'closed');
        await waitUntil('the server to see it', () => fake.connections[0].closed === 1000);
        clock.advance(1_000_000);
        await turn();
        assert.equal(fake.connections.length, 1);
    });
});

describe('the heartbeat of the JavaScript client', { concurrency: true }, () => {
    test('pings_after_20_s_of_silence_and_gives_up_10_s_later', async (t) => {
        const { fake, clock, client } = await startOne(t);
        const connection = await fake.connection(0);
        await waitUntil('online', () => client.state === 'online');
        fake.intercept = (_, { type }) => type === 'ping';
        clock.advance(19_000);
        await turn();
        assert.equal(connection.of('ping').length, 0);
        clock.advance(1000);
        await connection.heard('ping');
        clock.advance(9000);
        assert.equal(client.state, 'online');
        clock.advance(1000);
        assert.equal(client.state, 'offline');
    });

    test('takes_any_frame_for_life', async (t) => {
        const { fake, clock, client } = await startOne(t);
        const other = record(client, 'other', 'media');
        const connection = await fake.connection(0);
        await waitUntil('online', () => client.state === 'online');
        fake.intercept = (_, { type }) => type === 'ping';
        for (let i = 1; i <= 5; i++) {
            clock.advance(19_900);
            connection.send(i % 2 ? { type: 'something' } : Buffer.from([1]));
            await waitUntil('the frame', () => other.length === i);
        }
        assert.equal(connection.of('ping').length, 0);
        clock.advance(25_000);
        connection.send({ type: 'something' });
        await waitUntil('the frame', () => other.length === 6);
        clock.advance(19_000);
        assert.equal(client.state, 'online');
    });

    test('keeps_a_connection_whose_pings_are_answered_and_asks_as_often_as_the_server_wants', async (t) => {
        const { fake, clock, client } = await startOne(t);
        fake.pingMs = 7000;
        const connection = await fake.connection(0);
        await waitUntil('online', () => client.state === 'online');
        for (let i = 1; i <= 4; i++) {
            clock.advance(7000);
            await connection.heard('ping', i);
            await client.request({ type: 'ping', time: 12.5 });
        }
        assert.equal(client.state, 'online');
    });

    test('asks_at_once_after_a_sleep_of_the_machine', async (t) => {
        const { fake, clock, client, states } = await startOne(t);
        const connection = await fake.connection(0);
        await waitUntil('online', () => client.state === 'online');
        clock.sleep(3_600_000);
        clock.advance(5000);
        await connection.heard('ping');
        await client.request({ type: 'ping' });
        clock.advance(10_000);
        assert.equal(client.state, 'online', 'it was alive');

        fake.intercept = () => true;
        clock.sleep(3_600_000);
        clock.advance(5000);
        await connection.heard('ping', 3);
        clock.advance(4000);
        assert.ok(states.some(([, { state }]) => state === 'offline'), 'it was dead');
    });

    test('is_not_fooled_by_timers_that_are_always_late', async (t) => {
        const { fake, clock, client, states } = await startOne(t);
        await waitUntil('online', () => client.state === 'online');
        fake.intercept = () => true;
        for (let i = 0; i < 3 && client.state === 'online'; i++) {
            clock.sleep(55_000);
            clock.advance(5000);
        }
        assert.ok(states.some(([, { state }]) => state === 'offline'));
    });
});

describe('the JavaScript client and the network of a browser', () => {
    test('waits_for_the_network_and_comes_back_with_it', async (t) => {
        const { network, goOnline } = pretendNetwork(t);
        const { fake, clock, client, states } = await startOne(t);
        await waitUntil('online', () => client.state === 'online');
        network.onLine = false;
        fake.connections[0].terminate();
        await waitUntil('offline', () => client.state === 'offline');
        clock.advance(1_000_000);
        await turn();
        assert.equal(fake.connections.length, 1, 'no attempt without a network');
        network.onLine = true;
        goOnline();
        clock.advance(100);
        await waitUntil('online', () => client.state === 'online');
        assert.deepEqual(states.map(([, { state }]) => state), ['online', 'offline', 'connecting', 'online']);
    });

    test('does_not_wait_any_longer_when_it_is_back_and_asks_a_connection_whether_it_lives', async (t) => {
        const { goOnline } = pretendNetwork(t);
        const { fake, clock, client } = await startOne(t, { backoff: { baseMs: 200, maxMs: 1_000_000 } });
        await waitUntil('online', () => client.state === 'online');
        goOnline();
        await fake.connections[0].heard('ping');
        for (let i = 0; i < 8; i++) {
            fake.connections.at(-1).terminate();
            await waitUntil('offline', () => client.state === 'offline');
            goOnline();
            clock.advance(200);
            await waitUntil('online', () => client.state === 'online');
        }
    });
});
