/* bus_presence_contract.h -- what every bus promises of presence (see gateway/bus/bus.h and presence_event.h), as
 * tests.
 *
 * Included by the tests of both buses, which define contract_bus_open (see support/bus_contract_world.h) and add
 * CONTRACT_PRESENCE_TESTS to their list. */
#ifndef PLENUM_TESTS_UNIT_BUS_PRESENCE_CONTRACT_H
#define PLENUM_TESTS_UNIT_BUS_PRESENCE_CONTRACT_H

#include "gateway/bus/presence_event.h"
#include "support/bus_contract_world.h"

static uint64_t member_of(const struct bus_worker *worker, uint32_t nth)
{
    return (uint64_t)worker->bus->gateway << 32 | nth;
}

static struct presence_change join_of(const struct bus_worker *worker, uint32_t nth, const char *value)
{
    return (struct presence_change){PRESENCE_JOIN, member_of(worker, nth), bytes_of(value)};
}

static struct presence_change leave_of(const struct bus_worker *worker, uint32_t nth, const char *reason)
{
    return (struct presence_change){PRESENCE_LEAVE, member_of(worker, nth), bytes_of(reason)};
}

/* Tells the changes, waits until they stand, and gives back the answer. */
static struct answer *tell(struct bus_worker *worker, const char *room, const struct presence_change *changes,
                           uint32_t count, struct presence_batch batch)
{
    batch.room = bytes_of(room);
    batch.changes = changes;
    batch.count = count;
    struct answer *answer = world_presence(worker, &batch);
    answer_wait(answer);
    assert_int_equal(answer->positions, 1);
    return answer;
}

static void join_one(struct bus_worker *worker, const char *room, uint32_t nth, const char *value, bool first)
{
    struct presence_change change = join_of(worker, nth, value);
    tell(worker, room, &change, 1, (struct presence_batch){.first = first});
}

/* Reads the nth presence event (from 0) that the worker was told; its bytes are the record's. */
static struct presence_event event_of(const struct bus_worker *worker, size_t nth, char *epoch)
{
    const struct told *told = world_told(worker, TOLD_PRESENCE, nth);
    assert_non_null(told);
    struct envelope envelope;
    struct presence_event event;
    assert_int_equal(envelope_decode((struct bytes){told->envelope, told->envelope_len}, &envelope), ENVELOPE_OK);
    assert_true(presence_event_read(&envelope, &event));
    assert_int_equal(envelope.seq, 0);
    assert_true(envelope.time_ms > 0);
    if (epoch)
        snprintf(epoch, EPOCH_MAX + 1, "%s", told->epoch);
    return event;
}

static void expect_change(struct presence_event *event, enum presence_op op, uint64_t member, const char *value)
{
    struct presence_change change;
    assert_true(presence_event_next(event, &change));
    assert_int_equal(change.op, op);
    assert_true(change.member == member);
    assert_true(bytes_equal(change.value, bytes_of(value)));
}

/* No change is left, and nothing else. */
static void expect_end(struct presence_event *event)
{
    struct presence_change change;
    assert_false(presence_event_next(event, &change));
    assert_int_equal(event->rest.len, 0);
}

/* The value that the answer gives for the member, NULL when it does not name it. */
static const char *listed(const struct answer *answer, uint64_t member)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->rows[i].kind == ROW_MEMBER && answer->rows[i].number == member)
            return answer->rows[i].value;
    }
    return NULL;
}

static struct answer *members_of(struct bus_worker *worker, const char *room)
{
    struct answer *answer = world_members(worker, room);
    answer_wait(answer);
    assert_int_equal(answer->positions, 1);
    return answer;
}

static struct answer *counts_of(struct bus_worker *worker, const char *room)
{
    struct answer *answer = world_counts(worker, room);
    answer_wait(answer);
    assert_int_equal(answer_rows(answer, ROW_MEMBER), 0);
    return answer;
}

/* ---- events ---- */

