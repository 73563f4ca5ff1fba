/**
 * api.test.js -- the HTTP API on the admin port, as a program meets it: what it does, what it refuses and how.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';
import { connect } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { connectPlenum } from '../support/plenum_client.js';
import { run } from '../support/program.js';
import { dial } from '../support/raw.js';
import { startRedis } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';

const JSON_TYPE = { 'content-type': 'application/json' };

/**
 * One request. (fetch would add an Origin in its own way, and hides what is sent.)
 * @returns {Promise<{status: number, headers: http.IncomingHttpHeaders, text: string, json: any}>}
 */
function call(gateway, method, path, { headers = {}, body } = {}) {
    const answer = new Promise((resolve, reject) => {
        const request = http.request(gateway.adminUrl + path, { method, headers, agent: false }, (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (piece) => (text += piece));
            response.on('end', () => {
                const isJson = /json/.test(response.headers['content-type'] ?? '') && text;
                resolve({ status: response.statusCode, headers: response.headers, text, json: isJson ? JSON.parse(text) : null });
            });
        });
        request.on('error', reject);
        request.end(body);
    });
    return within(`${method} ${path}`, answer);
}

const publish = (gateway, room, body, headers = JSON_TYPE) => {
    return call(gateway, 'POST', `/api/rooms/${room}/messages`, { headers, body });
};

/** An answer that is a problem (RFC 9457) of that status. */
function assertProblem(answer, status, code) {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.json.status, status);
    assert.ok(answer.json.type && answer.json.title && answer.json.detail, answer.text);
    assert.equal(answer.json.code, code);
}

/** A gateway on each kind of bus. */
const BUSES = {
    redis: async (t, options = {}) => {
        const redis = await startRedis(t);
        return startGateway(t, { ...options, args: ['--redis', redis.url, ...(options.args ?? [])] });
    },
    local: (t, options) => startGateway(t, options),
};

