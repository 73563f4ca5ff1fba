/**
 * ports.js -- a port for a server that cannot choose one by itself, or has to come back on the same one.
 *
 * It lies below the range from which the kernel serves outgoing connections: a port from there could be taken by any
 * client while the server is away, and a client that dials a port of its own range can even connect to itself.
 */
import { randomInt } from 'node:crypto';
import net from 'node:net';

const LOWEST = 10_000;
const HIGHEST = 32_000;

/** @returns {Promise<number>} free a moment ago: the caller tries again when another was faster */
export async function freePort() {
    for (;;) {
        const port = randomInt(LOWEST, HIGHEST);
        const free = await new Promise((resolve) => {
            const server = net.createServer();
            server.once('error', () => resolve(false));
            server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
        });
        if (free) return port;
    }
}
