/**
 * workers.test.js -- a gateway with four workers: all of them accept, and members hear each other across them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { connectMany } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { waitUntil } from '../support/wait.js';

const WORKERS = 4;

/** Sockets of this machine that listen on a port of 127.0.0.1: with SO_REUSEPORT there can be several. */
function listeners(port) {
    const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/));
    return lines.filter((fields) => fields[1] === address && fields[3] === '0A').length;
}

/** Everybody says five things; everybody hears those of all others, each one's in order. */
async function allHearAll(clients) {
    const each = 5;
    for (let i = 0; i < each; i++) clients.forEach((client, who) => client.send(`${who}:${i}`));
    for (const [who, client] of clients.entries()) {
        await client.waitForCount((clients.length - 1) * each, 40);
        const others = new Map(clients.map((_, other) => [String(other), 0]));
        others.delete(String(who));
        for (const text of client.heard) {
            const [other, number] = text.split(':');
            assert.equal(Number(number), others.get(other), `${text} heard by ${who}, in order`);
            others.set(other, others.get(other) + 1);
        }
        assert.ok([...others.values()].every((heard) => heard === each));
    }
}

describe('four workers', () => {
    test('on_the_local_bus_all_accept_and_all_hear_all', async (t) => {
        const gateway = await startGateway(t, { workers: WORKERS });
        assert.equal(listeners(gateway.port), WORKERS, 'each has a listener of its own');
        const clients = await connectMany(t, scaled(100, 40), () => `${gateway.url}/rooms/all`);
        await allHearAll(clients);
        const metrics = await gateway.metrics();
        const counts = [0, 1, 2, 3].map((worker) => metrics.get('plenum_worker_connections', { worker: String(worker) }));
        t.diagnostic(`clients of each worker: ${counts.join(', ')}`);
        for (const count of counts) assert.ok(count > 0, `each accepts: ${counts}`);
    });

    test('through_redis_all_accept_and_all_hear_all', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { workers: WORKERS, args: ['--redis', redis.url] });
        const clients = await connectMany(t, scaled(100, 40), () => `${gateway.url}/rooms/all`);
        assert.equal(Number((await redis.cliLines('PUBSUB', 'NUMSUB', 'plenum:{all}'))[1]), WORKERS);
        await allHearAll(clients);
        const ids = await waitUntil('four names: a worker is a node', async () => {
            const names = await redis.cliLines('ZRANGE', 'plenum:gws', 0, -1);
            return names.length === WORKERS && names;
        });
        const counts = await waitUntil('the beats to tell of all clients', async () => {
            const reports = await Promise.all(ids.map((id) => redis.cliFields('HGETALL', `plenum:gw:${id}`)));
            const all = reports.map((report) => Number(report.connections));
            return all.reduce((sum, one) => sum + one, 0) === clients.length && all;
        });
        t.diagnostic(`clients of each worker: ${counts.join(', ')}`);
        for (const count of counts) assert.ok(count > 0, `each accepts: ${counts}`);
    });

    test('the_metrics_add_them_up', async (t) => {
        const gateway = await startGateway(t, { workers: WORKERS });
        const clients = await connectMany(t, 40, (i) => `${gateway.url}/rooms/r${i % 7}`);
        assert.equal(await gateway.metric('plenum_connections'), 40);
        assert.equal(await gateway.metric('plenum_members'), 40);
        for (const client of clients) await client.close();
        await waitUntil('all to be gone', async () => (await gateway.metric('plenum_connections')) === 0);
        assert.equal(await gateway.metric('plenum_members'), 0);
    });

    test('a_drain_ends_them_all', async (t) => {
        const gateway = await startGateway(t, { workers: WORKERS, args: ['--drain', '1'] });
        const clients = await connectMany(t, 60, () => gateway.url);
        assert.deepEqual(await gateway.stop('SIGTERM'), { code: 0, signal: null });
        for (const client of clients) assert.equal((await client.closed).code, 1012);
    });
});
