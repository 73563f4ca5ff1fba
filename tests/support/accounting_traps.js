/**
 * accounting_traps.js -- situations into which a gateway falls that lacks one of its safeguards, each made to happen.
 *
 * Ada is on a gateway with a direct way to Redis, Ben on one behind a proxy. A sound gateway comes out of each with a clean
 * account; the one that lacks the safeguard must not.
 */
import { onEnd } from './cleanup.js';
import { Ledger } from './accounting.js';
import { judge } from './accounting_judge.js';
import { startRedis } from './redis.js';
import { startRedisProxy } from './redis_proxy.js';
import { Seat } from './seat.js';
import { elapse, waitUntil, within } from './wait.js';

const ROOM = 'hall';

/** Shorter than the second after which a gateway takes its subscription for deaf. */
const HOLD_MS = 600;

/** @typedef {(options: import('./gateway.js').GatewayOptions) => Promise<{url: string}>} Start */

/** @param {import('node:test').TestContext} t @param {Start} start */
async function enter(t, start) {
    const redis = await startRedis(t, { appendOnly: true, config: ['appendfsync always'] });
    const proxy = await startRedisProxy(t, redis);
    const near = await start({ args: ['--redis', redis.url] });
    const far = await start({ args: ['--redis', proxy.url] });
    const ledger = new Ledger();
    const ada = new Seat('ada', [ROOM], ledger);
    const ben = new Seat('ben', [ROOM], ledger);
    onEnd(t, () => Promise.all([ada.finish(), ben.finish()]));
    await ada.come(near.url);
    await ben.come(far.url);
    return { proxy, near, far, ledger, ada, ben };
}

/** @param {Seat} seat @param {Parameters<Seat['say']>[1]} [options] */
async function saysAndIsAcked(seat, options) {
    const { reply } = seat.say(ROOM, options);
    const { type, code } = await within(`the ack of ${seat.name}`, reply);
    if (type !== 'ack') throw new Error(`${seat.name}'s message was answered with ${code ?? type}`);
}

/** A last word that both hear: whatever was to come before it has come. */
async function close({ ledger, ada, ben }) {
    await saysAndIsAcked(ada);
    await waitUntil('both to hear the last word', () => ledger.behind.length === 0);
    await Promise.all([ada.finish(), ben.finish()]);
    return judge(ledger);
}

/**
 * The reply to a batch is lost, and the batch sent again. No keys: with them, the key would catch what the batch's number
 * should have caught.
 * @param {import('node:test').TestContext} t @param {Start} start
 */
export async function replyIsLost(t, start) {
    const stage = await enter(t, start);
    for (let i = 1; i <= 5; i++) {
        const lost = stage.proxy.loseReplyTo(`ben-${i}"`);
        const { reply } = stage.ben.say(ROOM, { keyed: false });
        await within('the reply to be lost', lost);
        await within('an answer all the same', reply);
    }
    return close(stage);
}

/**
 * Messages are said while a gateway's subscription is away, and while a member is.
 * @param {import('node:test').TestContext} t @param {Start} start
 */
export async function saidMeanwhile(t, start) {
    const stage = await enter(t, start);
    const { proxy, far, ledger, ada, ben } = stage;
    await saysAndIsAcked(ada);
    proxy.refuses = true;
    proxy.cutSubscribers();
    for (let i = 0; i < 5; i++) await saysAndIsAcked(ada);
    proxy.refuses = false;
    // Whatever Ben hears next, after this, comes over a subscription that is back.
    const heardBefore = ledger.record('ben', ROOM).top;
    await waitUntil(
        'Ben to hear again',
        async () => {
            await saysAndIsAcked(ada);
            return ledger.record('ben', ROOM).top > heardBefore;
        },
        { everyMs: 100 },
    );
    await ben.vanish();
    for (let i = 0; i < 5; i++) await saysAndIsAcked(ada);
    await ben.come(far.url);
    return close(stage);
}

/**
 * A member's message is in the log while what was said before it is still on its way to him.
 * @param {import('node:test').TestContext} t @param {Start} start
 */
export async function ackCouldOvertake(t, start) {
    const stage = await enter(t, start);
    const { proxy, ada, ben } = stage;
    for (let i = 0; i < 3; i++) {
        proxy.holdSubscribers();
        await saysAndIsAcked(ada);
        const { reply } = ben.say(ROOM);
        await Promise.race([reply, elapse(HOLD_MS)]);
        proxy.releaseSubscribers();
        await within('the ack of Ben', reply);
        await waitUntil('both to have both', () => stage.ledger.behind.length === 0);
    }
    return close(stage);
}

/**
 * The same, and he goes as soon as he has his ack, to come back from there. Where the ack waits for its place there is
 * nothing to go with before he has everything.
 * @param {import('node:test').TestContext} t @param {Start} start
 */
export async function leaveAfterAck(t, start) {
    const stage = await enter(t, start);
    const { proxy, near, ada, ben } = stage;
    proxy.holdSubscribers();
    await saysAndIsAcked(ada);
    const { reply } = ben.say(ROOM);
    await Promise.race([reply, elapse(HOLD_MS)]);
    if (ben.open.size === 0) await ben.vanish();
    proxy.releaseSubscribers();
    await within('the ack of Ben', reply);
    if (!ben.client.closing) await ben.vanish();
    await ben.come(near.url);
    return close(stage);
}
