/**
 * accounting.test.js -- for every member, every acked message of its rooms exactly once and in order, whatever is killed.
 *
 * ACCOUNTING_SECONDS says how long the blows go on (20; 60 for the long form), ACCOUNTING_SEED repeats the choices of a run.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startAblatedGateway } from '../support/ablated.js';
import { table, wrongs } from '../support/accounting_judge.js';
import { clusterStage, playMix } from '../support/accounting_mix.js';
import { ackCouldOvertake, leaveAfterAck, replyIsLost, saidMeanwhile } from '../support/accounting_traps.js';
import { startGateway } from '../support/gateway.js';
import { Random, seedFrom } from '../support/random.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';

const SECONDS = Number(process.env.ACCOUNTING_SECONDS ?? 20);

/** The log holds more than is said in the whole run: whoever comes back finds everything. */
const LOG = ['--log-size', '20000', '--log-bytes', '16777216'];

/** For people at the console and for the report alike. */
function tell(t, line) {
    console.log(line);
    t.diagnostic(line);
}

function tellVerdict(t, verdict) {
    for (const line of table(verdict)) tell(t, line);
    for (const fault of verdict.faults) tell(t, fault);
}

describe('the accounting', () => {
    test('acked_messages_come_exactly_once_and_in_order_while_gateways_and_redis_are_killed', async (t) => {
        const seed = seedFrom('ACCOUNTING_SEED');
        tell(t, `ACCOUNTING_SEED=${seed}, ${SECONDS} s`);
        const random = new Random(seed);
        const redis = await startRedis(t, { appendOnly: true, config: ['appendfsync always'] });
        const startAnother = () => startGateway(t, { args: ['--redis', redis.url, ...LOG] });
        const gateways = await Promise.all([startAnother(), startAnother(), startAnother()]);

        const { verdict, done, settledMs, stuck } = await playMix(
            t,
            clusterStage({ redis, gateways, startAnother }, random),
            { random, seconds: SECONDS, people: scaled(60, 24), everyMs: scaled(330, 1000) },
        );
        tell(t, [...done].map(([what, count]) => `${count} ${what}`).join(', '));
        tell(t, `all there again, with everything, ${settledMs} ms after the last blow`);
        tellVerdict(t, verdict);
        for (const line of stuck) tell(t, line);

        assert.deepEqual(stuck, [], 'all come back and catch up');
        const { lost, duplicated, reordered } = verdict;
        assert.deepEqual({ lost, duplicated, reordered }, { lost: 0, duplicated: 0, reordered: 0 });
        assert.equal(wrongs(verdict), 0, 'no late acks, no holes, no contradictions');
        // Redis has lost nothing and the log is long enough: then nothing may be excused either.
        const { excused, gaps, resets } = verdict;
        assert.deepEqual({ excused, gaps, resets }, { excused: 0, gaps: 0, resets: 0 });
        // A run in which nothing happened proves nothing.
        for (const [what, count] of done) assert.ok(count > 0, `no ${what}`);
        assert.ok(verdict.acked > 20 * SECONDS, `only ${verdict.acked} messages were acked`);
        assert.ok(verdict.byCatchUp > 0 && verdict.epochs > 0);
    });
});

describe('the accounting can fail', () => {
    for (const [ablation, trap, column] of [
        ['fresh-batch', replyIsLost, 'duplicated'],
        ['no-catch-up', saidMeanwhile, 'lost'],
        ['early-ack', ackCouldOvertake, 'reordered'],
        ['early-ack', leaveAfterAck, 'lost'],
    ]) {
        test(`${trap.name}_leaves_a_clean_account`, async (t) => {
            const verdict = await trap(t, (options) => startGateway(t, options));
            tellVerdict(t, verdict);
            assert.equal(wrongs(verdict) + verdict.excused, 0);
        });

        test(`${trap.name}_is_found_with_${ablation}`, async (t) => {
            const verdict = await trap(t, (options) => startAblatedGateway(t, ablation, options));
            tellVerdict(t, verdict);
            assert.ok(verdict[column] > 0, `${column} is ${verdict[column]}`);
        });
    }
});
