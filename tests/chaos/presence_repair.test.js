/**
 * presence_repair.test.js -- an admin removes keys of presence amid traffic: who comes sees everybody all the same, and
 * nobody who stays is told gone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEnd } from '../support/cleanup.js';
import { connectMembers } from '../support/plenum_client.js';
import { startGateway } from '../support/gateway.js';
import { watchRoom } from '../support/presence_watch.js';
import { startRedis } from '../support/redis.js';
import { elapse, waitUntil } from '../support/wait.js';

const ROOM = 'assembly';

test('keys_of_presence_that_an_admin_removes_are_there_again', { concurrency: true }, async (t) => {
    const redis = await startRedis(t);
    const start = () => startGateway(t, { args: ['--redis', redis.url] });
    const gateways = await Promise.all([start(), start(), start()]);
    const [first, second, third] = gateways;
    const members = await connectMembers(t, 6, (i) => gateways[i % 2], ROOM, { keep: false });
    const watchers = [await watchRoom(t, first, ROOM), await watchRoom(t, second, ROOM)];
    const all = members.length + watchers.length;
    for (const watcher of watchers) await waitUntil('a watcher to know all', () => watcher.members.size === all);
    let said = 0;
    const talk = setInterval(() => void members[0].request('publish', { room: ROOM, data: ++said }), 200);
    onEnd(t, () => clearInterval(talk));

    const lists = await redis.cliLines('KEYS', `plenum:{${ROOM}}:m:*`);
    assert.equal(lists.length, 2);
    await redis.cli('DEL', lists[0], `plenum:{${ROOM}}:gws`);
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await elapse(500);
    const late = await watchRoom(t, third, ROOM);
    await waitUntil('who comes to know all', () => late.members.size === all + 1, { seconds: 25 });
    for (const watcher of watchers) await waitUntil('the others to know all', () => watcher.members.size === all + 1);
    for (const { departures } of [...watchers, late]) assert.deepEqual(departures, []);
});
