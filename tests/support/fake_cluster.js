/**
 * fake_cluster.js -- a cluster of gateways in this process, without Redis, that can be told to break its promises.
 *
 * It is there to test the judge: the accounting must find a clean cluster clean, and each fault in a faulty one. It speaks
 * as much of plenum.v1 as the accounting uses: hello, join with resume, publish with keys, message, ack, gap, epoch.
 */
import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { onEnd } from './cleanup.js';

/**
 * @typedef {object} Faults each happens at every so many chances; none when it is not given
 * @property {number} [lose] a live message is not sent to a member
 * @property {number} [double] a live message is sent twice
 * @property {number} [swap] a live message is held back until after the next one
 * @property {number} [earlyAck] an ack does not wait for its place
 * @property {number} [wrongAck] an ack has another offset
 * @property {number} [noCatchUp] a resume is said to be recovered, and nothing is replayed
 * @property {number} [replayMore] a replay begins one message too early
 * @property {number} [forgetKey] a repeat is taken for a new message
 * @property {number} [noReply] a publish is never answered
 * @property {number} [echo] a live message comes back to its sender
 * @property {number} [denyAndSay] a message is answered with `unavailable`, and told all the same
 *
 * @typedef {{offset: number, from: string, data: any, time: number}} Entry
 */

/**
 * @typedef {object} FakeRoom
 * @property {string} epoch
 * @property {string} prev the epoch before it, and its last offset:
 * @property {number} prevtop
 * @property {number} seq
 * @property {Entry[]} log
 * @property {Map<string, number>} keys
 */

const EPOCH_LEAP = 2 ** 20;

/** What Redis would keep. */
export class FakeCluster {
    /** @type {Map<string, FakeRoom>} */
    rooms = new Map();
    /** @type {FakeGateway[]} */
    gateways = [];
    /** @type {Faults} */
    faults;
    #chances = new Map();
    #epochs = 0;

    /** @param {Faults} [faults] */
    constructor(faults = {}) {
        this.faults = faults;
    }

    /** @param {import('node:test').TestContext} t @param {number} gateways */
    static async start(t, gateways, faults) {
        const cluster = new FakeCluster(faults);
        onEnd(t, () => cluster.gateways.forEach((gateway) => gateway.kill()));
        for (let i = 0; i < gateways; i++) await cluster.startGateway();
        return cluster;
    }

    async startGateway() {
        const id = (this.gateways.length + 1).toString(16).padStart(8, '0');
        const gateway = new FakeGateway(this, id);
        await once(gateway.server, 'listening');
        gateway.url = `ws://127.0.0.1:${gateway.server.address().port}`;
        this.gateways.push(gateway);
        return gateway;
    }

    get living() {
        return this.gateways.filter((gateway) => gateway.lives);
    }

    /** Whether a fault is due. @param {keyof Faults} fault */
    due(fault) {
        const every = this.faults[fault];
        if (!every) return false;
        const count = (this.#chances.get(fault) ?? 0) + 1;
        this.#chances.set(fault, count);
        return count % every === 0;
    }

    /** @param {string} name @returns {FakeRoom} */
    room(name) {
        let room = this.rooms.get(name);
        if (!room) {
            room = { epoch: `e${++this.#epochs}`, prev: '', prevtop: 0, seq: 0, log: [], keys: new Map() };
            this.rooms.set(name, room);
        }
        return room;
    }

    /** Appends a message, and hands it to all gateways. @returns {{offset: number, seen: boolean}} */
    append(name, from, data, key) {
        const room = this.room(name);
        const known = key && room.keys.get(key);
        if (known && !this.due('forgetKey')) return { offset: known, seen: true };
        const entry = { offset: ++room.seq, from, data, time: Date.now() };
        room.log.push(entry);
        if (key) room.keys.set(key, entry.offset);
        for (const gateway of this.living) gateway.hand(name, { entry });
        return { offset: entry.offset, seen: false };
    }

    /** As after a restart of Redis (with a log), or after FLUSHALL (without). @param {boolean} keepsLog */
    beginEpochs(keepsLog) {
        for (const [name, room] of this.rooms) {
            Object.assign(room, { prev: keepsLog ? room.epoch : '', prevtop: room.seq, epoch: `e${++this.#epochs}` });
            room.seq = keepsLog ? room.seq + EPOCH_LEAP : 0;
            if (!keepsLog) Object.assign(room, { log: [], keys: new Map() });
            const change = { epoch: room.epoch, offset: room.seq, lossy: keepsLog ? 'maybe' : true };
            for (const gateway of this.living) gateway.hand(name, { change });
        }
    }
}

class FakeGateway {
    lives = true;
    /** Sockets by room. @type {Map<string, Set<FakeMember>>} */
    #members = new Map();
    /** What came from the cluster and is not delivered yet, by room. */
    #inboxes = new Map();
    /** Up to which offset a room is delivered here. */
    #positions = new Map();
    /** Acks that wait for their place: room -> [{offset, send}] */
    #acks = new Map();
    #counter = 0;

