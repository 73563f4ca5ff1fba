/**
 * servers.js -- the processes that are measured: redis-server, gateways, the floor. Each is fresh for each run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../../support/ports.js';
import { Program } from '../../support/program.js';
import { Redis } from '../../support/redis.js';
import { waitUntil } from '../../support/wait.js';

/**
 * What a run connects to.
 * @typedef {object} Servers
 * @property {string[]} ports public ports, one for each place that members may connect to
 * @property {string[]} processes "NAME:PID,PID", as the load generator's --pid wants them
 * @property {number} pid of the first
 * @property {() => Promise<void>} stop
 */

/** The "listening" line of a gateway or the floor. @param {Program} program */
async function listening(program) {
    return waitUntil(`${program.name} to listen`, () => {
        if (program.ended) throw new Error(`it ended: ${program.stderr.slice(-2000)}`);
        const line = program.stderr.split('\n').find((text) => text.includes('"msg":"listening"') && text.endsWith('}'));
        return line && JSON.parse(line);
    });
}

/** @param {string} address "127.0.0.1:8000" */
const portOf = (address) => address.split(':').pop();

/**
 * The floor, once; it is one process however many gateways it stands for.
 * @param {string} binary
 * @param {string} mode send, turn or uring
 * @param {number} places
 * @returns {Promise<Servers>}
 */
export async function startFloor(binary, mode, places) {
    const floor = new Program(binary, ['0', mode]);
    const line = await listening(floor);
    return {
        ports: Array(places).fill(portOf(line.public)),
        processes: [`floor:${floor.pid}`],
        pid: floor.pid,
        stop: async () => void (await floor.end('SIGKILL')),
    };
}

/** Settings of the shell must not leak into what is measured. */
function environment() {
    return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLENUM_')));
}

/** A gateway is ready when it hears Redis. @param {string} address of the admin port */
async function ready(address) {
    const response = await fetch(`http://${address}/readyz`, { headers: { connection: 'close' } });
    return response.status === 200;
}

/**
 * Gateways on one redis-server.
 * @param {string} binary
 * @param {number} count
 * @param {Redis} redis
 * @param {string[]} extra more flags
 * @returns {Promise<Servers>}
 */
export async function startGateways(binary, count, redis, extra) {
    const args = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-format', 'json', '--redis', redis.url];
    const gateways = Array.from({ length: count }, () => new Program(binary, [...args, ...extra], { env: environment() }));
    const lines = await Promise.all(gateways.map(listening));
    for (const line of lines) await waitUntil('a gateway to be ready', () => ready(line.admin));
    return {
        ports: lines.map((line) => portOf(line.public)),
        processes: [`plenum:${gateways.map(({ pid }) => pid)}`, `redis:${redis.program.pid}`],
        pid: gateways[0].pid,
        stop: async () => {
            const early = gateways.find(({ ended }) => ended);
            await Promise.all(gateways.map((gateway) => gateway.end('SIGKILL')));
            if (early) throw new Error(`a gateway ended by itself: ${early.stderr.slice(-2000)}`);
        },
    };
}

/** A redis-server that keeps nothing on disk. The caller calls stop(). */
export async function startRedis() {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'plenum-bench-'));
    const redis = new Redis(folder, {});
    do redis.port = await freePort();
    while (!(await redis.tryStart()));
    const stop = async () => {
        await redis.finish();
        await rm(folder, { recursive: true, force: true });
    };
    return { redis, stop };
}
