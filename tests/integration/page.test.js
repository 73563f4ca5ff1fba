/**
 * page.test.js -- what the public port gives to plain HTTP: the page, and honest refusals.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusal } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { dial } from '../support/raw.js';
import { within } from '../support/wait.js';

describe('the public port over plain HTTP', { concurrency: true }, () => {
    test('the_page_is_html_with_a_strict_policy', async (t) => {
        const gateway = await startGateway(t);
        const response = await fetch(gateway.httpUrl);
        assert.equal(response.status, 200);
        assert.match(response.headers.get('content-type'), /^text\/html; ?charset=utf-8$/i);
        assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
        const policy = response.headers.get('content-security-policy');
        assert.match(policy, /default-src 'none'|default-src 'self'/);
        assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|\*/);
        const html = await response.text();
        assert.match(html, /^<!doctype html>/i);
        assert.match(html, /<html lang="/);
    });

    test('everything_that_the_page_names_is_there', async (t) => {
        const gateway = await startGateway(t);
        const html = await (await fetch(gateway.httpUrl)).text();
        const names = [...html.matchAll(/\b(?:src|href)="([^"#]+)"/g)].map((match) => match[1]);
        for (const name of names.filter((one) => !/^[a-z]+:/.test(one))) {
            const response = await fetch(new URL(name, gateway.httpUrl));
            assert.equal(response.status, 200, name);
            if (name.endsWith('.js')) assert.match(response.headers.get('content-type'), /javascript/);
        }
    });

    test('head_is_get_without_the_body', async (t) => {
        const gateway = await startGateway(t);
        const [get, head] = await Promise.all([fetch(gateway.httpUrl), fetch(gateway.httpUrl, { method: 'HEAD' })]);
        assert.equal(head.status, 200);
        const body = Buffer.from(await get.arrayBuffer());
        assert.equal(Number(head.headers.get('content-length')), body.length);
        assert.equal(await head.text(), '');
        for (const name of ['content-type', 'content-security-policy']) {
            assert.equal(head.headers.get(name), get.headers.get(name));
        }
    });

    test('other_paths_are_404', async (t) => {
        const gateway = await startGateway(t);
        for (const path of ['/nothing', '/index.htm', '/favicon.icon', '/../etc/passwd', '/%2e%2e/etc/passwd', '/rooms']) {
            assert.equal((await fetch(gateway.httpUrl + path)).status, 404, path);
        }
        for (const path of ['/nothing', '/rooms', '/rooms/', '/rooms/a/b', '/rooms/@reserved', '/rooms/a%20b', `/rooms/${'a'.repeat(165)}`]) {
            const { status } = await refusal(gateway.url + path);
            assert.ok(status === 404 || status === 400, `WebSocket ${path}: ${status}`);
        }
    });

    test('a_room_without_an_upgrade_asks_for_one', async (t) => {
        const gateway = await startGateway(t);
        const response = await fetch(`${gateway.httpUrl}/rooms/lobby`);
        assert.equal(response.status, 426);
        assert.match(response.headers.get('upgrade') ?? '', /websocket/i);
    });

    test('an_unknown_version_is_told_ours', async (t) => {
        const gateway = await startGateway(t);
        const connection = await dial(t, gateway.port);
        connection.socket.write(
            'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                'Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
        );
        await connection.waitForText('\r\n\r\n');
        const head = connection.collect().toString('latin1');
        assert.match(head, /^HTTP\/1\.1 426 /);
        assert.match(head, /\r\nsec-websocket-version: 13\r\n/i);
    });

    test('other_methods_are_405_with_allow', async (t) => {
        const gateway = await startGateway(t);
        for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
            const response = await fetch(gateway.httpUrl, { method });
            assert.equal(response.status, 405, method);
            assert.match(response.headers.get('allow') ?? '', /GET/);
        }
    });

    test('several_requests_go_over_one_connection', async (t) => {
        const gateway = await startGateway(t);
        const connection = await dial(t, gateway.port);
        const request = 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n';
        connection.socket.write(request);
        await connection.waitForText('HTTP/1.1 404');
        if (/connection: close/i.test(connection.collect().toString('latin1'))) {
            await within('the announced close', connection.finished);
            return;
        }
        connection.socket.write(request);
        await connection.waitForBytes((bytes) => bytes.toString('latin1').split('HTTP/1.1 404').length === 3, 'a second answer');
    });
});
