/* pacing_test.c -- a busy loop rests, a lone message is never delayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/pacing.h"
#include "support/delivery_world.h"

#define MS    UINT64_C(1000000)
#define START UINT64_C(5000000000)

/* As many turns as it remembers, each `apart_ns` after the one before; returns when the last ended. */
static uint64_t turn_eight_times(struct pacing *pacing, uint64_t now, uint64_t apart_ns)
{
    for (int i = 0; i < PACING_TURNS; i++) {
        now += apart_ns;
        pacing_wait_ns(pacing, now);
    }
    return now;
}

static void a_setting_of_zero_never_waits(void **state)
{
    (void)state;
    struct pacing pacing = {0};
    for (uint64_t now = START; now < START + 100000; now += 100)
        assert_int_equal(pacing_wait_ns(&pacing, now), 0);
}

static void the_first_turns_do_not_wait_however_fast_they_come(void **state)
{
    (void)state;
    static const uint64_t starts[] = {1, START}; /* a clock that has just begun, too */
    for (int s = 0; s < 2; s++) {
        struct pacing pacing = {.interval_ns = 2 * MS};
        for (int i = 0; i < PACING_TURNS; i++)
            assert_int_equal(pacing_wait_ns(&pacing, starts[s] + (uint64_t)i), 0);
        assert_int_not_equal(pacing_wait_ns(&pacing, starts[s] + PACING_TURNS), 0);
    }
}

static void turns_an_interval_apart_never_wait(void **state)
{
    (void)state;
    struct pacing pacing = {.interval_ns = 2 * MS};
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(pacing_wait_ns(&pacing, START + i * 2 * MS), 0);
}

static void the_rest_is_what_is_left_of_the_interval(void **state)
{
    (void)state;
    static const uint64_t since[] = {1000, 500000, 1999999};
    for (int i = 0; i < 3; i++) {
        struct pacing pacing = {.interval_ns = 2 * MS};
        uint64_t now = turn_eight_times(&pacing, START, 100000);
        assert_int_equal(pacing_wait_ns(&pacing, now + since[i]), 2 * MS - since[i]);
    }
}

static void a_turn_that_took_an_interval_is_followed_by_no_rest(void **state)
{
    (void)state;
    struct pacing pacing = {.interval_ns = 2 * MS};
    uint64_t now = turn_eight_times(&pacing, START, 100000);
    assert_int_equal(pacing_wait_ns(&pacing, now + 2 * MS), 0);
}

static void a_burst_after_a_pause_is_not_delayed_until_it_lasts(void **state)
{
    (void)state;
    struct pacing pacing = {.interval_ns = 2 * MS};
    uint64_t now = turn_eight_times(&pacing, START, 1000) + 100 * MS;
    for (int i = 0; i < PACING_TURNS; i++, now += 1000)
        assert_int_equal(pacing_wait_ns(&pacing, now), 0);
    assert_int_not_equal(pacing_wait_ns(&pacing, now), 0);
}

/* A worker that always finds something to do, whatever its turns cost, and rests as it is told. */
static void a_loop_that_is_always_busy_turns_less_often(void **state)
{
    (void)state;
    enum { TURNS = 2000 };
    for (uint64_t work = 10000; work < 2 * MS; work += 190000) {
        struct pacing pacing = {.interval_ns = 2 * MS};
        uint64_t now = START;
        for (int i = 0; i < TURNS; i++) {
            now += work;
            uint64_t wait = pacing_wait_ns(&pacing, now);
            assert_true(wait <= 2 * MS);
            now += wait;
        }
        uint64_t mean = (now - START) / TURNS;
        assert_in_range(mean, MS * 99 / 100, 2 * MS + 1000);
    }
}

static void whatever_the_times_it_never_rests_longer_than_an_interval(void **state)
{
    (void)state;
    struct dice dice = {3};
    for (int round = 0; round < 200; round++) {
        struct pacing pacing = {.interval_ns = 1 + dice_below(&dice, 1000000000)};
        uint64_t now = round ? dice_u64(&dice) >> 1 : 1;
        for (int i = 0; i < 200; i++) {
            now += dice_below(&dice, dice_percent(&dice, 10) ? UINT32_MAX : 1000000);
            uint64_t wait = pacing_wait_ns(&pacing, now);
            assert_true(wait <= pacing.interval_ns);
            now += wait;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_setting_of_zero_never_waits),
        cmocka_unit_test(the_first_turns_do_not_wait_however_fast_they_come),
        cmocka_unit_test(turns_an_interval_apart_never_wait),
        cmocka_unit_test(the_rest_is_what_is_left_of_the_interval),
        cmocka_unit_test(a_turn_that_took_an_interval_is_followed_by_no_rest),
        cmocka_unit_test(a_burst_after_a_pause_is_not_delayed_until_it_lasts),
        cmocka_unit_test(a_loop_that_is_always_busy_turns_less_often),
        cmocka_unit_test(whatever_the_times_it_never_rests_longer_than_an_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
