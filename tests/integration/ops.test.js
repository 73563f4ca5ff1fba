/**
 * ops.test.js -- probes, metrics, logs and the command line, as an operator meets them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, connectMany, refusal } from '../support/client.js';
import { Gateway, gatewayBinary, startGateway } from '../support/gateway.js';
import { Metrics } from '../support/metrics.js';
import { run } from '../support/program.js';
import { startRedis } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';

describe('the admin port', { concurrency: true }, () => {
    test('healthz_and_readyz_are_200', async (t) => {
        const gateway = await startGateway(t);
        for (const path of ['/healthz', '/readyz']) {
            assert.equal((await gateway.admin(path)).status, 200, path);
            const head = await fetch(gateway.adminUrl + path, { method: 'HEAD' });
            assert.equal(head.status, 200, `HEAD ${path}`);
        }
        assert.equal((await gateway.admin('/nothing')).status, 404);
        const posted = await fetch(`${gateway.adminUrl}/healthz`, { method: 'POST' });
        assert.equal(posted.status, 405);
    });

    test('the_public_port_has_no_metrics_and_the_admin_port_no_websockets', async (t) => {
        const gateway = await startGateway(t);
        for (const path of ['/metrics', '/healthz', '/readyz']) {
            assert.equal((await fetch(gateway.httpUrl + path)).status, 404, path);
        }
        assert.notEqual((await refusal(`ws://127.0.0.1:${gateway.adminPort}/`)).status, 101);
    });

    test('metrics_are_prometheus_text_with_help_and_type', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        const response = await gateway.admin('/metrics');
        assert.equal(response.status, 200);
        assert.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
        const metrics = new Metrics(response.body);
        assert.ok(metrics.samples.length > 30);
        for (const { name } of metrics.samples) {
            const family = metrics.types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
            assert.ok(metrics.types.has(family), `${name} has a TYPE`);
            assert.ok(metrics.help.get(family), `${name} has a HELP`);
            assert.match(name, /^(plenum|process)_/);
            if (metrics.types.get(family) === 'counter') assert.match(name, /_total$/);
            assert.doesNotMatch(family, /_(ms|milliseconds|kb|kib|mb)(_|$)/, 'base units: seconds and bytes');
        }
    });

    test('metrics_move', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        const members = await connectMany(t, 3, (i) => `${gateway.url}/rooms/${i ? 'counted' : 'other'}`);
        for (let i = 0; i < 10; i++) members[1].send('0123456789');
        await members[2].waitForCount(10);
        await connect(t, gateway.url).then((client) => client.close());
        await refusal(`${gateway.url}/nothing`);
        await waitUntil('the metrics to tell of it', async () => {
            const metrics = await gateway.metrics();
            const expected = {
                plenum_connections: 3,
                plenum_members: 3,
                plenum_messages_received_total: 10,
                plenum_received_bytes_total: 100,
                plenum_deliveries_total: 10,
                plenum_upgrades_total: 4,
                plenum_bus_up: 1,
            };
            for (const [name, value] of Object.entries(expected)) assert.equal(metrics.get(name), value, name);
            assert.ok(metrics.get('plenum_rooms') >= 2);
            assert.ok(metrics.get('plenum_sent_bytes_total') >= 120);
            assert.equal(metrics.get('plenum_closes_total', { code: '1000' }), 1);
            assert.equal(metrics.get('plenum_http_responses_total', { status: '404' }), 1);
            assert.equal(metrics.get('plenum_publish_to_deliver_seconds_bucket', { le: '+Inf' }), 10);
            assert.equal(metrics.get('plenum_publish_to_deliver_seconds_count'), 10);
            return true;
        });
    });

    test('readyz_tells_the_state_of_redis', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url] });
        await waitUntil('redis to be up', async () => /redis"?\s*[:=]\s*"?up/.test((await gateway.admin('/readyz')).body));
    });
});

describe('the command line', { concurrency: true }, () => {
    /** Runs the gateway's binary to its end. */
    const plenum = (...args) => run(gatewayBinary, args);

    test('help_and_version_end_with_0', async () => {
        const help = await plenum('--help');
        assert.equal(help.ended.code, 0);
        for (const flag of ['--listen', '--admin', '--redis', '--workers', '--max-message', '--drain', '--log-format']) {
            assert.ok(help.stdout.includes(flag), flag);
        }
        assert.equal(help.stderr, '');
        const version = await plenum('--version');
        assert.equal(version.ended.code, 0);
        assert.match(version.stdout, /^plenum \d+\.\d+\.\d+/);
    });

    for (const [what, ...args] of [
        ['an_unknown_flag', '--no-such-flag'],
        ['a_number_out_of_range', '--workers', '0'],
        ['no_number', '--max-message', 'many'],
        ['a_missing_value', '--listen'],
        ['a_bad_address', '--listen', 'somewhere'],
        ['a_bad_url', '--redis', 'http://localhost'],
        ['a_bad_prefix', '--redis-prefix', 'a{b}'],
        ['a_stray_word', 'start'],
    ]) {
        test(`${what}_is_one_line_and_exit_2`, async () => {
            const { ended, stderr, stdout } = await plenum(...args);
            assert.equal(ended.code, 2, stderr);
            assert.match(stderr, /^[^\n]+\n$/, 'one line');
            assert.equal(stdout, '');
        });
    }

    test('a_port_in_use_is_said_and_ends_the_start', async (t) => {
        const gateway = await startGateway(t);
        const listen = `127.0.0.1:${gateway.adminPort}`;
        const second = await plenum('--listen', '127.0.0.1:0', '--admin', listen);
        assert.ok(second.ended.code > 0, JSON.stringify(second.ended));
        assert.match(second.stderr, new RegExp(String(gateway.adminPort)));
    });

    test('a_setting_can_come_from_the_environment_and_a_flag_wins', async (t) => {
        const env = { PLENUM_MAX_MESSAGE: '10', PLENUM_ROOM_LINGER: '1' };
        const strict = await startGateway(t, { env });
        const client = await connect(t, strict.url);
        client.send('eleven byte');
        assert.equal((await client.closed).code, 1009);
        const lenient = await startGateway(t, { env, args: ['--max-message', '100'] });
        const [one, other] = await connectMany(t, 2, () => lenient.url);
        one.send('eleven byte');
        await other.waitFor('eleven byte');
    });

    test('unknown_plenum_variables_warn_and_those_of_kubernetes_disturb_nobody', async (t) => {
        const env = {
            PLENUM_PORT: 'tcp://10.96.0.17:8000',
            PLENUM_SERVICE_HOST: '10.96.0.17',
            PLENUM_SERVICE_PORT: '8000',
            PLENUM_PORT_8000_TCP_ADDR: '10.96.0.17',
            PLENUM_NO_SUCH_SETTING: '1',
        };
        const gateway = await startGateway(t, { env });
        const warnings = gateway.logs.filter(({ level }) => level === 'warn');
        assert.ok(warnings.some((line) => JSON.stringify(line).includes('PLENUM_NO_SUCH_SETTING')), gateway.program.stderr);
        const [one, other] = await connectMany(t, 2, () => gateway.url);
        one.send('undisturbed');
        await other.waitFor('undisturbed');
    });
});

