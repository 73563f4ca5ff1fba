/* bus_log_contract.h -- what every bus promises of a room's log (see gateway/bus/bus.h), as tests.
 *
 * Included by the tests of both buses, which define contract_bus_open (see support/bus_contract_world.h) and add
 * CONTRACT_LOG_TESTS to their list. */
#ifndef PLENUM_TESTS_UNIT_BUS_LOG_CONTRACT_H
#define PLENUM_TESTS_UNIT_BUS_LOG_CONTRACT_H

#include "support/bus_contract_world.h"

/* What was published under that ticket; it is told by now. */
static const struct told *published_as(const struct bus_worker *worker, uint64_t ticket)
{
    for (size_t i = 0; i < worker->told_count; i++) {
        if (worker->told[i].kind == TOLD_PUBLISHED && worker->told[i].member == ticket)
            return &worker->told[i];
    }
    world_require(!"it was published");
    return NULL;
}

/* Publishes "1" to "<count>" to the room's log, and waits until they stand there. */
static void fill_log(struct bus_worker *worker, const char *room, int count)
{
    size_t before = worker->published;
    for (int i = 1; i <= count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%d", i);
        world_publish_logged(worker, room, text, (uint64_t)i);
        if (i % 100 == 0)
            uv_run(&worker->world->loop, UV_RUN_NOWAIT);
    }
    world_until(worker->world, worker->published == before + (size_t)count);
}

/* The entry's envelope reads as that message. */
static void expect_entry(const struct answer *answer, size_t nth, uint64_t seq, const char *payload)
{
    const struct answer_row *row = answer_row(answer, ROW_ENTRY, nth);
    assert_non_null(row);
    assert_int_equal(row->number, seq);
    struct envelope envelope;
    assert_int_equal(envelope_decode((struct bytes){row->value, row->len}, &envelope), ENVELOPE_OK);
    assert_int_equal(envelope.seq, seq);
    assert_true(bytes_equal(envelope.payload, bytes_of(payload)));
}

/* ---- numbers ---- */

static void a_log_numbers_the_messages_of_all_workers_in_one_order(void **state)
{
    enum { ROUNDS = 60, PER_TURN = 5, ALL = 2 * ROUNDS * PER_TURN };
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "numbers", channels);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < 2 * PER_TURN; i++) {
            char text[32];
            snprintf(text, sizeof text, "from %d", (int)(i % 2));
            world_publish_logged(&world->workers[i % 2], "numbers", text, round * PER_TURN + i / 2 + 1);
        }
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < 2; i++)
        world_until(world, world->workers[i].messages == ALL && world->workers[i].published == ALL / 2);

    for (size_t i = 0; i < ALL; i++) {
        const struct told *one = world_message(&world->workers[0], i);
        const struct told *other = world_message(&world->workers[1], i);
        assert_int_equal(one->seq, i + 1);
        assert_int_equal(one->envelope_len, other->envelope_len);
        assert_memory_equal(one->envelope, other->envelope, one->envelope_len);
        assert_string_equal(one->epoch, world_message(&world->workers[0], 0)->epoch);
        /* Its publisher was told the same number. */
        const struct told *result = published_as(&world->workers[one->payload[5] - '0'], one->member);
        assert_int_equal(result->seq, one->seq);
        assert_string_equal(result->epoch, one->epoch);
        assert_false(result->duplicate);
    }
}

static void results_come_in_the_order_of_publishing(void **state)
{
    enum { PUBLISHES = 500 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "results", PUBLISHES); /* nobody has subscribed: it is kept all the same */
    for (size_t i = 0; i < PUBLISHES; i++) {
        assert_int_equal(world_told(worker, TOLD_PUBLISHED, i)->member, i + 1);
        assert_int_equal(world_told(worker, TOLD_PUBLISHED, i)->seq, i + 1);
    }
    assert_int_equal(worker->told_count, PUBLISHES);
}

static void rooms_have_their_own_numbers(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    static const char *const rooms[] = {"own-a", "own-b", "own-c"};
    for (uint64_t i = 0; i < 30; i++)
        world_publish_logged(worker, rooms[i % 3], "hello", i + 1);
    world_until(world, worker->published == 30);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(published_as(worker, i + 1)->seq, i / 3 + 1);
    assert_string_not_equal(published_as(worker, 1)->epoch, published_as(worker, 2)->epoch);
}

