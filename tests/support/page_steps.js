/**
 * page_steps.js -- the commands of a Markdown page, and whether they come out as the page says.
 *
 * A block ```console holds commands (`$ ...`; a line that ends with a backslash goes on) and what each prints. A block
 * ```answers holds the lines that come on plenum:ctl:ack after the command before it, in any order. In what is printed
 * <gw> stands for 8 hex digits, <member> for 16, <n> for a number, <epoch> for an epoch, <any> for anything in a line;
 * a line ... for any lines. Words behind ```console: `unordered` (the lines may come in any order), `watch` (the command
 * goes on; the lines come in time). Blocks of another kind (`python`) are a program; a block ```text behind it is what it
 * prints.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { onEnd } from './cleanup.js';
import { within } from './wait.js';

const PLACES = {
    '<gw>': '[0-9a-f]{8}',
    '<member>': '[0-9a-f]{16}',
    '<n>': '\\d+',
    '<epoch>': '[!-~]{1,32}',
    '<any>': '.*',
};

/**
 * @typedef {object} Step
 * @property {string} section the heading above it
 * @property {string} kind of the block: console, answers, python ...
 * @property {string[]} flags
 * @property {string} command of a console block; or the text of another
 * @property {string[]} expected lines
 */

/** @param {string | URL} file @returns {Promise<Step[]>} one for each command */
export async function stepsOf(file) {
    const steps = [];
    let section = '';
    let block = null;
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
        const fence = /^```(.*)$/.exec(line);
        if (fence && block) {
            steps.push(...stepsOfBlock(block, steps));
            block = null;
        } else if (fence) {
            const [kind, ...flags] = fence[1].split(' ');
            block = { section, kind, flags, lines: [] };
        } else if (block) {
            block.lines.push(line);
        } else if (/^#+ /.test(line)) {
            section = line.replace(/^#+ /, '');
        }
    }
    return steps;
}

function stepsOfBlock({ section, kind, flags, lines }, before) {
    if (kind === 'text') {
        before.at(-1).expected = lines;
        return [];
    }
    if (kind === 'answers') return [{ section, kind, flags, command: '', expected: lines }];
    if (kind !== 'console') return [{ section, kind, flags, command: lines.join('\n'), expected: [] }];
    const steps = [];
    for (const line of lines) {
        const last = steps.at(-1);
        if (line.startsWith('$ ')) steps.push({ section, kind, flags, command: line.slice(2), expected: [] });
        else if (last.command.endsWith('\\') && last.expected.length === 0) last.command += `\n${line}`;
        else last.expected.push(line);
    }
    return steps;
}

/** @param {string} expected a line of the page */
export function patternOf(expected) {
    const quoted = expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${quoted.replace(/<[a-z]+>/g, (place) => PLACES[place] ?? place)}$`);
}

/**
 * What is wrong with the lines, or null.
 * @param {string[]} got @param {string[]} expected @param {boolean} unordered
 */
export function mismatch(got, expected, unordered) {
    const complain = (what) => `${what}\nexpected:\n  ${expected.join('\n  ')}\ngot:\n  ${got.join('\n  ')}`;
    if (unordered) {
        const left = [...got];
        for (const line of expected) {
            const at = left.findIndex((candidate) => patternOf(line).test(candidate));
            if (at < 0) return complain(`nothing like: ${line}`);
            left.splice(at, 1);
        }
        return left.length ? complain(`too much: ${left[0]}`) : null;
    }
    let at = 0;
    for (const [i, line] of expected.entries()) {
        if (line === '...') {
            const next = expected[i + 1];
            while (at < got.length && !(next && patternOf(next).test(got[at]))) at++;
            continue;
        }
        if (at >= got.length || !patternOf(line).test(got[at])) return complain(`line ${at + 1} is not like: ${line}`);
        at++;
    }
    return at < got.length ? complain(`too much: ${got[at]}`) : null;
}

/** One bash for a whole page, so that its variables live on. */
export class Shell {
    #output = '';
    #waiting = () => {};

    /** @param {import('node:test').TestContext} t @param {NodeJS.ProcessEnv} env */
    constructor(t, env) {
        this.child = spawn('bash', ['--noprofile', '--norc'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
        for (const stream of [this.child.stdout, this.child.stderr]) {
            stream.setEncoding('utf8').on('data', (text) => {
                this.#output += text;
                this.#waiting();
            });
        }
        onEnd(t, async () => {
            this.child.stdin.end(); // its end takes what it watches with it
            await within('the shell to end', new Promise((resolve) => this.child.on('close', resolve)));
        });
    }

    /**
     * Runs a command to its end. What it prints, line by line; standard error too.
     * @param {string} command @returns {Promise<string[]>}
     */
    async run(command) {
        const mark = '--- end of the command ---';
        this.#output = '';
        const ended = new Promise((resolve) => {
            this.#waiting = () => this.#output.endsWith(`${mark}\n`) && resolve();
        });
        this.child.stdin.write(`${command}\necho; echo '${mark}'\n`);
        await within(command, ended);
        const text = this.#output.slice(0, -(mark.length + 2)).replace(/\n+$/, '');
        return text === '' ? [] : text.split('\n');
    }

    /**
     * Runs a command that goes on, until the test is over.
     * @param {string} command @param {string} file where its output is gathered
     */
    async watch(command, file) {
        await this.run(`${command} > ${file} 2>&1 & trap 'kill -9 $(jobs -p)' EXIT`);
        return async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1);
    }
}
