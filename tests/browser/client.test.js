/**
 * client.test.js -- the JavaScript client where it belongs: in a browser, with the browser's own WebSocket.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { openPage, servePage, startBrowser } from '../support/browser.js';
import { startFakePlenum } from '../support/fake_plenum.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';

const CLIENT = new URL('../../gateway/web/client/plenum.js', import.meta.url);

/* In the page: */
/* global client, room, heard, sockets */

/**
 * In the page: connects and joins. It leaves `client`, `room`, `heard` and `sockets` behind for the test.
 * @param {{module: string, url?: string, name: string}} wanted
 */
async function joinInPage({ module, url, name }) {
    const { connect } = await import(module);
    const opened = [];
    class Watched extends WebSocket {
        constructor(...args) {
            super(...args);
            opened.push(this);
        }
    }
    const connection = connect(url, { name, WebSocket: Watched });
    const joined = await connection.join('lobby', { info: { from: 'a browser' } });
    const messages = [];
    joined.on('message', ({ offset, data }) => messages.push([offset, data]));
    Object.assign(window, { client: connection, room: joined, heard: messages, sockets: opened });
    return joined.member;
}

describe('the JavaScript client in a browser', () => {
    test('speaks_to_a_server_and_comes_back_without_losing_anything', async (t) => {
        const fake = await startFakePlenum(t);
        const browser = await startBrowser(t);
        const { page, complaints } = await openPage(browser);
        await page.goto(await servePage(t, '<!doctype html>'));
        const source = await readFile(CLIENT, 'utf8');
        const module = await page.evaluate((text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), source);
        const member = await page.evaluate(joinInPage, { module, url: fake.url, name: 'Ada' });
        assert.equal(fake.room('lobby').members.get(member).member.name, 'Ada');

        fake.say('lobby', 'one');
        assert.deepEqual(await page.evaluate(() => room.publish({ text: 'Grüße 😀' })), { offset: 2 });
        assert.deepEqual(fake.room('lobby').log[1].data, { text: 'Grüße 😀' });
        fake.connections[0].terminate();
        await waitUntil('the loss', () => fake.room('lobby').members.size === 0);
        fake.say('lobby', 'three');
        fake.say('lobby', 'four');
        await page.waitForFunction(() => heard.length === 3);
        assert.deepEqual(await page.evaluate(() => heard), [[1, 'one'], [3, 'three'], [4, 'four']]);

        const media = page.evaluate(() => new Promise((resolve) => client.on('media', ({ data }) => resolve([...new Uint8Array(data)]))));
        await page.evaluate(() => client.sendMedia(new Uint8Array([1, 2, 3])));
        await waitUntil('the frame', () => fake.connections[1].requests.some(Buffer.isBuffer));
        fake.connections[1].send(Buffer.from([4, 5]));
        assert.deepEqual(await media, [4, 5]);
        assert.deepEqual(complaints, []);
    });

    test('comes_from_the_gateway_and_finds_it_by_itself', async (t) => {
        const redis = await startRedis(t);
        const args = ['--redis', redis.url];
        const gateways = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
        const browser = await startBrowser(t);
        const opened = [];
        for (const [i, gateway] of gateways.entries()) {
            const one = await openPage(browser);
            await one.page.goto(gateway.httpUrl);
            await one.page.evaluate(joinInPage, { module: '/client/plenum.js', name: ['Ada', 'Bob'][i] });
            opened.push(one);
        }
        const [ada, bob] = opened.map(({ page }) => page);
        await ada.waitForFunction(() => room.members.size === 2);
        await ada.evaluate(() => room.publish('hello'));
        await bob.waitForFunction(() => heard.length === 1);

        // A connection that ends in the middle of a talk: what was said meanwhile comes after it, once.
        for (let i = 0; i < 5; i++) {
            await bob.waitForFunction(() => room.state === 'joined');
            await bob.evaluate(() => sockets.at(-1).close());
            await ada.evaluate((data) => room.publish(data), `while away ${i}`);
        }
        await bob.waitForFunction(() => heard.length === 6 && room.state === 'joined');
        await bob.evaluate(() => room.publish('back'));
        await ada.waitForFunction(() => heard.length === 1);
        const data = (page) => page.evaluate(() => heard.map(([, one]) => one));
        assert.deepEqual(await data(bob), ['hello', ...[0, 1, 2, 3, 4].map((i) => `while away ${i}`)]);
        assert.deepEqual(await data(ada), ['back']);
        await Promise.all([ada, bob].map((page) => page.waitForFunction(() => room.members.size === 2)));
        for (const { complaints } of opened) assert.deepEqual(complaints, []);
    });
});
