/**
 * client_publish.test.js -- a publish of the JavaScript client is one message, whatever happens on the way.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, startClient, startFakePlenum } from '../support/fake_plenum.js';
import { turn, waitUntil } from '../support/wait.js';

/** One client in a room; `answers` says, by the publish's data, what it gets, each time: a code, `drop`, or nothing special. */
async function startOne(t, answers = {}) {
    const fake = await startFakePlenum(t);
    const clock = new FakeClock();
    const client = startClient(t, fake, { clock, random: () => 0.5 });
    const room = await client.join('lobby');
    fake.intercept = (connection, request) => {
        const answer = request.type === 'publish' ? answers[request.data]?.shift() : undefined;
        if (answer === 'drop') connection.terminate();
        else if (answer !== undefined && answer !== 'keep silent') connection.refuse(request, answer);
        return answer !== undefined;
    };
    /** What arrived at the server, over all connections. */
    const sent = () => fake.connections.flatMap((connection) => connection.of('publish'));
    const log = () => fake.room('lobby').log.map(({ data }) => data);
    return { fake, clock, client, room, sent, log, connection: fake.connections[0] };
}

/** Lets time pass in small steps until the condition holds. */
function untilTimePasses(what, clock, condition, stepMs = 50) {
    return waitUntil(what, () => condition() || (clock.advance(stepMs), false), { everyMs: 2 });
}

