/**
 * reserved.test.js -- reserved bits and opcodes (RFC 6455 section 5.2; RFC 7692 section 6).
 */
import {
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    closeBody,
    continuation,
    frame,
    opcodeName,
    ping,
    text,
} from './support/frame.js';
import { heardText } from './support/client.js';
import { chop, group } from './support/suite.js';

const OPCODES = [TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG];
const good = (event) => event.kind === 'text' && event.payload.toString() === 'good';
const rsvName = (rsv) => ['RSV1', 'RSV2', 'RSV3'].filter((_, i) => rsv & (4 >> i)).join('+');
const bodyOf = (opcode) => (opcode === CLOSE ? closeBody(1000) : 'hello');

group('reserved bits', (cases) => {
    for (const extensions of [undefined, 'permessage-deflate']) {
        const where = extensions ? 'with permessage-deflate' : 'without extension';
        for (let rsv = 1; rsv <= 7; rsv++) {
            for (const opcode of OPCODES) {
                if (extensions && rsv === RSV1 && (opcode === TEXT || opcode === BINARY)) continue;
                const kind = `${rsvName(rsv)} on a ${opcodeName(opcode)} ${where}`;
                const started = opcode === CONTINUATION ? [text('begun', { fin: false })] : [];
                cases.fails(
                    `${kind} is a protocol error`,
                    Buffer.concat([...started, frame(opcode, bodyOf(opcode), { rsv })]),
                    [1002],
                    { extensions },
                );
                cases.fails(
                    `${kind} after a good message, with a ping behind`,
                    Buffer.concat([text('good'), ...started, frame(opcode, bodyOf(opcode), { rsv }), ping('never')]),
                    [1002],
                    { extensions, may: good },
                );
            }
            if (extensions && rsv === RSV1) continue;
            cases.fails(
                `${rsvName(rsv)} on an empty text ${where}, octet by octet`,
                chop(frame(TEXT, '', { rsv }), 1),
                [1002],
                { extensions },
            );
            cases.fails(
                `${rsvName(rsv)} on the first of two fragments ${where}`,
                Buffer.concat([frame(TEXT, 'a', { rsv, fin: false }), continuation('b')]),
                [1002],
                { extensions },
            );
        }
    }
});

group('reserved opcodes', (cases) => {
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
        const which = `opcode ${opcode}`;
        cases.fails(`${which}, empty`, frame(opcode), [1002]);
        cases.fails(`${which} with payload`, frame(opcode, 'hello'), [1002]);
        cases.fails(`${which} of 1,000 bytes`, frame(opcode, Buffer.alloc(1000, 'x')), [1002]);
        cases.fails(`${which} without FIN`, frame(opcode, 'hello', { fin: false }), [1002]);
        cases.fails(`${which} octet by octet`, chop(frame(opcode, 'hello'), 1), [1002]);
        cases.fails(`${which} with permessage-deflate`, frame(opcode, 'hello'), [1002], {
            extensions: 'permessage-deflate',
        });
        cases.fails(`${which} with RSV1 and permessage-deflate`, frame(opcode, 'hello', { rsv: RSV1 }), [1002], {
            extensions: 'permessage-deflate',
        });
        cases.fails(
            `${which} between fragments`,
            Buffer.concat([text('a', { fin: false }), frame(opcode, 'hello'), continuation('b')]),
            [1002],
        );
        cases.fails(
            `${which} after a good message, with a ping behind`,
            Buffer.concat([text('good'), frame(opcode, 'hello'), ping('never')]),
            [1002],
            { may: good },
        );
        cases.onSocket(`${which} once the echo of a good message is here`, async (client) => {
            client.send(text('good'));
            await client.expect(heardText('good'));
            client.send(frame(opcode), ping('never'));
            await client.expectFailure([1002]);
        });
    }
});