static void without_a_log_nothing_is_numbered_or_kept(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    static const struct log_rule none = {.size = 0, .bytes = 4 << 20, .ttl_s = 600};
    world_subscribe(worker, "no-log", worker);
    world_until(world, worker->confirmed == 1);
    both_are_up(world);
    for (uint64_t i = 1; i <= 4; i++) /* the same key each time: it means nothing here */
        world_publish_with(worker, "no-log", BYTES("hello"), i, i % 2 ? &none : NULL, "key");
    world_until(world, worker->published == 4 && worker->messages == 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(world_told(worker, TOLD_PUBLISHED, i)->seq, 0);
        assert_string_equal(world_told(worker, TOLD_PUBLISHED, i)->epoch, "");
        assert_false(world_told(worker, TOLD_PUBLISHED, i)->duplicate);
        assert_int_equal(world_message(worker, i)->seq, 0);
        assert_string_equal(world_message(worker, i)->epoch, "");
    }
    struct answer *answer = world_read(worker, "no-log", (struct log_range){.limit = 100});
    answer_wait(answer);
    assert_int_equal(answer->count, 0);
}

static void a_log_keeps_any_bytes(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "any-bytes", channels);
    char every[256];
    for (int i = 0; i < 256; i++)
        every[i] = (char)i;
    struct bytes payloads[] = {
        BYTES("\r\n*1\r\n$4\r\nPING\r\n"), {every, 256}, {NULL, 0}, BYTES("p1 1 2 3"), BYTES("")};
    for (uint64_t i = 0; i < 5; i++)
        world_publish_with(worker, "any-bytes", payloads[i], i + 1, &world_log, i == 4 ? "a.key:-_" : NULL);
    world_until(world, world->workers[1].messages == 5 && worker->published == 5);
    struct answer *answer = world_read(worker, "any-bytes", (struct log_range){.limit = 100});
    answer_wait(answer);
    assert_int_equal(answer_rows(answer, ROW_ENTRY), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct told *told = world_message(&world->workers[1], i);
        assert_true(bytes_equal((struct bytes){told->payload, told->len}, payloads[i]));
        const struct answer_row *row = answer_row(answer, ROW_ENTRY, i); /* just as it was delivered */
        assert_true(
            bytes_equal((struct bytes){row->value, row->len}, (struct bytes){told->envelope, told->envelope_len}));
    }
    struct envelope envelope;
    const struct told *last = world_message(&world->workers[1], 4);
    assert_int_equal(envelope_decode((struct bytes){last->envelope, last->envelope_len}, &envelope), ENVELOPE_OK);
    assert_true(bytes_equal(envelope.key, BYTES("a.key:-_")));
    assert_true(envelope.time_ms > 0);
}

/* ---- keys ---- */

static void a_key_makes_one_message_of_many_publishes(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "keys", channels);
    fill_log(&world->workers[0], "keys", 2);
    for (uint64_t i = 0; i < 10; i++) {
        world_publish_with(&world->workers[i % 2], "keys", BYTES("once"), 100 + i, &world_log, "the-key");
        if (i % 4 == 3)
            uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    world_publish_with(&world->workers[1], "keys", BYTES("another"), 200, &world_log, "another-key");
    world_until(world, world->workers[0].published == 7 && world->workers[1].published == 6);
    world_until(world, world->workers[0].messages >= 4 && world->workers[1].messages >= 4);
    world_run_for(world, 50);

    size_t firsts = 0;
    for (uint64_t i = 0; i < 10; i++) {
        const struct told *told = published_as(&world->workers[i % 2], 100 + i);
        assert_int_equal(told->seq, published_as(&world->workers[0], 100)->seq);
        assert_string_equal(told->epoch, world_message(&world->workers[0], 0)->epoch);
        firsts += !told->duplicate;
    }
    assert_int_equal(firsts, 1);
    assert_false(published_as(&world->workers[1], 200)->duplicate);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world->workers[i].messages, 4);
        size_t once = 0;
        for (size_t nth = 0; nth < 4; nth++)
            once += strcmp(world_message(&world->workers[i], nth)->payload, "once") == 0;
        assert_int_equal(once, 1);
    }
}

