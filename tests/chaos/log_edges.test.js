/**
 * log_edges.test.js -- where not everything can be kept: a log that is too short, a Redis that comes back with an old state
 * or with none, a replica that lacks the last messages. What is missing is said, and nothing comes twice.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ledger } from '../support/accounting.js';
import { judge, table, wrongs } from '../support/accounting_judge.js';
import { settle, startPeople } from '../support/accounting_mix.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { startFaultyLinks } from '../support/link_faults.js';
import { connectPlenum } from '../support/plenum_client.js';
import { watchRoom } from '../support/presence_watch.js';
import { Random, seedFrom } from '../support/random.js';
import { startRedis } from '../support/redis.js';
import { startRedisProxy } from '../support/redis_proxy.js';
import { scaled } from '../support/scale.js';
import { Seat } from '../support/seat.js';
import { elapse, waitUntil, within } from '../support/wait.js';

const ROOM = 'hall';
const LONG_LOG = ['--log-size', '20000', '--log-bytes', '16777216'];

/** Who is in the room, for whoever comes: within 15 s + 5 s, and a little for the way. */
const TRUE_SECONDS = 25;

function tellVerdict(t, verdict) {
    for (const line of [...table(verdict), ...verdict.faults]) t.diagnostic(line);
}

/** Ada on a gateway with a direct way to Redis, Ben on one behind a proxy. */
async function startTwo(t, redisOptions, log) {
    const redis = await startRedis(t, redisOptions);
    const proxy = await startRedisProxy(t, redis);
    const near = await startGateway(t, { args: ['--redis', redis.url, ...log] });
    const far = await startGateway(t, { args: ['--redis', proxy.url, ...log] });
    const ledger = new Ledger();
    const ada = new Seat('ada', [ROOM], ledger);
    const ben = new Seat('ben', [ROOM], ledger);
    onEnd(t, () => Promise.all([ada.finish(), ben.finish()]));
    await ada.come(near.url);
    await ben.come(far.url);
    return { redis, proxy, ledger, ada, ben };
}

async function acked(what, reply) {
    const frame = await within(what, reply);
    assert.equal(frame.type, 'ack', `${what}: ${JSON.stringify(frame)}`);
    return frame;
}

/** Waits until it is in the log, as somebody else heard it. */
async function untilHeard(ledger, name, id) {
    const { events } = ledger.record(name, ROOM);
    await waitUntil(`${name} to hear ${id}`, () => events.some((event) => event.kind === 'message' && event.id === id));
}

/** Says something until it is acked, and waits until the other one has heard it. */
async function lastWord(ledger, from, to) {
    const { id } = from.say(ROOM);
    await waitUntil('the last word to be acked', async () => (await from.repeat(id)).type === 'ack', { everyMs: 100 });
    await untilHeard(ledger, to.name, id);
}

/** Some who talk, and come and go, in three rooms. */
function startTalk(t, ledger, gateways) {
    const random = new Random(seedFrom('ACCOUNTING_SEED'));
    const options = { random, urls: () => gateways.map(({ url }) => url), stayMs: [500, 2500] };
    return startPeople(t, ledger, { ...options, people: 12, rooms: 3, everyMs: scaled(100, 400) });
}

/** The members of a room as each gateway lists them for who comes now. */
async function listsOf(gateways, room, visitors) {
    return Promise.all(
        gateways.map(async (gateway) => {
            const visit = { after: () => {} };
            const visitor = await connectPlenum(visit, gateway);
            visitors.add(visitor.member);
            const { members } = await visitor.joined(room);
            await visitor.close();
            return members.map(({ member }) => member).filter((member) => !visitors.has(member));
        }),
    );
}

/** Waits until every gateway lists those who are in each room, and nobody else. */
async function untilListsAreTrue(gateways, people, rooms) {
    const visitors = new Set();
    await waitUntil(
        'true lists',
        async () => {
            for (const room of rooms) {
                const truth = people.filter((one) => one.joined.has(room)).map((one) => one.client.member);
                for (const list of await listsOf(gateways, room, visitors)) assert.deepEqual(list.sort(), truth.sort(), room);
            }
            return true;
        },
        { seconds: TRUE_SECONDS, everyMs: 500 },
    );
}

