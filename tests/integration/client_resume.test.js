/**
 * client_resume.test.js -- the JavaScript client loses its connection: nothing is lost, nothing comes twice, and what
 * cannot be had is told.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, record, startClient, startFakePlenum } from '../support/fake_plenum.js';
import { waitUntil } from '../support/wait.js';

/** One client in one room, that comes back when the test lets time pass. */
async function startOne(t, options) {
    const fake = await startFakePlenum(t);
    const clock = new FakeClock();
    const client = startClient(t, fake, { clock, random: () => 0.5, name: 'Ada' });
    const room = await client.join('lobby', options);
    const events = record(room, 'message', 'gap', 'epoch', 'reset', 'kicked', 'join', 'leave', 'update', 'count');
    return { fake, clock, client, room, events, connection: fake.connections[0] };
}

/** Waits until the client has noticed that its connection is gone, and lets it come back. */
async function comeBack({ fake, clock, client }) {
    const index = fake.connections.length;
    await waitUntil('the loss to be noticed', () => client.state === 'offline');
    clock.advance(10_000);
    return fake.connection(index);
}

const texts = (events) => events.filter(([type]) => type === 'message').map(([, { data }]) => data);

describe('the JavaScript client after a lost connection', { concurrency: true }, () => {
    test('it_resumes_at_its_position_and_hears_each_message_once', async (t) => {
        const one = await startOne(t);
        const { fake, room, events, connection } = one;
        fake.say('lobby', 1);
        fake.say('lobby', 2);
        await waitUntil('two', () => events.length === 2);
        connection.terminate();
        await waitUntil('the loss', () => room.state === 'joining');
        for (const text of [3, 4]) fake.say('lobby', text);
        const next = await comeBack(one);
        const join = await next.heard('join');
        assert.deepEqual(join.resume, { epoch: 'e1', offset: 2 });
        assert.equal(join.history, undefined);
        await waitUntil('the room', () => room.state === 'joined');
        fake.say('lobby', 5);
        await waitUntil('five', () => texts(events).length === 5);
        assert.deepEqual(texts(events), [1, 2, 3, 4, 5]);
        assert.deepEqual(room.position, { epoch: 'e1', offset: 5 });
    });

    test('an_offset_is_never_delivered_twice_and_messages_outside_the_log_always', async (t) => {
        const { fake, room, events, connection } = await startOne(t);
        const first = fake.say('lobby', 'first');
        fake.say('lobby', 'admin', { from: 'admin', unlogged: true });
        connection.send(first);
        fake.say('lobby', 'admin', { from: 'admin', unlogged: true });
        fake.say('lobby', 'second');
        await waitUntil('all', () => texts(events).includes('second'));
        assert.deepEqual(texts(events), ['first', 'admin', 'admin', 'second']);
        assert.equal(room.position.offset, 2);
    });

    test('own_messages_in_a_replay_are_not_shown_whichever_id_they_were_said_under', async (t) => {
        const one = await startOne(t);
        const { fake, room, events } = one;
        const other = await startClient(t, fake).join('lobby');
        for (let round = 0; round < 3; round++) {
            // Taken, and the ack lost: the replay brings it.
            fake.intercept = (connection, request) => {
                if (request.type !== 'publish' || request.data !== `mine ${round}`) return false;
                fake.intercept = () => false;
                const { offset } = fake.say('lobby', request.data, { from: connection.member });
                fake.room('lobby').keys.set(request.key, offset);
                connection.terminate();
                return true;
            };
            const published = room.publish(`mine ${round}`);
            await comeBack(one);
            await published;
            await other.publish(`theirs ${round}`);
        }
        await waitUntil('the last', () => texts(events).includes('theirs 2'));
        assert.deepEqual(texts(events), ['theirs 0', 'theirs 1', 'theirs 2']);
        assert.equal(room.position.offset, 6);
    });

    test('a_fresh_join_with_history_shows_ones_own_messages_too', async (t) => {
        const { client, room } = await startOne(t);
        await room.publish('mine');
        await room.leave();
        const again = await client.join('lobby', { history: 10 });
        const events = record(again, 'message');
        await waitUntil('it', () => events.length === 1);
        assert.equal(events[0][1].data, 'mine');
    });

    test('the_ack_of_a_repeat_does_not_move_the_position_over_what_has_not_come_yet', async (t) => {
        const one = await startOne(t);
        const { fake, room, events, connection } = one;
        fake.say('lobby', 1);
        await waitUntil('one', () => events.length === 1);
        fake.intercept = (_, request) => request.type === 'publish';
        const published = room.publish('mine');
        const { key } = await connection.heard('publish');
        connection.terminate();
        await waitUntil('the loss', () => room.state === 'joining');
        // It was taken, behind something that the client has not heard; the next connection answers before the replay.
        fake.intercept = (next, request) => {
            if (request.type === 'publish') {
                next.send({ type: 'ack', id: request.id, offset: 3 });
                next.send({ type: 'message', room: 'lobby', offset: 2, from: 'ffffffff00000001', data: 2, time: 1 });
                next.send({ type: 'message', room: 'lobby', offset: 3, from: '0a1b2c3d00000001', data: 'mine', time: 1 });
                next.send({ type: 'message', room: 'lobby', offset: 4, from: 'ffffffff00000001', data: 4, time: 1 });
                return true;
            }
            if (request.type !== 'join') return false;
            next.send({ type: 'joined', id: request.id, room: 'lobby', epoch: 'e1', offset: 3, recovered: true, members: [], count: 1 });
            return true;
        };
        const next = await comeBack(one);
        assert.deepEqual(await published, { offset: 3 });
        assert.equal((await next.heard('publish')).key, key);
        await waitUntil('all', () => texts(events).length === 3);
        assert.deepEqual(texts(events), [1, 2, 4]);
    });

    test('the_ack_of_a_first_attempt_moves_it', async (t) => {
        const one = await startOne(t);
        await one.room.publish('mine');
        one.connection.terminate();
        const next = await comeBack(one);
        assert.deepEqual((await next.heard('join')).resume, { epoch: 'e1', offset: 1 });
    });

    test('a_lost_position_is_a_reset', async (t) => {
        const one = await startOne(t);
        const { fake, room, events, connection } = one;
        fake.say('lobby', 1);
        await waitUntil('one', () => events.length === 1);
        connection.terminate();
        await waitUntil('the loss', () => room.state === 'joining');
        Object.assign(fake.room('lobby'), { epoch: 'e2', offset: 7, log: [] });
        await comeBack(one);
        await waitUntil('the room', () => room.state === 'joined');
        fake.say('lobby', 8);
        await waitUntil('the next', () => texts(events).includes(8));
        assert.deepEqual(events.filter(([type]) => ['reset', 'epoch'].includes(type)), [['reset', { lost: true, epoch: 'e2', offset: 7 }]]);
        assert.deepEqual(room.position, { epoch: 'e2', offset: 8 });
    });

    test('gaps_and_epochs_are_told_and_move_the_position', async (t) => {
        const { fake, room, events, connection } = await startOne(t);
        fake.say('lobby', 1);
        connection.send({ type: 'gap', room: 'lobby', from: 2, to: 5 });
        connection.send({ type: 'gap', room: 'lobby', from: 3, to: 5 });
        connection.send({ type: 'epoch', room: 'lobby', epoch: 'e2', offset: 1_048_576, lossy: 'maybe' });
        connection.send({ type: 'message', room: 'lobby', offset: 1_048_577, from: 'api', data: 2, time: 1 });
        connection.send({ type: 'epoch', room: 'lobby', epoch: 'e3', offset: 0, lossy: true });
        connection.send({ type: 'message', room: 'lobby', offset: 1, from: 'api', data: 3, time: 1 });
        await waitUntil('all', () => texts(events).includes(3));
        assert.deepEqual(events.map(([type, event]) => (type === 'message' ? event.data : [type, event])), [
            1,
            ['gap', { from: 2, to: 5 }],
            ['epoch', { epoch: 'e2', offset: 1_048_576, lossy: 'maybe' }],
            2,
            ['epoch', { epoch: 'e3', offset: 0, lossy: true }],
            3,
        ]);
        assert.deepEqual(room.position, { epoch: 'e3', offset: 1 });
    });

    test('a_resume_from_the_epoch_before_tells_the_new_one', async (t) => {
        const one = await startOne(t);
        const { fake, room, events, connection } = one;
        connection.terminate();
        fake.intercept = (next, { type, id }) => {
            if (type !== 'join') return false;
            next.send({ type: 'joined', id, room: 'lobby', epoch: 'e2', offset: 9, recovered: true, lossy: 'maybe', members: [], count: 0 });
            return true;
        };
        await comeBack(one);
        await waitUntil('the room', () => room.state === 'joined');
        assert.deepEqual(events.filter(([type]) => type === 'epoch'), [['epoch', { epoch: 'e2', offset: 9, lossy: 'maybe' }]]);
    });

    test('a_position_that_was_kept_is_taken_up_and_a_lost_one_told', async (t) => {
        const fake = await startFakePlenum(t);
        for (let i = 1; i <= 5; i++) fake.say('lobby', i);
        const kept = await startClient(t, fake).join('lobby', { resume: { epoch: 'e1', offset: 3 } });
        const events = record(kept, 'message', 'reset');
        const lost = await startClient(t, fake).join('lobby', { resume: { epoch: 'e0', offset: 3 } });
        const resets = record(lost, 'message', 'reset');
        await waitUntil('both', () => events.length === 2 && resets.length === 1);
        assert.deepEqual(texts(events), [4, 5]);
        assert.deepEqual(resets, [['reset', { lost: true, epoch: 'e1', offset: 5 }]]);
    });

    test('an_interrupted_first_replay_goes_on_where_it_was', async (t) => {
        const fake = await startFakePlenum(t);
        const clock = new FakeClock();
        for (let i = 1; i <= 9; i++) fake.say('lobby', i);
        const message = (offset) => ({ type: 'message', room: 'lobby', offset, from: 'api', data: offset, time: 1 });
        fake.intercept = (next, { type, id }) => {
            if (type !== 'join') return false;
            fake.intercept = () => false;
            next.send({ type: 'joined', id, room: 'lobby', epoch: 'e1', offset: 9, recovered: false, members: [], count: 0 });
            next.send(message(5), message(6));
            next.close(1001);
            return true;
        };
        const client = startClient(t, fake, { clock });
        const room = await client.join('lobby', { history: 5 });
        const events = record(room, 'message', 'reset');
        await comeBack({ fake, clock, client });
        await waitUntil('all', () => events.length === 5);
        assert.deepEqual(texts(events), [5, 6, 7, 8, 9]);
    });

    test('a_first_replay_that_had_not_even_begun_comes_after_the_return', async (t) => {
        const fake = await startFakePlenum(t);
        const clock = new FakeClock();
        for (let i = 1; i <= 9; i++) fake.say('lobby', i);
        fake.intercept = (next, { type, id }) => {
            if (type !== 'join') return false;
            fake.intercept = () => false;
            next.send({ type: 'joined', id, room: 'lobby', epoch: 'e1', offset: 9, recovered: false, members: [], count: 0 });
            next.close(1001);
            return true;
        };
        const client = startClient(t, fake, { clock });
        const room = await client.join('lobby', { history: 5 });
        const events = record(room, 'message', 'reset');
        const next = await comeBack({ fake, clock, client });
        await waitUntil('all', () => events.length === 5);
        assert.deepEqual(texts(events), [5, 6, 7, 8, 9]);
        assert.deepEqual((await next.heard('join')).resume, { epoch: 'e1', offset: 4 });
    });

    test('after_a_return_only_the_differences_of_presence_are_told', async (t) => {
        const one = await startOne(t);
        const { fake, room, events, connection } = one;
        const [bob, cem] = [startClient(t, fake, { name: 'Bob' }), startClient(t, fake, { name: 'Cem' })];
        const bobs = await bob.join('lobby');
        const cems = await cem.join('lobby');
        await waitUntil('all three', () => room.count === 3);
        const [former, cemsId] = [room.member, cems.member];
        connection.terminate();
        await waitUntil('the loss', () => room.state === 'joining' && fake.room('lobby').members.size === 2);
        await cems.leave();
        await bobs.update('changed');
        await startClient(t, fake, { name: 'Dora' }).join('lobby');
        events.length = 0;
        await comeBack(one);
        await waitUntil('the room', () => room.state === 'joined');
        assert.deepEqual(events.map(([type, { name, member, reason }]) => [type, name ?? member, reason]), [
            ['leave', 'Ada', 'gone'],
            ['leave', 'Cem', 'gone'],
            ['update', 'Bob', undefined],
            ['join', 'Dora', undefined],
            ['join', 'Ada', undefined],
        ]);
        assert.notEqual(room.member, former);
        assert.ok(room.members.has(room.member) && !room.members.has(former) && !room.members.has(cemsId));
        assert.deepEqual(new Set(room.members.keys()), new Set(fake.room('lobby').members.keys()));
    });

    test('a_room_that_was_left_meanwhile_is_not_joined_again', async (t) => {
        const one = await startOne(t);
        const other = await one.client.join('other');
        one.connection.terminate();
        await waitUntil('the loss', () => one.room.state === 'joining');
        await one.room.leave();
        await other.leave();
        await one.client.join('third').catch(() => {}, one.clock.advance(10_000));
        const next = await one.fake.connection(1);
        assert.deepEqual(next.of('join').map(({ room }) => room), ['third']);
    });

    test('a_return_that_is_refused_is_a_kick_and_one_that_is_unavailable_is_tried_again', async (t) => {
        const one = await startOne(t);
        const { fake, clock, client, events, room } = one;
        const other = await client.join('other');
        let refused = 0;
        fake.intercept = (connection, request) => {
            if (request.type !== 'join') return false;
            const again = request.room === 'other' && ++refused > 3;
            if (!again) connection.refuse(request, request.room === 'other' ? 'unavailable' : 'banned');
            return !again;
        };
        one.connection.terminate();
        await comeBack(one);
        await waitUntil('the refusal', () => room.state === 'left');
        assert.deepEqual(events.filter(([type]) => type === 'kicked'), [['kicked', { reason: 'banned' }]]);
        await waitUntil('the other room', () => {
            clock.advance(500);
            return other.state === 'joined';
        });
    });

    test('history_and_update_wait_for_the_room_and_a_signal_does_not', async (t) => {
        const one = await startOne(t);
        const { fake, room, connection } = one;
        fake.intercept = (_, { type }) => type === 'history' || type === 'update';
        fake.say('lobby', 1);
        const answers = Promise.all([room.history(), room.update('new')]);
        await connection.heard('update');
        fake.intercept = () => false;
        connection.terminate();
        await waitUntil('the loss', () => room.state === 'joining');
        await assert.rejects(room.signal('0000000000000000', 1), { code: 'disconnected' });
        const next = await comeBack(one);
        const [{ messages }] = await answers;
        assert.equal(messages.length, 1);
        assert.equal((await next.heard('join')).info, 'new');
    });
});
