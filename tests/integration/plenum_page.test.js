/**
 * plenum_page.test.js -- the protocol's page is right: its examples are said to a running gateway, which answers as it says.
 *
 * Ada says what stands behind `>`; `<` is what she gets, or, in a block for the others, what Ben gets who is in the room as
 * well. Ids, epochs and times of the page stand for any.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { onEnd } from '../support/cleanup.js';
import { startGateway } from '../support/gateway.js';
import { connectPlenum } from '../support/plenum_client.js';
import { startRedis } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';

const page = readFileSync(new URL('../../gateway/protocol/plenum.md', import.meta.url), 'utf8');

/** The page's examples in their order: who hears, what Ada says, what is answered. */
const examples = [...page.matchAll(/^```plenum(-other)?\n([^]*?)^```$/gm)].map(([, other, block]) => ({
    listener: other ? 'ben' : 'ada',
    steps: block
        .trim()
        .split('\n')
        .map((line) => ({ says: line[0] === '>', text: line.slice(2) })),
}));

/** What the page's own values stand for. */
const ANY = {
    'an id': /^[0-9a-f]{16}$/,
    'a gateway': /^[0-9a-f]{8}$/,
    'an epoch': /^[0-9a-f]{16}$/,
};

/** Like the example, but for what is another each time. */
function assertLike(actual, example, where = '') {
    if (typeof example === 'string' && example.startsWith('0a1b2c3d')) {
        assert.match(actual, example.length === 16 ? ANY['an id'] : ANY['a gateway'], where);
    } else if (where.endsWith('.epoch')) {
        assert.match(actual, ANY['an epoch'], where);
    } else if (typeof example === 'number' && example >= 1.6e12) {
        assert.ok(Math.abs(actual - Date.now()) < 60_000, `${where}: ${actual} is a time`);
    } else if (typeof example === 'object' && example !== null) {
        assert.equal(Array.isArray(actual), Array.isArray(example), where);
        assert.deepEqual(Object.keys(actual), Object.keys(example), `the fields of ${where || 'it'}, in their order`);
        for (const key of Object.keys(example)) assertLike(actual[key], example[key], `${where}.${key}`);
    } else {
        assert.deepEqual(actual, example, where);
    }
}

async function connectAda(t, gateway) {
    const socket = new WebSocket(`${gateway.url}/connect`, 'plenum.v1');
    onEnd(t, () => socket.terminate());
    const frames = [];
    socket.on('message', (data) => frames.push(JSON.parse(data.toString())));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    return { say: (text) => socket.send(text), frames };
}

/** Goes through the page on a gateway. Ben comes once Ada is in, and goes when she leaves: the page has her leave early. */
async function goThrough(t, gateway) {
    const ada = await connectAda(t, gateway);
    const ben = await connectPlenum(t, gateway, { hello: { name: 'Ben' } });
    const read = { ada: 0, ben: 0 };
    const frames = { ada: ada.frames, ben: ben.frames };
    const next = (who, type) =>
        waitUntil(`${type} for ${who}`, () => {
            while (read[who] < frames[who].length) {
                const frame = frames[who][read[who]++];
                if (frame.type === type) return frame;
            }
            return undefined;
        });
    let lines = 0;
    for (const { listener, steps } of examples) {
        for (const { says, text } of steps) {
            lines++;
            if (says) ada.say(text.replace('0a1b2c3d00000002', ben.member));
            else assertLike(await next(listener, JSON.parse(text).type), JSON.parse(text));
        }
        const last = steps.at(-1).text;
        if (JSON.parse(last).type === 'joined') await ben.joined('lobby');
        if (JSON.parse(last).type === 'left') {
            // The examples after it take up in the room as it was.
            ada.say('{"type":"join","id":100,"room":"lobby","info":{"color":"red"}}');
            await next('ada', 'joined');
        }
    }
    return lines;
}

describe('the page of plenum.v1', () => {
    test('its_examples_are_what_a_gateway_alone_says', async (t) => {
        const lines = await goThrough(t, await startGateway(t));
        assert.ok(lines >= 22, `${lines} lines`);
    });

    test('its_examples_are_what_a_gateway_with_redis_says', async (t) => {
        const redis = await startRedis(t);
        await goThrough(t, await startGateway(t, { args: ['--redis', redis.url] }));
    });

    test('it_has_an_example_of_each_request', () => {
        const said = examples.flatMap(({ steps }) => steps.filter(({ says }) => says).map(({ text }) => JSON.parse(text).type));
        for (const type of ['hello', 'join', 'leave', 'publish', 'history', 'signal', 'update', 'ping', 'auth']) {
            assert.ok(said.includes(type), type);
        }
    });
});
