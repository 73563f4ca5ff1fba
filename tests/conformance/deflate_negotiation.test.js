/**
 * deflate_negotiation.test.js -- which offers of permessage-deflate are taken (RFC 7692 5.1 and 7.1, RFC 6455 9.1).
 *
 * Plenum shares one compressed frame among all members of a room, so it answers an offer always in the same way: no
 * context takeover on either side, windows of 15 bits. What does not fit that is declined, never refused.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Client, heardText } from './support/client.js';
import { deflateMessage } from './support/deflate.js';
import { RSV1, text } from './support/frame.js';
import { upgradeRequest } from './support/http.js';
import { prose } from './support/payloads.js';
import { echoPath, group } from './support/suite.js';

const TAKEN = ['client_no_context_takeover', 'permessage-deflate', 'server_no_context_takeover'];
const TAKEN_15 = [...TAKEN, 'server_max_window_bits=15'].sort();

/** The parts of the one extension in an answer, sorted; an empty list without the header. */
function answeredParts(response) {
    const value = response.headers['sec-websocket-extensions'];
    if (value === undefined) return [];
    return value
        .split(';')
        .map((part) => part.trim().replaceAll('"', ''))
        .sort();
}

/** Offers and the answer: taken as every offer is, taken with a window of 15, or declined. */
const OFFERS = [
    [TAKEN, ['permessage-deflate']],
    [TAKEN, ['permessage-deflate; server_no_context_takeover']],
    [TAKEN, ['permessage-deflate; client_no_context_takeover']],
    [TAKEN, ['permessage-deflate; server_no_context_takeover; client_no_context_takeover']],
    [TAKEN, ['permessage-deflate; client_no_context_takeover; server_no_context_takeover']],
    [TAKEN, ['permessage-deflate; client_max_window_bits']],
    ...range(8, 15).map((bits) => [TAKEN, [`permessage-deflate; client_max_window_bits=${bits}`]]),
    [TAKEN, ['permessage-deflate; client_max_window_bits; server_no_context_takeover; client_no_context_takeover']],
    [TAKEN, ['permessage-deflate; client_max_window_bits=10; server_no_context_takeover']],
    [TAKEN_15, ['permessage-deflate; server_max_window_bits=15']],
    [TAKEN_15, ['permessage-deflate; server_max_window_bits=15; client_max_window_bits']],
    [TAKEN_15, ['permessage-deflate; client_max_window_bits=9; server_max_window_bits=15']],
    [
        TAKEN_15,
        [
            'permessage-deflate; server_max_window_bits=15; client_max_window_bits=15; server_no_context_takeover; ' +
                'client_no_context_takeover',
        ],
    ],
    // quoted values (RFC 6455 9.1)
    [TAKEN_15, ['permessage-deflate; server_max_window_bits="15"']],
    [TAKEN, ['permessage-deflate; client_max_window_bits="10"']],
    [TAKEN_15, ['permessage-deflate; server_max_window_bits="1\\5"']],
    [TAKEN, ['permessage-deflate; client_max_window_bits="\\1\\0"']],
    // white space
    [TAKEN, ['permessage-deflate;client_max_window_bits']],
    [TAKEN, ['permessage-deflate ; client_max_window_bits']],
    [TAKEN, ['permessage-deflate;   client_max_window_bits   ;server_no_context_takeover']],
    [TAKEN, ['permessage-deflate;\tclient_max_window_bits']],
    [TAKEN, ['   permessage-deflate   ']],
    // several offers: the first that can be taken
    [TAKEN, ['permessage-deflate, permessage-deflate']],
    [TAKEN, ['permessage-deflate; server_max_window_bits=10, permessage-deflate']],
    [TAKEN, ['permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits']],
    [TAKEN_15, ['permessage-deflate; server_max_window_bits=9, permessage-deflate; server_max_window_bits=15']],
    [TAKEN, ['permessage-deflate; unknown, permessage-deflate']],
    [TAKEN, ['permessage-deflate; client_max_window_bits=16, permessage-deflate; client_max_window_bits=12']],
    [TAKEN, ['permessage-deflate; a=1, permessage-deflate; b=2, permessage-deflate; c=3, permessage-deflate']],
    [TAKEN, ['permessage-deflate,permessage-deflate; server_max_window_bits=15']],
    [TAKEN_15, ['permessage-deflate; server_max_window_bits=15, permessage-deflate']],
    // other extensions
    [TAKEN, ['x-webkit-deflate-frame, permessage-deflate']],
    [TAKEN, ['permessage-bzip2; level=9, permessage-deflate, mux; max-channels=4; flow-control']],
    [TAKEN, ['foo, bar; baz=2, permessage-deflate']],
    [TAKEN, ['foo; quoted="v", permessage-deflate']],
    [TAKEN, ['foo; quoted="\\v", permessage-deflate']],
    [TAKEN, ['permessage-deflate; client_max_window_bits, x-webkit-deflate-frame; no_context_takeover']],
    // several header fields are one list
    [TAKEN, ['foo', 'permessage-deflate']],
    [TAKEN, ['permessage-deflate', 'foo; bar=1']],
    [TAKEN, ['permessage-deflate; server_max_window_bits=10', 'permessage-deflate']],
    [TAKEN_15, ['permessage-deflate; unknown', 'permessage-deflate; server_max_window_bits=15', 'permessage-deflate']],
    // empty elements of a list (RFC 9110 5.6.1.2)
    [TAKEN, [', permessage-deflate']],
    [TAKEN, ['permessage-deflate,']],
    [TAKEN, ['foo,,permessage-deflate']],
    // declined: windows of the server that we do not have
    ...range(8, 14).map((bits) => [[], [`permessage-deflate; server_max_window_bits=${bits}`]]),
    [[], ['permessage-deflate; server_max_window_bits=8; client_max_window_bits=8']],
    [[], ['permessage-deflate; server_max_window_bits="10"']],
    [[], ['permessage-deflate; server_max_window_bits=9, permessage-deflate; server_max_window_bits=10']],
    // declined: parameters that are not of this extension (7.1)
    [[], ['permessage-deflate; unknown']],
    [[], ['permessage-deflate; unknown=1']],
    [[], ['permessage-deflate; client_max_window_bits; unknown']],
    [[], ['permessage-deflate; server_max_window_bit=15']],
    [[], ['permessage-deflate; max_window_bits=15']],
    [[], ['permessage-deflate; x="quoted"']],
    // declined: the same parameter twice
    ...[
        'server_no_context_takeover; server_no_context_takeover',
        'client_no_context_takeover; client_no_context_takeover',
        'server_max_window_bits=15; server_max_window_bits=15',
        'client_max_window_bits; client_max_window_bits',
        'client_max_window_bits=10; client_max_window_bits=10',
        'client_max_window_bits; client_no_context_takeover; client_max_window_bits=15',
    ].map((parameters) => [[], [`permessage-deflate; ${parameters}`]]),
    // declined: a value where none may be, none where one must be, values that are no number from 8 to 15
    ...[
        'server_no_context_takeover=1',
        'server_no_context_takeover=true',
        'server_no_context_takeover="15"',
        'client_no_context_takeover=1',
        'client_no_context_takeover=false',
        'server_max_window_bits',
        ...[
            '0',
            '1',
            '7',
            '16',
            '17',
            '20',
            '100',
            '08',
            '015',
            '0015',
            '-15',
            '+15',
            '15.0',
            '0xf',
            '1e1',
            'x',
            'fifteen',
        ].flatMap((value) => [`server_max_window_bits=${value}`, `client_max_window_bits=${value}`]),
        'client_max_window_bits="16"',
        'client_max_window_bits="015"',
        'server_max_window_bits=4294967311',
        'client_max_window_bits=18446744073709551631',
    ].map((parameters) => [[], [`permessage-deflate; ${parameters}`]]),
    // no offer of permessage-deflate
    [[], ['foo']],
    [[], ['permessage-deflate2']],
    [[], ['permessage']],
    [[], ['x-webkit-deflate-frame']],
    [[], ['permessage-bzip2, deflate-stream, mux']],
    [[], ['foo; x="permessage-deflate"']],
];

