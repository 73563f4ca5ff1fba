/**
 * relay_promises.js -- what the relay promises on every bus and with every number of workers, as tests.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { connect, connectMany } from './client.js';
import { scaled } from './scale.js';

/** Where a length of a frame changes its encoding, and around it. */
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 200_000];

/**
 * Declares the tests.
 * @param {string} where stands in the suite's name
 * @param {(t: import('node:test').TestContext) => Promise<{here: string, there: string}>} start
 *   starts what is tested and gives the ws:// addresses of two ways in
 */
export function relayPromises(where, start) {
    describe(`the relay, ${where}`, () => {
        test('text_of_every_size_arrives_byte_for_byte_in_order_at_all_others', async (t) => {
            const texts = SIZES.map((size) => textOfBytes(size));
            await everyoneHears(t, await start(t), texts);
        });

        test('binary_of_every_size_arrives_byte_for_byte_in_order_at_all_others', async (t) => {
            await everyoneHears(t, await start(t), SIZES.map((size) => randomBytes(size)));
        });

        test('another_room_hears_nothing', async (t) => {
            const { here, there } = await start(t);
            const sender = await connect(t, `${here}/rooms/one`);
            const neighbour = await connect(t, `${there}/rooms/one`);
            const strangers = [await connect(t, `${here}/rooms/two`), await connect(t, `${there}/rooms/On.e`)];
            sender.send('for room one');
            await neighbour.waitFor('for room one');
            // A stranger's own room is in order, and its first message is the first thing that it hears.
            for (const [stranger, room] of [
                [strangers[0], 'two'],
                [strangers[1], 'On.e'],
            ]) {
                const speaker = await connect(t, `${here}/rooms/${room}`);
                speaker.send(`for room ${room}`);
                assert.equal((await stranger.next()).data, `for room ${room}`);
            }
            assert.deepEqual(neighbour.heard, ['for room one']);
        });

        test('echo_gives_the_sender_its_own_messages_in_order_with_those_of_others', async (t) => {
            const { here, there } = await start(t);
            const echoed = await connect(t, `${here}/rooms/mirror?echo=1`);
            const other = await connect(t, `${there}/rooms/mirror`);
            for (let i = 0; i < 10; i++) echoed.send(`mine ${i}`);
            await other.waitForCount(10);
            other.send('yours');
            await echoed.waitForCount(11);
            const mine = Array.from({ length: 10 }, (_, i) => `mine ${i}`);
            assert.deepEqual(echoed.heard, [...mine, 'yours']);
            assert.deepEqual(other.heard, mine);
        });

        test('the_root_is_the_lobby', async (t) => {
            const { here, there } = await start(t);
            const root = await connect(t, here);
            const lobby = await connect(t, `${there}/rooms/lobby`);
            root.send('from the root');
            assert.equal((await lobby.next()).data, 'from the root');
            lobby.send('from the lobby');
            assert.equal((await root.next()).data, 'from the lobby');
        });

        test('a_burst_at_full_speed_loses_nothing', async (t) => {
            const { here, there } = await start(t);
            const count = scaled(20_000, 5_000);
            const listeners = [
                await connect(t, `${here}/rooms/burst`),
                await connect(t, `${there}/rooms/burst`),
                await connect(t, `${there}/rooms/burst?echo=1`),
            ];
            const sender = await connect(t, `${here}/rooms/burst`);
            const begun = Date.now();
            for (let i = 0; i < count; i++) sender.send(`${i} ${'.'.repeat(i % 200)}`);
            for (const listener of listeners) {
                await listener.waitForCount(count, 40);
                listener.heard.forEach((text, i) => assert.equal(text, `${i} ${'.'.repeat(i % 200)}`));
            }
            t.diagnostic(`${count} messages to 3 listeners in ${Date.now() - begun} ms`);
            assert.equal(sender.messages.length, 0);
        });

        test('several_senders_are_heard_in_one_order_by_all', async (t) => {
            const { here, there } = await start(t);
            const each = scaled(500, 200);
            const listeners = await connectMany(t, 4, (i) => `${i % 2 ? here : there}/rooms/order`);
            const senders = await connectMany(t, 4, (i) => `${i % 2 ? here : there}/rooms/order?echo=1`);
            for (let i = 0; i < each; i++) senders.forEach((sender, who) => sender.send(`${who}:${i}`));
            const all = [...listeners, ...senders];
            for (const one of all) await one.waitForCount(4 * each, 30);
            for (const one of all) assert.deepEqual(one.heard, all[0].heard);
            for (const who of [0, 1, 2, 3]) {
                const own = all[0].heard.filter((text) => text.startsWith(`${who}:`));
                assert.deepEqual(own, Array.from({ length: each }, (_, i) => `${who}:${i}`));
            }
        });

        test('deflate_at_some_and_not_at_others_makes_no_difference', async (t) => {
            const { here, there } = await start(t);
            const deflated = await connectMany(t, 4, (i) => `${i % 2 ? here : there}/rooms/mixed`, { deflate: true });
            const plain = await connectMany(t, 4, (i) => `${i % 2 ? here : there}/rooms/mixed`);
            assert.ok(deflated.every((client) => client.deflates), 'permessage-deflate is accepted');
            assert.ok(!plain.some((client) => client.deflates));
            const all = [...deflated, ...plain];
            const said = [];
            for (const [who, size] of [0, 10, 255, 256, 5_000, 70_000, 200_000].entries()) {
                const text = 'Plenum says it again. '.repeat(size).slice(0, size);
                const bytes = randomBytes(size);
                for (const data of [text, bytes]) {
                    const sender = all[(who * 3 + said.length) % all.length];
                    sender.send(data);
                    said.push({ sender, data });
                    // One at a time, so that the order is known although the senders differ.
                    for (const one of all) {
                        const expected = said.filter((message) => message.sender !== one).length;
                        await one.waitForCount(expected);
                    }
                }
            }
            for (const one of all) {
                assert.deepEqual(one.heard, said.filter((message) => message.sender !== one).map(({ data }) => data));
            }
        });
    });
}

/**
 * A sender on each way in says all of it, one after the other; two listeners on each hear it twice, each sender only the
 * other's.
 */
async function everyoneHears(t, { here, there }, payloads) {
    const listeners = await connectMany(t, 4, (i) => `${i % 2 ? here : there}/rooms/all`);
    const senders = [await connect(t, `${here}/rooms/all`), await connect(t, `${there}/rooms/all`)];
    const heardBy = (client, count) => client.waitForCount(count * payloads.length);

    for (const payload of payloads) senders[0].send(payload);
    for (const listener of [...listeners, senders[1]]) await heardBy(listener, 1);
    for (const payload of payloads) senders[1].send(payload);
    for (const listener of listeners) await heardBy(listener, 2);
    await heardBy(senders[0], 1);

    const once = payloads.map((data) => ({ data, binary: Buffer.isBuffer(data) }));
    for (const listener of listeners) assert.deepEqual(listener.messages, [...once, ...once]);
    for (const sender of senders) assert.deepEqual(sender.messages, once);
}

/** Text with characters of one to four bytes that is exactly so many bytes long. */
function textOfBytes(size) {
    const pattern = 'aä€😀'; // 1 + 2 + 3 + 4 bytes
    const whole = Math.floor(size / 10);
    return pattern.repeat(whole) + 'x'.repeat(size - 10 * whole);
}
