/**
 * client_rejoin.test.js -- the JavaScript client joins a room, leaves it before the answer, and joins it again, over a slow
 * network and with a server that takes its time: the leave that follows the first join must not undo the second.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Connection } from '../../gateway/web/client/plenum.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { connectPlenum } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { elapse, waitUntil, within } from '../support/wait.js';

const ONE_WAY_MS = 200;

/** What is sent and what comes takes its time. */
class Far extends WebSocket {
    send(data) {
        elapse(ONE_WAY_MS).then(() => this.readyState === WebSocket.OPEN && super.send(data));
    }

    set onmessage(listener) {
        this.addEventListener('message', ({ data }) => elapse(ONE_WAY_MS).then(() => listener({ data })));
    }
}

test('a_room_that_was_left_before_it_was_joined_can_be_joined_at_once', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startGateway(t, { args: ['--redis', redis.url] });
    const other = await connectPlenum(t, gateway);
    const connection = new Connection(gateway.url, { WebSocket: Far, random: () => 0.5 });
    onEnd(t, () => connection.close());
    await waitUntil('the connection', () => connection.state === 'online');
    redis.hang();
    const first = connection.join('stage').catch(({ code }) => code);
    await connection.rooms[0].leave();
    assert.equal(await first, 'left');
    const second = connection.join('stage');
    await elapse(3 * ONE_WAY_MS);
    redis.wake();
    const room = await within('the second join', second);
    const heard = [];
    room.on('message', ({ data }) => heard.push(data));
    await elapse(5 * ONE_WAY_MS); // whatever is still on its way
    await other.joined('stage');
    await other.published('stage', 'hello');
    await waitUntil('the message', () => heard.length > 0);
    await room.publish('and hello');
    assert.deepEqual(heard, ['hello']);
});
