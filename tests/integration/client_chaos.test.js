/**
 * client_chaos.test.js -- the JavaScript client against a server that does everything to it, by a seed: whatever happens,
 * each message is heard once and in order, and each publish is one message.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, startClient, startFakePlenum } from '../support/fake_plenum.js';
import { scaled } from '../support/scale.js';
import { turn, waitUntil } from '../support/wait.js';

/** Numbers from 0 to 1 by a seed (mulberry32): a failure can be had again. */
function randomOf(seed) {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

/** What may happen to a request, each with its share; without any of it, it is answered as it should be. */
const TROUBLES = {
    publish: [
        [0.05, (_, connection, request) => connection.refuse(request, 'unavailable')],
        [0.05, (_, connection, request) => connection.refuse(request, 'uncertain')],
        [0.05, (fake, connection, request) => (takeUnheard(fake, connection, request), connection.refuse(request, 'uncertain'))],
        [0.02, (fake, connection, request) => (takeUnheard(fake, connection, request), connection.terminate())],
    ],
    join: [
        [0.1, (_, connection, request) => connection.refuse(request, 'unavailable')],
        [0.1, (_, connection) => connection.terminate()],
    ],
    hello: [[0.1, (_, connection) => connection.terminate()]],
};

/** The publish is taken, and nobody hears of it. */
function takeUnheard(fake, connection, request) {
    fake.handle({ member: connection.member, send: () => {}, refuse: () => {} }, request);
}

function troubleMaker(fake, random) {
    return (connection, request) => {
        let dice = random();
        for (const [share, happens] of TROUBLES[request.type] ?? []) {
            dice -= share;
            if (dice >= 0) continue;
            happens(fake, connection, request);
            return true;
        }
        return false;
    };
}

/** The clock runs faster than the server can answer: deadlines have tests of their own. */
const PATIENT = { repeatMs: 1e7, connectMs: 1e7, heartbeat: { pingMs: 1e7, answerMs: 1e7 } };

async function storm(t, seed, rounds) {
    const random = randomOf(seed);
    const fake = await startFakePlenum(t);
    fake.slowJoins = seed % 2 === 1;
    fake.pingMs = 1e7;
    const clock = new FakeClock();
    const room = { name: 'storm' };
    const people = [];
    for (const name of ['Ada', 'Bob', 'Cem']) {
        const client = startClient(t, fake, { ...PATIENT, clock, random, name });
        const joined = await client.join(room.name);
        const person = { name, client, room: joined, heard: [], acks: [], failures: [] };
        joined.on('message', ({ offset, data }) => person.heard.push({ offset, data }));
        for (const type of ['gap', 'reset', 'epoch', 'kicked']) joined.on(type, () => person.failures.push(type));
        people.push(person);
    }
    fake.intercept = troubleMaker(fake, random);
    let said = 0;
    for (let i = 0; i < rounds; i++) {
        const person = people[Math.floor(random() * people.length)];
        const live = fake.connections.filter(({ closed }) => closed === null);
        const victim = live[Math.floor(random() * live.length)];
        const dice = random();
        if (dice < 0.6) {
            const data = `${person.name} ${said++}`;
            person.room.publish(data).then(({ offset }) => person.acks.push({ offset, data }), (error) => person.failures.push(error.code));
        } else if (dice < 0.63) victim?.terminate();
        else if (dice < 0.66) victim?.close([1000, 1001, 1011, 1012, 1013][Math.floor(random() * 5)]);
        else if (dice < 0.72) victim?.send({ type: 'drain', after_ms: 400 });
        if (random() < 0.5) await turn();
        if (random() < 0.3) clock.advance(random() * 100);
    }
    fake.intercept = () => false;
    const calls = () => people.reduce((sum, { acks, failures }) => sum + acks.length + failures.length, 0);
    await waitUntil(`all of ${said} answers`, () => calls() === said || (clock.advance(200), false), { everyMs: 5 });

    const { log } = fake.room(room.name);
    assert.equal(new Set(log.map(({ data }) => data)).size, log.length, 'nothing is in the log twice');
    assert.equal(log.length, said);
    for (const { name, room: joined, heard, acks, failures } of people) {
        const others = log.filter(({ data }) => !data.startsWith(name)).map(({ offset, data }) => ({ offset, data }));
        await waitUntil(`${name} to hear all`, () => heard.length >= others.length || (clock.advance(200), false), { everyMs: 5 });
        assert.deepEqual(heard, others, name);
        assert.deepEqual(failures, [], name);
        for (const { offset, data } of acks) assert.equal(log[offset - 1].data, data);
        const same = () => {
            const members = [...fake.room(room.name).members.keys()].sort();
            return JSON.stringify([...joined.members.keys()].sort()) === JSON.stringify(members) && members.length === people.length;
        };
        await waitUntil(`${name} to see all`, () => same() || (clock.advance(200), false), { everyMs: 5 });
    }
    return fake.connections.length;
}

describe('the JavaScript client in a storm', () => {
    for (let seed = 1; seed <= scaled(20, 4); seed++) {
        test(`of_seed_${seed}_loses_nothing_and_repeats_nothing`, async (t) => {
            t.diagnostic(`${await storm(t, seed, 600)} connections`);
        });
    }
});
