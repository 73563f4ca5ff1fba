/**
 * plenum_idempotency.test.js -- a message with a key is one message, however often and wherever it is sent.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectMembers, connectPlenum } from '../support/plenum_client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { within } from '../support/wait.js';

const ROOM = 'ledger';
const TIMES = 10;

async function startThree(t) {
    const redis = await startRedis(t);
    const args = ['--redis', redis.url];
    const gateways = await Promise.all([0, 1, 2].map(() => startGateway(t, { args })));
    return { redis, gateways };
}

/** Somebody on each gateway who only listens. */
function listen(t, gateways) {
    return connectMembers(t, gateways.length, (i) => gateways[i], ROOM);
}

/**
 * All that a client has heard once it has heard a message that is said now: what was to come before it has come.
 * @returns {Promise<import('../support/plenum_client.js').Frame[]>}
 */
async function heardBy(client, speaker) {
    const mark = `mark ${Math.random()}`;
    await speaker.published(ROOM, mark);
    if (client !== speaker) await client.waitFor('message', ({ data }) => data === mark);
    return client.all('message').filter(({ data }) => !String(data).startsWith('mark '));
}

/** The offsets of the acks; anything else is an error. */
async function acksOf(requests) {
    const replies = await within('all acks', Promise.all(requests));
    for (const reply of replies) assert.equal(reply.type, 'ack', JSON.stringify(reply));
    return replies.map(({ offset }) => offset);
}

function publish(client, data, key, room = ROOM) {
    return client.request('publish', { room, data, ...(key && { key }) }, { repeat: true });
}

describe('idempotency keys', { concurrency: true }, () => {
    test('the_same_key_ten_times_through_different_gateways_at_once_is_one_message_and_ten_equal_acks', async (t) => {
        const { redis, gateways } = await startThree(t);
        const listeners = await listen(t, gateways);
        const senders = await connectMembers(t, TIMES, (i) => gateways[i % 3], ROOM);
        const offsets = await acksOf(senders.map((sender) => publish(sender, { order: 7 }, 'order-7')));
        assert.equal(new Set(offsets).size, 1, `acked at ${offsets.join(' ')}`);

        for (const listener of listeners) {
            const [message, ...more] = await heardBy(listener, listeners[0]);
            assert.deepEqual(message.data, { order: 7 });
            assert.equal(message.offset, offsets[0]);
            assert.deepEqual(more, [], 'one message');
        }
        // Whose publish came first has only its ack; to the other nine it is a message of that one.
        const { from } = listeners[0].all('message').find(({ offset }) => offset === offsets[0]);
        for (const sender of senders) {
            const messages = await heardBy(sender, listeners[0]);
            assert.equal(messages.length, sender.member === from ? 0 : 1);
            assert.deepEqual(sender.faults, []);
        }
        const entries = await redis.cliLines('XRANGE', `plenum:{${ROOM}}:hist`, '-', '+');
        assert.equal(entries.filter((line) => line.includes('"order"')).length, 1, 'one entry in the log');
    });

    test('ten_times_in_one_go_by_one_client_is_one_message', async (t) => {
        const { gateways } = await startThree(t);
        const listeners = await listen(t, gateways);
        const sender = await connectPlenum(t, gateways[0]);
        await sender.joined(ROOM);
        const offsets = await acksOf(Array.from({ length: TIMES }, () => publish(sender, 'once', 'k')));
        assert.equal(new Set(offsets).size, 1, `acked at ${offsets.join(' ')}`);
        for (const listener of listeners) assert.equal((await heardBy(listener, sender)).length, 1);
        assert.equal(sender.all('message').length, 0, 'its own does not come back');
    });

    test('ten_times_one_after_the_other_through_three_gateways_is_one_message', async (t) => {
        const { gateways } = await startThree(t);
        const listeners = await listen(t, gateways);
        const senders = await connectMembers(t, 3, (i) => gateways[i], ROOM);
        const offsets = [];
        for (let i = 0; i < TIMES; i++) {
            offsets.push(...(await acksOf([publish(senders[i % 3], 'once', 'k')])));
            // Others in between: the repeat's ack still names the first place.
            await acksOf([publish(senders[i % 3], `between ${i}`)]);
        }
        assert.deepEqual(offsets, Array(TIMES).fill(offsets[0]));
        for (const listener of listeners) {
            const said = (await heardBy(listener, listeners[0])).map(({ data }) => data);
            assert.deepEqual(said, ['once', ...Array.from({ length: TIMES }, (_, i) => `between ${i}`)]);
        }
    });

    test('a_key_holds_after_its_gateway_was_killed_and_the_sender_came_back_elsewhere', async (t) => {
        const { gateways } = await startThree(t);
        const [listener] = await connectMembers(t, 1, () => gateways[1], ROOM);
        const [before] = await connectMembers(t, 1, () => gateways[0], ROOM);
        const [offset] = await acksOf([publish(before, 'once', 'k')]);
        await gateways[0].stop('SIGKILL');
        const [after] = await connectMembers(t, 1, () => gateways[2], ROOM);
        assert.deepEqual(await acksOf([publish(after, 'once', 'k')]), [offset]);
        assert.equal((await heardBy(listener, after)).length, 1);
    });

    test('other_keys_and_the_same_key_in_another_room_are_other_messages', async (t) => {
        const { gateways } = await startThree(t);
        const [listener] = await connectMembers(t, 1, () => gateways[1], ROOM);
        const [sender] = await connectMembers(t, 1, () => gateways[0], ROOM);
        await sender.joined('elsewhere');
        await acksOf([
            publish(sender, 'one', 'k1'),
            publish(sender, 'two', 'k2'),
            publish(sender, 'no key'),
            publish(sender, 'no key'),
            publish(sender, 'not here', 'k1', 'elsewhere'),
        ]);
        const heard = await heardBy(listener, sender);
        assert.deepEqual(heard.map(({ data }) => data), ['one', 'two', 'no key', 'no key']);
        const { messages } = await sender.history('elsewhere');
        assert.deepEqual(messages.map(({ data }) => data), ['not here']);
    });
});