static void joins_updates_and_leaves_are_told_to_all_in_order(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "come-and-go", channels);
    struct presence_change come[] = {join_of(a, 1, "{\"name\":\"Ann\"}"), join_of(a, 2, "{\"name\":\"Bob\"}")};
    struct presence_change change = {PRESENCE_UPDATE, member_of(a, 1), BYTES("{\"name\":\"Ann\",\"hand\":1}")};
    struct presence_change go[] = {leave_of(a, 2, "left"), leave_of(a, 1, "kicked")};
    struct answer *first = tell(a, "come-and-go", come, 2, (struct presence_batch){.first = true});
    struct answer *second = tell(a, "come-and-go", &change, 1, (struct presence_batch){0});
    struct answer *third = tell(a, "come-and-go", go, 2, (struct presence_batch){.last = true});
    assert_int_equal(first->position.pv, 1);
    assert_int_equal(second->position.pv, 2);
    assert_int_equal(third->position.pv, 3);

    for (int i = 0; i < 2; i++) {
        struct bus_worker *worker = &world->workers[i];
        world_until(world, worker->presences == 3);
        char epoch[EPOCH_MAX + 1];
        static const uint64_t members[] = {2, 2, 0};
        struct presence_event events[3];
        for (size_t nth = 0; nth < 3; nth++) {
            events[nth] = event_of(worker, nth, epoch);
            assert_int_equal(events[nth].pv, nth + 1);
            assert_int_equal(events[nth].gateway, a->bus->gateway);
            assert_int_equal(events[nth].members, members[nth]);
            assert_string_equal(epoch, first->position.epoch);
        }
        expect_change(&events[0], PRESENCE_JOIN, member_of(a, 1), "{\"name\":\"Ann\"}");
        expect_change(&events[0], PRESENCE_JOIN, member_of(a, 2), "{\"name\":\"Bob\"}");
        expect_end(&events[0]);
        expect_change(&events[1], PRESENCE_UPDATE, member_of(a, 1), "{\"name\":\"Ann\",\"hand\":1}");
        expect_end(&events[1]);
        expect_change(&events[2], PRESENCE_LEAVE, member_of(a, 2), "left");
        expect_change(&events[2], PRESENCE_LEAVE, member_of(a, 1), "kicked");
        expect_end(&events[2]);
    }
}

static void members_are_what_was_told(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_up(world);
    join_one(a, "members", 1, "{\"n\":1}", true);
    join_one(b, "members", 1, "{\"n\":2}", true);
    join_one(a, "members", 2, "{\"n\":3}", false);
    join_one(b, "members", 2, "{\"n\":4}", false);
    struct presence_change changes[] = {leave_of(a, 1, "left"), {PRESENCE_UPDATE, member_of(a, 2), BYTES("{\"n\":5}")}};
    struct answer *last = tell(a, "members", changes, 2, (struct presence_batch){0});

    for (int i = 0; i < 2; i++) {
        struct answer *answer = members_of(&world->workers[i], "members");
        assert_int_equal(answer_rows(answer, ROW_GATEWAY), 2);
        assert_int_equal(answer_rows(answer, ROW_MEMBER), 3);
        assert_int_equal(answer_members_of(answer, a->bus->gateway), 1);
        assert_int_equal(answer_members_of(answer, b->bus->gateway), 2);
        assert_string_equal(listed(answer, member_of(a, 2)), "{\"n\":5}");
        assert_string_equal(listed(answer, member_of(b, 1)), "{\"n\":2}");
        assert_string_equal(listed(answer, member_of(b, 2)), "{\"n\":4}");
        assert_int_equal(answer->position.pv, last->position.pv);
        assert_string_equal(answer->position.epoch, last->position.epoch);
        answer = counts_of(&world->workers[i], "members");
        assert_int_equal(answer_members_of(answer, a->bus->gateway), 1);
        assert_int_equal(answer_members_of(answer, b->bus->gateway), 2);
    }
}

static void who_has_left_is_in_no_list(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    both_are_up(world);
    join_one(a, "left", 1, "{}", true);
    struct presence_change change = leave_of(a, 1, "left");
    tell(a, "left", &change, 1, (struct presence_batch){.last = true});
    struct answer *answer = members_of(&world->workers[1], "left");
    assert_int_equal(answer->count, 0);
    answer = counts_of(a, "left");
    assert_int_equal(answer->count, 0);
}

