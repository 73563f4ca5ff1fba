/**
 * random.js -- chance that can be had again: a generator with a seed (mulberry32).
 *
 * Only the choices come back with the seed, not the timing of the processes that they are made for.
 */
import { randomInt } from 'node:crypto';

/** The seed that the environment variable names, or a new one. @param {string} variable */
export function seedFrom(variable) {
    return Number(process.env[variable] ?? randomInt(2 ** 31));
}

export class Random {
    #state;

    /** @param {number} seed */
    constructor(seed) {
        this.#state = seed >>> 0;
    }

    /** From 0, included, to 1. */
    next() {
        this.#state = (this.#state + 0x6d2b79f5) >>> 0;
        let mixed = this.#state;
        mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    }

    /** A whole number from `low` to `high`, both included. @param {number} low @param {number} high */
    between(low, high) {
        return low + Math.floor(this.next() * (high - low + 1));
    }

    /** @param {number} probability */
    chance(probability) {
        return this.next() < probability;
    }

    /** @template T @param {T[]} list @returns {T} */
    pick(list) {
        return list[this.between(0, list.length - 1)];
    }

    /** A copy in another order. @template T @param {T[]} list @returns {T[]} */
    shuffled(list) {
        const copy = [...list];
        for (let i = copy.length - 1; i > 0; i--) {
            const j = this.between(0, i);
            [copy[i], copy[j]] = [copy[j], copy[i]];
        }
        return copy;
    }
}
