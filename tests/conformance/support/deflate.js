/**
 * deflate.js -- the compressed side of RFC 7692: messages from zlib, and deflate blocks written bit by bit (RFC 1951).
 */
import { constants, deflateRawSync } from 'node:zlib';

const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * The payload of a compressed message (RFC 7692 7.2.1): deflated, flushed, and without the 00 00 ff ff at its end.
 *
 * @param {Buffer|string} bytes
 * @param {import('node:zlib').ZlibOptions} [options]
 */
export function deflateMessage(bytes, options = {}) {
    const data = deflateRawSync(bytes, { ...options, finishFlush: constants.Z_SYNC_FLUSH });
    if (!data.subarray(-4).equals(TAIL)) throw new Error('zlib did not flush as expected');
    const cut = data.subarray(0, -4);
    return cut.length ? cut : Buffer.from([0]);
}

/** A message that ends in a block with BFINAL, as RFC 7692 7.2.3.4 allows: the final block, then an octet 00. */
export function deflateFinal(bytes, options = {}) {
    return Buffer.concat([deflateRawSync(bytes, options), Buffer.from([0])]);
}

/** Writes bits as deflate wants them: values from the low bit, Huffman codes from the high one. */
export class BitWriter {
    #octets = [];
    #bit = 0;

    /** @param {number} value @param {number} count low bit first */
    value(value, count) {
        for (let i = 0; i < count; i++) this.#push((value >> i) & 1);
        return this;
    }

    /** @param {number} code @param {number} count high bit first */
    code(code, count) {
        for (let i = count - 1; i >= 0; i--) this.#push((code >> i) & 1);
        return this;
    }

    /** Pads with zeros to the next octet. */
    align() {
        while (this.#bit) this.#push(0);
        return this;
    }

    /** @param {Buffer} bytes whole octets; the position must be aligned */
    octets(bytes) {
        for (const octet of bytes) this.#octets.push(octet);
        return this;
    }

    #push(bit) {
        if (this.#bit === 0) this.#octets.push(0);
        this.#octets[this.#octets.length - 1] |= bit << this.#bit;
        this.#bit = (this.#bit + 1) & 7;
    }

    get bytes() {
        return Buffer.from(this.#octets);
    }

    /** A stored block. @param {Buffer} data at most 65,535 bytes */
    stored(data, { final = false, complement = ~data.length } = {}) {
        this.value(final ? 1 : 0, 1)
            .value(0, 2)
            .align();
        this.value(data.length, 16).value(complement & 0xffff, 16);
        return this.octets(data);
    }

    /** Opens a block of fixed Huffman codes. */
    fixed({ final = false } = {}) {
        return this.value(final ? 1 : 0, 1).value(1, 2);
    }

    /** A symbol of the fixed literal/length alphabet (RFC 1951 3.2.6). */
    symbol(symbol) {
        if (symbol < 144) return this.code(0x30 + symbol, 8);
        if (symbol < 256) return this.code(0x190 + symbol - 144, 9);
        if (symbol < 280) return this.code(symbol - 256, 7);
        return this.code(0xc0 + symbol - 280, 8);
    }

    /** Literals of the fixed alphabet. @param {Buffer|string} bytes */
    literals(bytes) {
        for (const octet of Buffer.from(bytes)) this.symbol(octet);
        return this;
    }

    /** Ends a fixed block. */
    endOfBlock() {
        return this.symbol(256);
    }

    /** The end of every message: the start of an empty stored block, whose 00 00 ff ff is not sent. */
    message() {
        this.value(0, 3);
        return this.align().bytes;
    }
}
