/**
 * plenum_replay.test.js -- a client that comes back to many rooms at once, and reads slowly: it gets all of them, and the
 * gateway holds little of it at a time.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startGateway } from '../support/gateway.js';
import { connectPlenum } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { sanitizer, scaled } from '../support/scale.js';
import { waitUntil } from '../support/wait.js';

const MIB = 1 << 20;
const ROOMS = scaled(40, 10);
const MESSAGES = 20;
const SIZE = 50_000;

/** Everything that is kept of the rooms: more than a connection may have waiting (16 MiB). */
async function fillRooms(t, gateway) {
    const speaker = await connectPlenum(t, gateway, { keep: false });
    const epochs = [];
    for (let room = 0; room < ROOMS; room++) {
        epochs.push((await speaker.joined(`room-${room}`)).epoch);
        const acks = Array.from({ length: MESSAGES }, () => speaker.published(`room-${room}`, 'x'.repeat(SIZE)));
        await Promise.all(acks);
    }
    await speaker.close();
    return epochs;
}

async function comeBack(t, gateway) {
    const epochs = await fillRooms(t, gateway);
    const before = gateway.rss();
    const client = await connectPlenum(t, gateway);
    client.socket.pause();
    const joins = epochs.map((epoch, room) => client.request('join', { room: `room-${room}`, resume: { epoch, offset: 0 } }));
    const held = await waitQuiet(gateway);
    client.socket.resume();
    const replies = await Promise.all(joins);
    assert.ok(replies.every(({ recovered }) => recovered === true));
    await client.until('everything', () => client.all('message').length === ROOMS * MESSAGES, 60);
    for (let room = 0; room < ROOMS; room++) {
        const offsets = client.all('message').filter((message) => message.room === `room-${room}`).map(({ offset }) => offset);
        assert.deepEqual(offsets, Array.from({ length: MESSAGES }, (_, i) => i + 1), `room-${room}`);
    }
    assert.deepEqual(client.faults, []);
    assert.equal(client.closing, null, 'it was never too slow');
    const grown = (gateway.rss() - before) / MIB;
    t.diagnostic(`${((ROOMS * MESSAGES * SIZE) / MIB).toFixed(0)} MiB to replay: ${(held / MIB).toFixed(1)} waited, memory grew by ${grown.toFixed(1)} MiB`);
    assert.ok(held < 12 * MIB, `${held} bytes waited for one client`);
    if (!sanitizer) assert.ok(grown < 64, `it grew by ${grown} MiB`);
}

/** What waits for the client, once it does not grow any more. */
async function waitQuiet(gateway) {
    let [before, same] = [-1, 0];
    const looked = async () => {
        const now = await gateway.metric('plenum_outbox_bytes');
        same = now === before ? same + 1 : 0;
        before = now;
        return same === 5;
    };
    await waitUntil('no more to wait for the client', looked, { everyMs: 50 });
    return before;
}

describe('a return to many rooms', () => {
    test('a_slow_client_gets_the_replays_of_all_its_rooms', async (t) => {
        await comeBack(t, await startGateway(t, { workers: 1 }));
    });

    test('with_redis_too', async (t) => {
        const redis = await startRedis(t);
        await comeBack(t, await startGateway(t, { workers: 1, args: ['--redis', redis.url] }));
    });
});