describe('a publish of the JavaScript client', { concurrency: true }, () => {
    for (const code of ['uncertain', 'unavailable']) {
        test(`that_is_${code}_is_repeated_with_its_key_until_it_has_an_ack`, async (t) => {
            const { clock, room, sent, log } = await startOne(t, { a: [code, code, code] });
            let taken = null;
            room.publish('a').then((ack) => (taken = ack));
            await untilTimePasses('the ack', clock, () => taken);
            assert.deepEqual(taken, { offset: 1 });
            assert.equal(sent().length, 4);
            assert.equal(new Set(sent().map(({ key }) => key)).size, 1);
            assert.deepEqual(log(), ['a']);
        });
    }

    test('that_waits_to_be_repeated_is_not_overtaken_by_later_calls', async (t) => {
        const { clock, room, sent, log } = await startOne(t, { a: ['unavailable', 'uncertain'] });
        const all = [room.publish('a')];
        await room.history(); // asked after it, so that its answer is here when this one is
        all.push(room.publish('b'), room.publish('c'));
        await untilTimePasses('three', clock, () => log().length === 3);
        await Promise.all(all);
        assert.deepEqual(log(), ['a', 'b', 'c']);
        assert.ok(sent().length >= 5);
    });

    test('in_a_burst_stays_in_order_across_lost_connections', async (t) => {
        const { clock, room, log } = await startOne(t, { 10: ['drop'], 20: ['drop', 'drop'], 30: ['drop'] });
        const acks = Promise.all(Array.from({ length: 40 }, (_, i) => room.publish(i)));
        await untilTimePasses('all', clock, () => log().length === 40);
        assert.deepEqual(log(), Array.from({ length: 40 }, (_, i) => i));
        assert.deepEqual((await acks).map(({ offset }) => offset), Array.from({ length: 40 }, (_, i) => i + 1));
    });

    test('made_without_a_connection_goes_out_when_there_is_one', async (t) => {
        const { clock, client, room, log, connection } = await startOne(t);
        connection.terminate();
        await waitUntil('the loss', () => client.state === 'offline');
        const acks = Promise.all([room.publish(1), room.publish(2)]);
        clock.advance(10_000);
        assert.deepEqual(await acks, [{ offset: 1 }, { offset: 2 }]);
        assert.deepEqual(log(), [1, 2]);
    });

    test('without_an_answer_for_60_s_has_an_unknown_outcome', async (t) => {
        const { clock, room, connection, log } = await startOne(t, { a: ['keep silent'] });
        const outcome = assert.rejects(room.publish('a'), { code: 'outcome_unknown', name: 'PlenumError' });
        await connection.heard('publish');
        let over = false;
        outcome.then(() => (over = true));
        clock.advance(59_000);
        await turn();
        assert.equal(over, false);
        clock.advance(1_001);
        await outcome;
        assert.deepEqual(await room.publish('b'), { offset: 1 });
        assert.deepEqual(log(), ['b']);
    });

    test('that_was_lost_on_the_way_and_never_heard_of_again_has_an_unknown_outcome', async (t) => {
        const { fake, clock, client, room } = await startOne(t, { a: ['drop'] });
        const outcome = assert.rejects(room.publish('a'), { code: 'outcome_unknown' });
        await waitUntil('the loss', () => client.state === 'offline');
        fake.intercept = () => true; // nobody is welcome any more
        clock.advance(60_001);
        await outcome;
    });

    test('that_was_never_sent_or_always_unavailable_is_known_not_to_be_there', async (t) => {
        const { fake, clock, client, room, connection } = await startOne(t, { a: ['unavailable'] });
        const refused = assert.rejects(room.publish('a'), { code: 'unavailable' });
        await room.history(); // asked after it, so that its answer is here when this one is
        fake.intercept = () => true; // nobody is welcome any more
        connection.terminate();
        await waitUntil('the loss', () => client.state === 'offline');
        const unsent = assert.rejects(room.publish('b'), { code: 'unavailable' });
        clock.advance(60_001);
        await Promise.all([refused, unsent]);
    });

    test('is_not_repeated_after_a_sleep_in_which_the_server_may_have_forgotten_its_key', async (t) => {
        const { fake, clock, client, room, sent } = await startOne(t, { a: ['drop'] });
        const outcome = assert.rejects(room.publish('a'), { code: 'outcome_unknown' });
        await waitUntil('the loss', () => client.state === 'offline');
        clock.sleep(3_600_000);
        clock.advance(200);
        await fake.connection(1);
        await outcome;
        await waitUntil('the room', () => room.state === 'joined');
        await room.publish('b');
        assert.deepEqual(sent().map(({ data }) => data), ['a', 'b']);
    });

    test('with_another_error_rejects_at_once_and_does_not_hold_up_the_next', async (t) => {
        const { room, log } = await startOne(t, { a: ['refused'], b: ['too_large'], c: ['not_joined'] });
        const all = ['a', 'b', 'c', 'd'].map((data) => room.publish(data));
        const codes = (await Promise.allSettled(all)).map(({ reason }) => reason?.code ?? 'taken');
        assert.deepEqual(codes, ['refused', 'too_large', 'not_joined', 'taken']);
        assert.deepEqual(log(), ['d']);
    });

    test('that_is_too_large_is_refused_before_it_costs_the_connection', async (t) => {
        const { client, room, sent } = await startOne(t);
        const limit = client.limits.message;
        await assert.rejects(room.publish('€'.repeat(Math.ceil(limit / 3))), { code: 'too_large' });
        await assert.rejects(room.publish('x'.repeat(limit - 1)), { code: 'too_large' }, 'with its quotes');
        await room.publish('x'.repeat(limit - 2));
        assert.equal(sent().length, 1);
    });

    test('on_which_the_server_closes_with_1009_is_not_sent_again', async (t) => {
        const { fake, clock, room, sent, log } = await startOne(t);
        fake.intercept = (connection, { type, data }) => {
            if (type !== 'publish' || data.length < 1000) return false;
            connection.close(1009);
            return true;
        };
        const all = ['x', 'y'.repeat(1000), 'z'].map((data) => room.publish(data));
        const outcome = assert.rejects(all[1], { code: 'too_large' });
        await untilTimePasses('the others', clock, () => log().includes('z'));
        await Promise.all([outcome, all[0], all[2]]);
        assert.deepEqual(log(), ['x', 'z']);
        assert.equal(sent().filter(({ data }) => data.length === 1000).length, 1);
    });

    test('of_what_is_no_json_is_a_bad_request', async (t) => {
        const { room } = await startOne(t);
        await assert.rejects(room.publish(undefined), { code: 'bad_request' });
        const circle = {};
        circle.self = circle;
        await assert.rejects(room.publish(circle), TypeError);
    });

    test('is_given_up_when_the_connection_is_closed_and_the_code_says_what_is_known', async (t) => {
        const { fake, client, room, connection } = await startOne(t);
        fake.intercept = () => true;
        const sent = assert.rejects(room.publish('sent'), { code: 'outcome_unknown' });
        await connection.heard('publish');
        client.close();
        await sent;
        await assert.rejects(room.publish('later'), { code: 'closed' });
        await assert.rejects(client.join('other'), { code: 'closed' });
    });
});