    constructor(cluster, id) {
        this.cluster = cluster;
        this.id = id;
        this.server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/connect' });
        this.server.on('connection', (socket) => {
            const member = new FakeMember(this, socket, id + (++this.#counter).toString(16).padStart(8, '0'));
            socket.on('message', (data) => member.take(JSON.parse(data)));
            socket.on('close', () => this.#members.forEach((members) => members.delete(member)));
            socket.on('error', () => {});
        });
    }

    /** As SIGKILL. */
    kill() {
        this.lives = false;
        for (const socket of this.server.clients) socket.terminate();
        this.server.close();
    }

    /** Something of a room for everybody here, in order and a little later. */
    hand(name, item) {
        const inbox = this.#inboxes.get(name) ?? [];
        this.#inboxes.set(name, inbox);
        inbox.push(item);
        if (inbox.length === 1) setTimeout(() => this.#drain(name), 1 + Math.random() * 8);
    }

    #drain(name) {
        if (!this.lives) return;
        const inbox = this.#inboxes.get(name);
        while (inbox.length > 0) {
            const { entry, change } = inbox.shift();
            const offset = entry?.offset ?? change.offset;
            this.#positions.set(name, offset);
            for (const member of this.#members.get(name) ?? []) {
                if (change) member.send({ type: 'epoch', room: name, ...change });
                else member.hear(name, entry);
            }
            this.#answer(name, offset);
        }
    }

    #answer(name, offset) {
        const waiting = this.#acks.get(name) ?? [];
        for (const ack of waiting.filter((one) => one.offset <= offset)) ack.send();
        this.#acks.set(name, waiting.filter((one) => one.offset > offset));
    }

    /** Calls back when everything up to that offset is delivered here. */
    whenDelivered(name, offset, send) {
        if ((this.#positions.get(name) ?? 0) >= offset) send();
        else this.#acks.set(name, [...(this.#acks.get(name) ?? []), { offset, send }]);
    }

    /** Where a room stands here; from now on the member hears what comes. */
    enter(name, member) {
        const room = this.cluster.room(name);
        const [first] = this.#inboxes.get(name) ?? [];
        if (!first) this.#positions.set(name, room.seq);
        else if (!this.#positions.has(name)) this.#positions.set(name, (first.entry ?? first.change).offset - 1);
        if (!this.#members.has(name)) this.#members.set(name, new Set());
        this.#members.get(name).add(member);
        return { epoch: room.epoch, offset: this.#positions.get(name) };
    }
}

class FakeMember {
    #held = [];

    constructor(gateway, socket, id) {
        this.gateway = gateway;
        this.cluster = gateway.cluster;
        this.socket = socket;
        this.id = id;
    }

    send(frame) {
        this.socket.send(JSON.stringify(frame));
    }

    take({ type, id, ...fields }) {
        if (type === 'hello') this.send({ type: 'welcome', id, member: this.id });
        else if (type === 'join') this.#join(id, fields);
        else if (type === 'publish') this.#publish(id, fields);
        else this.send({ type: 'error', id, code: 'not_supported', message: type });
    }

    #join(id, { room: name, resume }) {
        const room = this.cluster.room(name);
        const { epoch, offset } = this.gateway.enter(name, this);
        const lossy = resume && resume.epoch === room.prev && resume.offset <= room.prevtop;
        const recovered = Boolean(resume && (resume.epoch === epoch || lossy));
        const joined = { type: 'joined', id, room: name, epoch, offset, recovered, members: [], count: 0 };
        this.send(lossy ? { ...joined, lossy: 'maybe' } : joined);
        if (!recovered || this.cluster.due('noCatchUp')) return;
        const after = resume.offset - (this.cluster.due('replayMore') ? 1 : 0);
        for (const entry of room.log) {
            if (entry.offset > after && entry.offset <= offset) this.send({ type: 'message', room: name, ...entry });
        }
    }

    /** A live message. */
    hear(name, entry) {
        if (entry.from === this.id && !this.cluster.due('echo')) return;
        const frame = { type: 'message', room: name, ...entry };
        if (this.cluster.due('lose')) return;
        if (this.cluster.due('swap')) {
            this.#held.push(frame);
            return;
        }
        this.send(frame);
        if (this.cluster.due('double')) this.send(frame);
        const held = this.#held.filter((one) => one.room === name);
        this.#held = this.#held.filter((one) => one.room !== name);
        for (const one of held) this.send(one);
    }

    #publish(id, { room, data, key }) {
        const { offset } = this.cluster.append(room, this.id, data, key);
        if (this.cluster.due('noReply')) return;
        if (!key && this.cluster.due('denyAndSay')) {
            this.send({ type: 'error', id, code: 'unavailable', message: 'not really' });
            return;
        }
        const told = this.cluster.due('wrongAck') ? offset + 1 : offset;
        const ack = () => this.send({ type: 'ack', id, offset: told });
        if (this.cluster.due('earlyAck')) ack();
        else this.gateway.whenDelivered(room, offset, ack);
    }
}
