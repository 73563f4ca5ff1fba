/**
 * haproxy.js -- a real HAProxy in front of a test's gateways, with the configuration of deploy/.
 *
 * Only the `server` lines are the test's own.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onEnd } from './cleanup.js';
import { freePort } from './ports.js';
import { Program } from './program.js';
import { waitUntil } from './wait.js';

const CONFIGURATION = new URL('../../deploy/haproxy/haproxy.cfg', import.meta.url);

/** Enough for every test, and far below any limit of descriptors. */
const MAX_CONNECTIONS = '2000';

/**
 * Starts it and waits until it passes requests on. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {import('./gateway.js').Gateway[]} gateways
 * @returns {Promise<{port: number, url: string, httpUrl: string}>}
 */
export async function startHaproxy(t, gateways) {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'plenum-haproxy-'));
    onEnd(t, () => rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'haproxy.cfg');
    await writeFile(file, await configurationFor(gateways));
    for (;;) {
        const port = await freePort();
        const env = { ...process.env, HAPROXY_BIND: `127.0.0.1:${port}`, HAPROXY_MAXCONN: MAX_CONNECTIONS };
        const program = new Program('haproxy', ['-db', '-f', file], { env });
        const httpUrl = `http://127.0.0.1:${port}`;
        const serves = await waitUntil('HAProxy to pass requests on', async () => {
            if (program.ended) return 'ended';
            const { status } = await fetch(httpUrl, { method: 'HEAD', headers: { connection: 'close' } });
            return status === 200 && 'serves';
        });
        if (serves === 'serves') {
            onEnd(t, () => program.end('SIGTERM'));
            return { port, url: `ws://127.0.0.1:${port}`, httpUrl };
        }
        if (!/in use/i.test(program.stderr)) throw new Error(`HAProxy ended at once:\n${program.stderr}`);
    }
}

async function configurationFor(gateways) {
    const lines = (await readFile(CONFIGURATION, 'utf8')).split('\n');
    const kept = lines.filter((line) => !/^\s+server /.test(line));
    if (kept.length === lines.length) throw new Error('the configuration has no server lines to replace');
    const servers = gateways.map((gateway, i) => `    server gateway-${i + 1} ${gateway.host}:${gateway.port} port ${gateway.adminPort}`);
    return [...kept, ...servers, ''].join('\n');
}
