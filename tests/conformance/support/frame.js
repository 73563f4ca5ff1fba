/**
 * frame.js -- WebSocket frames as bits (RFC 6455 5.2): building any frame, legal or not, and reading the server's.
 *
 * The builder refuses nothing: breaking rules is its purpose. The reader forgives nothing: what comes from the server
 * must keep every rule that section 5 sets for a server.
 */

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Bits of the first octet, as the `rsv` of a frame takes them. */
export const RSV1 = 4;
export const RSV2 = 2;
export const RSV3 = 1;

const OPCODE_NAMES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };
const DEFAULT_MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const EMPTY = Buffer.alloc(0);

/** @param {number} opcode */
export function opcodeName(opcode) {
    return OPCODE_NAMES[opcode] ?? `opcode ${opcode}`;
}

/** @param {Buffer} payload @param {Buffer} key four octets @returns {Buffer} a masked copy (section 5.3) */
export function masked(payload, key) {
    const out = Buffer.allocUnsafe(payload.length);
    for (let i = 0; i < payload.length; i++) out[i] = payload[i] ^ key[i & 3];
    return out;
}

/**
 * One frame from the client.
 *
 * @param {number} opcode
 * @param {Buffer|string} [payload]
 * @param {object} [bits]
 * @param {boolean} [bits.fin]
 * @param {number} [bits.rsv] RSV1 | RSV2 | RSV3
 * @param {Buffer|false} [bits.mask] the masking key; false sends the frame unmasked
 * @param {7|16|64} [bits.lengthBits] the form of the length; the shortest that fits unless told otherwise
 * @param {bigint|number} [bits.announce] the length to write into the head, when it shall not be the payload's own
 * @returns {Buffer}
 */
export function frame(
    opcode,
    payload = EMPTY,
    { fin = true, rsv = 0, mask = DEFAULT_MASK, lengthBits, announce } = {},
) {
    const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const length = BigInt(announce ?? body.length);
    const form = lengthBits ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
    const head = Buffer.alloc(2 + (form === 7 ? 0 : form / 8));
    head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
    if (form === 7) {
        head[1] = Number(length);
    } else if (form === 16) {
        head[1] = 126;
        head.writeUInt16BE(Number(length), 2);
    } else {
        head[1] = 127;
        head.writeBigUInt64BE(length, 2);
    }
    if (!mask) return Buffer.concat([head, body]);
    head[1] |= 0x80;
    return Buffer.concat([head, mask, masked(body, mask)]);
}

export const text = (payload, bits) => frame(TEXT, payload, bits);
export const binary = (payload, bits) => frame(BINARY, payload, bits);
export const continuation = (payload, bits) => frame(CONTINUATION, payload, bits);
export const ping = (payload, bits) => frame(PING, payload, bits);
export const pong = (payload, bits) => frame(PONG, payload, bits);

/** The body of a close frame. @param {number} code @param {Buffer|string} [reason] */
export function closeBody(code, reason = '') {
    return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
}

/** A close frame; without a code its body is empty. @param {number} [code] @param {Buffer|string} [reason] */
export function close(code, reason, bits) {
    return frame(CLOSE, code === undefined ? EMPTY : closeBody(code, reason), bits);
}

/**
 * A message cut into frames.
 *
 * @param {number} opcode TEXT or BINARY
 * @param {(Buffer|string)[]} parts one frame each
 * @param {{rsv?: number}} [bits] of the first frame only
 * @returns {Buffer[]}
 */
export function fragments(opcode, parts, bits = {}) {
    return parts.map((part, i) =>
        frame(i === 0 ? opcode : CONTINUATION, part, { ...(i === 0 ? bits : {}), fin: i === parts.length - 1 }),
    );
}

/**
 * Takes one frame off the front of what the server has sent.
 *
 * @param {Buffer} bytes
 * @returns {{fin: boolean, rsv: number, opcode: number, payload: Buffer, size: number}|null} null when more is needed
 * @throws {Error} when the head breaks a rule
 */
export function readServerFrame(bytes) {
    if (bytes.length < 2) return null;
    const opcode = bytes[0] & 0x0f;
    const fin = (bytes[0] & 0x80) !== 0;
    const rsv = (bytes[0] >> 4) & 7;
    if (!(opcode in OPCODE_NAMES)) throw new Error(`the server sent the reserved opcode ${opcode} (5.2)`);
    if (bytes[1] & 0x80) throw new Error('the server masked a frame (5.1)');
    const short = bytes[1] & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (bytes.length < 2 + lengthBytes) return null;
    let length = short;
    if (short === 126) {
        length = bytes.readUInt16BE(2);
        if (length < 126) throw new Error(`the server wrote the length ${length} in 16 bits (5.2)`);
    } else if (short === 127) {
        const long = bytes.readBigUInt64BE(2);
        if (long < 65536n) throw new Error(`the server wrote the length ${long} in 64 bits (5.2)`);
        if (long > 1n << 40n) throw new Error(`the server announced ${long} bytes`);
        length = Number(long);
    }
    if (opcode >= 8 && !fin) throw new Error(`the server fragmented a ${opcodeName(opcode)} (5.5)`);
    if (opcode >= 8 && length > 125) {
        throw new Error(`the server sent a ${opcodeName(opcode)} of ${length} bytes (5.5)`);
    }
    const size = 2 + lengthBytes + length;
    if (bytes.length < size) return null;
    return { fin, rsv, opcode, payload: Buffer.from(bytes.subarray(2 + lengthBytes, size)), size };
}