static void values_are_kept_as_they_are(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "values", channels);
    /* Objects, as gateways write them: without a newline. */
    static const char *const values[] = {"{\"name\":\"J\303\274rgen  \\n \\u0000 \\\" 100 %s\"}", "{ }", "{}",
                                         "{\"a\":\"$5 *3 'quoted' \177\"}"};
    enum { VALUES = sizeof values / sizeof *values };
    struct presence_change changes[VALUES];
    for (uint32_t i = 0; i < VALUES; i++)
        changes[i] = join_of(a, i + 1, values[i]);
    tell(a, "values", changes, VALUES, (struct presence_batch){.first = true});
    world_until(world, world->workers[1].presences == 1);
    struct presence_event event = event_of(&world->workers[1], 0, NULL);
    struct answer *answer = members_of(&world->workers[1], "values");
    for (uint32_t i = 0; i < VALUES; i++) {
        expect_change(&event, PRESENCE_JOIN, member_of(a, i + 1), values[i]);
        assert_string_equal(listed(answer, member_of(a, i + 1)), values[i]);
    }
    expect_end(&event);
}

/* However many events it takes: together they tell all of it. */
static void a_large_batch_comes_through(void **state)
{
    enum { CHANGES = 600 };
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "large", channels);
    static struct presence_change changes[CHANGES];
    for (uint32_t i = 0; i < CHANGES; i++)
        changes[i] = join_of(a, i + 1, "{\"name\":\"somebody\",\"user\":\"some.body@example.org\"}");
    struct answer *answer = tell(a, "large", changes, CHANGES, (struct presence_batch){.first = true});
    world_until(world, b->presences && event_of(b, b->presences - 1, NULL).pv == answer->position.pv);

    uint32_t next = 1;
    for (size_t nth = 0; nth < b->presences; nth++) {
        struct presence_event event = event_of(b, nth, NULL);
        struct presence_change change;
        assert_int_equal(event.pv, nth + 1);
        while (presence_event_next(&event, &change))
            assert_true(change.member == member_of(a, next++));
        assert_int_equal(event.rest.len, 0);
        assert_int_equal(event.members, next - 1);
    }
    assert_int_equal(next, CHANGES + 1);
    answer = members_of(b, "large");
    assert_int_equal(answer_rows(answer, ROW_MEMBER), CHANGES);
    assert_int_equal(answer_members_of(answer, a->bus->gateway), CHANGES);

    for (uint32_t i = 0; i < CHANGES; i++)
        changes[i] = leave_of(a, i + 1, "left");
    tell(a, "large", changes, CHANGES, (struct presence_batch){.last = true});
    assert_int_equal(members_of(b, "large")->count, 0);
}

/* ---- what is told, and what is not ---- */

static void known_says_whether_the_gateway_was_there_before(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_up(world);
    struct presence_change change = join_of(a, 1, "{}");
    assert_false(tell(a, "known", &change, 1, (struct presence_batch){.first = true})->position.known);
    change = join_of(a, 2, "{}");
    assert_true(tell(a, "known", &change, 1, (struct presence_batch){0})->position.known);
    assert_true(tell(a, "known", NULL, 0, (struct presence_batch){0})->position.known);
    change = join_of(b, 1, "{}");
    assert_false(tell(b, "known", &change, 1, (struct presence_batch){.first = true})->position.known);
    struct presence_change all[] = {leave_of(a, 1, "left"), leave_of(a, 2, "left")};
    assert_true(tell(a, "known", all, 2, (struct presence_batch){.last = true})->position.known);
    change = join_of(a, 3, "{}");
    assert_false(tell(a, "known", &change, 1, (struct presence_batch){.first = true})->position.known);
}

static void renewing_tells_nothing(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "renew", channels);
    struct presence_change change = join_of(a, 1, "{}");
    tell(a, "renew", &change, 1, (struct presence_batch){.first = true, .unlisted = 3});
    world_until(world, world->workers[1].presences == 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tell(a, "renew", NULL, 0, (struct presence_batch){.unlisted = 3})->position.pv, 1);
    world_run_for(world, 50);
    assert_int_equal(world->workers[1].presences, 1);
    assert_int_equal(answer_members_of(counts_of(a, "renew"), a->bus->gateway), 4);
}

