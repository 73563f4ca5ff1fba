/**
 * churn.test.js -- members join, leave, break, pause and read again while a flush is on its way through their room.
 *
 * The flush budget is the smallest there is, so that every flush of a big room is interrupted many times, each time at
 * another member. All members must hear exactly what they should: everything from their onopen to their end, in order, once.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { Counter, openCounters } from '../support/counter_room.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { elapse, waitUntil } from '../support/wait.js';

/** A small generator with a seed, so that a failure can be played again. */
function dice(seed) {
    let state = seed >>> 0;
    return (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
}

/** Waits until all who are still there have heard the message with that number. */
async function untilNobodyIsBehind(members, number) {
    const behind = () => members.filter((member) => !member.left && !member.closing && member.position < number);
    await waitUntil(
        `the crowd to come to message ${number}`,
        () => {
            const late = behind();
            if (late.length === 0) return true;
            const some = late.slice(0, 5).map((member) => `${member.sentAtOpen}: ${member.first} to ${member.last} ${member.fault ?? ''}`);
            throw new Error(`${late.length} of ${members.length} are behind, such as ${some.join(', ')}`);
        },
        { seconds: 40 },
    );
}

/**
 * @param {import('node:test').TestContext} t
 * @param {import('../support/gateway.js').Gateway} gateway
 */
async function churn(t, gateway) {
    const size = scaled(5_000, 500);
    const bursts = scaled(30, 40);
    const perBurst = 4;
    const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`TEST_SEED=${seed}`);
    const roll = dice(seed);
    const url = `${gateway.url}/rooms/churn`;
    let sent = -1;
    const make = () => new Counter(url, { deflate: roll(10) === 0, lastSent: () => sent });

    const members = await openCounters(size, make);
    onEnd(t, () => members.forEach((member) => member.socket.terminate()));
    const publisher = await connect(t, url);
    const joining = [];
    const refused = [];
    const paused = new Set();
    const present = () => members[roll(members.length)];

    for (let burst = 0; burst < bursts; burst++) {
        for (let i = 0; i < perBurst; i++) {
            sent++;
            publisher.send(`${sent} ${'churn '.repeat(roll(200))}`);
        }
        assert.deepEqual(refused, [], 'all joins succeed');
        // All of this happens while the burst is flushed.
        for (let i = 0; i < 10; i++) {
            const joiner = make();
            joining.push(
                joiner.opened.then(
                    () => members.push(joiner),
                    (error) => refused.push(error.message),
                ),
            );
            const leaver = present();
            if (!leaver.left) leaver.leave(roll(2) === 0);
            const sleeper = present();
            if (!sleeper.left) {
                sleeper.stopReading();
                paused.add(sleeper);
            }
        }
        for (const sleeper of paused) {
            if (roll(3) > 0) continue;
            paused.delete(sleeper);
            sleeper.readAgain();
        }
        await elapse(roll(30));
        // At most a few bursts ahead of the crowd, which is one process and has to read all of it.
        const awake = members.filter((member) => !member.left && !paused.has(member));
        await untilNobodyIsBehind(awake, sent - 3 * perBurst);
    }
    for (const sleeper of paused) sleeper.readAgain();
    await Promise.all(joining);
    assert.deepEqual(refused, [], 'all joins succeed');
    sent++;
    publisher.send(`${sent} the end`);
    await untilNobodyIsBehind(members, sent);
    const wrong = members.map((member) => member.verdict(sent)).filter((verdict) => verdict !== null);
    assert.deepEqual(wrong, []);

    const interrupted = await gateway.metric('plenum_flush_interrupted_total');
    const left = members.filter((member) => member.left).length;
    t.diagnostic(`${members.length} members, ${left} of them left on the way; ${interrupted} flushes interrupted`);
    assert.ok(interrupted > 0, 'no flush was interrupted: this test tests nothing');
}

describe('a big room in motion', () => {
    const args = ['--flush-budget-ms', '0.1'];

    test('everyone_hears_exactly_what_he_should_on_the_local_bus', async (t) => {
        await churn(t, await startGateway(t, { args }));
    });

    test('everyone_hears_exactly_what_he_should_through_redis', async (t) => {
        const redis = await startRedis(t);
        await churn(t, await startGateway(t, { args: [...args, '--redis', redis.url] }));
    });
});
