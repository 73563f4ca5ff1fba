/**
 * http_rules.test.js -- requests that HTTP/1.1 forbids, or that two servers could read in two ways (RFC 9112).
 *
 * Behind each bad request stands a good one in the same segment: it must never be answered.
 */
import assert from 'node:assert/strict';
import { readResponse, upgradeRequest } from './support/http.js';
import { echoPath, group } from './support/suite.js';

const request = (headers = {}, rest = {}) => upgradeRequest({ path: echoPath(), headers, ...rest });

/** A good request with lines of our own in it. */
const withLines = (lines) => request({}, { extra: lines });

group('malformed requests', (cases) => {
    const refuses = (name, bytes, statuses = [400]) => {
        cases.refuses(name, bytes, statuses);
        cases.refuses(`${name}; the request behind it is not answered`, bytes + request(), statuses);
    };

    // 2.2, 3: the request line
    const line = (first) => request().replace(/^[^\r]*/, () => first);
    for (const [name, first, statuses] of [
        ['an invalid method token', 'G@T /rooms/x HTTP/1.1'],
        ['a method in brackets', '(GET) /rooms/x HTTP/1.1'],
        ['no method', '/rooms/x HTTP/1.1'],
        ['a space before the method', ' GET /rooms/x HTTP/1.1'],
        ['a tab behind the method', 'GET\t/rooms/x HTTP/1.1'],
        ['no target', 'GET HTTP/1.1'],
        ['an empty target', 'GET  HTTP/1.1'],
        ['no version', 'GET /rooms/x', [400, 505]],
        ['a target without a slash', 'GET rooms/x HTTP/1.1', [400, 404]],
        ['a space in the target', 'GET /rooms/a b HTTP/1.1'],
        ['something behind the version', 'GET /rooms/x HTTP/1.1 x', [400, 505]],
        ['a fragment in the target (RFC 6455 3)', 'GET /rooms/x#y HTTP/1.1', [400, 404]],
        ['a fragment behind the query', 'GET /rooms/x?echo=1#y HTTP/1.1', [400, 404]],
        ['a tab in the target', 'GET /rooms/a\tb HTTP/1.1', [400, 404]],
        ['a NUL in the target', 'GET /rooms/a\0b HTTP/1.1', [400, 404]],
        ['a control character in the target', 'GET /rooms/a\x01b HTTP/1.1', [400, 404]],
        ['DEL in the target', 'GET /rooms/a\x7fb HTTP/1.1', [400, 404]],
        ['a version in lower case', 'GET /rooms/x http/1.1'],
        ['HTTP/1.', 'GET /rooms/x HTTP/1.', [400, 505]],
        ['HTTP/1', 'GET /rooms/x HTTP/1', [400, 505]],
        ['HTTP/1.10', 'GET /rooms/x HTTP/1.10', [400, 505]],
        ['HTTP/11.1', 'GET /rooms/x HTTP/11.1', [400, 505]],
        ['HTTP/1,1', 'GET /rooms/x HTTP/1,1', [400, 505]],
        ['HTTP/-1.1', 'GET /rooms/x HTTP/-1.1', [400, 505]],
        ['HTTP/x.y', 'GET /rooms/x HTTP/x.y', [400, 505]],
        ['HTTPS/1.1', 'GET /rooms/x HTTPS/1.1', [400, 505]],
        ['RTSP/1.0', 'GET /rooms/x RTSP/1.0', [400, 505]],
        ['ICE/1.0', 'GET /rooms/x ICE/1.0', [400, 505]],
        ['HTTP/0.9', 'GET /rooms/x HTTP/0.9', [400, 505]],
        ['HTTP/1.0 (RFC 6455 4.2.1)', 'GET /rooms/x HTTP/1.0', [400, 426, 505]],
        ['HTTP/2.0', 'GET /rooms/x HTTP/2.0', [400, 505]],
        ['HTTP/3.0', 'GET /rooms/x HTTP/3.0', [400, 505]],
        ['the preface of HTTP/2', 'PRI * HTTP/2.0', [400, 405, 505]],
        ['SOURCE, as Icecast says it', 'SOURCE /rooms/x ICE/1.0', [400, 405, 501, 505]],
    ]) {
        refuses(name, line(first), statuses);
    }
    cases.refuses('a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n', [400]);
    cases.refuses('octets at random', '\x80\xff\x00\x13\x37\xfe\r\n\r\n', [400]);
    cases.refuses('a response instead of a request', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', [400]);
    cases.refuses('an SSH greeting', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', [400]);
    cases.refuses(
        'a frame before any handshake',
        Buffer.from('818537fa213d7f9f4d5158', 'hex').toString('latin1'),
        [400],
    );

    // 5: fields
    for (const [name, lines] of [
        ['a space before the colon (5.1)', 'X-Bad : 1\r\n'],
        ['a tab before the colon', 'X-Bad\t: 1\r\n'],
        ['a space before the colon of a field we know', 'Sec-WebSocket-Protocol : chat\r\n'],
        ['a space in a name', 'X Bad: 1\r\n'],
        ['no name', ': 1\r\n'],
        ['a line without colon', 'X-Bad\r\n'],
        ['a name in quotes', '"X-Bad": 1\r\n'],
        ['a name with brackets', 'X(Bad): 1\r\n'],
        ['a name with a slash', 'X/Bad: 1\r\n'],
        ['a name with an at sign', 'X@Bad: 1\r\n'],
        ['a name with a comma', 'X,Bad: 1\r\n'],
        ['a name with an octet beyond ASCII', 'X-B\u00e4d: 1\r\n'],
        ['a name with a NUL', 'X-\0Bad: 1\r\n'],
        ['a name with a control character', 'X-\x01Bad: 1\r\n'],
        ['a name with DEL', 'X-\x7fBad: 1\r\n'],
        ['a folded line (5.2)', 'X-Bad: 1\r\n folded\r\n'],
        ['a line folded with a tab', 'X-Bad: 1\r\n\tfolded\r\n'],
        ['a folded line that is blank', 'X-Bad: 1\r\n \r\n'],
        ['a folded line that hides a field', 'X-Bad: 1\r\n Transfer-Encoding: chunked\r\n'],
        ['a NUL in a value (RFC 9110 5.5)', 'X-Bad: a\0b\r\n'],
        ['a NUL at the start of a value', 'X-Bad: \0b\r\n'],
        ...[0x01, 0x07, 0x08, 0x0b, 0x0c, 0x0e, 0x1b, 0x1f, 0x7f].map((octet) => [
            `the control character 0x${octet.toString(16)} in a value`,
            `X-Bad: a${String.fromCharCode(octet)}b\r\n`,
        ]),
        ['a bare CR in a value (2.2)', 'X-Bad: a\rb\r\n'],
        ['a bare CR at the end of a value', 'X-Bad: a\r\r\n'],
        ['a bare CR that hides a field', 'X-Bad: a\rTransfer-Encoding: chunked\r\n'],
        ['a bare CR in a name', 'X-\rBad: a\r\n'],
        ['a bare LF at the end of a line', 'X-Bad: a\n'],
        ['a bare LF that hides a field', 'X-Bad: a\nTransfer-Encoding: chunked\r\n'],
        ['LF CR instead of CR LF', 'X-Bad: a\n\r'],
        ['a CR alone on a line', '\rX-Bad: a\r\n'],
    ]) {
        refuses(name, withLines(lines));
    }
    refuses('white space before the first field (2.2)', request().replace('\r\nHost', '\r\n Host'));
    refuses('a tab before the first field', request().replace('\r\nHost', '\r\n\tHost'));
    refuses('a blank line of spaces before the first field', request().replace('\r\nHost', '\r\n \r\nHost'));
    refuses('bare LF throughout', request().replaceAll('\r\n', '\n'));
    refuses('a bare LF behind the request line', request().replace('\r\n', '\n'));
    refuses('a bare CR behind the request line', request().replace('\r\n', '\r'));
    refuses('a bare LF as the blank line', request().replace(/\r\n\r\n$/, '\r\n\n'));
    refuses('two bare LF at the end', request().replace(/\r\n\r\n$/, '\n\n'));

    // 6: what says where a message ends must say it once
    for (const [name, lines] of [
        ['Content-Length and Transfer-Encoding', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
        ['Transfer-Encoding and Content-Length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'],
        ['Content-Length: 0 and Transfer-Encoding', 'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n'],
        ['two lengths that differ', 'Content-Length: 5\r\nContent-Length: 6\r\n'],
        ['two lengths, one of them 0', 'Content-Length: 0\r\nContent-Length: 5\r\n'],
        ['two lengths that agree', 'Content-Length: 5\r\nContent-Length: 5\r\n'],
        ['a list of lengths that differ', 'Content-Length: 5, 6\r\n'],
        ['a list of lengths that agree', 'Content-Length: 5, 5\r\n'],
        ['a negative length', 'Content-Length: -1\r\n'],
        ['a length with a plus', 'Content-Length: +5\r\n'],
        ['a length in hexadecimal', 'Content-Length: 0x5\r\n'],
        ['a length with a fraction', 'Content-Length: 5.0\r\n'],
        ['a length with a space', 'Content-Length: 5 5\r\n'],
        ['a length with letters', 'Content-Length: 5a\r\n'],
        ['an empty length', 'Content-Length: \r\n'],
        ['a length of only letters', 'Content-Length: five\r\n'],
        ['a length beyond 64 bits', 'Content-Length: 18446744073709551616\r\n'],
        ['a length that wraps to 0', `Content-Length: ${2n ** 64n}0\r\n`],
        ['Transfer-Encoding twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
        ['Transfer-Encoding twice, the second unknown', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n'],
        ['Transfer-Encoding with a vertical tab', 'Transfer-Encoding: \x0bchunked\r\n'],
        ['Transfer-Encoding with a space before the colon', 'Transfer-Encoding : chunked\r\n'],
        ['Transfer_Encoding is another name; the length rules', 'Content-Length: 5\r\nTransfer_Encoding: chunked\r\n'],
    ]) {
        refuses(name, withLines(lines), [400, 413, 501]);
    }
});

group('methods and targets', (cases) => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
        const length = method.startsWith('P') ? 'Content-Length: 0\r\n' : '';
        cases.refuses(`${method} of a room with the headers of an upgrade`, request({}, { method }), [405]);
        cases.refuses(
            `a plain ${method} of a room`,
            `${method} ${echoPath()} HTTP/1.1\r\nHost: plenum.test\r\n${length}\r\n`,
            [405],
        );
    }
    cases.refuses('HEAD of a room', request({}, { method: 'HEAD' }), [400, 405, 426], { bodiless: true });
    cases.refuses(
        'a plain HEAD of a room',
        `HEAD ${echoPath()} HTTP/1.1\r\nHost: plenum.test\r\n\r\n`,
        [400, 405, 426],
        { bodiless: true },
    );
    for (const [name, bytes, statuses] of [
        ['an unknown path', 'HEAD /nowhere HTTP/1.1\r\nHost: plenum.test\r\n\r\n', [404, 405]],
        ['a request without Host', 'HEAD / HTTP/1.1\r\n\r\n', [400]],
        [
            'a request with a body',
            'HEAD / HTTP/1.1\r\nHost: plenum.test\r\nContent-Length: 5\r\n\r\nhello',
            [400, 405, 413],
        ],
    ]) {
        cases.refuses(`HEAD: ${name} is refused without a body (RFC 9110 9.3.2)`, bytes, statuses, { bodiless: true });
    }
    cases.onWire('HEAD / has the headers of the page, and no body', async (wire) => {
        wire.send('HEAD / HTTP/1.1\r\nHost: plenum.test\r\nConnection: close\r\n\r\n');
        const { status, headers } = await readResponse(wire, { bodiless: true });
        assert.equal(status, 200);
        assert.match(headers['content-type'], /^text\/html/);
        await wire.expectEnd();
    });
    for (const body of ['hello', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n']) {
        cases.refuses(
            `POST with a body ${JSON.stringify(body.slice(0, 6))}: one answer, and the body is no request`,
            `POST ${echoPath()} HTTP/1.1\r\nHost: plenum.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
            [405, 413],
        );
    }
    cases.refuses(
        'POST with a chunked body',
        `POST ${echoPath()} HTTP/1.1\r\nHost: plenum.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
        [405, 400, 413, 501],
    );
    cases.refuses('CONNECT', request({}, { method: 'CONNECT' }).replace(/ \S+ /, ' plenum.test:80 '), [400, 405, 501]);
    cases.refuses('OPTIONS *', request({}, { method: 'OPTIONS' }).replace(/ \S+ /, ' * '), [400, 404, 405]);
    cases.refuses('GET *', request().replace(/ \S+ /, ' * '), [400, 404]);
    for (const method of ['get', 'Get', 'BREW', 'GETX', 'GE', 'WEBSOCKET', 'M-SEARCH', 'PROPFIND']) {
        cases.refuses(`the method ${method}`, request({}, { method }), [400, 405, 501]);
    }
    for (const scheme of ['http', 'https', 'ws', 'HTTP']) {
        // RFC 9112 3.2.2 and RFC 6455 4.2.1 want an absolute http URI to be understood; to refuse it is our choice.
        cases.upgradesOrRefuses(
            `an absolute ${scheme} URI`,
            upgradeRequest({ path: `${scheme}://plenum.test${echoPath()}` }),
            [400, 404, 421],
        );
    }
    cases.onWire('GET / without an upgrade is the page', async (wire) => {
        wire.send('GET / HTTP/1.1\r\nHost: plenum.test\r\nConnection: close\r\n\r\n');
        const { status, headers, body } = await readResponse(wire);
        assert.equal(status, 200);
        assert.match(headers['content-type'], /^text\/html/);
        assert.ok(body.length > 0);
        await wire.expectEnd();
    });
    cases.refuses(
        'GET of an unknown page is not found',
        'GET /nothing/here HTTP/1.1\r\nHost: plenum.test\r\n\r\n',
        [404],
    );
    cases.upgradesOrRefuses('HTTP/1.2 (RFC 9110 2.5)', request({}, { version: 'HTTP/1.2' }), [400, 505]);
});

group('limits of a request', (cases) => {
    const LIMIT = 16384;
    /** A request of exactly so many bytes, by a field that nobody needs. */
    const ofSize = (size) => {
        const bare = request({ 'X-Fill': '' });
        return bare.replace('X-Fill: ', `X-Fill: ${'x'.repeat(size - bare.length)}`);
    };
    for (const size of [4096, 8192, 16000]) cases.upgrades(`a request of ${size} bytes is fine`, ofSize(size));
    for (const size of [LIMIT + 300, 20_000, 65_536, 300_000]) {
        cases.refuses(`a request of ${size} bytes: 431`, ofSize(size), [431]);
    }
    cases.refuses('a field of 17,000 bytes that does not end yet: 431', ofSize(LIMIT + 1000).slice(0, -100), [431]);
    cases.refuses('a name of 17,000 bytes: 431', withLines(`${'X'.repeat(LIMIT + 1000)}: 1\r\n`), [431, 400]);
    cases.refuses(
        'a name of 17,000 bytes that does not end: 431',
        withLines('X'.repeat(LIMIT + 1000)).slice(0, -4),
        [431, 400],
    );
    cases.refuses('3,000 short fields: 431', withLines('X: y\r\n'.repeat(3000)), [431]);
    cases.refuses('17,000 bytes of empty values: 431', withLines('A:\r\n'.repeat(LIMIT / 4 + 100)), [431]);
    cases.refuses(
        'blanks behind a colon without end: 431',
        withLines(`X:${' '.repeat(LIMIT + 1000)}`).slice(0, -4),
        [431],
    );
    for (const length of [17_000, 70_000, 200_000]) {
        cases.refuses(`a target of ${length} bytes: 414`, upgradeRequest({ path: `/${'x'.repeat(length)}` }), [414]);
        cases.refuses(
            `a query of ${length} bytes: 414`,
            upgradeRequest({ path: `${echoPath()}&x=${'y'.repeat(length)}` }),
            [414],
        );
    }
    cases.refuses('a target of 17,000 bytes that does not end yet: 414', `GET /${'x'.repeat(17_000)}`, [414]);
    cases.refuses('a method of 17,000 letters', `${'A'.repeat(17_000)} / HTTP/1.1\r\n\r\n`, [400, 414, 431, 501]);
    cases.upgradesOrRefuses('20,000 empty lines before a request', '\r\n'.repeat(20_000) + request(), [400, 431]);
});