/* After a lost answer, a gateway tells it all again. */
static void what_stands_already_is_no_news(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "again", channels);
    struct presence_change changes[] = {join_of(a, 1, "{\"n\":1}"), join_of(a, 2, "{\"n\":2}")};
    tell(a, "again", changes, 2, (struct presence_batch){.first = true});
    tell(a, "again", changes, 2, (struct presence_batch){.first = true});
    struct presence_change leave[] = {leave_of(a, 1, "left"), leave_of(a, 7, "never was here")};
    tell(a, "again", leave, 2, (struct presence_batch){0});
    tell(a, "again", leave, 2, (struct presence_batch){0});
    changes[1].value = BYTES("{\"n\":3}");
    assert_int_equal(tell(a, "again", changes, 2, (struct presence_batch){0})->position.pv, 3);
    world_until(world, world->workers[1].presences == 3);
    struct presence_event events[3];
    for (size_t i = 0; i < 3; i++)
        events[i] = event_of(&world->workers[1], i, NULL);
    assert_int_equal(events[0].members, 2);
    expect_change(&events[1], PRESENCE_LEAVE, member_of(a, 1), "left");
    expect_end(&events[1]);
    expect_change(&events[2], PRESENCE_JOIN, member_of(a, 1), "{\"n\":1}");
    expect_change(&events[2], PRESENCE_JOIN, member_of(a, 2), "{\"n\":3}");
    expect_end(&events[2]);
}

static void unlisted_members_are_counted(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "unlisted", channels);
    struct presence_change change = join_of(a, 1, "{}");
    tell(a, "unlisted", &change, 1, (struct presence_batch){.first = true, .unlisted = 10});
    struct answer *answer = members_of(&world->workers[1], "unlisted");
    assert_int_equal(answer_members_of(answer, a->bus->gateway), 11);
    assert_int_equal(answer_rows(answer, ROW_MEMBER), 1);
    world_until(world, world->workers[1].presences == 1);
    assert_int_equal(event_of(&world->workers[1], 0, NULL).members, 11);

    /* Only their number has changed: an event without changes says so. */
    assert_int_equal(tell(a, "unlisted", NULL, 0, (struct presence_batch){.unlisted = 12})->position.pv, 2);
    world_until(world, world->workers[1].presences == 2);
    struct presence_event event = event_of(&world->workers[1], 1, NULL);
    assert_int_equal(event.members, 13);
    expect_end(&event);

    change = leave_of(a, 1, "left");
    tell(a, "unlisted", &change, 1, (struct presence_batch){.unlisted = 12});
    assert_int_equal(answer_members_of(counts_of(&world->workers[1], "unlisted"), a->bus->gateway), 12);
    assert_true(tell(a, "unlisted", NULL, 0, (struct presence_batch){.last = true})->position.known);
    assert_int_equal(counts_of(&world->workers[1], "unlisted")->count, 0);
}

static void a_quiet_room_counts_and_tells_nobody(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "quiet", channels);
    struct presence_change changes[] = {join_of(a, 1, "{}"), join_of(a, 2, "{}")};
    struct answer *answer = tell(a, "quiet", changes, 2, (struct presence_batch){.first = true, .quiet = true});
    assert_int_equal(answer->position.pv, 1); /* who counts on the events sees that there was something */
    assert_int_equal(answer_members_of(counts_of(b, "quiet"), a->bus->gateway), 2);
    assert_int_equal(answer_rows(members_of(b, "quiet"), ROW_MEMBER), 2);
    world_publish(a, "quiet", "after it", 1);
    world_until(world, world_last_is(b, "after it"));
    assert_int_equal(a->presences + b->presences, 0);
    struct presence_change change = leave_of(a, 1, "left");
    tell(a, "quiet", &change, 1, (struct presence_batch){0});
    world_until(world, b->presences == 1);
    assert_int_equal(event_of(b, 0, NULL).pv, 2);
}

/* Telling presence asks for the position as bus_locate does. */
static void presence_looks_at_what_was_delivered(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "fence", channels);
    struct presence_change change = join_of(a, 1, "{}");
    struct answer *first = tell(a, "fence", &change, 1, (struct presence_batch){.first = true});
    assert_string_not_equal(first->position.epoch, "");
    world_publish_logged(a, "fence", "hello", 1);
    world_until(world, a->published == 1);
    change = join_of(a, 2, "{}");
    struct answer *second =
        tell(a, "fence", &change, 1, (struct presence_batch){.epoch = bytes_of(first->position.epoch), .seq = 1});
    assert_string_equal(second->position.epoch, first->position.epoch);
    assert_int_equal(second->position.seq, 1);
    change = join_of(a, 3, "{}");
    struct answer *third =
        tell(a, "fence", &change, 1, (struct presence_batch){.epoch = bytes_of(first->position.epoch), .seq = 9});
    assert_string_equal(third->position.prev, first->position.epoch);
    assert_true(third->position.seq > 9);
    assert_int_equal(third->position.pv, 3); /* it goes on */
    world_until(world, world->workers[1].presences == 3);
    char epoch[EPOCH_MAX + 1];
    event_of(&world->workers[1], 2, epoch);
    assert_string_equal(epoch, third->position.epoch);
}

