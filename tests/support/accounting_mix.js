/**
 * accounting_mix.js -- the mix of the accounting: people who talk and come and go, and faults one after the other.
 */
import { onEnd } from './cleanup.js';
import { Ledger } from './accounting.js';
import { judge } from './accounting_judge.js';
import { Participant } from './participant.js';
import { elapse, waitUntil } from './wait.js';

/**
 * @typedef {object} Stage what the mix is played on
 * @property {() => string[]} urls of the gateways that are there now
 * @property {Record<string, () => Promise<void>>} blows each does one kind of harm, and mends what it broke
 *
 * @typedef {object} MixOptions
 * @property {import('./random.js').Random} random
 * @property {number} seconds how long the blows go on
 * @property {number} [catchUpSeconds] all have to be there again, with everything, so long after the last blow
 * @property {number} [people] 60
 * @property {number} [rooms] 8
 * @property {number} [roomsEach] how many of the rooms each is in: 2
 * @property {number} [everyMs] between two messages of one person, on average: 330
 * @property {[number, number]} [stayMs] how long a connection lasts, at least and at most
 */

/**
 * People in their rooms, who talk and do not roam yet. They end with the test.
 * @param {import('node:test').TestContext} t
 * @param {Ledger} ledger
 * @param {Omit<MixOptions, 'seconds'> & {urls: () => string[], keyed?: number}} options urls: of the gateways;
 *   keyed: which part of their messages has a key
 * @returns {Promise<Participant[]>}
 */
export async function startPeople(t, ledger, options) {
    const { random, urls, people = 60, rooms = 8, roomsEach = 2 } = options;
    const { everyMs = 330, stayMs = [1500, 9000], keyed = 0.8 } = options;
    const habits = { random, address: () => random.pick(urls()), everyMs, stayMs, keyed };
    const all = Array.from({ length: rooms }, (_, room) => `hall${room}`);
    const participants = Array.from({ length: people }, (_, i) => {
        return new Participant(`p${i}`, random.shuffled(all).slice(0, roomsEach), ledger, habits);
    });
    onEnd(t, () => Promise.all(participants.map((one) => one.end())));
    for (const one of participants) one.start();
    await waitUntil('all to be in', () => participants.every((one) => one.isIn), { seconds: 30 });
    return participants;
}

/**
 * Nobody says anything new or breaks off any more, and all have everything.
 * @param {Participant[]} participants
 * @param {Ledger} ledger
 * @param {number} [seconds]
 * @returns {Promise<string[]>} who did not come back, or did not catch up, in time
 */
export async function settle(participants, ledger, seconds = 30) {
    for (const one of participants) one.roams = one.talks = false;
    const stuck = () => [
        ...participants.filter((one) => !one.isSettled).map((one) => `${one.name} is ${one.state}`),
        ...ledger.behind.map((record) => `${record.name} in ${record.room} is behind, at ${record.top}`),
    ];
    const late = await waitUntil('all to catch up', () => stuck().length === 0, { seconds }).then(
        () => [],
        () => stuck(),
    );
    await Promise.all(participants.map((one) => one.end()));
    return late;
}

/**
 * Plays it, and judges.
 * @param {import('node:test').TestContext} t
 * @param {(ledger: Ledger) => Stage} stageFor
 * @param {MixOptions} options
 * @returns {Promise<{verdict: import('./accounting_judge.js').Verdict, done: Map<string, number>, settledMs: number,
 *   stuck: string[]}>} stuck: a blow that failed; who did not come back or catch up in time
 */
export async function playMix(t, stageFor, { random, seconds, catchUpSeconds, ...size }) {
    const ledger = new Ledger();
    const stage = stageFor(ledger);
    const participants = await startPeople(t, ledger, { random, urls: stage.urls, ...size });
    for (const one of participants) one.roams = true;
    const { done, trouble } = await harm(stage.blows, seconds, random);
    const calm = Date.now();
    const stuck = await settle(participants, ledger, catchUpSeconds);
    return { verdict: judge(ledger), done, settledMs: Date.now() - calm, stuck: [...trouble, ...stuck] };
}

/**
 * One blow after the other, with pauses of random length: each kind once at least, and as often as the others. One that
 * fails is the last; the account up to then says more than its error.
 * @returns {Promise<{done: Map<string, number>, trouble: string[]}>}
 */
async function harm(blows, seconds, random) {
    const done = new Map(Object.keys(blows).map((name) => [name, 0]));
    const until = Date.now() + seconds * 1000;
    for (let round = 0; round === 0 || Date.now() < until; round++) {
        for (const name of random.shuffled(Object.keys(blows))) {
            await elapse(random.between(200, 900));
            if (round > 0 && Date.now() > until) break;
            try {
                await blows[name]();
            } catch (error) {
                return { done, trouble: [`${name}: ${error.message}`] };
            }
            done.set(name, done.get(name) + 1);
        }
    }
    return { done, trouble: [] };
}

/**
 * The cluster that the mix is played on, and what can be done to it.
 * @param {object} cluster
 * @param {import('./redis.js').Redis} cluster.redis with AOF
 * @param {import('./gateway.js').Gateway[]} cluster.gateways those that are killed are replaced in it
 * @param {() => Promise<import('./gateway.js').Gateway>} cluster.startAnother
 * @param {import('./random.js').Random} random
 * @returns {(ledger: Ledger) => Stage}
 */
export function clusterStage({ redis, gateways, startAnother }, random) {
    return (ledger) => {
        const restart = restarts(redis, ledger, random);
        const blows = {
            'gateways killed': async () => {
                const victim = random.between(0, gateways.length - 1);
                await gateways[victim].stop('SIGKILL');
                await elapse(random.between(0, 500));
                gateways[victim] = await startAnother();
            },
            'Redis restarted': restart,
            'subscribers cut': async () => void (await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')),
            'commanders cut': async () => void (await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
            'scripts flushed': async () => void (await redis.cli('SCRIPT', 'FLUSH')),
        };
        return { urls: () => gateways.map((gateway) => gateway.url), blows };
    };
}

/**
 * Each restart begins a new epoch, and a resume reaches back by one: so the next one waits until everybody has come to the
 * epoch of the last. Who would be away for two may be told `recovered: false`, and then nothing could be demanded.
 * @returns {() => Promise<void>}
 */
function restarts(redis, ledger, random) {
    /** @type {Map<string, string>} each room's epoch at the last restart */
    let before = new Map();
    return async () => {
        const rooms = [...new Set(ledger.records.map(({ room }) => room))];
        const knows = ({ room, epoch }) => epoch === ledger.newestEpoch(room) && epoch !== before.get(room);
        await waitUntil(
            'everybody to know of the epoch after the last restart',
            () => {
                const [first, ...others] = ledger.records.filter((record) => !knows(record));
                if (first) throw new Error(`${first.name} in ${first.room}, and ${others.length} others, do not`);
                return true;
            },
            { seconds: 30 },
        );
        before = new Map(rooms.map((room) => [room, ledger.newestEpoch(room)]));
        await redis.stop();
        await elapse(random.between(0, 600));
        await redis.start();
    };
}
