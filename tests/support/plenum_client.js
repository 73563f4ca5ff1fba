/**
 * plenum_client.js -- a bare plenum.v1 client that notes every frame in the order in which it came.
 *
 * It speaks the protocol as plenum.md has it, and shares no code with the client that the gateway serves. It also watches
 * that each request gets exactly one reply, of the right type: what breaks that is noted in `faults`.
 */
import { WebSocket } from 'ws';
import { onEnd } from './cleanup.js';
import { within } from './wait.js';

/** The type of the reply, where it is not an error. */
const REPLIES = {
    hello: 'welcome',
    join: 'joined',
    leave: 'left',
    publish: 'ack',
    history: 'messages',
    signal: 'ack',
    update: 'ack',
    ping: 'pong',
    auth: 'ack',
};

/**
 * @typedef {Record<string, any> & {type: string}} Frame
 * @typedef {object} Request
 * @property {number} id
 * @property {string} type
 * @property {string} [room]
 * @property {Record<string, any>} fields what was sent
 * @property {boolean} repeat a publish that was sent before, under the same key
 * @property {number} sentAt ms
 * @typedef {object} PlenumOptions
 * @property {Record<string, any>} [hello] fields of the hello
 * @property {boolean} [deflate] offer permessage-deflate
 * @property {boolean} [keep] keep all frames; true unless it is said
 * @property {(frame: Frame, request: Request | undefined) => void} [onFrame] called for each, in order
 */

/** A request whose connection ended before the reply. */
export class ConnectionLost extends Error {}

/**
 * Connects and says hello. The client ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {{url: string}} gateway
 * @param {PlenumOptions} [options]
 * @returns {Promise<PlenumClient>}
 */
export async function connectPlenum(t, gateway, options) {
    const client = new PlenumClient(gateway.url, options);
    onEnd(t, () => client.terminate());
    await client.hello();
    return client;
}

/**
 * Many, each in the room already.
 * @param {import('node:test').TestContext} t
 * @param {number} count
 * @param {(index: number) => {url: string}} gateway
 * @param {string} room
 * @param {PlenumOptions} [options]
 * @returns {Promise<PlenumClient[]>}
 */
export async function connectMembers(t, count, gateway, room, options) {
    return Promise.all(
        Array.from({ length: count }, async (_, i) => {
            const client = await connectPlenum(t, gateway(i), options);
            await client.joined(room);
            return client;
        }),
    );
}

export class PlenumClient {
    /** @type {Frame[]} everything that came (with keep) */
    frames = [];
    /** @type {string[]} everything that came, as it stood on the wire (with keep) */
    texts = [];
    /** @type {Frame | null} */
    welcome = null;
    /** @type {{code: number} | null} null while it is open or opening */
    closing = null;
    /** @type {string[]} what the server did against the protocol */
    faults = [];
    /** @type {Map<number, Request & {resolve: (reply: Frame) => void, reject: (error: Error) => void}>} */
    #pending = new Map();
    /** @type {Set<() => void>} */
    #waiting = new Set();
    #nextId = 1;
    #slowestMs = 0;
    #options;

