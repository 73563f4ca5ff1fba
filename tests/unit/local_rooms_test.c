/* local_rooms_test.c -- how long the local bus knows a room, and that it gives back the memory of many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/bus/local_rooms.h"

enum { START_MS = 5000000 };

static const struct log_rule rule = {.size = 100, .bytes = 1 << 20, .ttl_s = 600};

static int begin(void **state)
{
    static struct local_rooms rooms;
    local_rooms_init(&rooms);
    local_rooms_tell_time(&rooms, START_MS);
    *state = &rooms;
    return 0;
}

static int end(void **state)
{
    local_rooms_close(*state);
    return 0;
}

static struct bytes name_of(int number)
{
    static char name[24];
    snprintf(name, sizeof name, "room-%d", number);
    return bytes_of(name);
}

static void say(struct local_rooms *rooms, struct bytes name, const struct log_rule *log)
{
    struct local_room *room = local_rooms_get(rooms, name);
    local_log_fence(&room->log, random_system(), (struct bytes){NULL, 0}, 0);
    local_log_append(&room->log, log, BYTES("t - - 17 hello"), rooms->now_ms);
    local_rooms_settle(rooms, room);
}

/* Lets time pass as workers do: a look each second. */
static void pass(struct local_rooms *rooms, uint64_t seconds)
{
    for (uint64_t i = 0; i < seconds; i++) {
        local_rooms_tell_time(rooms, rooms->now_ms + 1000);
        while (!local_rooms_sweep(rooms, 100))
            continue;
    }
}

static size_t entries(const struct local_rooms *rooms)
{
    size_t count = 0;
    for (const struct local_room *room = rooms->table; room; room = room->hh.next)
        count += room->log.count;
    return count;
}

static void a_room_of_which_nothing_is_kept_is_forgotten_at_once(void **state)
{
    struct local_rooms *rooms = *state;
    local_rooms_settle(rooms, local_rooms_get(rooms, BYTES("passer-by")));
    assert_null(local_rooms_find(rooms, BYTES("passer-by")));
}

static void many_rooms_give_their_logs_back_in_time(void **state)
{
    enum { ROOMS = 5000 };
    struct local_rooms *rooms = *state;
    for (int i = 0; i < ROOMS; i++) {
        say(rooms, name_of(i), &rule);
        if (i % 50 == 0)
            pass(rooms, 1); /* over 100 s */
    }
    pass(rooms, 500 - 3);
    assert_int_equal(entries(rooms), ROOMS);
    say(rooms, name_of(0), &rule);
    pass(rooms, 50 + 3);
    assert_in_range(entries(rooms), ROOMS / 2 - 300, ROOMS / 2 + 300);
    pass(rooms, 60);
    assert_int_equal(entries(rooms), 2); /* what room 0 said again came before its first had gone */
    pass(rooms, 600);
    assert_int_equal(entries(rooms), 0);
    assert_int_equal(rooms->asleep, ROOMS);
    assert_int_equal(HASH_COUNT(rooms->table), ROOMS);
    for (int i = 0; i < ROOMS; i++)
        assert_int_equal(local_rooms_find(rooms, name_of(i))->log.seq, i == 0 ? 2 : 1);
}

static void a_sweep_keeps_to_its_budget_and_comes_through(void **state)
{
    enum { ROOMS = 1000, BUDGET = 10 };
    struct local_rooms *rooms = *state;
    for (int i = 0; i < ROOMS; i++)
        say(rooms, name_of(i), &rule);
    local_rooms_tell_time(rooms, START_MS + 3600 * 1000);
    size_t sweeps = 1;
    for (size_t before = ROOMS; !local_rooms_sweep(rooms, BUDGET); sweeps++) {
        assert_in_range(before - entries(rooms), 0, BUDGET);
        before = entries(rooms);
    }
    assert_in_range(sweeps, ROOMS / BUDGET, ROOMS / BUDGET + 2);
    assert_int_equal(entries(rooms), 0);
}

static void an_expired_log_is_empty_before_it_is_swept(void **state)
{
    struct local_rooms *rooms = *state;
    say(rooms, BYTES("lobby"), &rule);
    local_rooms_tell_time(rooms, START_MS + 599999);
    assert_int_equal(local_rooms_find(rooms, BYTES("lobby"))->log.count, 1);
    local_rooms_tell_time(rooms, START_MS + 600000);
    assert_int_equal(local_rooms_find(rooms, BYTES("lobby"))->log.count, 0);
    assert_int_equal(local_rooms_find(rooms, BYTES("lobby"))->log.seq, 1);
    pass(rooms, 120);
    assert_int_equal(rooms->asleep, 1);
}

static void a_sleeping_room_is_forgotten_after_a_day(void **state)
{
    struct local_rooms *rooms = *state;
    static const struct log_rule brief = {.size = 100, .bytes = 1 << 20, .ttl_s = 1};
    say(rooms, BYTES("first"), &brief);
    pass(rooms, 70);
    say(rooms, BYTES("second"), &brief);
    pass(rooms, 24 * 3600 - 120);
    say(rooms, BYTES("second"), &brief); /* it wakes, and its day begins anew */
    assert_int_equal(local_rooms_find(rooms, BYTES("second"))->log.seq, 2);
    pass(rooms, 125);
    assert_null(local_rooms_find(rooms, BYTES("first")));
    assert_non_null(local_rooms_find(rooms, BYTES("second")));
    pass(rooms, 24 * 3600);
    assert_null(rooms->table);
}

static void a_state_is_kept_as_long_as_the_record(void **state)
{
    struct local_rooms *rooms = *state;
    struct local_room *room = local_rooms_get(rooms, BYTES("lobby"));
    local_hash_write(&room->state, rooms->hash_key, BYTES("lock"), BYTES("1"));
    local_rooms_settle(rooms, room);
    pass(rooms, 1000);
    room = local_rooms_find(rooms, BYTES("lobby"));
    assert_non_null(room);
    local_hash_write(&room->state, rooms->hash_key, BYTES("lock"), BYTES(""));
    local_rooms_settle(rooms, room);
    assert_null(local_rooms_find(rooms, BYTES("lobby")));
}

static void the_longest_asleep_make_place(void **state)
{
    enum { MORE = 500 };
    struct local_rooms *rooms = *state;
    for (int i = 0; i < ROOMS_ASLEEP_MAX + MORE; i++) {
        struct local_room *room = local_rooms_get(rooms, name_of(i));
        local_log_fence(&room->log, random_system(), (struct bytes){NULL, 0}, 0);
        local_rooms_settle(rooms, room);
    }
    assert_int_equal(rooms->asleep, ROOMS_ASLEEP_MAX);
    assert_int_equal(HASH_COUNT(rooms->table), ROOMS_ASLEEP_MAX);
    assert_null(local_rooms_find(rooms, name_of(MORE - 1)));
    assert_non_null(local_rooms_find(rooms, name_of(MORE)));
}

int main(void)
{
#define ROOMS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROOMS_TEST(a_room_of_which_nothing_is_kept_is_forgotten_at_once),
        ROOMS_TEST(many_rooms_give_their_logs_back_in_time),
        ROOMS_TEST(a_sweep_keeps_to_its_budget_and_comes_through),
        ROOMS_TEST(an_expired_log_is_empty_before_it_is_swept),
        ROOMS_TEST(a_sleeping_room_is_forgotten_after_a_day),
        ROOMS_TEST(a_state_is_kept_as_long_as_the_record),
        ROOMS_TEST(the_longest_asleep_make_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
