/**
 * haproxy.test.js -- a cluster as it is run: HAProxy in front of three gateways through one Redis.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, connectMany } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { startHaproxy } from '../support/haproxy.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { waitUntil } from '../support/wait.js';

async function startCluster(t) {
    const redis = await startRedis(t);
    const start = () => startGateway(t, { args: ['--redis', redis.url, '--drain', '2'] });
    const gateways = await Promise.all([start(), start(), start()]);
    await Promise.all(
        gateways.map((gateway) => waitUntil('a gateway to be ready', async () => (await gateway.admin('/readyz')).status === 200)),
    );
    return { redis, gateways, haproxy: await startHaproxy(t, gateways) };
}

/** How many clients each gateway has. */
function spread(gateways) {
    return Promise.all(gateways.map((gateway) => gateway.metric('plenum_connections')));
}

describe('HAProxy in front of three gateways', () => {
    test('three_hundred_clients_are_spread_and_all_hear_all', async (t) => {
        const count = scaled(300, 90);
        const { gateways, haproxy } = await startCluster(t);
        const clients = await connectMany(t, count, () => `${haproxy.url}/rooms/all`);
        const counts = await spread(gateways);
        t.diagnostic(`spread: ${counts.join(', ')}`);
        assert.equal(counts[0] + counts[1] + counts[2], count);
        for (const one of counts) assert.ok(one > count / 6, `spread: ${counts}`);
        clients.forEach((client, who) => client.send(`from ${who}`));
        for (const [who, client] of clients.entries()) {
            await client.waitForCount(count - 1, 40);
            const expected = clients.map((_, i) => `from ${i}`).filter((_, i) => i !== who);
            assert.deepEqual(client.heard.sort(), expected.sort());
        }
    });

    test('clients_of_a_drained_gateway_come_back_at_the_others_and_hear_on', async (t) => {
        const count = scaled(90, 30);
        const { redis, gateways, haproxy } = await startCluster(t);
        const url = `${haproxy.url}/rooms/all`;
        let clients = await connectMany(t, count, () => url);
        onEnd(t, () => clients.forEach((client) => client.terminate()));
        gateways[0].signal('SIGTERM');
        let moved = 0;
        const codes = new Set();
        // Each comes back as a page would: after its close, again and again until it is let in.
        await waitUntil('the gateway to be empty and all clients to be back', async () => {
            clients = clients.map((client) => {
                if (!client.closing) return client;
                if (client.wasOpen) codes.add(client.closing.code);
                moved++;
                const next = new Client(url);
                next.opened.then(() => (next.wasOpen = true)).catch(() => {});
                return next;
            });
            return gateways[0].program.ended && clients.every((client) => client.isOpen);
        });
        assert.deepEqual(gateways[0].program.ended, { code: 0, signal: null });
        const counts = await spread(gateways.slice(1));
        t.diagnostic(`${moved} connections made anew; now ${counts.join(' and ')}`);
        assert.equal(counts[0] + counts[1], count);
        await redis.cli('PUBLISH', 'plenum:{all}', 'all together');
        for (const client of clients) await client.waitFor('all together');
    });

    test('the_page_comes_through_it_too', async (t) => {
        const { haproxy } = await startCluster(t);
        const response = await fetch(haproxy.httpUrl, { headers: { connection: 'close' } });
        assert.equal(response.status, 200);
        assert.match(await response.text(), /<!doctype html>/i);
    });
});
