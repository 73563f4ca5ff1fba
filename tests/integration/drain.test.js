/**
 * drain.test.js -- SIGTERM: no new clients, the old ones are sent away with 1012 spread over time, and the end is 0.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, connectMany } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { dial, closeCode, rawWebSocket } from '../support/raw.js';
import { patience, scaled } from '../support/scale.js';
import { waitUntil, within } from '../support/wait.js';

/** Notes when each of them is closed. */
function watchCloses(clients) {
    const closes = [];
    for (const client of clients) {
        client.closed.then(({ code }) => closes.push({ code, at: Date.now() }));
    }
    return closes;
}

/** Publishes from a client all the time, until it is closed or the test is over. */
function keepTalking(t, client) {
    let said = 0;
    const timer = setInterval(() => client.isOpen && client.send(`talk ${said++}`), 5);
    onEnd(t, () => clearInterval(timer));
}

describe('SIGTERM', { concurrency: true }, () => {
    test('under_load_every_client_gets_1012_spread_over_the_drain_time_and_the_gateway_ends_with_0', async (t) => {
        const drain = 3;
        const redis = await startRedis(t);
        const start = () => startGateway(t, { args: ['--redis', redis.url, '--drain', String(drain)] });
        const [gateway, other] = await Promise.all([start(), start()]);
        const clients = await connectMany(t, scaled(300, 100), (i) => `${gateway.url}/rooms/${i % 3 ? 'busy' : `r${i}`}`);
        const talker = await connect(t, `${gateway.url}/rooms/busy`);
        const survivor = await connect(t, `${other.url}/rooms/busy`);
        keepTalking(t, talker);
        await survivor.waitForCount(20);

        const closes = watchCloses([...clients, talker]);
        const begun = Date.now();
        gateway.signal('SIGTERM');
        const ended = await within('the gateway to end', gateway.exited, drain + 12);
        const took = Date.now() - begun;
        await waitUntil('all clients to notice', () => closes.length === clients.length + 1);
        assert.deepEqual([...new Set(closes.map(({ code }) => code))], [1012]);
        assert.deepEqual(ended, { code: 0, signal: null });

        const times = closes.map(({ at }) => at - begun).sort((a, b) => a - b);
        const [first, middle, last] = [times[0], times[times.length >> 1], times.at(-1)];
        t.diagnostic(`closes after ${first}, ${middle} (median), ${last} ms; the end after ${took} ms`);
        assert.ok(last - first > (drain * 1000) / 3, `not spread: ${first} to ${last} ms`);
        assert.ok(took < (drain + 4) * 1000 * patience, `ended after ${took} ms`);
        assert.equal(survivor.closing, null);
    });

    test('readyz_is_503_at_once_while_healthz_stays_200_and_nobody_new_gets_in', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '20'] });
        await connectMany(t, 20, () => gateway.url);
        assert.equal((await gateway.admin('/readyz')).status, 200);
        const begun = Date.now();
        gateway.signal('SIGTERM');
        await waitUntil('/readyz to say no', async () => (await gateway.admin('/readyz')).status === 503);
        t.diagnostic(`/readyz said 503 after ${Date.now() - begun} ms`);
        assert.equal((await gateway.admin('/healthz')).status, 200, 'a drain is no reason to be killed');
        await waitUntil('the public port to be closed', () =>
            dial(t, gateway.port).then(
                () => false,
                (error) => error.code === 'ECONNREFUSED',
            ),
        );
        assert.equal(await gateway.metric('plenum_draining'), 1);
    });

    test('members_of_a_draining_gateway_still_hear_each_other', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url, '--drain', '20'] });
        const other = await startGateway(t, { args: ['--redis', redis.url] });
        const staying = await connect(t, other.url);
        const leaving = await connectMany(t, 40, () => gateway.url);
        gateway.signal('SIGTERM');
        await waitUntil('the drain to begin', async () => (await gateway.admin('/readyz')).status === 503);
        staying.send('goodbye');
        const heard = await Promise.all(leaving.map((client) => client.waitFor('goodbye').catch(() => null)));
        const heardBy = heard.filter(Boolean).length;
        t.diagnostic(`${heardBy} of 40 were still there to hear it`);
        assert.ok(heardBy > 10);
        const speaker = leaving.find((client) => client.isOpen);
        speaker.send('you too');
        assert.equal((await staying.next()).data, 'you too');
    });

    test('what_was_sent_before_it_is_delivered_before_the_end', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url, '--drain', '1'] });
        const other = await startGateway(t, { args: ['--redis', redis.url] });
        const listener = await connect(t, other.url);
        const sender = await connect(t, `${gateway.url}/?echo=1`);
        const count = 5000;
        for (let i = 0; i < count; i++) sender.send(`last words ${i}`);
        // Its echo of the first one shows that the gateway is at work on them; the signal comes in the middle.
        await sender.waitForCount(1);
        gateway.signal('SIGTERM');
        assert.deepEqual(await within('the end', gateway.exited), { code: 0, signal: null });
        const closing = await within('the close', sender.closed);
        assert.equal(closing.code, 1012);
        // What the sender saw come back was published: it has to be heard elsewhere too.
        const echoed = sender.messages.length;
        await listener.waitForCount(echoed);
        listener.heard.forEach((text, i) => assert.equal(text, `last words ${i}`));
        t.diagnostic(`${echoed} of ${count} were echoed, ${listener.messages.length} heard elsewhere`);
    });

    test('a_client_that_does_not_read_does_not_delay_the_end', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '1', '--close-timeout', '1'] });
        const stopped = await rawWebSocket(t, gateway, '/');
        stopped.stopReading();
        const silent = await rawWebSocket(t, gateway, '/'); // reads, but answers no close frame
        const begun = Date.now();
        const ended = await gateway.stop('SIGTERM', 12);
        t.diagnostic(`ended after ${Date.now() - begun} ms`);
        assert.deepEqual(ended, { code: 0, signal: null });
        await silent.finished;
        assert.equal(closeCode(silent.collect()), 1012);
    });

    test('a_drain_time_of_0_sends_everyone_away_at_once_and_in_order', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '0'] });
        const clients = await connectMany(t, 50, () => gateway.url);
        const begun = Date.now();
        assert.deepEqual(await gateway.stop('SIGTERM', 10), { code: 0, signal: null });
        t.diagnostic(`ended after ${Date.now() - begun} ms`);
        for (const client of clients) assert.equal((await client.closed).code, 1012);
    });

    test('with_nobody_there_it_ends_at_once_with_0', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '30'] });
        assert.deepEqual(await gateway.stop('SIGTERM', 10), { code: 0, signal: null });
    });

    for (const second of ['SIGTERM', 'SIGINT']) {
        test(`a_${second.toLowerCase()}_after_it_ends_the_gateway_at_once`, async (t) => {
            const gateway = await startGateway(t, { args: ['--drain', '60'] });
            const clients = await connectMany(t, 50, () => gateway.url);
            gateway.signal('SIGTERM');
            await waitUntil('the drain to begin', async () => (await gateway.admin('/readyz')).status === 503);
            const begun = Date.now();
            await gateway.stop(second, 8);
            const took = Date.now() - begun;
            t.diagnostic(`ended ${took} ms after the second signal`);
            assert.ok(took < 4000 * patience);
            for (const client of clients) await within('clients to notice', client.closed);
        });
    }

    test('a_sigint_alone_ends_the_gateway_at_once', async (t) => {
        const gateway = await startGateway(t, { args: ['--drain', '60'] });
        await connectMany(t, 10, () => gateway.url);
        const begun = Date.now();
        await gateway.stop('SIGINT', 8);
        assert.ok(Date.now() - begun < 4000 * patience);
    });
});
