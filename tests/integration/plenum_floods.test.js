/**
 * plenum_floods.test.js -- what one client can make the gateway and Redis hold or do by cheap requests.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectPlenum } from '../support/plenum_client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { elapse, within } from '../support/wait.js';

const MIB = 1024 * 1024;

async function startOne(t, ...more) {
    const redis = await startRedis(t);
    const gateway = await startGateway(t, { args: ['--redis', redis.url, ...more] });
    return { redis, gateway };
}

/** Bytes that Redis has been sent so far. */
async function takenBy(redis) {
    return Number((await redis.cli('INFO', 'stats')).match(/total_net_input_bytes:(\d+)/)[1]);
}

describe('floods', { concurrency: true }, () => {
    test('thousands_of_updates_are_told_as_few', async (t) => {
        const { redis, gateway } = await startOne(t);
        const client = await connectPlenum(t, gateway, { keep: false });
        await client.joined('stage');
        const before = await takenBy(redis);
        const large = 'x'.repeat(4000);
        // Small ones and then a large one: each would be told with what the member looks like by then.
        for (let burst = 0; burst < 10; burst++) {
            const infos = Array.from({ length: 1000 }, (_, i) => (i < 999 ? i : large));
            const requests = infos.map((info) => client.request('update', { room: 'stage', info }));
            const replies = await within('all replies', Promise.all(requests));
            assert.ok(replies.every(({ type }) => type === 'ack'));
            await elapse(100);
        }
        await client.request('update', { room: 'stage', info: 'last' });
        await elapse(500);
        const taken = (await takenBy(redis)) - before;
        assert.ok(taken < MIB, `${taken} bytes for Redis`);
        const late = await connectPlenum(t, gateway);
        const { members } = await late.joined('stage');
        assert.equal(members.find(({ member }) => member === client.member).info, 'last');
    });

    test('signals_press_on_their_sender_as_publishes_do', async (t) => {
        const { redis, gateway } = await startOne(t, '--room-rule', 'big presence=off');
        const client = await connectPlenum(t, gateway, { keep: false });
        await client.joined('big');
        redis.hang();
        const data = 'x'.repeat(250_000);
        for (let i = 0; i < 40; i++) client.request('signal', { room: 'big', to: '0badbeef00000001', data });
        await elapse(1000);
        const pending = await gateway.metric('plenum_bus_pending_bytes');
        redis.wake();
        assert.ok(pending > 0 && pending < 4 * MIB, `${pending} bytes wait for Redis`);
        const { type } = await within('the last reply', client.request('ping'), 20);
        assert.equal(type, 'pong');
        assert.deepEqual(client.faults, []);
    });
});