static void keys_are_the_rooms_own(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    world_publish_with(worker, "keys-a", BYTES("a"), 1, &world_log, "same");
    world_publish_with(worker, "keys-b", BYTES("b"), 2, &world_log, "same");
    world_until(world, worker->published == 2);
    for (uint64_t i = 1; i <= 2; i++) {
        assert_false(published_as(worker, i)->duplicate);
        assert_int_equal(published_as(worker, i)->seq, 1);
    }
}

/* ---- bounds ---- */

static void a_log_forgets_the_oldest(void **state)
{
    enum { PUBLISHES = 600, SIZE = 50, SLACK = 250 }; /* a server may trim in pieces */
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    static const struct log_rule small = {.size = SIZE, .bytes = 4 << 20, .ttl_s = 600};
    for (uint64_t i = 1; i <= PUBLISHES; i++) {
        world_publish_with(worker, "bounded", BYTES("hello"), i, &small, NULL);
        if (i % 50 == 0)
            uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    world_until(world, worker->published == PUBLISHES);
    struct answer *answer = world_read(worker, "bounded", (struct log_range){.limit = 2 * PUBLISHES});
    answer_wait(answer);
    size_t kept = answer_rows(answer, ROW_ENTRY);
    assert_in_range(kept, SIZE, SIZE + SLACK);
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(answer_row(answer, ROW_ENTRY, i)->number, PUBLISHES - kept + i + 1);
}

static void a_log_of_large_messages_forgets_the_oldest(void **state)
{
    enum { PUBLISHES = 300, LEN = 16 << 10 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    static const struct log_rule small = {.size = 1000, .bytes = 8 * LEN, .ttl_s = 600};
    char *payload = xcalloc(1, LEN);
    for (uint64_t i = 1; i <= PUBLISHES; i++) {
        world_publish_with(worker, "heavy", (struct bytes){payload, LEN}, i, &small, NULL);
        if (i % 10 == 0)
            world_until(world, worker->published == i);
    }
    free(payload);
    struct answer *answer = world_read(worker, "heavy", (struct log_range){.limit = 2 * PUBLISHES});
    answer_wait(answer);
    size_t kept = answer_rows(answer, ROW_ENTRY);
    assert_in_range(kept, 1, 200);
    assert_int_equal(answer_row(answer, ROW_ENTRY, kept - 1)->number, PUBLISHES);
}

/* ---- reading ---- */

static void a_log_is_read_in_parts(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "parts", 20);
    static const struct {
        struct log_range range;
        uint64_t first, last; /* 0: nothing */
    } cases[] = {
        {{.limit = 100}, 1, 20},
        {{.after = 5, .limit = 100}, 6, 20},
        {{.after = 5, .before = 9, .limit = 100}, 6, 8},
        {{.after = 5, .before = 9, .limit = 2}, 6, 7},
        {{.before = 4, .limit = 100}, 1, 3},
        {{.after = 19, .limit = 1}, 20, 20},
        {{.after = 20, .limit = 100}, 0, 0},
        {{.after = 7, .before = 8, .limit = 100}, 0, 0},
        {{.after = 9, .before = 5, .limit = 100}, 0, 0},
        {{.before = 1, .limit = 100}, 0, 0},
        {{.after = 5000000, .limit = 100}, 0, 0},
        {{.after = 15, .before = 5000000, .limit = 100}, 16, 20},
        {{.limit = 3, .backwards = true}, 20, 18},
        {{.before = 10, .limit = 3, .backwards = true}, 9, 7},
        {{.after = 15, .limit = 100, .backwards = true}, 20, 16},
        {{.after = 15, .before = 18, .limit = 1, .backwards = true}, 17, 17},
        {{.after = 20, .limit = 5, .backwards = true}, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer *answer = world_read(worker, "parts", cases[i].range);
        answer_wait(answer);
        uint64_t first = cases[i].first, last = cases[i].last;
        size_t count = first == 0 ? 0 : (size_t)(first < last ? last - first : first - last) + 1;
        assert_int_equal(answer_rows(answer, ROW_ENTRY), count);
        for (size_t nth = 0; nth < count; nth++) {
            uint64_t seq = first < last ? first + nth : first - nth;
            char text[24];
            snprintf(text, sizeof text, "%d", (int)seq);
            expect_entry(answer, nth, seq, text);
        }
    }
}

static void an_empty_log_reads_as_nothing(void **state)
{
    struct bus_world *world = *state;
    both_are_up(world);
    for (int backwards = 0; backwards < 2; backwards++) {
        struct answer *answer =
            world_read(&world->workers[0], "never-heard-of", (struct log_range){.limit = 9, .backwards = backwards});
        answer_wait(answer);
        assert_int_equal(answer->count, 0);
    }
}

/* ---- positions ---- */

static void locating_begins_a_log(void **state)
{
    struct bus_world *world = *state;
    both_are_up(world);
    struct answer *one = world_locate(&world->workers[0], "begin", "", 0);
    struct answer *other = world_locate(&world->workers[1], "begin", "", 0);
    answer_wait(one);
    answer_wait(other);
    assert_int_equal(one->positions, 1);
    assert_string_not_equal(one->position.epoch, "");
    assert_string_equal(one->position.epoch, other->position.epoch);
    assert_string_equal(one->position.prev, "");
    assert_int_equal(one->position.seq, 0);
    assert_int_equal(one->position.base, 0);

    fill_log(&world->workers[0], "begin", 3);
    assert_string_equal(published_as(&world->workers[0], 1)->epoch, one->position.epoch);
    assert_int_equal(published_as(&world->workers[0], 1)->seq, 1);
    other = world_locate(&world->workers[1], "begin", one->position.epoch, 2);
    answer_wait(other);
    assert_string_equal(other->position.epoch, one->position.epoch);
    assert_int_equal(other->position.seq, 3);
    assert_int_equal(other->position.base, 0);
}

static void peeking_changes_nothing(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    both_are_up(world);
    for (int i = 0; i < 2; i++) { /* the second time as well */
        struct answer *answer = world_peek(worker, "peek");
        answer_wait(answer);
        assert_int_equal(answer->positions, 1);
        assert_string_equal(answer->position.epoch, "");
        assert_int_equal(answer->position.seq, 0);
        assert_int_equal(answer->position.pv, 0);
    }
    fill_log(worker, "peek", 2);
    struct answer *answer = world_peek(&world->workers[1], "peek");
    answer_wait(answer);
    assert_string_equal(answer->position.epoch, published_as(worker, 1)->epoch);
    assert_int_equal(answer->position.seq, 2);
    assert_int_equal(answer->position.base, 0);
}

static void a_worker_that_has_delivered_more_than_the_log_holds_begins_an_epoch(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "ahead", 3);
    const char *epoch = published_as(worker, 1)->epoch;
    struct answer *answer = world_locate(worker, "ahead", epoch, 50);
    answer_wait(answer);
    assert_string_not_equal(answer->position.epoch, epoch);
    assert_string_not_equal(answer->position.epoch, "");
    assert_true(answer->position.seq > 50);
    assert_int_equal(answer->position.base, answer->position.seq);
    assert_string_equal(answer->position.prev, epoch);
    assert_in_range(answer->position.prevtop, 3, 50);

    struct answer *other = world_peek(&world->workers[1], "ahead");
    answer_wait(other);
    assert_string_equal(other->position.epoch, answer->position.epoch);
    assert_int_equal(other->position.seq, answer->position.seq);
    assert_int_equal(other->position.base, answer->position.base);
    assert_string_equal(other->position.prev, epoch);
    assert_int_equal(other->position.prevtop, answer->position.prevtop);

    struct answer *again = world_locate(&world->workers[1], "ahead", epoch, 50); /* it knows the old epoch only */
    answer_wait(again);
    assert_string_equal(again->position.epoch, answer->position.epoch);
    assert_int_equal(again->position.seq, answer->position.seq);

    world_publish_logged(worker, "ahead", "the first of the new one", 99);
    world_until(world, worker->published == 4);
    assert_int_equal(published_as(worker, 99)->seq, answer->position.base + 1);
    assert_string_equal(published_as(worker, 99)->epoch, answer->position.epoch);
    struct answer *read = world_read(worker, "ahead", (struct log_range){.after = 2, .limit = 100});
    answer_wait(read);
    assert_int_equal(answer_rows(read, ROW_ENTRY), 2); /* what the old one had is still there */
    expect_entry(read, 0, 3, "3");
    expect_entry(read, 1, answer->position.base + 1, "the first of the new one");
}

static void a_foreign_epoch_begins_none(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "foreign", 3);
    struct answer *answer = world_locate(worker, "foreign", "0123456789abcdef", 50);
    answer_wait(answer);
    assert_string_equal(answer->position.epoch, published_as(worker, 1)->epoch);
    assert_int_equal(answer->position.seq, 3);
    assert_string_equal(answer->position.prev, "");
}

