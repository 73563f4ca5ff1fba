/**
 * deflate_payloads.test.js -- compressed messages in both directions (RFC 7692 sections 6 and 7.2; RFC 1951).
 */
import assert from 'node:assert/strict';
import { constants, deflateRawSync } from 'node:zlib';
import { heardPong } from './support/client.js';
import { BitWriter, deflateFinal, deflateMessage } from './support/deflate.js';
import { BINARY, RSV1, TEXT, binary, continuation, fragments, frame, opcodeName, ping, text } from './support/frame.js';
import { letters, noise, prose, records } from './support/payloads.js';
import { chop, echoOf, group } from './support/suite.js';

const LIMIT = 262144;
const deflate = { extensions: 'permessage-deflate; client_max_window_bits' };
const KINDS = {
    letters: [TEXT, letters],
    prose: [TEXT, prose],
    records: [TEXT, records],
    noise: [BINARY, noise],
    zeros: [BINARY, (length) => Buffer.alloc(length)],
};
const compressed = (opcode, bytes, options) => frame(opcode, deflateMessage(bytes, options), { rsv: RSV1 });

group('compressed messages', (cases) => {
    for (const [kind, [opcode, make]] of Object.entries(KINDS)) {
        for (const length of [
            0,
            1,
            5,
            16,
            64,
            125,
            126,
            255,
            256,
            257,
            1024,
            4096,
            8192,
            32768,
            65535,
            65536,
            131072,
            LIMIT,
        ]) {
            const bytes = make(length);
            cases.answers(
                `${bytes.length} bytes of ${kind} come back`,
                compressed(opcode, bytes),
                [echoOf(opcode, bytes)],
                deflate,
            );
        }
        for (const length of [0, 125, 256, 4096, 70_000]) {
            const bytes = make(length);
            cases.answers(
                `${bytes.length} bytes of ${kind}, not compressed though we might, come back`,
                frame(opcode, bytes),
                [echoOf(opcode, bytes)],
                deflate,
            );
        }
        for (const size of [1, 16, 256, 1000, 4096]) {
            const bytes = make(8192);
            cases.answers(
                `8 KiB of ${kind} in fragments of ${size} bytes, RSV1 on the first only`,
                Buffer.concat(fragments(opcode, chop(deflateMessage(bytes), size), { rsv: RSV1 })),
                [echoOf(opcode, bytes)],
                deflate,
            );
        }
    }
    for (const level of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
        for (const kind of ['prose', 'noise']) {
            const [opcode, make] = KINDS[kind];
            const bytes = make(20_000);
            cases.answers(
                `${kind} at level ${level}`,
                compressed(opcode, bytes, { level }),
                [echoOf(opcode, bytes)],
                deflate,
            );
        }
    }
    for (const windowBits of [9, 10, 11, 12, 13, 14, 15]) {
        for (const memLevel of [1, 5, 9]) {
            const bytes = records(50_000);
            cases.answers(
                `a window of ${windowBits} bits, memory level ${memLevel}`,
                compressed(TEXT, bytes, { windowBits, memLevel }),
                [echoOf(TEXT, bytes)],
                deflate,
            );
        }
    }
    for (const strategy of ['Z_FILTERED', 'Z_HUFFMAN_ONLY', 'Z_RLE', 'Z_FIXED']) {
        for (const kind of ['letters', 'records', 'zeros']) {
            const [opcode, make] = KINDS[kind];
            const bytes = make(10_000);
            cases.answers(
                `${kind} by strategy ${strategy}`,
                compressed(opcode, bytes, { strategy: constants[strategy] }),
                [echoOf(opcode, bytes)],
                deflate,
            );
        }
    }
    for (const size of [1, 2, 3, 7, 100]) {
        const bytes = prose(1000);
        cases.answers(
            `a compressed message in segments of ${size} bytes`,
            chop(compressed(TEXT, bytes), size),
            [echoOf(TEXT, bytes)],
            deflate,
        );
    }
});

