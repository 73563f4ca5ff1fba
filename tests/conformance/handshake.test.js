/**
 * handshake.test.js -- the opening handshake, the server's side (RFC 6455 sections 4.2 and 11.3).
 */
import assert from 'node:assert/strict';
import { Client, heardText } from './support/client.js';
import { text } from './support/frame.js';
import { acceptFor, expectRefusal, newKey, tokens, upgradeRequest } from './support/http.js';
import { echoPath, group, newRoom } from './support/suite.js';
import { Wire } from './support/wire.js';

/** Decodes to 16 bytes, but the unused bits of its last sign are not zero (RFC 4648 3.5). */
const STRAY = 'dGhlIHNhbXBsZSBub25jZR==';

const request = (headers = {}, rest = {}) => upgradeRequest({ path: echoPath(), headers, ...rest });

group('upgrades', (cases) => {
    assert.equal(acceptFor('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    cases.upgrades('the example of RFC 6455 section 1.3', request());
    for (let i = 0; i < 20; i++) {
        const key = newKey();
        cases.upgrades(`key ${i} of twenty at random`, request({ 'Sec-WebSocket-Key': key }), key);
    }
    for (const fill of [0x00, 0xff, 0xfb, 0x10]) {
        const key = Buffer.alloc(16, fill).toString('base64');
        cases.upgrades(`the key ${key}`, request({ 'Sec-WebSocket-Key': key }), key);
    }

    for (const [name, headers] of Object.entries({
        'Upgrade: WebSocket': { Upgrade: 'WebSocket' },
        'Upgrade: WEBSOCKET': { Upgrade: 'WEBSOCKET' },
        'Upgrade: a list with websocket in it': { Upgrade: 'h2c, websocket' },
        'Connection: upgrade': { Connection: 'upgrade' },
        'Connection: UPGRADE': { Connection: 'UPGRADE' },
        'Connection: keep-alive, Upgrade': { Connection: 'keep-alive, Upgrade' },
        'Connection: Upgrade, keep-alive': { Connection: 'Upgrade, keep-alive' },
        'Connection: keep-alive,Upgrade': { Connection: 'keep-alive,Upgrade' },
        'Connection: a list with empty elements': { Connection: ', ,Upgrade,' },
        'Connection: a list with tabs': { Connection: 'keep-alive\t,\tUpgrade' },
        'Connection in two fields': { Connection: ['keep-alive', 'Upgrade'] },
        'names in lower case': {
            host: 'plenum.test',
            upgrade: 'websocket',
            connection: 'upgrade',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
            'sec-websocket-version': '13',
        },
        'names in upper case': {
            HOST: 'plenum.test',
            UPGRADE: 'websocket',
            CONNECTION: 'Upgrade',
            'SEC-WEBSOCKET-KEY': 'dGhlIHNhbXBsZSBub25jZQ==',
            'SEC-WEBSOCKET-VERSION': '13',
        },
        'names in mixed case': { uPGRADE: 'websocket', 'sEC-wEBsOCKET-vERSION': '13' },
        'white space around a key': { 'Sec-WebSocket-Key': '  dGhlIHNhbXBsZSBub25jZQ== \t' },
        'white space around a version': { 'Sec-WebSocket-Version': ' \t13  ' },
        'a header without value': { 'X-Empty': '' },
        'a header that nobody knows': { 'X-Whatever': 'anything: goes, "here"' },
        'octets beyond ASCII in a value': { 'X-Latin': 'caf\u00e9' },
        'every character that a name may have': { "!#$%&'*+-.^_`|~09azAZ": 'x' },
        'an Origin': { Origin: 'http://plenum.test' },
        'an Origin of another site': { Origin: 'https://example.org:8443' },
        'Origin: null': { Origin: 'null' },
        cookies: { Cookie: 'a=b; c=d' },
        'a browser\u2019s headers': {
            'User-Agent':
                'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
            'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
            'Accept-Encoding': 'gzip, deflate, br',
            'Cache-Control': 'no-cache',
            Pragma: 'no-cache',
            Origin: 'http://plenum.test',
            'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
        },
        'a port in Host': { Host: 'plenum.test:8000' },
        'an address in Host': { Host: '127.0.0.1:8000' },
        'an IPv6 address in Host': { Host: '[::1]:8000' },
    })) {
        cases.upgrades(name, request(headers));
    }
    for (const count of [10, 50]) {
        const extra = Array.from({ length: count }, (_, i) => `X-Header-${i}: value ${i}\r\n`).join('');
        cases.upgrades(`${count} more headers`, request({}, { extra }));
    }
    cases.upgrades('no space behind the colons', request().replaceAll(': ', ':'));
    cases.upgrades('several spaces and tabs behind the colons', request().replaceAll(': ', ': \t  '));
    cases.upgrades('an empty line before the request (RFC 9112 2.2)', `\r\n${request()}`);

    cases.upgradesOrRefuses('a body of no bytes', request({ 'Content-Length': '0' }), [400]);
    cases.upgradesOrRefuses('Expect: 100-continue', request({ Expect: '100-continue' }), [400, 417]);
    cases.upgradesOrRefuses(
        'a key with stray bits in its last sign',
        request({ 'Sec-WebSocket-Key': STRAY }),
        [400],
        STRAY,
    );
    cases.upgradesOrRefuses('an empty Host (RFC 9112 3.2)', request({ Host: '' }), [400]);
    cases.upgradesOrRefuses('an empty list of extensions', request({ 'Sec-WebSocket-Extensions': '' }), [400]);
    cases.upgradesOrRefuses('a list of protocols that is none', request({ 'Sec-WebSocket-Protocol': 'a b' }), [400]);
    cases.upgradesOrRefuses(
        'a letter of a room, percent-encoded',
        upgradeRequest({ path: '/rooms/%41b?echo=1' }),
        [400, 404],
    );

    for (const path of ['/', '/?name=guest', '/?', `/rooms/${newRoom()}`, `/rooms/${newRoom()}?name=guest`]) {
        cases.onWire(`${path} is a room, too`, async (wire) => {
            wire.send(upgradeRequest({ path }));
            await (await Client.accept(wire, 'dGhlIHNhbXBsZSBub25jZQ==')).closeCleanly();
        });
    }
    cases.onSocket('the answer has what 4.2.2 asks for, and nothing that nobody asked for', async (client) => {
        const { headers } = client.response;
        for (const name of [
            'sec-websocket-protocol',
            'sec-websocket-extensions',
            'content-length',
            'transfer-encoding',
        ]) {
            assert.equal(headers[name], undefined, name);
        }
        assert.ok(!tokens(headers.connection).includes('close'));
        await client.closeCleanly();
    });
    for (const protocols of ['chat', 'chat, superchat', 'unknown.v7', ['chat', 'superchat'], 'x'.repeat(200)]) {
        cases.onSocket(
            `Sec-WebSocket-Protocol: ${`${protocols}`.slice(0, 30)}: none is ours, so none is in the answer`,
            async (client) => {
                assert.equal(client.response.headers['sec-websocket-protocol'], undefined);
                client.send(text('in'));
                await client.expect(heardText('in'));
                await client.closeCleanly();
            },
            { headers: { 'Sec-WebSocket-Protocol': protocols } },
        );
    }
});

group('rooms', (cases) => {
    const goodRooms = {
        'one character': 'x',
        '164 characters': `${newRoom()}-`.padEnd(164, 'y'),
        '163 characters': `${newRoom()}-`.padEnd(163, 'z'),
        digits: '0123456789',
        'every sign that is allowed': `${newRoom()}_.:=@,;-AZaz09`,
        'an @ that is not the first': `a@${newRoom()}`,
        'upper case': 'ROOM',
        'a name like a file': `${newRoom()}.html`,
        'signs first': `=,;:.-_${newRoom()}`,
    };
    for (const [name, room] of Object.entries(goodRooms)) {
        cases.onSocket(
            `${name}: a good name`,
            async (client) => {
                client.send(text(`in ${room}`));
                await client.expect(heardText(`in ${room}`));
                await client.closeCleanly();
            },
            { path: echoPath(room) },
        );
    }
    const bad = (name, path) => cases.refuses(`${name}: a bad name`, upgradeRequest({ path }), [400, 404]);
    bad('empty', '/rooms/?echo=1');
    bad('empty, without a slash', '/rooms?echo=1');
    bad('165 characters', echoPath('x'.repeat(165)));
    bad('1,000 characters', echoPath('x'.repeat(1000)));
    bad('@ first', echoPath('@reserved'));
    bad('@ alone', echoPath('@'));
    for (const sign of [
        '{',
        '}',
        '{x}',
        'a{b',
        'a}b',
        '!',
        '"',
        '$',
        '&',
        "'",
        '(',
        ')',
        '*',
        '+',
        '<',
        '>',
        '[',
        ']',
        '\\',
        '^',
        '`',
        '|',
        '~',
    ]) {
        bad(`the sign ${sign}`, echoPath(sign));
        bad(`the sign ${sign} in a name`, echoPath(`a${sign}b`));
    }
    for (const encoded of [
        '%7B',
        '%7D',
        '%7Bx%7D',
        'a%20b',
        '%00',
        '%2F',
        '%2f',
        '%0A',
        '%0D%0AX',
        '%',
        '%4',
        '%zz',
        'a%',
        '%40x',
        '%C3%A9',
        '%ff',
        '%25',
    ]) {
        bad(`${encoded} encoded`, echoPath(encoded));
    }
    bad('a slash in it', '/rooms/a/b?echo=1');
    bad('a slash behind it', '/rooms/a/?echo=1');
    bad('a slash before it', '/rooms//a?echo=1');
    bad('two dots as a path', '/rooms/../rooms/a?echo=1');
    bad('octets beyond ASCII', echoPath('caf\u00e9'));
    bad('octets of UTF-8', echoPath('caf\u00c3\u00a9'));
    for (const path of [
        '/room/x',
        '/Rooms/x',
        '/ROOMS/x',
        '/roomsx',
        '/rooms2/x',
        '/x',
        '/index.html',
        '/.',
        '//',
        '//rooms/x',
        '/rooms.x/y',
        '/a/b/c/d',
        '/%72ooms/x',
    ]) {
        cases.refuses(`${path}: an unknown path`, upgradeRequest({ path }), [404, 400]);
    }
    cases.refuses('/nowhere is not found', upgradeRequest({ path: '/nowhere' }), [404]);
    cases.refuses('/nowhere/at/all is not found', upgradeRequest({ path: '/nowhere/at/all?echo=1' }), [404]);
});

group('requests that are no proper upgrade', (cases) => {
    const refuses = (name, headers, statuses) => cases.refuses(name, request(headers), statuses);

    cases.refuses(
        'a plain GET of a room: upgrade required',
        `GET ${echoPath()} HTTP/1.1\r\nHost: plenum.test\r\n\r\n`,
        [426, 404, 400],
    );
    cases.refuses(
        'a plain GET of a room with keep-alive: upgrade required',
        `GET ${echoPath()} HTTP/1.1\r\nHost: plenum.test\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n`,
        [426, 404, 400],
    );
    refuses('no Upgrade', { Upgrade: null }, [400, 426]);
    refuses('no Connection', { Connection: null }, [400, 426]);
    refuses('neither Upgrade nor Connection', { Upgrade: null, Connection: null }, [400, 426]);
    for (const value of ['h2c', 'web socket', 'websockets', 'xwebsocket', 'HTTP/2.0', 'TLS/1.0', '']) {
        refuses(`Upgrade: ${value}`, { Upgrade: value }, [400, 426]);
    }
    for (const value of [
        'close',
        'keep-alive',
        'Upgraded',
        'x-Upgrade',
        'Upgrade2',
        'keep-alive; Upgrade',
        '',
        '"Upgrade"',
    ]) {
        refuses(`Connection: ${value}`, { Connection: value }, [400, 426]);
    }

    for (const version of ['0', '1', '4', '6', '7', '8', '9', '10', '11', '12', '14', '21', '25', '100', '255']) {
        cases.onWire(`version ${version}: 426, and 13 is what we speak (4.2.2, 4.4)`, async (wire) => {
            wire.send(request({ 'Sec-WebSocket-Version': version }));
            const { headers } = await expectRefusal(wire, [426]);
            assert.ok(tokens(headers['sec-websocket-version']).includes('13'));
        });
    }
    for (const version of [
        '',
        '013',
        '13.0',
        '1 3',
        '13, 8',
        '8, 13',
        '13,',
        '-13',
        '+13',
        '0x0d',
        '256',
        '113',
        '131',
        '13a',
        'thirteen',
        '"13"',
    ]) {
        cases.onWire(`the version "${version}" is no version 13`, async (wire) => {
            wire.send(request({ 'Sec-WebSocket-Version': version }));
            const { status, headers } = await expectRefusal(wire, [400, 426]);
            if (status === 426) assert.ok(tokens(headers['sec-websocket-version']).includes('13'));
        });
    }
    refuses('no version', { 'Sec-WebSocket-Version': null }, [400, 426]);
    refuses('the version twice', { 'Sec-WebSocket-Version': ['13', '13'] }, [400, 426]);
    refuses('two versions', { 'Sec-WebSocket-Version': ['8', '13'] }, [400, 426]);
    refuses('two versions, 13 first', { 'Sec-WebSocket-Version': ['13', '8'] }, [400, 426]);

    const key = (bytes) => Buffer.alloc(bytes, 0x41).toString('base64');
    for (const [name, value] of Object.entries({
        'no key': null,
        'an empty key': '',
        'a key of 15 bytes': key(15),
        'a key of 17 bytes': key(17),
        'a key of 18 bytes': key(18),
        'a key of 12 bytes': key(12),
        'a key of 32 bytes': key(32),
        'a key of 1 byte': key(1),
        'a key of 3,000 bytes': key(3000),
        'a key without padding': 'dGhlIHNhbXBsZSBub25jZQ',
        'a key with half its padding': 'dGhlIHNhbXBsZSBub25jZQ=',
        'a key with too much padding': 'dGhlIHNhbXBsZSBub25jZQ===',
        'padding in the middle': 'dGhlIHNhbXBs=SBub25jZQ==',
        'padding and more': 'dGhlIHNhbXBsZSBub25jZQ==AAAA',
        'signs that are not base64': 'dGhlIHNhbXBsZSBub25j!Q==',
        'the URL alphabet': 'dGhlIHNhbXBs-_Bub25jZQ==',
        'a space inside': 'dGhlIHNhbX BsZSBub25jZQ==',
        'a comma list': 'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==',
        'in quotes': '"dGhlIHNhbXBsZSBub25jZQ=="',
        'only padding': '========================',
        '24 signs without padding': 'AAAAAAAAAAAAAAAAAAAAAAAA',
        '23 signs and padding': 'AAAAAAAAAAAAAAAAAAAAAAA=',
        'octets beyond ASCII': 'dGhlIHNhbXBsZSBub25j\u00e9Q==',
        'the same key twice': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='],
        'two keys': ['dGhlIHNhbXBsZSBub25jZQ==', 'AAAAAAAAAAAAAAAAAAAAAA=='],
    })) {
        refuses(`${name} (4.2.1, 11.3.1)`, { 'Sec-WebSocket-Key': value }, [400]);
    }

    refuses('no Host', { Host: null }, [400]);
    refuses('Host twice, the same', { Host: ['plenum.test', 'plenum.test'] }, [400]);
    refuses('Host twice, different', { Host: ['plenum.test', 'other.test'] }, [400]);
    cases.refuses('Host twice, in different case', request({}, { extra: 'hOST: plenum.test\r\n' }), [400]);
    for (const host of [
        'a b',
        'a/b',
        'user@host',
        'host:port',
        'host:80:80',
        '[::1',
        'a"b',
        'a<b',
        'a\\b',
        'a{b}',
        'http://host',
        'a?b',
        'a#b',
    ]) {
        refuses(`Host: ${host} (RFC 9112 3.2)`, { Host: host }, [400]);
    }

    for (const [name, extra] of Object.entries({
        'a body of 5 bytes': 'Content-Length: 5\r\n',
        'a body of 5 bytes, and upgrade': 'Content-Length: 5\r\nX-More: 1\r\n',
        'a body of 10 GB': 'Content-Length: 10737418240\r\n',
    })) {
        cases.refuses(name, request({}, { extra }), [400, 413]);
        cases.refuses(`${name}, with some of it sent`, `${request({}, { extra })}hello`, [400, 413]);
    }
    for (const coding of [
        'chunked',
        'identity',
        'gzip',
        'gzip, chunked',
        'chunked, gzip',
        'xchunked',
        'chunked, chunked',
        '"chunked"',
        '',
        'CHUNKED',
    ]) {
        cases.refuses(
            `Transfer-Encoding: ${coding}`,
            `${request({ 'Transfer-Encoding': coding })}0\r\n\r\n`,
            [400, 413, 501],
        );
    }
});

group(
    'a slow handshake',
    (cases) => {
        const tooSlow = (name, bytes) =>
            cases.onWire(`${name}: 408, or just the end`, async (wire) => {
                if (bytes) wire.send(bytes);
                await wire.until('the end', () => wire.ended || undefined);
                if (wire.received.length) await expectRefusal(wire, [408]);
            });
        tooSlow('nothing sent', '');
        tooSlow('one byte', 'G');
        tooSlow('half a request line', 'GET /rooms/x');
        tooSlow('a request line', 'GET /rooms/x HTTP/1.1\r\n');
        tooSlow('all but the last byte', request().slice(0, -1));
        tooSlow('empty lines', '\r\n\r\n');
        cases.onWire('a byte now and then does not help', async (wire) => {
            wire.send('GET /rooms/x HTTP/1.1\r\nHost: x\r\nX-Slow: ');
            const drip = setInterval(() => wire.send('x'), 100);
            try {
                await wire.until('the end', () => wire.ended || wire.error || undefined);
            } finally {
                clearInterval(drip);
            }
        });
        cases.onSocket('a connection that got in stays, longer than a handshake may take', async (client) => {
            const silent = await Wire.connect(cases.target);
            await silent
                .until('the end of a silent connection', () => silent.ended || undefined)
                .finally(() => silent.destroy());
            client.send(text('still in'));
            await client.expect(heardText('still in'));
            await client.closeCleanly();
        });
    },
    { args: ['--handshake-timeout', '1'], ownGateway: true },
);
