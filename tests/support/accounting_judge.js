/**
 * accounting_judge.js -- what a ledger amounts to: messages lost, duplicated, reordered, and what contradicts itself.
 *
 * The rules, for each member and room:
 *   - From its first `joined` on, every acked message with a higher offset has to be there once. A `gap` excuses the
 *     offsets that it names; `recovered: false` after a resume, and an `epoch` with `lossy: true`, excuse what lies between
 *     the end of the old stretch and the beginning of the new one. Excused messages are counted by themselves. An epoch
 *     that follows on the old one (`lossy: "maybe"`) excuses nothing, unless the judge is told that tails may go: then it
 *     excuses what nobody heard again after it.
 *   - Offsets only grow, over messages and acks alike. A message with a lower offset than what came before it, an ack
 *     included, is out of order; an ack with a lower one is late. Only the ack of a repeat may come late.
 *   - Own messages: the ack stands for the message, and is owed nothing else. Coming back, one may get it as a message
 *     too, once, as said by the member that one was before.
 *   - Offsets have no holes in an epoch, so that a skipped one is a message missed even if nobody had an ack for it.
 *   - One message has one place in the log, and a place has one message; nobody hears what was denied with `unavailable`,
 *     or what was said elsewhere.
 */

/** Offsets leap by so much, at least, when an epoch begins. */
const EPOCH_LEAP = 2 ** 20;

/** More faults than these are only counted. */
const FAULTS_TOLD = 40;

/**
 * @typedef {object} Verdict
 * @property {number} acked messages, each counted once
 * @property {number} delivered messages of others, for each member that got them
 * @property {number} byCatchUp those among them that came as replay
 * @property {number} lost
 * @property {number} duplicated
 * @property {number} reordered messages after something with a higher offset
 * @property {number} lateAcks acks of new messages after something with a higher offset
 * @property {number} holes offsets skipped whose messages nobody had an ack for
 * @property {number} contradictions
 * @property {number} excused acked messages missed, and said to be
 * @property {number} gaps notices of them
 * @property {number} resets `recovered: false` after a resume, and epochs with `lossy: true`
 * @property {number} epochs changes that members were told of
 * @property {number} unknown messages sent that never got an answer (each may have been heard, once)
 * @property {string[]} faults in words, the first of them
 */

/** Which epochs of a room follow on each other without a known loss: offsets are comparable among them. */
class Lineages {
    /** @type {Map<string, string>} */
    #parents = new Map();

    /** @param {string} epoch @returns {string} the same for all epochs of a lineage */
    of(epoch) {
        const parent = this.#parents.get(epoch);
        return parent === undefined ? epoch : this.of(parent);
    }

    join(one, other) {
        const [from, to] = [this.of(one), this.of(other)];
        if (from !== to) this.#parents.set(from, to);
    }
}

/** What stands where in a room's log, as all its members together say. */
class Log {
    lineages = new Lineages();
    /** @type {Map<string, string>} "lineage offset" -> id */
    #ids = new Map();
    /** @type {Map<string, Array<{lineage: string, offset: number}>>} id -> where it stands; more than one is a fault */
    #places = new Map();
    /** @type {Map<string, {id: string, lineage: string, offset: number}>} what was acked, by "lineage offset" */
    acked = new Map();
    /** Epoch -> where it began, as far as members were told. @type {Map<string, number>} */
    #bases = new Map();
    /** What came out of a log that had begun a new epoch since, by "lineage offset". @type {Set<string>} */
    survived = new Set();

