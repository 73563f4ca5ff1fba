/**
 * presence_loss.test.js -- a gateway that dies takes its members with it, each told once; an outage of Redis takes none.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectMembers, connectPlenum } from '../support/plenum_client.js';
import { startGateway } from '../support/gateway.js';
import { untilTheyLookedAround, watchRoom } from '../support/presence_watch.js';
import { startRedis } from '../support/redis.js';
import { defaultWorkers, patience, scaled } from '../support/scale.js';
import { elapse, waitUntil } from '../support/wait.js';

const ROOM = 'assembly';
const MEMBERS = scaled(100, 50);

/** What is promised: 15 s of silence, and 5 s to see it. */
const GONE_MS = 20_000 * patience;

const OUTAGE_MS = 20_000;

/**
 * For 30 s after it has connected a gateway gives up nobody. Younger ones would take longer to miss a dead one, and would
 * sit an outage of 20 s out that older ones fall for.
 */
const OF_AGE_MS = 32_000;

/** Three gateways; ofAge resolves when the youngest is old enough to give others up. */
async function startThree(t, redisOptions) {
    const redis = await startRedis(t, redisOptions);
    const args = ['--redis', redis.url];
    const gateways = await Promise.all([0, 1, 2].map(() => startGateway(t, { args })));
    return { redis, gateways, ofAge: elapse(OF_AGE_MS) };
}

/** A message from each gateway reaches all of them. */
async function untilAllHear(t, gateways, watchers) {
    for (const [i, gateway] of gateways.entries()) {
        const speaker = await connectPlenum(t, gateway);
        await waitUntil('a speaker to be let in', () => speaker.joined(ROOM), { seconds: 30 });
        const word = `word ${i} ${Date.now()}`;
        await waitUntil('a word to be acked', () => speaker.published(ROOM, word, `word-${i}`), { seconds: 30 });
        for (const { client } of watchers) await client.waitFor('message', ({ data }) => data === word, 30);
        await speaker.left(ROOM);
        await speaker.close();
        // The speaker itself comes and goes; that is no fault.
        for (const { client } of watchers) await client.waitFor('member_left', ({ member }) => member === speaker.member);
    }
}

describe('presence', { concurrency: true }, () => {
    test('the_members_of_a_killed_gateway_leave_within_20_s_each_once', async (t) => {
        const { redis, gateways, ofAge } = await startThree(t);
        const [doomed, ...living] = gateways;
        const members = await connectMembers(t, MEMBERS, () => doomed, ROOM, { keep: false });
        const ids = members.map(({ member }) => member).sort();
        const watchers = await Promise.all(living.map((gateway) => watchRoom(t, gateway, ROOM)));
        for (const watcher of watchers) {
            await waitUntil('a watcher to know all', () => watcher.members.size === MEMBERS + watchers.length);
            assert.equal(watcher.departures.length, 0);
        }

        await ofAge;
        await doomed.stop('SIGKILL');
        const killed = Date.now();
        const told = await Promise.all(
            watchers.map(async (watcher) => {
                await waitUntil('all to be told gone', () => watcher.departures.length >= MEMBERS, { seconds: 40 });
                return Date.now() - killed;
            }),
        );
        t.diagnostic(`told after ${told.join(' and ')} ms`);
        await untilTheyLookedAround(redis, living.length * defaultWorkers);
        for (const { departures } of watchers) {
            assert.deepEqual(departures.map(({ member }) => member).sort(), ids, 'each once, and nobody else');
            assert.ok(departures.every(({ reason }) => reason === 'lost'));
        }
        for (const ms of told) assert.ok(ms <= GONE_MS, `it took ${ms} ms`);
        // Redis has forgotten them too: who comes now does not see them.
        const late = await watchRoom(t, living[0], ROOM);
        assert.equal(late.joined.members.length, watchers.length + 1);
        assert.equal(late.joined.count, watchers.length + 1);
    });

    for (const [how, options, begin, end] of [
        ['hanging', {}, (redis) => redis.hang(), (redis) => redis.wake()],
        ['down', { appendOnly: true, config: ['appendfsync always'] }, (redis) => redis.stop(), (redis) => redis.start()],
        ['down_without_persistence', {}, (redis) => redis.stop(), (redis) => redis.start()],
    ]) {
        test(`nobody_leaves_because_redis_was_${how}_for_20_s`, async (t) => {
            const { redis, gateways, ofAge } = await startThree(t, options);
            const each = scaled(10, 4);
            const members = await connectMembers(t, 3 * each, (i) => gateways[i % 3], ROOM, { keep: false });
            const watchers = await Promise.all(gateways.map((gateway) => watchRoom(t, gateway, ROOM)));
            const all = 3 * each + watchers.length;
            for (const watcher of watchers) await waitUntil('a watcher to know all', () => watcher.members.size === all);

            await ofAge;
            await begin(redis);
            await elapse(OUTAGE_MS);
            await end(redis);
            await untilTheyLookedAround(redis, gateways.length * defaultWorkers);
            const left = () => watchers.flatMap(({ departures }) => departures);
            assert.deepEqual(left(), []);
            await untilAllHear(t, gateways, watchers);
            assert.equal(left().length, gateways.length * watchers.length, 'the speakers, and nobody else');
            for (const { closing } of members) assert.equal(closing, null, 'a member stays connected');
            for (const watcher of watchers) assert.equal(watcher.members.size, all);
            const late = await watchRoom(t, gateways[0], ROOM);
            assert.equal(late.joined.members.length, all + 1, 'everybody is still there for who comes now');
        });
    }
});
