/**
 * log_loss.test.js -- Redis cuts a slow gateway off, loses its data, or gets its first replica, while people talk.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ledger } from '../support/accounting.js';
import { judge, table, wrongs } from '../support/accounting_judge.js';
import { settle, startPeople } from '../support/accounting_mix.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { Participant } from '../support/participant.js';
import { Random, seedFrom } from '../support/random.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { Seat } from '../support/seat.js';
import { elapse, waitUntil, within } from '../support/wait.js';

/** The log reaches back over a whole test, whatever the size of its messages. */
const LOG = ['--log-size', '20000', '--log-bytes', '1073741824'];

async function startCluster(t, redisOptions) {
    const redis = await startRedis(t, redisOptions);
    const args = ['--redis', redis.url, ...LOG];
    const gateways = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
    return { redis, gateways, ledger: new Ledger() };
}

/** Twelve people who talk in three rooms. */
function startTalk(t, { gateways, ledger }) {
    const random = new Random(seedFrom('ACCOUNTING_SEED'));
    const urls = () => gateways.map(({ url }) => url);
    return startPeople(t, ledger, { random, urls, people: 12, rooms: 3, everyMs: scaled(100, 400) });
}

/** Waits until each of them has so many more acks than now: they talk, and nobody hangs. */
async function untilAllAreAcked(people, ledger, more = 5) {
    const acks = ({ name }) => [...ledger.statements.values()].filter(({ sender, acked }) => acked && sender === name).length;
    const goals = people.map((one) => acks(one) + more);
    const reached = () => people.every((one, i) => acks(one) >= goals[i]);
    await waitUntil('everybody to have new acks', reached, { seconds: 30, everyMs: 100 });
}

/** The epoch that each room is in, when all its members agree on it. */
function epochsOf(ledger) {
    const epochs = new Map();
    for (const { name, room, epoch } of ledger.records) {
        assert.equal(epoch, epochs.get(room) ?? epoch, `${name} is in another epoch of ${room} than the others`);
        epochs.set(room, epoch);
    }
    return epochs;
}

/** Waits until these have all left the epochs of before, for the same one. */
async function untilNewEpochs(ledger, records, before) {
    await waitUntil(
        'a new epoch for everybody',
        () => records.every(({ room, epoch }) => epoch !== before.get(room) && epoch === ledger.newestEpoch(room)),
        { seconds: 40 },
    );
}

/** What the `epoch` notices of each member and room say of loss. */
function noticesOf(ledger) {
    return ledger.records.map(({ events }) => events.filter(({ kind }) => kind === 'epoch').map(({ lossy }) => lossy));
}

function assertClean(t, ledger, stuck) {
    const verdict = judge(ledger);
    for (const line of [...table(verdict), ...verdict.faults, ...stuck]) t.diagnostic(line);
    assert.deepEqual(stuck, []);
    assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
    return verdict;
}

