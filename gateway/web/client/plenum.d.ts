// Made by scripts/types from plenum.js.
/**
 * Connects, and stays connected until `close`.
 * @param {string | URL} [url] @param {ConnectionOptions} [options] see Connection
 */
export function connect(url?: string | URL, options?: ConnectionOptions): Connection;
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
    constructor(code: string, message?: string);
    code: string;
}
/**
 * Listeners by the type of event. What one of them throws is reported, and harms neither the others nor the client.
 * @template {object} Events
 */
export class Emitter<Events extends object> {
    /**
     * @template {keyof Events} Type
     * @param {Type} type
     * @param {(event: Events[Type]) => unknown} listener
     * @returns {() => void} takes the listener off again
     */
    on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => unknown): () => void;
    /**
     * @template {keyof Events} Type
     * @param {Type} type
     * @param {(event: Events[Type]) => unknown} listener
     */
    off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => unknown): void;
    /**
     * For the emitter itself.
     * @protected
     * @template {keyof Events} Type
     * @param {Type} type
     * @param {Events[Type]} event
     */
    protected emit<Type extends keyof Events>(type: Type, event: Events[Type]): void;
    #private;
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
export class Room extends Emitter<RoomEvents> {
    /**
     * @param {string} name @param {JoinOptions} options @param {Settings} settings @param {RoomOwner} owner
     * @param {(control: RoomControl) => void} giveControl
     */
    constructor(name: string, options: JoinOptions, settings: Settings, owner: RoomOwner, giveControl: (control: RoomControl) => void);
    /** @readonly */
    readonly name: string;
    get state(): RoomState;
    /** One's own member id, of the present connection or the last one. */
    get member(): string;
    /** Everyone in the room by member id, oneself included; empty where the server lists nobody (above 500). */
    get members(): ReadonlyMap<string, Member>;
    /** Members of all kinds, those without plenum.v1 included. */
    get count(): number;
    /** Up to where everything has been delivered: what `resume` of a later join wants. Null before the room was joined. */
    get position(): {
        epoch: string;
        offset: number;
    } | null;
    /**
     * Says something to the others. Resolves when the message has its place in the room's log; see the head of this file.
     * @param {any} data JSON, as it is now: later changes do not count
     * @param {{key?: string}} [options] key: an idempotency key of one's own, 1 to 64 of A-Z a-z 0-9 _ . : -
     * @returns {Promise<{offset: number}>}
     */
    publish(data: any, { key }?: {
        key?: string;
    }): Promise<{
        offset: number;
    }>;
    /**
     * Says something to one member: once, now or not at all.
     * @param {string} member @param {any} data
     * @returns {Promise<void>}
     */
    signal(member: string, data: any): Promise<void>;
    /**
     * Messages of the log, in the order of their offsets, one's own included. Waits for a connection.
     * @param {{before?: number, after?: number, limit?: number}} [range] without: the last ones
     * @returns {Promise<{messages: Message[], more: boolean}>}
     */
    history({ before, after, limit }?: {
        before?: number;
        after?: number;
        limit?: number;
    }): Promise<{
        messages: Message[];
        more: boolean;
    }>;
    /**
     * Changes what others see of oneself here.
     * @param {any} info the whole of it @param {{name?: string}} [options]
     * @returns {Promise<void>}
     */
    update(info: any, { name }?: {
        name?: string;
    }): Promise<void>;
    /** Leaves at once: nothing of the room is delivered any more. Resolves when the server knows it too. */
    leave(): Promise<void>;
    #private;
}
/**
 * The way to a cluster: one socket at a time (two while a gateway drains), opened at once and again whenever it is lost.
 * @extends {Emitter<ConnectionEvents>}
 */