for (const [bus, start] of Object.entries(BUSES)) {
    describe(`the HTTP API, ${bus} bus`, { concurrency: true }, () => {
        test('what_is_published_reaches_everybody_as_what_it_is', async (t) => {
            const gateway = await start(t);
            const ada = await connectPlenum(t, gateway);
            await ada.joined('lobby');
            const relay = await connect(t, `${gateway.url}/rooms/lobby`);
            const sent = [
                ['{"text": "hi"}', 'application/json; charset=utf-8', { text: 'hi' }, '{"text": "hi"}'],
                ['grüße', 'text/plain; charset=utf-8', 'grüße', 'grüße'],
                [Buffer.from([0, 255, 1]), 'application/octet-stream', { base64: 'AP8B' }, Buffer.from([0, 255, 1])],
                [Buffer.from('x'), undefined, { base64: 'eA==' }, Buffer.from('x')],
            ];
            for (const [i, [body, type]] of sent.entries()) {
                const answer = await publish(gateway, 'lobby', body, type ? { 'content-type': type } : {});
                assert.equal(answer.status, 201, answer.text);
                assert.deepEqual([answer.json.room, answer.json.offset], ['lobby', i + 1]);
                assert.equal(answer.json.epoch, ada.all('joined')[0].epoch);
            }
            await relay.waitForCount(4);
            await ada.until('all four', () => ada.all('message').length === 4);
            for (const [i, [, , data, frame]] of sent.entries()) {
                const message = ada.all('message')[i];
                assert.deepEqual([message.from, message.offset, message.data], ['api', i + 1, data]);
                assert.deepEqual(relay.messages[i].data, frame);
            }
        });

        test('nobody_has_to_be_in_the_room_and_who_comes_later_finds_it_in_the_log', async (t) => {
            const gateway = await start(t);
            assert.equal((await publish(gateway, 'empty', '"first"')).json.offset, 1);
            const ada = await connectPlenum(t, gateway);
            await ada.joined('empty', { history: 10 });
            assert.equal((await ada.waitFor('message')).data, 'first');
        });

        test('a_repeat_with_the_same_key_is_one_message', async (t) => {
            const gateway = await start(t);
            const headers = { ...JSON_TYPE, 'idempotency-key': 'order:17' };
            const first = await publish(gateway, 'lobby', '1', headers);
            const second = await publish(gateway, 'lobby', '1', headers);
            assert.deepEqual([first.status, second.status], [201, 201]);
            assert.deepEqual(second.json, { ...first.json, duplicate: true });
            assert.equal((await publish(gateway, 'lobby', '2')).json.offset, 2);
        });

        test('a_room_without_a_log_answers_without_an_offset', async (t) => {
            const gateway = await start(t, { args: ['--room-rule', 'live-* log=0'] });
            const relay = await connect(t, `${gateway.url}/rooms/live-1`);
            assert.deepEqual((await publish(gateway, 'live-1', '"x"')).json, { room: 'live-1', offset: 0, epoch: null });
            await relay.waitFor('"x"');
        });

        test('rooms_are_listed_with_prefix_and_limit', async (t) => {
            const gateway = await start(t);
            for (const room of ['b2', 'a1', 'b1', 'b3']) await connect(t, `${gateway.url}/rooms/${room}`);
            await connect(t, `${gateway.url}/rooms/b2`);
            const all = async (query) => (await call(gateway, 'GET', `/api/rooms${query}`)).json;
            await waitUntil('all members to be counted', async () => {
                const { rooms } = await all('');
                return rooms.reduce((sum, { members }) => sum + members, 0) === 5;
            });
            const { rooms, more } = await all('');
            assert.deepEqual(
                rooms.map(({ room, members }) => [room, members]),
                [
                    ['a1', 1],
                    ['b1', 1],
                    ['b2', 2],
                    ['b3', 1],
                ],
            );
            assert.equal(more, false);
            for (const { gateways } of rooms) assert.ok(gateways >= 1);
            const some = await all('?prefix=b&limit=2');
            assert.deepEqual([some.rooms.map(({ room }) => room), some.more], [['b1', 'b2'], true]);
            assert.deepEqual(await all('?prefix=zz'), { rooms: [], more: false });
        });

        test('a_room_tells_who_is_in_it_and_where_its_log_stands', async (t) => {
            const gateway = await start(t);
            assertProblem(await call(gateway, 'GET', '/api/rooms/lobby'), 404, 'no_room');
            const ada = await connectPlenum(t, gateway, { hello: { name: 'Ada "L"' } });
            await ada.joined('lobby', { info: { color: 'red' } });
            await connect(t, `${gateway.url}/rooms/lobby`);
            await ada.published('lobby', 1);
            const room = await waitUntil('both to be told of', async () => {
                const { json } = await call(gateway, 'GET', '/api/rooms/lobby');
                return json.count === 2 && json;
            });
            assert.equal(room.members.length, 1);
            const [member] = room.members;
            assert.deepEqual(
                [member.member, member.gateway, member.name, member.info],
                [ada.member, ada.welcome.gateway, 'Ada "L"', { color: 'red' }],
            );
            assert.ok(Math.abs(member.since - Date.now()) < 60_000);
            assert.deepEqual([room.room, room.epoch, room.offset, room.locked], ['lobby', ada.all('joined')[0].epoch, 1, false]);
            assert.equal(Object.values(room.gateways).reduce((a, b) => a + b), 2);
            const head = await call(gateway, 'HEAD', '/api/rooms/lobby');
            assert.deepEqual([head.status, head.text], [200, '']);
        });

        test('a_member_is_put_out_and_that_is_told_truthfully', async (t) => {
            const gateway = await start(t);
            const [ada, ben] = [await connectPlenum(t, gateway), await connectPlenum(t, gateway)];
            await ada.joined('lobby');
            await ben.joined('lobby');
            await ada.waitFor('member_joined');
            const remove = (member) => call(gateway, 'DELETE', `/api/rooms/lobby/members/${member}`);
            const gone = await remove(ben.member);
            assert.deepEqual([gone.status, gone.text, gone.headers['content-length']], [204, '', undefined]);
            assert.equal((await ben.waitFor('kicked')).reason, 'kicked');
            await ada.waitFor('member_left');
            assertProblem(await remove(ben.member), 404, 'no_member');
            assertProblem(await remove('0a1b2c3d00000001'), 404, 'no_member');
            assert.deepEqual(ada.all('kicked'), []);
        });

        test('commands_go_the_way_of_redis_cli', async (t) => {
            const gateway = await start(t);
            const ada = await connectPlenum(t, gateway, { hello: { name: 'Ada L.' } });
            await ada.joined('lobby');
            const command = (verb, fields) => {
                const body = fields && JSON.stringify(fields);
                return call(gateway, 'POST', `/api/rooms/lobby/${verb}`, { headers: fields ? JSON_TYPE : {}, body });
            };
            const muted = await command('mute', { member: ada.member });
            assert.deepEqual([muted.status, muted.json], [202, { sent: `mute room=lobby member=${ada.member}` }]);
            assert.equal((await command('lock')).status, 202);
            const late = await connectPlenum(t, gateway, { hello: { name: 'Late' } });
            await waitUntil('the lock', async () => {
                if ((await late.request('join', { room: 'lobby' })).code === 'locked') return true;
                await late.left('lobby');
                return false;
            });
            assert.equal((await call(gateway, 'GET', '/api/rooms/lobby')).json.locked, true);
            assert.equal((await command('unlock')).status, 202);
            assert.deepEqual((await command('ban', { user: 'Ada L.', for: 60 })).json, {
                sent: 'ban room=lobby user=Ada%20L. for=60',
            });
            assert.equal((await ada.waitFor('kicked')).reason, 'banned');
            await waitUntil('the ban', async () => (await ada.request('join', { room: 'lobby' })).code === 'banned');
            assert.equal((await command('unban', { user: 'Ada L.' })).status, 202);
            await waitUntil('its end', async () => (await ada.request('join', { room: 'lobby' })).type === 'joined');
            assert.equal((await command('end')).status, 202);
            assert.equal((await ada.waitFor('kicked', ({ reason }) => reason === 'ended')).room, 'lobby');
        });

        test('gateways_are_listed_with_all_that_they_report', async (t) => {
            const gateway = await start(t, { args: ['--pod', '007'] });
            await connect(t, gateway.url);
            const gateways = await waitUntil('the reports', async () => {
                const { json } = await call(gateway, 'GET', '/api/gateways');
                const sum = json.gateways.reduce((total, one) => total + one.connections, 0);
                return json.gateways.length === gateway.workers && sum === 1 && json.gateways;
            });
            for (const one of gateways) {
                assert.match(one.gateway, /^[0-9a-f]{8}$/);
                assert.deepEqual([one.pod, one.state], ['007', 'up']);
                assert.ok(one.address && one.version && one.started > 0);
                assert.equal(one.claim, undefined);
            }
            assertProblem(await call(gateway, 'POST', '/api/gateways/ffffffff/drain'), 404, 'no_gateway');
        });

        test('a_gateway_is_drained', async (t) => {
            const gateway = await start(t, { workers: 1 });
            const client = await connect(t, gateway.url);
            const [{ gateway: id }] = await waitUntil('it to be listed', async () => {
                const { json } = await call(gateway, 'GET', '/api/gateways');
                return json.gateways.length === 1 && json.gateways;
            });
            const path = `/api/gateways/${id}/drain`;
            const answer = await call(gateway, 'POST', path, { headers: JSON_TYPE, body: '{"over":1}' });
            assert.deepEqual([answer.status, answer.json], [202, { sent: 'drain over=1' }]);
            assert.equal((await within('it to be sent away', client.closed)).code, 1012);
            assert.equal((await within('its end', gateway.exited)).code, 0);
            gateway.signal('SIGTERM'); // it was told to end: only its harness does not know yet
        });
    });
}

