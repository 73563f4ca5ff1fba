/**
 * client.js -- a WebSocket client that says exactly what it is told to, and checks all that it hears.
 *
 * `next` gives the server's messages, pings, pongs and close one by one; on the way every frame is held to RFC 6455
 * (readServerFrame), fragments are put together, and compressed messages are inflated, each with a fresh window, as the
 * server_no_context_takeover that Plenum always answers entitles us to (RFC 7692 7.1.1.1).
 */
import { constants, inflateRawSync } from 'node:zlib';
import { isUtf8 } from 'node:buffer';
import * as f from './frame.js';
import { checkSwitch, newKey, readResponse, upgradeRequest } from './http.js';
import { Wire, hex } from './wire.js';

const DEFLATE_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * @typedef {{kind: 'text'|'binary'|'ping'|'pong', payload: Buffer, compressed?: boolean}} Heard
 * @typedef {{kind: 'close', payload: Buffer, code: number|null}} HeardClose
 */

/** What is expected, in the words of `expect`. @param {Buffer|string} payload */
export const heardText = (payload) => ({ kind: 'text', payload: Buffer.from(payload) });
export const heardBinary = (payload) => ({ kind: 'binary', payload: Buffer.from(payload) });
export const heardPong = (payload = '') => ({ kind: 'pong', payload: Buffer.from(payload) });

const describe = (event) =>
    event.kind === 'close'
        ? `close ${event.code ?? '(empty)'}`
        : `${event.kind} ${JSON.stringify(hex(event.payload, 24))}`;

const same = (a, b) => a.kind === b.kind && a.payload.equals(b.payload);

export class Client {
    #wire;
    #fragments = null;

    /** @param {Wire} wire @param {import('./http.js').Response} response the 101 */
    constructor(wire, response) {
        this.#wire = wire;
        this.response = response;
        this.deflate = (response.headers['sec-websocket-extensions'] ?? '').startsWith('permessage-deflate');
    }

    /**
     * Upgrades a connection.
     *
     * @param {{host: string, port: number}} target
     * @param {object} request
     * @param {string} request.path
     * @param {string} [request.extensions] the Sec-WebSocket-Extensions to offer
     * @param {Record<string, string|string[]|null>} [request.headers]
     * @param {Buffer} [request.behind] bytes to send in the same write as the request
     */
    static async open(target, { path, extensions, headers = {}, behind = Buffer.alloc(0) }) {
        const wire = await Wire.connect(target);
        try {
            const key = newKey();
            const offer = extensions === undefined ? {} : { 'Sec-WebSocket-Extensions': extensions };
            const request = upgradeRequest({ path, headers: { 'Sec-WebSocket-Key': key, ...offer, ...headers } });
            wire.send(Buffer.concat([Buffer.from(request, 'latin1'), behind]));
            return await Client.accept(wire, key);
        } catch (error) {
            wire.destroy();
            throw error;
        }
    }

    /** Reads the answer to an upgrade request that was sent by hand. @param {Wire} wire @param {string} key */
    static async accept(wire, key) {
        const response = await readResponse(wire);
        if (response.status !== 101) throw wire.failure(`status ${response.status} instead of 101: ${response.body}`);
        checkSwitch(response, key);
        return new Client(wire, response);
    }

    send(...frames) {
        this.#wire.send(Buffer.concat(frames));
    }

    /** @param {Buffer[]} pieces each in a segment of its own */
    sendApart(pieces) {
        return this.#wire.sendApart(pieces);
    }

    /** Half-closes: no more from us, but we still read. */
    end() {
        this.#wire.end();
    }

    expectEnd() {
        return this.#wire.expectEnd();
    }

    failure(message) {
        return this.#wire.failure(message);
    }

    destroy() {
        this.#wire.destroy();
    }

    /** The server's next event. @returns {Promise<Heard|HeardClose>} */
    async next(what = 'a frame') {
        for (;;) {
            const frame = await this.#wire.until(what, () => this.#readFrame());
            const event = frame.opcode >= 8 ? this.#controlEvent(frame) : this.#dataEvent(frame);
            if (event) return event;
        }
    }

    #readFrame() {
        try {
            const frame = f.readServerFrame(this.#wire.received);
            if (!frame) return undefined;
            this.#wire.take(frame.size);
            return frame;
        } catch (error) {
            throw this.failure(error.message);
        }
    }

