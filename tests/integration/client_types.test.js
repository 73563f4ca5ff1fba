/**
 * client_types.test.js -- the JavaScript client's declarations are those of its source, and a strict TypeScript program can
 * use them.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onEnd } from '../support/cleanup.js';
import { run } from '../support/program.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = path.join(ROOT, 'tests/node_modules/.bin/tsc');

const PROGRAM = `
import { connect, Connection, PlenumError, Room } from './client/plenum.js';
import type { Member, Message, Position } from './client/plenum.js';

const connection: Connection = connect('wss://example.org/connect', { name: 'Ada', WebSocket, backoff: { maxMs: 5000 } });
connection.on('state', ({ state, retryMs }) => console.log(state === 'offline' ? (retryMs ?? 0).toFixed() : state));
connection.on('media', ({ data }) => console.log(data.byteLength));

async function main(): Promise<number> {
    const room: Room = await connection.join('lobby', { info: { color: 'red' }, history: 50 });
    const position: Position | null = room.position;
    const stop: () => void = room.on('message', (message: Message) => console.log(message.user?.length, message.data.text));
    room.on('leave', (member) => console.log(member.reason, member.name));
    room.on('epoch', ({ lossy }) => console.log(lossy === 'maybe'));
    stop();
    const everyone: Member[] = [...room.members.values()];
    try {
        const { offset } = await room.publish({ text: 'hello' }, { key: 'k' });
        await room.signal(everyone[0]!.member, { offer: position });
        const { messages, more } = await room.history({ before: offset, limit: 10 });
        await room.update({ hand: more });
        return messages.length;
    } catch (error) {
        return error instanceof PlenumError && error.code === 'outcome_unknown' ? 1 : 0;
    } finally {
        await room.leave();
        connection.close();
    }
}
void main();
`;

/** Each of these has one mistake, in its last line. */
const MISTAKES = {
    'an unknown event': "room.on('massage', () => {});",
    'a misspelt field of an event': "room.on('signal', ({ form }) => form);",
    'an unknown option': "connect('wss://example.org/', { nmae: 'Ada' });",
    'a number for a room': 'connect().join(7);',
    'a change of the members': "room.members.set('a', { member: 'a', since: 1 });",
};

/** Compiles programs against the client's declarations; the answer is what the compiler complains of. */
async function compile(t, programs) {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'plenum-types-'));
    onEnd(t, () => rm(folder, { recursive: true, force: true }));
    await symlink(path.join(ROOT, 'gateway/web/client'), path.join(folder, 'client'));
    await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
    const files = programs.map((_, i) => path.join(folder, `program${i}.ts`));
    await Promise.all(files.map((file, i) => writeFile(file, programs[i])));
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom'];
    const { stdout } = await run(TSC, [...options, ...files], { seconds: 60 });
    return stdout;
}

describe('the declarations of the JavaScript client', () => {
    test('are_those_of_its_source', async () => {
        const { ended, stdout, stderr } = await run(path.join(ROOT, 'scripts/types'), ['--check'], { seconds: 60 });
        assert.equal(ended.code, 0, stdout + stderr);
    });

    test('serve_a_strict_program', async (t) => {
        assert.equal(await compile(t, [PROGRAM]), '');
    });

    test('find_mistakes', async (t) => {
        const head = "import { connect } from './client/plenum.js';\nconst room = await connect('wss://example.org/').join('a');\nvoid room;\n";
        const complaints = await compile(t, Object.values(MISTAKES).map((line) => head + line));
        for (const [i, what] of Object.keys(MISTAKES).entries()) {
            assert.match(complaints, new RegExp(`program${i}\\.ts\\(4,\\d+\\): error`), what);
        }
        assert.equal(complaints.match(/error TS/g).length, Object.keys(MISTAKES).length, complaints);
    });
});
