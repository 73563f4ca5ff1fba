/**
 * pipelined.test.js -- bytes in the same segment as the upgrade request: they wait for the 101, and are then frames.
 */
import { Client, heardBinary, heardPong, heardText } from './support/client.js';
import { deflateMessage } from './support/deflate.js';
import { RSV1, binary, close, continuation, frame, ping, text } from './support/frame.js';
import { expectRefusal, newKey, upgradeRequest } from './support/http.js';
import { letters, noise, prose } from './support/payloads.js';
import { echoPath, group } from './support/suite.js';

group('frames behind the request', (cases) => {
    const behind = (name, bytes, events, request = {}) =>
        cases.onSocket(
            name,
            async (client) => {
                await client.expect(...events);
                await client.closeCleanly();
            },
            { behind: bytes, ...request },
        );

    behind('a text', text('hello'), [heardText('hello')]);
    behind('an empty text', text(''), [heardText('')]);
    behind('a ping', ping('hello'), [heardPong('hello')]);
    behind('two texts', Buffer.concat([text('a'), text('b')]), [heardText('a'), heardText('b')]);
    behind(
        'a fragmented text with a ping between',
        Buffer.concat([text('a', { fin: false }), ping('p'), continuation('b')]),
        [heardPong('p'), heardText('ab')],
    );
    for (const size of [125, 126, 1000, 16_000, 17_000, 65_535, 65_536, 200_000, 262_144]) {
        behind(`a binary of ${size} bytes`, binary(noise(size)), [heardBinary(noise(size))]);
    }
    for (const count of [10, 100, 1000]) {
        const messages = Array.from({ length: count }, (_, i) => `message ${i}`);
        behind(
            `${count} texts`,
            Buffer.concat(messages.map((one) => text(one))),
            messages.map((one) => heardText(one)),
        );
    }
    behind('a compressed text', text(deflateMessage(prose(900)), { rsv: RSV1 }), [heardText(prose(900))], {
        extensions: 'permessage-deflate',
    });

    const closes = (name, bytes, codes) =>
        cases.onSocket(name, (client) => client.expectCloseAnswer(codes), { behind: bytes });
    closes('a close', close(1000), [1000]);
    closes('an empty close', close(), [null, 1000]);
    closes('a close with a reason, and more behind', Buffer.concat([close(3000, 'bye'), text('late')]), [3000]);
    cases.onSocket(
        'a text and a close: the echo may come before the answer',
        (client) => client.expectCloseAnswer([1000], { may: [heardText('first')] }),
        { behind: Buffer.concat([text('first'), close(1000)]) },
    );

    const fails = (name, bytes, codes) =>
        cases.onSocket(name, (client) => client.expectFailure(codes), { behind: bytes });
    fails('an unmasked text', text('hello', { mask: false }), [1002]);
    fails('a reserved opcode', frame(3), [1002]);
    fails('an orphan continuation', continuation('x'), [1002]);
    fails('RSV1 without extension', text('hello', { rsv: RSV1 }), [1002]);
    fails('text that is not UTF-8', text(Buffer.from([0xff])), [1007]);
    fails('a message that is too big', binary('', { announce: 1n << 40n }), [1009]);
    fails('another request is no frame', Buffer.from(upgradeRequest({ path: echoPath() })), [1002]);
    fails('a plain GET is no frame', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), [1002]);
    fails('an empty line is no frame', Buffer.from('\r\n\r\n'), [1002]);

    const whole = text('split');
    for (let at = 1; at < whole.length; at++) {
        cases.onSocket(
            `a frame of which ${at} octets come with the request`,
            async (client) => {
                client.send(whole.subarray(at));
                await client.expect(heardText('split'));
                await client.closeCleanly();
            },
            { behind: whole.subarray(0, at) },
        );
    }
    cases.onSocket(
        'half a large message with the request, the rest after the 101',
        async (client) => {
            const bytes = binary(noise(262_144));
            client.send(bytes.subarray(100_000));
            await client.expect(heardBinary(noise(262_144)));
            await client.closeCleanly();
        },
        { behind: binary(noise(262_144)).subarray(0, 100_000) },
    );
    cases.onSocket(
        'a fragment with the request, the rest after the 101',
        async (client) => {
            client.send(continuation(' rest'));
            await client.expect(heardText('the rest'));
            await client.closeCleanly();
        },
        { behind: text('the', { fin: false }) },
    );
});

