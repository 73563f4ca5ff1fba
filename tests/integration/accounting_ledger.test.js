/**
 * accounting_ledger.test.js -- the judge is judged: it finds a clean cluster clean, and each fault in a faulty one.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { playMix } from '../support/accounting_mix.js';
import { judge, table, wrongs } from '../support/accounting_judge.js';
import { Ledger } from '../support/accounting.js';
import { FakeCluster } from '../support/fake_cluster.js';
import { Random, seedFrom } from '../support/random.js';
import { elapse } from '../support/wait.js';

/** Some people over a fake cluster with these faults, for a short while. */
async function playOnFake(t, faults, { catchUpSeconds = 10 } = {}) {
    const seed = seedFrom('ACCOUNTING_SEED');
    const random = new Random(seed);
    const cluster = await FakeCluster.start(t, 3, faults);
    const stage = () => ({
        urls: () => cluster.living.map(({ url }) => url),
        blows: {
            'gateways killed': async () => {
                random.pick(cluster.living).kill();
                await elapse(random.between(0, 100));
                await cluster.startGateway();
            },
            'epochs begun': async () => cluster.beginEpochs(true),
        },
    });
    const size = { seconds: 1.5, people: 16, rooms: 4, everyMs: 80, stayMs: [200, 1200] };
    const played = await playMix(t, stage, { random, ...size, catchUpSeconds });
    t.diagnostic(`seed ${seed}; ${[...played.done].map(([what, count]) => `${count} ${what}`).join(', ')}`);
    for (const line of table(played.verdict)) t.diagnostic(line);
    for (const fault of played.verdict.faults.slice(0, 3)) t.diagnostic(fault);
    return played;
}

/** A room as its members' frames tell it, by hand: Ada says, Ben and others hear. */
function scene() {
    const ledger = new Ledger();
    const tell = (name, frame, request) => ledger.take(name, `member of ${name}`, { room: 'hall', ...frame }, request);
    return {
        ledger,
        said: (id, sender = 'ada', keyed = true) => ledger.say({ id, room: 'hall', sender, keyed }),
        joined: (name, offset, { epoch = 'e1', resume, recovered = Boolean(resume), lossy } = {}) => {
            const request = { type: 'join', room: 'hall', fields: { resume } };
            tell(name, { type: 'joined', epoch, offset, recovered, lossy }, request);
        },
        heard: (name, id, offset) => tell(name, { type: 'message', offset, data: { id } }),
        acked: (name, id, offset, repeat = false) =>
            tell(name, { type: 'ack', offset }, { type: 'publish', room: 'hall', fields: { data: { id } }, repeat }),
        gap: (name, from, to) => tell(name, { type: 'gap', from, to }),
        epoch: (name, epoch, offset, lossy) => tell(name, { type: 'epoch', epoch, offset, lossy }),
    };
}

/** Ada and Ben in the room, and she has said so many things, which have all been acked. */
function adaHasSaid(count) {
    const room = scene();
    room.joined('ada', 0);
    room.joined('ben', 0);
    for (let i = 1; i <= count; i++) {
        room.said(`a${i}`);
        room.acked('ada', `a${i}`, i);
    }
    return room;
}

/** Judges, and checks that just these columns are what they are said to be: all other wrongs are 0. */
function expect(ledger, columns) {
    const verdict = judge(ledger);
    const wrong = ['lost', 'duplicated', 'reordered', 'lateAcks', 'holes', 'contradictions'];
    for (const name of [...wrong, 'excused', 'gaps', 'resets']) {
        assert.equal(verdict[name], columns[name] ?? 0, `${name}\n${verdict.faults.join('\n')}`);
    }
    return verdict;
}

