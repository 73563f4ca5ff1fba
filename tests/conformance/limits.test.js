/**
 * limits.test.js -- the largest message, 262,144 bytes by default: one byte more is 1009 (RFC 6455 7.4.1, 10.4).
 */
import { BINARY, RSV1, TEXT, binary, continuation, fragments, frame, opcodeName, ping, text } from './support/frame.js';
import { heardPong } from './support/client.js';
import { deflateMessage } from './support/deflate.js';
import { letters, noise } from './support/payloads.js';
import { chop, echoOf, group } from './support/suite.js';

const LIMIT = 262144;

group('messages of the largest size', (cases) => {
    for (const opcode of [TEXT, BINARY]) {
        const kind = opcodeName(opcode);
        const payload = opcode === TEXT ? letters(LIMIT) : noise(LIMIT);
        cases.answers(`${kind} of exactly the limit comes back`, frame(opcode, payload), [echoOf(opcode, payload)]);
        for (const size of [1024, 4096, 65535, 65536, 131072, LIMIT - 1]) {
            cases.answers(
                `${kind} of the limit in fragments of ${size} bytes comes back`,
                Buffer.concat(fragments(opcode, chop(payload, size))),
                [echoOf(opcode, payload)],
            );
        }
        cases.answers(
            `${kind} of the limit with empty fragments around it comes back`,
            Buffer.concat(fragments(opcode, ['', payload, '', ''])),
            [echoOf(opcode, payload)],
        );
        cases.answers(
            `${kind} of the limit, then a small one, then the limit again`,
            Buffer.concat([frame(opcode, payload), frame(opcode, 'small'), frame(opcode, payload)]),
            [echoOf(opcode, payload), echoOf(opcode, 'small'), echoOf(opcode, payload)],
        );
    }
});

group('messages that are too big', (cases) => {
    const ANNOUNCED = [
        [64, BigInt(LIMIT) + 1n],
        [64, BigInt(LIMIT) * 2n],
        [64, 1n << 24n],
        [64, (1n << 31n) - 1n],
        [64, 1n << 31n],
        [64, (1n << 32n) - 1n],
        [64, 1n << 32n],
        [64, (1n << 32n) + 5n],
        [64, 1n << 53n],
        [64, 1n << 62n],
        [64, (1n << 63n) - 1n],
    ];
    for (const opcode of [TEXT, BINARY]) {
        const kind = opcodeName(opcode);
        for (const [lengthBits, announce] of ANNOUNCED) {
            const name = `a ${kind} head that announces ${announce} bytes fails`;
            cases.fails(`${name} without any payload`, frame(opcode, '', { lengthBits, announce }), [1009]);
            cases.fails(
                `${name} as the first of several fragments`,
                frame(opcode, '', { lengthBits, announce, fin: false }),
                [1009],
            );
            cases.fails(
                `${name} as a continuation`,
                Buffer.concat([frame(opcode, 'begun', { fin: false }), continuation('', { lengthBits, announce })]),
                [1009],
            );
        }
        cases.fails(`${kind} of one byte too many`, frame(opcode, letters(LIMIT + 1)), [1009]);
        cases.fails(`${kind} of twice the limit`, frame(opcode, letters(2 * LIMIT)), [1009]);
        for (const size of [1000, 4096, 65536, 131072, LIMIT]) {
            cases.fails(
                `${kind} of one byte too many, in fragments of ${size} bytes`,
                Buffer.concat(fragments(opcode, chop(letters(LIMIT + 1), size))),
                [1009],
            );
        }
        cases.fails(
            `${kind}: the sum of what came and what a continuation announces counts`,
            Buffer.concat([
                frame(opcode, letters(200_000), { fin: false }),
                continuation('', { lengthBits: 16, announce: 62_145 }),
            ]),
            [1009],
        );
        cases.fails(
            `${kind}: one byte past the limit in a continuation of its own`,
            Buffer.concat([frame(opcode, letters(LIMIT), { fin: false }), continuation('x')]),
            [1009],
        );
        cases.fails(
            `${kind}: endless fragments with pings between them end at the limit`,
            Buffer.concat([
                frame(opcode, letters(60_000), { fin: false }),
                ...Array.from({ length: 4 }, () => [ping('p'), continuation(letters(60_000), { fin: false })]).flat(),
            ]),
            [1009],
            { may: (event) => event.kind === 'pong' },
        );
    }

    cases.onSocket('a good message before the one that is too big still counts', async (client) => {
        client.send(text('good'));
        await client.expect(echoOf(TEXT, 'good'));
        client.send(binary('', { lengthBits: 64, announce: 1n << 40n }));
        await client.expectFailure([1009]);
    });
    cases.onSocket('the limit is per message: ten of 200,000 bytes pass', async (client) => {
        for (let i = 0; i < 10; i++) {
            const payload = noise(200_000, i);
            client.send(binary(payload));
            await client.expect(echoOf(BINARY, payload));
        }
        await client.closeCleanly();
    });
    cases.onSocket('the limit is not for pings between fragments: they do not add to the message', async (client) => {
        const half = letters(LIMIT / 2);
        client.send(text(half, { fin: false }), ping(letters(125)), ping(letters(125)), continuation(half));
        const pong = heardPong(letters(125));
        await client.expect(pong, pong, echoOf(TEXT, Buffer.concat([half, half])));
        await client.closeCleanly();
    });
});

const SMALL = 1000;

group(
    'a limit of 1,000 bytes',
    (cases) => {
        for (const opcode of [TEXT, BINARY]) {
            const kind = opcodeName(opcode);
            const [fits, not] = [letters(SMALL), letters(SMALL + 1)];
            cases.answers(`${kind} of the limit`, frame(opcode, fits), [echoOf(opcode, fits)]);
            cases.answers(
                `${kind} of the limit, compressed`,
                frame(opcode, deflateMessage(fits), { rsv: RSV1 }),
                [echoOf(opcode, fits)],
                { extensions: 'permessage-deflate' },
            );
            cases.fails(`${kind} of a byte more`, frame(opcode, not), [1009]);
            cases.fails(
                `${kind} of a byte more, in fragments`,
                Buffer.concat(fragments(opcode, chop(not, 100))),
                [1009],
            );
            cases.fails(`${kind} of a byte more, announced`, frame(opcode, '', { announce: SMALL + 1 }), [1009]);
            for (const length of [SMALL + 1, 100_000]) {
                cases.fails(
                    `${kind}: compressed zeros that inflate to ${length} bytes`,
                    frame(opcode, deflateMessage(Buffer.alloc(length)), { rsv: RSV1 }),
                    [1009],
                    { extensions: 'permessage-deflate' },
                );
            }
        }
        const control = ping(letters(125));
        cases.answers('a ping has a limit of its own', control, [heardPong(letters(125))]);
    },
    { args: ['--max-message', `${SMALL}`], ownGateway: true },
);
