/**
 * seat.js -- a person in some rooms: comes, goes, comes back with a resume, says numbered things, repeats what got no ack.
 *
 * It does what it is told to and nothing by itself (see participant.js for one who lives on his own). All that it gets goes
 * to the ledger.
 */
import { PlenumClient } from './plenum_client.js';
import { Positions } from './positions.js';
import { patience } from './scale.js';
import { within } from './wait.js';

/** A request that has waited so long on an open connection is taken to have no reply. */
const SILENCE_MS = 20_000 * patience;

export class Seat {
    /** @type {PlenumClient | null} the connection of now, or the last one */
    client = null;
    /** Rooms that the connection of now is in. @type {Set<string>} */
    joined = new Set();
    /** Keyed messages without an ack. @type {Map<string, {id: string, room: string, pad: string}>} */
    open = new Map();
    /** How often it has connected. */
    sessions = 0;
    positions = new Positions();
    #said = 0;

    /**
     * @param {string} name
     * @param {string[]} rooms
     * @param {import('./accounting.js').Ledger} ledger
     */
    constructor(name, rooms, ledger) {
        this.name = name;
        this.rooms = rooms;
        this.ledger = ledger;
    }

    /** Connects and says hello; throws when that fails. @param {string} url of a gateway */
    async connect(url) {
        this.sessions++;
        this.joined.clear();
        const client = new PlenumClient(url, {
            keep: false,
            hello: { name: this.name },
            onFrame: (frame, request) => {
                this.positions.take(frame, request);
                this.ledger.take(this.name, client.welcome?.member, frame, request);
            },
        });
        this.client = client;
        client.closed.then(() => this.#audit(client));
        await client.hello();
    }

    /** Joins one room, from where it was. @param {string} room @returns {Promise<import('./plenum_client.js').Frame>} */
    async join(room) {
        const resume = this.positions.get(room);
        const reply = await this.client.request('join', { room, ...(resume && { resume }) });
        if (reply.type === 'joined') this.joined.add(room);
        return reply;
    }

    /** Connects, and joins all its rooms. @param {string} url */
    async come(url) {
        await this.connect(url);
        for (const room of this.rooms) {
            const reply = await within(`${this.name} to join ${room}`, this.join(room));
            if (reply.type !== 'joined') throw new Error(`${this.name} in ${room}: ${JSON.stringify(reply)}`);
        }
    }

    /** Breaks the connection off, and waits until it is gone. */
    async vanish() {
        this.client.terminate();
        await this.client.closed;
    }

    /**
     * Says something new.
     * @param {string} room
     * @param {{keyed?: boolean, pad?: string}} [options] keyed: under an idempotency key; pad: goes with it
     * @returns {{id: string, reply: Promise<import('./plenum_client.js').Frame>}} the reply may be an error
     */
    say(room, { keyed = true, pad = '' } = {}) {
        const id = `${this.name}-${++this.#said}`;
        const what = { id, room, pad };
        this.ledger.say({ id, room, sender: this.name, keyed });
        if (keyed) this.open.set(id, what);
        return { id, reply: this.#publish(what, keyed, false) };
    }

    /** Says once more what got no ack. @param {string} id */
    repeat(id) {
        return this.#publish(this.open.get(id), true, true);
    }

    async #publish({ id, room, pad }, keyed, repeat) {
        const data = pad ? { id, pad } : { id };
        const reply = await this.client.request('publish', { room, data, ...(keyed && { key: id }) }, { repeat });
        if (reply.type === 'ack') this.open.delete(id);
        else if (reply.code === 'unavailable' && !keyed) this.ledger.deny(id);
        return reply;
    }

    /** What a connection did against the protocol goes into the ledger. */
    #audit(client) {
        for (const fault of client.faults) this.ledger.complaints.push(`${this.name}: ${fault}`);
        client.faults = [];
        const { slowestMs } = client;
        if (slowestMs > SILENCE_MS) this.ledger.complaints.push(`${this.name}: a request had no reply for ${slowestMs} ms`);
    }

    /** The end: drops the connection, and waits until it is looked at. */
    async finish() {
        if (this.client) await this.vanish();
    }
}