describe('what is in the log', { concurrency: true }, () => {
    test('a_slow_gateway_that_redis_cuts_off_loses_nothing', async (t) => {
        // Above the largest batch (256 KiB), so that a gateway that reads is never cut; far below what the kernel holds.
        const config = ['client-output-buffer-limit pubsub 512kb 512kb 1'];
        const { redis, gateways, ledger } = await startCluster(t, { config });
        const [near, slow] = gateways;
        const random = new Random(seedFrom('ACCOUNTING_SEED'));
        const rooms = ['hall'];
        // They listen on the slow one, and come back by themselves when it finds them too slow in turn.
        const listeners = ['ben', 'cleo', 'dora'].map((name) => {
            const options = { random, address: () => slow.url, everyMs: 1000, stayMs: [0, 0], keyed: 1 };
            return Object.assign(new Participant(name, rooms, ledger, options), { talks: false });
        });
        const speakers = ['ada', 'al'].map((name) => new Seat(name, rooms, ledger));
        onEnd(t, () => Promise.all([...listeners.map((one) => one.end()), ...speakers.map((one) => one.finish())]));
        for (const one of listeners) one.start();
        for (const one of speakers) await one.come(near.url);
        await waitUntil('the listeners to be in', () => listeners.every((one) => one.isIn));

        const pad = '.'.repeat(30_000);
        const cuts = () => redis.program.stdout.split('overcoming of output buffer limits').length - 1;
        slow.signal('SIGSTOP');
        onEnd(t, () => slow.signal('SIGCONT'));
        // Less than the 15 s after which the others would take it for dead.
        await waitUntil(
            'Redis to cut the slow gateway off',
            async () => {
                for (let i = 0; i < 5; i++) {
                    const replies = speakers.map((one) => within('an ack', one.say('hall', { pad }).reply));
                    for (const { type } of await Promise.all(replies)) assert.equal(type, 'ack');
                }
                return cuts() > 0;
            },
            { seconds: 12, everyMs: 1 },
        );
        slow.signal('SIGCONT');
        for (const one of speakers) assert.equal((await within('an ack', one.say('hall').reply)).type, 'ack');
        const stuck = await settle(listeners, ledger);
        for (const one of speakers) await one.finish();
        t.diagnostic(`${cuts()} cuts, the listeners connected ${listeners.map((one) => one.sessions).join(', ')} times`);
        const verdict = assertClean(t, ledger, stuck);
        assert.equal(verdict.excused + verdict.resets + verdict.gaps, 0, 'the log holds all of it');
    });

    test('flushall_gives_everybody_a_new_epoch_hangs_nobody_and_shows_nothing_twice', async (t) => {
        const { redis, gateways, ledger } = await startCluster(t);
        const people = await startTalk(t, { gateways, ledger });
        const away = new Seat('away', ['hall0'], ledger);
        onEnd(t, () => away.finish());
        await away.come(gateways[0].url);
        await untilAllAreAcked(people, ledger);
        await away.vanish();
        const [left] = ledger.records.filter(({ name }) => name === 'away');
        left.stays = false;
        const before = epochsOf(ledger);
        const heard = left.events.length;

        await redis.cli('FLUSHALL');
        await untilNewEpochs(ledger, ledger.records.filter((record) => record !== left), before);
        await untilAllAreAcked(people, ledger);
        left.stays = true;
        await away.come(gateways[1].url);
        const joined = left.events.findLast(({ kind }) => kind === 'joined');
        assert.equal(joined.recovered, false, 'who comes back has to start over');
        await untilAllAreAcked(people, ledger);

        const stuck = await settle(people, ledger);
        await away.finish();
        const verdict = assertClean(t, ledger, stuck);
        const notices = noticesOf(ledger);
        t.diagnostic(`notices of epochs: ${JSON.stringify(notices)}`);
        assert.ok(notices.flat().every((lossy) => lossy === true), 'it is said that the new epoch does not follow');
        const later = left.events.slice(heard).filter(({ kind }) => kind === 'message');
        assert.ok(later.length > 0 && verdict.resets > 0);
        epochsOf(ledger);
    });

    test('a_first_replica_begins_exactly_one_new_epoch', async (t) => {
        const { redis, gateways, ledger } = await startCluster(t);
        const people = await startTalk(t, { gateways, ledger });
        await untilAllAreAcked(people, ledger);
        const before = epochsOf(ledger);

        const replica = await startRedis(t, { config: [`replicaof 127.0.0.1 ${redis.port}`] });
        await waitUntil('the replica to be in step', async () => {
            return (await replica.cli('INFO', 'replication')).includes('master_link_status:up');
        });
        await untilNewEpochs(ledger, ledger.records, before);
        // Longer than the ten seconds after which gateways compare the rooms' positions by themselves.
        await elapse(12_000);
        await untilAllAreAcked(people, ledger);

        const stuck = await settle(people, ledger);
        const verdict = assertClean(t, ledger, stuck);
        assert.equal(verdict.excused + verdict.resets + verdict.gaps, 0, 'nothing is lost by it');
        for (const notices of noticesOf(ledger)) assert.deepEqual(notices, ['maybe'], 'one new epoch, which follows');
        epochsOf(ledger);
    });
});
