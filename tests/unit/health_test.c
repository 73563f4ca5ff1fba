/* health_test.c -- what the probes are told: killed only for a stuck loop, out of the Service only while draining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/admin/health.h"

static struct counters first, second;
static const struct counters *const workers[] = {&first, &second};

static int reset(void **state)
{
    (void)state;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    return 0;
}

static void assert_ready(bool uses_redis, bool needs_redis, bool draining, int status, const char *body)
{
    int got_status = 0;
    size_t len = 0;
    char *got = health_ready(workers, 2, uses_redis, needs_redis, draining, &got_status, &len);
    assert_string_equal(got, body);
    assert_int_equal(len, strlen(body));
    assert_int_equal(got_status, status);
    free(got);
}

static void set_bus(uint64_t first_up, uint64_t second_up)
{
    counter_set(&first, GAUGE_BUS_UP, first_up);
    counter_set(&second, GAUGE_BUS_UP, second_up);
}

static void it_lives_while_every_loop_ticked_in_the_last_five_seconds(void **state)
{
    (void)state;
    counter_set(&first, GAUGE_LAST_TURN_MS, 10000);
    counter_set(&second, GAUGE_LAST_TURN_MS, 12000);
    assert_true(health_live(workers, 2, 14999));
    assert_false(health_live(workers, 2, 15000));
}

static void one_stuck_loop_of_many_is_enough_to_be_restarted(void **state)
{
    (void)state;
    counter_set(&first, GAUGE_LAST_TURN_MS, 60000);
    counter_set(&second, GAUGE_LAST_TURN_MS, 10000);
    assert_false(health_live(workers, 2, 60001));
}

static void a_tick_after_the_look_at_the_clock_is_a_sign_of_life(void **state)
{
    (void)state;
    counter_set(&first, GAUGE_LAST_TURN_MS, 10001);
    counter_set(&second, GAUGE_LAST_TURN_MS, 10001);
    assert_true(health_live(workers, 2, 10000));
}

static void liveness_never_looks_at_redis(void **state)
{
    (void)state;
    counter_set(&first, GAUGE_LAST_TURN_MS, 10000);
    counter_set(&second, GAUGE_LAST_TURN_MS, 10000);
    set_bus(0, 0);
    assert_true(health_live(workers, 2, 10000));
}

static void it_is_ready_on_the_local_bus(void **state)
{
    (void)state;
    assert_ready(false, false, false, 200, "{\"status\":\"ready\",\"bus\":\"local\"}");
    assert_ready(false, true, false, 200, "{\"status\":\"ready\",\"bus\":\"local\"}");
}

static void redis_is_up_when_every_workers_is(void **state)
{
    (void)state;
    set_bus(1, 1);
    assert_ready(true, true, false, 200, "{\"status\":\"ready\",\"redis\":\"up\"}");
    set_bus(1, 0);
    assert_ready(true, false, false, 200, "{\"status\":\"ready\",\"redis\":\"down\"}");
}

static void a_lost_redis_takes_it_out_of_the_service_only_where_it_is_told_so(void **state)
{
    (void)state;
    set_bus(0, 0);
    assert_ready(true, false, false, 200, "{\"status\":\"ready\",\"redis\":\"down\"}");
    assert_ready(true, true, false, 503, "{\"status\":\"unavailable\",\"redis\":\"down\"}");
}

static void draining_is_never_ready(void **state)
{
    (void)state;
    set_bus(1, 1);
    assert_ready(true, false, true, 503, "{\"status\":\"draining\",\"redis\":\"up\"}");
    assert_ready(false, false, true, 503, "{\"status\":\"draining\",\"bus\":\"local\"}");
    set_bus(0, 0);
    assert_ready(true, true, true, 503, "{\"status\":\"draining\",\"redis\":\"down\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_lives_while_every_loop_ticked_in_the_last_five_seconds, reset),
        cmocka_unit_test_setup(one_stuck_loop_of_many_is_enough_to_be_restarted, reset),
        cmocka_unit_test_setup(a_tick_after_the_look_at_the_clock_is_a_sign_of_life, reset),
        cmocka_unit_test_setup(liveness_never_looks_at_redis, reset),
        cmocka_unit_test_setup(it_is_ready_on_the_local_bus, reset),
        cmocka_unit_test_setup(redis_is_up_when_every_workers_is, reset),
        cmocka_unit_test_setup(a_lost_redis_takes_it_out_of_the_service_only_where_it_is_told_so, reset),
        cmocka_unit_test_setup(draining_is_never_ready, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
