/**
 * wire.js -- a TCP connection whose every byte and every segment is under the case's control.
 *
 * Waiting is always for an event of the socket, never for time; one deadline ends a case that waits in vain, and the
 * error then says what was sent and what came back. The socket is half-open capable: that the server closed its side is
 * an event like any other (`ended`), and what we do then is the case's choice.
 */
import net from 'node:net';
import { patience } from '../../support/scale.js';

/** What one case may take, in ms. */
const DEADLINE_MS = 15_000 * patience;

/** Bytes as hexadecimal digits, cut when long. @param {Buffer} bytes @param {number} [most] */
export function hex(bytes, most = 48) {
    const digits = bytes.subarray(0, most).toString('hex');
    return bytes.length > most ? `${digits}... (${bytes.length} bytes)` : digits;
}

export class Wire {
    /** Bytes received and not yet taken. */
    received = Buffer.alloc(0);
    /** True once the server has closed its side in good order (FIN). */
    ended = false;
    /** @type {Error|null} a reset, or a write to a connection that is gone */
    error = null;

    #socket;
    #wake = () => {};
    #deadline;
    #late = false;
    #history = [];

    /** @param {{host: string, port: number}} target @returns {Promise<Wire>} */
    static connect({ host, port }) {
        return new Promise((resolve, reject) => {
            const socket = net.connect({ host, port, allowHalfOpen: true });
            socket.setNoDelay(true);
            socket.once('error', reject);
            socket.once('connect', () => {
                socket.removeListener('error', reject);
                resolve(new Wire(socket));
            });
        });
    }

    constructor(socket) {
        this.#socket = socket;
        this.#deadline = setTimeout(() => this.#notify(() => (this.#late = true)), DEADLINE_MS);
        socket.on('data', (chunk) =>
            this.#notify(() => {
                this.#history.push(`  <- ${hex(chunk)}`);
                this.received = this.received.length ? Buffer.concat([this.received, chunk]) : chunk;
            }),
        );
        socket.on('end', () => this.#notify(() => (this.ended = true)));
        socket.on('error', (error) => this.#notify(() => (this.error = error)));
    }

    #notify(change) {
        change();
        this.#wake();
    }

    /** Sends bytes in one write. @param {Buffer|string} bytes strings are latin-1: one octet a character */
    send(bytes) {
        const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
        this.#history.push(`  -> ${hex(buffer)}`);
        if (!this.error && this.#socket.writable) this.#socket.write(buffer);
    }

    /**
     * Sends each piece in a write of its own, one a turn of the loop, so that they travel apart.
     *
     * @param {Buffer[]} pieces
     */
    async sendApart(pieces) {
        for (const piece of pieces) {
            this.send(piece);
            await new Promise(setImmediate);
        }
    }

    /** Closes our side; the server's stays open. */
    end() {
        this.#history.push('  -> FIN');
        this.#socket.end();
    }

    /** Takes the first `length` received bytes. @param {number} length */
    take(length) {
        const taken = this.received.subarray(0, length);
        this.received = this.received.subarray(length);
        return taken;
    }

    /**
     * Waits until `find` returns something; it is asked again after each event of the socket.
     *
     * @template T
     * @param {string} what is waited for, for the error
     * @param {() => T|undefined} find
     * @returns {Promise<T>}
     */
    async until(what, find) {
        for (;;) {
            const found = find();
            if (found !== undefined) return found;
            if (this.error) throw this.failure(`waiting for ${what}: ${this.error.message}`);
            if (this.ended) throw this.failure(`waiting for ${what}: the server closed the connection`);
            if (this.#late) throw this.failure(`waiting for ${what}: nothing within ${DEADLINE_MS} ms`);
            await new Promise((resolve) => (this.#wake = resolve));
        }
    }

    /** Waits for the server's FIN, and tolerates no byte before it. */
    async expectEnd() {
        await this.until('the end of the connection', () => this.ended || undefined);
        if (this.received.length) throw this.failure(`bytes before the end: ${hex(this.received)}`);
    }

    /** An error that carries the conversation so far. @param {string} message */
    failure(message) {
        const shown = this.#history.length > 40 ? ['  ...', ...this.#history.slice(-40)] : this.#history;
        return new Error([message, ...shown].join('\n'));
    }

    /** Ends everything; call it once at the end of a case. */
    destroy() {
        clearTimeout(this.#deadline);
        this.#socket.destroy();
    }
}
