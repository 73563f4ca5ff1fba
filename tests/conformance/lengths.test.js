/**
 * lengths.test.js -- payload lengths and their three encodings (RFC 6455 section 5.2).
 */
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, binary, frame, opcodeName, text } from './support/frame.js';
import { letters, noise } from './support/payloads.js';
import { echoOf, group } from './support/suite.js';

const LENGTHS = [
    0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 100, 123, 124, 125, 126, 127, 128, 129, 254, 255, 256, 257,
    1000, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 16383, 16384, 16385, 32767, 32768, 65533, 65534, 65535, 65536,
    65537, 65538, 70000, 100000, 131072, 200000, 262143, 262144,
];

group('payload lengths', (cases) => {
    for (const length of LENGTHS) {
        for (const [opcode, payload] of [
            [TEXT, letters(length)],
            [BINARY, noise(length)],
        ]) {
            const name = `${opcodeName(opcode)} of ${length} bytes comes back`;
            cases.answers(name, frame(opcode, payload), [echoOf(opcode, payload)]);
        }
    }

    for (const length of [0, 125, 126, 65535, 65536, 262144]) {
        const payload = noise(length);
        cases.answers(
            `three messages of ${length} bytes in one write come back in order`,
            Buffer.concat([binary(payload), text('between'), binary(payload)]),
            [echoOf(BINARY, payload), echoOf(TEXT, 'between'), echoOf(BINARY, payload)],
        );
    }
});

group('lengths that are not encoded minimally', (cases) => {
    const WRONG = [
        [16, [0, 1, 2, 64, 124, 125]],
        [64, [0, 1, 125, 126, 127, 256, 65534, 65535]],
    ];
    for (const opcode of [TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE]) {
        for (const [lengthBits, lengths] of WRONG) {
            for (const length of lengths) {
                if (opcode >= CLOSE && length > 125) continue;
                const started = opcode === CONTINUATION ? [frame(TEXT, 'begun', { fin: false })] : [];
                cases.fails(
                    `${opcodeName(opcode)}: the length ${length} in ${lengthBits} bits is a protocol error`,
                    Buffer.concat([...started, frame(opcode, letters(length), { lengthBits })]),
                    [1002],
                );
            }
        }
        cases.fails(
            `${opcodeName(opcode)}: a head that says 5 in 64 bits fails before the payload comes`,
            Buffer.concat([
                ...(opcode === CONTINUATION ? [frame(TEXT, '', { fin: false })] : []),
                frame(opcode, '', { lengthBits: 64, announce: 5 }),
            ]),
            [1002],
        );
    }
});

group('64-bit lengths with the top bit set', (cases) => {
    const LONG = [1n << 63n, (1n << 63n) + 5n, (1n << 63n) + (1n << 62n), (1n << 64n) - 1n];
    for (const opcode of [TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE]) {
        for (const announce of LONG) {
            const started = opcode === CONTINUATION ? [frame(BINARY, 'begun', { fin: false })] : [];
            cases.fails(
                `${opcodeName(opcode)} announced with 0x${announce.toString(16)} bytes is a protocol error`,
                Buffer.concat([...started, frame(opcode, '', { lengthBits: 64, announce })]),
                [1002],
            );
        }
    }
});
