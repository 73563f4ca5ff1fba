/**
 * fake_plenum.js -- a small plenum.v1 server that does what a test tells it, and a clock that stands until it is moved.
 *
 * Left alone it is one gateway with rooms, logs, keys and presence as in gateway/protocol/plenum.md. A test looks at every
 * request, may answer it in its own way (`intercept`), say what it likes over any connection, and close it with any code.
 */
import { WebSocket, WebSocketServer } from 'ws';
import { Connection } from '../../gateway/web/client/plenum.js';
import { onEnd } from './cleanup.js';
import { waitUntil } from './wait.js';

const LIMITS = { message: 262_144, info: 4096, name: 64, key: 64, rooms: 1000, history: 256 };

/**
 * @typedef {Record<string, any>} Frame
 * @typedef {object} FakeRoom
 * @property {string} epoch
 * @property {number} offset of the last message
 * @property {Frame[]} log `message` frames
 * @property {Map<string, {connection: FakeConnection, member: Frame}>} members by member id
 * @property {Map<string, number>} keys idempotency key -> offset
 */

/**
 * Starts one on a free port of loopback. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @returns {Promise<FakePlenum>}
 */
export async function startFakePlenum(t) {
    const fake = new FakePlenum();
    onEnd(t, () => fake.finish());
    await fake.listening;
    return fake;
}

/**
 * A client of the fake. It is closed with the test.
 * @param {import('node:test').TestContext} t
 * @param {FakePlenum} fake
 * @param {import('../../gateway/web/client/plenum.js').ConnectionOptions} [options]
 */
export function startClient(t, fake, options) {
    const client = new Connection(fake.url, { WebSocket, ...options });
    onEnd(t, () => client.close());
    return client;
}

/**
 * Notes what an emitter tells, as [type, event].
 * @param {import('../../gateway/web/client/plenum.js').Emitter<any>} emitter
 * @param {...string} types
 * @returns {Array<[string, any]>}
 */
export function record(emitter, ...types) {
    const events = [];
    for (const type of types) emitter.on(type, (event) => events.push([type, event]));
    return events;
}

/** One client's socket, as the server sees it. */
export class FakeConnection {
    /** @type {Frame[]} everything that the client sent, binary frames as Buffers */
    requests = [];
    member = '';
    /** @type {number | null} the code with which it ended */
    closed = null;

    /** @param {FakePlenum} fake @param {WebSocket} socket */
    constructor(fake, socket) {
        this.socket = socket;
        socket.on('close', (code) => {
            this.closed = code;
            fake.removeMember(this);
        });
        socket.on('error', () => {});
        socket.on('message', (data, binary) => {
            if (socket.readyState !== WebSocket.OPEN) return; // what was behind the frame on which it was closed
            const request = binary ? data : JSON.parse(data.toString());
            this.requests.push(request);
            if (!binary && !fake.intercept(this, request)) fake.handle(this, request);
        });
    }

    /** @param {...Frame} frames */
    send(...frames) {
        for (const frame of frames) this.socket.send(Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
    }

    /** @param {Frame} request @param {string} code */
    refuse(request, code) {
        this.send({ type: 'error', id: request.id, code, message: `It is ${code}.` });
    }

    /** The requests of one type. @param {string} type */
    of(type) {
        return this.requests.filter((request) => request.type === type);
    }

    /** @param {string} type @param {number} [count] @returns {Promise<Frame>} the count-th request of that type */
    async heard(type, count = 1) {
        await waitUntil(`${type} number ${count}`, () => this.of(type).length >= count, { everyMs: 2 });
        return this.of(type)[count - 1];
    }

    /** @param {number} code */
    close(code) {
        this.socket.close(code);
    }

    /** Ends it without a close frame. */
    terminate() {
        this.socket.terminate();
    }
}

export class FakePlenum {
    /** @type {FakeConnection[]} all that ever were, in the order of their opening */
    connections = [];
    /** @type {Map<string, FakeRoom>} */
    rooms = new Map();
    /** Set by a test: true when it has dealt with the request itself. @type {(connection: FakeConnection, request: Frame) => boolean} */
    intercept = () => false;
    pingMs = 20_000;
    /** As gateways do: a join takes its time, and until its answer the connection is neither in the room nor out of it. */
    slowJoins = false;
    /** @type {Set<string>} joins under way, as member and room */
    #joining = new Set();
    #members = 0;

