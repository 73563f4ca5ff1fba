/**
 * redis.js -- a real redis-server for a test, which can be stopped, hung and brought back on the same port.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onEnd } from './cleanup.js';
import { freePort } from './ports.js';
import { Program, run } from './program.js';
import { waitUntil } from './wait.js';

/**
 * @typedef {object} RedisOptions
 * @property {boolean} [appendOnly] keep an append-only file: what was written survives stop and start
 * @property {string[]} [config] more lines of redis.conf
 * @property {{user: string, password: string}} [admin] as whom cli() speaks, where the default user is off
 */

/**
 * Starts a server on a free port of loopback and on a unix socket. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {RedisOptions} [options]
 */
export async function startRedis(t, options = {}) {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'plenum-redis-'));
    const redis = new Redis(folder, options);
    onEnd(t, async () => {
        await redis.finish();
        await rm(folder, { recursive: true, force: true });
    });
    for (;;) {
        redis.port = await freePort();
        if (await redis.tryStart()) return redis;
    }
}

export class Redis {
    port = 0;
    /** @type {Program | null} */
    program = null;
    /** @type {Set<Program>} redis-cli processes that watch a channel */
    #watchers = new Set();

    /** @param {string} folder @param {RedisOptions} options */
    constructor(folder, { appendOnly = false, config = [], admin }) {
        this.folder = folder;
        this.socketPath = path.join(folder, 'redis.sock');
        this.appendOnly = appendOnly;
        this.config = config;
        this.adminLogin = admin ? ['--user', admin.user, '--pass', admin.password, '--no-auth-warning'] : [];
    }

    /** For --redis. */
    get url() {
        return `redis://127.0.0.1:${this.port}`;
    }

    /** True once it serves; false when another process took the port. */
    async tryStart() {
        const file = path.join(this.folder, 'redis.conf');
        const lines = [
            'bind 127.0.0.1',
            `port ${this.port}`,
            `unixsocket ${this.socketPath}`,
            `dir ${this.folder}`,
            'save ""',
            `appendonly ${this.appendOnly ? 'yes' : 'no'}`,
            'daemonize no',
            ...this.config,
        ];
        await writeFile(file, lines.join('\n') + '\n');
        this.program = new Program('redis-server', [file]);
        await waitUntil('redis-server to serve', () => {
            return this.program.ended ?? this.program.stdout.includes('Ready to accept connections');
        });
        if (!this.program.ended) return true;
        if (this.program.stdout.includes('Address already in use')) return false;
        throw new Error(`redis-server ended at once:\n${this.program.stdout}${this.program.stderr}`);
    }

    /** Back on the same port; resolves when it serves. */
    async start() {
        if (!(await this.tryStart())) throw new Error(`another process took port ${this.port} meanwhile`);
    }

    /** Ends it at once, as a crash would. */
    async stop() {
        await this.program.end('SIGKILL');
    }

    /** A hang: connections stay, the kernel even accepts new ones, and nobody answers. */
    hang() {
        this.program.kill('SIGSTOP');
    }

    /** The end of the hang. */
    wake() {
        this.program.kill('SIGCONT');
    }

    /**
     * What redis-cli answers to the command: one line an element, as it prints to a pipe.
     * @param {...(string | number)} args
     * @returns {Promise<string>}
     */
    async cli(...args) {
        const program = await run('redis-cli', ['-p', String(this.port), ...this.adminLogin, ...args.map(String)]);
        if (program.ended.code !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${program.stdout}${program.stderr}`);
        return program.stdout.replace(/\n$/, '');
    }

    /**
     * The same, as lines; an empty answer has none.
     * @param {...(string | number)} args
     */
    async cliLines(...args) {
        const text = await this.cli(...args);
        return text === '' ? [] : text.split('\n');
    }

    /**
     * The same, as an object of fields (HGETALL, ZRANGE WITHSCORES).
     * @param {...(string | number)} args
     * @returns {Promise<Record<string, string>>}
     */
    async cliFields(...args) {
        const lines = await this.cliLines(...args);
        return Object.fromEntries(lines.flatMap((line, i) => (i % 2 ? [] : [[line, lines[i + 1] ?? '']])));
    }

    /**
     * `redis-cli SUBSCRIBE channel`, as an admin would watch a room.
     * @param {string} channel
     * @returns {Promise<{payloads: () => string[]}>} what was published since, line by line
     */
    async watch(channel) {
        const program = new Program('redis-cli', ['-p', String(this.port), ...this.adminLogin, 'SUBSCRIBE', channel]);
        this.#watchers.add(program);
        await waitUntil(`redis-cli to watch ${channel}`, () => program.stdout.startsWith(`subscribe\n${channel}\n1\n`));
        const payloads = () => {
            const lines = program.stdout.split('\n').slice(3, -1);
            return lines.filter((_, i) => i % 3 === 2);
        };
        return { payloads };
    }

    async finish() {
        for (const watcher of this.#watchers) await watcher.end('SIGKILL');
        if (this.program && !this.program.ended) await this.program.end('SIGKILL');
    }
}