    /** @param {string} url of the gateway @param {PlenumOptions} [options] */
    constructor(url, options = {}) {
        this.#options = { keep: true, hello: {}, ...options };
        const socket = new WebSocket(`${url}/connect`, 'plenum.v1', {
            perMessageDeflate: options.deflate ? { threshold: 0 } : false,
        });
        this.socket = socket;
        /** Resolves at onopen. */
        this.opened = new Promise((resolve, reject) => {
            socket.on('open', resolve);
            socket.on('error', reject);
        });
        this.opened.catch(() => {});
        /** @type {Promise<{code: number}>} */
        this.closed = new Promise((resolve) => {
            socket.on('close', (code) => {
                this.#end(code);
                resolve(this.closing);
            });
        });
        socket.on('message', (data, binary) => this.#take(data, binary));
    }

    get isOpen() {
        return this.socket.readyState === WebSocket.OPEN;
    }

    /** The own member id. */
    get member() {
        return this.welcome.member;
    }

    /** The frames of one type so far. @param {string} type */
    all(type) {
        return this.frames.filter((frame) => frame.type === type);
    }

    /** The longest that a request has waited for its reply, or waits still, ms. */
    get slowestMs() {
        const [oldest] = this.#pending.values();
        return Math.max(this.#slowestMs, oldest ? Date.now() - oldest.sentAt : 0);
    }

    /** Waits for onopen and the welcome. @returns {Promise<Frame>} */
    async hello() {
        await within('the connection to open', this.opened);
        const reply = await within('the welcome', this.request('hello', this.#options.hello));
        if (reply.type !== 'welcome') throw new Error(`hello was answered with ${JSON.stringify(reply)}`);
        this.welcome = reply;
        return reply;
    }

    /**
     * Sends a request, and gives its reply, an `error` too. Rejects with ConnectionLost when the connection ends first.
     * @param {string} type
     * @param {Record<string, any>} [fields]
     * @param {{repeat?: boolean}} [options]
     * @returns {Promise<Frame>}
     */
    request(type, fields = {}, { repeat = false } = {}) {
        const id = this.#nextId++;
        const reply = new Promise((resolve, reject) => {
            const request = { id, type, room: fields.room, fields, repeat, sentAt: Date.now(), resolve, reject };
            if (!this.isOpen) {
                reject(new ConnectionLost(`${type}: the connection is not open`));
                return;
            }
            this.#pending.set(id, request);
            this.socket.send(JSON.stringify({ type, id, ...fields }));
        });
        // Who does not look at the reply has not to look at its absence either.
        reply.catch(() => {});
        return reply;
    }

    /** The reply within a deadline; anything but the expected type is an exception. */
    async #ask(type, fields, options) {
        const reply = await within(`the reply to ${type}`, this.request(type, fields, options));
        if (reply.type === 'error') {
            throw Object.assign(new Error(`${type}: ${reply.code} (${reply.message})`), { code: reply.code });
        }
        return reply;
    }

    /** Joins, or throws. @param {string} room @param {Record<string, any>} [fields] */
    joined(room, fields) {
        return this.#ask('join', { room, ...fields });
    }

    /** Leaves, or throws. @param {string} room */
    left(room) {
        return this.#ask('leave', { room });
    }

    /** Publishes and waits for the ack. @param {string} room @param {any} data @param {string} [key] */
    published(room, data, key) {
        return this.#ask('publish', { room, data, ...(key !== undefined && { key }) });
    }

    /** @param {string} room @param {Record<string, any>} [fields] */
    history(room, fields) {
        return this.#ask('history', { room, ...fields });
    }

    /**
     * The reply to a signal, an `error` too.
     * @param {string} room @param {string} to @param {any} data
     */
    signal(room, to, data) {
        return within('the reply to signal', this.request('signal', { room, to, data }));
    }

    #take(data, binary) {
        const text = data.toString();
        let frame = null;
        try {
            if (!binary) frame = JSON.parse(text);
        } catch {
            // noted below
        }
        if (typeof frame?.type !== 'string') {
            this.faults.push(`not a frame of plenum.v1: ${text.slice(0, 200)}`);
            return;
        }
        const request = this.#requestOf(frame);
        if (this.#options.keep) {
            this.frames.push(frame);
            this.texts.push(text);
        }
        this.#options.onFrame?.(frame, request);
        request?.resolve(frame);
        for (const look of this.#waiting) look();
    }

    /** The request that a frame answers; it is pending no longer. */
    #requestOf(frame) {
        if (frame.id === undefined) {
            const replies = [...Object.values(REPLIES), 'error'];
            if (replies.includes(frame.type)) this.faults.push(`a reply without an id: ${JSON.stringify(frame)}`);
            return undefined;
        }
        const request = this.#pending.get(frame.id);
        if (!request) {
            this.faults.push(`a second reply, or one that nobody asked for: ${JSON.stringify(frame)}`);
            return undefined;
        }
        this.#slowestMs = this.slowestMs;
        this.#pending.delete(frame.id);
        if (frame.type !== 'error' && frame.type !== REPLIES[request.type]) {
            this.faults.push(`${request.type} was answered with ${JSON.stringify(frame)}`);
        }
        return request;
    }

    #end(code) {
        this.closing = { code };
        this.#slowestMs = this.slowestMs;
        const pending = [...this.#pending.values()];
        this.#pending.clear();
        for (const { type, reject } of pending) reject(new ConnectionLost(`${type}: closed with ${code}`));
        for (const look of this.#waiting) look();
    }

    /**
     * The first frame, here already or still to come, of that type (and for which the predicate holds).
     * @param {string} type
     * @param {(frame: Frame) => boolean} [holds]
     * @param {number} [seconds]
     * @returns {Promise<Frame>}
     */
    async waitFor(type, holds = () => true, seconds = undefined) {
        let looked = 0;
        let found;
        await this.until(
            `a ${type}`,
            () => {
                while (!found && looked < this.frames.length) {
                    const frame = this.frames[looked++];
                    if (frame.type === type && holds(frame)) found = frame;
                }
                return found !== undefined;
            },
            seconds,
        );
        return found;
    }

    /**
     * Waits until a condition holds; it is looked at whenever a frame comes.
     * @param {string} what
     * @param {() => boolean} condition
     * @param {number} [seconds]
     */
    async until(what, condition, seconds) {
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
        } finally {
            this.#waiting.delete(look);
        }
    }

    /** Closes in order, and waits until that is done. @param {number} [code] */
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
