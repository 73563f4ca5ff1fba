/**
 * control_frames.test.js -- pings, pongs and what a control frame must be (RFC 6455 section 5.5).
 */
import { heardPong, heardText } from './support/client.js';
import {
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    closeBody,
    continuation,
    frame,
    opcodeName,
    ping,
    pong,
    text,
} from './support/frame.js';
import { letters, noise } from './support/payloads.js';
import { group } from './support/suite.js';

const CONTROL = [PING, PONG, CLOSE];
const bodyOf = (opcode, length) =>
    opcode === CLOSE && length >= 2 ? closeBody(1000, letters(length - 2)) : letters(length);

group('pings', (cases) => {
    for (const length of [
        0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 120, 121, 122, 123, 124, 125,
    ]) {
        const payload = noise(length);
        cases.answers(`a ping of ${length} bytes is answered with the same bytes`, ping(payload), [heardPong(payload)]);
    }
    cases.answers('a ping of bytes that are not UTF-8', ping(Buffer.from('00fffefdfcfb00ff', 'hex')), [
        heardPong(Buffer.from('00fffefdfcfb00ff', 'hex')),
    ]);
    for (const count of [2, 3, 10, 50, 200]) {
        const payloads = Array.from({ length: count }, (_, i) => `ping ${i}`);
        cases.answers(
            `${count} pings in one segment are all answered, in order`,
            Buffer.concat(payloads.map((payload) => ping(payload))),
            payloads.map((payload) => heardPong(payload)),
        );
    }
    cases.onSocket('50 pings, each sent when the last is answered', async (client) => {
        for (let i = 0; i < 50; i++) {
            client.send(ping(`${i}`));
            await client.expect(heardPong(`${i}`));
        }
        await client.closeCleanly();
    });
    cases.onSocket('pings and messages in one segment are all answered', async (client) => {
        client.send(ping('1'), text('a'), ping('2'), text('b'), ping('3'));
        await client.expectInterleaved(heardPong('1'), heardText('a'), heardPong('2'), heardText('b'), heardPong('3'));
        await client.closeCleanly();
    });
    cases.onSocket('a ping has the form of a text message and is none: no echo', async (client) => {
        client.send(ping('hello'));
        await client.expect(heardPong('hello'));
        await client.expectSilence();
        await client.closeCleanly();
    });
});

group('pongs', (cases) => {
    for (const length of [0, 1, 4, 64, 124, 125]) {
        cases.onSocket(`an unsolicited pong of ${length} bytes is ignored`, async (client) => {
            client.send(pong(noise(length)));
            await client.expectSilence();
            await client.closeCleanly();
        });
        cases.answers(
            `a pong of ${length} bytes before a ping: only the ping is answered`,
            Buffer.concat([pong(noise(length)), ping('real')]),
            [heardPong('real')],
        );
    }
    cases.onSocket('100 unsolicited pongs in one segment are ignored', async (client) => {
        client.send(...Array.from({ length: 100 }, (_, i) => pong(`${i}`)));
        await client.expectSilence();
        await client.closeCleanly();
    });
    cases.answers(
        'a pong between fragments is ignored',
        Buffer.concat([text('one ', { fin: false }), pong('x'), continuation('two')]),
        [heardText('one two')],
    );
});

group('control frames that are too long', (cases) => {
    for (const opcode of CONTROL) {
        for (const length of [126, 127, 128, 200, 1000, 65535, 65536]) {
            cases.fails(
                `a ${opcodeName(opcode)} of ${length} bytes is a protocol error`,
                frame(opcode, bodyOf(opcode, length)),
                [1002],
            );
        }
        for (const [lengthBits, announce] of [
            [16, 126],
            [16, 65535],
            [64, 65536],
            [64, 1n << 62n],
        ]) {
            cases.fails(
                `a ${opcodeName(opcode)} head that announces ${announce} bytes fails before the payload comes`,
                frame(opcode, '', { lengthBits, announce }),
                [1002],
            );
        }
        cases.fails(
            `a ${opcodeName(opcode)} of 126 bytes between fragments is a protocol error`,
            Buffer.concat([text('begun', { fin: false }), frame(opcode, bodyOf(opcode, 126)), continuation('done')]),
            [1002],
        );
    }
});

group('control frames that are fragmented', (cases) => {
    for (const opcode of CONTROL) {
        const kind = opcodeName(opcode);
        for (const length of [0, 2, 5, 125]) {
            cases.fails(
                `a ${kind} of ${length} bytes without FIN is a protocol error`,
                frame(opcode, bodyOf(opcode, length), { fin: false }),
                [1002],
            );
        }
        cases.fails(
            `a ${kind} in two fragments is a protocol error`,
            Buffer.concat([frame(opcode, bodyOf(opcode, 4), { fin: false }), continuation('more')]),
            [1002],
        );
        for (const message of [TEXT, BINARY]) {
            cases.fails(
                `a ${kind} without FIN inside a fragmented ${opcodeName(message)} is a protocol error`,
                Buffer.concat([
                    frame(message, 'begun', { fin: false }),
                    frame(opcode, bodyOf(opcode, 4), { fin: false }),
                    continuation('done'),
                ]),
                [1002],
            );
        }
        cases.fails(
            `a ${kind} without FIN after a good message`,
            Buffer.concat([text('good'), frame(opcode, bodyOf(opcode, 2), { fin: false }), ping()]),
            [1002],
            { may: (event) => event.kind === 'text' },
        );
    }
});
