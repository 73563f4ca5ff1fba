/**
 * utf8.test.js -- text messages are UTF-8, or the connection fails with 1007 (RFC 6455 sections 5.6 and 8.1; RFC 3629).
 *
 * A server may fail as soon as it sees the fault, and must at the end of the message.
 */
import { isUtf8 } from 'node:buffer';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heardBinary, heardText } from './support/client.js';
import { deflateMessage } from './support/deflate.js';
import { BINARY, RSV1, TEXT, binary, continuation, fragments, ping, text } from './support/frame.js';
import { letters } from './support/payloads.js';
import { chop, echoOf, group } from './support/suite.js';
import { INVALID_BY_KIND, INVALID_UTF8, VALID_UTF8, utf8Name } from './support/utf8_samples.js';

const compressed = (bytes) => text(deflateMessage(bytes), { rsv: RSV1 });
const deflate = { extensions: 'permessage-deflate' };
const pongs = { may: (event) => event.kind === 'pong' };

test('the samples are what they claim to be', () => {
    for (const bytes of VALID_UTF8) assert.ok(isUtf8(bytes), utf8Name(bytes));
    for (const bytes of INVALID_UTF8) assert.ok(!isUtf8(bytes), utf8Name(bytes));
});

group('valid UTF-8', (cases) => {
    for (const bytes of VALID_UTF8) {
        const name = utf8Name(bytes);
        cases.answers(`${name} comes back`, text(bytes), [heardText(bytes)]);
        cases.answers(`${name} compressed comes back`, compressed(bytes), [heardText(bytes)], deflate);
        if (bytes.length < 2) continue;
        cases.answers(
            `${name} in fragments of one octet, cut inside characters`,
            Buffer.concat(fragments(TEXT, chop(bytes, 1))),
            [heardText(bytes)],
        );
    }
    const fox = Buffer.from('ab\u{1f98a}yz');
    for (let at = 0; at <= fox.length; at++) {
        cases.answers(
            `four octets of a character, cut at octet ${at} with empty fragments and segments of their own`,
            fragments(TEXT, [fox.subarray(0, at), '', fox.subarray(at)]),
            [heardText(fox)],
        );
        const long = Buffer.concat([letters(1000), fox, letters(1000)]);
        const data = deflateMessage(long);
        const cut = Math.min(at * 150, data.length);
        cases.answers(
            `compressed text cut after ${cut} octets of deflate data`,
            Buffer.concat(fragments(TEXT, [data.subarray(0, cut), data.subarray(cut)], { rsv: RSV1 })),
            [heardText(long)],
            deflate,
        );
    }
    for (const bytes of INVALID_UTF8.filter((_, i) => i % 8 === 0)) {
        cases.answers(`${utf8Name(bytes)} in a binary message is fine`, binary(bytes), [heardBinary(bytes)]);
    }
    cases.answers(
        'each message starts afresh: two halves of a character in two binary messages, then a text',
        Buffer.concat([binary(Buffer.from('e2', 'hex')), binary(Buffer.from('82ac', 'hex')), text('ok')]),
        [echoOf(BINARY, Buffer.from('e2', 'hex')), echoOf(BINARY, Buffer.from('82ac', 'hex')), heardText('ok')],
    );
});

group('text that is not UTF-8', (cases) => {
    for (const [kind, samples] of Object.entries(INVALID_BY_KIND)) {
        for (const bytes of samples) {
            const name = `${kind}: ${utf8Name(bytes)}`;
            cases.fails(name, text(bytes), [1007]);
            cases.fails(
                `${name}, in fragments of one octet`,
                Buffer.concat(fragments(TEXT, bytes.length > 1 ? chop(bytes, 1) : [bytes, ''])),
                [1007],
            );
            cases.fails(`${name}, between ASCII`, text(Buffer.concat([letters(13), bytes, letters(21)])), [1007]);
            cases.fails(`${name}, compressed`, compressed(bytes), [1007], deflate);
        }
    }
});

group('where the fault stands', (cases) => {
    const FAULTS = ['ff', 'c080', 'eda080', 'f4908080', 'e282'].map((digits) => Buffer.from(digits, 'hex'));
    for (const fault of FAULTS) {
        for (const before of [1, 3, 4, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 125, 126, 1000, 70_000]) {
            cases.fails(
                `${utf8Name(fault)} behind ${before} ASCII octets`,
                text(Buffer.concat([letters(before), fault])),
                [1007],
            );
        }
        cases.fails(
            `${utf8Name(fault)} before 1,000 ASCII octets`,
            text(Buffer.concat([fault, letters(1000)])),
            [1007],
        );
        cases.fails(
            `${utf8Name(fault)} in the second of three fragments`,
            Buffer.concat(fragments(TEXT, ['good', fault, 'good'])),
            [1007],
        );
        cases.fails(
            `${utf8Name(fault)} in the last fragment, pings between`,
            Buffer.concat([
                text('good', { fin: false }),
                ping(),
                continuation('good', { fin: false }),
                ping(),
                continuation(fault),
            ]),
            [1007],
            pongs,
        );
        cases.fails(`${utf8Name(fault)} octet by octet`, chop(text(Buffer.concat([letters(5), fault])), 1), [1007]);
    }
    cases.fails(
        'half a character at the end, and the other half in the next message',
        Buffer.concat([text(Buffer.from('e282', 'hex')), text(Buffer.from('ac', 'hex'))]),
        [1007],
    );
    cases.fails(
        'half a character at the end of the fragments, the last of which is empty',
        Buffer.concat(fragments(TEXT, [Buffer.from('61e2', 'hex'), Buffer.from('82', 'hex'), ''])),
        [1007],
    );
    cases.onSocket('good texts before the fault come back', async (client) => {
        client.send(text('good'), text('κόσμε'));
        await client.expect(heardText('good'), heardText('κόσμε'));
        client.send(text(Buffer.from('c3', 'hex')), text('never'));
        await client.expectFailure([1007]);
    });
    cases.onSocket('a fault is no reason to fail while it may be half of a character', async (client) => {
        client.send(text(Buffer.from('61f09f', 'hex'), { fin: false }));
        await client.expectSilence();
        client.send(continuation(Buffer.from('a68a', 'hex')));
        await client.expect(heardText('a\u{1f98a}'));
        await client.closeCleanly();
    });
});