group('the request and a frame, cut at every place near their border', (cases) => {
    const key = newKey();
    const request = Buffer.from(upgradeRequest({ path: '/rooms/ROOM?echo=1', headers: { 'Sec-WebSocket-Key': key } }));
    for (let offset = -6; offset <= 8; offset++) {
        cases.onWire(`${Math.abs(offset)} octets ${offset < 0 ? 'before' : 'behind'} the border`, async (wire) => {
            const path = echoPath();
            const bytes = Buffer.from(upgradeRequest({ path, headers: { 'Sec-WebSocket-Key': key } }));
            const all = Buffer.concat([bytes, text('border')]);
            const at = bytes.length + offset;
            await wire.sendApart([all.subarray(0, at), all.subarray(at)]);
            const client = await Client.accept(wire, key);
            await client.expect(heardText('border'));
            await client.closeCleanly();
        });
    }
    cases.onWire('the request and frames octet by octet', async (wire) => {
        const bytes = Buffer.from(upgradeRequest({ path: echoPath(), headers: { 'Sec-WebSocket-Key': key } }));
        const all = Buffer.concat([bytes, text('one'), ping('two'), text(letters(30))]);
        await wire.sendApart(Array.from(all, (octet) => Buffer.from([octet])));
        const client = await Client.accept(wire, key);
        await client.expectInterleaved(heardText('one'), heardPong('two'), heardText(letters(30)));
        await client.closeCleanly();
    });
    cases.onWire('our FIN right behind the request: the connection ends', async (wire) => {
        wire.send(request);
        wire.end();
        await wire.until('the end', () => wire.ended || undefined);
    });
    cases.onWire('our FIN behind a request, a text and a close: the close is answered', async (wire) => {
        wire.send(
            Buffer.concat([
                Buffer.from(upgradeRequest({ path: echoPath(), headers: { 'Sec-WebSocket-Key': key } })),
                text('last words'),
                close(1000),
            ]),
        );
        wire.end();
        const client = await Client.accept(wire, key);
        await client.expectCloseAnswer([1000], { may: [heardText('last words')] });
    });
});

group('bytes behind a request that is refused', (cases) => {
    const refuses = (name, path, headers, bytes, statuses) =>
        cases.onWire(name, async (wire) => {
            wire.send(Buffer.concat([Buffer.from(upgradeRequest({ path, headers }), 'latin1'), Buffer.from(bytes)]));
            await expectRefusal(wire, statuses);
        });
    const good = upgradeRequest({ path: echoPath() });
    const tails = {
        'a frame': text('hello'),
        'a close': close(1000),
        'a good request': good,
        '300,000 bytes': Buffer.alloc(300_000, 0x41),
    };
    for (const [name, bytes] of Object.entries(tails)) {
        refuses(`${name} behind an unknown path`, '/nowhere', {}, bytes, [404]);
        refuses(`${name} behind a wrong version`, echoPath(), { 'Sec-WebSocket-Version': '12' }, bytes, [426]);
        refuses(`${name} behind a bad key`, echoPath(), { 'Sec-WebSocket-Key': 'short' }, bytes, [400]);
        refuses(
            `${name} behind a request without upgrade`,
            echoPath(),
            { Upgrade: null, Connection: null },
            bytes,
            [426, 400, 404],
        );
        refuses(`${name} behind a request with a body`, echoPath(), { 'Content-Length': '5' }, bytes, [400, 413]);
    }
});