/** Not the grammar of RFC 6455 9.1: the handshake does not hold (4.2.1, 9.1), so 400. */
const MALFORMED = [
    ';',
    '=',
    ';permessage-deflate',
    'permessage-deflate;',
    'permessage-deflate; ;client_max_window_bits',
    'permessage-deflate;; client_max_window_bits',
    'permessage-deflate; client_max_window_bits;',
    'permessage-deflate; =15',
    'permessage-deflate; client_max_window_bits=',
    'permessage-deflate; client_max_window_bits==15',
    'permessage-deflate; client_max_window_bits=15=15',
    'permessage-deflate; client_max_window_bits="15',
    'permessage-deflate; client_max_window_bits=15"',
    'permessage-deflate; client_max_window_bits="15" 15',
    'permessage-deflate; client_max_window_bits=""',
    'permessage-deflate; client_max_window_bits="1 5"',
    'permessage-deflate; client_max_window_bits="1,5"',
    'permessage-deflate; client_max_window_bits="15\\',
    'permessage-deflate; client_max_window_bits=1 5',
    "permessage-deflate; client_max_window_bits='(15)'",
    'permessage-deflate client_max_window_bits',
    'permessage deflate',
    '"permessage-deflate"',
    'permessage-deflate; "client_max_window_bits"',
    'permessage-deflate; client_max_window_bits@15',
    'permessage-deflate/1',
    'permessage-deflate: on',
    'permessage-deflate{}',
    'permessage-deflat\u00e9',
    'foo; bar=, permessage-deflate',
    'permessage-deflate, foo;',
    'permessage-deflate, "foo"',
    'permessage-deflate, foo; x="a b"',
];

