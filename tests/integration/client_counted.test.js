/**
 * client_counted.test.js -- the JavaScript client and members that stand in no list: relay connections are counted only.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { connect } from '../../gateway/web/client/plenum.js';
import { onEnd } from '../support/cleanup.js';
import { connect as connectRelay } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { waitUntil } from '../support/wait.js';

test('a_relay_connection_that_comes_and_goes_changes_the_count_and_not_the_list', async (t) => {
    const gateway = await startGateway(t);
    const connections = [0, 1].map(() => connect(gateway.url, { WebSocket }));
    onEnd(t, () => connections.forEach((connection) => connection.close()));
    const [room] = await Promise.all(connections.map((connection) => connection.join('mixed')));
    await waitUntil('both to be listed', () => room.members.size === 2);
    const left = [];
    room.on('leave', (member) => left.push(member));
    const relay = await connectRelay(t, `${gateway.url}/rooms/mixed`);
    await waitUntil('three to be counted', () => room.count === 3);
    assert.equal(room.members.size, 2);
    relay.terminate();
    await waitUntil('two to be counted', () => room.count === 2);
    assert.equal(room.members.size, 2);
    assert.deepEqual(left, []);
});
