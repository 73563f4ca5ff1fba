/**
 * participant.js -- a seat that lives on its own: talks at random, breaks off at random, comes back, and repeats what got no
 * ack until it has one.
 */
import { Seat } from './seat.js';
import { elapse } from './wait.js';

/** So many unanswered messages, and it waits for answers before it says more. */
const MOST_OPEN = 20;

export class Participant extends Seat {
    /** Whether it still says new things. */
    talks = true;
    /** Whether it breaks off by itself. */
    roams = false;
    #ended = false;
    #life = Promise.resolve();
    #talk = Promise.resolve();
    #random;
    #address;
    #pace;

    /**
     * @param {string} name
     * @param {string[]} rooms
     * @param {import('./accounting.js').Ledger} ledger
     * @param {object} options
     * @param {import('./random.js').Random} options.random
     * @param {() => string} options.address of a gateway; asked for each connection
     * @param {number} options.everyMs between two messages, on average
     * @param {[number, number]} options.stayMs how long a connection lasts, at least and at most
     * @param {number} options.keyed which part of its messages has a key; the others are never repeated
     */
    constructor(name, rooms, ledger, { random, address, everyMs, stayMs, keyed }) {
        super(name, rooms, ledger);
        this.#random = random;
        this.#address = address;
        this.#pace = { everyMs, stayMs, keyed };
    }

    start() {
        this.#life = this.#live();
        this.#talk = this.#chat();
    }

    /** True while it is in all its rooms. */
    get isIn() {
        return Boolean(this.client?.isOpen) && this.joined.size === this.rooms.length;
    }

    /** True while it is in all its rooms, with nothing left to repeat. */
    get isSettled() {
        return this.isIn && this.open.size === 0;
    }

    /** For whoever wonders why it is not settled. */
    get state() {
        const connection = this.client?.isOpen ? 'connected' : 'not connected';
        const rooms = [...this.joined].join(' ') || 'no room';
        const open = [...this.open.keys()].join(' ') || 'nothing';
        return `${connection}, in ${rooms}, without an ack for ${open}`;
    }

    /** One connection after the other. */
    async #live() {
        while (!this.#ended) {
            try {
                await this.connect(this.#address());
                await this.#stay();
            } catch {
                // Nobody was there, or not for long: on to the next connection. The ledger has what was said.
            }
            this.client?.terminate();
            await this.client?.closed;
            if (!this.#ended) await elapse(this.#random.between(20, 250));
        }
    }

    /** One connection: into the rooms, what is open once more, and then until it ends. */
    async #stay() {
        const { client } = this;
        const until = Date.now() + this.#random.between(...this.#pace.stayMs);
        await this.#joinAll(client);
        for (const id of [...this.open.keys()]) this.#insist(client, id);
        while (!client.closing && !this.#ended && !(this.roams && Date.now() > until)) await elapse(25);
        if (client.isOpen && this.#random.chance(0.5)) await client.close();
    }

    async #joinAll(client) {
        for (const room of this.rooms) {
            while ((await this.join(room)).type !== 'joined') {
                if (client.closing || this.#ended) return;
                await elapse(this.#random.between(50, 200));
            }
        }
    }

    /** Repeats a message on this connection until it is acked. */
    async #insist(client, id) {
        while (client.isOpen && client === this.client && this.open.has(id)) {
            const reply = await this.repeat(id).catch(() => null);
            if (reply?.type === 'ack') return;
            await elapse(this.#random.between(100, 300));
        }
    }

    async #chat() {
        while (!this.#ended) {
            await elapse(this.#random.between(1, 2 * this.#pace.everyMs));
            const { client } = this;
            if (!this.talks || !client?.isOpen || this.joined.size === 0 || this.open.size >= MOST_OPEN) continue;
            const keyed = this.#random.chance(this.#pace.keyed);
            const { id, reply } = this.say(this.#random.pick([...this.joined]), { keyed });
            reply.then(
                ({ type }) => type !== 'ack' && keyed && this.#insist(client, id),
                () => {},
            );
        }
    }

    /** The end of it; resolves when it does nothing more. */
    async end() {
        this.#ended = true;
        await this.finish();
        await Promise.all([this.#life, this.#talk]);
    }
}
