/**
 * client_rooms.test.js -- the JavaScript client in a room: messages, presence, signals, history, coming and going.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { Connection, PlenumError, connect } from '../../gateway/web/client/plenum.js';
import { record, startClient, startFakePlenum } from '../support/fake_plenum.js';
import { waitUntil } from '../support/wait.js';

/** Two clients in one room of one fake server. */
async function startTwo(t) {
    const fake = await startFakePlenum(t);
    const ada = await startClient(t, fake, { name: 'Ada' }).join('lobby', { info: { color: 'red' } });
    const bob = await startClient(t, fake, { name: 'Bob' }).join('lobby');
    return { fake, ada, bob };
}

const fails = (promise, code) => assert.rejects(promise, (error) => error instanceof PlenumError && error.code === code);

describe('the JavaScript client in a room', { concurrency: true }, () => {
    test('what_one_publishes_the_other_hears_and_the_ack_has_the_offset', async (t) => {
        const { ada, bob } = await startTwo(t);
        const [atAda, atBob] = [record(ada, 'message'), record(bob, 'message')];
        assert.deepEqual(await ada.publish({ text: 'hello' }), { offset: 1 });
        assert.deepEqual(await bob.publish(null), { offset: 2 });
        await waitUntil('both to hear', () => atAda.length + atBob.length === 2);
        assert.deepEqual(atBob[0][1], { offset: 1, from: ada.member, user: undefined, data: { text: 'hello' }, time: 1_700_000_000_001 });
        assert.deepEqual(atAda[0][1].data, null);
        assert.deepEqual(ada.position, { epoch: 'e1', offset: 2 });
    });

    test('who_awaits_the_join_misses_nothing_that_came_right_behind_it', async (t) => {
        const fake = await startFakePlenum(t);
        for (let i = 1; i <= 20; i++) fake.say('lobby', i);
        const client = startClient(t, fake);
        const wrapped = async () => ({ room: await client.join('lobby', { history: 10 }) });
        const { room } = await wrapped();
        const events = record(room, 'message');
        await room.publish('mine');
        await waitUntil('the replay', () => events.length === 10);
        assert.deepEqual(events.map(([, { data }]) => data), [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
        assert.deepEqual(room.position, { epoch: 'e1', offset: 21 });
    });

    test('each_publish_has_a_key_of_its_own_and_data_is_taken_as_it_was_at_the_call', async (t) => {
        const { fake, ada, bob } = await startTwo(t);
        const events = record(bob, 'message');
        const data = { count: 1 };
        const first = ada.publish(data);
        data.count = 2;
        await Promise.all([first, ada.publish(data), ada.publish('x', { key: 'my.own-key' })]);
        await waitUntil('three', () => events.length === 3);
        assert.deepEqual(events.map(([, message]) => message.data), [{ count: 1 }, { count: 2 }, 'x']);
        const keys = fake.connections[0].of('publish').map(({ key }) => key);
        assert.equal(new Set(keys).size, 3);
        assert.equal(keys[2], 'my.own-key');
        for (const key of keys) assert.match(key, /^[A-Za-z0-9_.:-]{1,64}$/);
    });

    test('presence_is_a_map_and_its_changes_are_events', async (t) => {
        const fake = await startFakePlenum(t);
        const ada = await startClient(t, fake, { name: 'Ada' }).join('lobby', { info: { color: 'red' } });
        const events = record(ada, 'join', 'leave', 'update', 'count');
        const bob = await startClient(t, fake, { name: 'Bob' }).join('lobby');
        assert.deepEqual([...bob.members.keys()], [ada.member, bob.member]);
        assert.deepEqual(bob.members.get(ada.member).info, { color: 'red' });
        await bob.update({ hand: true }, { name: 'Robert' });
        await bob.leave();
        await waitUntil('Bob to be gone', () => events.length === 5);
        assert.deepEqual(events.map(([type, { name, count, reason }]) => [type, name ?? count, reason]), [
            ['join', 'Bob', undefined],
            ['count', 2, undefined],
            ['update', 'Robert', undefined],
            ['leave', 'Robert', 'left'],
            ['count', 1, undefined],
        ]);
        assert.deepEqual([...ada.members.keys()], [ada.member]);
    });

    test('a_room_that_is_not_listed_any_more_and_is_again_tells_leaves_and_joins', async (t) => {
        const { fake, ada } = await startTwo(t);
        await waitUntil('both', () => ada.count === 2);
        const events = record(ada, 'join', 'leave', 'count');
        fake.connections[0].send({ type: 'count', room: 'lobby', count: 501 });
        await waitUntil('the count', () => ada.count === 501);
        assert.equal(ada.members.size, 0);
        assert.deepEqual(events.map(([type, { reason, count }]) => reason ?? count ?? type), ['unlisted', 'unlisted', 501]);
        fake.connections[0].send({ type: 'members', room: 'lobby', members: [{ member: ada.member, since: 1 }], count: 500 });
        await waitUntil('the list', () => ada.count === 500);
        assert.deepEqual(events.slice(3).map(([type]) => type), ['join', 'count']);
    });

    test('signals_go_to_one_member_and_an_unknown_one_is_an_error', async (t) => {
        const { ada, bob } = await startTwo(t);
        const events = record(bob, 'signal');
        await ada.signal(bob.member, { offer: 1 });
        await waitUntil('the signal', () => events.length === 1);
        assert.deepEqual(events[0][1], { from: ada.member, data: { offer: 1 } });
        await fails(ada.signal('0000000000000000', 1), 'not_found');
    });

    test('history_is_read_in_pages', async (t) => {
        const { fake, ada } = await startTwo(t);
        for (let i = 1; i <= 9; i++) fake.say('lobby', i);
        const last = await ada.history({ limit: 3 });
        assert.deepEqual([last.messages.map(({ data }) => data), last.more], [[7, 8, 9], true]);
        const before = await ada.history({ before: 4 });
        assert.deepEqual([before.messages.map(({ data }) => data), before.more], [[1, 2, 3], false]);
        assert.deepEqual((await ada.history({ after: 8 })).messages.map(({ data }) => data), [9]);
    });

    test('binary_frames_go_and_come_as_they_are', async (t) => {
        const { fake, ada } = await startTwo(t);
        const client = startClient(t, fake);
        assert.equal(client.sendMedia(new Uint8Array([1])), false, 'not connected yet');
        await client.join('lobby');
        const events = record(client, 'media');
        assert.equal(client.sendMedia(new Uint8Array([0, 255, 7])), true);
        const connection = await fake.connection(2);
        await waitUntil('the frame', () => connection.requests.some(Buffer.isBuffer));
        assert.deepEqual([...connection.requests.find(Buffer.isBuffer)], [0, 255, 7]);
        connection.send(Buffer.from([9, 8]));
        await waitUntil('the answer', () => events.length === 1);
        assert.ok(events[0][1].data instanceof ArrayBuffer);
        assert.deepEqual([...new Uint8Array(events[0][1].data)], [9, 8]);
        assert.equal(ada.state, 'joined');
    });

    test('a_refused_join_rejects_with_the_code_and_the_name_is_free_again', async (t) => {
        const fake = await startFakePlenum(t);
        const client = startClient(t, fake);
        fake.intercept = (connection, request) => {
            if (request.type !== 'join') return false;
            connection.refuse(request, 'locked');
            return true;
        };
        await fails(client.join('lobby'), 'locked');
        assert.deepEqual(client.rooms, []);
        fake.intercept = () => false;
        const room = await client.join('lobby');
        assert.deepEqual(client.rooms, [room]);
        await fails(client.join('lobby'), 'already_joined');
    });

    test('a_room_can_be_left_and_joined_again_on_one_connection', async (t) => {
        const { fake, ada } = await startTwo(t);
        const client = startClient(t, fake);
        const first = await client.join('lobby');
        const states = record(first, 'state', 'message');
        const leaving = first.leave();
        assert.equal(first.state, 'left');
        const second = await client.join('lobby', { history: 5 });
        await leaving;
        await fails(first.publish(1), 'left');
        await fails(first.signal('0000000000000000', 1), 'left');
        await fails(first.history(), 'left');
        const events = record(second, 'message');
        await ada.publish('again');
        await waitUntil('the message', () => events.length === 1);
        assert.deepEqual(states.map(([, { state }]) => state), ['left']);
    });

    test('a_room_that_is_left_before_one_is_in_is_left_and_can_be_joined_again', async (t) => {
        const fake = await startFakePlenum(t);
        fake.slowJoins = true;
        const client = startClient(t, fake);
        await client.join('other');
        const joining = fails(client.join('lobby'), 'left');
        await client.rooms[1].leave();
        await joining;
        await waitUntil('it to be in and out', () => fake.connections[0].of('leave').length === 1);
        await waitUntil('it to be out', () => fake.room('lobby').members.size === 0);

        const again = fails(client.join('lobby'), 'left');
        await client.rooms[1].leave();
        const room = await client.join('lobby');
        await again;
        const events = record(room, 'message');
        fake.say('lobby', 'welcome');
        await waitUntil('it', () => events.length === 1);
        assert.deepEqual([...fake.room('lobby').members.keys()], [client.member]);
    });

    test('who_is_kicked_is_told_and_does_not_come_back', async (t) => {
        const { fake, ada } = await startTwo(t);
        const events = record(ada, 'kicked', 'state', 'message');
        fake.connections[0].send({ type: 'kicked', room: 'lobby', reason: 'banned' });
        fake.say('lobby', 'not for you');
        await waitUntil('the kick', () => ada.state === 'left');
        await fails(ada.publish(1), 'not_joined');
        fake.connections[0].terminate();
        const next = await fake.connection(2);
        await next.heard('hello');
        assert.deepEqual(next.of('join'), []);
        assert.deepEqual(events, [
            ['state', { state: 'left', previous: 'joined' }],
            ['kicked', { reason: 'banned' }],
        ]);
    });

    test('what_a_listener_throws_is_reported_and_harms_nobody', async (t) => {
        const { ada, bob } = await startTwo(t);
        const said = t.mock.method(console, 'error', () => {});
        bob.on('message', () => {
            throw new Error('a listener of the test');
        });
        bob.on('message', () => Promise.reject(new Error('an async listener of the test')));
        const events = record(bob, 'message');
        await ada.publish(1);
        await ada.publish(2);
        await waitUntil('both', () => events.length === 2);
        await waitUntil('the reports', () => said.mock.callCount() === 4);
        assert.deepEqual(bob.position, { epoch: 'e1', offset: 2 });
    });

    test('a_listener_can_be_taken_off', async (t) => {
        const { fake, ada } = await startTwo(t);
        const heard = [];
        const off = ada.on('message', ({ data }) => {
            heard.push(data);
            off();
        });
        const events = record(ada, 'message');
        fake.say('lobby', 1);
        fake.say('lobby', 2);
        await waitUntil('both', () => events.length === 2);
        assert.deepEqual(heard, [1]);
    });

    test('what_belongs_to_no_request_is_an_error_event_and_unknown_frames_are_handed_on', async (t) => {
        const { fake } = await startTwo(t);
        const client = startClient(t, fake);
        const events = record(client, 'error', 'other');
        await client.join('lobby');
        const connection = await fake.connection(2);
        connection.send({ type: 'error', code: 'bad_json', message: 'Not a JSON object.' }, { type: 'streams', room: 'lobby' });
        connection.socket.send('no JSON');
        await waitUntil('all', () => events.length === 3);
        assert.deepEqual(events.map(([type, event]) => [type, event.code]), [
            ['error', 'bad_json'],
            ['other', undefined],
            ['error', 'bad_frame'],
        ]);
        await fails(client.request({ type: 'auth', token: 'x', room: 'lobby' }), 'not_supported');
    });

    test('addresses_are_made_of_what_is_given', async (t) => {
        const fake = await startFakePlenum(t);
        const http = fake.url.replace(/^ws/, 'http');
        for (const [given, used] of [
            [http, fake.url],
            [new URL('/', http), fake.url],
            [`${fake.url}#x`, fake.url],
        ]) {
            const client = new Connection(given, { WebSocket });
            assert.equal(client.url, used);
            await client.join('lobby');
            client.close();
        }
        for (const bad of [undefined, '/connect', 'ftp://x/', 'http://']) {
            assert.throws(() => connect(bad, { WebSocket }), { code: 'bad_url' }, String(bad));
        }
        if (globalThis.WebSocket === undefined) assert.throws(() => connect(fake.url), { code: 'no_websocket' });
    });
});
