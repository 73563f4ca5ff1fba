/**
 * plenum_outage.test.js -- what a client asked for while Redis is away or hangs is answered, all of it, and is no fault of
 * its own; also when it leaves before the answer.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectPlenum } from '../support/plenum_client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { within } from '../support/wait.js';

/** More than a client may make errors at once. */
const MANY = 250;

async function startOne(t, ...more) {
    const redis = await startRedis(t);
    const gateway = await startGateway(t, { args: ['--redis', redis.url, ...more] });
    return { redis, gateway };
}

describe('requests during an outage', { concurrency: true }, () => {
    test('hundreds_of_publishes_that_fail_are_no_flood_of_errors', async (t) => {
        const { redis, gateway } = await startOne(t);
        const client = await connectPlenum(t, gateway);
        await client.joined('stage');
        redis.hang();
        const requests = Array.from({ length: MANY }, (_, i) => client.request('publish', { room: 'stage', data: i }));
        const replies = await within('all replies', Promise.all(requests), 20);
        redis.wake();
        const codes = new Set(replies.map(({ code }) => code));
        for (const code of codes) assert.ok(['unavailable', 'uncertain'].includes(code), String(code));
        assert.equal(client.closing, null);
        assert.deepEqual(client.faults, []);
    });

    test('hundreds_of_joins_that_fail_are_no_flood_of_errors', async (t) => {
        const { redis, gateway } = await startOne(t);
        const client = await connectPlenum(t, gateway);
        await client.joined('stage');
        redis.hang();
        const requests = Array.from({ length: MANY }, (_, i) => client.request('join', { room: `stage-${i}` }));
        const replies = await within('all replies', Promise.all(requests), 20);
        redis.wake();
        assert.ok(replies.every(({ code }) => code === 'unavailable'));
        assert.equal(client.closing, null);
    });

    test('who_leaves_before_the_answers_gets_a_reply_to_each_request', async (t) => {
        const { redis, gateway } = await startOne(t);
        const other = await startGateway(t, { args: ['--redis', redis.url] });
        const [client, neighbour] = [await connectPlenum(t, gateway), await connectPlenum(t, other)];
        await client.joined('stage');
        await neighbour.joined('stage');
        await client.waitFor('member_joined');
        redis.hang();
        const asked = [
            ...[1, 2, 3].map((data) => client.request('publish', { room: 'stage', data, key: `k-${data}` })),
            client.request('signal', { room: 'stage', to: neighbour.member, data: 1 }),
            client.request('leave', { room: 'stage' }),
        ];
        const replies = await within('all replies', Promise.all(asked));
        redis.wake();
        const words = replies.map(({ type, code }) => code ?? type);
        assert.deepEqual(words, ['uncertain', 'uncertain', 'uncertain', 'unavailable', 'left']);
        // The truth of it is to be had by the key.
        await client.joined('stage');
        const again = await client.published('stage', 1, 'k-1');
        assert.equal(again.offset, 1);
        assert.deepEqual(client.faults, []);
    });
});
