/**
 * fragmentation.test.js -- messages in several frames (RFC 6455 section 5.4).
 */
import { heardPong, heardText } from './support/client.js';
import { BINARY, TEXT, binary, continuation, fragments, frame, opcodeName, ping, text } from './support/frame.js';
import { letters, noise, prose } from './support/payloads.js';
import { chop, echoOf, group } from './support/suite.js';

/** The three ways in which frames reach the server: one segment, a segment a frame, a segment an octet. */
const WAYS = {
    'in one segment': (frames) => Buffer.concat(frames),
    'frame by frame': (frames) => frames,
    'octet by octet': (frames) => chop(Buffer.concat(frames), 1),
};

group('fragmented messages', (cases) => {
    for (const opcode of [TEXT, BINARY]) {
        const kind = opcodeName(opcode);
        for (const [way, cut] of Object.entries(WAYS)) {
            for (const parts of [
                ['one', 'two'],
                ['a', 'b', 'c', 'd', 'e'],
                ['', ''],
                ['', '', ''],
                ['', 'middle', ''],
                ['first', ''],
                ['', 'last'],
                ['x', '', '', '', 'y'],
            ]) {
                cases.answers(
                    `${kind} ${JSON.stringify(parts)} ${way} comes back as one`,
                    cut(fragments(opcode, parts)),
                    [echoOf(opcode, parts.join(''))],
                );
            }
            cases.answers(
                `${kind} with a ping between two fragments, ${way}: the pong comes first`,
                cut([frame(opcode, 'one', { fin: false }), ping('now'), continuation('two')]),
                [heardPong('now'), echoOf(opcode, 'onetwo')],
            );
            cases.answers(
                `${kind} with pings before, between and after the fragments, ${way}`,
                cut([
                    ping('0'),
                    frame(opcode, 'a', { fin: false }),
                    ping('1'),
                    ping('2'),
                    continuation('b', { fin: false }),
                    ping('3'),
                    continuation('c'),
                ]),
                [heardPong('0'), heardPong('1'), heardPong('2'), heardPong('3'), echoOf(opcode, 'abc')],
            );
        }
        for (const size of [64, 256, 1300, 4096, 16384, 65535]) {
            const payload = opcode === TEXT ? prose(65536) : noise(65536);
            cases.answers(
                `${kind} of 65,536 bytes in fragments of ${size}`,
                Buffer.concat(fragments(opcode, chop(payload, size))),
                [echoOf(opcode, payload)],
            );
        }
        for (const count of [100, 1000, 5000]) {
            const payload = letters(count);
            cases.answers(
                `${kind} in ${count} fragments of one byte`,
                Buffer.concat(fragments(opcode, chop(payload, 1))),
                [echoOf(opcode, payload)],
            );
        }
        cases.answers(
            `${kind} in 1,000 empty fragments is an empty message`,
            Buffer.concat(
                fragments(
                    opcode,
                    Array.from({ length: 1000 }, () => ''),
                ),
            ),
            [echoOf(opcode, '')],
        );
    }

    cases.onSocket('a ping in the middle is answered before the message is complete', async (client) => {
        client.send(text('f1', { fin: false }), continuation('f2', { fin: false }), ping('one'));
        await client.expect(heardPong('one'));
        client.send(continuation('f3', { fin: false }), continuation('f4', { fin: false }), ping('two'));
        await client.expect(heardPong('two'));
        client.send(continuation('f5'));
        await client.expect(heardText('f1f2f3f4f5'));
        await client.closeCleanly();
    });
    cases.onSocket('a message is not passed on before its last fragment', async (client) => {
        client.send(text('half', { fin: false }));
        await client.expectSilence();
        client.send(continuation(' whole'));
        await client.expect(heardText('half whole'));
        await client.closeCleanly();
    });
    cases.answers(
        'fragmented and whole messages take turns',
        Buffer.concat([
            ...fragments(TEXT, ['a', 'b']),
            binary('c'),
            ...fragments(BINARY, ['d', 'e', 'f']),
            text('g'),
            ...fragments(TEXT, ['', 'h']),
        ]),
        [echoOf(TEXT, 'ab'), echoOf(BINARY, 'c'), echoOf(BINARY, 'def'), echoOf(TEXT, 'g'), echoOf(TEXT, 'h')],
    );
});

group('fragments out of place', (cases) => {
    const good = (event) => event.kind === 'text' && event.payload.toString() === 'good';
    for (const [way, cut] of Object.entries(WAYS)) {
        for (const fin of [true, false]) {
            const orphan = `a continuation ${fin ? 'with' : 'without'} FIN`;
            for (const payload of ['', 'orphan']) {
                const which = payload ? orphan : `${orphan} and empty`;
                cases.fails(`${which} as the first frame, ${way}`, cut([continuation(payload, { fin })]), [1002]);
                cases.fails(
                    `${which}, then a whole message, ${way}`,
                    cut([continuation(payload, { fin }), text('never')]),
                    [1002],
                );
                cases.fails(
                    `${which} after a whole message, ${way}`,
                    cut([text('good'), continuation(payload, { fin }), ping()]),
                    [1002],
                    { may: good },
                );
                cases.fails(
                    `${which} after a fragmented message, ${way}`,
                    cut([...fragments(TEXT, ['go', 'od']), continuation(payload, { fin }), text('never')]),
                    [1002],
                    { may: good },
                );
            }
            cases.fails(
                `${orphan}, then a fragmented message, twice, ${way}`,
                cut([
                    continuation('x', { fin }),
                    ...fragments(TEXT, ['a', 'b']),
                    continuation('x', { fin }),
                    ...fragments(TEXT, ['a', 'b']),
                ]),
                [1002],
            );
        }
        for (const begun of [TEXT, BINARY]) {
            for (const intruder of [TEXT, BINARY]) {
                for (const fin of [true, false]) {
                    const ending = fin ? 'with' : 'without';
                    const kinds = `a ${opcodeName(intruder)} ${ending} FIN inside a ${opcodeName(begun)}`;
                    cases.fails(
                        `${kinds}, ${way}`,
                        cut([frame(begun, 'begun', { fin: false }), frame(intruder, 'new', { fin })]),
                        [1002],
                    );
                }
            }
            cases.fails(
                `a new ${opcodeName(begun)} after two fragments and a ping, ${way}`,
                cut([
                    frame(begun, 'a', { fin: false }),
                    continuation('b', { fin: false }),
                    ping('p'),
                    frame(begun, 'c'),
                    continuation('d'),
                ]),
                [1002],
                { may: (event) => event.kind === 'pong' },
            );
        }
    }
});
