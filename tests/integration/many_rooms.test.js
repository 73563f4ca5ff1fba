// test: alone
/**
 * many_rooms.test.js -- fifty thousand rooms with one member each: joining costs the same for the last as for the first.
 *
 * CPU time of the gateway for each thousand joins, the median of the first ten against that of the last ten. The figures
 * are printed; what is held is loose, as others use the machine too.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startGateway } from '../support/gateway.js';
import { connectPlenum } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { sanitizer, scaled } from '../support/scale.js';

const THOUSANDS = scaled(50, 4);
const COMPARED = scaled(10, 2);

/** CPU time of all threads so far, ms: finer than the ticks of /proc/<pid>/stat. */
function cpuMs(pid) {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6, 0);
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

async function joinThousands(t, gateway) {
    const costs = [];
    const before = gateway.rss();
    for (let thousand = 0; thousand < THOUSANDS; thousand++) {
        const client = await connectPlenum(t, gateway, { keep: false });
        const start = cpuMs(gateway.program.pid);
        const joins = Array.from({ length: 1000 }, (_, i) => client.request('join', { room: `room-${thousand}-${i}` }));
        const replies = await Promise.all(joins);
        assert.ok(replies.every(({ type }) => type === 'joined'), JSON.stringify(replies.find(({ type }) => type !== 'joined')));
        costs.push(cpuMs(gateway.program.pid) - start);
    }
    const rooms = THOUSANDS * 1000;
    const [first, last] = [median(costs.slice(0, COMPARED)), median(costs.slice(-COMPARED))];
    const bytes = (gateway.rss() - before) / rooms;
    t.diagnostic(`${rooms} rooms: a join costs ${first.toFixed(1)} us at first, ${last.toFixed(1)} at last (x ${(last / first).toFixed(2)}); ${bytes.toFixed(0)} bytes a room`);
    assert.equal(await gateway.metric('plenum_rooms'), rooms);
    if (!sanitizer) {
        assert.ok(last / first < 1.6, `the last thousand cost ${(last / first).toFixed(2)} x the first`);
        assert.ok(bytes < 8192, `${bytes} bytes a room`);
    }
}

describe('many rooms', () => {
    test('the_last_of_fifty_thousand_rooms_is_joined_as_cheaply_as_the_first', async (t) => {
        await joinThousands(t, await startGateway(t, { workers: 1 }));
    });

    test('with_redis_too', async (t) => {
        const redis = await startRedis(t);
        await joinThousands(t, await startGateway(t, { workers: 1, args: ['--redis', redis.url] }));
    });
});
