/**
 * wait.js -- waiting with a deadline: for a condition, for a promise, or (where time itself is what a test applies) for time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { patience } from './scale.js';

/** Seconds after which a wait has failed, unless the caller says otherwise. Generous: a deadline is not an assertion. */
const DEFAULT_SECONDS = 15;

/**
 * Polls until the condition gives something truthy, and returns that.
 * An exception of the condition counts as "not yet"; the last one is named when the deadline passes.
 * @template T
 * @param {string} what is waited for; stands in the error
 * @param {() => T | Promise<T>} condition
 * @param {{seconds?: number, everyMs?: number}} [options]
 * @returns {Promise<T>}
 */
export async function waitUntil(what, condition, { seconds = DEFAULT_SECONDS, everyMs = 20 } = {}) {
    const deadline = Date.now() + seconds * 1000 * patience;
    for (;;) {
        let problem = '';
        try {
            const value = await condition();
            if (value) return value;
        } catch (error) {
            problem = `: ${error.message}`;
        }
        if (Date.now() > deadline) throw new Error(`waited ${seconds * patience} s in vain for ${what}${problem}`);
        await delay(everyMs);
    }
}

/**
 * The promise, or an error when the deadline passes first.
 * @template T
 * @param {string} what is waited for; stands in the error
 * @param {Promise<T>} promise
 * @param {number} [seconds]
 * @returns {Promise<T>}
 */
export async function within(what, promise, seconds = DEFAULT_SECONDS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(
            () => reject(new Error(`waited ${seconds * patience} s in vain for ${what}`)),
            seconds * 1000 * patience,
        );
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/**
 * Lets time pass: for a test whose stimulus is a duration (a hang of five seconds), never to wait for an effect.
 * @param {number} ms
 */
export async function elapse(ms) {
    await delay(ms);
}

/** Lets everything that is ready in this process's loop happen: a turn of the event loop. */
export function turn() {
    return new Promise((resolve) => setImmediate(resolve));
}
