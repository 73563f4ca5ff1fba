/**
 * link_faults.test.js -- the accounting while the connections to Redis stall, go silent, break in the middle, and bring late
 * what was given up long ago; and while Redis and gateways stand still.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { table, wrongs } from '../support/accounting_judge.js';
import { playMix } from '../support/accounting_mix.js';
import { startGateway } from '../support/gateway.js';
import { FaultyLinks, startFaultyLinks } from '../support/link_faults.js';
import { Random, seedFrom } from '../support/random.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { elapse } from '../support/wait.js';

/** The log holds more than is said in the whole run. */
const LOG = ['--log-size', '20000', '--log-bytes', '16777216'];

/** Both in one: what a connection has, and what a process has. */
function blowsOn({ redis, gateways, links }, random) {
    const blows = {};
    for (const kind of FaultyLinks.kinds) {
        blows[kind] = async () => {
            random.pick(links).harm(kind, random.pick(['subscriber', 'commander', 'both']), random.between(1000, 5000));
        };
    }
    blows['a gateway stands still'] = async () => {
        const gateway = random.pick(gateways);
        gateway.signal('SIGSTOP');
        await elapse(random.between(500, 4000));
        gateway.signal('SIGCONT');
    };
    blows['Redis stands still'] = async () => {
        redis.hang();
        await elapse(random.between(500, 4000));
        redis.wake();
    };
    return blows;
}

describe('bad connections to Redis', () => {
    test('cost_no_message_and_no_order', async (t) => {
        const seed = seedFrom('ACCOUNTING_SEED');
        t.diagnostic(`ACCOUNTING_SEED=${seed}`);
        const random = new Random(seed);
        const redis = await startRedis(t, { appendOnly: true, config: ['appendfsync always'] });
        const links = await Promise.all([0, 1, 2].map(() => startFaultyLinks(t, redis)));
        const gateways = await Promise.all(links.map(({ url }) => startGateway(t, { args: ['--redis', url, ...LOG] })));
        const stage = { urls: () => gateways.map(({ url }) => url), blows: blowsOn({ redis, gateways, links }, random) };
        const { verdict, done, settledMs, stuck } = await playMix(t, () => stage, {
            random,
            seconds: 15,
            people: scaled(40, 16),
            rooms: 6,
            everyMs: scaled(330, 1000),
        });
        t.diagnostic([...done].map(([what, count]) => `${count} ${what}`).join(', '));
        t.diagnostic(`all there again, with everything, ${settledMs} ms after the last blow`);
        for (const line of [...table(verdict), ...verdict.faults, ...stuck]) t.diagnostic(line);
        assert.deepEqual(stuck, []);
        assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
        assert.equal(verdict.excused + verdict.gaps + verdict.resets, 0, 'the log holds all of it');
        for (const [what, count] of done) assert.ok(count > 0, `no ${what}`);
    });
});