export class Connection extends Emitter<ConnectionEvents> {
    /**
     * @param {string | URL} [url] ws(s):// or http(s)://, or relative to the page; default: /connect of the page's origin
     * @param {ConnectionOptions} [options]
     */
    constructor(url?: string | URL, options?: ConnectionOptions);
    /** @readonly */
    readonly url: string;
    get state(): ConnectionState;
    /** One's member id on the present connection; empty while there is none. */
    get member(): string;
    /** Id of the gateway that serves; empty while none does. */
    get gateway(): string;
    /** What the server allows: bytes of a message, of info, of a name ... ; null while there is no connection. */
    get limits(): Record<string, number> | null;
    /** The rooms that are joined or being joined. */
    get rooms(): Room[];
    /**
     * Joins a room, and again on every connection to come, until `leave`. Waits for a connection; while the server has no
     * answer (`unavailable`) it is asked again for 60 s.
     * @param {string} name @param {JoinOptions} [options]
     * @returns {Promise<Room>} whoever awaits it misses no event
     */
    join(name: string, options?: JoinOptions): Promise<Room>;
    /**
     * Sends a media frame, or drops it: media are not kept for later.
     * @param {ArrayBuffer | ArrayBufferView} bytes
     * @returns {boolean} false when there was no connection
     */
    sendMedia(bytes: ArrayBuffer | ArrayBufferView): boolean;
    /**
     * A request as it stands in the protocol's reference, for what this client has no method for. Not repeated.
     * @param {Record<string, any>} message without `id`
     * @returns {Promise<Record<string, any>>} the reply
     */
    request(message: Record<string, any>): Promise<Record<string, any>>;
    /** The end: leaves all rooms. Publishes without an ack are given up; await them before. */
    close(): void;
    #private;
}
export type Member = {
    /**
     * 16 hex digits
     */
    member: string;
    name?: string | undefined;
    /**
     * what the member tells of itself
     */
    info?: any;
    /**
     * ms since 1970
     */
    since: number;
    /**
     * set by an admin or a host
     */
    muted?: boolean | undefined;
};
export type Message = {
    /**
     * 0: not in the log
     */
    offset: number;
    /**
     * a member id, `admin` or `api`
     */
    from: string;
    /**
     * the sender's name
     */
    user?: string | undefined;
    data: any;
    /**
     * ms since 1970
     */
    time: number;
};
export type Position = {
    epoch: string;
    offset: number;
};
export type ConnectionState = "connecting" | "online" | "offline" | "draining" | "closed";
export type StateChange = {
    /**
     * `draining`: online, and about to move to another gateway; `closed`: for good
     */
    state: ConnectionState;
    previous: ConnectionState;
    /**
     * of the close, where there was one
     */
    code?: number | undefined;
    reason?: string | undefined;
    /**
     * offline: when the next attempt comes; absent while there is no network
     */
    retryMs?: number | undefined;
};
export type ConnectionEvents = {
    state: StateChange;
    /**
     * what belongs to no request: reported where nobody listens
     */
    error: PlenumError;
    /**
     * a binary frame as it came
     */
    media: {
        data: ArrayBuffer;
    };
    /**
     * a frame of a type that this client does not know
     */
    other: Record<string, any>;
};
/**
 * `joining` also while the connection is lost
 */
export type RoomState = "joining" | "joined" | "left";
export type RoomEvents = {
    message: Message;
    signal: {
        from: string;
        data: any;
    };
    join: Member;
    /**
     * `reason`: left, lost, kicked; gone: while we were away; unlisted: the room has
     * become too large for a list
     */
    leave: Member & {
        reason: string;
    };
    update: Member;
    /**
     * whenever it changes
     */
    count: {
        count: number;
    };
    /**
     * these offsets were missed and cannot be had any more
     */
    gap: {
        from: number;
        to: number;
    };
    /**
     * the log goes on in a new epoch
     */
    epoch: {
        epoch: string;
        offset: number;
        lossy: boolean | "maybe";
    };
    /**
     * the position is unknown to the server: load anew by history()
     */
    reset: {
        lost: true;
        epoch: string;
        offset: number;
    };
    /**
     * no longer in the room, for good: kicked, banned, ended, or the code by which a return
     * was refused
     */
    kicked: {
        reason: string;
    };
    state: {
        state: RoomState;
        previous: RoomState;
    };
};
export type JoinOptions = {
    /**
     * instead of the connection's
     */
    name?: string | undefined;
    info?: any;
    /**
     * so many of the last messages come first
     */
    history?: number | undefined;
    /**
     * a position that was kept: what came after it comes first
     */
    resume?: Position | undefined;
};
export type Clock = {
    /**
     * ms; it has to go on while the machine sleeps
     */
    now: () => number;
    setTimeout: (run: () => void, ms: number) => any;
    clearTimeout: (timer: any) => void;
};
/**
 * the part of a WebSocket that is used
 */
export type SocketLike = {
    protocol: string;
    binaryType: any;
    onopen: ((event: any) => any) | null;
    onmessage: ((event: any) => any) | null;
    onclose: ((event: any) => any) | null;
    onerror: ((event: any) => any) | null;
    send: (data: any) => void;
    close: (code?: number, reason?: string) => void;
    terminate?: (() => void) | undefined;
};
export type ConnectionOptions = {
    /**
     * what others see, up to 64 bytes
     */
    name?: string | undefined;
    /**
     * a function is asked for each connection anew
     */
    token?: string | (() => string | Promise<string>) | undefined;
    /**
     * default: the global one
     */
    WebSocket?: (new (url: string, protocol: string) => SocketLike) | undefined;
    /**
     * bounds of the waits before a reconnect: 200 and 10,000
     */
    backoff?: {
        baseMs?: number;
        maxMs?: number;
    } | undefined;
    /**
     * silence before a ping (20,000 at most, or what the server
     * asks for if that is less), and the time for an answer (10,000)
     */
    heartbeat?: {
        pingMs?: number;
        answerMs?: number;
    } | undefined;
    /**
     * the time for a connection to be made: 10,000
     */
    connectMs?: number | undefined;
    /**
     * how long a publish is tried: 60,000, the server's memory of keys
     */
    repeatMs?: number | undefined;
    /**
     * from 0 to 1
     */
    random?: (() => number) | undefined;
    clock?: Clock | undefined;
};
export type Settings = {
    name: string | undefined;
    token: string | (() => string | Promise<string>) | undefined;
    WebSocket: new (url: string, protocol: string) => SocketLike;
    backoff: {
        baseMs: number;
        maxMs: number;
    };
    heartbeat: {
        pingMs: number;
        answerMs: number;
    };
    connectMs: number;
    repeatMs: number;
    random: () => number;
    clock: Clock;
};
/**
 * a JSON object of the protocol
 */
