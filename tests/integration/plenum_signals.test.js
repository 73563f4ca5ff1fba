/**
 * plenum_signals.test.js -- a signal reaches one member and nobody else: on the others' wire, in the room's channel and in
 * its log there is nothing of it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectMembers, connectPlenum } from '../support/plenum_client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';

const ROOM = 'booth';

/** Six members on three gateways: two on each. */
async function startBooth(t) {
    const redis = await startRedis(t);
    const args = ['--redis', redis.url];
    const gateways = await Promise.all([0, 1, 2].map(() => startGateway(t, { args })));
    const members = await connectMembers(t, 6, (i) => gateways[i % 3], ROOM);
    return { redis, gateways, members };
}

/** A message that all have heard: what was to come to them before it has come. */
async function mark(members) {
    const word = `mark ${Math.random()}`;
    await members[0].published(ROOM, word);
    for (const member of members.slice(1)) await member.waitFor('message', ({ data }) => data === word);
}

describe('signals', { concurrency: true }, () => {
    test('a_signal_reaches_its_member_only_on_the_same_gateway_and_on_another', async (t) => {
        const { redis, members } = await startBooth(t);
        const [sender, other, , neighbour] = members;
        const channel = await redis.watch(`plenum:{${ROOM}}`);
        for (const [receiver, secret] of [
            [neighbour, 'secret-for-the-neighbour'],
            [other, 'secret-for-the-other'],
        ]) {
            const data = { offer: secret, list: [1, 2.5, null, 'ü'] };
            const reply = await sender.signal(ROOM, receiver.member, data);
            assert.equal(reply.type, 'ack', JSON.stringify(reply));
            const got = await receiver.waitFor('signal');
            assert.deepEqual(got, { type: 'signal', room: ROOM, from: sender.member, data });
            await mark(members);

            assert.equal(receiver.all('signal').length, 1, 'once');
            for (const member of members.filter((one) => one !== receiver)) {
                assert.equal(member.all('signal').length, member === neighbour ? 1 : 0);
                const wire = member.texts.filter((text) => text.includes(secret));
                assert.deepEqual(wire, [], 'nothing of it on the wire of another');
            }
            const published = channel.payloads().filter((text) => text.includes(secret));
            assert.deepEqual(published, [], 'nor in the channel of the room');
        }
        const { messages } = await sender.history(ROOM, { limit: 256 });
        assert.ok(messages.every(({ data }) => String(data).startsWith('mark ')), 'it is not kept');
        const late = await connectPlenum(t, { url: sender.socket.url.replace(/\/connect$/, '') });
        await late.joined(ROOM, { history: 256 });
        await late.waitFor('message');
        assert.ok(!late.texts.some((text) => text.includes('secret')), 'and not repeated');
    });

    test('signals_of_one_sender_to_one_member_come_in_order', async (t) => {
        const { members } = await startBooth(t);
        const [sender, other, , neighbour] = members;
        for (const receiver of [other, neighbour]) {
            const sent = Array.from({ length: 50 }, (_, i) => i);
            const replies = await Promise.all(sent.map((number) => sender.signal(ROOM, receiver.member, number)));
            assert.ok(replies.every(({ type }) => type === 'ack'));
            await receiver.until('all signals', () => receiver.all('signal').length >= sent.length);
            assert.deepEqual(receiver.all('signal').map(({ data }) => data), sent);
        }
    });

    test('everyone_to_everyone_gets_what_is_meant_for_him', async (t) => {
        const { members } = await startBooth(t);
        const pairs = members.flatMap((from) => members.filter((to) => to !== from).map((to) => [from, to]));
        await Promise.all(pairs.map(([from, to]) => from.signal(ROOM, to.member, `${from.member} to ${to.member}`)));
        for (const to of members) {
            await to.until('all signals', () => to.all('signal').length >= members.length - 1);
            const expected = members.filter((one) => one !== to).map(({ member }) => `${member} to ${to.member}`);
            assert.deepEqual(to.all('signal').map(({ data }) => data).sort(), expected.sort());
        }
        await mark(members);
        for (const member of members) assert.equal(member.all('signal').length, members.length - 1);
    });

    test('who_is_not_in_the_room_cannot_be_reached_and_cannot_send', async (t) => {
        const { gateways, members } = await startBooth(t);
        const [sender, leaver, goer] = members;
        const strangers = await connectMembers(t, 3, (i) => gateways[i], 'elsewhere');
        for (const to of [...strangers.map(({ member }) => member), '00000000deadbeef']) {
            const reply = await sender.signal(ROOM, to, 'psst');
            assert.equal(reply.code, 'not_found', JSON.stringify(reply));
        }
        for (const stranger of strangers) {
            assert.equal((await stranger.signal(ROOM, sender.member, 'psst')).code, 'not_joined');
        }
        await leaver.left(ROOM);
        await goer.close();
        for (const { member } of [leaver, goer]) {
            await sender.waitFor('member_left', (frame) => frame.member === member);
            assert.equal((await sender.signal(ROOM, member, 'psst')).code, 'not_found');
        }
        await mark([sender, ...members.slice(3)]);
        for (const one of [...strangers, ...members]) assert.equal(one.all('signal').length, 0);
    });
});
