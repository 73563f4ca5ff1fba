/* local_log_test.c -- one room's log on the local bus: its numbers, its bounds, its epochs, its keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/envelope.h"
#include "gateway/bus/local_log.h"

static const uint64_t hash_key[2] = {1, 2};
static const struct bytes nobody = {NULL, 0};

static int begin(void **state)
{
    static struct local_log log;
    log = (struct local_log){0};
    local_log_fence(&log, random_system(), nobody, 0);
    *state = &log;
    return 0;
}

static int end(void **state)
{
    local_log_close(*state);
    return 0;
}

static void append(struct local_log *log, const struct log_rule *rule, size_t payload, uint64_t now_ms)
{
    char tail[4096] = "t - - 17 ";
    size_t head = strlen(tail);
    memset(tail + head, 'x', payload);
    local_log_append(log, rule, (struct bytes){tail, head + payload}, now_ms);
}

static void name_of(uint64_t epoch, char out[EPOCH_DIGITS + 1])
{
    local_log_epoch_name(epoch, out);
    out[EPOCH_DIGITS] = '\0';
}

static void an_entry_is_an_envelope_with_its_number(void **state)
{
    struct local_log *log = *state;
    static const struct log_rule rule = {.size = 10, .bytes = 1000, .ttl_s = 10};
    const struct log_entry *entry = local_log_append(log, &rule, BYTES("d key 0a1b2c3d00000001/ann 17 {}"), 0);
    struct envelope envelope;
    assert_int_equal(envelope_decode((struct bytes){entry->envelope, entry->len}, &envelope), ENVELOPE_OK);
    char name[EPOCH_DIGITS + 1];
    name_of(log->epoch, name);
    assert_int_equal(envelope.seq, 1);
    assert_true(bytes_equal(envelope.epoch, bytes_of(name)));
    assert_true(bytes_equal(envelope.key, BYTES("key")));
    assert_true(bytes_equal(envelope.payload, BYTES("{}")));
}

static void the_ring_keeps_the_newest_of_any_number(void **state)
{
    struct local_log *log = *state;
    for (uint32_t size = 1; size <= 9; size++) {
        struct log_rule rule = {.size = size, .bytes = 1 << 20, .ttl_s = 10};
        for (int i = 0; i < 25; i++)
            append(log, &rule, 10, 0);
        assert_int_equal(log->count, size);
        for (uint32_t i = 0; i < size; i++)
            assert_int_equal(local_log_at(log, i)->seq, log->seq - size + 1 + i);
        for (uint64_t seq = log->seq - size; seq <= log->seq; seq++)
            assert_int_equal(local_log_place_after(log, seq), seq - (log->seq - size));
    }
}

static void bytes_bound_it_but_the_newest_stays(void **state)
{
    struct local_log *log = *state;
    static const struct log_rule rule = {.size = 1000, .bytes = 1000, .ttl_s = 10};
    for (int i = 0; i < 100; i++) {
        append(log, &rule, 100, 0);
        assert_true(log->bytes <= rule.bytes);
    }
    assert_in_range(log->count, 5, 9);
    append(log, &rule, 3000, 0); /* larger than the log may be: it alone is kept */
    assert_int_equal(log->count, 1);
    assert_int_equal(local_log_at(log, 0)->seq, 101);
    append(log, &rule, 10, 0);
    assert_int_equal(log->count, 1);
    assert_int_equal(log->bytes, local_log_at(log, 0)->len);
}

static void an_epoch_leaves_a_hole_in_the_numbers(void **state)
{
    struct local_log *log = *state;
    static const struct log_rule rule = {.size = 100, .bytes = 1 << 20, .ttl_s = 10};
    for (int i = 0; i < 3; i++)
        append(log, &rule, 10, 0);
    char name[EPOCH_DIGITS + 1];
    name_of(log->epoch, name);
    uint64_t first = log->epoch;
    local_log_fence(log, random_system(), bytes_of(name), 3);
    assert_true(log->epoch == first);
    local_log_fence(log, random_system(), BYTES("0000000000000001"), 9);
    assert_true(log->epoch == first);
    local_log_fence(log, random_system(), bytes_of(name), 9);
    assert_true(log->epoch != first && log->prev == first);
    assert_int_equal(log->prevtop, 3);
    assert_true(log->base > 9 && log->seq == log->base);
    append(log, &rule, 10, 0);
    assert_int_equal(log->count, 4);
    assert_int_equal(local_log_place_after(log, 3), 3);
    assert_int_equal(local_log_place_after(log, log->base), 3);
    assert_int_equal(local_log_place_after(log, log->base + 1), 4);
}

/* The record was lost, and a worker still knows the numbers of an epoch that nobody else has heard of. */
static void a_log_that_begins_anew_goes_above_what_was_delivered(void **state)
{
    (void)state;
    struct local_log log = {0};
    local_log_fence(&log, random_system(), BYTES("0123456789abcdef"), 70);
    assert_true(log.base > 70);
    assert_true(log.prev == 0);
    local_log_close(&log);
}

static void entries_outlive_the_last_one_by_ttl_and_numbers_go_on(void **state)
{
    struct local_log *log = *state;
    static const struct log_rule rule = {.size = 100, .bytes = 1 << 20, .ttl_s = 10};
    append(log, &rule, 10, 1000);
    append(log, &rule, 10, 6000);
    assert_int_equal(local_log_expire(log, 15999), 16000);
    assert_int_equal(log->count, 2);
    assert_int_equal(local_log_expire(log, 16000), 0);
    assert_int_equal(log->count, 0);
    assert_null(log->ring);
    assert_int_equal(log->bytes, 0);
    uint64_t epoch = log->epoch;
    append(log, &rule, 10, 20000);
    assert_int_equal(local_log_at(log, 0)->seq, 3);
    assert_true(log->epoch == epoch);
}

static void keys_are_remembered_for_a_while(void **state)
{
    struct local_log *log = *state;
    static const struct log_rule rule = {.size = 2, .bytes = 1 << 20, .ttl_s = 10};
    for (uint64_t i = 1; i <= 50; i++) { /* one a second */
        char key[16];
        snprintf(key, sizeof key, "key-%d", (int)i);
        append(log, &rule, 10, i * 1000);
        local_log_remember(log, hash_key, bytes_of(key), i * 1000);
    }
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-1"), 51000), 1); /* though its message is gone */
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-50"), 51000), 50);
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-51"), 51000), 0);
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-1"), 61000), 1); /* 60 s are promised */
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-1"), 121000), 0);
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-50"), 121000), 50);

    append(log, &rule, 10, 121000); /* once it has outlived itself, a key is as good as new */
    local_log_remember(log, hash_key, BYTES("key-1"), 121000);
    assert_int_equal(local_log_seen(log, hash_key, BYTES("key-1"), 121000), 51);
    assert_int_equal(local_log_expire(log, 145000), 121000 + LOG_KEY_LIFE_MS);
    assert_int_equal(local_log_expire(log, 300000), 0);
    assert_null(log->keys);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        LOG_TEST(an_entry_is_an_envelope_with_its_number),
        LOG_TEST(the_ring_keeps_the_newest_of_any_number),
        LOG_TEST(bytes_bound_it_but_the_newest_stays),
        LOG_TEST(an_epoch_leaves_a_hole_in_the_numbers),
        cmocka_unit_test(a_log_that_begins_anew_goes_above_what_was_delivered),
        LOG_TEST(entries_outlive_the_last_one_by_ttl_and_numbers_go_on),
        LOG_TEST(keys_are_remembered_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
