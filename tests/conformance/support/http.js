/**
 * http.js -- requests as raw text, and a strict reader of the answers (RFC 9112).
 */
import { createHash, randomBytes } from 'node:crypto';
import assert from 'node:assert/strict';

/** RFC 9110 5.6.2 and 5.5; RFC 9112 5 */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const FIELD = /^([^:]*):[ \t]*(.*?)[ \t]*$/;

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The key of the RFC's example (RFC 6455 1.3): what a request has that does not say otherwise. */
export const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A fresh Sec-WebSocket-Key (RFC 6455 4.1). */
export const newKey = () => randomBytes(16).toString('base64');

/** The Sec-WebSocket-Accept that answers a key (RFC 6455 4.2.2). @param {string} key */
export const acceptFor = (key) =>
    createHash('sha1')
        .update(key + GUID)
        .digest('base64');

/**
 * An upgrade request, with any part replaced.
 *
 * @param {object} parts
 * @param {string} parts.path
 * @param {string} [parts.method]
 * @param {string} [parts.version]
 * @param {Record<string, string|string[]|null>} [parts.headers] replace those of the same name (case counts for the
 *   name that is sent, not for what it replaces); null leaves one out; an array sends it several times
 * @param {string} [parts.extra] raw lines before the blank line, each with its CRLF
 * @returns {string} latin-1
 */
export function upgradeRequest({ path, method = 'GET', version = 'HTTP/1.1', headers = {}, extra = '' }) {
    const fields = {
        Host: 'plenum.test',
        Upgrade: 'websocket',
        Connection: 'Upgrade',
        'Sec-WebSocket-Key': SAMPLE_KEY,
        'Sec-WebSocket-Version': '13',
    };
    for (const [name, value] of Object.entries(headers)) {
        for (const known of Object.keys(fields)) {
            if (known.toLowerCase() === name.toLowerCase() && known !== name) delete fields[known];
        }
        fields[name] = value;
    }
    let request = `${method} ${path} ${version}\r\n`;
    for (const [name, value] of Object.entries(fields)) {
        if (value === null) continue;
        for (const one of [value].flat()) request += `${name}: ${one}\r\n`;
    }
    return request + extra + '\r\n';
}

/**
 * @typedef {object} Response
 * @property {number} status
 * @property {Record<string, string>} headers by lower-case name; repeated fields are joined by ", "
 * @property {Buffer} body
 */

/**
 * Reads one response, and leaves what follows on the wire. A response that breaks RFC 9112 is an error.
 *
 * @param {import('./wire.js').Wire} wire
 * @param {{bodiless?: boolean}} [options] the answer to a HEAD request has no body
 * @returns {Promise<Response>}
 */
export async function readResponse(wire, { bodiless = false } = {}) {
    const headLength = await wire.until('a response', () => {
        const end = wire.received.indexOf('\r\n\r\n');
        return end < 0 ? undefined : end + 4;
    });
    const head = wire.take(headLength).toString('latin1');
    const [statusLine, ...lines] = head.slice(0, -4).split('\r\n');
    const match = /^HTTP\/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*$/.exec(statusLine);
    if (!match) throw wire.failure(`a malformed status line: ${JSON.stringify(statusLine)}`);
    const status = Number(match[1]);
    const headers = {};
    for (const line of lines) {
        const [, name = '', value = ''] = FIELD.exec(line) ?? [];
        if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) {
            throw wire.failure(`a malformed header line: ${JSON.stringify(line)}`);
        }
        const key = name.toLowerCase();
        if (key === 'content-length' && key in headers) throw wire.failure('two Content-Length fields');
        headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
    }
    if (status === 101 || status === 204) {
        // RFC 9110 8.6 and RFC 9112 6.1: no Content-Length and no Transfer-Encoding in a 1xx or 204
        if ('content-length' in headers || 'transfer-encoding' in headers) {
            throw wire.failure(`a ${status} with a body's headers`);
        }
        return { status, headers, body: Buffer.alloc(0) };
    }
    if ('transfer-encoding' in headers) {
        throw wire.failure('an answer with Transfer-Encoding: we expect Content-Length');
    }
    if (!/^[0-9]+$/.test(headers['content-length'] ?? '')) {
        throw wire.failure('an answer without a proper Content-Length');
    }
    const length = bodiless ? 0 : Number(headers['content-length']);
    const body = await wire.until('the body', () => (wire.received.length >= length ? wire.take(length) : undefined));
    return { status, headers, body };
}

/** A header's value as a list of lower-case tokens. @param {string|undefined} value */
export const tokens = (value) => (value ?? '').split(',').map((token) => token.trim().toLowerCase());

/**
 * Checks a 101 against RFC 6455 4.2.2.
 *
 * @param {Response} response
 * @param {string} key the Sec-WebSocket-Key that was sent
 */
export function checkSwitch(response, key) {
    assert.equal(response.status, 101, `status ${response.status}: ${response.body}`);
    assert.equal(response.headers.upgrade?.toLowerCase(), 'websocket');
    assert.ok(tokens(response.headers.connection).includes('upgrade'), `Connection: ${response.headers.connection}`);
    assert.equal(response.headers['sec-websocket-accept'], acceptFor(key));
}

/**
 * Checks a refusal: one of the statuses, the headers that the status calls for, `Connection: close`, then the end, with
 * nothing after the one answer.
 *
 * @param {import('./wire.js').Wire} wire
 * @param {number[]} statuses
 * @param {{bodiless?: boolean}} [options]
 * @returns {Promise<Response>}
 */
export async function expectRefusal(wire, statuses, options) {
    const response = await readResponse(wire, options);
    const { status, headers } = response;
    if (!statuses.includes(status)) throw wire.failure(`status ${status} where ${statuses.join(' or ')} was due`);
    if (!tokens(headers.connection).includes('close')) throw wire.failure(`a ${status} without Connection: close`);
    if (status === 405) {
        assert.ok(tokens(headers.allow).includes('get'), `405 with Allow: ${headers.allow} (RFC 9110 15.5.6)`);
    }
    if (status === 426) {
        assert.ok(
            tokens(headers.upgrade).includes('websocket'),
            `426 with Upgrade: ${headers.upgrade} (RFC 9110 15.5.22)`,
        );
    }
    await wire.expectEnd();
    return response;
}
