/**
 * raw.js -- a WebSocket over a bare socket, for what a proper client refuses to do: not to read, to read one byte at a
 * time, to send half a frame.
 */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { onEnd } from './cleanup.js';
import { within } from './wait.js';

/**
 * @typedef {object} RawOptions
 * @property {number} [readBytes] read so many bytes a system call, and hand them out one call at a time
 */

/**
 * A TCP connection. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {number} port
 * @param {RawOptions} [options]
 * @returns {Promise<RawConnection>}
 */
export async function dial(t, port, options = {}) {
    const connection = new RawConnection(port, options);
    onEnd(t, () => connection.socket.destroy());
    await within(`port ${port} to accept`, connection.connected);
    return connection;
}

/**
 * A WebSocket by hand: dialled, upgraded, nothing more read than the answer.
 * @param {import('node:test').TestContext} t
 * @param {{port: number}} gateway
 * @param {string} path
 * @param {RawOptions} [options]
 */
export async function rawWebSocket(t, gateway, path, options) {
    const connection = await dial(t, gateway.port, options);
    connection.socket.write(upgradeRequest(path));
    await connection.waitForText('\r\n\r\n');
    const head = connection.received.toString('latin1');
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(`not upgraded: ${head}`);
    connection.received = connection.received.subarray(connection.received.indexOf('\r\n\r\n') + 4);
    return connection;
}

/** @param {string} path @param {string} [more] header lines, each with its end of line */
export function upgradeRequest(path, more = '') {
    return (
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${more}\r\n`
    );
}

/**
 * A client's frame.
 * @param {number} opcode
 * @param {Buffer} payload
 * @param {{fin?: boolean}} [options]
 */
export function frame(opcode, payload, { fin = true } = {}) {
    const mask = randomBytes(4);
    const first = (fin ? 0x80 : 0) | opcode;
    let head;
    if (payload.length < 126) {
        head = Buffer.from([first, 0x80 | payload.length]);
    } else if (payload.length < 65536) {
        head = Buffer.from([first, 0xfe, payload.length >> 8, payload.length & 255]);
    } else {
        head = Buffer.alloc(10);
        head[0] = first;
        head[1] = 0xff;
        head.writeBigUInt64BE(BigInt(payload.length), 2);
    }
    const masked = payload.map((byte, i) => byte ^ mask[i & 3]);
    return Buffer.concat([head, mask, masked]);
}

/**
 * The frames in a server's bytes; an unfinished one at the end is left out.
 * @param {Buffer} bytes
 * @returns {Array<{opcode: number, payload: Buffer}>}
 */
export function parseFrames(bytes) {
    const frames = [];
    let at = 0;
    while (at + 2 <= bytes.length) {
        let length = bytes[at + 1] & 127;
        let head = 2;
        if (length === 126) head = 4;
        if (length === 127) head = 10;
        if (at + head > bytes.length) break;
        if (head === 4) length = bytes.readUInt16BE(at + 2);
        if (head === 10) length = Number(bytes.readBigUInt64BE(at + 2));
        if (at + head + length > bytes.length) break;
        frames.push({ opcode: bytes[at] & 15, payload: bytes.subarray(at + head, at + head + length) });
        at += head + length;
    }
    return frames;
}

/**
 * The code of the close frame in a server's bytes.
 * @param {Buffer} bytes
 * @returns {number | null} null when there is no (whole) close frame, 1005 when it has no code
 */
export function closeCode(bytes) {
    const closing = parseFrames(bytes).find((one) => one.opcode === 8);
    if (!closing) return null;
    return closing.payload.length >= 2 ? closing.payload.readUInt16BE(0) : 1005;
}

export class RawConnection {
    /** What came and was not taken away yet. */
    received = Buffer.alloc(0);
    /** True once the other side ended or broke the connection. */
    ended = false;
    #reading = true;
    #chunks = [];

    /** @param {number} port @param {RawOptions} options */
    constructor(port, { readBytes }) {
        const onread = readBytes && {
            buffer: Buffer.alloc(readBytes),
            callback: (count, buffer) => {
                this.#take(Buffer.from(buffer.subarray(0, count)));
                return this.#reading;
            },
        };
        this.socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, ...(onread && { onread }) });
        this.socket.setNoDelay(true);
        this.connected = new Promise((resolve, reject) => {
            this.socket.on('connect', resolve);
            this.socket.on('error', reject);
        });
        this.connected.catch(() => {});
        /** Resolves when the other side has ended or broken the connection. */
        this.finished = new Promise((resolve) => {
            const finish = () => {
                this.ended = true;
                resolve();
            };
            this.socket.on('end', finish);
            this.socket.on('close', finish);
        });
        if (!onread) this.socket.on('data', (chunk) => this.#take(chunk));
    }

    #take(chunk) {
        this.#chunks.push(chunk);
        this.socket.emit('taken');
    }

    /** Puts together what came in pieces. */
    collect() {
        if (this.#chunks.length) {
            this.received = Buffer.concat([this.received, ...this.#chunks]);
            this.#chunks = [];
        }
        return this.received;
    }

    /** Stops to read: the kernel's buffers fill, then the gateway's. */
    stopReading() {
        this.#reading = false;
        this.socket.pause();
    }

    /** Reads again. */
    readAgain() {
        this.#reading = true;
        this.socket.resume();
    }

    /** @param {string} text */
    async waitForText(text, seconds) {
        await this.waitForBytes((bytes) => bytes.includes(text), `"${text.trim()}"`, seconds);
    }

    /**
     * @param {(received: Buffer) => boolean} condition
     * @param {string} what
     * @param {number} [seconds]
     */
    async waitForBytes(condition, what, seconds) {
        let look;
        const arrived = new Promise((resolve, reject) => {
            look = () => condition(this.collect()) && resolve();
            this.socket.on('taken', look);
            this.finished.then(() => {
                look();
                reject(new Error(`the connection ended before ${what} came`));
            });
            look();
        });
        try {
            await within(what, arrived, seconds);
        } finally {
            this.socket.off('taken', look);
        }
    }
}
