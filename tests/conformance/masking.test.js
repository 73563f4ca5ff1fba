/**
 * masking.test.js -- the client's masking (RFC 6455 sections 5.1 and 5.3).
 */
import { heardText } from './support/client.js';
import {
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    binary,
    closeBody,
    continuation,
    frame,
    masked,
    opcodeName,
    ping,
    text,
} from './support/frame.js';
import { letters, noise } from './support/payloads.js';
import { chop, echoOf, group } from './support/suite.js';

const KEYS = ['00000000', 'ffffffff', '01020304', '80808080', 'ff00ff00', '00000001', '01000000'].map((key) =>
    Buffer.from(key, 'hex'),
);

group('masking keys', (cases) => {
    for (const mask of KEYS) {
        const which = mask.toString('hex');
        for (const length of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 125, 126, 1000, 65536]) {
            const payload = noise(length);
            cases.answers(`key ${which}, ${length} bytes`, binary(payload, { mask }), [echoOf(BINARY, payload)]);
        }
        cases.answers(
            `key ${which} in pieces of 3 bytes: the key's position is kept`,
            chop(text(letters(100), { mask }), 3),
            [echoOf(TEXT, letters(100))],
        );
    }
    const [, ones, count] = KEYS;
    cases.answers(
        'each fragment has a key of its own',
        Buffer.concat([
            text('one ', { fin: false, mask: ones }),
            continuation('two ', { fin: false, mask: count }),
            continuation('three', { mask: KEYS[0] }),
        ]),
        [echoOf(TEXT, 'one two three')],
    );
    cases.answers(
        'fragments of odd lengths: each starts at the first octet of its key',
        Buffer.concat([
            binary('a', { fin: false, mask: count }),
            continuation('bc', { fin: false, mask: count }),
            continuation('def', { fin: false, mask: count }),
            continuation('ghijk', { mask: count }),
        ]),
        [echoOf(BINARY, 'abcdefghijk')],
    );
    cases.answers(
        'a payload that is its key repeated: zeros on the wire',
        binary(Buffer.alloc(64, count), { mask: count }),
        [echoOf(BINARY, Buffer.alloc(64, count))],
    );
    cases.answers(
        'a payload that looks like frames once masked',
        binary(masked(text('not a message'), count), { mask: count }),
        [echoOf(BINARY, masked(text('not a message'), count))],
    );
});

group('frames without mask', (cases) => {
    for (const opcode of [TEXT, BINARY, PING, PONG, CLOSE, CONTINUATION]) {
        const kind = opcodeName(opcode);
        for (const length of [0, 2, 5, 125, 126, 65536]) {
            if (opcode >= CLOSE && length > 125) continue;
            const body = opcode === CLOSE && length ? closeBody(1000, letters(length - 2)) : letters(length);
            const started = opcode === CONTINUATION ? [text('begun', { fin: false })] : [];
            cases.fails(
                `an unmasked ${kind} of ${length} bytes is a protocol error`,
                Buffer.concat([...started, frame(opcode, body, { mask: false })]),
                [1002],
            );
        }
    }
    cases.fails('an unmasked head alone is enough', frame(TEXT, '', { mask: false, announce: 100 }), [1002]);
    cases.fails('octet by octet', chop(text('hello', { mask: false }), 1), [1002]);
    cases.fails('with permessage-deflate', text('hello', { mask: false }), [1002], {
        extensions: 'permessage-deflate',
    });
    cases.fails(
        'an unmasked ping between fragments',
        Buffer.concat([text('a', { fin: false }), ping('x', { mask: false }), continuation('b')]),
        [1002],
    );
    cases.onSocket('an unmasked frame after good ones', async (client) => {
        client.send(text('good'));
        await client.expect(heardText('good'));
        client.send(text('bad', { mask: false }), text('never'));
        await client.expectFailure([1002]);
    });
});