/* ---- asking ---- */

static void asks_end_once(void **state)
{
    enum { ASKS = 50 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "asks", 10);
    struct answer *answers[ASKS];
    for (int i = 0; i < ASKS; i++)
        answers[i] = i % 3 == 0   ? world_peek(worker, "asks")
                     : i % 3 == 1 ? world_locate(worker, "asks", "", 0)
                                  : world_read(worker, "asks", (struct log_range){.limit = 5});
    for (int i = 0; i < ASKS; i++)
        answer_wait(answers[i]);
    world_run_for(world, 50);
    for (int i = 0; i < ASKS; i++) {
        assert_int_equal(answers[i]->ends, 1);
        assert_int_equal(answers[i]->positions, i % 3 != 2);
        assert_int_equal(answer_rows(answers[i], ROW_ENTRY), i % 3 == 2 ? 5 : 0);
    }
}

static struct answer *asked_inside;

static void ask_from_inside(struct answer *answer)
{
    asked_inside = world_read(answer->worker, "inside", (struct log_range){.limit = 5});
    world_publish_logged(answer->worker, "inside", "from inside", 900);
    world_require(asked_inside->ends == 0);
}

static void asks_may_come_from_inside(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "inside", 2);
    asked_inside = NULL;
    struct answer *answer = world_peek(worker, "inside");
    answer->on_end = ask_from_inside;
    world_until(world, asked_inside != NULL);
    answer_wait(asked_inside);
    assert_in_range(answer_rows(asked_inside, ROW_ENTRY), 2, 3);
    world_until(world, worker->published == 3);
    assert_int_equal(published_as(worker, 900)->seq, 3);
}