export type Frame = Record<string, any>;
/**
 * one of the two is null
 */
export type OnReply = (reply: Frame | null, error: PlenumError | null) => void;
export type LinkEvents = {
    welcome: (link: Link) => void;
    /**
     * the hello was answered with an error
     */
    refused: (link: Link, error: PlenumError) => void;
    /**
     * what is no reply
     */
    frame: (link: Link, frame: Frame, text: string) => void;
    media: (link: Link, data: ArrayBuffer) => void;
    /**
     * the other side does not keep to the protocol
     */
    fault: (error: PlenumError) => void;
    /**
     * not by us
     */
    ended: (link: Link, closing: {
        code: number;
        reason: string;
    }) => void;
};
export type Publish = {
    /**
     * JSON text, as it was at the call
     */
    data: string;
    key: string;
    order: number;
    deadline: number;
    attempts: number;
    /**
     * an attempt may have been taken without our hearing of it
     */
    maybe: boolean;
    settled: boolean;
    timer: any;
    resolve: (taken: {
        offset: number;
    }) => void;
    reject: (error: PlenumError) => void;
};
/**
 * what a room asks of its connection
 */
export type RoomOwner = {
    newKey: () => string;
    forget: () => void;
    /**
     * whether, this one being forgotten, there is another room of the name
     */
    isReplaced: () => boolean;
    /**
     * the room is in on the link that is being prepared
     */
    ready: () => void;
};
/**
 * what only the connection does to a room
 */
export type RoomControl = {
    room: Room;
    outbox: Outbox;
    /**
     * resolves when it is joined, at once when it is
     */
    joined: () => Promise<void>;
    /**
     * joins over a link, which takes over at once
     */
    enter: (link: Link) => void;
    /**
     * joins over a link, which takes over when switchOver is called
     */
    prepare: (link: Link) => void;
    /**
     * whether it is in, or refused for good, on the link that is prepared
     */
    isPrepared: () => boolean;
    /**
     * the prepared link takes over, with all that came over it; where it is not in yet, with
     * its `joined`
     */
    switchOver: () => void;
    /**
     * the prepared link has failed; returns whether another one serves
     */
    forgetPreparation: () => boolean;
    /**
     * a link has ended
     */
    lost: (link: Link) => void;
    /**
     * a frame that names this room
     */
    receive: (link: Link, frame: Frame, text: string) => void;
    /**
     * the room is over for this client; `error` for all that waits
     */
    end: (error: PlenumError) => void;
};
/**
 * a link that shall take over: what comes over it is kept until then
 */
export type Preparation = {
    link: Link;
    joined: Frame | null;
    refused: PlenumError | null;
    frames: Array<{
        frame: Frame;
        text: string;
    }>;
};
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
declare class Link {
    /** @param {string} url @param {Settings} settings @param {LinkEvents} events */
    constructor(url: string, settings: Settings, events: LinkEvents);
    /** Nothing comes from it and nothing goes over it any more. */
    over: boolean;
    /** @type {Frame | null} */
    welcome: Frame | null;
    welcomedAt: number;
    /** Its gateway drains, within so many ms. @type {number | null} */
    drainMs: number | null;
    /** The member id of this connection; empty before the welcome. */
    get member(): string;
    /**
     * Sends a request. `onReply` is called once: with the reply, with the error that came for it, or with `disconnected`; never
     * before this returns.
     * @param {Frame} message @param {OnReply} onReply
     * @param {string} [data] JSON text of the message's `data`
     */
    request(message: Frame, onReply: OnReply, data?: string): void;
    /** @param {any} bytes */
    sendBytes(bytes: any): void;
    /** Asks at once whether it is still alive. */
    probe(): void;
    /** Closes it; requests without a reply get `disconnected`. */
    close(): void;
    /** Closes it as soon as all requests have their replies, or after a while. */
    retire(): void;
    #private;
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
declare class Outbox {
    /**
     * @param {string} room @param {Settings} settings
     * @param {(link: Link, offset: number) => void} taken the ack of a first attempt: a position in the link's own order
     */
    constructor(room: string, settings: Settings, taken: (link: Link, offset: number) => void);
    /** @param {string} data JSON text @param {string} key @returns {Promise<{offset: number}>} */
    publish(data: string, key: string): Promise<{
        offset: number;
    }>;
    /** The room is joined on this link: from now on it is the way. @param {Link} link */
    open(link: Link): void;
    /** The way is gone. */
    shut(): void;
    /** No longer in the room: what is under way may still be answered, nothing else goes out. @param {PlenumError} error */
    end(error: PlenumError): void;
    /** Bytes (about) of the largest one that was sent at least once and has no answer. */
    get largest(): number;
    /** The server closes with 1009 on a frame that is too large for it: the largest is not sent again. */
    refuseLargest(): void;
    #private;
}
export {};