group('blocks of every type', (cases) => {
    const comes = (name, payload, expected) => {
        cases.answers(name, text(payload, { rsv: RSV1 }), [echoOf(TEXT, expected)], deflate);
        if (payload.length > 1) {
            cases.answers(
                `${name}, in fragments of one octet`,
                Buffer.concat(fragments(TEXT, chop(payload, 1), { rsv: RSV1 })),
                [echoOf(TEXT, expected)],
                deflate,
            );
        }
    };
    const bits = () => new BitWriter();
    comes('RFC 7692 7.2.3.1: one block of fixed codes', Buffer.from('f248cdc9c90700', 'hex'), 'Hello');
    comes('RFC 7692 7.2.3.3: a block without compression', Buffer.from('000500faff48656c6c6f00', 'hex'), 'Hello');
    comes('RFC 7692 7.2.3.4: a block with BFINAL', Buffer.from('f348cdc9c9070000', 'hex'), 'Hello');
    comes(
        'RFC 7692 7.2.3.5: two blocks',
        Buffer.from('f2480500 0000ffff cac9c90700'.replaceAll(' ', ''), 'hex'),
        'Hello',
    );
    comes('RFC 7692 7.2.3.6: an empty message', Buffer.from('00', 'hex'), '');
    comes('an empty message as an empty block of fixed codes', bits().fixed().endOfBlock().message(), '');
    comes(
        'an empty message as several empty stored blocks',
        bits().stored(Buffer.alloc(0)).stored(Buffer.alloc(0)).message(),
        '',
    );
    comes('an empty message with BFINAL', deflateFinal(''), '');
    comes('a stored block', bits().stored(Buffer.from('stored')).message(), 'stored');
    comes(
        'stored blocks with empty ones around them',
        bits()
            .stored(Buffer.alloc(0))
            .stored(Buffer.from('a'))
            .stored(Buffer.alloc(0))
            .stored(Buffer.from('b'))
            .message(),
        'ab',
    );
    comes(
        'a stored block with BFINAL',
        bits().stored(Buffer.from('final'), { final: true }).octets([0]).bytes,
        'final',
    );
    comes(
        'fixed, stored, fixed',
        bits()
            .fixed()
            .literals('one ')
            .endOfBlock()
            .stored(Buffer.from('two '))
            .fixed()
            .literals('three')
            .endOfBlock()
            .message(),
        'one two three',
    );
    comes('a dynamic block', deflateMessage(prose(600), { level: 9 }), prose(600));
    comes(
        'dynamic blocks with a flush after each',
        Buffer.concat([deflateMessage(letters(300)), Buffer.from('0000ffff', 'hex'), deflateMessage(letters(400))]),
        Buffer.concat([letters(300), letters(400)]),
    );
    // symbol 258, distance 1: copy 4 bytes from 2 back
    comes(
        'a block that refers back to the block before',
        bits().fixed().literals('ab').endOfBlock().fixed().symbol(258).code(1, 5).endOfBlock().message(),
        'ababab',
    );
    // symbol 285, distance 0: copy 258 bytes from 1 back
    comes(
        'a copy that overlaps itself',
        bits().fixed().literals('x').symbol(285).code(0, 5).endOfBlock().message(),
        'x'.repeat(259),
    );
    comes('a final block of dynamic codes', deflateFinal(prose(600)), prose(600));
    cases.answers(
        'a stored block of 65,535 bytes',
        binary(bits().stored(noise(65535)).message(), { rsv: RSV1 }),
        [echoOf(BINARY, noise(65535))],
        deflate,
    );
    cases.onSocket(
        'a message that ends with BFINAL leaves the next one untouched',
        async (client) => {
            for (const payload of [
                deflateFinal('one'),
                deflateMessage('two'),
                deflateFinal('three'),
                deflateMessage(''),
            ]) {
                client.send(text(payload, { rsv: RSV1 }));
            }
            await client.expect(...['one', 'two', 'three', ''].map((message) => echoOf(TEXT, message)));
            await client.closeCleanly();
        },
        deflate,
    );
});

