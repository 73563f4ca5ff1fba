/**
 * close.test.js -- the closing handshake (RFC 6455 sections 5.5.1, 7.1 and 7.4).
 */
import { Client, heardBinary, heardPong, heardText } from './support/client.js';
import {
    BINARY,
    CLOSE,
    TEXT,
    binary,
    close,
    continuation,
    frame,
    opcodeName,
    ping,
    pong,
    text,
} from './support/frame.js';
import { letters, noise, prose } from './support/payloads.js';
import { chop, echoPath, group, newRoom } from './support/suite.js';
import { INVALID_UTF8, VALID_UTF8, utf8Name } from './support/utf8_samples.js';

const VALID_CODES = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3500, 3999, 4000, 4001, 4401,
    4500, 4998, 4999,
];
const INVALID_CODES = [
    0, 1, 2, 16, 100, 255, 256, 500, 998, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1050, 1099, 1100, 1500, 1999, 2000,
    2001, 2500, 2998, 2999, 5000, 5001, 6000, 9999, 10000, 32768, 49152, 65534, 65535,
];

group('closing handshake', (cases) => {
    const answered = (name, bytes, codes, request) =>
        cases.onSocket(
            name,
            async (client) => {
                await (Array.isArray(bytes) ? client.sendApart(bytes) : client.send(bytes));
                await client.expectCloseAnswer(codes);
            },
            request,
        );

    for (const extensions of [undefined, 'permessage-deflate']) {
        const where = extensions ? ', with permessage-deflate' : '';
        answered(`an empty close is answered${where}`, close(), [null, 1000], { extensions });
        for (const code of VALID_CODES) {
            answered(`close ${code} is answered with the same code${where}`, close(code), [code], { extensions });
        }
    }
    for (const length of [1, 2, 10, 50, 100, 120, 121, 122, 123]) {
        answered(`a reason of ${length} bytes`, close(1000, letters(length)), [1000]);
    }
    answered('a reason of 123 bytes in several scripts', close(1000, prose(122)), [1000]);
    for (const code of [1001, 3000, 4999]) answered(`close ${code} with a reason`, close(code, 'going away'), [code]);
    for (const bytes of VALID_UTF8.filter((one) => one.length <= 123)) {
        answered(`the reason ${utf8Name(bytes)} is fine`, close(1000, bytes), [1000]);
    }
    for (const size of [1, 2, 3, 5, 7]) {
        answered(`a close with code and reason in pieces of ${size} bytes`, chop(close(1001, 'bye bye'), size), [1001]);
        answered(`an empty close in pieces of ${size} bytes`, chop(close(), size), [null, 1000]);
    }

    answered('two closes: the second is ignored', Buffer.concat([close(1000), close(1001)]), [1000]);
    answered('a ping after the close is not answered', Buffer.concat([close(1000), ping('late')]), [1000]);
    answered('a text after the close is not passed on', Buffer.concat([close(1000), text('late')]), [1000]);
    answered('a large binary after the close is ignored', Buffer.concat([close(1000), binary(noise(100_000))]), [1000]);
    answered(
        'messages, pings and another close after the close are all ignored',
        Buffer.concat([close(4000), text('late'), ping('late'), pong(), binary('late'), close()]),
        [4000],
    );
    answered(
        'even what would be a protocol error is ignored after the close',
        Buffer.concat([close(1000), frame(5, 'reserved'), text('unmasked', { mask: false })]),
        [1000],
    );
    answered('garbage after the close is ignored', Buffer.concat([close(1000), Buffer.alloc(1000, 0xff)]), [1000]);
    answered(
        'half a frame after the close is ignored',
        Buffer.concat([close(1000), text('', { announce: 50 }), Buffer.from('half')]),
        [1000],
    );
    for (const opcode of [TEXT, BINARY]) {
        answered(
            `a close inside a fragmented ${opcodeName(opcode)} ends it: the rest is ignored`,
            Buffer.concat([frame(opcode, 'one', { fin: false }), close(1000), continuation('two')]),
            [1000],
        );
    }
    answered(
        'a close inside a text of which half a character came',
        Buffer.concat([text(Buffer.from('e282', 'hex'), { fin: false }), close(1000)]),
        [1000],
    );

    cases.onSocket('a close behind a message is answered; its echo may come before that', async (client) => {
        client.send(text('first'), close(1000));
        await client.expectCloseAnswer([1000], { may: [heardText('first')] });
    });
    cases.onSocket('a pong is sent before the answer to the close behind its ping', async (client) => {
        client.send(ping('first'), close(1000));
        await client.expect(heardPong('first'));
        await client.expectCloseAnswer([1000]);
    });
    cases.onSocket('a close after a large message has come back', async (client) => {
        const payload = noise(262144);
        client.send(binary(payload));
        await client.expect(heardBinary(payload));
        await client.closeCleanly();
    });
    cases.onSocket('our FIN right behind the close changes nothing', async (client) => {
        client.send(close(1000));
        client.end();
        await client.expectCloseAnswer([1000]);
    });
});

