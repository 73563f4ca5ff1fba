/**
 * onopen.test.js -- onopen means in: who has seen it hears every message that anyone publishes from then on.
 *
 * All clients live in this process, so "from then on" is exact: what is sent after onopen was seen was published after it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { Counter } from '../support/counter_room.js';
import { startGateway } from '../support/gateway.js';
import { dial, frame, upgradeRequest } from '../support/raw.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { elapse, waitUntil, within } from '../support/wait.js';

/** A speaker for each room, on any of the gateways, who never stops. */
class Speaker {
    sent = -1;

    constructor(client) {
        this.client = client;
    }

    speak() {
        this.sent++;
        this.client.send(`${this.sent} on and on`);
    }
}

/**
 * Joins race the speakers of many rooms: in each room the first join of a gateway has to wait for its subscription, later
 * ones meet a room that is open, or one that its last member is just leaving.
 * @param {import('node:test').TestContext} t
 * @param {Array<import('../support/gateway.js').Gateway>} gateways
 */
async function race(t, gateways) {
    const rooms = 50;
    const rounds = scaled(20, 6);
    const stay = new Map();
    const all = [];
    const speakers = [];
    const url = (gateway, room) => `${gateways[gateway % gateways.length].url}/rooms/race-${room}`;
    for (let room = 0; room < rooms; room++) speakers.push(new Speaker(await connect(t, url(room, room))));
    onEnd(t, () => all.forEach((one) => one.socket.terminate()));

    let speaking = true;
    const speech = (async () => {
        while (speaking) {
            // In small portions, so that between two of them joins come to their onopen.
            for (let room = 0; room < rooms; room++) {
                for (let i = 0; i < 8; i++) speakers[room].speak();
                if (room % 10 === 9) await elapse(1);
            }
        }
    })();
    for (let round = 0; round < rounds; round++) {
        const joining = [];
        for (let room = 0; room < rooms; room++) {
            const joiner = new Counter(url(room + round, room), { lastSent: () => speakers[room].sent });
            joiner.room = room;
            all.push(joiner);
            joining.push(joiner.opened);
            // The one before the last goes: often he was the last one of this room on his gateway.
            const before = stay.get(room) ?? [];
            before.push(joiner);
            stay.set(room, before);
            if (before.length > 2) before.shift().leave(round % 2 === 0);
        }
        await within('joins', Promise.all(joining), 30);
    }
    speaking = false;
    await speech;
    for (const speaker of speakers) speaker.speak();
    const last = (one) => speakers[one.room].sent;
    await waitUntil('the last word to reach all who stayed', () => all.every((one) => one.left || one.closing || one.last === last(one)), {
        seconds: 30,
    });
    assert.deepEqual(all.map((one) => one.verdict(last(one))).filter((verdict) => verdict !== null), []);
    const spoken = speakers.reduce((sum, speaker) => sum + speaker.sent + 1, 0);
    t.diagnostic(`${all.length} joins in ${rooms} rooms against ${spoken} messages`);
}

describe('onopen means in', () => {
    test('a_thousand_joins_on_two_gateways_miss_nothing', async (t) => {
        const redis = await startRedis(t);
        const args = ['--redis', redis.url, '--room-linger', '0.1'];
        await race(t, await Promise.all([startGateway(t, { args }), startGateway(t, { args })]));
    });

    test('a_thousand_joins_on_four_workers_of_the_local_bus_miss_nothing', async (t) => {
        await race(t, [await startGateway(t, { workers: 4, args: ['--room-linger', '0.1'] })]);
    });

    test('what_an_admin_publishes_after_onopen_is_heard', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        for (let i = 0; i < 20; i++) {
            const client = await connect(t, `${gateway.url}/rooms/fresh-${i}`);
            assert.ok(Number(await redis.cli('PUBLISH', `plenum:{fresh-${i}}`, `hello ${i}`)) >= 1);
            assert.equal((await client.next()).data, `hello ${i}`);
        }
    });

    test('what_a_client_sends_right_behind_its_request_is_not_lost', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        const listener = await connect(t, `${gateway.url}/rooms/eager`);
        for (let i = 0; i < 20; i++) {
            const eager = await dial(t, gateway.port);
            // One segment, before the answer: the room may have to be subscribed first.
            eager.socket.write(Buffer.concat([Buffer.from(upgradeRequest('/rooms/eager')), frame(1, Buffer.from(`eager ${i}`))]));
            assert.equal((await listener.next()).data, `eager ${i}`);
        }
    });
});
