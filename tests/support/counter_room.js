/**
 * counter_room.js -- many cheap listeners that check a numbered stream instead of keeping it.
 *
 * Each message begins with its number. A listener notes the first and the last number that it heard, and the first fault:
 * a number that is not the next one. That is all, so that thousands fit into one process.
 */
import { WebSocket } from 'ws';
import { within } from './wait.js';

/** The number at the head of a message, without making a string of all of it. */
function numberOf(data) {
    let number = 0;
    for (let i = 0; i < data.length && data[i] >= 48 && data[i] <= 57; i++) number = number * 10 + data[i] - 48;
    return number;
}

export class Counter {
    first = -1;
    last = -1;
    /** @type {string | null} what was wrong first */
    fault = null;
    /** The highest number that had been sent when this listener saw onopen: it must hear the next one. */
    sentAtOpen = -1;
    /** @type {{code: number} | null} */
    closing = null;
    /** True once we closed it ourselves. */
    left = false;

    /**
     * @param {string} url
     * @param {{deflate?: boolean, lastSent?: () => number}} [options] lastSent: asked at onopen
     */
    constructor(url, { deflate = false, lastSent = () => -1 } = {}) {
        const socket = new WebSocket(url, { perMessageDeflate: deflate && { threshold: 0 } });
        this.socket = socket;
        this.opened = new Promise((resolve, reject) => {
            socket.on('open', () => {
                this.sentAtOpen = lastSent();
                resolve();
            });
            socket.on('error', reject);
        });
        this.opened.catch(() => {});
        this.closed = new Promise((resolve) => {
            socket.on('close', (code) => {
                this.closing = { code };
                resolve(this.closing);
            });
        });
        socket.on('message', (data) => this.#hear(numberOf(data)));
    }

    #hear(number) {
        if (this.first < 0) this.first = number;
        else if (number !== this.last + 1) this.fault ??= `${number} after ${this.last}`;
        this.last = number;
    }

    /** Up to where it is, or was when it came: the number of the last message that it has heard or did not have to. */
    get position() {
        return Math.max(this.last, this.sentAtOpen);
    }

    /** Reads no more until readAgain. */
    stopReading() {
        this.socket.pause();
    }

    readAgain() {
        this.socket.resume();
    }

    /** Leaves in order (the close frame) or drops the connection. @param {boolean} orderly */
    leave(orderly) {
        this.left = true;
        if (orderly) this.socket.close(1000);
        else this.socket.terminate();
    }

    /**
     * What it should have heard and did not, or null. A listener that left owes nothing but a stream without gaps.
     * @param {number} lastSent the number of the last message of all
     */
    verdict(lastSent) {
        if (this.fault) return this.fault;
        if (this.first < 0 && this.left) return null;
        if (!this.left && this.closing) return `closed with ${this.closing.code}`;
        if (this.first > this.sentAtOpen + 1) return `first heard ${this.first}, but ${this.sentAtOpen + 1} was sent after onopen`;
        if (!this.left && this.last !== lastSent) return `ends with ${this.last} instead of ${lastSent}`;
        return null;
    }
}

/**
 * Opens many, in portions that a listener's backlog can hold.
 * @param {number} count
 * @param {(index: number) => Counter} make
 * @returns {Promise<Counter[]>}
 */
export async function openCounters(count, make) {
    const counters = [];
    while (counters.length < count) {
        const next = [];
        for (let i = Math.min(250, count - counters.length); i > 0; i--) next.push(make(counters.length + next.length));
        await within('listeners to open', Promise.all(next.map((counter) => counter.opened)), 30);
        counters.push(...next);
    }
    return counters;
}