group('compressed messages among other frames', (cases) => {
    for (const opcode of [TEXT, BINARY]) {
        const kind = opcodeName(opcode);
        const bytes = prose(3000);
        const data = deflateMessage(bytes);
        const [first, second, third] = [data.subarray(0, 10), data.subarray(10, 700), data.subarray(700)];
        cases.answers(
            `${kind}: pings between compressed fragments`,
            Buffer.concat([
                frame(opcode, first, { rsv: RSV1, fin: false }),
                ping('1'),
                continuation(second, { fin: false }),
                ping('2'),
                continuation(third),
            ]),
            [heardPong('1'), heardPong('2'), echoOf(opcode, bytes)],
            deflate,
        );
        cases.answers(
            `${kind}: empty fragments around the data`,
            Buffer.concat(fragments(opcode, ['', first, '', second, third, ''], { rsv: RSV1 })),
            [echoOf(opcode, bytes)],
            deflate,
        );
        cases.answers(
            `${kind}: compressed and plain messages take turns`,
            Buffer.concat([
                compressed(opcode, bytes),
                frame(opcode, 'plain'),
                compressed(opcode, bytes),
                frame(opcode, ''),
            ]),
            [echoOf(opcode, bytes), echoOf(opcode, 'plain'), echoOf(opcode, bytes), echoOf(opcode, '')],
            deflate,
        );
        cases.answers(
            `${kind}: a plain message in fragments on a connection with deflate`,
            Buffer.concat(fragments(opcode, ['not ', 'com', 'pressed'])),
            [echoOf(opcode, 'not compressed')],
            deflate,
        );
        cases.fails(
            `${kind}: RSV1 on a continuation of a compressed message`,
            Buffer.concat([
                frame(opcode, first, { rsv: RSV1, fin: false }),
                continuation(data.subarray(10), { rsv: RSV1 }),
            ]),
            [1002],
            deflate,
        );
        cases.fails(
            `${kind}: RSV1 on a continuation of a plain message`,
            Buffer.concat([frame(opcode, 'plain', { fin: false }), continuation(data, { rsv: RSV1 })]),
            [1002],
            deflate,
        );
        cases.onSocket(
            `${kind}: 100 compressed messages in one write, each inflates on its own`,
            async (client) => {
                const messages = Array.from({ length: 100 }, (_, i) => prose(100 + 20 * i));
                client.send(...messages.map((message) => compressed(opcode, message)));
                await client.expect(...messages.map((message) => echoOf(opcode, message)));
                await client.closeCleanly();
            },
            deflate,
        );
    }
    cases.onSocket(
        'a compressible message of 64 KiB comes back compressed, in a frame with RSV1',
        async (client) => {
            client.send(text(records(65536)));
            const [echo] = await client.expect(echoOf(TEXT, records(65536)));
            assert.ok(echo.compressed, 'the echo came uncompressed');
            await client.closeCleanly();
        },
        deflate,
    );
    cases.onSocket(
        'the same message three times comes back three times: no window is kept',
        async (client) => {
            for (let i = 0; i < 3; i++) {
                client.send(compressed(TEXT, records(5000)));
                await client.expect(echoOf(TEXT, records(5000)));
            }
            await client.closeCleanly();
        },
        deflate,
    );
});

group('what a message inflates to is limited', (cases) => {
    const bomb = (length) => deflateMessage(Buffer.alloc(length), { level: 9 });
    for (const opcode of [TEXT, BINARY]) {
        const kind = opcodeName(opcode);
        cases.answers(
            `${kind}: zeros that inflate to exactly the limit`,
            frame(opcode, bomb(LIMIT), { rsv: RSV1 }),
            [echoOf(opcode, Buffer.alloc(LIMIT))],
            deflate,
        );
        for (const length of [LIMIT + 1, 300_000, 1 << 20, 16 << 20]) {
            const data = bomb(length);
            cases.fails(
                `${kind}: ${data.length} bytes that inflate to ${length}`,
                frame(opcode, data, { rsv: RSV1 }),
                [1009],
                deflate,
            );
            cases.fails(
                `${kind}: ${data.length} bytes in fragments that inflate to ${length}`,
                Buffer.concat(fragments(opcode, chop(data, 200), { rsv: RSV1 })),
                [1009],
                deflate,
            );
        }
        cases.fails(
            `${kind}: many stored blocks past the limit`,
            frame(opcode, deflateMessage(letters(LIMIT + 1), { level: 0 }), { rsv: RSV1 }),
            [1009],
            deflate,
        );
        cases.fails(
            `${kind}: a compressed frame that announces 2^62 bytes`,
            frame(opcode, '', { rsv: RSV1, announce: 1n << 62n }),
            [1009],
            deflate,
        );
        cases.answers(
            `${kind}: 1,000 bytes that inflate to almost the limit, then the same again`,
            Buffer.concat([
                frame(opcode, bomb(LIMIT - 1), { rsv: RSV1 }),
                frame(opcode, bomb(LIMIT - 1), { rsv: RSV1 }),
            ]),
            [echoOf(opcode, Buffer.alloc(LIMIT - 1)), echoOf(opcode, Buffer.alloc(LIMIT - 1))],
            deflate,
        );
    }
});