describe('what the HTTP API refuses', { concurrency: true }, () => {
    test('each_refusal_is_a_problem', async (t) => {
        const gateway = await startGateway(t, { args: ['--max-message', '1000'] });
        const cases = [
            [404, 'GET', '/api'],
            [404, 'GET', '/api/nothing'],
            [404, 'POST', '/api/rooms/lobby/dance'],
            [400, 'GET', '/api/rooms/@x'],
            [400, 'GET', '/api/rooms?limit=0'],
            [400, 'DELETE', '/api/rooms/lobby/members/me'],
            [400, 'POST', '/api/gateways/me/drain'],
            [405, 'DELETE', '/api/rooms/lobby'],
            [405, 'GET', '/api/rooms/lobby/messages'],
            [405, 'POST', '/api/rooms', 'x'],
            [413, 'GET', '/api/rooms', 'x', { 'content-length': '1' }],
            [400, 'POST', '/api/rooms/lobby/messages', '{"a":}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/messages', '1 2', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/messages', '', { ...JSON_TYPE, 'content-length': '0' }],
            [400, 'POST', '/api/rooms/lobby/messages', Buffer.from([0x22, 0xff, 0x22]), JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/messages', Buffer.from([0xff]), { 'content-type': 'text/plain' }],
            [400, 'POST', '/api/rooms/lobby/messages', '1', { ...JSON_TYPE, 'idempotency-key': 'a b' }],
            [400, 'POST', '/api/rooms/lobby/messages', '1', { ...JSON_TYPE, 'idempotency-key': 'x'.repeat(65) }],
            [413, 'POST', '/api/rooms/lobby/messages', 'x'.repeat(1001)],
            [413, 'POST', '/api/rooms/lobby/messages', 'x'.repeat(1001), { 'transfer-encoding': 'chunked' }],
            [413, 'POST', '/api/rooms/lobby/kick', ' '.repeat(5000), JSON_TYPE],
            [415, 'POST', '/api/rooms/lobby/kick', 'user=Ada', { 'content-type': 'application/x-www-form-urlencoded' }],
            [400, 'POST', '/api/rooms/lobby/kick', '{}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/kick', '[]', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/kick', '{"user":1}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/kick', '{"user":"a","member":"0a1b2c3d00000001"}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/kick', '{"user":"a","for":5}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/ban', '{"member":"0a1b2c3d00000001"}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/ban', '{"user":"a","for":1.5}', JSON_TYPE],
            [400, 'POST', '/api/rooms/lobby/lock', '{"user":"a"}', JSON_TYPE],
            [403, 'GET', '/api/rooms', undefined, { origin: 'https://evil.example' }],
            [403, 'POST', '/api/rooms/lobby/messages', 'x', { origin: 'null' }],
            [403, 'GET', '/api/rooms', undefined, { host: 'rebound.example:8001' }],
        ];
        for (const [status, method, path, body, headers = {}] of cases) {
            const answer = await call(gateway, method, path, { headers, body });
            assert.equal(answer.status, status, `${method} ${path} ${String(body).slice(0, 40)}: ${answer.text}`);
            assertProblem(answer, status, undefined);
            assert.equal(answer.headers['access-control-allow-origin'], undefined);
            if (status === 405) assert.ok(answer.headers.allow);
        }
        assert.deepEqual((await call(gateway, 'GET', '/api/rooms')).json, { rooms: [], more: false }, 'nothing was done');
    });

    test('a_post_without_a_length_is_411', async (t) => {
        const gateway = await startGateway(t);
        const raw = await dial(t, gateway.adminPort);
        raw.socket.write('POST /api/rooms/lobby/messages HTTP/1.1\r\nHost: localhost\r\n\r\n');
        await raw.waitForText('\r\n\r\n');
        assert.match(raw.received.toString(), /^HTTP\/1\.1 411 Length Required\r\n/);
    });

    test('a_token_is_asked_for_where_one_is_set', async (t) => {
        const gateway = await startGateway(t, { args: ['--log-level', 'debug'], env: { PLENUM_ADMIN_TOKEN: 's3cret-t0ken' } });
        const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
        const refused = await call(gateway, 'GET', '/api/rooms');
        assertProblem(refused, 401, undefined);
        assert.match(refused.headers['www-authenticate'], /^Bearer /);
        for (const token of ['', 's3cret', 's3cret-t0kem', 's3cret-t0ken1']) {
            assert.equal((await call(gateway, 'GET', '/api/rooms', bearer(token))).status, 401, token);
        }
        assert.equal((await call(gateway, 'GET', '/api/rooms', bearer('s3cret-t0ken'))).status, 200);
        const publishing = { headers: { ...JSON_TYPE }, body: '1' };
        assert.equal((await call(gateway, 'POST', '/api/rooms/lobby/messages', publishing)).status, 401);
        for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal((await gateway.admin(path)).status, 200);
        const { json } = await call(gateway, 'GET', '/api/rooms', bearer('s3cret-t0ken'));
        assert.deepEqual(json.rooms, [], 'what came without a token was not published');
        assert.ok(!gateway.program.stderr.includes('s3cret'), 'it is in no log');
    });

    test('a_large_body_is_taken_after_100_continue', async (t) => {
        const gateway = await startGateway(t, { args: ['--max-message', '4m'] });
        const curl = await run('curl', [
            '-sv', '-H', 'Content-Type: text/plain', '-H', 'Expect: 100-continue', '--data-binary', 'x'.repeat(100_000),
            `${gateway.adminUrl}/api/rooms/lobby/messages`,
        ]);
        assert.match(curl.stderr, /< HTTP\/1\.1 100 Continue/);
        assert.equal(JSON.parse(curl.stdout).offset, 1);
        const raw = await dial(t, gateway.adminPort);
        raw.socket.write('POST /api/rooms/lobby/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n');
        await raw.waitForText('\r\n\r\n');
        assert.match(raw.received.toString(), /^HTTP\/1\.1 413 /, 'and what is too large is refused before it comes');
    });

    test('a_body_that_does_not_come_is_408', async (t) => {
        const gateway = await startGateway(t);
        const raw = await dial(t, gateway.adminPort);
        raw.socket.write('POST /api/rooms/lobby/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
        await raw.waitForText('\r\n\r\n');
        assert.match(raw.received.toString(), /^HTTP\/1\.1 408 /);
    });

    test('a_client_that_goes_away_harms_nobody', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        await publish(gateway, 'lobby', '1');
        redis.hang();
        for (let i = 0; i < 50; i++) {
            const raw = await dial(t, gateway.adminPort);
            raw.socket.write('GET /api/rooms HTTP/1.1\r\nHost: localhost\r\n\r\n');
            if (i % 2) raw.socket.destroy();
        }
        redis.wake();
        await waitUntil('the API to answer again', async () => (await call(gateway, 'GET', '/api/rooms')).status === 200);
    });

    test('without_redis_it_says_whether_it_was_published', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        assert.equal((await publish(gateway, 'lobby', '1')).status, 201);
        await redis.stop();
        await waitUntil('the gateway to notice', async () => /"down"/.test((await gateway.admin('/readyz')).body));
        const lost = await publish(gateway, 'lobby', '2');
        assertProblem(lost, 503, 'unavailable');
        assert.equal(lost.headers['retry-after'], '1');
        assertProblem(await call(gateway, 'GET', '/api/rooms/lobby'), 503, 'unavailable');
        await redis.start();
        await waitUntil('it to publish again', async () => (await publish(gateway, 'lobby', '3')).status === 201);
    });

    test('a_gateway_that_ends_says_that_it_could_not', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url, '--drain', '0'] });
        assert.equal((await publish(gateway, 'lobby', '1')).status, 201);
        redis.hang();
        const answers = ['lobby', 'lobby', 'other'].map((room) => publish(gateway, room, '2').catch((error) => error.code));
        await waitUntil('them to be under way', async () => (await gateway.metric('plenum_bus_pending_bytes')) > 0);
        gateway.signal('SIGTERM');
        assert.deepEqual(await within('the gateway to end', gateway.exited), { code: 0, signal: null });
        for (const answer of await Promise.all(answers)) assertProblem(answer, 503, 'uncertain');
        redis.wake();
    });

    test('requests_during_the_end_of_a_gateway_are_answered_or_cut_off_and_nothing_breaks', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url, '--drain', '1'], workers: 3 });
        const statuses = new Set();
        let over = false;
        const hammer = async (i) => {
            while (!over) {
                const path = ['/api/rooms', '/api/rooms/lobby', '/api/gateways'][i % 3];
                const asked = i % 2 ? publish(gateway, 'lobby', '1') : call(gateway, 'GET', path);
                statuses.add(await asked.then(({ status }) => status).catch(() => 'cut off'));
            }
        };
        const hammers = Array.from({ length: 12 }, (_, i) => hammer(i));
        await waitUntil('them to be served', () => statuses.has(201) && statuses.has(200));
        gateway.signal('SIGTERM');
        assert.deepEqual(await within('the gateway to end', gateway.exited), { code: 0, signal: null });
        over = true;
        await Promise.all(hammers);
        for (const status of statuses) assert.ok([200, 201, 404, 503, 'cut off'].includes(status), String(status));
    });

    test('requests_are_counted_by_status', async (t) => {
        const gateway = await startGateway(t);
        await publish(gateway, 'lobby', '1');
        await call(gateway, 'GET', '/api/rooms/nowhere');
        const metrics = await gateway.metrics();
        assert.equal(metrics.get('plenum_api_requests_total', { status: '201' }), 1);
        assert.equal(metrics.get('plenum_api_requests_total', { status: '404' }), 1);
        assert.equal(metrics.get('plenum_api_requests_total', { status: '200' }), 0);
    });
});
