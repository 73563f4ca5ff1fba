/**
 * payloads.js -- bytes to send: the same in every run.
 */

/** A small generator of pseudo-random 32-bit numbers (mulberry32). @param {number} seed */
export function generator(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return (t ^ (t >>> 14)) >>> 0;
    };
}

/** Bytes that do not compress. @param {number} length @param {number} [seed] */
export function noise(length, seed = length + 1) {
    const next = generator(seed);
    const bytes = Buffer.alloc(length + 3);
    for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(next(), Math.min(at, length - 1));
    return bytes.subarray(0, length);
}

/** ASCII text that compresses a little. @param {number} length */
export function letters(length) {
    const next = generator(length + 7);
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at++) bytes[at] = 0x61 + (next() % 26);
    return bytes;
}

/** Text in several scripts, cut between characters. @param {number} length at most so many bytes, at least 3 fewer */
export function prose(length) {
    const sentence = Buffer.from(
        'The quick brown fox, der flinke Fuchs, ταχεῖα ἀλώπηξ, 敏捷的狐狸, быстрая лиса, 🦊. ',
    );
    const bytes = Buffer.alloc(length, sentence);
    let end = length;
    while (end > 0 && (sentence[end % sentence.length] & 0xc0) === 0x80) end--;
    return bytes.subarray(0, end);
}

/** What programs say to each other: JSON with some variety. @param {number} length */
export function records(length) {
    const next = generator(length + 11);
    const lines = [];
    for (let size = 0; size < length;) {
        const line = JSON.stringify({
            id: next(),
            kind: 'position',
            x: next() % 1000,
            y: next() % 1000,
            name: `n${next() % 50}`,
        });
        lines.push(line);
        size += line.length + 1;
    }
    return Buffer.from(lines.join('\n')).subarray(0, length);
}
