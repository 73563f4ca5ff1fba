/**
 * client_drain.test.js -- a gateway drains: the JavaScript client moves to another one without a moment's absence.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, record, startClient, startFakePlenum } from '../support/fake_plenum.js';
import { turn, waitUntil } from '../support/wait.js';

/** One client in two rooms. */
async function startOne(t, options) {
    const fake = await startFakePlenum(t);
    const clock = new FakeClock();
    const client = startClient(t, fake, { clock, random: () => 0.5, name: 'Ada', ...options });
    const states = record(client, 'state', 'error');
    const room = await client.join('lobby');
    const other = await client.join('other');
    const events = record(room, 'message', 'gap', 'epoch', 'reset', 'kicked', 'join', 'leave', 'state', 'signal');
    return { fake, clock, client, states, room, other, events, old: fake.connections[0] };
}

/** Says `drain`, and lets the client open its second connection. */
async function drain({ fake, clock, client, old }) {
    old.send({ type: 'drain', after_ms: 10_000 });
    await waitUntil('the drain', () => client.state === 'draining');
    clock.advance(4000);
    return fake.connection(1);
}

/** Keeps joins back until the test answers them. */
function holdJoins(fake) {
    const held = [];
    fake.intercept = (connection, request) => {
        if (request.type !== 'join') return false;
        held.push(() => fake.handle(connection, request));
        return true;
    };
    return held;
}

const texts = (events) => events.filter(([type]) => type === 'message').map(([, { data }]) => data);

