/* audience_test.c -- who of an audience still gets the sealed batch, through joins and leaves in its middle, and which
 * bytes of a batch are not for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/delivery/audience.h"
#include "support/delivery_world.h"

enum { TARGETS = 8 };

struct crowd {
    struct counters counters;
    struct audience *audience;
    struct target targets[TARGETS];
};

static void crowd_init(struct crowd *crowd)
{
    memset(crowd, 0, sizeof *crowd);
    crowd->audience = audience_new(&angle_encoding, &crowd->counters);
    for (uint32_t i = 0; i < TARGETS; i++)
        crowd->targets[i].id = i + 1;
}

static void crowd_close(struct crowd *crowd)
{
    while (crowd->audience->count)
        audience_remove(crowd->audience->targets[0]);
    audience_free(crowd->audience);
    assert_int_equal(counter_get(&crowd->counters, GAUGE_BLOCK_BYTES), 0);
}

static bool append(struct crowd *crowd, const char *text, uint64_t except)
{
    return audience_append(crowd->audience, &(struct envelope){.kind = ENVELOPE_TEXT, .payload = {text, strlen(text)}},
                           except);
}

static void assert_text(const struct batch *batch, const char *text)
{
    assert_int_equal(batch->block->len, strlen(text));
    assert_memory_equal(batch->block->data, text, strlen(text));
}

/* ---- the three parts */

enum part { SERVED, DUE, LATER, GONE };

/* Each target is once in the array, where its index says, and in the part where it has to be. */
static void assert_parts(const struct crowd *crowd, const enum part *parts)
{
    const struct audience *audience = crowd->audience;
    uint32_t present = 0;
    for (uint32_t i = 0; i < TARGETS; i++) {
        if (parts[i] == GONE)
            continue;
        present++;
        uint32_t index = crowd->targets[i].index;
        assert_true(index < audience->count);
        assert_ptr_equal(audience->targets[index], &crowd->targets[i]);
        enum part part = index < audience->cursor ? SERVED : index < audience->end ? DUE : LATER;
        assert_int_equal(part, parts[i]);
    }
    assert_int_equal(audience->count, present);
    assert_true(audience->cursor <= audience->end && audience->end <= audience->count);
}

/* An audience whose sealed batch `served` of `present` targets have had, and that `later` more joined since. */
static void crowd_in_a_flush(struct crowd *crowd, enum part *parts, uint32_t served, uint32_t present, uint32_t later)
{
    crowd_init(crowd);
    for (uint32_t i = 0; i < present; i++)
        audience_add(crowd->audience, &crowd->targets[i]);
    append(crowd, "x", 0);
    audience_seal(crowd->audience);
    crowd->audience->cursor = served;
    for (uint32_t i = present; i < present + later; i++)
        audience_add(crowd->audience, &crowd->targets[i]);
    for (uint32_t i = 0; i < TARGETS; i++)
        parts[i] = i < served ? SERVED : i < present ? DUE : i < present + later ? LATER : GONE;
}

/* All states of up to six targets, and in each of them all pairs of targets that leave one after the other. */
static void whoever_leaves_in_the_middle_of_a_flush_takes_nobodys_turn(void **state)
{
    (void)state;
    enum { MOST = 6 };
    for (uint32_t all = 1; all <= MOST; all++)
        for (uint32_t present = 0; present <= all; present++)
            for (uint32_t served = 0; served <= present; served++)
                for (uint32_t pair = 0; pair < all * all; pair++) {
                    struct crowd crowd;
                    enum part parts[TARGETS];
                    crowd_in_a_flush(&crowd, parts, served, present, all - present);
                    const uint32_t leavers[2] = {pair / all, pair % all};
                    for (int i = 0; i < 2; i++) {
                        if (parts[leavers[i]] == GONE)
                            continue;
                        audience_remove(&crowd.targets[leavers[i]]);
                        parts[leavers[i]] = GONE;
                        assert_parts(&crowd, parts);
                    }
                    if (all < TARGETS) { /* one comes, and all of them go */
                        audience_add(crowd.audience, &crowd.targets[all]);
                        parts[all] = LATER;
                        assert_parts(&crowd, parts);
                    }
                    for (uint32_t i = 0; i <= all; i++)
                        if (parts[i] != GONE) {
                            audience_remove(&crowd.targets[i]);
                            parts[i] = GONE;
                            assert_parts(&crowd, parts);
                        }
                    crowd_close(&crowd);
                }
}

static void joins_and_leaves_without_a_flush_keep_everybody_in_place(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    enum part parts[TARGETS];
    for (uint32_t i = 0; i < TARGETS; i++)
        parts[i] = GONE;
    struct dice dice = {1};
    for (int step = 0; step < 5000; step++) {
        uint32_t i = dice_below(&dice, TARGETS);
        if (parts[i] == GONE)
            audience_add(crowd.audience, &crowd.targets[i]);
        else
            audience_remove(&crowd.targets[i]);
        parts[i] = parts[i] == GONE ? LATER : GONE;
        assert_parts(&crowd, parts);
    }
    crowd_close(&crowd);
}