static void closing_amid_asks_tells_nothing_more(void **state)
{
    enum { ASKS = 30 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    fill_log(worker, "closing", 10);
    struct answer *answers[ASKS];
    for (int i = 0; i < ASKS; i++) {
        answers[i] = world_read(worker, "closing", (struct log_range){.limit = 5});
        world_publish_logged(worker, "closing", "hello", 900);
    }
    size_t told = worker->told_count;
    bus_close(worker->bus, world_on_bus_closed, worker);
    world_until(world, !worker->bus);
    world_run_for(world, 50);
    assert_int_equal(worker->told_count, told);
    for (int i = 0; i < ASKS; i++)
        assert_int_equal(answers[i]->ends, 0);
}

static void close_from_inside(struct answer *answer)
{
    bus_close(answer->worker->bus, world_on_bus_closed, answer->worker);
}

static void an_ask_may_close_the_bus(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    both_are_up(world);
    struct answer *first = world_peek(worker, "closer");
    struct answer *second = world_peek(worker, "closer");
    first->on_end = close_from_inside;
    world_until(world, !worker->bus);
    assert_int_equal(first->ends, 1);
    assert_int_equal(second->ends, 0);
}

#define CONTRACT_LOG_TESTS                                                                                             \
    CONTRACT_TEST(a_log_numbers_the_messages_of_all_workers_in_one_order),                                             \
        CONTRACT_TEST(results_come_in_the_order_of_publishing), CONTRACT_TEST(rooms_have_their_own_numbers),           \
        CONTRACT_TEST(without_a_log_nothing_is_numbered_or_kept), CONTRACT_TEST(a_log_keeps_any_bytes),                \
        CONTRACT_TEST(a_key_makes_one_message_of_many_publishes), CONTRACT_TEST(keys_are_the_rooms_own),               \
        CONTRACT_TEST(a_log_forgets_the_oldest), CONTRACT_TEST(a_log_of_large_messages_forgets_the_oldest),            \
        CONTRACT_TEST(a_log_is_read_in_parts), CONTRACT_TEST(an_empty_log_reads_as_nothing),                           \
        CONTRACT_TEST(locating_begins_a_log), CONTRACT_TEST(peeking_changes_nothing),                                  \
        CONTRACT_TEST(a_worker_that_has_delivered_more_than_the_log_holds_begins_an_epoch),                            \
        CONTRACT_TEST(a_foreign_epoch_begins_none), CONTRACT_TEST(asks_end_once),                                      \
        CONTRACT_TEST(asks_may_come_from_inside), CONTRACT_TEST(closing_amid_asks_tells_nothing_more),                 \
        CONTRACT_TEST(an_ask_may_close_the_bus)

#endif