static void rooms_have_their_own_members(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "own-1", channels);
    join_one(a, "own-1", 1, "{}", true);
    join_one(a, "own-2", 1, "{\"in\":2}", true);
    join_one(a, "own-2", 2, "{}", false);
    assert_int_equal(answer_rows(members_of(a, "own-1"), ROW_MEMBER), 1);
    assert_int_equal(answer_rows(members_of(a, "own-2"), ROW_MEMBER), 2);
    assert_string_equal(listed(members_of(a, "own-1"), member_of(a, 1)), "{}");
    world_until(world, world->workers[1].presences == 1);
    world_run_for(world, 50);
    assert_int_equal(world->workers[1].presences, 1);
}

/* Batches told one after the other, without waiting: each is applied, in order. */
static void batches_are_applied_in_order(void **state)
{
    enum { BATCHES = 40 };
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "batches", channels);
    struct answer *answers[BATCHES];
    for (uint32_t i = 0; i < BATCHES; i++) {
        char value[24];
        snprintf(value, sizeof value, "{\"n\":%d}", (int)i);
        struct presence_change change = {i ? PRESENCE_UPDATE : PRESENCE_JOIN, member_of(a, 1), bytes_of(value)};
        struct presence_batch batch = {.room = BYTES("batches"), .changes = &change, .count = 1, .first = i == 0};
        answers[i] = world_presence(a, &batch);
    }
    for (uint64_t i = 0; i < BATCHES; i++) {
        answer_wait(answers[i]);
        assert_int_equal(answers[i]->position.pv, i + 1);
    }
    world_until(world, b->presences == BATCHES);
    for (size_t i = 0; i < BATCHES; i++) {
        char value[24];
        snprintf(value, sizeof value, "{\"n\":%d}", (int)i);
        struct presence_event event = event_of(b, i, NULL);
        expect_change(&event, i ? PRESENCE_UPDATE : PRESENCE_JOIN, member_of(a, 1), value);
    }
}

static void closing_amid_presence_tells_nothing_more(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    both_are_up(world);
    struct presence_change change = join_of(a, 1, "{}");
    struct presence_batch batch = {.room = BYTES("presence-closing"), .changes = &change, .count = 1, .first = true};
    struct answer *answers[] = {world_presence(a, &batch), world_members(a, "presence-closing"),
                                world_counts(a, "presence-closing")};
    bus_close(a->bus, world_on_bus_closed, a);
    world_until(world, !a->bus);
    world_run_for(world, 50);
    for (int i = 0; i < 3; i++)
        assert_int_equal(answers[i]->ends, 0);
}

#define CONTRACT_PRESENCE_TESTS                                                                                        \
    CONTRACT_TEST(joins_updates_and_leaves_are_told_to_all_in_order), CONTRACT_TEST(members_are_what_was_told),        \
        CONTRACT_TEST(who_has_left_is_in_no_list), CONTRACT_TEST(values_are_kept_as_they_are),                         \
        CONTRACT_TEST(a_large_batch_comes_through), CONTRACT_TEST(known_says_whether_the_gateway_was_there_before),    \
        CONTRACT_TEST(renewing_tells_nothing), CONTRACT_TEST(what_stands_already_is_no_news),                          \
        CONTRACT_TEST(unlisted_members_are_counted), CONTRACT_TEST(a_quiet_room_counts_and_tells_nobody),              \
        CONTRACT_TEST(presence_looks_at_what_was_delivered), CONTRACT_TEST(rooms_have_their_own_members),              \
        CONTRACT_TEST(batches_are_applied_in_order), CONTRACT_TEST(closing_amid_presence_tells_nothing_more)

#endif
