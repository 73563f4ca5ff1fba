/**
 * relay.test.js -- two gateways through one Redis relay what clients send.
 */
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';
import { relayPromises } from '../support/relay_promises.js';

relayPromises('two gateways through Redis', async (t) => {
    const redis = await startRedis(t);
    const args = ['--redis', redis.url];
    const [one, other] = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
    return { here: one.url, there: other.url };
});
