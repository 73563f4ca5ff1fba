/**
 * measure.js -- one workload: floor, gateway, floor, gateway, ..., floor; each gateway run against the mean of the floors
 * just before and after it, since the machine itself changes its speed by the minute.
 */
import { Program } from '../../support/program.js';
import { within } from '../../support/wait.js';
import { startFloor, startGateways } from './servers.js';

/** The floor keeps nothing either. */
const NO_LOG = ['--log-size', '0'];

/** Beyond the measured seconds: connecting, settling, the drain. */
const OVERHEAD_SECONDS = 120;

/**
 * @typedef {object} Bench what all runs share
 * @property {{load: string, floor: string, idle: string, gateway: string}} binaries
 * @property {import('../../support/redis.js').Redis} redis
 * @property {number} pairs
 * @property {number | undefined} seconds
 * @property {string} floor mode
 * @property {string[]} gatewayFlags
 * @property {boolean} verbose
 * @property {(text: string) => void} say progress, for people
 */

/** @param {number[]} numbers */
export function median(numbers) {
    const sorted = numbers.toSorted ? numbers.toSorted((a, b) => a - b) : [...numbers].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs a tool to its end and gives the JSON line that it printed. */
async function tool(bench, binary, args, seconds) {
    const program = new Program(binary, args);
    if (bench.verbose) program.child.stderr.pipe(process.stderr);
    try {
        await within(`${program.name} to end`, program.exited, seconds);
    } finally {
        program.kill('SIGKILL');
    }
    if (program.ended.code === null || program.ended.code > 1 || !program.stdout) {
        throw new Error(`${program.name} ${args.join(' ')} failed: ${program.stderr.slice(-1000)}`);
    }
    if (program.stderr && !bench.verbose) process.stderr.write(program.stderr);
    return JSON.parse(program.stdout);
}

/**
 * The load generator, once.
 * @param {Bench} bench
 * @param {import('./workloads.js').Workload} workload
 * @param {() => Promise<import('./servers.js').Servers>} start
 * @param {string} who
 */
async function runLoad(bench, workload, start, who) {
    const seconds = bench.seconds ?? workload.seconds ?? 5;
    const servers = await start();
    try {
        const args = [
            ...['--label', `${workload.name} ${who}`, '--warmup', '1.5', '--seconds', String(seconds)],
            ...servers.ports.flatMap((port) => ['--target', port]),
            ...servers.processes.flatMap((group) => ['--pid', group]),
            ...workload.load,
        ];
        if (!bench.verbose) args.push('--quiet');
        const result = await tool(bench, bench.binaries.load, args, seconds + OVERHEAD_SECONDS);
        bench.say(
            `${workload.name} ${who}: ${result.cpu_us_per_delivery.toFixed(3)} us a delivery, ` +
                `${result.deliveries_per_s} deliveries/s, p99 ${result.p99_ms.toFixed(1)} ms`,
        );
        return result;
    } finally {
        await servers.stop();
    }
}

/** @param {Bench} bench @param {import('./workloads.js').Workload} workload */
async function measureTraffic(bench, workload) {
    const { binaries } = bench;
    const count = workload.gateways ?? 1;
    const withoutLog = [...NO_LOG, ...bench.gatewayFlags];
    const floor = () =>
        workload.log
            ? startGateways(binaries.gateway, count, bench.redis, withoutLog)
            : startFloor(binaries.floor, bench.floor, count);
    const flags = workload.log ? bench.gatewayFlags : withoutLog;
    const gateway = () => startGateways(binaries.gateway, count, bench.redis, flags);
    const floors = [await runLoad(bench, workload, floor, 'floor')];
    const gateways = [];
    for (let i = 0; i < bench.pairs; i++) {
        gateways.push(await runLoad(bench, workload, gateway, 'gateway'));
        floors.push(await runLoad(bench, workload, floor, 'floor'));
    }
    return summarize(workload, floors, gateways);
}

/** What the table shows of the runs. */
function summarize(workload, floors, gateways) {
    const of = (runs, field) => median(runs.map((run) => run[field]));
    const sum = (field) => gateways.reduce((total, run) => total + run[field], 0);
    const ratios = gateways.map((run, i) => {
        return run.cpu_us_per_delivery / ((floors[i].cpu_us_per_delivery + floors[i + 1].cpu_us_per_delivery) / 2);
    });
    return {
        ...about(workload),
        value: median(ratios),
        ratios,
        gateway_us: of(gateways, 'cpu_us_per_delivery'),
        floor_us: of(floors, 'cpu_us_per_delivery'),
        redis_us: of(gateways, 'redis_us_per_publish'),
        deliveries_per_s: of(gateways, 'deliveries_per_s'),
        floor_deliveries_per_s: of(floors, 'deliveries_per_s'),
        p50_ms: of(gateways, 'p50_ms'),
        p99_ms: of(gateways, 'p99_ms'),
        p999_ms: of(gateways, 'p999_ms'),
        floor_p99_ms: of(floors, 'p99_ms'),
        lost: sum('lost'),
        duplicated: sum('dup'),
        reordered: sum('reordered'),
        foreign: sum('foreign'),
        failed: sum('failed') + sum('dropped'),
        runs: { floor: floors, gateway: gateways },
    };
}

/** @param {Bench} bench @param {import('./workloads.js').Workload} workload */
async function measureIdle(bench, workload) {
    const servers = await startGateways(bench.binaries.gateway, 1, bench.redis, bench.gatewayFlags);
    try {
        const args = ['--port', servers.ports[0], '--pid', String(servers.pid), '--json'];
        args.push('--connections', String(workload.connections));
        const result = await tool(bench, bench.binaries.idle, args, OVERHEAD_SECONDS);
        const { bytes_per_connection: value, bytes_per_connection_pss: pss, bytes_beyond_first, failed } = result;
        return { ...about(workload), value, pss, bytes_beyond_first, failed, lost: 0, runs: { gateway: [result] } };
    } finally {
        await servers.stop();
    }
}

function about({ name, about: text, kind, target }) {
    return { name, about: text, kind, target };
}

/** @param {Bench} bench @param {import('./workloads.js').Workload} workload */
export function measure(bench, workload) {
    return workload.kind === 'idle' ? measureIdle(bench, workload) : measureTraffic(bench, workload);
}
