/**
 * redis_proxy.js -- a TCP proxy between a gateway and Redis that loses replies, holds back what is published, and refuses.
 *
 * With it a fault that takes luck elsewhere happens for certain, at a known message.
 */
import net from 'node:net';
import { onEnd } from './cleanup.js';
import { within } from './wait.js';

/**
 * Starts one in front of a server. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {{port: number}} redis
 * @returns {Promise<RedisProxy>}
 */
export async function startRedisProxy(t, redis) {
    const proxy = new RedisProxy(redis);
    onEnd(t, () => proxy.close());
    await within('the proxy to listen', proxy.listening);
    return proxy;
}

/** One connection of a gateway. */
class Link {
    /** True once it has subscribed to something. */
    subscriber = false;
    /** True once the replies on it are lost. */
    deaf = false;

    /** @param {RedisProxy} proxy @param {net.Socket} near to the gateway @param {number} port of Redis */
    constructor(proxy, near, port) {
        this.near = near;
        this.far = net.connect({ host: '127.0.0.1', port });
        for (const socket of [this.near, this.far]) {
            socket.setNoDelay(true);
            socket.on('error', () => {});
            socket.on('close', () => this.cut());
        }
        near.on('data', (chunk) => proxy.forward(this, chunk));
        this.far.on('data', (chunk) => this.deaf || near.write(chunk));
        this.gone = new Promise((resolve) => this.far.on('close', resolve));
    }

    cut() {
        this.near.destroy();
        this.far.destroy();
    }
}

export class RedisProxy {
    /** Whether a gateway that connects is thrown out at once. */
    refuses = false;
    /** @type {Set<Link>} */
    #links = new Set();
    #holds = false;
    /** @type {Array<{text: string, done: () => void}>} */
    #losses = [];

    /** @param {{port: number}} redis */
    constructor(redis) {
        this.server = net.createServer((socket) => {
            if (this.refuses) {
                socket.on('error', () => {});
                socket.destroy();
                return;
            }
            const link = new Link(this, socket, redis.port);
            this.#links.add(link);
            link.gone.then(() => this.#links.delete(link));
        });
        this.listening = new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    }

    /** For --redis. */
    get url() {
        return `redis://127.0.0.1:${this.server.address().port}`;
    }

    /**
     * Lets Redis carry out the next command that contains the text, and loses its reply together with the connection.
     * Redis works off what it was sent before it sees the end of the connection, so the command is done by then.
     * @param {string} text
     * @returns {Promise<void>} resolves when that has happened
     */
    loseReplyTo(text) {
        return new Promise((done) => this.#losses.push({ text, done }));
    }

    /** From now on nothing that is published comes through. */
    holdSubscribers() {
        this.#holds = true;
        for (const link of this.#links) if (link.subscriber) link.far.pause();
    }

    /** What was held back comes, in order. */
    releaseSubscribers() {
        this.#holds = false;
        for (const link of this.#links) link.far.resume();
    }

    /** Breaks off the connections that have subscribed. */
    cutSubscribers() {
        for (const link of this.#links) if (link.subscriber) link.cut();
    }

    /** Bytes from a gateway, on their way to Redis. @param {Link} link @param {Buffer} chunk */
    forward(link, chunk) {
        if (link.deaf) return; // sent after the command whose reply is lost: it never arrives
        if (!link.subscriber && chunk.includes('SUBSCRIBE')) {
            link.subscriber = true;
            if (this.#holds) link.far.pause();
        }
        link.far.write(chunk);
        const loss = this.#losses.findIndex(({ text }) => chunk.includes(text));
        if (loss < 0) return;
        const [{ done }] = this.#losses.splice(loss, 1);
        link.deaf = true;
        link.far.end();
        link.gone.then(done);
    }

    close() {
        for (const link of this.#links) link.cut();
        return new Promise((resolve) => this.server.close(resolve));
    }
}