describe('the log', () => {
    test('is_one_json_object_a_line_even_with_hostile_text_in_it', async (t) => {
        const redis = await startRedis(t);
        const gateway = await startGateway(t, { args: ['--redis', redis.url, '--log-level', 'debug', '--drain', '0'] });
        const client = await connect(t, `${gateway.url}/?name=${encodeURIComponent('"\n{"msg":"forged"}')}`);
        await refusal(`${gateway.url}/rooms/${encodeURIComponent('"\r\n\u0000ü')}`, { headers: { 'user-agent': '"}{' } });
        client.socket.close(4000, '"quoted"\n');
        await client.closed;
        await redis.stop();
        await waitUntil('the log to tell of Redis', () => gateway.logs.some(({ level }) => level === 'warn' || level === 'error'));
        await gateway.stop('SIGTERM');
        assert.deepEqual(gateway.plainLines, []);
        const lines = gateway.program.stderr.trimEnd().split('\n');
        for (const line of lines) {
            const entry = JSON.parse(line);
            assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
            assert.match(entry.level, /^(debug|info|warn|error)$/);
            assert.ok(entry.msg && entry.msg !== 'forged');
        }
        assert.ok(gateway.logs.some(({ msg }) => msg === 'listening'));
    });

    test('is_quiet_about_single_clients_at_the_default_level', async (t) => {
        const gateway = await startGateway(t);
        const before = gateway.logs.length;
        const clients = await connectMany(t, 50, () => gateway.url);
        for (const client of clients) await client.close();
        assert.ok(gateway.logs.length - before < 10, `${gateway.logs.length - before} lines for 50 clients`);
    });

    test('text_is_for_people', async (t) => {
        const gateway = new Gateway({ args: ['--log-format', 'text'] });
        t.after(() => gateway.finish());
        await waitUntil('a line', () => gateway.program.stderr.includes('\n'));
        assert.match(gateway.program.stderr, /^\d{4}-\d\d-\d\dT\S+Z (info|warn) /);
    });
});
