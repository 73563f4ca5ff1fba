/**
 * cleanup.js -- what a test leaves behind is ended in reverse order, all of it, even when one ending fails.
 *
 * (Hooks given to t.after one by one run first to last, and stop at the first that throws.)
 */

/** @type {WeakMap<object, Array<() => unknown>>} */
const endings = new WeakMap();

/**
 * Runs `end` when the test is over. An ending that throws fails the test.
 * @param {import('node:test').TestContext} t
 * @param {() => unknown} end
 */
export function onEnd(t, end) {
    const known = endings.get(t);
    if (known) {
        known.push(end);
        return;
    }
    const list = [end];
    endings.set(t, list);
    t.after(async () => {
        const problems = [];
        while (list.length > 0) {
            try {
                await list.pop()();
            } catch (error) {
                problems.push(error);
            }
        }
        if (problems.length === 1) throw problems[0];
        if (problems.length > 1) throw new AggregateError(problems, problems.map((p) => p.message).join('\n'));
    });
}
