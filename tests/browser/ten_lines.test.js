/**
 * ten_lines.test.js -- the plainest client there is, in a real browser: ten lines, two pages, two gateways, one Redis.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { openPage, servePage, startBrowser } from '../support/browser.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';

const TEN_LINES = new URL('ten_lines.html', import.meta.url);

/** Waits until the page's log fulfils the condition, a function of the browser's. */
function untilLog(page, condition, argument) {
    return page.waitForFunction(condition, argument);
}

/* In the page, `log` and `send` are the ten lines' own. */
/* global log, send, ws */

describe('the ten-line client', () => {
    test('what_one_page_sends_the_other_hears_whichever_gateway_each_is_on', async (t) => {
        const redis = await startRedis(t);
        const args = ['--redis', redis.url, '--drain', '1'];
        const gateways = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
        const html = await readFile(TEN_LINES, 'utf8');
        const browser = await startBrowser(t);
        const pages = [];
        for (const gateway of gateways) {
            const { page, complaints } = await openPage(browser);
            await page.goto(await servePage(t, html.replace('PORT', gateway.port)));
            await untilLog(page, () => log.includes('open'));
            assert.deepEqual(complaints, []);
            pages.push(page);
        }
        const [one, other] = pages;
        const long = 'long '.repeat(20_000);
        await one.evaluate((text) => {
            send('Grüße 😀');
            send('');
            send(text);
        }, long);
        await untilLog(other, () => log.length === 4);
        assert.deepEqual(await other.evaluate(() => log), ['open', 'Grüße 😀', '', long]);
        await other.evaluate(() => send('and back'));
        await untilLog(one, () => log.length === 2);
        assert.deepEqual(await one.evaluate(() => log), ['open', 'and back'], 'nobody hears himself');

        await redis.cli('PUBLISH', 'plenum:{lobby}', 'from redis-cli');
        for (const page of pages) await untilLog(page, () => log.at(-1) === 'from redis-cli');
        assert.match(await one.evaluate(() => ws.extensions), /permessage-deflate/, 'a browser gets what it offers');

        await gateways[0].stop('SIGTERM');
        await untilLog(one, () => log.at(-1) === 'closed 1012');
        assert.equal(await other.evaluate(() => log.at(-1)), 'from redis-cli', 'the other stays');
    });

    test('binary_messages_are_blobs_and_array_buffers', async (t) => {
        const gateway = await startGateway(t);
        const browser = await startBrowser(t);
        const { page, complaints } = await openPage(browser);
        await page.goto(await servePage(t, '<!doctype html>'));
        const heard = await page.evaluate(async (url) => {
            const open = (socket) => new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
            const [sender, blobs, buffers] = [new WebSocket(url), new WebSocket(url), new WebSocket(url)];
            buffers.binaryType = 'arraybuffer';
            await Promise.all([sender, blobs, buffers].map(open));
            const message = (socket) => new Promise((resolve) => (socket.onmessage = (event) => resolve(event.data)));
            const answers = Promise.all([message(blobs), message(buffers)]);
            sender.send(new Uint8Array([0, 255, 128, 1]));
            const [blob, buffer] = await answers;
            return [[...new Uint8Array(await blob.arrayBuffer())], [...new Uint8Array(buffer)]];
        }, gateway.url);
        assert.deepEqual(heard, [
            [0, 255, 128, 1],
            [0, 255, 128, 1],
        ]);
        assert.deepEqual(complaints, []);
    });
});
