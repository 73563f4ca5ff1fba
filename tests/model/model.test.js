/**
 * The model of the message algorithm (plenum.pml) holds, in every order of events and faults that a configuration
 * allows; and the same search refutes each of the algorithm's wrong variants, so it is able to find something.
 *
 * MODEL=deep searches the larger configurations too: some minutes more.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onEnd } from '../support/cleanup.js';
import { Program } from '../support/program.js';
import { within } from '../support/wait.js';

const MODEL = fileURLToPath(new URL('plenum.pml', import.meta.url));
/** Nothing goes deeper than some 100 steps; where it would, the search says so, and fails. */
const DEPTH = 10_000;
/** MiB for one search; two run at a time. */
const MEMORY = 950;
/** Deadlines for a busy machine. */
const SECONDS = 240;

/** Where messages may never be lost, `gap`, `recovered: false` and a lossy epoch may not be said either. */
const STRICT = '-DSTRICT';
const AOF = [STRICT, '-DRESTARTS=1', '-DSTEP=1'];
const TAIL = ['-DTAIL_LOSSES=1', '-DSYNCS=1', '-DSTEP=4', '-DSLOTS=11'];
const FLUSH = ['-DFLUSHES=1', '-DSTEP=4', '-DSLOTS=15'];

/**
 * SAYS is a set of messages: 7 is two of the one member and one of the other, 3 two of one, 5 one of each.
 * @type {Record<string, {flags: string[], states: number}>} states: with fewer, the model would have lost its teeth
 */
const CONFIGURATIONS = {
    nothing_goes_wrong: { flags: [STRICT, '-DN=3'], states: 40_000 },
    subscribers_are_cut_twice: { flags: [STRICT, '-DSUB_CUTS=2'], states: 300_000 },
    a_live_message_vanishes: { flags: [STRICT, '-DCHECK', '-DDROPS=1', '-DSUB_CUTS=1'], states: 200_000 },
    commands_are_cut_and_keys_are_missing: {
        flags: [STRICT, '-DCMD_CUTS=2', '-DLATE=1', '-DKEYED=0'],
        states: 120_000,
    },
    a_batch_is_given_up: {
        flags: [STRICT, '-DCMD_CUTS=1', '-DLATE=1', '-DGIVE_UPS=1', '-DKEYED=6', '-DSAYS=7'],
        states: 80_000,
    },
    a_batch_is_given_up_and_a_client_reconnects: {
        flags: [STRICT, '-DLATE=1', '-DGIVE_UPS=1', '-DCLIENT_CUTS=1', '-DSAYS=5'],
        states: 60_000,
    },
    a_gateway_crashes_and_a_subscriber_is_cut: {
        flags: [STRICT, '-DCRASHES=1', '-DLATE=1', '-DSUB_CUTS=1', '-DSAYS=7'],
        states: 120_000,
    },
    a_gateway_crashes_and_commands_are_cut: {
        flags: [STRICT, '-DCRASHES=1', '-DLATE=1', '-DCMD_CUTS=1', '-DSAYS=7'],
        states: 80_000,
    },
    clients_of_both_sides_reconnect: { flags: [STRICT, '-DCLIENT_CUTS=2', '-DSAYS=5'], states: 100_000 },
    clients_of_one_side_reconnect: { flags: [STRICT, '-DCLIENT_CUTS=2', '-DSAYS=3'], states: 120_000 },
    the_log_is_short_for_a_gateway: { flags: ['-DSUB_CUTS=1', '-DLOG_SIZE=2'], states: 80_000 },
    the_log_is_short_for_a_client: { flags: ['-DCLIENT_CUTS=1', '-DLOG_SIZE=1', '-DSAYS=7'], states: 120_000 },
    redis_restarts_with_its_tail: { flags: [...AOF, '-DSLOTS=5', '-DSAYS=7'], states: 150_000 },
    redis_restarts_with_its_tail_and_a_client_reconnects: {
        flags: [...AOF, '-DSLOTS=3', '-DSAYS=1', '-DCLIENT_CUTS=1'],
        states: 70_000,
    },
    redis_loses_its_tail: { flags: [...TAIL, '-DSAYS=7'], states: 2_500_000 },
    redis_loses_its_tail_and_a_client_reconnects: {
        flags: [...TAIL, '-DSAYS=1', '-DCLIENT_CUTS=1'],
        states: 250_000,
    },
    redis_loses_its_tail_and_a_gateway_crashes: {
        flags: [...TAIL, '-DSAYS=5', '-DCRASHES=1', '-DLATE=1'],
        states: 600_000,
    },
    redis_loses_its_tail_twice: {
        flags: ['-DTAIL_LOSSES=2', '-DSYNCS=1', '-DSTEP=3', '-DSLOTS=15', '-DSAYS=1'],
        states: 80_000,
    },
    all_is_flushed_and_a_subscriber_is_cut: { flags: [...FLUSH, '-DSUB_CUTS=1', '-DSAYS=7'], states: 100_000 },
    all_is_flushed_and_a_client_reconnects: { flags: [...FLUSH, '-DCLIENT_CUTS=1', '-DSAYS=5'], states: 500_000 },
};

