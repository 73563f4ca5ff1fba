/**
 * gateway.js -- a real gateway process for a test.
 *
 * The binary is TEST_GATEWAY, or build/plenum of this repository. It chooses its own ports and tells them in its log. A
 * gateway that ends without being told to, or that leaves a sanitizer's report, fails its test.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onEnd } from './cleanup.js';
import { Metrics } from './metrics.js';
import { Program } from './program.js';
import { defaultWorkers } from './scale.js';
import { waitUntil } from './wait.js';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** The gateway's binary. */
export const gatewayBinary = process.env.TEST_GATEWAY
    ? path.resolve(process.env.TEST_GATEWAY)
    : path.join(REPOSITORY, 'build', 'plenum');

const SANITIZER_REPORT = /(?:Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:/;

/** Our own settings must not leak in from the shell that runs the tests. */
function environment(extra) {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PLENUM_'));
    return { ...Object.fromEntries(own), ...extra };
}

/**
 * @typedef {object} GatewayOptions
 * @property {string[]} [args] more flags
 * @property {Record<string, string>} [env] more environment
 * @property {number} [workers] event loops; TEST_WORKERS, or the gateway's default, when it is not given
 * @property {number} [descriptors] the process's limit of descriptors (RLIMIT_NOFILE)
 * @property {string} [listen] address of the public port
 * @property {string} [admin] address of the admin port
 */

/**
 * Starts a gateway and waits until it listens. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {GatewayOptions} [options]
 */
export async function startGateway(t, options = {}) {
    const gateway = new Gateway(options);
    onEnd(t, () => gateway.finish());
    await gateway.listening();
    return gateway;
}

export class Gateway {
    /** Set once somebody told it to end: then its end is no fault. */
    #toldToEnd = false;

    /** @param {GatewayOptions} options */
    constructor({ args = [], env = {}, workers, descriptors, listen = '127.0.0.1:0', admin = '127.0.0.1:0' }) {
        const loops = workers ?? defaultWorkers;
        /** Event loops that it has. */
        this.workers = loops;
        const flags = ['--listen', listen, '--admin', admin, '--log-format', 'json'];
        if (loops !== 1) flags.push('--workers', String(loops));
        const command = [gatewayBinary, ...flags, ...args];
        if (descriptors) command.unshift('prlimit', `--nofile=${descriptors}`);
        this.program = new Program(command[0], command.slice(1), { env: environment(env) });
        this.pid = this.program.pid;
        /** @type {Promise<{code: number | null, signal: string | null}>} */
        this.exited = this.program.exited;
    }

    /** Waits for the log line that tells the ports. */
    async listening() {
        const line = await waitUntil('the gateway to listen', () => {
            if (this.program.ended) return { failed: true };
            return this.logs.find((entry) => entry.msg === 'listening');
        });
        if (line.failed) throw new Error(`the gateway ended at once:\n${this.program.stderr}`);
        this.port = Number(line.public.split(':').pop());
        this.adminPort = Number(line.admin.split(':').pop());
        this.host = '127.0.0.1';
        /** For clients: the lobby, and with a path behind it any room. */
        this.url = `ws://${this.host}:${this.port}`;
        this.httpUrl = `http://${this.host}:${this.port}`;
        this.adminUrl = `http://${this.host}:${this.adminPort}`;
    }

    /** What it logged so far: one object a line. Lines that are not JSON are left out (see plainLines). */
    get logs() {
        return this.program.stderr
            .split('\n')
            .filter((line) => line.startsWith('{') && line.endsWith('}'))
            .map((line) => JSON.parse(line));
    }

    /** Lines on standard error that are not JSON objects: there should be none. */
    get plainLines() {
        const lines = this.program.stderr.split('\n').filter((line) => line !== '');
        return lines.filter((line) => !line.startsWith('{'));
    }

    /** Resident memory, bytes. */
    rss() {
        return this.program.rss();
    }

    /** CPU time so far, ms. */
    cpuMs() {
        return this.program.cpuMs();
    }

    /** One request to the admin port. */
    async admin(resource) {
        const response = await fetch(this.adminUrl + resource, { headers: { connection: 'close' } });
        return { status: response.status, headers: response.headers, body: await response.text() };
    }

    /** What /metrics says. */
    async metrics() {
        return new Metrics((await this.admin('/metrics')).body);
    }

    /**
     * One sum of samples of /metrics; 0 when there is none.
     * @param {string} name
     * @param {Record<string, string>} [labels]
     */
    async metric(name, labels) {
        return (await this.metrics()).get(name, labels) ?? 0;
    }

    /** Sends a signal and does not wait. @param {NodeJS.Signals} signal */
    signal(signal) {
        if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') this.#toldToEnd = true;
        this.program.kill(signal);
    }

    /**
     * Sends a signal that ends it, and waits for the end.
     * @param {NodeJS.Signals} [signal]
     * @param {number} [seconds]
     * @returns {Promise<{code: number | null, signal: string | null}>}
     */
    async stop(signal = 'SIGINT', seconds = 15) {
        this.#toldToEnd = true;
        return this.program.end(signal, seconds);
    }

    /** The end of the test: it has to be there still, or to have been told to go, and to have kept quiet. */
    async finish() {
        const early = this.program.ended && !this.#toldToEnd ? this.program.ended : null;
        if (!this.program.ended) await this.stop();
        const { stderr, ended } = this.program;
        const tail = stderr.split('\n').slice(-60).join('\n');
        if (early) throw new Error(`the gateway ended by itself: ${JSON.stringify(early)}\n${tail}`);
        // Ended by our signal, or with 0; a sanitizer whose report goes elsewhere shows itself by another status.
        const asTold = ended.code === 0 || ['SIGINT', 'SIGTERM', 'SIGKILL'].includes(ended.signal);
        if (!asTold) throw new Error(`the gateway ended with ${JSON.stringify(ended)}\n${tail}`);
        const report = SANITIZER_REPORT.exec(stderr);
        if (report) throw new Error(`the gateway left a report:\n${stderr.slice(Math.max(0, report.index - 200), report.index + 6000)}`);
    }
}
