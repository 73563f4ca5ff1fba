/**
 * link_faults.js -- a TCP proxy between a gateway and Redis whose connections fall ill: they stall, fall silent for good
 * without a word (half-open), break in the middle of a request or of a reply, or bring late what was sent long ago.
 *
 * Nothing is ever reordered or changed within a connection. See redis_proxy.js for faults at one certain message.
 */
import net from 'node:net';
import { onEnd } from './cleanup.js';
import { within } from './wait.js';

/** How long Redis keeps its side of a connection of which it is not told that it is gone. */
const GHOST_MS = 6000;

/**
 * Starts one in front of a server. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {{port: number}} redis
 * @returns {Promise<FaultyLinks>}
 */
export async function startFaultyLinks(t, redis) {
    const links = new FaultyLinks(redis.port);
    onEnd(t, () => links.close());
    await within('the proxy to listen', links.listening);
    return links;
}

const drop = () => {};
const holdUp = (link, chunk) => void link.up.push(chunk);
const holdDown = (link, chunk) => void link.down.push(chunk);

/** Redis gets what was held, and then the end. */
function deliverLate(link) {
    for (const chunk of link.up) link.far.write(chunk);
    link.far.end();
}

/** What each does to the bytes of its connection, and how it ends. */
const ILLNESSES = {
    stalls: {
        outlivesGateway: true,
        fromGateway: holdUp,
        fromRedis: holdDown,
        begin: (link, ms) =>
            setTimeout(() => {
                if (link.near.destroyed) {
                    deliverLate(link);
                    return;
                }
                link.ill = null;
                for (const chunk of link.up.splice(0)) link.far.write(chunk);
                for (const chunk of link.down.splice(0)) link.near.write(chunk);
            }, ms),
    },
    /** No packet comes through any more, and nobody is told. */
    goesSilent: {
        outlivesGateway: true,
        fromGateway: drop,
        fromRedis: drop,
        begin: (link, ms) => setTimeout(() => link.cut(), ms + GHOST_MS),
    },
    /** The gateway sees the end at once; Redis gets the requests long after. */
    comesLate: {
        outlivesGateway: true,
        fromGateway: holdUp,
        fromRedis: drop,
        begin: (link, ms) => {
            setTimeout(() => link.near.destroy(), ms / 3);
            setTimeout(() => deliverLate(link), ms);
        },
    },
    breaksAfterRequest: {
        outlivesGateway: true,
        fromGateway: (link, chunk) => {
            if (!link.near.destroyed) link.far.end(chunk);
            link.near.destroy();
        },
        fromRedis: drop,
    },
    breaksInRequest: {
        outlivesGateway: true,
        fromGateway: (link, chunk) => {
            if (!link.near.destroyed) link.far.end(chunk.subarray(0, chunk.length / 2));
            link.near.destroy();
        },
    },
    breaksInReply: {
        fromRedis: (link, chunk) => {
            link.near.end(chunk.subarray(0, chunk.length / 2));
            link.far.destroy();
        },
    },
};

/** One connection of a gateway; what is wrong with it is decided once. */
class Link {
    /** True once it has subscribed to something. */
    subscriber = false;
    /** @type {keyof typeof ILLNESSES | null} */
    ill = null;
    /** What waits, by direction. @type {Buffer[]} */
    up = [];
    /** @type {Buffer[]} */
    down = [];

    /** @param {net.Socket} near to the gateway @param {number} port of Redis */
    constructor(near, port) {
        this.near = near;
        this.far = net.connect({ host: '127.0.0.1', port });
        for (const socket of [near, this.far]) socket.setNoDelay(true).on('error', () => {});
        near.on('data', (chunk) => this.#fromGateway(chunk));
        this.far.on('data', (chunk) => this.#fromRedis(chunk));
        near.on('close', () => ILLNESSES[this.ill]?.outlivesGateway || this.cut());
        this.gone = new Promise((resolve) => this.far.on('close', resolve));
        this.gone.then(() => this.cut());
    }

    cut() {
        this.near.destroy();
        this.far.destroy();
    }

    /** @param {keyof typeof ILLNESSES} what @param {number} ms */
    fallIll(what, ms) {
        this.ill = what;
        ILLNESSES[what].begin?.(this, ms);
    }

    #fromGateway(chunk) {
        if (chunk.includes('SUBSCRIBE\r\n')) this.subscriber = true;
        const course = ILLNESSES[this.ill]?.fromGateway;
        if (course) course(this, chunk);
        else if (!this.far.destroyed) this.far.write(chunk);
    }

    #fromRedis(chunk) {
        const course = ILLNESSES[this.ill]?.fromRedis;
        if (course) course(this, chunk);
        else if (!this.near.destroyed) this.near.write(chunk);
    }
}

export class FaultyLinks {
    /** @type {Set<Link>} */
    #links = new Set();

    /** What can be wrong with a connection. */
    static kinds = /** @type {Array<keyof typeof ILLNESSES>} */ (Object.keys(ILLNESSES));

    /** @param {number} port of Redis */
    constructor(port) {
        this.port = port;
        this.server = net.createServer((socket) => {
            const link = new Link(socket, this.port);
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
     * Makes connections fall ill that are well.
     * @param {keyof typeof ILLNESSES} what
     * @param {'subscriber' | 'commander' | 'both'} which
     * @param {number} [ms] how long it lasts, where it does
     */
    harm(what, which, ms = 0) {
        for (const link of this.#links) {
            const meant = which === 'both' || (which === 'subscriber') === link.subscriber;
            if (meant && !link.ill) link.fallIll(what, ms);
        }
    }

    /** All connections end, and new ones go to another server. @param {{port: number}} redis */
    leadTo(redis) {
        this.port = redis.port;
        for (const link of this.#links) link.cut();
    }

    close() {
        for (const link of this.#links) link.cut();
        return new Promise((resolve) => this.server.close(resolve));
    }
}
