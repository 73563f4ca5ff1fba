/**
 * rolling_restart.test.js -- gateways behind HAProxy are drained and replaced one after the other, while people talk with the
 * JavaScript client that the gateway serves: nothing is lost or heard twice, and nobody is told gone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { connect } from '../../gateway/web/client/plenum.js';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { startHaproxy } from '../support/haproxy.js';
import { Random, seedFrom } from '../support/random.js';
import { startRedis } from '../support/redis.js';
import { scaled } from '../support/scale.js';
import { elapse, waitUntil, within } from '../support/wait.js';

const ROOMS = 3;
const PEOPLE = scaled(18, 9);

/** HAProxy looks once a second, and believes the second bad look and the first good one. */
const NOTICED_MS = 2500;

/** One of the people: what it was told, and what became of what it said. */
class Talker {
    heard = [];
    /** Gaps, new epochs and the like. */
    notices = [];
    /** Id -> offset. @type {Map<string, number>} */
    acked = new Map();
    #open = [];

    constructor(name, roomName, url) {
        this.name = name;
        this.roomName = roomName;
        this.client = connect(`${url}/connect`, { WebSocket, name });
    }

    async enter() {
        this.room = await this.client.join(this.roomName);
        this.from = this.room.position.offset;
        this.room.on('message', (message) => this.heard.push(message));
        for (const type of ['gap', 'epoch', 'reset', 'kicked']) {
            this.room.on(type, (event) => this.notices.push({ type, ...event }));
        }
    }

    async talk(random, goesOn) {
        for (let said = 1; goesOn(); said++) {
            const id = `${this.name}-${said}`;
            this.#open.push(this.room.publish({ id }).then(({ offset }) => this.acked.set(id, offset)));
            await elapse(random.between(20, 300));
        }
        await Promise.all(this.#open);
    }

    /** What it has to have heard, by what all were acked, in the order of the log. @param {Talker[]} all */
    due(all) {
        const others = all.filter((one) => one !== this && one.roomName === this.roomName);
        const messages = others.flatMap(({ acked }) => [...acked]).filter(([, offset]) => offset > this.from);
        return messages.sort(([, left], [, right]) => left - right).map(([id]) => id);
    }
}

test('a_rolling_restart_loses_nothing_for_the_javascript_client', { concurrency: true }, async (t) => {
    const random = new Random(seedFrom('ACCOUNTING_SEED'));
    const redis = await startRedis(t);
    const args = ['--redis', redis.url, '--drain', '2'];
    const gateways = await Promise.all([0, 1, 2].map(() => startGateway(t, { args })));
    const { url } = await startHaproxy(t, gateways);
    const people = Array.from({ length: PEOPLE }, (_, i) => new Talker(`p${i}`, `hall${i % ROOMS}`, url));
    onEnd(t, () => people.forEach((one) => one.client.close()));
    await Promise.all(people.map((one) => one.enter()));

    let goesOn = true;
    onEnd(t, () => (goesOn = false));
    const talks = Promise.all(people.map((one) => one.talk(random, () => goesOn)));
    for (const gateway of gateways) {
        assert.deepEqual(await gateway.stop('SIGTERM', 30), { code: 0, signal: null });
        const { port, adminPort } = gateway;
        await startGateway(t, { args, listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${adminPort}` });
        await elapse(NOTICED_MS);
    }
    goesOn = false;
    await within('all acks', talks, 30);

    for (const one of people) {
        const due = one.due(people);
        await waitUntil(`${one.name} to hear all`, () => one.heard.length >= due.length);
        assert.deepEqual(one.heard.map(({ data }) => data.id), due, `${one.name} hears each once, in order`);
        assert.deepEqual(one.notices, []);
        assert.equal(one.room.members.size, PEOPLE / ROOMS, `${one.name} sees who is there`);
    }
    t.diagnostic(`${people.reduce((sum, { acked }) => sum + acked.size, 0)} messages`);
});
