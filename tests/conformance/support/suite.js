/**
 * suite.js -- groups of cases: one gateway a group, a room of its own for each case, cases side by side.
 */
import { after, before, describe, it } from 'node:test';
import { Client, heardBinary, heardText } from './client.js';
import * as f from './frame.js';
import { SAMPLE_KEY, expectRefusal } from './http.js';
import { startTarget } from './target.js';
import { Wire } from './wire.js';

const SIDE_BY_SIDE = 16;
const STATUS_LINE = /^HTTP\/1\.1 ([0-9]{3}) /;
let rooms = 0;

/** A room that no other case uses. */
export const newRoom = () => `conf-${process.pid}-${++rooms}`;
/** A path on which every message comes back to its sender. */
export const echoPath = (room = newRoom()) => `/rooms/${room}?echo=1`;

/** The echo that a message frame will bring. @param {number} opcode @param {Buffer|string} payload */
export const echoOf = (opcode, payload) => (opcode === f.TEXT ? heardText : heardBinary)(payload);

/** Cuts bytes into pieces. @param {Buffer} bytes @param {number} size @returns {Buffer[]} */
export function chop(bytes, size) {
    const pieces = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
    return pieces;
}

/** What the cases of a group are made with. */
class Cases {
    target = null;

    /**
     * A case on an open WebSocket.
     *
     * @param {string} name the promise
     * @param {(client: Client) => Promise<void>} body
     * @param {Parameters<typeof Client.open>[1]} [request] an echo room unless it says otherwise
     */
    onSocket(name, body, request = {}) {
        it(name, async () => {
            const client = await Client.open(this.target, { path: echoPath(), ...request });
            try {
                await body(client);
            } finally {
                client.destroy();
            }
        });
    }

    /**
     * Bytes that are answered with these events, after which the connection closes cleanly.
     *
     * @param {string} name
     * @param {Buffer|Buffer[]} bytes an array is sent piece by piece, each in its own segment
     * @param {import('./client.js').Heard[]} events
     * @param {object} [request]
     */
    answers(name, bytes, events, request) {
        this.onSocket(
            name,
            async (client) => {
                await deliver(client, bytes);
                await client.expect(...events);
                await client.closeCleanly();
            },
            request,
        );
    }

    /**
     * Bytes that the server must fail the connection for.
     *
     * @param {string} name
     * @param {Buffer|Buffer[]} bytes
     * @param {number[]} codes
     * @param {object} [options] `may`: events that can come first; the rest as for Client.open
     */
    fails(name, bytes, codes, { may, ...request } = {}) {
        this.onSocket(
            name,
            async (client) => {
                await deliver(client, bytes);
                await client.expectFailure(codes, { may });
            },
            request,
        );
    }

    /** A case on a bare connection. @param {string} name @param {(wire: Wire) => Promise<void>} body */
    onWire(name, body) {
        it(name, async () => {
            const wire = await Wire.connect(this.target);
            try {
                await body(wire);
            } finally {
                wire.destroy();
            }
        });
    }

    /** A request that is refused with one of the statuses. @param {string} name @param {string} request latin-1 */
    refuses(name, request, statuses, options) {
        this.onWire(name, async (wire) => {
            wire.send(request);
            await expectRefusal(wire, statuses, options);
        });
    }

    /** A request that a server may take or refuse, but has to answer in good order. */
    upgradesOrRefuses(name, request, statuses, key = SAMPLE_KEY) {
        this.onWire(`${name}: taken or refused`, async (wire) => {
            wire.send(request);
            const answer = await wire.until(
                'a status line',
                () => STATUS_LINE.exec(wire.received.toString('latin1')) ?? undefined,
            );
            if (answer[1] === '101') await (await Client.accept(wire, key)).closeCleanly();
            else await expectRefusal(wire, statuses);
        });
    }

    /** A request that is upgraded, after which the room echoes. @param {string} name @param {string} request latin-1 */
    upgrades(name, request, key = SAMPLE_KEY) {
        this.onWire(name, async (wire) => {
            wire.send(request);
            const client = await Client.accept(wire, key);
            client.send(f.text('in'));
            await client.expect(heardText('in'));
            await client.closeCleanly();
        });
    }
}

function deliver(client, bytes) {
    return Array.isArray(bytes) ? client.sendApart(bytes) : client.send(bytes);
}

/**
 * A group: starts a gateway, runs the cases side by side, then checks that the same gateway still serves.
 *
 * @param {string} title
 * @param {(cases: Cases) => void} define
 * @param {{args?: string[], ownGateway?: boolean}} [options] ownGateway: the group needs these arguments, and is
 *   skipped when a target was given from outside
 */
export function group(title, define, { args = [], ownGateway = false } = {}) {
    const skip = ownGateway && process.env.TEST_TARGET ? 'needs a gateway of its own' : false;
    const cases = new Cases();
    describe(title, { skip }, () => {
        before(async () => {
            if (!skip) cases.target = await startTarget(args);
        });
        after(() => cases.target?.finish());
        describe('each in a room of its own', { concurrency: SIDE_BY_SIDE }, () => define(cases));
        describe('afterwards', () => {
            cases.answers('the same gateway still serves', f.text('still here?'), [heardText('still here?')]);
        });
    });
}