    /** @param {import('./accounting.js').Record[]} records @param {(fault: string) => void} contradict */
    constructor(records, contradict) {
        for (const { events } of records) {
            walk(events, (event, from) => {
                if (follows(event)) this.lineages.join(from, event.epoch);
                if (event.kind === 'epoch') this.#bases.set(event.epoch, event.offset);
            });
        }
        for (const record of records) {
            walk(record.events, (event, epoch) => {
                if (event.kind !== 'message' && event.kind !== 'ack') return;
                const lineage = this.lineages.of(epoch);
                this.#place(record, event, lineage, contradict);
                if (event.offset <= this.#bases.get(epoch)) this.survived.add(`${lineage} ${event.offset}`);
            });
        }
    }

    #place({ name, room }, { kind, id, offset }, lineage, contradict) {
        const place = `${lineage} ${offset}`;
        const there = this.#ids.get(place);
        if (there === undefined) this.#ids.set(place, id);
        else if (there !== id) contradict(`${room}: offset ${offset} is ${there} and ${id} (${name})`);
        const places = this.#places.get(id) ?? [];
        if (!places.some((known) => known.lineage === lineage && known.offset === offset)) {
            places.push({ lineage, offset });
            const offsets = places.filter((known) => known.lineage === lineage).map((known) => known.offset);
            if (offsets.length > 1) contradict(`${room}: ${id} stands at offsets ${offsets.join(' and ')}`);
        }
        this.#places.set(id, places);
        if (kind === 'ack') this.acked.set(place, { id, lineage, offset });
    }

    /** @returns {string | undefined} */
    idAt(lineage, offset) {
        return this.#ids.get(`${lineage} ${offset}`);
    }
}

/** Calls back for each event with the epoch that is known after it (for a change of epoch: before it). */
function walk(events, each) {
    let epoch;
    for (const event of events) {
        if (event.kind === 'joined') {
            each(event, event.resume?.epoch);
            ({ epoch } = event);
        } else if (event.kind === 'epoch') {
            each(event, epoch);
            ({ epoch } = event);
        } else {
            each(event, epoch);
        }
    }
}

/** True for an event that says: this epoch continues the one before. */
function follows(event) {
    if (event.kind === 'joined') return event.recovered && event.resume !== undefined;
    return event.kind === 'epoch' && event.lossy !== true;
}

/** One member's way through one room. */
class Journey {
    /** How often each message came. @type {Map<string, number>} */
    #heard = new Map();
    /** @type {Map<string, number>} own messages that were acked -> offset */
    #answered = new Map();
    /** Stretches without an excuse. @type {Array<{lineage: string, after: number, to: number}>} */
    #stretches = [];
    /** @type {Array<{lineage: string, from: number, to: number}>} */
    #gaps = [];
    /** @type {Array<{lineage: string, from: number, to: number}>} */
    #skipped = [];
    /** From the last of one epoch to the first of the next. @type {Array<{lineage: string, from: number, to: number}>} */
    #leaps = [];
    #epoch;
    #left = new Set();
    #top = 0;
    #joinedAt = 0;

    constructor(record, log, statements, verdict, tailsMayGo) {
        this.record = record;
        this.tailsMayGo = tailsMayGo;
        this.log = log;
        this.statements = statements;
        this.verdict = verdict;
    }

