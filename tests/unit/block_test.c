/* block_test.c -- a block's memory is counted once and goes with the last reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/delivery/block.h"

static uint64_t held(const struct counters *counters)
{
    return counter_get(counters, GAUGE_BLOCK_BYTES);
}

static void a_block_has_the_room_that_was_asked_for(void **state)
{
    (void)state;
    struct counters counters = {0};
    for (size_t room = 0; room < 3000; room += 100) {
        struct block *block = block_new(&counters, room);
        assert_int_equal(block->len, 0);
        assert_true(block->cap >= room);
        assert_int_equal(held(&counters), block->cap);
        memset(block->data, 1, block->cap); /* all of it is there */
        block_unref(block);
        assert_int_equal(held(&counters), 0);
    }
}

static void a_block_lives_until_its_last_reference_goes(void **state)
{
    (void)state;
    struct counters counters = {0};
    struct block *block = block_new(&counters, 1000);
    assert_ptr_equal(block_ref(block), block);
    block_ref(block);
    block_unref(block);
    block_unref(block);
    assert_int_equal(held(&counters), block->cap);
    block->data[999] = 7;
    block_unref(block);
    assert_int_equal(held(&counters), 0);
}

static void a_block_that_grows_keeps_its_bytes_and_its_account(void **state)
{
    (void)state;
    struct counters counters = {0};
    struct block *other = block_new(&counters, 700), *block = block_new(&counters, 0);
    uint32_t moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t cap = block->cap;
        block = block_reserve(block, 1);
        moves += block->cap != cap;
        block->data[block->len++] = (uint8_t)(i * 7);
        assert_int_equal(held(&counters), block->cap + other->cap);
    }
    assert_true(moves < 20); /* it grows by a part of itself, not by a message */
    for (uint32_t i = 0; i < block->len; i++)
        if (block->data[i] != (uint8_t)(i * 7))
            fail_msg("byte %u was lost", i);
    block_unref(other);
    block_unref(block);
    assert_int_equal(held(&counters), 0);
}

static void a_block_grows_at_once_by_what_one_message_needs(void **state)
{
    (void)state;
    struct counters counters = {0};
    struct block *block = block_new(&counters, 10);
    block = block_reserve(block, 5 << 20);
    assert_true(block->cap >= 5 << 20);
    memset(block->data, 1, 5 << 20);
    block_unref(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_has_the_room_that_was_asked_for),
        cmocka_unit_test(a_block_lives_until_its_last_reference_goes),
        cmocka_unit_test(a_block_that_grows_keeps_its_bytes_and_its_account),
        cmocka_unit_test(a_block_grows_at_once_by_what_one_message_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