group('close frames that are wrong', (cases) => {
    for (const byte of [0x00, 0x03, 0x61, 0xff]) {
        cases.fails(`a body of the one byte 0x${byte.toString(16)}`, frame(CLOSE, Buffer.from([byte])), [1002]);
    }
    for (const code of INVALID_CODES) {
        cases.fails(`the code ${code}`, close(code), [1002]);
    }
    for (const code of [0, 999, 1005, 1006, 1015, 2999, 5000, 65535]) {
        cases.fails(`the code ${code} with a reason`, close(code, 'reason'), [1002]);
        cases.fails(`the code ${code} octet by octet`, chop(close(code), 1), [1002]);
    }
    for (const length of [124, 125, 200]) {
        cases.fails(`a reason of ${length} bytes: the body is too long`, close(1000, letters(length)), [1002]);
    }
    for (const bytes of INVALID_UTF8.filter((one) => one.length <= 123)) {
        cases.fails(`the reason ${utf8Name(bytes)} is not UTF-8`, close(1000, bytes), [1007, 1002]);
    }
    cases.fails(
        'a reason that is cut inside a character',
        close(1000, Buffer.from('ok \u20ac').subarray(0, 5)),
        [1007, 1002],
    );
    cases.fails(
        'a wrong code inside a fragmented message',
        Buffer.concat([text('begun', { fin: false }), close(1005)]),
        [1002],
    );
});

group('the end of a connection', (cases) => {
    cases.onSocket('the server ends a failed connection by itself, without our answer', async (client) => {
        client.send(frame(3));
        await client.expectFailure([1002], { silent: true });
    });
    cases.onSocket('... also when we keep sending', async (client) => {
        client.send(text(Buffer.from([0xff])));
        for (let i = 0; i < 20; i++) client.send(text('are you there?'));
        await client.expectFailure([1007], { silent: true });
    });
    cases.onSocket('... also when a message is far too big and its payload comes all the same', async (client) => {
        client.send(binary('', { lengthBits: 64, announce: 4_000_000 }));
        for (let i = 0; i < 40; i++) client.send(Buffer.alloc(100_000));
        await client.expectFailure([1009], { silent: true });
    });
    const cutOff = (name, bytes, before = async () => {}) =>
        cases.onSocket(name, async (client) => {
            if (bytes.length) client.send(bytes);
            await before(client);
            client.end();
            await client.expectCutOff();
        });
    cutOff('our FIN without a close frame ends the connection', Buffer.alloc(0));
    cutOff('our FIN after an echo', text('hello'), (client) => client.expect(heardText('hello')));
    cutOff('our FIN inside a frame head', text('hello').subarray(0, 1));
    cutOff('our FIN inside a masking key', text('hello').subarray(0, 4));
    cutOff('our FIN inside a payload', text('hello').subarray(0, 8));
    cutOff('our FIN inside a fragmented message', text('begun', { fin: false }));
    cutOff('our FIN inside a close frame', close(1000, 'bye').subarray(0, 7));
    cutOff('our FIN inside a large message', binary(noise(200_000)).subarray(0, 150_000));
    cases.onSocket('our FIN after a protocol error', async (client) => {
        client.send(frame(3));
        client.end();
        await client.expectFailure([1002]);
    });
    const room = newRoom();
    cases.onSocket(
        'a failed connection is no message: another member of the room hears nothing, and stays',
        async (member) => {
            const failing = await Client.open(cases.target, { path: echoPath(room) });
            try {
                failing.send(text('unmasked', { mask: false }));
                await failing.expectFailure([1002]);
            } finally {
                failing.destroy();
            }
            await member.expectSilence();
            member.send(text('still here'));
            await member.expect(heardText('still here'));
            await member.closeCleanly();
        },
        { path: echoPath(room) },
    );
});
