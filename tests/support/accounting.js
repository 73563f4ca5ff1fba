/**
 * accounting.js -- the ledger: what was said in each room, and all that each member was told, in its order.
 *
 * It only records; what it means is for accounting_judge.js. A member here is a person, not a connection: somebody who
 * stays in a room or comes back with a resume, over many connections. Each message carries `{id}` as (part of) its data, by
 * which it is known wherever it turns up.
 */

/**
 * @typedef {object} Statement
 * @property {string} id
 * @property {string} room
 * @property {string} sender a member's name
 * @property {boolean} keyed sent with an idempotency key, and repeated until it is acked
 * @property {boolean} acked
 * @property {boolean} denied answered with `unavailable`: it was never sent, so nobody may hear it
 *
 * @typedef {{kind: 'joined', epoch: string, offset: number, recovered: boolean, lossy: any,
 *   resume: {epoch: string, offset: number} | undefined, history: number}} Joined
 * @typedef {{kind: 'message', id: string, offset: number, self: boolean}} Heard self: under the member's id of now
 * @typedef {{kind: 'ack', id: string, offset: number, repeat: boolean}} Acked
 * @typedef {{kind: 'gap', from: number, to: number}} Gap
 * @typedef {{kind: 'epoch', epoch: string, offset: number, lossy: any}} EpochChange
 * @typedef {Joined | Heard | Acked | Gap | EpochChange} Event
 */

/** All that one member was told in one room. */
export class Record {
    /** @type {Event[]} */
    events = [];
    /** The epoch that it knows of. @type {string | undefined} */
    epoch;
    /** The highest offset that it knows of in there. */
    top = 0;
    /** False once it went for good: then it is owed nothing more. */
    stays = true;

    /** @param {string} name @param {string} room */
    constructor(name, room) {
        this.name = name;
        this.room = room;
    }

    /** @param {Event} event */
    add(event) {
        this.events.push(event);
        if ('epoch' in event) {
            // Below a replay's end the messages are still to come.
            const replays = event.kind === 'joined' && event.recovered;
            if (!replays || event.epoch !== this.epoch) this.top = replays ? event.resume.offset : event.offset;
            this.epoch = event.epoch;
        } else {
            this.top = Math.max(this.top, event.kind === 'gap' ? event.to : event.offset);
        }
    }
}

export class Ledger {
    /** @type {Map<string, Statement>} by id */
    statements = new Map();
    /** @type {Record[]} */
    records = [];
    /** What is wrong beyond messages: a second reply, a request without one. @type {string[]} */
    complaints = [];
    /** The highest ack of each room and epoch; the epochs in the order in which they came up.
     * @type {Map<string, Map<string, number>>} */
    #acks = new Map();
    /** The epochs of each room, in the order in which they came up. @type {Map<string, string[]>} */
    #epochs = new Map();
    /** @type {Map<string, Record>} */
    #byMember = new Map();

    /**
     * The record of a member in a room; made when it is first asked for.
     * @param {string} name
     * @param {string} room
     */
    record(name, room) {
        const key = `${room} ${name}`;
        let record = this.#byMember.get(key);
        if (!record) {
            record = new Record(name, room);
            this.#byMember.set(key, record);
            this.records.push(record);
        }
        return record;
    }

    /** The records of all members of a room. @param {string} room */
    recordsOf(room) {
        return this.records.filter((record) => record.room === room);
    }

    /**
     * Something is about to be said for the first time.
     * @param {{id: string, room: string, sender: string, keyed: boolean}} what
     */
    say({ id, room, sender, keyed }) {
        this.statements.set(id, { id, room, sender, keyed, acked: false, denied: false });
    }

    /** It was answered with `unavailable`. @param {string} id */
    deny(id) {
        this.statements.get(id).denied = true;
    }

    /**
     * A frame that a member got; what is not about a room's messages is not looked at.
     * @param {string} name whose
     * @param {string | undefined} self its member id of now
     * @param {import('./plenum_client.js').Frame} frame
     * @param {import('./plenum_client.js').Request} [request] the one that it answers
     */
    take(name, self, frame, request) {
        const { type, epoch, offset, lossy } = frame;
        if (type === 'joined') {
            const { resume, history = 0 } = request.fields;
            const { recovered } = frame;
            this.#meet(request.room, epoch);
            this.record(name, request.room).add({ kind: 'joined', epoch, offset, recovered, lossy, resume, history });
        } else if (type === 'message') {
            this.record(name, frame.room).add({ kind: 'message', id: frame.data?.id, offset, self: frame.from === self });
        } else if (type === 'ack' && request?.type === 'publish') {
            this.#ack(name, offset, request);
        } else if (type === 'gap') {
            this.record(name, frame.room).add({ kind: 'gap', from: frame.from, to: frame.to });
        } else if (type === 'epoch') {
            this.#meet(frame.room, epoch);
            this.record(name, frame.room).add({ kind: 'epoch', epoch, offset, lossy });
        }
    }

    #meet(room, epoch) {
        const epochs = this.#epochs.get(room) ?? [];
        if (!epochs.includes(epoch)) this.#epochs.set(room, [...epochs, epoch]);
    }

    /** @param {string} name @param {number} offset @param {import('./plenum_client.js').Request} request */
    #ack(name, offset, { room, fields, repeat }) {
        const { id } = fields.data;
        const record = this.record(name, room);
        record.add({ kind: 'ack', id, offset, repeat });
        this.statements.get(id).acked = true;
        const acks = this.#acks.get(room) ?? new Map();
        this.#acks.set(room, acks.set(record.epoch, Math.max(offset, acks.get(record.epoch) ?? 0)));
    }

    /** The last epoch that came up in a room, as members were told. @param {string} room */
    newestEpoch(room) {
        return this.#epochs.get(room)?.at(-1);
    }

    /**
     * Those who have not come to the last ack of their room yet. Offsets go on growing from one epoch to the next (but
     * after FLUSHALL, when who stays in the old epoch is not found out here).
     * @returns {Record[]}
     */
    get behind() {
        return this.records.filter((record) => {
            const [, last] = [...(this.#acks.get(record.room) ?? [])].at(-1) ?? [];
            return record.stays && last !== undefined && record.top < last;
        });
    }

    /** How many statements were acked. */
    get acked() {
        let count = 0;
        for (const { acked } of this.statements.values()) if (acked) count++;
        return count;
    }
}
