/**
 * plenum.js -- the JavaScript client of plenum.v1 (gateway/protocol/plenum.md): rooms with acknowledged publishes,
 * history, resume, presence and signals, over a connection that mends itself.
 *
 *     import { connect } from '/client/plenum.js';
 *     const room = await connect().join('lobby', { name: 'Ada', history: 50 });
 *     room.on('message', ({ user, data }) => show(user, data));
 *     await room.publish({ text: 'hello' });
 *
 * For browsers, and for Node 20 with `{ WebSocket }` of the npm package ws. What it promises:
 *
 * - Messages come once and in the order of their offsets, across lost connections and restarting gateways. One's own do
 *   not come: the promise of the publish stands for them. Messages outside the log (offset 0) come at most once.
 * - What was missed is told: `gap` (these offsets), `epoch` (perhaps the tail of the log), `reset` (all since the position).
 * - A publish is one message, however often it has to be repeated. Its promise resolves with `{offset}`, or rejects with
 *   the server's code; after 60 s with `outcome_unknown` if the message may have been taken, `unavailable` if it was not.
 * - Publishes to a room are sent in the order of the calls, and after a reconnect again in that order. While one has to be
 *   repeated (`unavailable`, `uncertain`) no later one is sent; only those that were under way already when it failed can get
 *   ahead of it. A caller that cannot have even this awaits each publish before the next.
 * - `members` and the events `join`, `leave`, `update` always agree; after a reconnect only the differences are told.
 */

const SUBPROTOCOL = 'plenum.v1';

/** Our own code for a request whose connection ended before its reply. */
const DISCONNECTED = 'disconnected';

/** Close codes after which another attempt would end the same way. 4401 is one unless `token` is a function. */
const STAY_AWAY = new Set([4403]);
/** Close codes of a server that has too much to do: at least so long. */
const BACK_OFF_MS = new Map([
    [1013, 1000],
    [4429, 1000],
]);
/** 1012: all clients of a gateway come at the same time. */
const SPREAD_MS = 2000;
/** A connection that lived so long was a good one: the next attempts start from the shortest wait again. */
const STABLE_MS = 5000;

/** The heartbeat looks at least so often, and takes a look this much too late for a sleep of the machine. */
const TICK_MS = 5000;
const LATE_MS = 5000;
/** After a sleep an answer has to come within this. */
const AWAKE_MS = 4000;

/** Of a draining gateway's time, the part within which the second connection is opened. */
const DRAIN_PART = 0.8;
/** How long the old connection may still answer what it was asked, once the new one has taken over. */
const RETIRE_MS = 5000;

/** Members of a room that the server still lists. */
const LISTED_MAX = 500;

/** Waits before something `unavailable` is asked for again: random up to these bounds, doubling. */
const REPEAT_BASE_MS = 200;
const REPEAT_MAX_MS = 5000;

/**
 * @typedef {object} Member
 * @property {string} member 16 hex digits
 * @property {string} [name]
 * @property {any} [info] what the member tells of itself
 * @property {number} since ms since 1970
 * @property {boolean} [muted] set by an admin or a host
 *
 * @typedef {object} Message
 * @property {number} offset 0: not in the log
 * @property {string} from a member id, `admin` or `api`
 * @property {string} [user] the sender's name
 * @property {any} data
 * @property {number} time ms since 1970
 *
 * @typedef {{epoch: string, offset: number}} Position
 *
 * @typedef {'connecting' | 'online' | 'offline' | 'draining' | 'closed'} ConnectionState
 * @typedef {object} StateChange
 * @property {ConnectionState} state `draining`: online, and about to move to another gateway; `closed`: for good
 * @property {ConnectionState} previous
 * @property {number} [code] of the close, where there was one
 * @property {string} [reason]
 * @property {number} [retryMs] offline: when the next attempt comes; absent while there is no network
 *
 * @typedef {object} ConnectionEvents
 * @property {StateChange} state
 * @property {PlenumError} error what belongs to no request: reported where nobody listens
 * @property {{data: ArrayBuffer}} media a binary frame as it came
 * @property {Record<string, any>} other a frame of a type that this client does not know
 *
 * @typedef {'joining' | 'joined' | 'left'} RoomState `joining` also while the connection is lost
 *
 * @typedef {object} RoomEvents
 * @property {Message} message
 * @property {{from: string, data: any}} signal
 * @property {Member} join
 * @property {Member & {reason: string}} leave `reason`: left, lost, kicked; gone: while we were away; unlisted: the room has
 *   become too large for a list
 * @property {Member} update
 * @property {{count: number}} count whenever it changes
 * @property {{from: number, to: number}} gap these offsets were missed and cannot be had any more
 * @property {{epoch: string, offset: number, lossy: boolean | 'maybe'}} epoch the log goes on in a new epoch
 * @property {{lost: true, epoch: string, offset: number}} reset the position is unknown to the server: load anew by history()
 * @property {{reason: string}} kicked no longer in the room, for good: kicked, banned, ended, or the code by which a return
 *   was refused
 * @property {{state: RoomState, previous: RoomState}} state
 *
 * @typedef {object} JoinOptions
 * @property {string} [name] instead of the connection's
 * @property {any} [info]
 * @property {number} [history] so many of the last messages come first
 * @property {Position} [resume] a position that was kept: what came after it comes first
 *
 * @typedef {object} Clock
 * @property {() => number} now ms; it has to go on while the machine sleeps
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 *
 * @typedef {object} SocketLike the part of a WebSocket that is used
 * @property {string} protocol
 * @property {any} binaryType
 * @property {((event: any) => any) | null} onopen
 * @property {((event: any) => any) | null} onmessage
 * @property {((event: any) => any) | null} onclose
 * @property {((event: any) => any) | null} onerror
 * @property {(data: any) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {() => void} [terminate]
 *
 * @typedef {object} ConnectionOptions
 * @property {string} [name] what others see, up to 64 bytes
 * @property {string | (() => string | Promise<string>)} [token] a function is asked for each connection anew
 * @property {new (url: string, protocol: string) => SocketLike} [WebSocket] default: the global one
 * @property {{baseMs?: number, maxMs?: number}} [backoff] bounds of the waits before a reconnect: 200 and 10,000
 * @property {{pingMs?: number, answerMs?: number}} [heartbeat] silence before a ping (20,000 at most, or what the server
 *   asks for if that is less), and the time for an answer (10,000)
 * @property {number} [connectMs] the time for a connection to be made: 10,000
 * @property {number} [repeatMs] how long a publish is tried: 60,000, the server's memory of keys
 * @property {() => number} [random] from 0 to 1
 * @property {Clock} [clock]
 *
 * @typedef {object} Settings
 * @property {string | undefined} name
 * @property {string | (() => string | Promise<string>) | undefined} token
 * @property {new (url: string, protocol: string) => SocketLike} WebSocket
 * @property {{baseMs: number, maxMs: number}} backoff
 * @property {{pingMs: number, answerMs: number}} heartbeat
 * @property {number} connectMs
 * @property {number} repeatMs
 * @property {() => number} random
 * @property {Clock} clock
 *
 * @typedef {Record<string, any>} Frame a JSON object of the protocol
 * @typedef {(reply: Frame | null, error: PlenumError | null) => void} OnReply one of the two is null
 */