/** More messages at once: minutes, not seconds. */
const DEEP = {
    many_messages_and_a_batch_given_up: {
        flags: [STRICT, '-DCMD_CUTS=1', '-DLATE=1', '-DGIVE_UPS=1', '-DKEYED=6'],
        states: 700_000,
    },
    many_messages_and_a_crash: { flags: [STRICT, '-DCRASHES=1', '-DLATE=1', '-DSUB_CUTS=1'], states: 900_000 },
    many_messages_and_clients_that_reconnect: { flags: [STRICT, '-DCLIENT_CUTS=2', '-DSAYS=7'], states: 2_000_000 },
    many_messages_and_a_short_log: { flags: ['-DCLIENT_CUTS=1', '-DLOG_SIZE=1'], states: 1_500_000 },
    many_messages_and_a_restart: { flags: [...AOF, '-DSLOTS=6'], states: 1_200_000 },
    messages_of_both_a_restart_and_a_reconnect: {
        flags: [...AOF, '-DSLOTS=4', '-DSAYS=5', '-DCLIENT_CUTS=1'],
        states: 2_000_000,
    },
    two_messages_and_two_lost_tails: {
        flags: ['-DTAIL_LOSSES=2', '-DSYNCS=1', '-DSTEP=3', '-DSLOTS=15', '-DSAYS=3'],
        states: 2_000_000,
    },
};

