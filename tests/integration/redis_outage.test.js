/**
 * redis_outage.test.js -- Redis goes away and comes back: listeners stay, nobody is deceived, and it flows again.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, connect, connectMany, refusal } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { untilItFlows, withoutFlow } from '../support/flow.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { patience } from '../support/scale.js';
import { elapse, waitUntil, within } from '../support/wait.js';

/** The promise is 2 s; the rest is for a noisy machine. */
const FLOWS_AGAIN_MS = 4000 * patience;

async function startPair(t, { redis, url, args = [] } = {}) {
    const server = redis ?? (await startRedis(t));
    const flags = ['--redis', url ?? server.url, ...args];
    const gateways = await Promise.all([startGateway(t, { args: flags }), startGateway(t, { args: flags })]);
    return { redis: server, gateways };
}

/** Six listeners in a room, on both gateways. */
function listen(t, gateways, room = 'lobby') {
    return connectMany(t, 6, (i) => `${gateways[i % 2].url}/rooms/${room}`);
}

async function untilReadyzSays(gateway, wanted) {
    return waitUntil(`/readyz to say that Redis is ${wanted}`, async () => {
        const answer = await gateway.admin('/readyz');
        return new RegExp(`redis"?\\s*[:=]\\s*"?${wanted}`).test(answer.body) && answer;
    });
}

function assertAllOpen(clients) {
    for (const client of clients) assert.equal(client.closing, null, 'a listener never disconnects');
}

async function assertFlowsAgain(t, gateways, listeners, room = 'lobby') {
    const took = await untilItFlows(t, `${gateways[0].url}/rooms/${room}`, listeners);
    t.diagnostic(`flows again ${took} ms after its return`);
    assert.ok(took < FLOWS_AGAIN_MS, `it took ${took} ms`);
    // From here on nothing may be missing.
    const speaker = await connect(t, `${gateways[1].url}/rooms/${room}`);
    const said = Array.from({ length: 100 }, (_, i) => `${i} after ${Date.now()}`);
    for (const text of said) speaker.send(text);
    for (const listener of listeners) {
        await listener.waitFor(said.at(-1));
        assert.deepEqual(withoutFlow(listener).slice(-said.length), said);
    }
    assertAllOpen(listeners);
}

