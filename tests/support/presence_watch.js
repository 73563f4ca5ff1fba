/**
 * presence_watch.js -- what a member is told of the coming and going of others, and whether gateways have looked since.
 */
import { connectPlenum } from './plenum_client.js';
import { waitUntil } from './wait.js';

/**
 * Somebody in a room who counts.
 * @param {import('node:test').TestContext} t
 * @param {{url: string}} gateway
 * @param {string} room
 */
export async function watchRoom(t, gateway, room) {
    const client = await connectPlenum(t, gateway);
    const joined = await client.joined(room);
    return new Watcher(client, room, joined);
}

export class Watcher {
    /** @param {import('./plenum_client.js').PlenumClient} client @param {string} room @param {Record<string, any>} joined */
    constructor(client, room, joined) {
        this.client = client;
        this.room = room;
        this.joined = joined;
    }

    /** The members that it knows of, by all that it was told. @returns {Set<string>} */
    get members() {
        const members = new Set(this.joined.members.map(({ member }) => member));
        for (const { type, room, member } of this.client.frames) {
            if (room !== this.room) continue;
            if (type === 'member_joined') members.add(member);
            if (type === 'member_left') members.delete(member);
        }
        return members;
    }

    /** The notices of those who left so far. */
    get departures() {
        return this.client.all('member_left').filter(({ room }) => room === this.room);
    }
}

/**
 * Waits until all these gateways have beaten twice more, by the clock of Redis: each looks for dead ones with every beat, so
 * whoever is going to be given up, or told of a second time, has been by then.
 * @param {import('./redis.js').Redis} redis
 * @param {number} gateways
 */
export async function untilTheyLookedAround(redis, gateways) {
    const beats = async () => Object.entries(await redis.cliFields('ZRANGE', 'plenum:gws', 0, -1, 'WITHSCORES'));
    const now = async () => Number((await redis.cliLines('TIME'))[0]) * 1000;
    for (let round = 0; round < 2; round++) {
        const since = (await now()) + 1000;
        await waitUntil(
            'the living gateways to beat',
            async () => (await beats()).filter(([, beat]) => Number(beat) >= since).length >= gateways,
            { seconds: 30 },
        );
    }
}
