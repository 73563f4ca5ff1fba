/* outbox_test.c -- the ring of slices: bytes come out as they went in, and every reference is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/delivery_world.h"

static struct counters counters;

static struct block *block_of(const char *text)
{
    struct block *block = block_new(&counters, strlen(text));
    block->len = (uint32_t)strlen(text);
    memcpy(block->data, text, block->len);
    return block;
}

static void push_text(struct outbox *box, const char *text)
{
    struct block *block = block_of(text);
    outbox_push(box, block, 0, block->len);
    block_unref(block);
}

/* All that waits, as text. */
static const char *text_of(const struct outbox *box)
{
    static char text[256];
    struct iovec pieces[64];
    size_t len = 0;
    int count = outbox_peek(box, pieces, 64);
    for (int i = 0; i < count; i++) {
        memcpy(text + len, pieces[i].iov_base, pieces[i].iov_len);
        len += pieces[i].iov_len;
    }
    text[len] = '\0';
    return text;
}

static void assert_nothing_is_held(void)
{
    assert_int_equal(counter_get(&counters, GAUGE_BLOCK_BYTES), 0);
}

static void what_was_queued_comes_out_in_order(void **state)
{
    (void)state;
    struct outbox *box = outbox_new();
    assert_int_equal(box->bytes, 0);
    assert_string_equal(text_of(box), "");
    push_text(box, "one");
    push_text(box, "two");
    push_text(box, "three");
    assert_int_equal(box->bytes, 11);
    assert_string_equal(text_of(box), "onetwothree");
    outbox_free(box);
    assert_nothing_is_held();
}

static void what_was_sent_is_let_go_of_piece_by_piece(void **state)
{
    (void)state;
    struct outbox *box = outbox_new();
    push_text(box, "one");
    push_text(box, "two");
    uint64_t both = counter_get(&counters, GAUGE_BLOCK_BYTES);
    outbox_consume(box, 2);
    assert_string_equal(text_of(box), "etwo");
    assert_int_equal(counter_get(&counters, GAUGE_BLOCK_BYTES), both);
    outbox_consume(box, 1);
    assert_string_equal(text_of(box), "two");
    assert_int_equal(counter_get(&counters, GAUGE_BLOCK_BYTES), both / 2);
    push_text(box, "three");
    outbox_consume(box, 5);
    assert_string_equal(text_of(box), "ree");
    outbox_consume(box, 0);
    outbox_consume(box, 3);
    assert_int_equal(box->count, 0);
    assert_int_equal(box->bytes, 0);
    assert_nothing_is_held();
    outbox_free(box);
}

static void a_slice_that_goes_on_where_the_last_ended_is_joined_to_it(void **state)
{
    (void)state;
    struct block *block = block_of("0123456789");
    struct outbox *box = outbox_new();
    outbox_push(box, block, 0, 3);
    outbox_push(box, block, 3, 5);
    assert_int_equal(box->count, 1);
    outbox_push(box, block, 6, 8); /* a gap */
    assert_int_equal(box->count, 2);
    push_text(box, "other");
    outbox_push(box, block, 8, 10); /* not behind its own */
    assert_int_equal(box->count, 4);
    assert_string_equal(text_of(box), "0123467other89");
    outbox_consume(box, 4);
    assert_string_equal(text_of(box), "467other89");
    outbox_free(box);
    assert_int_equal(block->refs, 1); /* the caller's own */
    block_unref(block);
    assert_nothing_is_held();
}

static void a_slice_is_not_joined_to_one_that_was_sent(void **state)
{
    (void)state;
    struct block *block = block_of("0123456789");
    struct outbox *box = outbox_new();
    outbox_push(box, block, 0, 3);
    outbox_consume(box, 3);
    outbox_push(box, block, 3, 5);
    assert_int_equal(box->count, 1);
    assert_int_equal(box->bytes, 2);
    assert_string_equal(text_of(box), "34");
    outbox_free(box);
    block_unref(block);
    assert_nothing_is_held();
}

