/**
 * client_gateway.test.js -- the JavaScript client on real gateways: chat, resume, presence, signals, history, drain.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { Connection } from '../../gateway/web/client/plenum.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { startHaproxy } from '../support/haproxy.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { elapse, waitUntil } from '../support/wait.js';

const ROOM = 'conference';

/** A client whose present socket a test can break. */
class Person {
    /** @type {WebSocket[]} */
    sockets = [];
    /** @type {any[]} data of the messages that it heard, in order */
    heard = [];
    /** @type {string[]} what should not happen */
    complaints = [];
    /** @type {string[]} */
    states = [];

    constructor(t, url, name) {
        const { sockets } = this;
        class Watched extends WebSocket {
            constructor(...args) {
                super(...args);
                sockets.push(this);
            }
        }
        this.name = name;
        this.connection = new Connection(url, { name, WebSocket: Watched, backoff: { baseMs: 5, maxMs: 20 } });
        onEnd(t, () => this.connection.close());
        this.connection.on('state', ({ state }) => this.states.push(state));
        this.connection.on('error', ({ code }) => this.complaints.push(code));
    }

    async join(options) {
        this.room = await this.connection.join(ROOM, options);
        this.room.on('message', ({ data }) => this.heard.push(data));
        for (const type of ['gap', 'reset', 'epoch', 'kicked']) this.room.on(type, () => this.complaints.push(type));
        return this;
    }

    /** The socket that is open; it ends without a word. */
    break() {
        this.sockets.at(-1).terminate();
    }
}

function joinAs(t, gateway, name, options) {
    return new Person(t, `${gateway.url}/connect`, name).join(options);
}

async function startPair(t, args = [], workers = undefined) {
    const redis = await startRedis(t);
    const start = () => startGateway(t, { workers, args: ['--redis', redis.url, '--log-size', '5000', ...args] });
    return { redis, gateways: await Promise.all([start(), start()]) };
}

/** Everybody's map of members, as text. */
const mapOf = ({ room }) => JSON.stringify([...room.members.values()].sort((one, other) => (one.member < other.member ? -1 : 1)));

function untilAllSeeTheSame(people) {
    return waitUntil('all to see the same members', () => {
        const maps = people.map(mapOf);
        return maps.every((map) => map === maps[0]) && people.every(({ room }) => room.members.size === people.length);
    });
}