describe('the JavaScript client on a draining gateway', { concurrency: true }, () => {
    test('opens_the_second_connection_at_a_random_moment_within_four_fifths_of_the_time', async (t) => {
        for (const [random, ms] of [[0.001, 8], [0.999, 7992]]) {
            const { fake, clock, client, old } = await startOne(t, { random: () => random });
            old.send({ type: 'drain', after_ms: 10_000 });
            await waitUntil('the drain', () => client.state === 'draining');
            clock.advance(ms - 1);
            await turn();
            assert.equal(fake.connections.length, 1);
            clock.advance(1.5);
            await fake.connection(1);
        }
    });

    test('loses_nothing_and_hears_nothing_twice_while_it_moves', async (t) => {
        const one = await startOne(t);
        const { fake, client, states, room, events, old } = one;
        const held = holdJoins(fake);
        let said = 0;
        const say = (count) => {
            for (let i = 0; i < count; i++) fake.say('lobby', ++said);
        };
        say(3);
        const next = await drain(one);
        await waitUntil('both joins', () => held.length === 2);
        say(3);
        held[0]();
        say(3); // over both, and the second room is not in yet
        fake.say('lobby', 'to all', { from: 'admin', unlogged: true });
        await waitUntil('the old one to bring them', () => texts(events).includes('to all'));
        assert.equal(client.state, 'draining');
        held[1]();
        await waitUntil('the move', () => client.state === 'online');
        say(3);
        fake.say('lobby', 'to all', { from: 'admin', unlogged: true });
        await waitUntil('the end', () => texts(events).length === 14);
        assert.deepEqual(texts(events), [1, 2, 3, 4, 5, 6, 7, 8, 9, 'to all', 10, 11, 12, 'to all']);
        assert.deepEqual(room.position, { epoch: 'e1', offset: 12 });
        await waitUntil('the old one to be closed', () => old.closed === 1000);
        assert.equal(room.member, next.member);
        assert.deepEqual(states.map(([, { state }]) => state), ['online', 'draining', 'online']);
        assert.ok(!events.some(([type]) => type === 'state'), 'the room was never away');
    });

    test('presence_follows_and_only_ones_own_id_changes', async (t) => {
        const one = await startOne(t);
        const { fake, client, room, events } = one;
        const held = holdJoins(fake);
        const [former] = [room.member];
        const next = await drain(one);
        await waitUntil('both joins', () => held.length === 2);
        held[0]();
        fake.intercept = () => false;
        const bob = await startClient(t, fake, { name: 'Bob' }).join('lobby');
        await waitUntil('Bob', () => room.members.has(bob.member));
        held[1]();
        await waitUntil('the move', () => client.state === 'online');
        await waitUntil('the former self to be gone', () => !room.members.has(former));
        const changes = events.filter(([type]) => ['join', 'leave'].includes(type)).map(([type, { member }]) => [type, member]);
        assert.deepEqual(changes, [
            ['join', next.member],
            ['join', bob.member],
            ['leave', former],
        ]);
        assert.deepEqual([...room.members.keys()].sort(), [...fake.room('lobby').members.keys()].sort());
    });

    test('publishes_under_way_are_acked_on_the_old_connection_before_later_ones_go_over_the_new', async (t) => {
        const one = await startOne(t);
        const { fake, client, room, events, old } = one;
        const kept = [];
        fake.intercept = (connection, request) => {
            if (request.type !== 'publish' || connection !== old) return false;
            kept.push(request);
            return true;
        };
        const first = room.publish('first');
        await old.heard('publish');
        const next = await drain(one);
        await waitUntil('the move', () => client.state === 'online');
        const second = room.publish('second');
        await room.history();
        assert.deepEqual(next.of('publish'), [], 'the first has no ack yet');
        assert.equal(old.closed, null);
        fake.handle(old, kept[0]);
        assert.deepEqual(await Promise.all([first, second]), [{ offset: 1 }, { offset: 2 }]);
        await waitUntil('the old one to be closed', () => old.closed === 1000);
        fake.say('lobby', 'theirs');
        await waitUntil('it', () => texts(events).length === 1);
        assert.deepEqual(texts(events), ['theirs'], 'one does not hear oneself under the former id');
    });

    test('a_publish_that_the_old_one_never_answers_is_repeated_over_the_new_with_its_key', async (t) => {
        const one = await startOne(t);
        const { fake, clock, client, room, old } = one;
        fake.intercept = (connection, { type }) => type === 'publish' && connection === old;
        const all = [room.publish('first')];
        await old.heard('publish');
        const next = await drain(one);
        await waitUntil('the move', () => client.state === 'online');
        all.push(room.publish('second'));
        clock.advance(5000);
        assert.deepEqual(await Promise.all(all), [{ offset: 1 }, { offset: 2 }]);
        assert.deepEqual(next.of('publish')[0].key, old.of('publish')[0].key);
    });

    test('a_second_connection_that_fails_changes_nothing_and_the_close_brings_it_back', async (t) => {
        const one = await startOne(t);
        const { fake, clock, client, room, events, old } = one;
        fake.intercept = (connection, request) => {
            if (connection === old || request.type !== 'join') return false;
            connection.terminate();
            return true;
        };
        await drain(one);
        await waitUntil('the failure', () => fake.connections[1].closed !== null);
        fake.intercept = () => false;
        await room.publish('still here');
        fake.say('lobby', 1);
        await waitUntil('it', () => texts(events).length === 1);
        old.close(1012);
        await waitUntil('the close', () => client.state === 'offline');
        fake.say('lobby', 2);
        clock.advance(2000);
        await waitUntil('all', () => texts(events).length === 2);
        assert.deepEqual(texts(events), [1, 2]);
    });

    test('an_old_connection_that_ends_too_early_leaves_it_to_the_new_one', async (t) => {
        const one = await startOne(t);
        const { fake, client, room, other, events, old } = one;
        const held = holdJoins(fake);
        fake.say('lobby', 1);
        await drain(one);
        await waitUntil('both joins', () => held.length === 2);
        held[1]();
        fake.say('lobby', 2);
        await waitUntil('two', () => texts(events).length === 2);
        old.close(1012);
        await waitUntil('the new one', () => client.state === 'online');
        assert.equal(fake.connections.length, 2);
        await waitUntil('the other room', () => other.state === 'joined');
        fake.say('lobby', 3);
        held[0]();
        await waitUntil('the room', () => room.state === 'joined' && texts(events).length === 3);
        assert.deepEqual(texts(events), [1, 2, 3]);
    });

    test('a_close_before_its_moment_is_an_ordinary_loss', async (t) => {
        const { fake, clock, client, room, old } = await startOne(t);
        old.send({ type: 'drain', after_ms: 10_000 });
        await waitUntil('the drain', () => client.state === 'draining');
        old.close(1012);
        await waitUntil('the loss', () => client.state === 'offline');
        clock.advance(10_000);
        await waitUntil('the return', () => room.state === 'joined');
        assert.equal(fake.connections.length, 2);
    });

    test('rooms_that_are_joined_or_left_while_it_moves_are_where_they_should_be', async (t) => {
        const one = await startOne(t);
        const { fake, client, room, other, old } = one;
        const held = holdJoins(fake);
        const next = await drain(one);
        await waitUntil('both joins', () => held.length === 2);
        const third = client.join('third');
        await waitUntil('the third join', () => held.length === 3);
        await other.leave();
        for (const answer of held) answer();
        assert.equal((await third).state, 'joined');
        await waitUntil('the move', () => client.state === 'online' && old.closed !== null);
        for (const name of ['lobby', 'third']) assert.deepEqual([...fake.room(name).members.keys()], [next.member]);
        await waitUntil('the other room to be empty', () => fake.room('other').members.size === 0);
        assert.equal(room.state, 'joined');
    });

    test('an_ack_that_comes_over_the_old_one_moves_no_position_of_the_new', async (t) => {
        const one = await startOne(t);
        const { fake, client, room, events, old } = one;
        fake.intercept = (_, { type }) => type === 'publish';
        const published = room.publish('mine');
        const { id } = await old.heard('publish');
        const next = await drain(one);
        await waitUntil('the move', () => client.state === 'online');
        old.send({ type: 'ack', id, offset: 3 });
        assert.deepEqual(await published, { offset: 3 });
        for (const offset of [1, 2]) next.send({ type: 'message', room: 'lobby', offset, from: 'api', data: offset, time: 1 });
        await waitUntil('both', () => texts(events).length === 2);
        assert.deepEqual(room.position, { epoch: 'e1', offset: 2 });
    });

    test('a_room_that_was_on_its_way_in_comes_in_whatever_becomes_of_the_second_connection', async (t) => {
        const one = await startOne(t);
        const { fake, clock, client, old } = one;
        let fails = true;
        fake.intercept = (connection, request) => {
            if (request.type !== 'join' || request.room !== 'third') return false;
            if (connection === old) return fails; // answered below, when nobody waits for it any more
            connection.terminate();
            return true;
        };
        let events;
        client.join('third', { history: 5 }).then((room) => (events = record(room, 'message')));
        const join = await old.heard('join', 3);
        const second = await drain(one);
        await second.heard('join', 3).catch(() => {});
        fails = false;
        fake.handle(old, join);
        fake.say('third', 'one');
        await waitUntil('it to be in', () => events || (clock.advance(100), false));
        fake.say('third', 'two');
        await waitUntil('both', () => events.length === 2);
        assert.deepEqual(texts(events), ['one', 'two']);
        assert.equal(old.closed, null);
    });

    test('who_is_kicked_while_it_moves_is_not_in_at_the_new_one_either', async (t) => {
        const one = await startOne(t);
        const { fake, room, old } = one;
        const held = holdJoins(fake);
        const next = await drain(one);
        await waitUntil('both joins', () => held.length === 2);
        held[0]();
        await waitUntil('the new one to be in', () => fake.room('lobby').members.has(next.member));
        old.send({ type: 'kicked', room: 'lobby', reason: 'kicked' });
        await waitUntil('the kick', () => room.state === 'left');
        held[1]();
        await waitUntil('it to be out', () => fake.room('lobby').members.size === 0);
    });

    test('a_room_that_is_refused_on_the_new_one_is_a_kick', async (t) => {
        const one = await startOne(t);
        const { fake, client, events, other } = one;
        fake.intercept = (connection, request) => {
            if (request.type !== 'join' || request.room !== 'lobby') return false;
            connection.refuse(request, 'banned');
            return true;
        };
        await drain(one);
        await waitUntil('the move', () => client.state === 'online');
        assert.deepEqual(events.filter(([type]) => type === 'kicked'), [['kicked', { reason: 'banned' }]]);
        assert.equal(other.state, 'joined');
    });

    test('one_that_comes_to_another_draining_gateway_moves_on', async (t) => {
        const one = await startOne(t);
        const { fake, clock, client, room } = one;
        const held = holdJoins(fake);
        const next = await drain(one);
        await waitUntil('both joins', () => held.length === 2);
        next.send({ type: 'drain', after_ms: 1000 });
        fake.intercept = () => false;
        for (const answer of held) answer();
        await waitUntil('the move', () => room.member === next.member && client.state === 'draining');
        clock.advance(1000);
        const third = await fake.connection(2);
        await waitUntil('the next move', () => room.member === third.member && client.state === 'online');
    });
});
