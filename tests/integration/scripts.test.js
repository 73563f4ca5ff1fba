/**
 * The scripts keep their word: each says what it does, and scripts/cluster leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { gatewayBinary } from '../support/gateway.js';
import { Program, run } from '../support/program.js';
import { waitUntil } from '../support/wait.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** They hand their options to what they start. */
const HANDS_ON = ['run', 'bench'];
const SCRIPTS = path.join(ROOT, 'scripts');

/** @param {number} pid */
function isAlive(pid) {
    try {
        process.kill(pid, 0);
        return true;
    } catch {
        return false;
    }
}

/**
 * scripts/cluster, up and read: what it printed is what a person goes by.
 * @param {import('node:test').TestContext} t
 * @param {number} size
 */
async function startCluster(t, size) {
    const program = new Program(path.join(SCRIPTS, 'cluster'), [
        String(size),
        ...['--port', '0', '--gateway', gatewayBinary],
    ]);
    onEnd(t, () => program.end('SIGTERM'));
    await waitUntil('the cluster to be up', () => {
        if (program.ended) throw new Error(`it ended: ${program.stderr}`);
        return program.stdout.includes('Ctrl-C');
    });
    const text = program.stdout;
    return {
        program,
        front: /^open +http:\/\/localhost:(\d+)\//m.exec(text)[1],
        gateways: [...text.matchAll(/^gateway-\d+ +(ws:\S+) .*\(pid (\d+)\)$/gm)].map(([, url, pid]) => ({
            url,
            pid: Number(pid),
        })),
        redisPort: Number(/redis-cli -p (\d+) /.exec(text)[1]),
        pids: [...text.matchAll(/pid (\d+)\)/g)].map(([, pid]) => Number(pid)),
        directory: /^logs +(\S+)$/m.exec(text)[1],
    };
}

for (const script of readdirSync(SCRIPTS).filter((name) => !name.endsWith('.sh'))) {
    test(`scripts/${script} --help says what it does`, async () => {
        const { ended, stdout } = await run(path.join(SCRIPTS, script), ['--help']);
        assert.equal(ended.code, 0);
        assert.match(stdout, new RegExp(`^usage: scripts/${script}\\b`));
        assert.ok(stdout.split('\n').length > 3, stdout);
    });
    if (HANDS_ON.includes(script)) continue;
    test(`scripts/${script} refuses an option that it does not know`, async () => {
        const { ended, stderr } = await run(path.join(SCRIPTS, script), ['--no-such-option']);
        assert.notEqual(ended.code, 0);
        assert.match(stderr, /--no-such-option|--help/);
    });
}

test('scripts/test fails when it has nothing to run, and says so in its last line', async () => {
    const { ended, stdout } = await run(path.join(SCRIPTS, 'test'), [['no', 'such', 'suite'].join('-')]);
    assert.equal(ended.code, 1);
    assert.equal(stdout.trimEnd().split('\n').pop(), '0 passed, 0 failed, 0 skipped');
});

test('a cluster relays between its gateways, and after Ctrl-C nothing of it is left', async (t) => {
    const { program, front, gateways, redisPort, pids, directory } = await startCluster(t, 2);
    assert.equal(gateways.length, 2);
    assert.equal(pids.length, 4);
    assert.ok(pids.every(isAlive));

    assert.equal((await fetch(`http://127.0.0.1:${front}/`)).status, 200);
    const one = await connect(t, gateways[0].url);
    const other = await connect(t, gateways[1].url);
    const balanced = await connect(t, `ws://127.0.0.1:${front}/`);
    balanced.send('through HAProxy');
    await Promise.all([one.waitFor('through HAProxy'), other.waitFor('through HAProxy')]);
    await run('redis-cli', ['-p', String(redisPort), 'publish', 'plenum:{lobby}', 'from redis-cli']);
    await balanced.waitFor('from redis-cli');

    const { code } = await program.end('SIGINT');
    assert.equal(code, 130);
    assert.deepEqual(pids.filter(isAlive), []);
    assert.ok(!existsSync(directory));
});

test('a cluster outlives one of its gateways, and says that it is gone', async (t) => {
    const { program, front, gateways, pids, directory } = await startCluster(t, 2);
    process.kill(gateways[0].pid, 'SIGKILL');
    await waitUntil('the cluster to notice', () => /gateway-1 .* has ended with status 137/.test(program.stderr));
    assert.equal((await fetch(`http://127.0.0.1:${front}/`)).status, 200);
    await program.end('SIGTERM');
    assert.deepEqual(pids.filter(isAlive), []);
    assert.ok(!existsSync(directory));
});

test('a cluster does not start on a port that is in use', async (t) => {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    onEnd(t, () => server.close());
    const port = String(server.address().port);
    const cluster = await run(path.join(SCRIPTS, 'cluster'), ['1', '--port', port, '--gateway', gatewayBinary]);
    assert.equal(cluster.ended.code, 2);
    assert.match(cluster.stderr, new RegExp(`port ${port} is in use`));
});

test('the HAProxy configuration is valid as it stands', async () => {
    const check = await run('haproxy', ['-c', '-f', path.join(ROOT, 'deploy/haproxy/haproxy.cfg')]);
    assert.equal(check.ended.code, 0, check.stderr);
    assert.doesNotMatch(check.stderr, /WARNING/);
});
