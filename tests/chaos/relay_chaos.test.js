/**
 * relay_chaos.test.js -- what the relay promises without a log, while connections to Redis are cut and gateways are killed.
 *
 * Messages may be lost while the bus is cut (they are counted and printed). Never: one twice, two of one sender in the
 * wrong order, one in another room, a listener disconnected whose gateway lives.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { Client, connect } from '../support/client.js';
import { onEnd } from '../support/cleanup.js';
import { untilItFlows, withoutFlow } from '../support/flow.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { elapse, waitUntil } from '../support/wait.js';

const ROOMS = 5;
const PARTICIPANTS = 30;
const SECONDS = 10;

/** One who talks in a room, comes back whenever he is thrown out, and keeps what he heard. */
class Participant {
    /** @type {Array<{client: Client, wasOpen: boolean, said: number}>} one after the other; the last one counts */
    sessions = [];

    /** @param {number} id @param {(id: number) => string} address asked anew for each session */
    constructor(id, address) {
        this.id = id;
        this.room = `room${id % ROOMS}`;
        this.address = address;
        this.come();
    }

    come() {
        const client = new Client(`${this.address(this.id)}/rooms/${this.room}`);
        const session = { client, wasOpen: false, said: 0 };
        client.opened.then(() => (session.wasOpen = true)).catch(() => {});
        this.sessions.push(session);
    }

    get client() {
        return this.sessions.at(-1).client;
    }

    /** A message says its room, its sender and session, and its number there. */
    talk() {
        const session = this.sessions.at(-1);
        if (session.client.closing) this.come();
        else if (session.client.isOpen) {
            session.client.send(`${this.room} ${this.id}.${this.sessions.length} ${session.said++}`);
        }
    }
}

/**
 * Checks all that one connection heard, and counts what is missing between what it heard.
 * @param {string} room where it was
 * @param {number} self who it was; -1: nobody who talks
 * @param {string[]} heard
 * @param {Map<string, number>} last the last number of each sender's session; goes on over one's own sessions
 * @returns {{messages: number, missing: number}}
 */
function judge(room, self, heard, last) {
    let missing = 0;
    for (const text of heard) {
        const [where, session, number] = text.split(' ');
        assert.equal(where, room, `${text} was heard in ${room}`);
        assert.notEqual(Number(session.split('.')[0]), self, `${text}: one's own`);
        const before = last.get(session);
        if (before !== undefined) {
            assert.ok(Number(number) > before, `${text} after ${before}: twice, or out of order`);
            missing += Number(number) - before - 1;
        }
        last.set(session, Number(number));
    }
    return { messages: heard.length, missing };
}

describe('chaos', () => {
    test('the_relay_keeps_its_promises_while_connections_are_cut_and_gateways_killed', async (t) => {
        const redis = await startRedis(t);
        const args = ['--redis', redis.url];
        const gateways = await Promise.all([0, 1, 2].map(() => startGateway(t, { args })));
        const address = (id) => gateways[(id + randomInt(2)) % gateways.length].url;
        const participants = Array.from({ length: PARTICIPANTS }, (_, id) => new Participant(id, address));
        onEnd(t, () => participants.forEach(({ client }) => client.terminate()));
        // The first gateway is never killed: who only listens there stays.
        const listeners = [];
        for (let room = 0; room < ROOMS; room++) {
            listeners.push(await connect(t, `${gateways[0].url}/rooms/room${room}`));
        }
        const talk = setInterval(() => participants.forEach((one) => one.talk()), scaled(20, 50));
        onEnd(t, () => clearInterval(talk));

        const done = { 'subscribers cut': 0, 'commanders cut': 0, 'gateways killed': 0 };
        const end = Date.now() + SECONDS * 1000;
        for (let step = 0; Date.now() < end; step++) {
            await elapse(300 + randomInt(400));
            if (step % 3 === 0) {
                await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
                done['subscribers cut']++;
            } else if (step % 3 === 1) {
                await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
                done['commanders cut']++;
            } else {
                const victim = 1 + randomInt(2);
                await gateways[victim].stop('SIGKILL');
                await elapse(randomInt(500));
                gateways[victim] = await startGateway(t, { args });
                done['gateways killed']++;
            }
        }

        // Calm again: everyone is let in, and hears.
        await waitUntil('all to be back', () => participants.every(({ client }) => client.isOpen));
        const members = (room) => participants.filter((one) => one.room === room).map(({ client }) => client);
        const flows = await Promise.all(
            listeners.map((listener, i) => untilItFlows(t, `${gateways[0].url}/rooms/room${i}`, [listener, ...members(`room${i}`)])),
        );
        clearInterval(talk);
        t.diagnostic(`flows everywhere ${Math.max(...flows)} ms after the last blow`);
        for (const one of participants) one.client.send(`${one.room} ${one.id}.calm 0`);
        for (const [i, listener] of listeners.entries()) {
            const room = `room${i}`;
            for (const one of participants.filter((p) => p.room === room)) {
                for (const hearer of [listener, ...members(room)]) {
                    if (hearer !== one.client) await hearer.waitFor(`${room} ${one.id}.calm 0`);
                }
            }
            assert.equal(listener.closing, null, 'a listener on a living gateway stays connected');
        }

        const sums = { messages: 0, missing: 0 };
        const add = (counts) => {
            sums.messages += counts.messages;
            sums.missing += counts.missing;
        };
        for (const [i, listener] of listeners.entries()) add(judge(`room${i}`, -1, withoutFlow(listener), new Map()));
        const codes = new Map();
        for (const { id, room, sessions } of participants) {
            const last = new Map();
            for (const { client, wasOpen } of sessions) {
                add(judge(room, id, withoutFlow(client), last));
                if (client.closing && wasOpen) codes.set(client.closing.code, (codes.get(client.closing.code) ?? 0) + 1);
            }
        }
        t.diagnostic(Object.entries(done).map(([what, count]) => `${count} ${what}`).join(', '));
        t.diagnostic(`closes by code: ${[...codes].map(([code, count]) => `${code}: ${count}`).join(', ')}`);
        t.diagnostic(`${sums.messages} messages heard, ${sums.missing} missing between them`);
        for (const code of codes.keys()) assert.ok([1006, 1013].includes(code), `a participant was closed with ${code}`);
    });
});