function range(from, to) {
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

group('offers of permessage-deflate', (cases) => {
    for (const [expected, offer] of OFFERS) {
        const verdict =
            expected.length === 0 ? 'is declined' : expected === TAKEN_15 ? 'is taken with 15 bits' : 'is taken';
        it(`${offer.join(' | ')} ${verdict}`, async () => {
            const client = await Client.open(cases.target, { path: echoPath(), extensions: offer });
            try {
                assert.deepEqual(answeredParts(client.response), expected);
                const message = prose(2000);
                if (expected.length) {
                    client.send(text(deflateMessage(message), { rsv: RSV1 }), text('plain'));
                    await client.expect(heardText(message), heardText('plain'));
                    await client.closeCleanly();
                } else {
                    client.send(text(message));
                    await client.expect(heardText(message));
                    client.send(text(deflateMessage(message), { rsv: RSV1 }));
                    await client.expectFailure([1002]);
                }
            } finally {
                client.destroy();
            }
        });
    }
    cases.onSocket('without an offer there is no extension in the answer', async (client) => {
        assert.deepEqual(answeredParts(client.response), []);
        await client.closeCleanly();
    });
});

group('offers that are not the grammar', (cases) => {
    for (const value of MALFORMED) {
        cases.refuses(
            `${value} is a bad request`,
            upgradeRequest({ path: echoPath(), headers: { 'Sec-WebSocket-Extensions': value } }),
            [400],
        );
    }
    cases.refuses(
        'a fault in the second of two header fields is a bad request',
        upgradeRequest({ path: echoPath(), headers: { 'Sec-WebSocket-Extensions': ['permessage-deflate', 'foo;'] } }),
        [400],
    );
});

group(
    'with compression switched off',
    (cases) => {
        for (const offer of ['permessage-deflate', 'permessage-deflate; server_max_window_bits=15', 'foo']) {
            cases.onSocket(
                `${offer} is declined`,
                async (client) => {
                    assert.deepEqual(answeredParts(client.response), []);
                    client.send(text(prose(2000)));
                    await client.expect(heardText(prose(2000)));
                    client.send(text(deflateMessage('x'), { rsv: RSV1 }));
                    await client.expectFailure([1002]);
                },
                { extensions: offer },
            );
        }
        cases.refuses(
            'the grammar is checked all the same',
            upgradeRequest({ path: echoPath(), headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate;' } }),
            [400],
        );
    },
    { args: ['--compression', 'off'], ownGateway: true },
);