    #controlEvent({ opcode, rsv, payload }) {
        if (rsv) throw this.failure(`a ${f.opcodeName(opcode)} with RSV bits ${rsv} (RFC 6455 5.2, RFC 7692 6.1)`);
        if (opcode !== f.CLOSE) return { kind: f.opcodeName(opcode), payload };
        if (payload.length === 1) throw this.failure('a close frame with a body of one byte (5.5.1)');
        const reason = payload.subarray(2);
        if (!isUtf8(reason)) throw this.failure('a close reason that is not UTF-8 (5.5.1)');
        return { kind: 'close', payload, code: payload.length ? payload.readUInt16BE(0) : null };
    }

    #dataEvent({ opcode, rsv, fin, payload }) {
        const starts = opcode !== f.CONTINUATION;
        if (starts === (this.#fragments !== null)) throw this.failure(`a ${f.opcodeName(opcode)} out of place (5.4)`);
        if (rsv & ~(this.deflate && starts ? f.RSV1 : 0)) {
            throw this.failure(`RSV bits ${rsv} on a ${f.opcodeName(opcode)}`);
        }
        if (starts) this.#fragments = { kind: f.opcodeName(opcode), compressed: rsv !== 0, parts: [] };
        this.#fragments.parts.push(payload);
        if (!fin) return null;
        const { kind, compressed, parts } = this.#fragments;
        this.#fragments = null;
        return { kind, compressed, payload: compressed ? this.#inflate(Buffer.concat(parts)) : Buffer.concat(parts) };
    }

    #inflate(data) {
        try {
            return inflateRawSync(Buffer.concat([data, DEFLATE_TAIL]), { finishFlush: constants.Z_SYNC_FLUSH });
        } catch (error) {
            throw this.failure(`a compressed message that does not inflate with a fresh window: ${error.message}`);
        }
    }

    /** Expects exactly these, in this order. @param {...Heard} expected @returns {Promise<Heard[]>} */
    async expect(...expected) {
        const heard = [];
        for (const one of expected) {
            const event = await this.next(describe(one));
            if (!same(event, one)) throw this.failure(`expected ${describe(one)}, heard ${describe(event)}`);
            heard.push(event);
        }
        return heard;
    }

    /** Expects these, in this order among messages and among pongs, but the two may overtake each other. */
    async expectInterleaved(...expected) {
        const isPong = (event) => event.kind === 'pong';
        const queues = [expected.filter(isPong), expected.filter((event) => !isPong(event))];
        while (queues.some((queue) => queue.length)) {
            const event = await this.next(`${describe(queues.flat()[0])}`);
            const queue = queues[isPong(event) ? 0 : 1];
            if (!queue.length || !same(event, queue[0])) throw this.failure(`unexpected ${describe(event)}`);
            queue.shift();
        }
    }

    /** Proves that nothing is on its way to us: the answer to a ping is the next thing to come. */
    async expectSilence() {
        this.send(f.ping('anything else?'));
        await this.expect(heardPong('anything else?'));
    }

    /**
     * Expects the server to fail the connection: a close frame with one of the codes, then, once we have answered it,
     * the end. Events for which `may` is true can come first (an echo that was due already).
     *
     * @param {number[]} codes
     * @param {{may?: (event: Heard) => boolean, silent?: boolean}} [options] silent: we neither answer nor close, and
     *   the server must end the connection all the same
     */
    async expectFailure(codes, { may = () => false, silent = false } = {}) {
        let event;
        do {
            event = await this.next(`close ${codes.join(' or ')}`);
        } while (event.kind !== 'close' && may(event));
        if (event.kind !== 'close') {
            throw this.failure(`expected close ${codes.join(' or ')}, heard ${describe(event)}`);
        }
        if (!codes.includes(event.code)) {
            throw this.failure(`expected close ${codes.join(' or ')}, got ${event.code}: ${event.payload.subarray(2)}`);
        }
        if (!silent) {
            this.send(f.close(event.code));
            this.end();
        }
        await this.expectEnd();
    }

    /**
     * Expects the answer to a close frame of ours, then that the server closes TCP first (RFC 6455 7.1.1).
     *
     * @param {(number|null)[]} codes null stands for a close frame without a code
     * @param {{may?: Heard[]}} [options] may: these can come before it, or not at all
     */
    async expectCloseAnswer(codes, { may = [] } = {}) {
        const due = [...may];
        let event;
        do {
            event = await this.next('the answer to our close');
        } while (event.kind !== 'close' && due.length && same(event, due.shift()));
        if (event.kind !== 'close') throw this.failure(`expected the answer to our close, heard ${describe(event)}`);
        if (!codes.includes(event.code)) {
            const said = `${event.code}: ${event.payload.subarray(2)}`;
            throw this.failure(`expected close ${codes.join(' or ')} in answer, got ${said}`);
        }
        await this.expectEnd();
    }

    /** Expects the end, without a word or with a close frame of any code: the answer to a FIN without close. */
    async expectCutOff() {
        await this.#wire.until('the end of the connection', () => this.#wire.ended || undefined);
        if (this.#wire.received.length === 0) return;
        const event = await this.next();
        if (event.kind !== 'close') throw this.failure(`expected the end, heard ${describe(event)}`);
        await this.expectEnd();
    }

    /** Closes in good order, and proves so that nothing else was coming. */
    async closeCleanly() {
        this.send(f.close(1000));
        await this.expectCloseAnswer([1000]);
    }
}