/** What the failed assertion must be about, so that a mutant is refuted for its own fault. */
const OUT_OF_ORDER = />co\[m_\]/;
const TWICE = /!\(\(got\[/;
const LOST_UNSAID = /acked&.*told/;

/** @type {Record<string, {flags: string[], refutedBy: RegExp}>} */
const MUTANTS = {
    ACK_FROM_REPLY: { flags: [STRICT], refutedBy: OUT_OF_ORDER },
    READ_BEFORE_CONFIRMED: { flags: [STRICT, '-DSUB_CUTS=1'], refutedBy: LOST_UNSAID },
    NO_CATCH_UP: { flags: [STRICT, '-DSUB_CUTS=1'], refutedBy: LOST_UNSAID },
    FRESH_BATCH_NUMBER: { flags: [STRICT, '-DCMD_CUTS=1', '-DKEYED=0', '-DSLOTS=12'], refutedBy: TWICE },
    EQUAL_NUMBERS_ONLY: { flags: [STRICT, '-DCMD_CUTS=1', '-DLATE=1', '-DKEYED=0', '-DSLOTS=12'], refutedBy: TWICE },
    META_READ_LAST: { flags: [STRICT, '-DSUB_CUTS=1'], refutedBy: LOST_UNSAID },
    DUPLICATE_ACKED_AT_ONCE: { flags: [STRICT, '-DCLIENT_CUTS=1'], refutedBy: OUT_OF_ORDER },
    JOINED_MOVES_POSITION: { flags: [STRICT, '-DCLIENT_CUTS=2', '-DN=1'], refutedBy: LOST_UNSAID },
    LIVE_BEFORE_MEETING: { flags: [STRICT, '-DCRASHES=1'], refutedBy: OUT_OF_ORDER },
    GEN_FROM_ANY_REPLY: { flags: [...TAIL, '-DN=1'], refutedBy: LOST_UNSAID },
    STALE_GEN: { flags: [...TAIL, '-DN=1'], refutedBy: LOST_UNSAID },
    READ_WITHOUT_FENCE: { flags: [...TAIL, '-DN=1'], refutedBy: LOST_UNSAID },
    DROP_BY_OFFSET_ALONE: { flags: FLUSH, refutedBy: LOST_UNSAID },
    REPLAY_WITHOUT_META: { flags: [...FLUSH, '-DSAYS=5', '-DCLIENT_CUTS=1'], refutedBy: LOST_UNSAID },
};

/** What must have happened somewhere in the search, or the configurations prove little. */
const EVENTS = {
    P_REPAIR: [STRICT, '-DCHECK', '-DDROPS=1'],
    P_CHECK: [STRICT, '-DCHECK', '-DDROPS=1'],
    P_REPEAT: [STRICT, '-DCMD_CUTS=1'],
    P_LATE: [STRICT, '-DCMD_CUTS=1', '-DLATE=1', '-DKEYED=0'],
    P_DUP: [STRICT, '-DCRASHES=1'],
    P_RESUME: [STRICT, '-DCRASHES=1'],
    P_AHEAD: [STRICT, '-DCRASHES=1'],
    P_GAP: ['-DSUB_CUTS=1', '-DLOG_SIZE=2'],
    P_EPOCH: [...AOF, '-DSLOTS=6'],
    P_PREV: [...AOF, '-DSLOTS=5', '-DSAYS=3', '-DCLIENT_CUTS=1'],
    P_LOST: [...TAIL, '-DSAYS=5'],
    P_FALSE: [...TAIL, '-DSAYS=1', '-DCLIENT_CUTS=1'],
    P_QUIET: [...TAIL, '-DSAYS=7'],
};

/** @param {string} directory it runs there, since spin and pan leave files where they are */
async function runIn(directory, command, args, seconds) {
    const program = new Program(command, args, { cwd: directory });
    try {
        await within(`${program.name} ${args.join(' ')}`, program.exited, seconds);
    } finally {
        program.kill('SIGKILL');
    }
    assert.equal(program.ended.code, 0, `${command}: ${program.stdout}${program.stderr}`);
    return program.stdout;
}

/**
 * Searches all that the flags allow, to the first error.
 * @param {string} optimization of the C compiler: -O2 costs more than it saves in a short search
 * @returns {Promise<string>} what pan printed
 */
async function search(t, flags, optimization) {
    const directory = mkdtempSync(path.join(tmpdir(), 'plenum-model-'));
    onEnd(t, () => rmSync(directory, { recursive: true, force: true }));
    await runIn(directory, 'spin', [...flags, '-a', MODEL], 60);
    const options = ['-w', '-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${MEMORY}`, '-DVECTORSZ=1024'];
    await runIn(directory, 'gcc', [optimization, ...options, '-o', 'pan', 'pan.c'], SECONDS);
    return runIn(directory, './pan', [`-m${DEPTH}`], SECONDS);
}

/** @param {string} output of pan */
function errorsIn(output) {
    const [, errors] = /errors: (\d+)/.exec(output) ?? assert.fail(output);
    return Number(errors);
}

/** Nothing was left out: neither for want of depth or memory, nor a kind of event that never happened. */
function assertComplete(output) {
    assert.doesNotMatch(output, /max search depth too small|MEMLIM|out of memory|aborted|not completed/i);
    assert.doesNotMatch(output, /hash-compact|bitstate/i);
    const unreached = [...output.matchAll(/state \d+, "(.*)"/g)].map(([, text]) => text);
    // Processes do not end; a fault that the configuration does not have is not compiled.
    assert.deepEqual(
        unreached.filter((text) => text !== '-end-'),
        [],
    );
}

describe('the algorithm', { concurrency: 2 }, () => {
    const all = process.env.MODEL === 'deep' ? { ...CONFIGURATIONS, ...DEEP } : CONFIGURATIONS;
    for (const [name, { flags, states }] of Object.entries(all)) {
        test(`holds_when_${name}`, async (t) => {
            const output = await search(t, flags, '-O2');
            assert.equal(errorsIn(output), 0, output);
            assertComplete(output);
            const stored = Number(/([\d.e+]+) states, stored/.exec(output)[1]);
            t.diagnostic(`${stored} states, ${/elapsed time (\S+)/.exec(output)?.[1]} s`);
            assert.ok(stored >= states, `only ${stored} states`);
        });
    }
});

describe('a wrong variant is refuted', { concurrency: 2 }, () => {
    for (const [name, { flags, refutedBy }] of Object.entries(MUTANTS)) {
        test(name, async (t) => {
            const output = await search(t, [...flags, `-D${name}`], '-O0');
            assert.ok(errorsIn(output) > 0, 'no error found');
            assert.match(/^pan:1: .*$/m.exec(output)[0], refutedBy);
        });
    }
});

describe('an event is reached', { concurrency: 2 }, () => {
    for (const [event, flags] of Object.entries(EVENTS)) {
        test(event, async (t) => {
            const output = await search(t, [...flags, `-DPROBE=${event}`], '-O0');
            assert.ok(errorsIn(output) > 0, 'it never happens');
            assert.match(/^pan:1: .*$/m.exec(output)[0], /assertion violated \(?\(?\d+!=\d+\)/);
        });
    }
});
