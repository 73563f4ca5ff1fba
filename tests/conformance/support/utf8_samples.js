/**
 * utf8_samples.js -- byte strings that are UTF-8 (RFC 3629), and byte strings that are not, by kind of fault.
 */

const bytes = (digits) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
/** The bit pattern of UTF-8 for any number below 2^31, also where RFC 3629 forbids it. */
function pattern(value, length) {
    if (length === 1) return [value];
    const out = [];
    for (let i = length - 1; i > 0; i--) {
        out[i] = 0x80 | (value & 0x3f);
        value >>>= 6;
    }
    out[0] = ((0xff00 >> length) & 0xff) | value;
    return out;
}
const shortest = (value) =>
    Buffer.from(
        pattern(
            value,
            value < 0x80
                ? 1
                : value < 0x800
                  ? 2
                  : value < 0x10000
                    ? 3
                    : value < 0x200000
                      ? 4
                      : value < 0x4000000
                        ? 5
                        : 6,
        ),
    );
const overlong = (value, length) => Buffer.from(pattern(value, length));

/** A name for a test. @param {Buffer} sample */
export const utf8Name = (sample) =>
    sample.length
        ? sample.subarray(0, 24).toString('hex') + (sample.length > 24 ? `...${sample.length}` : '')
        : '(empty)';

/** Borders of the encoding's lengths, of the surrogates, and of Unicode itself. */
const BORDERS = [
    0x00, 0x01, 0x0a, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fe, 0x7ff, 0x800, 0x801, 0xfff, 0x1000,
    0xcfff, 0xd000, 0xd7fe, 0xd7ff, 0xe000, 0xe001, 0xfeff, 0xfffc, 0xfffd, 0xffff, 0x10000, 0x10001, 0x3ffff, 0x40000,
    0xfffff, 0x100000, 0x10fffe, 0x10ffff,
];
/** Noncharacters are code points like any other to UTF-8: valid. */
const NONCHARACTERS = [0xfdd0, 0xfdef, 0xfffe];
for (let plane = 1; plane <= 16; plane++) NONCHARACTERS.push(plane * 0x10000 + 0xfffe, plane * 0x10000 + 0xffff);

const GREEK = Buffer.from('κόσμε');
const MIXED = Buffer.from('Hello-µ@ßöäüàá-UTF-8!! 日本 🦊 ');

/** @type {Buffer[]} */
export const VALID_UTF8 = [
    ...new Map(
        [
            Buffer.alloc(0),
            GREEK,
            MIXED,
            ...[2, 3, 5, 8, 9, 11]
                .map((length) => Buffer.from('κὅσμε').subarray(0, length))
                .filter((cut) => isWhole(cut)),
            ...[...BORDERS, ...NONCHARACTERS].map(shortest),
            Buffer.from('hello$world'),
            Buffer.from('hello¢world'),
            Buffer.from('hello€world'),
            Buffer.from('hello𤭢world'),
            Buffer.from('e\u0301\u200d\u202e\ufe0f'),
            Buffer.from('\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466}'),
            Buffer.from('\ufeffwith a byte order mark'),
            Buffer.from('a\0b'),
        ].map((sample) => [sample.toString('hex'), sample]),
    ).values(),
];

function isWhole(cut) {
    return Buffer.from(cut.toString()).equals(cut);
}

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** By kind of fault. @type {Record<string, Buffer[]>} */
export const INVALID_BY_KIND = {
    'a continuation octet without start': [
        ...['80', '81', '8f', '90', '9f', 'a0', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf'].map(
            bytes,
        ),
        Buffer.from(range(0x80, 0xbf)),
    ],
    'a start octet without continuation': [
        ...['c2', 'df', 'e0', 'e1', 'ed', 'ef', 'f0', 'f1', 'f3', 'f4'].map(bytes),
        ...['c220', 'df20', 'e020', 'ef20', 'f020', 'f420'].map(bytes),
        Buffer.from(range(0xc2, 0xdf).flatMap((octet) => [octet, 0x20])),
        Buffer.from(range(0xe0, 0xef).flatMap((octet) => [octet, 0x20])),
        Buffer.from(range(0xf0, 0xf4).flatMap((octet) => [octet, 0x20])),
    ],
    'the last octet missing': ['e0a0', 'e282', 'ed9f', 'efbf', 'f09080', 'f0a4ad', 'f48fbf'].map(bytes),
    'the last two octets missing': ['f090', 'f1bf', 'f48f'].map(bytes),
    'an octet in the middle missing': ['e2ac', 'e28241', 'f0a4a2', 'f0a4ad41', 'f09f4180', 'c3c3a4', 'e2e282ac'].map(
        bytes,
    ),
    'incomplete ones in a row': [bytes('c0e080f08080dfefbff7bfbf'), bytes('c2e282f09f98'), bytes('e282e282ac')],
    'an impossible octet': [
        'c0',
        'c1',
        'f5',
        'f6',
        'f7',
        'f8',
        'fb',
        'fc',
        'fd',
        'fe',
        'ff',
        'fefeffff',
        'f5808080',
    ].map(bytes),
    'an overlong solidus': range(2, 6).map((length) => overlong(0x2f, length)),
    'an overlong NUL': range(2, 6).map((length) => overlong(0, length)),
    'the largest overlong': [
        overlong(0x7f, 2),
        overlong(0x7ff, 3),
        overlong(0xffff, 4),
        overlong(0x1fffff, 5),
        overlong(0x3ffffff, 6),
    ],
    'an overlong one of other sorts': [overlong(0x80, 3), overlong(0x20ac, 4), overlong(0x41, 2), overlong(0x1f98a, 5)],
    'a single surrogate': [0xd800, 0xd801, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff].map(shortest),
    'a pair of surrogates': [0xd800, 0xdb7f, 0xdb80, 0xdbff].flatMap((high) =>
        [0xdc00, 0xdfff].map((low) => Buffer.concat([shortest(high), shortest(low)])),
    ),
    'a number beyond U+10FFFF': [
        0x110000, 0x110001, 0x13ffff, 0x140000, 0x1fffff, 0x200000, 0x3ffffff, 0x4000000, 0x7fffffff,
    ].map(shortest),
    'a fault between good text': [
        Buffer.concat([GREEK, bytes('eda080'), Buffer.from('edited')]),
        Buffer.concat([GREEK, bytes('f4908080'), Buffer.from('edited')]),
        Buffer.concat([Buffer.from('hello'), bytes('ff'), Buffer.from('world')]),
        Buffer.from('smörgåsbord', 'latin1'),
    ],
};

/** @type {Buffer[]} */
export const INVALID_UTF8 = Object.values(INVALID_BY_KIND).flat();
