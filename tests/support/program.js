/**
 * program.js -- one child process: its output, its end, and what Linux says of it.
 *
 * Every child is ended by its own pid: by its test, or at the latest when this process ends.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { within } from './wait.js';

/** @type {Set<Program>} */
const running = new Set();

process.on('exit', () => {
    for (const program of running) program.kill('SIGKILL');
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** The clock ticks of /proc/<pid>/stat; Linux has said 100 a second for ever. */
const MS_PER_TICK = 10;

export class Program {
    /** Everything that came on standard output. */
    stdout = '';
    /** Everything that came on standard error. */
    stderr = '';
    /** @type {{code: number | null, signal: string | null} | null} how it ended; null while it runs */
    ended = null;

    /**
     * @param {string} command
     * @param {string[]} args
     * @param {{env?: NodeJS.ProcessEnv, cwd?: string}} [options] env is the whole environment
     */
    constructor(command, args, { env = process.env, cwd } = {}) {
        this.name = command.split('/').pop();
        this.child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
        this.pid = this.child.pid;
        running.add(this);
        this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
        this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
        /** Resolves when it has ended and all its output is here. */
        this.exited = new Promise((resolve) => {
            this.child.on('error', (error) => {
                this.stderr += `${error.message}\n`;
                if (this.pid === undefined) this.#end(null, null, resolve);
            });
            this.child.on('exit', () => running.delete(this));
            this.child.on('close', (code, signal) => this.#end(code, signal, resolve));
        });
    }

    #end(code, signal, resolve) {
        running.delete(this);
        this.ended = { code, signal };
        resolve(this.ended);
    }

    /** @param {NodeJS.Signals} signal */
    kill(signal) {
        if (this.pid !== undefined && !this.ended) this.child.kill(signal);
    }

    /**
     * Sends the signal and waits for the end. A process that stays is killed, and that is an error.
     * @param {NodeJS.Signals} signal
     * @param {number} [seconds]
     */
    async end(signal, seconds = 15) {
        if (this.ended) return this.ended;
        this.kill(signal);
        try {
            return await within(`${this.name} (pid ${this.pid}) to end after ${signal}`, this.exited, seconds);
        } catch (error) {
            this.kill('SIGKILL');
            await this.exited;
            throw error;
        }
    }

    /** Resident memory, bytes. */
    rss() {
        const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
        return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024;
    }

    /** CPU time used so far by all its threads, ms, in steps of 10. */
    cpuMs() {
        const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
    }
}

/**
 * Runs a command to its end.
 * @param {string} command
 * @param {string[]} args
 * @param {{env?: NodeJS.ProcessEnv, seconds?: number}} [options]
 * @returns {Promise<Program>} ended
 */
export async function run(command, args, { env, seconds = 15 } = {}) {
    const program = new Program(command, args, { env });
    try {
        await within(`${program.name} ${args.join(' ')}`, program.exited, seconds);
    } finally {
        program.kill('SIGKILL');
    }
    return program;
}
