/**
 * local_bus.test.js -- one gateway without Redis keeps the same promises, with one worker and with four.
 */
import { startGateway } from '../support/gateway.js';
import { relayPromises } from '../support/relay_promises.js';

for (const workers of [1, 4]) {
    relayPromises(`the local bus, ${workers === 1 ? 'one worker' : `${workers} workers`}`, async (t) => {
        const gateway = await startGateway(t, { workers });
        return { here: gateway.url, there: gateway.url };
    });
}