describe('where not everything can be kept', { concurrency: true }, () => {
    test('acks_stand_at_their_place_in_a_gap', async (t) => {
        const { proxy, ledger, ada, ben } = await startTwo(t, {}, ['--log-size', '10']);
        await acked('the first ack', ada.say(ROOM).reply);
        proxy.holdSubscribers();
        const first = ben.say(ROOM);
        await untilHeard(ledger, 'ada', first.id);
        const some = Array.from({ length: 20 }, () => ada.say(ROOM).reply);
        for (const reply of some) await acked("one of Ada's", reply);
        const second = ben.say(ROOM);
        await untilHeard(ledger, 'ada', second.id);
        // Redis trims by nodes of a hundred entries.
        const more = Array.from({ length: 300 }, () => ada.say(ROOM).reply);
        for (const reply of more) await acked("one of Ada's", reply);
        proxy.cutSubscribers();
        proxy.releaseSubscribers();
        await acked("Ben's first", first.reply);
        await acked("Ben's second", second.reply);
        await lastWord(ledger, ada, ben);
        await Promise.all([ada.finish(), ben.finish()]);
        const verdict = judge(ledger);
        tellVerdict(t, verdict);
        assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
        assert.equal(verdict.gaps, 2, 'one between his own, one behind them');
    });

    test('what_was_heard_does_not_come_again_when_its_reply_and_the_log_are_lost', async (t) => {
        const { redis, proxy, ledger, ada, ben } = await startTwo(t, {}, LONG_LOG);
        const lost = proxy.loseReplyTo('ben-1"');
        const { reply } = ben.say(ROOM, { keyed: false });
        await within('the reply to be lost', lost);
        proxy.refuses = true;
        await acked('the ack that comes with the own copy', reply);
        await redis.stop();
        await redis.start();
        proxy.refuses = false;
        await lastWord(ledger, ada, ben);
        await lastWord(ledger, ben, ada);
        await Promise.all([ada.finish(), ben.finish()]);
        const verdict = judge(ledger, { tailsMayGo: true });
        tellVerdict(t, verdict);
        assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
        assert.ok(verdict.resets > 0, 'it is said that the log does not follow');
    });

    test('what_went_with_the_tail_before_its_ack_is_not_acked_any_more', async (t) => {
        const { redis, proxy, ledger, ada, ben } = await startTwo(t, {}, LONG_LOG);
        await acked('the first ack', ben.say(ROOM).reply);
        await redis.cli('SAVE');
        proxy.holdSubscribers();
        const { id, reply } = ben.say(ROOM, { keyed: false });
        await untilHeard(ledger, 'ada', id);
        await elapse(100);
        await redis.stop();
        proxy.cutSubscribers();
        proxy.releaseSubscribers();
        await redis.start();
        const { type, code } = await within('an answer', reply);
        assert.deepEqual({ type, code }, { type: 'error', code: 'uncertain' });
        await lastWord(ledger, ada, ben);
        await Promise.all([ada.finish(), ben.finish()]);
        const verdict = judge(ledger);
        tellVerdict(t, verdict);
        assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
        assert.ok(verdict.epochs > 0);
    });

    test('a_server_that_comes_back_with_an_old_state_is_told_who_is_there', async (t) => {
        const redis = await startRedis(t);
        const start = () => startGateway(t, { args: ['--redis', redis.url, ...LONG_LOG] });
        const gateways = await Promise.all([start(), start(), start()]);
        const ledger = new Ledger();
        const people = await startTalk(t, ledger, gateways);
        for (const one of people) one.roams = true;
        const leaver = await connectPlenum(t, gateways[0]);
        await leaver.joined('left');
        await elapse(1500);
        await redis.cli('SAVE');
        await leaver.left('left');
        const watchers = await Promise.all(gateways.map((gateway) => watchRoom(t, gateway, 'quiet')));
        // Longer than a gateway listens to a room that nobody is in any more.
        await elapse(6500);
        await redis.stop();
        await redis.start();
        await elapse(500);
        for (const one of people) one.roams = false;
        await waitUntil('all to be in', () => people.every((one) => one.isIn), { seconds: 30 });
        await untilListsAreTrue(gateways, people, ['hall0', 'hall1', 'hall2', 'left']);
        for (const { departures } of watchers) assert.deepEqual(departures, [], 'nobody who stays is told gone');
        const stuck = await settle(people, ledger);
        const verdict = judge(ledger, { tailsMayGo: true });
        tellVerdict(t, verdict);
        assert.deepEqual(stuck, []);
        assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
        assert.ok(verdict.epochs > 0);
    });

    test('a_replica_that_lacks_the_last_messages_takes_over', async (t) => {
        let primary = await startRedis(t);
        const links = await Promise.all([0, 1, 2].map(() => startFaultyLinks(t, primary)));
        const gateways = await Promise.all(links.map(({ url }) => startGateway(t, { args: ['--redis', url, ...LONG_LOG] })));
        const ledger = new Ledger();
        const people = await startTalk(t, ledger, gateways);
        for (const one of people) one.roams = true;
        for (let round = 0; round < 2; round++) {
            const replica = await startRedis(t, { config: [`replicaof 127.0.0.1 ${primary.port}`, 'repl-diskless-sync-delay 0'] });
            await waitUntil('the replica to be in step', async () => {
                return (await replica.cli('INFO', 'replication')).includes('master_link_status:up');
            }, { seconds: 30 });
            await elapse(1500);
            // From here on it gets nothing of what is said.
            await replica.cli('REPLICAOF', 'NO', 'ONE');
            await elapse(400);
            await primary.stop();
            primary = replica;
            for (const link of links) link.leadTo(replica);
            await elapse(2500);
        }
        const stuck = await settle(people, ledger);
        const verdict = judge(ledger, { tailsMayGo: true });
        tellVerdict(t, verdict);
        assert.deepEqual(stuck, []);
        assert.equal(verdict.lost + verdict.reordered + verdict.lateAcks + verdict.holes, 0, verdict.faults.join('\n'));
        assert.ok(verdict.epochs > 0 && verdict.excused > 0, 'something was lost, and said to be');
    });
});