group('data that does not inflate', (cases) => {
    const bits = () => new BitWriter();
    const BROKEN = {
        'the reserved block type': bits().value(0, 1).value(3, 2).align().octets(Buffer.alloc(4)).bytes,
        'the reserved block type with BFINAL': bits().value(1, 1).value(3, 2).align().bytes,
        'octets ff': Buffer.alloc(20, 0xff),
        'ASCII text': Buffer.from('this was never compressed'),
        'a gzip head': Buffer.from('1f8b0800000000000003', 'hex'),
        'a stored block with a wrong complement': bits().stored(Buffer.from('abc'), { complement: 0 }).message(),
        'a stored block that is longer than the message': bits()
            .value(0, 3)
            .align()
            .value(100, 16)
            .value(~100 & 0xffff, 16)
            .octets(Buffer.from('abc')).bytes,
        'a copy from before the start': bits().fixed().symbol(257).code(0, 5).endOfBlock().message(),
        'a copy from 2 back after one literal': bits()
            .fixed()
            .literals('a')
            .symbol(257)
            .code(1, 5)
            .endOfBlock()
            .message(),
        'the invalid length symbol 286': bits().fixed().literals('a').symbol(286).code(0, 5).endOfBlock().message(),
        'the invalid distance symbol 30': bits()
            .fixed()
            .literals('abcd')
            .symbol(257)
            .code(30, 5)
            .endOfBlock()
            .message(),
        'a dynamic block with too many codes': bits()
            .value(0, 1)
            .value(2, 2)
            .value(31, 5)
            .value(31, 5)
            .value(15, 4)
            .align()
            .octets(Buffer.alloc(30, 0x55)).bytes,
        'a dynamic block that ends in its tables': deflateRawSync(letters(2000)).subarray(0, 20),
        'data cut inside a fixed block': deflateRawSync('Hello, hello, hello!', {
            strategy: constants.Z_FIXED,
        }).subarray(0, 6),
        'data cut inside a dynamic block': deflateRawSync(letters(2000)).subarray(0, 700),
    };
    for (const [fault, data] of Object.entries(BROKEN)) {
        for (const opcode of [TEXT, BINARY]) {
            cases.fails(`${opcodeName(opcode)}: ${fault}`, frame(opcode, data, { rsv: RSV1 }), [1007, 1002], deflate);
        }
        cases.fails(
            `${fault}, in fragments`,
            Buffer.concat(fragments(BINARY, chop(data, 3), { rsv: RSV1 })),
            [1007, 1002],
            deflate,
        );
    }
    const history = records(3000);
    const withHistory = deflateMessage(history.subarray(0, 1500), { dictionary: history });
    cases.fails(
        'a message that needs the window of the message before: client_no_context_takeover was answered',
        Buffer.concat([compressed(BINARY, history), binary(withHistory, { rsv: RSV1 })]),
        [1007, 1002],
        { ...deflate, may: (event) => event.kind === 'binary' && event.payload.equals(history) },
    );
    cases.onSocket(
        'good messages before the broken one come back',
        async (client) => {
            client.send(compressed(TEXT, 'good'));
            await client.expect(echoOf(TEXT, 'good'));
            client.send(binary(Buffer.alloc(20, 0xff), { rsv: RSV1 }), text('never'));
            await client.expectFailure([1007, 1002]);
        },
        deflate,
    );
});
