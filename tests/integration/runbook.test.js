/**
 * runbook.test.js -- deploy/redis-runbook.md holds: every command in it is run by a real redis-cli against a real cluster,
 * prints what the page says, and has the effect on the clients that the page promises.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { connect } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { mismatch, Shell, stepsOf } from '../support/page_steps.js';
import { connectPlenum } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';

const PAGE = new URL('../../deploy/redis-runbook.md', import.meta.url);

/** The cluster that the page's head describes. */
async function startCluster(t) {
    const redis = await startRedis(t);
    const args = ['--redis', redis.url, '--room-linger', '1'];
    const gateways = [await startGateway(t, { args, workers: 1 }), await startGateway(t, { args, workers: 1 })];
    const enter = async (gateway, name, ...rooms) => {
        const client = await connectPlenum(t, gateway, { hello: { name } });
        for (const room of rooms) await client.joined(room);
        return client;
    };
    const ada = await enter(gateways[0], 'Ada', 'lobby');
    const ben = await enter(gateways[1], 'Ben', 'lobby');
    const cleo = await enter(gateways[0], 'Cleo', 'lobby', 'kitchen');
    const relay = await connect(t, `${gateways[1].url}/rooms/lobby`);
    await ada.published('lobby', { text: 'hello' });
    relay.send('hello from a relay client');
    await ada.waitFor('message', (frame) => frame.offset === 2);
    const sees = async () => {
        const reports = await Promise.all(gateways.map((_, i) => redis.cli('HGET', `plenum:gw:${[ada, ben][i].welcome.gateway}`, 'members')));
        return reports[0] === '3' && reports[1] === '2';
    };
    await waitUntil('the reports to tell of everybody', sees);
    return { t, redis, gateways, ada, ben, cleo, relay };
}

/** Somebody new tries to join the lobby; the code of the refusal, or null. */
async function refusedAt({ t, gateways }, name) {
    const client = await connectPlenum(t, gateways[1], { hello: { name } });
    const reply = await within('the reply to join', client.request('join', { room: 'lobby' }));
    await client.close();
    return reply.type === 'error' ? reply.code : null;
}

/** Ben joins again, on the connection that he still has or a new one. */
async function benReturns(world) {
    if (world.ben.isOpen) await world.ben.close();
    world.ben = await connectPlenum(world.t, world.gateways[1], { hello: { name: 'Ben' } });
    await world.ben.joined('lobby');
}

/** What the clients must notice, by the page's sections; those that only look have none. */
const EFFECTS = {
    Speak: async ({ ada, ben, relay }) => {
        for (const client of [ada, ben]) {
            const frame = await client.waitFor('message', ({ data }) => data === 'restart in 5 min');
            assert.deepEqual([frame.from, frame.offset], ['admin', 0]);
        }
        await relay.waitFor('restart in 5 min');
    },
    Mute: async ({ ada }) => {
        await ada.waitFor('member_updated', ({ name, muted }) => name === 'Ben' && muted === true);
        await ada.waitFor('member_updated', ({ name, muted }) => name === 'Ben' && !muted);
    },
    Kick: async ({ cleo }) => {
        const { room, reason } = await cleo.waitFor('kicked');
        assert.deepEqual([room, reason], ['kitchen', 'kicked']);
    },
    Ban: async (world) => {
        const { room, reason } = await world.ben.waitFor('kicked');
        assert.deepEqual([room, reason], ['lobby', 'banned']);
        await waitUntil('the unban to be known', async () => (await refusedAt(world, 'Ben')) === null);
        await benReturns(world);
    },
    Lock: async (world) => {
        assert.equal(await refusedAt(world, 'Dora'), 'locked');
        assert.deepEqual(world.ada.all('kicked'), []);
    },
    Unlock: async (world) => assert.equal(await refusedAt(world, 'Dora'), null),
    'End a meeting': async ({ ada, ben, cleo, relay }) => {
        for (const client of [ada, ben, cleo]) {
            assert.equal((await client.waitFor('kicked', ({ room }) => room === 'lobby')).reason, 'ended');
        }
        assert.equal((await within('the relay client to be closed', relay.closed)).code, 4403);
    },
    'Drain a gateway': async ({ ada, gateways }) => {
        assert.equal((await within('Ada to be sent away', ada.closed, 10)).code, 1012);
        assert.deepEqual(await within('the gateway to end', gateways[0].exited, 15), { code: 0, signal: null });
        gateways[0].signal('SIGTERM'); // it was told to end: only its harness does not know yet
    },
};

/** What somebody has to do while a command of that section watches. */
const MEANWHILE = {
    'Watch a room': async ({ ada }) => ada.published('lobby', { text: 'is anybody there?' }),
};

test('the_runbook_holds', async (t) => {
    const world = await startCluster(t);
    const { redis } = world;
    const wrapper = path.join(redis.folder, 'redis-cli');
    // The page's commands have no port: the first redis-cli on the PATH adds it for the real one.
    const script = `#!/bin/sh\nPATH='${process.env.PATH}'\nexec redis-cli -p ${redis.port} "$@"\n`;
    await writeFile(wrapper, script, { mode: 0o755 });
    const shell = new Shell(t, { ...process.env, PATH: `${redis.folder}:${process.env.PATH}` });
    const acks = await redis.watch('plenum:ctl:ack');
    let acksSeen = 0;

    const steps = await stepsOf(PAGE);
    const effects = new Map(Object.entries(EFFECTS));
    for (const [i, step] of steps.entries()) {
        const { section, command, expected, flags } = step;
        if (step.kind === 'answers') {
            const fresh = () => acks.payloads().slice(acksSeen);
            await waitUntil(`the answers in "${section}"`, () => fresh().length >= expected.length);
            assert.equal(mismatch(fresh(), expected, true), null, section);
            acksSeen = acks.payloads().length;
        } else if (flags.includes('watch')) {
            const lines = await shell.watch(command, path.join(redis.folder, `watch-${i}`));
            await waitUntil(`${command} to watch`, async () => (await lines()).length >= 3);
            await MEANWHILE[section]?.(world);
            await waitUntil(`${command} to show it`, async () => mismatch(await lines(), expected, false) === null).catch(
                async (error) => assert.fail(`${error.message}\n${mismatch(await lines(), expected, false)}`),
            );
        } else {
            assert.equal(mismatch(await shell.run(command), expected, flags.includes('unordered')), null, `${section}: ${command}`);
        }
        if (steps[i + 1]?.section === section) continue;
        await effects.get(section)?.(world);
        effects.delete(section);
    }
    assert.deepEqual([...effects.keys()], [], 'each effect belongs to a section');
    for (const client of [world.ada, world.ben, world.cleo]) assert.deepEqual(client.faults, []);
});
