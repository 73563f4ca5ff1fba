/**
 * scale.js -- how much a test does, and how long it waits.
 *
 * TEST_SANITIZER=address|thread says that the gateway is an instrumented build: sizes go down and deadlines up.
 * TEST_WORKERS=N gives every gateway that does not ask otherwise N workers.
 */

/** The sanitizer that the gateway was built with: 'address', 'thread' or ''. */
export const sanitizer = process.env.TEST_SANITIZER ?? '';

/** Event loops of a gateway that a test starts without saying how many. */
export const defaultWorkers = Number(process.env.TEST_WORKERS ?? 1);

/** Deadlines are multiplied by this: machines are noisy, and instrumented code is slow. */
export const patience = sanitizer ? 4 : 1;

/**
 * The size for this run.
 * @template T
 * @param {T} plain without a sanitizer
 * @param {T} sanitized with one
 * @returns {T}
 */
export function scaled(plain, sanitized) {
    return sanitizer ? sanitized : plain;
}