    constructor() {
        const handleProtocols = (offered) => (offered.has('plenum.v1') ? 'plenum.v1' : false);
        this.server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/connect', handleProtocols });
        this.server.on('connection', (socket) => this.connections.push(new FakeConnection(this, socket)));
        this.listening = new Promise((resolve) => this.server.on('listening', resolve));
    }

    get url() {
        return `ws://127.0.0.1:${this.server.address().port}/connect`;
    }

    /** @param {number} index @returns {Promise<FakeConnection>} waits until so many have come */
    async connection(index) {
        await waitUntil(`connection ${index}`, () => this.connections.length > index, { everyMs: 2 });
        return this.connections[index];
    }

    /** @param {string} name @returns {FakeRoom} */
    room(name) {
        if (!this.rooms.has(name)) {
            this.rooms.set(name, { epoch: 'e1', offset: 0, log: [], members: new Map(), keys: new Map() });
        }
        return this.rooms.get(name);
    }

    /**
     * A message of somebody else's, to all members.
     * @param {string} name @param {any} data @param {{from?: string, unlogged?: boolean}} [options]
     */
    say(name, data, { from = 'ffffffff00000001', unlogged = false } = {}) {
        const room = this.room(name);
        const offset = unlogged ? 0 : ++room.offset;
        const message = { type: 'message', room: name, offset, from, data, time: 1_700_000_000_000 + offset };
        if (!unlogged) room.log.push(message);
        for (const [id, { connection }] of room.members) if (id !== from) connection.send(message);
        return message;
    }

    /** @param {FakeConnection} connection @param {Frame} request */
    handle(connection, request) {
        const { type, id, room } = request;
        const reply = (frame) => connection.send({ id, ...frame });
        const known = room && this.room(room).members.has(connection.member);
        if (type === 'hello') {
            connection.member = `0a1b2c3d${(++this.#members).toString(16).padStart(8, '0')}`;
            const { member } = connection;
            reply({ type: 'welcome', member, gateway: '0a1b2c3d', limits: LIMITS, ping_ms: this.pingMs, time: 1, rooms: [] });
        } else if (type === 'ping') reply({ type: 'pong', time: request.time, server_time: 1 });
        else if (type === 'join' && this.slowJoins) this.#joinLater(connection, request);
        else if (type === 'join') this.#join(connection, request);
        else if (!known) connection.refuse(request, 'not_joined');
        else if (type === 'leave') {
            this.#remove(connection, room, 'left');
            reply({ type: 'left', room });
        } else if (type === 'publish') reply({ type: 'ack', offset: this.#publish(connection, request) });
        else if (type === 'history') this.#history(connection, request);
        else if (type === 'signal') this.#signal(connection, request);
        else if (type === 'update') {
            const { member } = this.room(room).members.get(connection.member);
            Object.assign(member, { info: request.info, name: request.name ?? member.name });
            this.tellOthers(room, connection, { type: 'member_updated', room, ...member });
            reply({ type: 'ack' });
        } else connection.refuse(request, 'not_supported');
    }

    /** @param {string} name @param {FakeConnection | null} connection left out @param {Frame} frame */
    tellOthers(name, connection, frame) {
        for (const { connection: other } of this.room(name).members.values()) if (other !== connection) other.send(frame);
    }

    /** @param {FakeConnection} connection that has ended */
    removeMember(connection) {
        for (const name of this.rooms.keys()) this.#remove(connection, name, 'left');
    }

    #remove(connection, name, reason) {
        const { members } = this.room(name);
        if (members.get(connection.member)?.connection !== connection) return;
        members.delete(connection.member);
        this.tellOthers(name, connection, { type: 'member_left', room: name, member: connection.member, reason });
    }

    #joinLater(connection, request) {
        const mark = `${connection.member} ${request.room}`;
        if (this.#joining.has(mark)) {
            connection.refuse(request, 'already_joined');
            return;
        }
        this.#joining.add(mark);
        setTimeout(() => {
            this.#joining.delete(mark);
            if (connection.closed === null) this.#join(connection, request);
        }, 2);
    }

