/**
 * client.js -- a WebSocket client that records what it hears.
 */
import { WebSocket } from 'ws';
import { onEnd } from './cleanup.js';
import { within } from './wait.js';

/**
 * @typedef {{data: string | Buffer, binary: boolean}} Message a string where the frame was text
 * @typedef {{code: number, reason: string}} Closing
 */

/**
 * Connects and waits for onopen. The client ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {string} url
 * @param {{deflate?: boolean, headers?: Record<string, string>}} [options] deflate: offer permessage-deflate
 * @returns {Promise<Client>}
 */
export async function connect(t, url, options) {
    const client = new Client(url, options);
    onEnd(t, () => client.terminate());
    await within(`${url} to open`, client.opened);
    return client;
}

/**
 * Many clients at once.
 * @param {import('node:test').TestContext} t
 * @param {number} count
 * @param {(index: number) => string} url
 * @param {{deflate?: boolean}} [options]
 * @returns {Promise<Client[]>}
 */
export async function connectMany(t, count, url, options) {
    const clients = [];
    // In portions: a listener's backlog is no place for thousands.
    while (clients.length < count) {
        const portion = Math.min(200, count - clients.length);
        const next = Array.from({ length: portion }, (_, i) => connect(t, url(clients.length + i), options));
        clients.push(...(await Promise.all(next)));
    }
    return clients;
}

/**
 * Tries to connect where the gateway should refuse.
 * @param {string} url
 * @param {{headers?: Record<string, string>}} [options]
 * @returns {Promise<{status: number, headers: import('node:http').IncomingHttpHeaders}>} status 101: it did not refuse
 */
export function refusal(url, { headers } = {}) {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const answer = new Promise((resolve, reject) => {
        socket.on('open', () => {
            socket.terminate();
            resolve({ status: 101, headers: {} });
        });
        socket.on('unexpected-response', (request, response) => {
            request.destroy();
            resolve({ status: response.statusCode, headers: response.headers });
        });
        socket.on('error', reject);
    });
    return within(`an answer of ${url}`, answer);
}

export class Client {
    /** @type {Message[]} everything it heard */
    messages = [];
    /** @type {Closing | null} how the connection ended; null while it is open */
    closing = null;
    #read = 0;
    /** @type {Set<() => void>} */
    #waiting = new Set();

    /**
     * @param {string} url
     * @param {{deflate?: boolean, headers?: Record<string, string>}} [options]
     */
    constructor(url, { deflate = false, headers } = {}) {
        const socket = new WebSocket(url, { perMessageDeflate: deflate && { threshold: 0 }, headers });
        this.socket = socket;
        /** Resolves at onopen. */
        this.opened = new Promise((resolve, reject) => {
            socket.on('open', resolve);
            socket.on('error', reject);
        });
        this.opened.catch(() => {});
        /** @type {Promise<Closing>} */
        this.closed = new Promise((resolve) => {
            socket.on('close', (code, reason) => {
                this.closing = { code, reason: reason.toString() };
                this.#wake();
                resolve(this.closing);
            });
        });
        socket.on('message', (data, binary) => {
            this.messages.push({ data: binary ? data : data.toString(), binary });
            this.#wake();
        });
    }

    #wake() {
        for (const look of this.#waiting) look();
    }

    /** True when permessage-deflate was negotiated. */
    get deflates() {
        return this.socket.extensions.includes('permessage-deflate');
    }

    get isOpen() {
        return this.socket.readyState === WebSocket.OPEN;
    }

    /** The data of all messages so far. */
    get heard() {
        return this.messages.map((message) => message.data);
    }

    /** @param {string | Buffer} data text when it is a string */
    send(data) {
        this.socket.send(data);
    }

    /**
     * The next message that next() has not given yet.
     * @param {number} [seconds]
     * @returns {Promise<Message>}
     */
    async next(seconds) {
        await this.#until('a message', () => this.messages.length > this.#read, seconds);
        return this.messages[this.#read++];
    }

    /**
     * The first message, heard already or still to come, for which the predicate holds.
     * @param {string | ((message: Message) => boolean)} wanted a predicate, or the text of a message
     * @param {number} [seconds]
     * @returns {Promise<Message>}
     */
    async waitFor(wanted, seconds) {
        const predicate = typeof wanted === 'string' ? (message) => message.data === wanted : wanted;
        let looked = 0;
        let found;
        const look = () => {
            while (!found && looked < this.messages.length) {
                const message = this.messages[looked++];
                if (predicate(message)) found = message;
            }
            return found !== undefined;
        };
        await this.#until(typeof wanted === 'string' ? `the message ${wanted}` : 'a certain message', look, seconds);
        return found;
    }

    /**
     * Resolves when it has heard so many messages in all.
     * @param {number} count
     * @param {number} [seconds]
     */
    async waitForCount(count, seconds) {
        await this.#until(`${count} messages`, () => this.messages.length >= count, seconds);
    }

    async #until(what, condition, seconds) {
        if (condition()) return;
        let look;
        const holds = new Promise((resolve, reject) => {
            look = () => {
                if (condition()) resolve();
                else if (this.closing) reject(new Error(`closed with ${this.closing.code} while waiting for ${what}`));
            };
            this.#waiting.add(look);
            look();
        });
        try {
            await within(what, holds, seconds);
        } catch (error) {
            error.message += ` (heard ${this.messages.length})`;
            throw error;
        } finally {
            this.#waiting.delete(look);
        }
    }

    /**
     * Closes in order, and waits until that is done.
     * @param {number} [code]
     * @returns {Promise<Closing>}
     */
    close(code = 1000) {
        this.socket.close(code);
        return within('the connection to close', this.closed);
    }

    /** Drops the connection without a word. */
    terminate() {
        this.socket.on('error', () => {});
        this.socket.terminate();
    }
}