describe('the judge of the accounting, by hand', () => {
    test('all_is_well_when_everyone_hears_everything_in_order', () => {
        const { ledger, heard } = adaHasSaid(2);
        heard('ben', 'a1', 1);
        heard('ben', 'a2', 2);
        const { acked, delivered } = expect(ledger, {});
        assert.deepEqual({ acked, delivered }, { acked: 2, delivered: 2 });
    });

    test('an_acked_message_that_a_member_never_got_is_lost_at_the_end_and_in_the_middle', () => {
        const { ledger, heard } = adaHasSaid(4);
        heard('ben', 'a1', 1);
        heard('ben', 'a3', 3);
        expect(ledger, { lost: 2 });
    });

    test('a_message_twice_is_a_duplicate_wherever_it_stands', () => {
        const { ledger, heard } = adaHasSaid(2);
        heard('ben', 'a1', 1);
        heard('ben', 'a1', 1);
        heard('ben', 'a2', 2);
        heard('ben', 'a1', 1);
        expect(ledger, { duplicated: 2 });
    });

    test('a_message_that_the_log_holds_twice_is_a_duplicate_and_a_contradiction', () => {
        const { ledger, heard } = adaHasSaid(1);
        heard('ben', 'a1', 1);
        heard('ben', 'a1', 2);
        expect(ledger, { duplicated: 1, contradictions: 1 });
    });

    test('a_message_after_one_with_a_higher_offset_is_out_of_order', () => {
        const { ledger, heard } = adaHasSaid(2);
        heard('ben', 'a2', 2);
        heard('ben', 'a1', 1);
        expect(ledger, { reordered: 1 });
    });

    test('an_ack_before_a_message_with_a_lower_offset_is_out_of_place', () => {
        const room = adaHasSaid(1);
        room.said('b1', 'ben');
        room.acked('ben', 'b1', 2);
        room.heard('ben', 'a1', 1);
        room.heard('ada', 'b1', 2);
        expect(room.ledger, { reordered: 1 });
    });

    test('an_ack_after_a_message_with_a_higher_offset_is_late_unless_it_is_of_a_repeat', () => {
        for (const repeat of [false, true]) {
            const room = scene();
            room.joined('ada', 0);
            room.joined('ben', 0);
            room.said('b1', 'ben');
            room.said('a1');
            room.acked('ada', 'a1', 2);
            room.heard('ben', 'a1', 2);
            room.acked('ben', 'b1', 1, repeat);
            // What the others hear does not depend on it: Ada hears it before her own.
            const ada = room.ledger.record('ada', 'hall');
            ada.events.splice(1, 0, { kind: 'message', id: 'b1', offset: 1, self: false });
            expect(room.ledger, { lateAcks: repeat ? 0 : 1 });
        }
    });

    test('the_ack_of_a_repeat_must_not_come_before_its_place_either', () => {
        const room = adaHasSaid(1);
        room.said('b1', 'ben');
        room.acked('ben', 'b1', 2, true);
        room.heard('ben', 'a1', 1);
        room.heard('ada', 'b1', 2);
        expect(room.ledger, { reordered: 1 });
    });

    test('one_message_with_two_acks_that_differ_contradicts_itself', () => {
        const room = adaHasSaid(1);
        room.acked('ada', 'a1', 2, true);
        room.heard('ben', 'a1', 1);
        expect(room.ledger, { contradictions: 2 });
    });

    test('a_skipped_offset_is_a_hole_even_when_nobody_has_an_ack_for_it', () => {
        const { ledger, said, acked, heard, joined } = adaHasSaid(1);
        heard('ben', 'a1', 1);
        said('a2'); // never acked, and Ada left
        joined('cleo', 1);
        heard('cleo', 'a2', 2);
        said('c1', 'cleo');
        acked('cleo', 'c1', 3);
        heard('ben', 'c1', 3);
        heard('ada', 'c1', 3);
        expect(ledger, { holes: 1 });
    });

    test('a_resume_goes_on_where_it_was_and_its_replay_is_catch_up', () => {
        const { ledger, joined, heard } = adaHasSaid(3);
        heard('ben', 'a1', 1);
        joined('ben', 3, { resume: { epoch: 'e1', offset: 1 } });
        heard('ben', 'a2', 2);
        heard('ben', 'a3', 3);
        assert.equal(expect(ledger, {}).byCatchUp, 2);
    });

    test('a_resume_that_replays_too_much_or_too_little_is_found', () => {
        const more = adaHasSaid(2);
        more.heard('ben', 'a1', 1);
        more.joined('ben', 2, { resume: { epoch: 'e1', offset: 1 } });
        more.heard('ben', 'a1', 1);
        more.heard('ben', 'a2', 2);
        expect(more.ledger, { duplicated: 1 });
        const less = adaHasSaid(2);
        less.joined('ben', 2, { resume: { epoch: 'e1', offset: 0 } });
        less.heard('ben', 'a2', 2);
        expect(less.ledger, { lost: 1 });
    });

    test('own_messages_may_come_back_in_a_replay_once_and_their_repeat_is_acked', () => {
        const room = scene();
        room.joined('ada', 0);
        room.joined('ben', 0);
        room.said('a1');
        room.joined('ada', 1, { resume: { epoch: 'e1', offset: 0 } });
        room.heard('ada', 'a1', 1);
        room.acked('ada', 'a1', 1, true);
        room.heard('ben', 'a1', 1);
        expect(room.ledger, {});
        room.heard('ada', 'a1', 1);
        expect(room.ledger, { duplicated: 1 });
    });

    test('a_gap_excuses_what_it_names_and_nothing_else', () => {
        const { ledger, joined, gap, heard } = adaHasSaid(4);
        joined('ben', 4, { resume: { epoch: 'e1', offset: 0 } });
        gap('ben', 1, 2);
        heard('ben', 'a4', 4);
        expect(ledger, { lost: 1, excused: 2, gaps: 1 });
    });

    test('an_epoch_that_follows_excuses_nothing', () => {
        const { ledger, epoch, heard } = adaHasSaid(2);
        heard('ben', 'a1', 1);
        for (const name of ['ada', 'ben']) epoch(name, 'e2', 2 + 2 ** 20, 'maybe');
        expect(ledger, { lost: 1 });
    });

    test('an_epoch_that_does_not_follow_excuses_what_was_before_it', () => {
        const { ledger, epoch, heard, said, acked } = adaHasSaid(2);
        heard('ben', 'a1', 1);
        for (const name of ['ada', 'ben']) epoch(name, 'e2', 0, true);
        said('a3');
        acked('ada', 'a3', 1);
        expect(ledger, { lost: 1, excused: 1, resets: 2 });
    });

    test('a_resume_into_the_next_epoch_brings_the_tail_of_the_old_one', () => {
        const { ledger, epoch, joined, heard, said, acked } = adaHasSaid(2);
        heard('ben', 'a1', 1);
        epoch('ada', 'e2', 2 + 2 ** 20, 'maybe');
        said('a3');
        acked('ada', 'a3', 3 + 2 ** 20);
        joined('ben', 3 + 2 ** 20, { epoch: 'e2', resume: { epoch: 'e1', offset: 1 }, lossy: 'maybe' });
        heard('ben', 'a2', 2);
        heard('ben', 'a3', 3 + 2 ** 20);
        assert.equal(expect(ledger, {}).epochs, 2);
    });

    test('starting_over_excuses_what_lies_between', () => {
        const { ledger, joined, heard } = adaHasSaid(3);
        heard('ben', 'a1', 1);
        joined('ben', 2, { resume: { epoch: 'e1', offset: 1 }, recovered: false });
        expect(ledger, { lost: 1, excused: 1, resets: 1 });
    });

    test('nobody_hears_what_was_never_sent_or_was_said_elsewhere', () => {
        const { ledger, said, heard } = adaHasSaid(0);
        said('a1', 'ada', false);
        ledger.deny('a1');
        ledger.say({ id: 'x1', room: 'elsewhere', sender: 'ada', keyed: true });
        heard('ben', 'a1', 1);
        heard('ben', 'x1', 2);
        expect(ledger, { contradictions: 2 });
    });

    test('who_went_for_good_is_owed_nothing_more', () => {
        const { ledger, heard } = adaHasSaid(3);
        heard('ben', 'a1', 1);
        ledger.record('ben', 'hall').stays = false;
        expect(ledger, {});
    });
});

