/**
 * run.js -- measures the gateway against the floor: `scripts/bench`, which builds first, is the way to call it.
 *
 * It starts what it needs on ports of its own, runs one workload after the other, and prints tables. It is a measuring
 * tool, not a test: a missed target is said, and the exit code is still 0. Exit 1: messages were lost. 2: it could not run.
 */
import { access } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './run/measure.js';
import { startRedis } from './run/servers.js';
import { complaints, tables } from './run/table.js';
import { select, workloads } from './run/workloads.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A load average above which the figures are not worth much. */
const QUIET_LOAD = 1;

const USAGE = `usage: scripts/bench [options] [WORKLOAD...]

Measures the gateway's CPU per delivery against the floor (the least a server can do), its latency and its memory.

  --list           the workloads; without a name all are run
  --pairs N        runs of the gateway for each workload, with one more of the floor around them (3)
  --seconds S      measured seconds of each run (each workload has its own)
  --floor MODE     what the gateway is compared with: send, turn or uring (turn)
  --json           JSON with every run on stdout; the tables go to stderr
  --gateway FLAG   one more flag of the gateway, as --gateway=--workers=2; may be repeated
  --build DIR      where the binaries are (build)
  --verbose        what the load generator says while it runs

Close what else runs on the machine: look at ratios, not at absolute figures, and at the range before the median.`;

const options = {
    list: { type: 'boolean', default: false },
    pairs: { type: 'string', default: '3' },
    seconds: { type: 'string' },
    floor: { type: 'string', default: 'turn' },
    json: { type: 'boolean', default: false },
    gateway: { type: 'string', multiple: true, default: [] },
    build: { type: 'string', default: path.join(ROOT, 'build') },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
};

/** A number of at least `least`, or an error that names the option. */
function number(name, text, least) {
    const value = Number(text);
    if (!(value >= least)) throw new Error(`--${name} '${text}': a number of at least ${least}`);
    return value;
}

/** Reads the command line. */
function parse() {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (!['send', 'turn', 'uring'].includes(values.floor)) throw new Error(`--floor '${values.floor}': see --help`);
    return {
        ...values,
        pairs: Math.floor(number('pairs', values.pairs, 1)),
        seconds: values.seconds === undefined ? undefined : number('seconds', values.seconds, 0.5),
        chosen: select(positionals),
    };
}

/** Paths of the programs; an error names the first that is not built. */
async function binaries(build) {
    const tool = (name) => path.resolve(build, 'bench', name);
    const found = { load: tool('load'), floor: tool('floor'), idle: tool('idle'), gateway: path.resolve(build, 'plenum') };
    for (const file of Object.values(found)) {
        await access(file).catch(() => {
            throw new Error(`${file} is not there: build first, or say where with --build`);
        });
    }
    return found;
}

function machine() {
    const cpus = os.cpus();
    const model = cpus[0]?.model.trim();
    return { cpus: cpus.length, model, kernel: os.release(), memory: os.totalmem(), load_average: os.loadavg()[0] };
}

/** Runs what was chosen. @returns {Promise<object[]>} results */
async function runAll(settings) {
    const programs = await binaries(settings.build);
    const { redis, stop } = await startRedis();
    const bench = {
        binaries: programs,
        redis,
        pairs: settings.pairs,
        seconds: settings.seconds,
        floor: settings.floor,
        gatewayFlags: settings.gateway,
        verbose: settings.verbose,
        say: (text) => process.stderr.write(`${text}\n`),
    };
    try {
        const results = [];
        for (const workload of settings.chosen) results.push(await measure(bench, workload));
        return results;
    } finally {
        await stop();
    }
}

function list() {
    for (const { name, about, target, kind, log } of workloads) {
        const unit = kind === 'idle' ? 'bytes each' : log ? 'x without a log' : 'x the floor';
        console.log(`${name.padEnd(12)} ${about}${target === undefined ? '' : `; target ${target} ${unit} or less`}`);
    }
}

async function main() {
    const settings = parse();
    if (settings.help) return console.log(USAGE);
    if (settings.list) return list();
    const before = machine();
    if (before.load_average > QUIET_LOAD) console.error(`bench: the machine is busy (load ${before.load_average}): expect noise`);
    const results = await runAll(settings);
    const text = [tables(results), ...complaints(results)].join('\n\n');
    if (settings.json) {
        console.error(text);
        console.log(JSON.stringify({ time: new Date().toISOString(), machine: before, results }));
    } else {
        console.log(text);
    }
    if (results.some(({ lost }) => lost > 0)) process.exitCode = 1;
    return undefined;
}

main().catch((error) => {
    console.error(`bench: ${error.message}`);
    process.exitCode = 2;
});
