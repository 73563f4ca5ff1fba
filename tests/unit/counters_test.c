/* counters_test.c -- statuses, close codes and latencies land where /metrics looks for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../gateway/counters.h"

static void a_status_without_a_counter_of_its_own_is_counted_as_other(void **state)
{
    (void)state;
    assert_int_equal(counter_of_status(400), COUNT_HTTP_400);
    assert_int_equal(counter_of_status(505), COUNT_HTTP_505);
    assert_int_equal(counter_of_status(200), COUNT_HTTP_200);
    assert_int_equal(counter_of_status(418), COUNT_HTTP_OTHER);
    assert_int_equal(counter_of_status(-1), COUNT_HTTP_OTHER);
}

static void each_status_has_one_counter(void **state)
{
    (void)state;
    static const int statuses[] = {400, 403, 404, 405, 408, 413, 414, 426, 431, 503, 505, 200, 304};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_int_equal(counter_of_status(statuses[i]), COUNT_HTTP_400 + (int)i);
}

static void each_close_code_has_one_counter(void **state)
{
    (void)state;
    static const int codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_int_equal(counter_of_close(codes[i]), COUNT_CLOSE_1000 + (int)i);
    assert_int_equal(counter_of_close(4403), COUNT_CLOSE_OTHER);
}

static void a_close_frame_without_a_code_is_a_normal_end_and_no_close_frame_is_none(void **state)
{
    (void)state;
    assert_int_equal(counter_of_close(1005), COUNT_CLOSE_1000);
    assert_int_equal(counter_of_close(1006), COUNT_CLOSE_NONE);
    assert_int_equal(counter_of_close(0), COUNT_CLOSE_NONE);
}

static void a_latency_counts_in_the_first_bucket_whose_bound_it_does_not_exceed(void **state)
{
    (void)state;
    static struct counters counters;
    counter_latency(&counters, 1, 1);
    counter_latency(&counters, 2, 1);
    counter_latency(&counters, 3, 10);
    counter_latency(&counters, 5000, 1);
    counter_latency(&counters, 5001, 1);
    assert_int_equal(counters.latency[0], 1);
    assert_int_equal(counters.latency[1], 1);
    assert_int_equal(counters.latency[2], 10);
    assert_int_equal(counters.latency[LATENCY_BUCKETS - 1], 1);
    assert_int_equal(counters.latency[LATENCY_BUCKETS], 1);
    assert_int_equal(counters.latency_sum_ms, 1 + 2 + 30 + 5000 + 5001);
}

static void a_message_from_the_future_counts_as_instant(void **state)
{
    (void)state;
    static struct counters counters;
    counter_latency(&counters, -40, 3);
    counter_latency(&counters, INT64_MIN, 1);
    assert_int_equal(counters.latency[0], 4);
    assert_int_equal(counters.latency_sum_ms, 0);
}

static void a_gauge_goes_down_as_it_went_up(void **state)
{
    (void)state;
    static struct counters counters;
    counter_add(&counters, GAUGE_ROOMS, 3);
    counter_sub(&counters, GAUGE_ROOMS, 2);
    assert_int_equal(counter_get(&counters, GAUGE_ROOMS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_without_a_counter_of_its_own_is_counted_as_other),
        cmocka_unit_test(each_status_has_one_counter),
        cmocka_unit_test(each_close_code_has_one_counter),
        cmocka_unit_test(a_close_frame_without_a_code_is_a_normal_end_and_no_close_frame_is_none),
        cmocka_unit_test(a_latency_counts_in_the_first_bucket_whose_bound_it_does_not_exceed),
        cmocka_unit_test(a_message_from_the_future_counts_as_instant),
        cmocka_unit_test(a_gauge_goes_down_as_it_went_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