describe('the JavaScript client on two gateways', () => {
    test('two_people_chat_signal_and_read_the_history', async (t) => {
        const { redis, gateways } = await startPair(t);
        const ada = await joinAs(t, gateways[0], 'Ada', { info: { color: 'red' } });
        const bob = await joinAs(t, gateways[1], 'Bob');
        await untilAllSeeTheSame([ada, bob]);
        assert.deepEqual(bob.room.members.get(ada.room.member).info, { color: 'red' });

        const first = await ada.room.publish({ text: 'Grüße 😀' });
        await waitUntil('Bob to hear', () => bob.heard.length === 1);
        const second = await bob.room.publish({ text: 'and back' });
        assert.ok(second.offset > first.offset);
        await redis.cli('PUBLISH', `plenum:{${ROOM}}`, 'from redis-cli');
        await waitUntil('all', () => ada.heard.length === 2 && bob.heard.length === 2);
        assert.deepEqual(ada.heard, [{ text: 'and back' }, 'from redis-cli']);
        assert.deepEqual(bob.heard, [{ text: 'Grüße 😀' }, 'from redis-cli']);
        assert.equal(ada.room.position.offset, second.offset);

        const signals = [];
        bob.room.on('signal', (signal) => signals.push(signal));
        await ada.room.signal(bob.room.member, { offer: 1 });
        await waitUntil('the signal', () => signals.length === 1);
        assert.deepEqual(signals, [{ from: ada.room.member, data: { offer: 1 } }]);
        await assert.rejects(ada.room.signal('0123456789abcdef', 1), { code: 'not_found' });

        const { messages, more } = await bob.room.history({ limit: 10 });
        assert.deepEqual(messages.map(({ user, data }) => [user, data.text]), [['Ada', 'Grüße 😀'], ['Bob', 'and back']]);
        assert.equal(more, false);

        await bob.room.update({ hand: true });
        await waitUntil('the update', () => ada.room.members.get(bob.room.member)?.info?.hand);
        await bob.room.leave();
        await waitUntil('Bob to be gone', () => ada.room.members.size === 1);

        const late = await joinAs(t, gateways[1], 'Cem', { history: 1 });
        await waitUntil('the replay', () => late.heard.length === 1);
        assert.deepEqual(late.heard, [{ text: 'and back' }]);
    });

    test('a_room_is_left_even_before_one_is_in_and_a_message_is_as_large_as_it_may_be', async (t) => {
        const { gateways } = await startPair(t);
        const [ada, bob] = [new Person(t, `${gateways[0].url}/connect`, 'Ada'), await joinAs(t, gateways[1], 'Bob')];
        for (let i = 0; i < 20; i++) {
            const joining = assert.rejects(ada.connection.join(ROOM), { code: 'left' });
            await ada.connection.rooms[0].leave();
            await joining;
        }
        await ada.join();
        await untilAllSeeTheSame([ada, bob]);
        const { message } = ada.connection.limits;
        await assert.rejects(ada.room.publish('x'.repeat(message)), { code: 'too_large' });
        const largest = 'x'.repeat(message - 600);
        await ada.room.publish(largest);
        await waitUntil('Bob to hear', () => bob.heard.length === 1);
        assert.equal(bob.heard[0], largest);
        assert.deepEqual(ada.states, ['online'], 'one connection was enough');
        await ada.room.leave();
        await waitUntil('Bob to be alone', () => bob.room.members.size === 1);
    });

    test('a_thousand_lost_connections_lose_and_repeat_nothing', async (t) => {
        const { gateways } = await startPair(t);
        const count = 10;
        const rounds = scaled(100, 20);
        const people = await Promise.all(Array.from({ length: count }, (_, i) => joinAs(t, gateways[i % 2], `person ${i}`)));
        const begun = Date.now();
        const acks = [];
        await Promise.all(people.map(async (person) => {
            for (let round = 0; round < rounds; round++) {
                const { name, room } = person;
                acks.push(room.publish(`${name}: ${round}`));
                await waitUntil(`${name} to be in`, () => room.state === 'joined', { everyMs: 2 });
                // Now and then with the ack, the replay and the presence still on their way.
                if (round % 3 === 0) await elapse(Math.random() * 20);
                person.break();
                await waitUntil('the loss', () => room.state === 'joining', { everyMs: 1 });
            }
        }));
        const offsets = (await Promise.all(acks)).map(({ offset }) => offset);
        assert.equal(new Set(offsets).size, count * rounds);
        for (const { name, heard } of people) await waitUntil(`${name} to hear all`, () => heard.length >= (count - 1) * rounds);
        t.diagnostic(`${count * rounds} lost connections in ${Date.now() - begun} ms`);
        // One order for all: each has heard the same, but for what it said itself.
        const all = (await fullHistory(people[0].room)).map(({ data }) => data);
        assert.equal(all.length, count * rounds);
        for (const { name, heard, complaints } of people) {
            assert.deepEqual(heard, all.filter((data) => !data.startsWith(`${name}:`)), name);
            assert.deepEqual(complaints, []);
        }
        for (const { name } of people) {
            const own = all.filter((data) => data.startsWith(`${name}:`));
            assert.deepEqual(own, Array.from({ length: rounds }, (_, round) => `${name}: ${round}`));
        }
        await untilAllSeeTheSame(people);
    });

    test('a_drained_gateway_hands_its_clients_over', async (t) => {
        const { gateways } = await startPair(t, ['--drain', '3'], 1); // each worker has a gateway id of its own
        const haproxy = await startHaproxy(t, gateways);
        const people = await Promise.all(Array.from({ length: 8 }, (_, i) => new Person(t, `${haproxy.url}/connect`, `person ${i}`).join()));
        const speaker = await joinAs(t, gateways[1], 'speaker');
        const everyone = [...people, speaker];
        await untilAllSeeTheSame(everyone);
        const staying = speaker.connection.gateway;
        assert.ok(people.some(({ connection }) => connection.gateway !== staying), 'HAProxy spreads them');

        const acks = [];
        let said = 0;
        const timer = setInterval(() => {
            for (const { room } of [speaker, people[said % people.length]]) acks.push(room.publish(said++));
        }, 20);
        onEnd(t, () => clearInterval(timer));
        gateways[0].signal('SIGTERM');
        assert.deepEqual(await gateways[0].exited, { code: 0, signal: null });
        await waitUntil('all to be at the other', () => people.every(({ connection, room }) => connection.gateway === staying && room.state === 'joined'));
        clearInterval(timer);
        await Promise.all(acks);

        const all = (await fullHistory(speaker.room)).map(({ from, data }) => ({ from, data }));
        assert.deepEqual(all.map(({ data }) => data).sort((one, other) => one - other), Array.from({ length: said }, (_, i) => i));
        t.diagnostic(`${said} messages; states: ${people.map(({ states }) => states.join(' ')).join(' | ')}`);
        for (const person of everyone) {
            const index = people.indexOf(person);
            const own = (data) => (index < 0 ? data % 2 === 0 : data % 2 === 1 && (data - 1) % people.length === index);
            const expected = all.map(({ data }) => data).filter((data) => !own(data));
            await waitUntil(`${person.name} to hear all`, () => person.heard.length >= expected.length);
            assert.deepEqual(person.heard, expected, person.name);
            assert.deepEqual(person.complaints, []);
        }
        await untilAllSeeTheSame(everyone);
    });
});

/** The whole log, page by page. */
async function fullHistory(room) {
    const all = [];
    for (;;) {
        const { messages, more } = await room.history({ after: all.at(-1)?.offset ?? 0, limit: 256 });
        all.push(...messages);
        if (!more) return all;
    }
}