/** What went wrong, by a `code`: one of the server's, or `outcome_unknown`, `disconnected`, `left`, `closed`. */
export class PlenumError extends Error {
    /** @param {string} code @param {string} [message] */
    constructor(code, message = code) {
        super(message);
        this.name = 'PlenumError';
        this.code = code;
    }
}

/** Says what no caller can be told. @param {unknown} error */
function report(error) {
    if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
    else console.error(error);
}

/**
 * Listeners by the type of event. What one of them throws is reported, and harms neither the others nor the client.
 * @template {object} Events
 */
export class Emitter {
    /** @type {Map<keyof Events, Set<(event: any) => unknown>>} */
    #listeners = new Map();

    /**
     * @template {keyof Events} Type
     * @param {Type} type
     * @param {(event: Events[Type]) => unknown} listener
     * @returns {() => void} takes the listener off again
     */
    on(type, listener) {
        const listeners = this.#listeners.get(type) ?? new Set();
        this.#listeners.set(type, listeners.add(listener));
        return () => this.off(type, listener);
    }

    /**
     * @template {keyof Events} Type
     * @param {Type} type
     * @param {(event: Events[Type]) => unknown} listener
     */
    off(type, listener) {
        this.#listeners.get(type)?.delete(listener);
    }

    /**
     * For the emitter itself.
     * @protected
     * @template {keyof Events} Type
     * @param {Type} type
     * @param {Events[Type]} event
     */
    emit(type, event) {
        const listeners = this.#listeners.get(type);
        if (type === 'error' && !listeners?.size) report(event);
        for (const listener of [...(listeners ?? [])]) {
            try {
                const result = listener(event);
                if (result instanceof Promise) result.catch(report);
            } catch (error) {
                report(error);
            }
        }
    }
}

// ---- one socket

/** Finds out that a connection is dead: silence, a ping, silence. Knows that a machine may have slept in between. */
class Heartbeat {
    #clock;
    #pingMs;
    #answerMs;
    #ping;
    #dead;
    #heardAt;
    #dueAt = 0;
    /** @type {number | null} when the answer to a ping is due */
    #deadline = null;
    /** The ping followed a late look: timers that are always late must not keep a dead connection alive. */
    #afterSleep = false;
    /** @type {any} */
    #timer = null;

    /**
     * @param {Clock} clock
     * @param {{pingMs: number, answerMs: number}} times
     * @param {() => void} ping
     * @param {() => void} dead called once, and then nothing any more
     */
    constructor(clock, { pingMs, answerMs }, ping, dead) {
        this.#clock = clock;
        this.#pingMs = pingMs;
        this.#answerMs = answerMs;
        this.#ping = ping;
        this.#dead = dead;
        this.#heardAt = clock.now();
        this.#schedule();
    }

    /** A frame came. */
    heard() {
        this.#heardAt = this.#clock.now();
        this.#deadline = null;
        this.#afterSleep = false;
    }

    /** Asks at once whether the connection is still alive. */
    probe(answerMs = AWAKE_MS) {
        this.#deadline = this.#clock.now() + answerMs;
        this.#ping();
        this.#schedule();
    }

    stop() {
        this.#clock.clearTimeout(this.#timer);
    }