static void no_more_pieces_are_shown_than_were_asked_for(void **state)
{
    (void)state;
    struct outbox *box = outbox_new();
    for (int i = 0; i < 10; i++)
        push_text(box, "x");
    struct iovec pieces[10];
    assert_int_equal(outbox_peek(box, pieces, 3), 3);
    assert_int_equal(outbox_peek(box, pieces, 10), 10);
    outbox_consume(box, 8);
    assert_int_equal(outbox_peek(box, pieces, 10), 2);
    outbox_free(box);
    assert_nothing_is_held();
}

/* ---- against a queue of bytes */

enum { MODEL_BYTES = 1 << 16, MODEL_STEPS = 4000 };

struct byte_queue {
    uint8_t data[MODEL_BYTES];
    size_t head, tail;
};

static void push_random_slice(struct outbox *box, struct byte_queue *queue, struct block *const *blocks,
                              struct dice *dice)
{
    static uint32_t last_block, last_to;
    uint32_t which = dice_below(dice, 4), from = dice_below(dice, 200), to;
    if (dice_percent(dice, 40)) { /* often just behind the last one */
        which = last_block;
        from = last_to;
    }
    struct block *block = blocks[which];
    if (from >= block->len || queue->tail + block->len > MODEL_BYTES)
        return;
    to = from + 1 + dice_below(dice, block->len - from);
    outbox_push(box, block, from, to);
    memcpy(queue->data + queue->tail, block->data + from, to - from);
    queue->tail += to - from;
    last_block = which;
    last_to = to;
}

static void assert_like(const struct outbox *box, const struct byte_queue *queue, struct dice *dice)
{
    struct iovec pieces[300];
    int count = outbox_peek(box, pieces, 1 + (int)dice_below(dice, 300));
    const uint8_t *at = queue->data + queue->head;
    assert_int_equal(box->bytes, queue->tail - queue->head);
    for (int i = 0; i < count; i++) {
        assert_true(pieces[i].iov_len > 0);
        assert_true(at + pieces[i].iov_len <= queue->data + queue->tail);
        assert_memory_equal(at, pieces[i].iov_base, pieces[i].iov_len);
        at += pieces[i].iov_len;
    }
}

static void run_against_a_queue(uint64_t seed)
{
    static struct byte_queue queue;
    struct dice dice = {seed};
    struct block *blocks[4];
    for (int i = 0; i < 4; i++) {
        blocks[i] = block_new(&counters, 200);
        for (blocks[i]->len = 0; blocks[i]->len < 200; blocks[i]->len++)
            blocks[i]->data[blocks[i]->len] = (uint8_t)dice_u64(&dice);
    }
    struct outbox *box = outbox_new();
    queue.head = queue.tail = 0;
    uint32_t push_percent = 30 + dice_below(&dice, 50);
    for (int step = 0; step < MODEL_STEPS; step++) {
        if (dice_percent(&dice, push_percent)) {
            push_random_slice(box, &queue, blocks, &dice);
        } else {
            size_t n = dice_below(&dice, (uint32_t)smaller(queue.tail - queue.head, 400) + 1);
            outbox_consume(box, n);
            queue.head += n;
        }
        if (queue.head == queue.tail)
            queue.head = queue.tail = 0;
        assert_like(box, &queue, &dice);
    }
    outbox_free(box);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(blocks[i]->refs, 1);
        block_unref(blocks[i]);
    }
    assert_nothing_is_held();
}

static void it_behaves_like_a_queue_of_bytes_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_against_a_queue(seed);
    uint64_t fresh = dice_fresh_seed();
    print_message("fresh seed: 0x%016llx\n", (unsigned long long)fresh);
    run_against_a_queue(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_queued_comes_out_in_order),
        cmocka_unit_test(what_was_sent_is_let_go_of_piece_by_piece),
        cmocka_unit_test(a_slice_that_goes_on_where_the_last_ended_is_joined_to_it),
        cmocka_unit_test(a_slice_is_not_joined_to_one_that_was_sent),
        cmocka_unit_test(no_more_pieces_are_shown_than_were_asked_for),
        cmocka_unit_test(it_behaves_like_a_queue_of_bytes_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