describe('the accounting over a fake cluster', { concurrency: 5 }, () => {
    test('finds_nothing_where_nothing_is_wrong', async (t) => {
        const { verdict, stuck } = await playOnFake(t, {});
        assert.deepEqual(stuck, []);
        assert.equal(wrongs(verdict), 0, verdict.faults.join('\n'));
        assert.equal(verdict.excused + verdict.gaps + verdict.resets, 0);
        for (const column of ['acked', 'delivered', 'byCatchUp', 'epochs']) {
            assert.ok(verdict[column] > 0, `a run in which nothing happened: ${column} is 0`);
        }
    });

    for (const [name, faults, ...columns] of [
        ['a_live_message_that_is_not_sent', { lose: 50 }, 'lost'],
        ['a_live_message_that_is_sent_twice', { double: 50 }, 'duplicated'],
        ['two_live_messages_that_are_swapped', { swap: 50 }, 'reordered'],
        ['acks_that_do_not_wait_for_their_place', { earlyAck: 1 }, 'reordered'],
        ['acks_with_a_wrong_offset', { wrongAck: 5 }, 'contradictions'],
        ['a_resume_that_replays_nothing', { noCatchUp: 1 }, 'lost'],
        ['a_resume_that_replays_one_too_many', { replayMore: 1 }, 'duplicated'],
        ['a_repeat_that_is_taken_for_a_new_message', { noReply: 20, forgetKey: 1 }, 'duplicated', 'contradictions'],
        ['a_message_that_comes_back_to_its_sender', { echo: 50 }, 'contradictions'],
        ['a_message_that_is_denied_and_told_all_the_same', { denyAndSay: 5 }, 'contradictions'],
    ]) {
        test(`finds_${name}`, async (t) => {
            const { verdict } = await playOnFake(t, faults, { catchUpSeconds: 3 });
            for (const column of columns) assert.ok(verdict[column] > 0, `${column} is ${verdict[column]}`);
        });
    }
});
