/**
 * ablated.js -- the gateway with one of its safeguards taken out: build/plenum_ablated, which lies beside the real one.
 *
 * PLENUM_ABLATE names what is missing. What these gateways do to an accounting shows that it can fail.
 */
import path from 'node:path';
import { gatewayBinary } from './gateway.js';

/** gateway.js once more, with the other binary: a module's address with a query is a module of its own. */
async function gatewaysWith(binary) {
    const before = process.env.TEST_GATEWAY;
    process.env.TEST_GATEWAY = binary;
    try {
        return await import('./gateway.js?binary=ablated');
    } finally {
        if (before === undefined) delete process.env.TEST_GATEWAY;
        else process.env.TEST_GATEWAY = before;
    }
}

/**
 * @param {import('node:test').TestContext} t
 * @param {'no-catch-up' | 'fresh-batch' | 'early-ack'} what is missing
 * @param {import('./gateway.js').GatewayOptions} options
 */
export async function startAblatedGateway(t, what, { env, ...options }) {
    const { startGateway } = await gatewaysWith(path.join(path.dirname(gatewayBinary), 'plenum_ablated'));
    return startGateway(t, { ...options, env: { ...env, PLENUM_ABLATE: what } });
}