describe('an outage of Redis', { concurrency: true }, () => {
    test('stop_and_start_disconnects_no_listener_and_flows_again', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listeners = await listen(t, gateways);
        await untilItFlows(t, gateways[0].url, listeners);
        await redis.stop();
        for (const gateway of gateways) {
            const answer = await untilReadyzSays(gateway, 'down');
            assert.equal(answer.status, 200, 'readiness does not depend on Redis');
            assert.equal((await gateway.admin('/healthz')).status, 200, 'nor does liveness');
        }
        await elapse(3000); // long enough for a backoff to grow
        assertAllOpen(listeners);
        await redis.start();
        await assertFlowsAgain(t, gateways, listeners);
        for (const gateway of gateways) assert.equal((await untilReadyzSays(gateway, 'up')).status, 200);
    });

    test('a_hang_of_five_seconds_disconnects_no_listener_and_flows_again', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listeners = await listen(t, gateways);
        await untilItFlows(t, gateways[0].url, listeners);
        const begun = Date.now();
        redis.hang();
        await untilReadyzSays(gateways[0], 'down');
        t.diagnostic(`the hang was noticed after ${Date.now() - begun} ms`);
        await elapse(Math.max(0, begun + 5000 - Date.now()));
        redis.wake();
        await assertFlowsAgain(t, gateways, listeners);
    });

    test('many_rooms_are_all_back_after_a_restart', async (t) => {
        const { redis, gateways } = await startPair(t);
        const rooms = 400;
        const members = await connectMany(t, rooms, (i) => `${gateways[i % 2].url}/rooms/r${i}`);
        await redis.stop();
        await untilReadyzSays(gateways[0], 'down');
        await redis.start();
        await waitUntil('all rooms to be subscribed again', async () => {
            return (await redis.cliLines('PUBSUB', 'CHANNELS', 'plenum:{*}')).filter((c) => c.includes('{r')).length === rooms;
        });
        const script = `for i = 0, ${rooms - 1} do redis.call('PUBLISH', 'plenum:{r' .. i .. '}', 'hello ' .. i) end`;
        await redis.cli('EVAL', script, 0);
        for (const [i, member] of members.entries()) await member.waitFor(`hello ${i}`);
        assertAllOpen(members);
    });

    for (const [kind, cut] of [
        ['stopped', (redis) => redis.stop()],
        ['hanging', (redis) => redis.hang()],
    ]) {
        test(`a_publisher_is_closed_with_1013_while_redis_is_${kind}_and_never_silently_lost`, async (t) => {
            const { redis, gateways } = await startPair(t);
            const listeners = await listen(t, gateways);
            const publisher = await connect(t, gateways[0].url);
            publisher.send('before');
            for (const listener of listeners) await listener.waitFor('before');
            await cut(redis);
            const begun = Date.now();
            publisher.send('during');
            const { code } = await within('the publisher to be closed', publisher.closed);
            const took = Date.now() - begun;
            t.diagnostic(`closed after ${took} ms`);
            assert.equal(code, 1013);
            assert.ok(took < 6000 * patience, `it took ${took} ms`);
            assertAllOpen(listeners);
        });
    }

    test('a_short_outage_under_load_doubles_and_reorders_nothing_and_closes_only_with_1013', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listener = await connect(t, gateways[1].url);
        const senders = await connectMany(t, 20, () => gateways[0].url);
        const sent = senders.map(() => 0);
        const timer = setInterval(() => {
            for (const [who, sender] of senders.entries()) if (sender.isOpen) sender.send(`${who}:${sent[who]++}`);
        }, 5);
        onEnd(t, () => clearInterval(timer));
        await listener.waitForCount(200);
        await redis.stop();
        await elapse(500);
        await redis.start();
        await untilItFlows(t, gateways[0].url, [listener]);
        clearInterval(timer);
        // Give the last ones their way: who is open still is heard to his last word.
        for (const [who, sender] of senders.entries()) if (sender.isOpen) sender.send(`${who}:end`);
        for (const [who, sender] of senders.entries()) {
            await waitUntil('a last word, or a close', () => sender.closing || listener.heard.includes(`${who}:end`));
        }
        let told = 0;
        let missing = 0;
        for (const [who, sender] of senders.entries()) {
            const numbers = listener.heard
                .filter((text) => text.startsWith(`${who}:`) && !text.endsWith('end'))
                .map((text) => Number(text.split(':')[1]));
            assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b), 'in order, none twice');
            if (sender.closing) {
                assert.equal(sender.closing.code, 1013);
                told++;
            }
            missing += sent[who] - numbers.length;
        }
        // What another gateway missed while it was not subscribed is lost without a log; nobody can tell its sender.
        const all = sent.reduce((sum, one) => sum + one, 0);
        t.diagnostic(`${told} of ${senders.length} senders were closed with 1013; ${missing} of ${all} messages not heard`);
        assert.equal(listener.closing, null);
    });

    test('a_new_client_is_refused_with_503_and_retry_after', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listener = await connect(t, gateways[0].url);
        await redis.stop();
        const begun = Date.now();
        const answer = await refusal(`${gateways[0].url}/rooms/fresh`);
        const took = Date.now() - begun;
        t.diagnostic(`refused after ${took} ms`);
        assert.equal(answer.status, 503);
        assert.match(answer.headers['retry-after'], /^\d+$/);
        assert.ok(took < 6000 * patience, `it took ${took} ms`);
        await redis.start();
        await waitUntil('to be let in again', async () => (await refusal(`${gateways[0].url}/rooms/fresh`)).status === 101);
        assert.equal(listener.closing, null);
    });

    test('a_new_client_is_let_in_when_redis_returns_within_two_seconds', async (t) => {
        const { redis, gateways } = await startPair(t);
        await untilReadyzSays(gateways[0], 'up');
        await redis.stop();
        await untilReadyzSays(gateways[0], 'down');
        const client = new Client(`${gateways[0].url}/rooms/patient`);
        onEnd(t, () => client.terminate());
        await redis.start();
        await within('onopen', client.opened);
        await redis.cli('PUBLISH', 'plenum:{patient}', 'in means in');
        assert.equal((await client.next()).data, 'in means in');
    });

    test('a_new_client_of_an_open_room_is_let_in_as_soon_as_its_subscription_is_back', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listener = await connect(t, gateways[0].url);
        for (let round = 0; round < 5; round++) {
            await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
            const joiner = await connect(t, gateways[0].url); // 101, whether it came before or after the reconnect
            await redis.cli('PUBLISH', 'plenum:{lobby}', `in means in ${round}`);
            await joiner.waitFor(`in means in ${round}`);
        }
        assert.equal(listener.closing, null);
    });

    test('a_killed_subscriber_connection_comes_back', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listeners = await listen(t, gateways);
        for (let round = 0; round < 3; round++) {
            assert.ok(Number(await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')) >= 2);
            await assertFlowsAgain(t, gateways, listeners, 'lobby');
        }
    });

    test('a_killed_command_connection_comes_back', async (t) => {
        const { redis, gateways } = await startPair(t);
        const listeners = await listen(t, gateways);
        await untilItFlows(t, gateways[0].url, listeners);
        assert.ok(Number(await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')) >= 2);
        await assertFlowsAgain(t, gateways, listeners);
    });

    test('readyz_is_503_without_redis_where_it_is_told_to_be', async (t) => {
        const { redis, gateways } = await startPair(t, { args: ['--ready-needs-redis'] });
        await waitUntil('to be ready', async () => (await gateways[0].admin('/readyz')).status === 200);
        await redis.stop();
        await waitUntil('to be unready', async () => (await gateways[0].admin('/readyz')).status === 503);
        await redis.start();
        await waitUntil('to be ready again', async () => (await gateways[0].admin('/readyz')).status === 200);
    });

    test('a_gateway_that_starts_before_redis_waits_for_it', async (t) => {
        const redis = await startRedis(t);
        await redis.stop();
        const { gateways } = await startPair(t, { redis });
        await untilReadyzSays(gateways[0], 'down');
        await redis.start();
        await Promise.all(gateways.map((gateway) => untilReadyzSays(gateway, 'up')));
        const listeners = await listen(t, gateways);
        await assertFlowsAgain(t, gateways, listeners);
    });
});

describe('ways to Redis', { concurrency: true }, () => {
    /** The rights that the documentation gives to a gateway, and no more. */
    const GATEWAY_RIGHTS =
        '~plenum:* &plenum:* -@all +@connection +subscribe +unsubscribe +ssubscribe +sunsubscribe +publish +spublish ' +
        '+eval +evalsha +script|load +@read +@write -@dangerous +info +role +cluster|slots +cluster|shards +pubsub +time +wait';

    test('user_and_password', async (t) => {
        const config = [
            'user default off',
            'user admin on >admin-secret ~* &* +@all',
            `user gateway on >s3cret:@/x ${GATEWAY_RIGHTS}`,
        ];
        const redis = await startRedis(t, { config, admin: { user: 'admin', password: 'admin-secret' } });
        const url = `redis://gateway:${encodeURIComponent('s3cret:@/x')}@127.0.0.1:${redis.port}`;
        const { gateways } = await startPair(t, { redis, url });
        const members = await listen(t, gateways);
        members[0].send('let in');
        for (const member of members.slice(1)) assert.equal((await member.next()).data, 'let in');
        assert.ok(!gateways[0].program.stderr.includes('s3cret'), 'no secret in the log');
        await redis.cli('CLIENT', 'KILL', 'USER', 'gateway');
        await assertFlowsAgain(t, gateways, members);
    });

    test('a_wrong_password_is_named_in_the_log_and_readyz', async (t) => {
        const redis = await startRedis(t, { config: ['requirepass right'], admin: { user: 'default', password: 'right' } });
        const url = `redis://:wrong@127.0.0.1:${redis.port}`;
        const gateway = await startGateway(t, { args: ['--redis', url] });
        await untilReadyzSays(gateway, 'down');
        await waitUntil('the log to say why', () => /WRONGPASS|auth/i.test(gateway.program.stderr));
        assert.equal((await refusal(gateway.url)).status, 503);
    });

    test('a_unix_socket', async (t) => {
        const redis = await startRedis(t);
        const { gateways } = await startPair(t, { redis, url: `redis+unix://${redis.socketPath}` });
        const members = await listen(t, gateways);
        members[0].send('by the back door');
        for (const member of members.slice(1)) assert.equal((await member.next()).data, 'by the back door');
        await redis.stop();
        await untilReadyzSays(gateways[0], 'down');
        await redis.start();
        await assertFlowsAgain(t, gateways, members);
    });

    test('a_database_number', async (t) => {
        const redis = await startRedis(t);
        const { gateways } = await startPair(t, { redis, url: `${redis.url}/3` });
        await listen(t, gateways);
        const workers = gateways[0].workers + gateways[1].workers;
        await waitUntil('beats in database 3', async () => {
            return Number(await redis.cli('-n', 3, 'ZCARD', 'plenum:gws')) === workers;
        });
        assert.equal(await redis.cli('-n', 0, 'DBSIZE'), '0');
    });
});
