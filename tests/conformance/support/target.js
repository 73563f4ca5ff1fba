/**
 * target.js -- what the suite runs against: a gateway of its own, or the one that TEST_TARGET=host:port names.
 */
import { Gateway } from '../../support/gateway.js';

/**
 * @param {string[]} args further arguments of the gateway
 * @returns {Promise<{host: string, port: number, finish: () => Promise<void>}>} `finish` fails when the gateway has
 *     ended by itself or left a sanitizer's report
 */
export async function startTarget(args) {
    if (process.env.TEST_TARGET) {
        const [, host, port] = /^(.*):([0-9]+)$/.exec(process.env.TEST_TARGET);
        return { host, port: Number(port), finish: async () => {} };
    }
    const gateway = new Gateway({ args });
    await gateway.listening();
    return gateway;
}