    #schedule() {
        const now = this.#clock.now();
        const next = this.#deadline ?? this.#heardAt + this.#pingMs;
        const wait = Math.max(1, Math.min(next - now, TICK_MS));
        this.stop();
        this.#dueAt = now + wait;
        this.#timer = this.#clock.setTimeout(() => this.#look(), wait);
    }

    #look() {
        const now = this.#clock.now();
        const late = Math.abs(now - this.#dueAt) > LATE_MS;
        const overdue = this.#deadline !== null && now >= this.#deadline;
        if (overdue && (!late || this.#afterSleep)) {
            this.#dead();
        } else if (late) {
            this.#afterSleep = true;
            this.probe();
        } else if (this.#deadline === null && now - this.#heardAt >= this.#pingMs) {
            this.probe(this.#answerMs);
        } else {
            this.#schedule();
        }
    }
}

/**
 * @typedef {object} LinkEvents
 * @property {(link: Link) => void} welcome
 * @property {(link: Link, error: PlenumError) => void} refused the hello was answered with an error
 * @property {(link: Link, frame: Frame, text: string) => void} frame what is no reply
 * @property {(link: Link, data: ArrayBuffer) => void} media
 * @property {(error: PlenumError) => void} fault the other side does not keep to the protocol
 * @property {(link: Link, closing: {code: number, reason: string}) => void} ended not by us
 */

/** One WebSocket from its opening to its end: hello, requests with their replies, heartbeat. */
class Link {
    #settings;
    #events;
    #socket;
    /** @type {Map<number, OnReply>} in the order of the requests */
    #requests = new Map();
    #nextId = 1;
    /** @type {Heartbeat | null} */
    #heartbeat = null;
    /** @type {any} until the welcome: the deadline for it; at the end of its life: the deadline for the last replies */
    #timer;
    #retiring = false;
    /** Nothing comes from it and nothing goes over it any more. */
    over = false;
    /** @type {Frame | null} */
    welcome = null;
    welcomedAt = 0;
    /** Its gateway drains, within so many ms. @type {number | null} */
    drainMs = null;

    /** @param {string} url @param {Settings} settings @param {LinkEvents} events */
    constructor(url, settings, events) {
        this.#settings = settings;
        this.#events = events;
        const socket = new settings.WebSocket(url, SUBPROTOCOL);
        this.#socket = socket;
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => this.#opened();
        socket.onmessage = ({ data }) => this.#received(data);
        socket.onerror = () => {}; // the close that follows says it
        socket.onclose = ({ code, reason }) => this.#end(code, String(reason ?? ''));
        this.#timer = settings.clock.setTimeout(() => this.#abandon('no welcome came in time'), settings.connectMs);
    }

    /** The member id of this connection; empty before the welcome. */
    get member() {
        return /** @type {string} */ (this.welcome?.member ?? '');
    }

    /**
     * Sends a request. `onReply` is called once: with the reply, with the error that came for it, or with `disconnected`; never
     * before this returns.
     * @param {Frame} message @param {OnReply} onReply
     * @param {string} [data] JSON text of the message's `data`
     */
    request(message, onReply, data) {
        if (this.over) {
            queueMicrotask(() => onReply(null, disconnected()));
            return;
        }
        const id = this.#nextId++;
        const text = JSON.stringify({ ...message, id });
        this.#requests.set(id, onReply);
        this.#socket.send(data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`);
    }

    /** @param {any} bytes */
    sendBytes(bytes) {
        this.#socket.send(bytes);
    }

    /** Asks at once whether it is still alive. */
    probe() {
        this.#heartbeat?.probe();
    }

    /** Closes it; requests without a reply get `disconnected`. */
    close() {
        if (!this.#finish()) return;
        this.#socket.close(1000);
        this.#disconnectRequests();
    }

    /** Closes it as soon as all requests have their replies, or after a while. */
    retire() {
        this.#retiring = true;
        this.#heartbeat?.stop();
        this.#timer = this.#settings.clock.setTimeout(() => this.close(), RETIRE_MS);
        if (this.#requests.size === 0) this.close();
    }

    async #opened() {
        if (this.over) return;
        if (this.#socket.protocol !== SUBPROTOCOL) {
            this.#abandon(`the server does not speak ${SUBPROTOCOL}`);
            return;
        }
        let { token } = this.#settings;
        if (typeof token === 'function') {
            try {
                token = await token();
            } catch (error) {
                this.#abandon(`no token: ${error}`);
            }
            if (this.over) return;
        }
        this.request({ type: 'hello', name: this.#settings.name, token }, (welcome, error) => {
            if (welcome) this.#welcomed(welcome);
            else if (error && error.code !== DISCONNECTED) this.#events.refused(this, error);
        });
    }

    /** @param {Frame} welcome */
    #welcomed(welcome) {
        const { clock, heartbeat } = this.#settings;
        clock.clearTimeout(this.#timer);
        this.welcome = welcome;
        this.welcomedAt = clock.now();
        const pingMs = Math.min(heartbeat.pingMs, welcome.ping_ms ?? heartbeat.pingMs);
        const ping = () => this.request({ type: 'ping' }, () => {});
        const dead = () => this.#abandon('nothing was heard for too long');
        this.#heartbeat = new Heartbeat(clock, { pingMs, answerMs: heartbeat.answerMs }, ping, dead);
        this.#events.welcome(this);
    }

    /** @param {unknown} data */
    #received(data) {
        if (this.over) return;
        this.#heartbeat?.heard();
        if (typeof data !== 'string') {
            this.#events.media(this, /** @type {ArrayBuffer} */ (data));
            return;
        }
        const frame = parseFrame(data);
        const onReply = this.#requests.get(frame?.id);
        if (!frame) {
            this.#events.fault(new PlenumError('bad_frame', `a frame that is no JSON object: ${data.slice(0, 100)}`));
        } else if (onReply) {
            this.#requests.delete(frame.id);
            if (frame.type === 'error') onReply(null, errorOf(frame));
            else onReply(frame, null);
            if (this.#retiring && this.#requests.size === 0) this.close();
        } else {
            this.#events.frame(this, frame, data);
        }
    }

    /** Gives it up without waiting for the other side. @param {string} reason */
    #abandon(reason) {
        if (this.over) return;
        if (this.#socket.terminate) this.#socket.terminate();
        else this.#socket.close();
        this.#end(1006, reason);
    }

    /** @param {number} code @param {string} reason */
    #end(code, reason) {
        if (!this.#finish()) return;
        this.#disconnectRequests();
        this.#events.ended(this, { code, reason });
    }

    /** @returns {boolean} false when it was over already */
    #finish() {
        if (this.over) return false;
        this.over = true;
        this.#settings.clock.clearTimeout(this.#timer);
        this.#heartbeat?.stop();
        return true;
    }

    #disconnectRequests() {
        const requests = [...this.#requests.values()];
        this.#requests.clear();
        for (const onReply of requests) onReply(null, disconnected());
    }
}

function disconnected() {
    return new PlenumError(DISCONNECTED, 'The connection ended before the reply.');
}

/** @param {string} text @returns {Frame | null} null when it is no JSON object */
function parseFrame(text) {
    try {
        const frame = JSON.parse(text);
        return typeof frame === 'object' && !Array.isArray(frame) ? frame : null;
    } catch {
        return null;
    }
}

/** @param {Frame} frame of type `error` */
function errorOf(frame) {
    return new PlenumError(String(frame.code), String(frame.message ?? frame.code));
}

// ---- a room

/** Who is in a room. Every change is returned as the events that tell it. */
class Presence {
    /** @type {Map<string, Member>} */
    members = new Map();
    count = 0;

    /**
     * Takes over a whole list.
     * @param {Member[]} list @param {number} count @param {string} [reason] for those who are not in it
     * @returns {Array<[keyof RoomEvents, any]>}
     */
    become(list, count, reason = 'gone') {
        const ids = new Set(list.map(({ member }) => member));
        const missing = [...this.members.keys()].filter((id) => !ids.has(id));
        return [
            ...missing.flatMap((id) => this.#remove(id, reason)),
            ...list.flatMap((member) => this.#put(member)),
            ...this.#recount(count),
        ];
    }

    /** @param {Frame} frame @returns {Array<[keyof RoomEvents, any]>} */
    apply(frame) {
        const known = this.members.has(frame.member);
        switch (frame.type) {
            case 'member_joined':
            case 'member_updated':
                return [...this.#put(memberOf(frame)), ...this.#recount(this.count + (known ? 0 : 1))];
            case 'member_left':
                return [...this.#remove(frame.member, frame.reason), ...this.#recount(this.count - (known ? 1 : 0))];
            case 'members':
                return this.become(frame.members, frame.count);
            default: // count: of a room that is too large for a list, or those have changed who stand in none (relay)
                return frame.count > LISTED_MAX ? this.become([], frame.count, 'unlisted') : this.#recount(frame.count);
        }
    }

    /** @param {Member} member @returns {Array<[keyof RoomEvents, any]>} */
    #put(member) {
        const known = this.members.get(member.member);
        if (known && JSON.stringify(memberOf(known)) === JSON.stringify(memberOf(member))) return [];
        this.members.set(member.member, member);
        return [[known ? 'update' : 'join', member]];
    }

    /** @param {string} id @param {string} reason @returns {Array<[keyof RoomEvents, any]>} */
    #remove(id, reason) {
        const member = this.members.get(id);
        this.members.delete(id);
        return member ? [['leave', { ...member, reason }]] : [];
    }

    /** @param {number} count @returns {Array<[keyof RoomEvents, any]>} */
    #recount(count) {
        if (count === this.count) return [];
        this.count = count;
        return [['count', { count }]];
    }
}

/** @type {ReadonlySet<string>} the frames that Presence.apply understands */
const PRESENCE_FRAMES = new Set(['member_joined', 'member_updated', 'member_left', 'members', 'count']);
/** @type {ReadonlySet<string>} the frames that a room delivers */
const ROOM_FRAMES = new Set(['message', 'signal', 'gap', 'epoch', 'kicked', ...PRESENCE_FRAMES]);

/** @param {Frame} frame @returns {Member} its member and nothing else, in one order */
function memberOf({ member, name, info, since, muted }) {
    return { member, name, info, since, muted };
}

/**
 * @typedef {object} Publish
 * @property {string} data JSON text, as it was at the call
 * @property {string} key
 * @property {number} order
 * @property {number} deadline
 * @property {number} attempts
 * @property {boolean} maybe an attempt may have been taken without our hearing of it
 * @property {boolean} settled
 * @property {any} timer
 * @property {(taken: {offset: number}) => void} resolve
 * @property {(error: PlenumError) => void} reject
 */

/** The publishes to one room that have no answer yet: sends them, in order, and repeats them with their keys. */
class Outbox {
    #room;
    #settings;
    #taken;
    /** @type {Publish[]} to be sent */
    #waiting = [];
    #sorted = true;
    /** @type {Set<Publish>} sent, over whatever link */
    #flying = new Set();
    /** @type {Set<Publish>} those of them that went over the link before this one: nothing may overtake them */
    #elsewhere = new Set();
    /** @type {Link | null} */
    #link = null;
    #nextOrder = 0;
    #failures = 0;
    /** @type {any} set while one waits to be repeated: nothing is sent */
    #pause = null;
    /** @type {PlenumError | null} why nothing goes out any more */
    #ended = null;

    /**
     * @param {string} room @param {Settings} settings
     * @param {(link: Link, offset: number) => void} taken the ack of a first attempt: a position in the link's own order
     */
    constructor(room, settings, taken) {
        this.#room = room;
        this.#settings = settings;
        this.#taken = taken;
    }

    /** @param {string} data JSON text @param {string} key @returns {Promise<{offset: number}>} */
    publish(data, key) {
        return new Promise((resolve, reject) => {
            if (this.#ended) {
                reject(this.#ended);
                return;
            }
            const { clock, repeatMs } = this.#settings;
            const deadline = clock.now() + repeatMs;
            /** @type {Publish} */
            const entry = { data, key, order: this.#nextOrder++, deadline, attempts: 0, maybe: false, settled: false, timer: null, resolve, reject };
            entry.timer = clock.setTimeout(() => this.#expire(entry), repeatMs);
            this.#waiting.push(entry);
            this.#flush();
        });
    }

    /** The room is joined on this link: from now on it is the way. @param {Link} link */
    open(link) {
        this.#link = link;
        this.#elsewhere = new Set(this.#flying);
        this.#resume();
    }

    /** The way is gone. */
    shut() {
        this.#link = null;
    }

    /** No longer in the room: what is under way may still be answered, nothing else goes out. @param {PlenumError} error */
    end(error) {
        this.#ended = error;
        this.#settings.clock.clearTimeout(this.#pause);
        for (const entry of this.#waiting) this.#giveUp(entry);
        this.#waiting = [];
    }

    /** Bytes (about) of the largest one that was sent at least once and has no answer. */
    get largest() {
        return Math.max(0, ...this.#waiting.filter(({ attempts }) => attempts > 0).map(({ data }) => data.length));
    }

    /** The server closes with 1009 on a frame that is too large for it: the largest is not sent again. */
    refuseLargest() {
        const size = this.largest;
        const entry = this.#waiting.find(({ attempts, data }) => attempts > 0 && data.length === size);
        if (entry) this.#reject(entry, new PlenumError('too_large', 'The server refuses a frame of this size.'));
    }

    #flush() {
        const link = this.#link;
        if (!link || link.over || this.#pause !== null || this.#elsewhere.size > 0) return;
        if (!this.#sorted) this.#waiting.sort((one, other) => one.order - other.order);
        this.#sorted = true;
        // After a failure one goes alone, so that nothing overtakes it when it fails again; its ack sets the others free.
        while (this.#waiting.length > 0 && (this.#failures === 0 || this.#flying.size === 0)) {
            this.#send(/** @type {Publish} */ (this.#waiting.shift()), link);
        }
    }

    /** @param {Publish} entry @param {Link} link */
    #send(entry, link) {
        if (entry.settled) return;
        if (this.#settings.clock.now() >= entry.deadline) {
            this.#giveUp(entry); // the machine slept: the server may have forgotten the key
            return;
        }
        if (isLonger(entry.data, link.welcome?.limits?.message)) {
            this.#reject(entry, new PlenumError('too_large', 'The data is larger than the server allows.'));
            return;
        }
        entry.attempts++;
        this.#flying.add(entry);
        const message = { type: 'publish', room: this.#room, key: entry.key };
        link.request(message, (ack, error) => this.#answered(entry, link, ack, error), entry.data);
    }

    /** @param {Publish} entry @param {Link} link @param {Frame | null} ack @param {PlenumError | null} error */
    #answered(entry, link, ack, error) {
        this.#flying.delete(entry);
        this.#elsewhere.delete(entry);
        if (ack) {
            this.#failures = 0;
            // A repeat's ack may come before messages with lower offsets: it moves no position.
            if (entry.attempts === 1) this.#taken(link, ack.offset);
            this.#settle(entry);
            entry.resolve({ offset: ack.offset });
        } else if (error && error.code !== DISCONNECTED && error.code !== 'uncertain' && error.code !== 'unavailable') {
            this.#reject(entry, error);
        } else if (error) {
            entry.maybe ||= error.code !== 'unavailable';
            this.#keep(entry);
            if (error.code !== DISCONNECTED) this.#holdBack();
        }
        this.#flush();
    }

    /** To be sent again. @param {Publish} entry */
    #keep(entry) {
        if (entry.settled) return;
        if (this.#ended) {
            this.#giveUp(entry);
            return;
        }
        this.#waiting.push(entry);
        this.#sorted = false;
    }

    #holdBack() {
        if (this.#pause !== null || this.#ended) return;
        const { clock, random } = this.#settings;
        this.#pause = clock.setTimeout(() => this.#resume(), repeatDelay(this.#failures++, random));
    }

    #resume() {
        this.#settings.clock.clearTimeout(this.#pause);
        this.#pause = null;
        this.#flush();
    }

    /** Its time is over. @param {Publish} entry */
    #expire(entry) {
        const flying = this.#flying.delete(entry);
        entry.maybe ||= flying;
        this.#elsewhere.delete(entry);
        this.#giveUp(entry);
        this.#waiting = this.#waiting.filter(({ settled }) => !settled);
        this.#flush();
    }

    /** Says what is known of an unanswered one. @param {Publish} entry */
    #giveUp(entry) {
        if (entry.maybe) this.#reject(entry, new PlenumError('outcome_unknown', 'The message may or may not have been published.'));
        else this.#reject(entry, this.#ended ?? new PlenumError('unavailable', 'The message was not published: there was no way to.'));
    }

    /** @param {Publish} entry @param {PlenumError} error */
    #reject(entry, error) {
        if (entry.settled) return;
        this.#settle(entry);
        entry.reject(error);
    }

    /** @param {Publish} entry */
    #settle(entry) {
        entry.settled = true;
        this.#settings.clock.clearTimeout(entry.timer);
    }
}

/** @param {string} text @param {number} limit in bytes of UTF-8; NaN: none */
function isLonger(text, limit) {
    if (Number.isNaN(limit) || text.length * 3 <= limit) return false;
    return text.length > limit || new TextEncoder().encode(text).length > limit;
}

/** @param {number} failures before this one @param {() => number} random @returns {number} ms */
function repeatDelay(failures, random) {
    const most = Math.min(REPEAT_MAX_MS, REPEAT_BASE_MS * 2 ** failures);
    return most / 2 + (random() * most) / 2;
}

/**
 * @typedef {object} RoomOwner what a room asks of its connection
 * @property {() => string} newKey
 * @property {() => void} forget
 * @property {() => boolean} isReplaced whether, this one being forgotten, there is another room of the name
 * @property {() => void} ready the room is in on the link that is being prepared
 *
 * @typedef {object} RoomControl what only the connection does to a room
 * @property {Room} room
 * @property {Outbox} outbox
 * @property {() => Promise<void>} joined resolves when it is joined, at once when it is
 * @property {(link: Link) => void} enter joins over a link, which takes over at once
 * @property {(link: Link) => void} prepare joins over a link, which takes over when switchOver is called
 * @property {() => boolean} isPrepared whether it is in, or refused for good, on the link that is prepared
 * @property {() => void} switchOver the prepared link takes over, with all that came over it; where it is not in yet, with
 *   its `joined`
 * @property {() => boolean} forgetPreparation the prepared link has failed; returns whether another one serves
 * @property {(link: Link) => void} lost a link has ended
 * @property {(link: Link, frame: Frame, text: string) => void} receive a frame that names this room
 * @property {(error: PlenumError) => void} end the room is over for this client; `error` for all that waits
 *
 * @typedef {object} Preparation a link that shall take over: what comes over it is kept until then
 * @property {Link} link
 * @property {Frame | null} joined
 * @property {PlenumError | null} refused
 * @property {Array<{frame: Frame, text: string}>} frames
 */

/**
 * A room that one is in, across all connections that it takes. Made by Connection.join.
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
    #owner;
    #settings;
    #options;
    #outbox;
    #presence = new Presence();
    /** @type {RoomState} */
    #state = 'joining';
    /** @type {Link | null} whose frames are delivered */
    #link = null;
    /** @type {Preparation | null} */
    #next = null;
    #member = '';
    /** Member ids that one had in this room before: what they said is one's own. @type {Set<string>} */
    #formerMembers = new Set();

    /** @type {string | null} */
    #epoch = null;
    /** The highest offset that was delivered, or need not be. */
    #delivered = 0;
    /** Stands for it while the first replay has not brought anything. */
    #replayFrom = 0;

    /** @type {Array<() => void> | null} deliveries that wait until whoever awaits the join could add listeners */
    #held = [];
    /** Messages outside the log that the old link has delivered while a new one is prepared. @type {string[]} */
    #unlogged = [];

    /** @type {Array<{resolve: () => void, reject: (error: PlenumError) => void}>} who waits for the room to be joined */
    #waiters = [];
    #joinDeadline;
    #joinFailures = 0;
    /** The number of the last join that was sent: only its answer counts. */
    #joinNumber = 0;
    #everJoined = false;
    /** @type {any} */
    #joinTimer = null;
    /** On this link the room is joined by a join that is no longer waited for; to be left. @type {Link | null} */
    #strayLink = null;

    /**
     * @param {string} name @param {JoinOptions} options @param {Settings} settings @param {RoomOwner} owner
     * @param {(control: RoomControl) => void} giveControl
     */
    constructor(name, options, settings, owner, giveControl) {
        super();
        /** @readonly */
        this.name = name;
        this.#owner = owner;
        this.#settings = settings;
        this.#options = { ...options };
        this.#joinDeadline = settings.clock.now() + settings.repeatMs;
        this.#outbox = new Outbox(name, settings, (link, offset) => this.#inOrder(() => this.#acked(link, offset)));
        if (options.resume) {
            this.#epoch = options.resume.epoch;
            this.#delivered = options.resume.offset;
        }
        giveControl({
            room: this,
            outbox: this.#outbox,
            joined: () => this.#joined(),
            enter: (link) => this.#enter(link),
            prepare: (link) => this.#prepare(link),
            isPrepared: () => Boolean(this.#next?.joined || this.#next?.refused),
            switchOver: () => this.#switchOver(),
            forgetPreparation: () => this.#forgetPreparation(),
            lost: (link) => this.#lost(link),
            receive: (link, frame, text) => this.#receive(link, frame, text),
            end: (error) => this.#end(error),
        });
    }

    get state() {
        return this.#state;
    }

    /** One's own member id, of the present connection or the last one. */
    get member() {
        return this.#member;
    }

    /** Everyone in the room by member id, oneself included; empty where the server lists nobody (above 500). */
    get members() {
        return /** @type {ReadonlyMap<string, Member>} */ (this.#presence.members);
    }

    /** Members of all kinds, those without plenum.v1 included. */
    get count() {
        return this.#presence.count;
    }

    /** Up to where everything has been delivered: what `resume` of a later join wants. Null before the room was joined. */
    get position() {
        return this.#epoch === null ? null : { epoch: this.#epoch, offset: this.#delivered || this.#replayFrom };
    }

    /**
     * Says something to the others. Resolves when the message has its place in the room's log; see the head of this file.
     * @param {any} data JSON, as it is now: later changes do not count
     * @param {{key?: string}} [options] key: an idempotency key of one's own, 1 to 64 of A-Z a-z 0-9 _ . : -
     * @returns {Promise<{offset: number}>}
     */
    async publish(data, { key = this.#owner.newKey() } = {}) {
        return this.#outbox.publish(jsonOf(data), key);
    }

    /**
     * Says something to one member: once, now or not at all.
     * @param {string} member @param {any} data
     * @returns {Promise<void>}
     */
    async signal(member, data) {
        const link = this.#link;
        if (!link || this.#state !== 'joined') throw new PlenumError(this.#state === 'left' ? 'left' : DISCONNECTED, 'Not in the room just now.');
        await ask(link, { type: 'signal', room: this.name, to: member }, jsonOf(data));
    }

    /**
     * Messages of the log, in the order of their offsets, one's own included. Waits for a connection.
     * @param {{before?: number, after?: number, limit?: number}} [range] without: the last ones
     * @returns {Promise<{messages: Message[], more: boolean}>}
     */
    async history({ before, after, limit } = {}) {
        const { messages, more } = await this.#askInRoom(() => ({ type: 'history', before, after, limit }));
        return { messages, more };
    }

    /**
     * Changes what others see of oneself here.
     * @param {any} info the whole of it @param {{name?: string}} [options]
     * @returns {Promise<void>}
     */
    async update(info, { name } = {}) {
        jsonOf(info);
        this.#options = { ...this.#options, info, ...(name === undefined ? {} : { name }) };
        await this.#askInRoom(() => ({ type: 'update', info: this.#options.info, name }));
    }

    /** Leaves at once: nothing of the room is delivered any more. Resolves when the server knows it too. */
    async leave() {
        if (this.#state === 'left') return;
        const links = [this.#state === 'joined' && this.#link, this.#next?.joined && this.#next.link];
        this.#end(new PlenumError('left', 'The room was left.'));
        await Promise.all(links.map((link) => link && this.#sayLeave(link)));
    }

    // ---- links come and go

    /** @param {Link} link */
    #enter(link) {
        this.#link = link;
        this.#sendJoin(link);
    }

    /** @param {Link} link */
    #prepare(link) {
        this.#settings.clock.clearTimeout(this.#joinTimer); // a join over the old link would take the place of this one
        this.#next = { link, joined: null, refused: null, frames: [] };
        this.#unlogged = [];
        if (this.#state !== 'joined') this.#link = null; // it had better come in over the new one only
        this.#sendJoin(link);
    }

    #switchOver() {
        const next = this.#next;
        this.#next = null;
        if (!next) return;
        this.#deliverHeld();
        this.#link = next.link;
        this.#settings.clock.setTimeout(() => (this.#unlogged = []), RETIRE_MS);
        if (next.refused) this.#refused(next.link, next.refused);
        else if (next.joined) this.#arrive(next.link, next.joined, next.frames);
    }

    #forgetPreparation() {
        this.#next = null;
        return this.#link !== null;
    }

    /** @param {Link} link */
    #lost(link) {
        if (link !== this.#link) return;
        this.#link = null;
        this.#settings.clock.clearTimeout(this.#joinTimer);
        this.#outbox.shut();
        if (this.#state === 'joined') this.#setState('joining');
    }

    /** @param {Link} link @param {Frame} frame @param {string} text */
    #receive(link, frame, text) {
        if (link === this.#next?.link) {
            if (this.#next.joined) this.#next.frames.push({ frame, text });
        } else if (link === this.#link) {
            if (this.#state !== 'joined') return;
            if (this.#next && frame.offset === 0) this.#unlogged.push(text);
            this.#inOrder(() => this.#deliver(frame, text));
        } else if (frame.type === 'signal') {
            this.#deliver(frame, text); // to the id that one had on a link that is about to be closed
        }
    }

    /** @param {PlenumError} error */
    #end(error) {
        if (this.#state === 'left') return;
        this.#held = null;
        this.#settings.clock.clearTimeout(this.#joinTimer);
        if (this.#strayLink) this.#sayLeave(this.#strayLink);
        this.#setState('left');
        this.#link = null;
        this.#next = null;
        this.#owner.forget();
        this.#outbox.end(error);
        for (const { reject } of this.#waiters.splice(0)) reject(error);
    }

    /** @param {Link} link @returns {Promise<void>} */
    async #sayLeave(link) {
        // Whatever the answer is, one is not in the room after it.
        await ask(link, { type: 'leave', room: this.name }).catch(() => {});
    }

    /** @returns {Promise<void>} */
    #joined() {
        if (this.#state === 'joined') return Promise.resolve();
        if (this.#state === 'left') return Promise.reject(new PlenumError('left', 'The room was left.'));
        return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    }

    // ---- coming in

    /** @param {Link} link */
    #sendJoin(link) {
        if (this.#member) this.#formerMembers.add(this.#member);
        this.#deliverHeld();
        const { name, info, history } = this.#options;
        // A room without a log may have no epoch: then there is nothing to resume.
        const resume = this.#everJoined || this.#options.resume ? (this.#epoch ? this.position : undefined) : undefined;
        const replay = resume || this.#everJoined ? undefined : history;
        const number = ++this.#joinNumber;
        link.request({ type: 'join', room: this.name, name, info, resume, history: replay }, (joined, error) => {
            if (this.#state === 'left') {
                // Only now: before its answer the server does not know of a membership that one could leave. Whoever has
                // joined the room again meanwhile gets rid of it by itself: this leave might come behind that join.
                if ((joined || error?.code === 'already_joined') && !this.#owner.isReplaced()) this.#sayLeave(link);
                return;
            }
            if (number !== this.#joinNumber) return;
            if (error) this.#refused(link, error);
            else if (joined && link === this.#link) this.#arrive(link, joined, []);
            else if (joined && link === this.#next?.link) {
                this.#next.joined = joined;
                this.#owner.ready();
            }
        });
    }

    /** @param {Link} link @param {PlenumError} error */
    #refused(link, error) {
        if (error.code === DISCONNECTED) return; // the next link brings it in
        const { clock, random } = this.#settings;
        const tryAgain = error.code === 'unavailable' && (this.#everJoined || clock.now() < this.#joinDeadline);
        if (tryAgain) {
            const delay = repeatDelay(this.#joinFailures++, random);
            this.#joinTimer = clock.setTimeout(() => !link.over && this.#sendJoin(link), delay);
        } else if (error.code === 'already_joined') {
            // By a join whose answer was no longer waited for (what has come since then was not delivered), or by one whose
            // leave is still on its way.
            this.#strayLink = link;
            this.#joinTimer = clock.setTimeout(() => {
                this.#strayLink = null;
                if (link.over) return;
                this.#sayLeave(link);
                this.#sendJoin(link);
            }, repeatDelay(this.#joinFailures++, random));
        } else if (this.#next?.link === link) {
            this.#next.refused = error;
            this.#owner.ready();
        } else {
            const told = this.#everJoined;
            this.#end(error);
            if (told) this.emit('kicked', { reason: error.code });
        }
    }

    /**
     * In, over this link: what was missed comes next.
     * @param {Link} link @param {Frame} joined @param {Array<{frame: Frame, text: string}>} frames came since
     */
    #arrive(link, joined, frames) {
        this.#member = link.member;
        this.#joinFailures = 0;
        const before = this.#epoch;
        const first = !this.#everJoined;
        const reset = before !== null && !joined.recovered;
        this.#everJoined = true;
        this.#epoch = joined.epoch;
        if (!joined.recovered) {
            const replayed = first && !reset ? (this.#options.history ?? 0) : 0;
            this.#delivered = replayed > 0 ? 0 : joined.offset;
            this.#replayFrom = Math.max(0, joined.offset - replayed);
        }
        const presence = new Presence();
        presence.become(joined.members, joined.count);
        for (const { frame } of frames) if (PRESENCE_FRAMES.has(frame.type)) presence.apply(frame);
        const changes = this.#presence.become([...presence.members.values()], presence.count);

        this.#setState('joined');
        for (const { resolve } of this.#waiters.splice(0)) resolve();
        if (first) this.#settings.clock.setTimeout(() => this.#deliverHeld(), 0);
        else for (const [type, event] of changes) this.emit(type, event);
        this.#inOrder(() => {
            const { epoch, offset, lossy = 'maybe' } = joined;
            if (reset) this.emit('reset', { lost: true, epoch, offset });
            else if (before !== null && before !== epoch) this.emit('epoch', { epoch, offset, lossy });
        });
        for (const { frame, text } of frames) {
            if (!PRESENCE_FRAMES.has(frame.type)) this.#inOrder(() => this.#deliver(frame, text));
        }
        this.#outbox.open(link);
    }

    // ---- delivering

    /** Does it now, or behind what is held. @param {() => void} deliver */
    #inOrder(deliver) {
        if (this.#held) this.#held.push(deliver);
        else deliver();
    }

    #deliverHeld() {
        if (!this.#everJoined) return;
        const held = this.#held ?? [];
        this.#held = null;
        for (const deliver of held) deliver();
    }

    /** @param {Frame} frame @param {string} text */
    #deliver(frame, text) {
        if (this.#state === 'left') return;
        switch (frame.type) {
            case 'message':
                this.#deliverMessage(/** @type {Message} */ (frame), text);
                break;
            case 'signal':
                this.emit('signal', { from: frame.from, data: frame.data });
                break;
            case 'gap': {
                const from = Math.max(frame.from, this.#delivered + 1);
                if (from > frame.to) break;
                this.emit('gap', { from, to: frame.to });
                this.#delivered = frame.to;
                break;
            }
            case 'epoch':
                if (frame.epoch === this.#epoch) break;
                this.#epoch = frame.epoch;
                this.#delivered = frame.offset;
                this.emit('epoch', { epoch: frame.epoch, offset: frame.offset, lossy: frame.lossy });
                break;
            case 'kicked':
                if (this.#next?.joined) this.#sayLeave(this.#next.link);
                this.#end(new PlenumError('not_joined', `No longer in the room: ${frame.reason}.`));
                this.emit('kicked', { reason: frame.reason });
                break;
            default:
                for (const [type, event] of this.#presence.apply(frame)) this.emit(type, event);
        }
    }

    /** @param {Message} message @param {string} text by which one outside the log is known when it comes over both links */
    #deliverMessage(message, text) {
        const { offset, from, user, data, time } = message;
        const unlogged = offset === 0;
        if (!unlogged && offset <= this.#delivered) return;
        const twin = unlogged && !this.#next ? this.#unlogged.indexOf(text) : -1;
        if (twin >= 0) this.#unlogged.splice(twin, 1);
        else if (!this.#formerMembers.has(from)) this.emit('message', { offset, from, user, data, time });
        // Only now: whatever ends the connection in between, the message is either delivered or will be replayed.
        if (!unlogged) this.#delivered = Math.max(this.#delivered, offset);
    }

    /** @param {Link} link @param {number} offset */
    #acked(link, offset) {
        if (link === this.#link) this.#delivered = Math.max(this.#delivered, offset);
    }

    // ---- the rest

    /**
     * A request that may be repeated: waits for the room, and asks again when the connection ends in between.
     * @param {() => Frame} message
     * @returns {Promise<Frame>}
     */
    async #askInRoom(message) {
        const deadline = this.#settings.clock.now() + this.#settings.repeatMs;
        for (;;) {
            await this.#joined();
            const link = this.#link;
            if (!link) continue;
            try {
                return await ask(link, { ...message(), room: this.name });
            } catch (error) {
                const code = error instanceof PlenumError && error.code;
                if (code !== DISCONNECTED || this.#settings.clock.now() >= deadline) throw error;
            }
        }
    }

    /** @param {RoomState} state */
    #setState(state) {
        const previous = this.#state;
        this.#state = state;
        if (state !== previous) this.emit('state', { state, previous });
    }
}

/** @param {any} value @returns {string} */
function jsonOf(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new PlenumError('bad_request', `${typeof value} has no JSON.`);
    return text;
}

/** @param {Link} link @param {Frame} message @param {string} [data] JSON text @returns {Promise<Frame>} */
function ask(link, message, data) {
    return new Promise((resolve, reject) => {
        link.request(message, (reply, error) => (reply ? resolve(reply) : reject(error)), data);
    });
}

// ---- the connection

/** How long to stay away after a close: full jitter, so that not all come at once. */
class Backoff {
    #settings;
    #failures = 0;

    /** @param {Settings} settings */
    constructor(settings) {
        this.#settings = settings;
    }

    /** The last connection was a good one. */
    reset() {
        this.#failures = 0;
    }

    /** @param {number} code of the close @returns {number} ms */
    next(code) {
        const { random, backoff } = this.#settings;
        const doubled = 2 ** Math.min(this.#failures++, 30);
        const least = BACK_OFF_MS.get(code) ?? 0;
        const base = code === 1012 ? SPREAD_MS : Math.max(least, backoff.baseMs);
        return least + random() * Math.min(Math.max(backoff.maxMs, least), base * doubled);
    }
}

/**
 * The way to a cluster: one socket at a time (two while a gateway drains), opened at once and again whenever it is lost.
 * @extends {Emitter<ConnectionEvents>}
 */
export class Connection extends Emitter {
    #settings;
    #backoff;
    /** @type {Map<string, RoomControl>} */
    #rooms = new Map();
    /** @type {ConnectionState} */
    #state = 'connecting';
    /** @type {Link | null} */
    #link = null;
    /** @type {Link | null} shall take over from #link, whose gateway drains */
    #next = null;
    /** @type {any} the next attempt */
    #timer = null;
    /** @type {any} the moment to leave a draining gateway */
    #drainTimer = null;
    #waitsForNetwork = false;
    #keyPrefix;
    #keys = 0;

    /**
     * @param {string | URL} [url] ws(s):// or http(s)://, or relative to the page; default: /connect of the page's origin
     * @param {ConnectionOptions} [options]
     */
    constructor(url, options = {}) {
        super();
        /** @readonly */
        this.url = connectUrl(url);
        this.#settings = settingsOf(options);
        this.#backoff = new Backoff(this.#settings);
        this.#keyPrefix = randomPrefix(this.#settings.random);
        globalThis.addEventListener?.('online', this.#networkIsBack);
        this.#open();
    }

    get state() {
        return this.#state;
    }

    /** One's member id on the present connection; empty while there is none. */
    get member() {
        return this.#link?.member ?? '';
    }

    /** Id of the gateway that serves; empty while none does. */
    get gateway() {
        return String(this.#link?.welcome?.gateway ?? '');
    }

    /** What the server allows: bytes of a message, of info, of a name ... ; null while there is no connection. */
    get limits() {
        return /** @type {Record<string, number> | null} */ (this.#link?.welcome?.limits ?? null);
    }

    /** The rooms that are joined or being joined. */
    get rooms() {
        return [...this.#rooms.values()].map(({ room }) => room);
    }

    /**
     * Joins a room, and again on every connection to come, until `leave`. Waits for a connection; while the server has no
     * answer (`unavailable`) it is asked again for 60 s.
     * @param {string} name @param {JoinOptions} [options]
     * @returns {Promise<Room>} whoever awaits it misses no event
     */
    async join(name, options = {}) {
        if (this.#state === 'closed') throw new PlenumError('closed', 'The connection is closed.');
        if (this.#rooms.has(name)) throw new PlenumError('already_joined', `The room ${name} has been joined.`);
        if (options.info !== undefined) jsonOf(options.info);
        const owner = {
            newKey: () => `${this.#keyPrefix}-${++this.#keys}`,
            forget: () => this.#forget(name),
            isReplaced: () => this.#rooms.has(name),
            ready: () => this.#switchWhenPrepared(),
        };
        const room = new Room(name, options, this.#settings, owner, (control) => this.#rooms.set(name, control));
        const control = /** @type {RoomControl} */ (this.#rooms.get(name));
        this.#enterRoom(control);
        await control.joined();
        return room;
    }

    /**
     * Sends a media frame, or drops it: media are not kept for later.
     * @param {ArrayBuffer | ArrayBufferView} bytes
     * @returns {boolean} false when there was no connection
     */
    sendMedia(bytes) {
        if (!this.#link?.welcome) return false;
        this.#link.sendBytes(bytes);
        return true;
    }

    /**
     * A request as it stands in the protocol's reference, for what this client has no method for. Not repeated.
     * @param {Record<string, any>} message without `id`
     * @returns {Promise<Record<string, any>>} the reply
     */
    async request(message) {
        if (!this.#link?.welcome) throw new PlenumError(DISCONNECTED, 'There is no connection.');
        return ask(this.#link, message);
    }

    /** The end: leaves all rooms. Publishes without an ack are given up; await them before. */
    close() {
        this.#finish({ code: 1000, reason: '' });
    }

    // ---- up and down

    #open() {
        this.#timer = null;
        if (globalThis.navigator?.onLine === false) {
            this.#waitsForNetwork = true;
            this.#setState('offline', { reason: 'no network' });
            return;
        }
        this.#setState('connecting');
        this.#link = this.#newLink();
    }

    /** @returns {Link | null} null when there cannot be one */
    #newLink() {
        try {
            return new Link(this.url, this.#settings, {
                welcome: (link) => this.#welcomed(link),
                refused: (link, error) => this.#refused(link, error),
                frame: (link, frame, text) => this.#received(link, frame, text),
                media: (link, data) => link === this.#link && this.emit('media', { data }),
                fault: (error) => this.emit('error', error),
                ended: (link, closing) => this.#ended(link, closing),
            });
        } catch (error) {
            // A bad address, or one that this page may not use: it will not get better.
            this.emit('error', new PlenumError('bad_url', String(error)));
            this.#finish({ code: 1006, reason: String(error) });
            return null;
        }
    }

    /** @param {Link} link */
    #welcomed(link) {
        if (link === this.#link) this.#setState('online');
        for (const room of [...this.#rooms.values()]) this.#enterRoom(room);
        this.#switchWhenPrepared();
        this.#moveAway();
    }

    /** @param {Link} link @param {PlenumError} error */
    #refused(link, error) {
        this.emit('error', error);
        link.close();
        if (error.code === 'unavailable') this.#ended(link, { code: 1013, reason: error.message });
        else this.#finish({ code: 1006, reason: error.message });
    }

    /** @param {Link} link @param {{code: number, reason: string}} closing */
    #ended(link, closing) {
        if (closing.code === 1009) this.#refuseLargest();
        if (link === this.#next) {
            this.#next = null;
            for (const room of [...this.#rooms.values()]) if (!room.forgetPreparation()) this.#enterRoom(room);
        } else if (link === this.#link) {
            this.#settings.clock.clearTimeout(this.#drainTimer);
            this.#link = null;
            for (const room of [...this.#rooms.values()]) room.lost(link);
            if (this.#state === 'closed') return;
            if (this.#staysAway(closing.code)) this.#finish(closing);
            else if (this.#next) this.#switchOver();
            else this.#retry(link, closing);
        }
    }

    /** @param {number} code */
    #staysAway(code) {
        return STAY_AWAY.has(code) || (code === 4401 && typeof this.#settings.token !== 'function');
    }

    /** @param {Link} link @param {{code: number, reason: string}} closing */
    #retry(link, closing) {
        const { clock } = this.#settings;
        if (link.welcome && clock.now() - link.welcomedAt >= STABLE_MS) this.#backoff.reset();
        const retryMs = this.#backoff.next(closing.code);
        this.#timer = clock.setTimeout(() => this.#open(), retryMs);
        this.#setState('offline', { ...closing, retryMs });
    }

    /** A browser says so: what was waiting need not wait, and what seemed alive may be dead. */
    #networkIsBack = () => {
        const { clock, random, backoff } = this.#settings;
        if (this.#link || this.#state === 'closed') {
            this.#link?.probe();
            return;
        }
        if (!this.#waitsForNetwork && this.#timer === null) return;
        this.#waitsForNetwork = false;
        clock.clearTimeout(this.#timer);
        this.#timer = clock.setTimeout(() => this.#open(), random() * backoff.baseMs);
    };

    /** @param {{code: number, reason: string}} closing */
    #finish(closing) {
        if (this.#state === 'closed') return;
        globalThis.removeEventListener?.('online', this.#networkIsBack);
        for (const timer of [this.#timer, this.#drainTimer]) this.#settings.clock.clearTimeout(timer);
        const links = [this.#link, this.#next];
        this.#link = null;
        this.#next = null;
        this.#setState('closed', closing);
        for (const room of [...this.#rooms.values()]) room.end(new PlenumError('closed', 'The connection is closed.'));
        for (const link of links) link?.close();
    }

    /** @param {ConnectionState} state @param {{code?: number, reason?: string, retryMs?: number}} [details] */
    #setState(state, details = {}) {
        const previous = this.#state;
        this.#state = state;
        if (state !== previous) this.emit('state', { state, previous, ...details });
    }

    // ---- frames and rooms

    /** @param {Link} link @param {Frame} frame @param {string} text */
    #received(link, frame, text) {
        if (frame.type === 'error') this.emit('error', errorOf(frame));
        else if (frame.type === 'drain') {
            link.drainMs = frame.after_ms;
            this.#moveAway();
        } else if (!ROOM_FRAMES.has(frame.type)) this.emit('other', frame);
        else this.#rooms.get(frame.room)?.receive(link, frame, text);
    }

    /** Over the link to come where there is one already, else over the one that serves. @param {RoomControl} room */
    #enterRoom(room) {
        if (this.#next?.welcome) room.prepare(this.#next);
        else if (this.#link?.welcome) room.enter(this.#link);
    }

    /** @param {string} name */
    #forget(name) {
        this.#rooms.delete(name);
        this.#switchWhenPrepared();
    }

    #refuseLargest() {
        const [largest] = [...this.#rooms.values()].sort((one, other) => other.outbox.largest - one.outbox.largest);
        largest?.outbox.refuseLargest();
    }

    // ---- a gateway that drains

    /** At a moment of its own, where the gateway that serves drains. */
    #moveAway() {
        const { clock, random } = this.#settings;
        const drainMs = this.#link?.drainMs ?? null;
        if (drainMs === null || this.#state !== 'online') return;
        this.#drainTimer = clock.setTimeout(() => (this.#next = this.#newLink()), random() * DRAIN_PART * drainMs);
        this.#setState('draining');
    }

    /** As soon as every room is in over the second link, that is the one. */
    #switchWhenPrepared() {
        if (!this.#next?.welcome || ![...this.#rooms.values()].every((room) => room.isPrepared())) return;
        const old = this.#link;
        this.#switchOver();
        old?.retire();
    }

    #switchOver() {
        this.#link = this.#next;
        this.#next = null;
        this.#setState(this.#link?.welcome ? 'online' : 'connecting');
        for (const room of [...this.#rooms.values()]) room.switchOver();
        this.#moveAway();
    }
}

/**
 * Connects, and stays connected until `close`.
 * @param {string | URL} [url] @param {ConnectionOptions} [options] see Connection
 */
export function connect(url, options) {
    return new Connection(url, options);
}

/** @param {string | URL} [url] @returns {string} with ws(s):// */
function connectUrl(url) {
    const page = globalThis.location?.href;
    if (url === undefined && page === undefined) throw new PlenumError('bad_url', 'An address is needed where there is no page.');
    let address;
    try {
        address = new URL(url ?? '/connect', page);
    } catch {
        throw new PlenumError('bad_url', `${url} is no address.`);
    }
    // The root is no plenum.v1 but the relay.
    if (address.pathname === '/') address.pathname = '/connect';
    address.protocol = address.protocol.replace(/^http/, 'ws');
    address.hash = '';
    if (!/^wss?:$/.test(address.protocol)) throw new PlenumError('bad_url', `${url} is neither ws nor http.`);
    return address.href;
}

/** @param {ConnectionOptions} options @returns {Settings} */
function settingsOf(options) {
    const { WebSocket = globalThis.WebSocket, backoff, heartbeat, connectMs = 10_000, repeatMs = 60_000 } = options;
    if (typeof WebSocket !== 'function') {
        throw new PlenumError('no_websocket', 'There is no WebSocket here: give one in the options, that of the npm package ws for example.');
    }
    return {
        name: options.name,
        token: options.token,
        WebSocket,
        backoff: { baseMs: 200, maxMs: 10_000, ...backoff },
        heartbeat: { pingMs: 20_000, answerMs: 10_000, ...heartbeat },
        connectMs,
        repeatMs,
        random: options.random ?? Math.random,
        clock: options.clock ?? {
            now: () => Date.now(),
            setTimeout: (run, ms) => globalThis.setTimeout(run, ms),
            clearTimeout: (timer) => globalThis.clearTimeout(timer),
        },
    };
}

/** What makes this client's keys unlike any other's. @param {() => number} random */
function randomPrefix(random) {
    const bytes = new Uint8Array(12);
    if (globalThis.crypto?.getRandomValues) globalThis.crypto.getRandomValues(bytes);
    else bytes.forEach((_, i) => (bytes[i] = random() * 256));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