static void the_last_who_leaves_takes_the_memory_of_the_list_along(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TARGETS; i++)
            audience_add(crowd.audience, &crowd.targets[i]);
        for (int i = 0; i < TARGETS; i++)
            audience_remove(&crowd.targets[i]);
        assert_null(crowd.audience->targets);
        assert_int_equal(crowd.audience->cap, 0);
    }
    crowd_close(&crowd);
}

/* ---- batches */

static void messages_of_a_turn_stand_one_behind_the_other_in_one_block(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    audience_add(crowd.audience, &crowd.targets[0]);
    assert_true(append(&crowd, "one", 0));
    assert_true(append(&crowd, "", 0));
    assert_true(append(&crowd, "three", 0));
    assert_text(&crowd.audience->open, "<one><><three>");
    assert_int_equal(crowd.audience->open.messages, 3);
    crowd_close(&crowd);
}

static void a_message_that_the_encoding_does_not_carry_is_refused(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    audience_add(crowd.audience, &crowd.targets[0]);
    assert_false(audience_append(crowd.audience, &(struct envelope){.kind = ENVELOPE_PRESENCE}, 1));
    assert_null(crowd.audience->open.block);
    assert_int_equal(crowd.audience->open.skip_count, 0);
    crowd_close(&crowd);
}

static void what_comes_during_a_flush_waits_in_a_batch_of_its_own(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    audience_add(crowd.audience, &crowd.targets[0]);
    append(&crowd, "first", 1);
    audience_seal(crowd.audience);
    append(&crowd, "second", 0);
    assert_text(&crowd.audience->sealed, "<first>");
    assert_text(&crowd.audience->open, "<second>");
    assert_non_null(batch_skips(&crowd.audience->sealed, 1));
    assert_null(batch_skips(&crowd.audience->open, 1));
    audience_sealed_done(crowd.audience);
    audience_seal(crowd.audience);
    assert_text(&crowd.audience->sealed, "<second>");
    assert_null(crowd.audience->open.block);
    audience_sealed_done(crowd.audience);
    crowd_close(&crowd);
}

static void a_joiner_skips_what_the_turn_had_brought_before(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    audience_add(crowd.audience, &crowd.targets[0]);
    assert_int_equal(crowd.audience->open.skip_count, 0); /* nothing had come */
    append(&crowd, "one", 0);
    append(&crowd, "two", 0);
    audience_add(crowd.audience, &crowd.targets[1]);
    append(&crowd, "three", 0);
    const struct skip *skip = batch_skips(&crowd.audience->open, 2);
    assert_non_null(skip);
    assert_int_equal(skip->from, 0);
    assert_int_equal(skip->to, strlen("<one><two>"));
    assert_int_equal(skip->messages, 2);
    crowd_close(&crowd);
}

static void a_senders_skips_are_found_in_the_order_of_the_bytes(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    static const uint64_t senders[] = {5, 69, 5, 133, 69, 5, 1, 197}; /* 64 apart, but for one: the mask tells little */
    for (uint32_t i = 0; i < 8; i++)
        append(&crowd, "x", senders[i]);
    batch_sort(&crowd.audience->open);
    const struct batch *batch = &crowd.audience->open;
    for (uint64_t id = 0; id < 300; id++) {
        const struct skip *skip = batch_skips(batch, id);
        for (uint32_t i = 0; i < 8; i++) {
            if (senders[i] != id)
                continue;
            assert_true(skip < batch->skips + batch->skip_count);
            assert_int_equal(skip->id, id);
            assert_int_equal(skip->from, 3 * i);
            assert_int_equal(skip->to, 3 * i + 3);
            assert_int_equal(skip->messages, 1);
            skip++;
        }
        if (skip)
            assert_true(skip == batch->skips + batch->skip_count || skip->id != id);
    }
    crowd_close(&crowd);
}

static void an_audience_that_goes_takes_what_waits_along(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_init(&crowd);
    audience_add(crowd.audience, &crowd.targets[0]);
    append(&crowd, "sealed", 1);
    audience_seal(crowd.audience);
    append(&crowd, "open", 1);
    crowd_close(&crowd); /* looks at the account of blocks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_leaves_in_the_middle_of_a_flush_takes_nobodys_turn),
        cmocka_unit_test(joins_and_leaves_without_a_flush_keep_everybody_in_place),
        cmocka_unit_test(the_last_who_leaves_takes_the_memory_of_the_list_along),
        cmocka_unit_test(messages_of_a_turn_stand_one_behind_the_other_in_one_block),
        cmocka_unit_test(a_message_that_the_encoding_does_not_carry_is_refused),
        cmocka_unit_test(what_comes_during_a_flush_waits_in_a_batch_of_its_own),
        cmocka_unit_test(a_joiner_skips_what_the_turn_had_brought_before),
        cmocka_unit_test(a_senders_skips_are_found_in_the_order_of_the_bytes),
        cmocka_unit_test(an_audience_that_goes_takes_what_waits_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