    #fault(column, text) {
        this.verdict[column]++;
        if (this.verdict.faults.length < FAULTS_TOLD) {
            this.verdict.faults.push(`${column}: ${this.record.name} in ${this.record.room}: ${text}`);
        }
    }

    get #lineage() {
        return this.log.lineages.of(this.#epoch);
    }

    #isOwn(id) {
        return this.statements.get(id)?.sender === this.record.name;
    }

    run() {
        for (const event of this.record.events) {
            if (this.#epoch !== undefined || event.kind === 'joined') this.#take(event);
            else this.#fault('contradictions', `${event.kind} before joined`);
        }
        if (this.#epoch === undefined) return;
        this.#stretches.at(-1).to = this.record.stays ? Infinity : this.#top;
        this.#settle();
    }

    #take(event) {
        if (event.kind === 'joined') this.#joined(event);
        else if (event.kind === 'message') this.#message(event);
        else if (event.kind === 'ack') this.#ack(event);
        else if (event.kind === 'gap') this.#gap(event);
        else this.#newEpoch(event);
    }

    #enter(epoch) {
        if (epoch === this.#epoch) return;
        if (this.#epoch !== undefined) {
            this.#left.add(this.#epoch);
            this.verdict.epochs++;
        }
        if (this.#left.has(epoch)) this.#fault('contradictions', `epoch ${epoch} again, after it was left`);
        this.#epoch = epoch;
    }

    #begin(offset) {
        if (this.#stretches.length > 0) {
            this.#stretches.at(-1).to = this.#top;
            this.verdict.resets++;
        }
        this.#stretches.push({ lineage: this.#lineage, after: offset, to: Infinity });
        this.#top = offset;
    }

    #joined({ epoch, offset, recovered, lossy, resume, history }) {
        if (this.#stretches.length === 0) {
            this.#enter(epoch);
            this.#begin(offset);
            if (history > 0) this.#top = 0;
            if (recovered) this.#fault('contradictions', 'recovered, without a resume');
        } else {
            if (recovered && epoch !== resume.epoch && lossy !== 'maybe') {
                this.#fault('contradictions', `recovered into another epoch, and lossy is ${lossy}`);
            }
            this.#enter(epoch);
            if (!recovered) this.#begin(offset);
            else if (offset < resume.offset) {
                this.#fault('contradictions', `joined at ${offset}, resumed at ${resume.offset}`);
            }
        }
        this.#joinedAt = offset;
    }

    #newEpoch({ epoch, offset, lossy }) {
        this.#enter(epoch);
        if (lossy === true) {
            this.#begin(offset);
        } else {
            this.#leap(offset);
            this.#top = Math.max(this.#top, offset);
        }
        if (lossy !== true && lossy !== 'maybe') this.#fault('contradictions', `a new epoch whose lossy is ${lossy}`);
    }

    #gap({ from, to }) {
        this.verdict.gaps++;
        if (to < from || to <= this.#top) this.#fault('contradictions', `a gap from ${from} to ${to} after ${this.#top}`);
        this.#gaps.push({ lineage: this.#lineage, from, to });
        this.#top = Math.max(this.#top, to);
    }

    #message({ id, offset, self }) {
        const statement = this.statements.get(id);
        if (!statement || statement.room !== this.record.room) {
            this.#fault('contradictions', `heard ${id}, which nobody said here`);
            return;
        }
        if (statement.denied && !statement.keyed) this.#fault('contradictions', `heard ${id}, which was never sent`);
        if (self && offset > this.#joinedAt) this.#fault('contradictions', `heard its own ${id} live`);
        const times = (this.#heard.get(id) ?? 0) + 1;
        this.#heard.set(id, times);
        const own = this.#isOwn(id);
        if (times > 1) {
            this.#fault('duplicated', `${id} at ${offset} for the ${times}. time`);
            return;
        }
        if (!own) {
            this.verdict.delivered++;
            if (offset <= this.#joinedAt) this.verdict.byCatchUp++;
        }
        if (own && this.#answered.get(id) === offset && offset <= this.#top) return;
        if (offset <= this.#top) this.#fault('reordered', `${id} at ${offset} after ${this.#top}`);
        else this.#advance(offset);
    }

    #ack({ id, offset, repeat }) {
        const before = this.#answered.get(id);
        if (before !== undefined && before !== offset) {
            this.#fault('contradictions', `${id} was acked at ${before} and at ${offset}`);
        }
        this.#answered.set(id, offset);
        if (offset > this.#top) this.#advance(offset);
        else if (!repeat) this.#fault('lateAcks', `the ack of ${id} at ${offset} after ${this.#top}`);
    }

    #leap(offset) {
        if (offset - this.#top >= EPOCH_LEAP / 2) this.#leaps.push({ lineage: this.#lineage, from: this.#top, to: offset });
    }

    #advance(offset) {
        this.#leap(offset);
        const from = this.#top + 1;
        if (this.#top > 0 && offset > from && offset - from < EPOCH_LEAP / 2) {
            this.#skipped.push({ lineage: this.#lineage, from, to: offset - 1 });
        }
        this.#top = offset;
    }

    /** What is missing in the end. */
    #settle() {
        const missing = [...this.log.acked.values()].filter(({ id }) => !this.#heard.has(id) && !this.#answered.has(id));
        for (const { id, lineage, offset } of missing) {
            const gone = this.#gaps.some((gap) => gap.lineage === lineage && offset >= gap.from && offset <= gap.to);
            if (gone || this.#wentWithTail(lineage, offset)) this.verdict.excused++;
            else if (this.#owes(lineage, offset)) this.#fault('lost', `${id} at ${offset}`);
            else if (!this.#isBefore(lineage, offset)) this.verdict.excused++;
        }
        for (const { lineage, from, to } of this.#skipped) {
            for (let offset = from; offset <= to; offset++) this.#settleSkipped(lineage, offset);
        }
    }

    #wentWithTail(lineage, offset) {
        if (!this.tailsMayGo || this.log.survived.has(`${lineage} ${offset}`)) return false;
        return this.#leaps.some((leap) => leap.lineage === lineage && offset > leap.from && offset < leap.to);
    }

    #owes(lineage, offset) {
        return this.#stretches.some((one) => one.lineage === lineage && offset > one.after && offset <= one.to);
    }

    /** Before it came, or after it went: it is owed nothing. */
    #isBefore(lineage, offset) {
        const first = this.#stretches[0];
        if (first.lineage === lineage && offset <= first.after) return true;
        if (!this.record.stays) return true;
        return !this.#stretches.some((one) => one.lineage === lineage);
    }

    #settleSkipped(lineage, offset) {
        const id = this.log.idAt(lineage, offset);
        if (id !== undefined && (this.#heard.has(id) || this.#isOwn(id))) return;
        if (this.log.acked.has(`${lineage} ${offset}`)) return; // counted as lost
        this.#fault('holes', `offset ${offset} (${id ?? 'nobody knows of it'})`);
    }
}

/**
 * @param {import('./accounting.js').Ledger} ledger
 * @param {{tailsMayGo?: boolean}} [options] tailsMayGo: Redis may lose what came last, and `lossy: "maybe"` says so
 * @returns {Verdict}
 */
export function judge(ledger, { tailsMayGo = false } = {}) {
    const verdict = {
        acked: ledger.acked,
        delivered: 0,
        byCatchUp: 0,
        lost: 0,
        duplicated: 0,
        reordered: 0,
        lateAcks: 0,
        holes: 0,
        contradictions: 0,
        excused: 0,
        gaps: 0,
        resets: 0,
        epochs: 0,
        unknown: 0,
        faults: [],
    };
    const contradict = (text) => {
        verdict.contradictions++;
        if (verdict.faults.length < FAULTS_TOLD) verdict.faults.push(`contradictions: ${text}`);
    };
    for (const complaint of ledger.complaints) contradict(complaint);
    for (const { acked, denied } of ledger.statements.values()) if (!acked && !denied) verdict.unknown++;
    for (const room of new Set(ledger.records.map((record) => record.room))) {
        const records = ledger.recordsOf(room);
        const log = new Log(records, contradict);
        for (const record of records) new Journey(record, log, ledger.statements, verdict, tailsMayGo).run();
    }
    return verdict;
}

/** What may never be, added up. @param {Verdict} verdict */
export function wrongs({ lost, duplicated, reordered, lateAcks, holes, contradictions }) {
    return lost + duplicated + reordered + lateAcks + holes + contradictions;
}

/** The table, as lines. @param {Verdict} verdict */
export function table(verdict) {
    const row = (columns) => {
        const width = (name) => Math.max(name.length, 8);
        const names = columns.map(([name]) => name.padStart(width(name))).join('  ');
        const values = columns.map(([name, value]) => String(value).padStart(width(name))).join('  ');
        return [names, values];
    };
    return [
        ...row([
            ['acked', verdict.acked],
            ['delivered', verdict.delivered],
            ['by catch-up', verdict.byCatchUp],
            ['lost', verdict.lost],
            ['duplicated', verdict.duplicated],
            ['reordered', verdict.reordered],
        ]),
        ...row([
            ['late acks', verdict.lateAcks],
            ['holes', verdict.holes],
            ['contradictions', verdict.contradictions],
            ['excused', verdict.excused],
            ['gaps', verdict.gaps],
            ['resets', verdict.resets],
            ['epochs', verdict.epochs],
            ['unknown', verdict.unknown],
        ]),
    ];
}
