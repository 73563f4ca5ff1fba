/**
 * flow.js -- does a room flow, and since when?
 */
import { Client } from './client.js';
import { onEnd } from './cleanup.js';
import { waitUntil } from './wait.js';

/**
 * Says something in a room every 50 ms, as often as it takes, until all listeners have heard one of these messages.
 * The speaker comes back when it is closed or refused, as a client would.
 * @param {import('node:test').TestContext} t
 * @param {string} url the speaker's way into the room
 * @param {import('./client.js').Client[]} listeners
 * @param {{seconds?: number}} [options]
 * @returns {Promise<number>} how long it took, ms
 */
export async function untilItFlows(t, url, listeners, { seconds = 20 } = {}) {
    const begun = Date.now();
    const marks = listeners.map((listener) => listener.messages.length);
    const word = `flowing-${begun}-${Math.random()}`;
    let speaker = new Client(url);
    onEnd(t, () => speaker.terminate());
    await waitUntil(
        'messages to flow',
        () => {
            if (speaker.closing) speaker = new Client(url);
            else if (speaker.isOpen) speaker.send(word);
            return listeners.every((listener, i) => listener.messages.slice(marks[i]).some(({ data }) => data === word));
        },
        { seconds, everyMs: 50 },
    );
    return Date.now() - begun;
}

/** What a listener heard of what was really said: without the words of untilItFlows. */
export function withoutFlow(listener) {
    return listener.heard.filter((text) => !String(text).startsWith('flowing-'));
}