    #join(connection, { id, room: name, name: user, info, resume, history = 0 }) {
        const room = this.room(name);
        if (room.members.has(connection.member)) {
            connection.refuse({ id }, 'already_joined');
            return;
        }
        const hello = connection.of('hello')[0];
        const member = { member: connection.member, name: user ?? hello.name, info, since: 1 };
        this.tellOthers(name, connection, { type: 'member_joined', room: name, ...member });
        room.members.set(connection.member, { connection, member });
        const recovered = resume?.epoch === room.epoch;
        const members = [...room.members.values()].map((one) => one.member);
        const { epoch, offset } = room;
        connection.send({ type: 'joined', id, room: name, epoch, offset, recovered, members, count: members.length });
        const replay = recovered ? room.log.filter((message) => message.offset > resume.offset) : [];
        connection.send(...replay, ...(resume || history === 0 ? [] : room.log.slice(-history)));
    }

    #publish(connection, { room: name, data, key }) {
        const room = this.room(name);
        const known = room.keys.get(key);
        if (known !== undefined) return known;
        const { offset } = this.say(name, data, { from: connection.member });
        room.keys.set(key, offset);
        return offset;
    }

    #history(connection, { id, room: name, before = Infinity, after = -1, limit = 50 }) {
        const fitting = this.room(name).log.filter(({ offset }) => offset < before && offset > after);
        const messages = after >= 0 ? fitting.slice(0, limit) : fitting.slice(-limit);
        connection.send({ type: 'messages', id, room: name, messages, more: messages.length < fitting.length });
    }

    #signal(connection, request) {
        const { id, room, to, data } = request;
        const target = this.room(room).members.get(to);
        if (!target) {
            connection.refuse(request, 'not_found');
            return;
        }
        target.connection.send({ type: 'signal', room, from: connection.member, data });
        connection.send({ type: 'ack', id });
    }

    async finish() {
        for (const { socket } of this.connections) socket.terminate();
        await new Promise((resolve) => this.server.close(resolve));
    }
}

/** A clock for the client's options: time passes when the test says so. Timers of 0 ms run by themselves. */
export class FakeClock {
    #now = 1_700_000_000_000;
    /** @type {Map<object, {at: number, run: () => void}>} */
    #timers = new Map();

    now = () => this.#now;

    setTimeout = (run, ms) => {
        const timer = {};
        if (ms > 0) this.#timers.set(timer, { at: this.#now + ms, run });
        else setImmediate(run);
        return timer;
    };

    clearTimeout = (timer) => {
        this.#timers.delete(timer);
    };

    /** Lets so much time pass: what becomes due runs, in order, each at its time. @param {number} ms */
    advance(ms) {
        const until = this.#now + ms;
        for (;;) {
            const due = [...this.#timers].filter(([, { at }]) => at <= until).sort(([, one], [, other]) => one.at - other.at);
            if (due.length === 0) break;
            const [timer, { at, run }] = due[0];
            this.#timers.delete(timer);
            this.#now = Math.max(this.#now, at);
            run();
        }
        this.#now = until;
    }

    /** The machine sleeps: time passes, timers do not. @param {number} ms */
    sleep(ms) {
        this.#now += ms;
        for (const timer of this.#timers.values()) timer.at += ms;
    }
}
