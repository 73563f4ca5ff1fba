/**
 * api_page.test.js -- deploy/http-api.md holds: its shell and Python examples are run, and print what the page says.
 * PHP's are only shown.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { mismatch, Shell, stepsOf } from '../support/page_steps.js';
import { connectPlenum } from '../support/plenum_client.js';
import { run } from '../support/program.js';
import { startRedis } from '../support/redis.js';

const PAGE = new URL('../../deploy/http-api.md', import.meta.url);

test('the_page_of_the_http_api_holds', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startGateway(t, { args: ['--redis', redis.url], workers: 1 });
    const ada = await connectPlenum(t, gateway, { hello: { name: 'Ada' } });
    await ada.joined('lobby');
    const relay = await connect(t, `${gateway.url}/rooms/lobby`);

    const shell = new Shell(t, process.env);
    const env = { ...process.env, API: gateway.adminUrl };
    for (const { kind, command, expected } of await stepsOf(PAGE)) {
        if (command.startsWith('API=')) {
            await shell.run(`export API=${gateway.adminUrl}`);
        } else if (kind === 'python') {
            const program = await run('python3', ['-c', command], { env });
            assert.equal(program.stderr, '');
            assert.equal(mismatch(program.stdout.split('\n').slice(0, -1), expected, false), null);
        } else if (kind === 'console') {
            assert.equal(mismatch(await shell.run(command), expected, false), null, command);
        }
    }

    const heard = ada.all('message').map(({ from, offset, data }) => [from, offset, data?.text ?? data]);
    assert.deepEqual(heard[0], ['api', 1, 'hello from a shell']);
    assert.deepEqual(heard[2], ['api', 3, { order: 17 }]);
    assert.deepEqual(heard[3], ['api', 4, 'hello from Python']);
    assert.deepEqual(
        heard.map(([, offset]) => offset),
        [1, 2, 3, 4],
        'the repeated one is there once',
    );
    assert.equal((await ada.waitFor('kicked')).room, 'lobby');
    await relay.waitForCount(4);
    assert.equal(relay.heard[0], '{"text":"hello from a shell"}');
    assert.deepEqual(ada.faults, []);
});
