/**
 * segments.test.js -- TCP is a stream: how it is cut means nothing.
 */
import { Client, heardPong } from './support/client.js';
import { deflateMessage } from './support/deflate.js';
import {
    BINARY,
    RSV1,
    TEXT,
    binary,
    close,
    continuation,
    fragments,
    frame,
    ping,
    pong,
    text,
} from './support/frame.js';
import { newKey, upgradeRequest } from './support/http.js';
import { letters, noise, prose } from './support/payloads.js';
import { chop, echoOf, echoPath, group } from './support/suite.js';

const SIZES = [1, 2, 3, 4, 5, 7, 8, 13, 16, 61, 127];
const pongs = { may: (event) => event.kind !== 'close' };

group('every conversation in pieces of every size', (cases) => {
    const TALKS = {
        'a text': [[text('Hello, world!')], [echoOf(TEXT, 'Hello, world!')]],
        'an empty text': [[text('')], [echoOf(TEXT, '')]],
        'a binary with a 16-bit length': [[binary(noise(300))], [echoOf(BINARY, noise(300))]],
        'a ping of 125 bytes': [[ping(Buffer.alloc(125, 0xfe))], [heardPong(Buffer.alloc(125, 0xfe))]],
        'ten pings': [
            Array.from({ length: 10 }, (_, i) => ping(`p${i}`)),
            Array.from({ length: 10 }, (_, i) => heardPong(`p${i}`)),
        ],
        'fragments with pings between': [
            [
                text('eins ', { fin: false }),
                ping('a'),
                continuation('zwei ', { fin: false }),
                pong('b'),
                ping('c'),
                continuation('drei'),
            ],
            [heardPong('a'), heardPong('c'), echoOf(TEXT, 'eins zwei drei')],
        ],
        'text in four scripts': [[text(prose(200))], [echoOf(TEXT, prose(200))]],
        'five messages': [
            ['a', 'bb', '', 'cccc', 'd'].map((payload) => text(payload)),
            ['a', 'bb', '', 'cccc', 'd'].map((payload) => echoOf(TEXT, payload)),
        ],
        'a compressed text': [[text(deflateMessage(prose(900)), { rsv: RSV1 })], [echoOf(TEXT, prose(900))]],
        'compressed fragments': [
            fragments(BINARY, chop(deflateMessage(prose(900)), 50), { rsv: RSV1 }),
            [echoOf(BINARY, prose(900))],
        ],
    };
    for (const [name, [frames, events]] of Object.entries(TALKS)) {
        for (const size of SIZES) {
            cases.answers(`${name} in pieces of ${size} bytes`, chop(Buffer.concat(frames), size), events, {
                extensions: 'permessage-deflate',
            });
        }
    }
    const FAULTS = {
        'a reserved opcode': [frame(3, 'xyz'), [1002]],
        'a reserved bit': [text('xyz', { rsv: 2 }), [1002]],
        'an unmasked text': [text('xyz', { mask: false }), [1002]],
        'a wrong length': [text('xyz', { lengthBits: 64 }), [1002]],
        'a close code that is none': [close(1005), [1002]],
        'text that is not UTF-8': [text(Buffer.from('616263ff', 'hex')), [1007]],
        'a message that is too big': [binary('', { announce: 262145 }), [1009]],
        'an orphan continuation behind a ping': [Buffer.concat([ping('x'), continuation('y')]), [1002]],
    };
    for (const [name, [bytes, codes]] of Object.entries(FAULTS)) {
        for (const size of [1, 2, 3, 5, 8]) {
            cases.fails(`${name} in pieces of ${size} bytes`, chop(bytes, size), codes, pongs);
        }
    }
    for (const size of [997, 4096, 10_000, 65_536, 100_000]) {
        for (const opcode of [TEXT, BINARY]) {
            const payload = opcode === TEXT ? letters(262144) : noise(262144);
            cases.answers(
                `${opcode === TEXT ? 'text' : 'binary'} of 256 KiB in pieces of ${size} bytes`,
                chop(frame(opcode, payload), size),
                [echoOf(opcode, payload)],
            );
        }
    }
});

group('a frame cut in two at every octet', (cases) => {
    const bytes = Buffer.concat([binary(noise(130)), text('next')]);
    for (let at = 1; at < 20; at++) {
        cases.answers(
            `behind octet ${at}`,
            [bytes.subarray(0, at), bytes.subarray(at)],
            [echoOf(BINARY, noise(130)), echoOf(TEXT, 'next')],
        );
    }
    const long = binary(noise(70_000));
    for (let at = 1; at < 16; at++) {
        cases.answers(
            `a frame with a 64-bit length, behind octet ${at}`,
            [long.subarray(0, at), long.subarray(at)],
            [echoOf(BINARY, noise(70_000))],
        );
    }
});

group('many frames in one segment', (cases) => {
    for (const count of [10, 100, 1000]) {
        const messages = Array.from({ length: count }, (_, i) => `message ${i}`);
        cases.answers(
            `${count} texts`,
            Buffer.concat(messages.map((message) => text(message))),
            messages.map((message) => echoOf(TEXT, message)),
        );
        cases.onSocket(`${count} texts, each with a ping behind`, async (client) => {
            client.send(...messages.flatMap((message) => [text(message), ping(message)]));
            await client.expectInterleaved(
                ...messages.flatMap((message) => [echoOf(TEXT, message), heardPong(message)]),
            );
            await client.closeCleanly();
        });
    }
    cases.answers(
        '1,000 empty messages',
        Buffer.concat(Array.from({ length: 1000 }, () => binary(''))),
        Array.from({ length: 1000 }, () => echoOf(BINARY, '')),
    );
    cases.answers(
        '100 messages of 2,000 bytes in pieces that meet no border',
        chop(Buffer.concat(Array.from({ length: 100 }, (_, i) => binary(noise(2000, i)))), 7919),
        Array.from({ length: 100 }, (_, i) => echoOf(BINARY, noise(2000, i))),
    );
});

group('the handshake in pieces', (cases) => {
    const inPieces = (name, pieces) =>
        cases.onWire(name, async (wire) => {
            const key = newKey();
            const request = upgradeRequest({ path: echoPath(), headers: { 'Sec-WebSocket-Key': key } });
            await wire.sendApart(pieces(Buffer.from(request, 'latin1')));
            const client = await Client.accept(wire, key);
            client.send(text('in'));
            await client.expect(echoOf(TEXT, 'in'));
            await client.closeCleanly();
        });
    for (const size of [...SIZES, 32, 64, 100]) inPieces(`of ${size} bytes`, (bytes) => chop(bytes, size));
    for (const where of [
        'ET',
        '/rooms',
        'HTTP',
        '/1.1',
        '\r\nHost',
        '\nHost',
        'plenum',
        ':',
        'websocket',
        'ocket',
        '\r\n\r\n',
        '\n\r\n',
        '\r\n',
    ]) {
        inPieces(`cut before the last ${JSON.stringify(where)}`, (bytes) => {
            const at = bytes.lastIndexOf(where);
            return [bytes.subarray(0, at), bytes.subarray(at)];
        });
    }
    inPieces('all but the last octet, then that', (bytes) => [bytes.subarray(0, -1), bytes.subarray(-1)]);
});
