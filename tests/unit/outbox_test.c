/* outbox_test.c -- the ring of slices: bytes come out as they went in, every reference is given back, and little that
 * waits never holds much memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/delivery_world.h"

enum {
    SMALLEST = 512,   /* block.c's: the least that a block has room for */
    OWN_BYTES = 4096, /* outbox.c's: of a block that copies are gathered in */
    LONG = 200,       /* bytes that are too many for a copy out of the smallest block */
    HUGE_BLOCK = 262144
};

static struct counters counters;

static uint64_t held(void)
{
    return counter_get(&counters, GAUGE_BLOCK_BYTES);
}

static struct block *block_of(const char *text)
{
    struct block *block = block_new(&counters, strlen(text));
    block->len = (uint32_t)strlen(text);
    memcpy(block->data, text, block->len);
    return block;
}

/* A block with room for exactly that many bytes, all of them used: digits that go round. */
static struct block *block_of_len(uint32_t len)
{
    struct block *block = block_new(&counters, len);
    for (block->len = 0; block->len < len; block->len++)
        block->data[block->len] = (uint8_t)('0' + block->len % 10);
    return block;
}

static void push_text(struct outbox *box, const char *text)
{
    struct block *block = block_of(text);
    outbox_push(box, block, 0, block->len);
    block_unref(block);
}

/* A piece that is never copied. */
static void push_long(struct outbox *box, char letter)
{
    char text[LONG + 1] = {0};
    memset(text, letter, LONG);
    push_text(box, text);
}

/* All that waits, as text. */
static const char *text_of(const struct outbox *box)
{
    static char text[8192];
    struct iovec pieces[64];
    size_t len = 0;
    int count = outbox_peek(box, pieces, 64);
    for (int i = 0; i < count; i++) {
        assert_true(len + pieces[i].iov_len < sizeof text);
        memcpy(text + len, pieces[i].iov_base, pieces[i].iov_len);
        len += pieces[i].iov_len;
    }
    text[len] = '\0';
    return text;
}

/* What it holds, as runs: "150a 3b" for 150 letters a and three b. */
static const char *runs_of(const struct outbox *box)
{
    static char runs[256];
    size_t len = 0;
    runs[0] = '\0';
    for (const char *text = text_of(box), *end; *text; text = end) {
        end = text + strspn(text, (char[]){*text, '\0'});
        len += (size_t)snprintf(runs + len, sizeof runs - len, "%s%d%c", len ? " " : "", (int)(end - text), *text);
        assert_true(len < sizeof runs);
    }
    return runs;
}

static void assert_nothing_is_held(void)
{
    assert_int_equal(held(), 0);
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
    push_long(box, 'a');
    push_long(box, 'b');
    assert_int_equal(held(), 2 * SMALLEST);
    outbox_consume(box, LONG - 1);
    assert_string_equal(runs_of(box), "1a 200b");
    assert_int_equal(held(), 2 * SMALLEST);
    outbox_consume(box, 1);
    assert_string_equal(runs_of(box), "200b");
    assert_int_equal(held(), SMALLEST);
    push_long(box, 'c');
    outbox_consume(box, LONG + 2);
    assert_string_equal(runs_of(box), "198c");
    assert_int_equal(held(), SMALLEST);
    outbox_consume(box, 0);
    outbox_consume(box, LONG - 2);
    assert_int_equal(box->count, 0);
    assert_int_equal(box->bytes, 0);
    assert_nothing_is_held();
    outbox_free(box);
}

static void a_slice_that_goes_on_where_the_last_ended_is_joined_to_it(void **state)
{
    (void)state;
    struct block *block = block_of_len(3 * LONG);
    struct outbox *box = outbox_new();
    outbox_push(box, block, 0, LONG);
    outbox_push(box, block, LONG, LONG + 3); /* however small */
    assert_int_equal(box->count, 1);
    outbox_push(box, block, LONG + 5, 2 * LONG + 5); /* a gap */
    assert_int_equal(box->count, 2);
    push_long(box, 'x');
    outbox_push(box, block, 2 * LONG + 5, 3 * LONG); /* not behind its own */
    assert_int_equal(box->count, 4);
    assert_int_equal(box->bytes, 4 * LONG - 2);
    assert_int_equal(block->refs, 4);
    const char *text = text_of(box);
    assert_memory_equal(text, block->data, LONG + 3);
    assert_memory_equal(text + LONG + 3, block->data + LONG + 5, LONG);
    assert_memory_equal(text + 3 * LONG + 3, block->data + 2 * LONG + 5, LONG - 5);
    outbox_consume(box, LONG + 4);
    assert_int_equal(box->count, 3);
    assert_memory_equal(text_of(box), block->data + LONG + 6, LONG - 1);
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
        push_long(box, 'x');
    struct iovec pieces[10];
    assert_int_equal(outbox_peek(box, pieces, 3), 3);
    assert_int_equal(outbox_peek(box, pieces, 10), 10);
    outbox_consume(box, 8 * LONG);
    assert_int_equal(outbox_peek(box, pieces, 10), 2);
    outbox_free(box);
    assert_nothing_is_held();
}

/* ---- copies of small pieces */

static void a_small_piece_of_a_big_block_does_not_hold_it(void **state)
{
    (void)state;
    struct outbox *box = outbox_new();
    push_long(box, 'a');
    for (int i = 0; i < 1000; i++) {
        struct block *block = block_of_len(HUGE_BLOCK);
        outbox_push(box, block, HUGE_BLOCK - 4, HUGE_BLOCK);
        assert_int_equal(block->refs, 1);
        block_unref(block);
        assert_in_range(held(), 1, SMALLEST + OWN_BYTES);
    }
    assert_int_equal(box->bytes, LONG + 1000 * 4);
    outbox_consume(box, LONG);
    for (int i = 0; i < 1000; i++)
        assert_memory_equal(text_of(box) + (size_t)i * 4, "0123", 4); /* 262140 % 10 is 0 */
    outbox_free(box);
    assert_nothing_is_held();
}

static void a_piece_of_a_quarter_of_its_block_is_not_copied(void **state)
{
    (void)state;
    enum { QUARTER = 1000 };
    struct block *block = block_of_len(4 * QUARTER);
    struct outbox *box = outbox_new();
    push_long(box, 'a');
    outbox_push(box, block, 1, QUARTER);
    assert_int_equal(block->refs, 1);
    outbox_push(box, block, 2 * QUARTER, 3 * QUARTER);
    assert_int_equal(block->refs, 2);
    assert_memory_equal(text_of(box) + LONG, block->data + 1, QUARTER - 1);
    assert_memory_equal(text_of(box) + LONG + QUARTER - 1, block->data + 2 * QUARTER, QUARTER);
    outbox_free(box);
    block_unref(block);
    assert_nothing_is_held();
}

static void copies_are_gathered_in_a_block_of_the_outboxs_own(void **state)
{
    (void)state;
    struct block *first = block_of_len(SMALLEST), *big = block_of_len(HUGE_BLOCK);
    struct outbox *box = outbox_new();
    outbox_push(box, first, 0, LONG);
    uint64_t others = held();
    for (uint32_t i = 0; i < OWN_BYTES / 8; i++)
        outbox_push(box, big, 10 * i, 10 * i + 8); /* a piece, and a gap */
    assert_int_equal(box->count, 2);
    assert_int_equal(held(), others + OWN_BYTES);
    assert_int_equal(first->len, SMALLEST); /* somebody else looks into it */
    outbox_push(box, big, 1, 2);            /* the own one is full */
    outbox_push(box, big, 3, 4);
    assert_int_equal(box->count, 3);
    assert_int_equal(held(), others + 2 * OWN_BYTES);
    outbox_consume(box, LONG);
    for (size_t i = 0; i < OWN_BYTES / 8; i++)
        assert_memory_equal(text_of(box) + 8 * i, "01234567", 8);
    outbox_consume(box, OWN_BYTES);
    assert_int_equal(held(), others + OWN_BYTES); /* it goes when it was sent, as any other */
    assert_string_equal(text_of(box), "13");
    outbox_free(box);
    block_unref(first);
    block_unref(big);
    assert_nothing_is_held();
}

static void a_copy_that_is_larger_than_that_gets_a_block_of_its_size(void **state)
{
    (void)state;
    struct block *big = block_of_len(HUGE_BLOCK);
    struct outbox *box = outbox_new();
    push_long(box, 'a');
    uint64_t before = held();
    outbox_push(box, big, 10, 10 + OWN_BYTES + 1000);
    assert_int_equal(held(), before + OWN_BYTES + 1000);
    outbox_consume(box, LONG);
    assert_memory_equal(text_of(box), big->data + 10, OWN_BYTES + 1000);
    outbox_free(box);
    block_unref(big);
    assert_nothing_is_held();
}

/* A block that is left to the outbox alone serves as well, but only behind its last byte. */
static void a_copy_goes_into_the_last_block_where_it_ends_with_the_slice(void **state)
{
    (void)state;
    struct outbox *box = outbox_new();
    push_text(box, "one");
    push_text(box, "two");
    assert_int_equal(box->count, 1);
    assert_int_equal(held(), SMALLEST);
    assert_string_equal(text_of(box), "onetwo");
    outbox_free(box);

    box = outbox_new();
    struct block *block = block_of("one of which the end is not for this one");
    outbox_push(box, block, 0, 3);
    block_unref(block);
    push_text(box, "two");
    assert_int_equal(box->count, 2);
    assert_string_equal(text_of(box), "onetwo");
    outbox_free(box);
    assert_nothing_is_held();
}

static void the_first_piece_is_never_copied(void **state)
{
    (void)state;
    struct block *big = block_of_len(HUGE_BLOCK);
    struct outbox *box = outbox_new();
    for (uint32_t i = 0; i < 2; i++) {
        outbox_push(box, big, 7 * i, 7 * i + 1);
        assert_int_equal(big->refs, 2);
        struct iovec piece;
        assert_int_equal(outbox_peek(box, &piece, 1), 1);
        assert_ptr_equal(piece.iov_base, big->data + (size_t)7 * i);
        outbox_consume(box, 1); /* and the next is a first one again */
        assert_int_equal(big->refs, 1);
    }
    outbox_free(box);
    block_unref(big);
    assert_nothing_is_held();
}

/* ---- trimming: frames of the test begin with their size, a letter of the alphabet for 1, 2, 3... bytes */

static size_t letter_size(const uint8_t *frame)
{
    return frame[0] == 'H' ? 0 : (size_t)(frame[0] - 'a' + 1);
}

static void assert_trimmed(struct outbox *box, const char *rest)
{
    outbox_trim(box, letter_size);
    assert_string_equal(text_of(box), rest);
    assert_int_equal(box->bytes, strlen(rest));
    assert_int_equal(box->count, *rest ? 1 : 0);
    if (!*rest)
        assert_nothing_is_held();
}

static void trimming_keeps_exactly_the_rest_of_a_frame_that_was_sent_in_part(void **state)
{
    (void)state;
    static const char frames[] = "c01e0123ab0";
    static const char *const rests[] = {"", "01", "1", "", "0123", "123", "23", "3", "", "", "0"};
    for (size_t sent = 0; sent < sizeof frames - 1; sent++) {
        struct outbox *box = outbox_new();
        push_text(box, frames);
        push_long(box, 'a');
        push_text(box, "c01");
        outbox_consume(box, sent);
        assert_trimmed(box, rests[sent]);
        push_text(box, "the close"); /* it is a queue as before */
        char expected[32];
        snprintf(expected, sizeof expected, "%sthe close", rests[sent]);
        assert_string_equal(text_of(box), expected);
        outbox_free(box);
        assert_nothing_is_held();
    }
}

/* The kernel took a part before there was an outbox: its first piece begins in the middle of a frame. */
static void trimming_looks_at_a_shared_block_from_its_beginning(void **state)
{
    (void)state;
    struct block *block = block_of("c01e0123c45");
    static const char *const rests[] = {"", "01", "1", "", "0123", "123", "23", "3", "", "45", "5"};
    for (uint32_t from = 0; from < block->len; from++) {
        struct outbox *box = outbox_new();
        outbox_push(box, block, from, block->len);
        outbox_trim(box, letter_size);
        assert_string_equal(text_of(box), rests[from]);
        assert_int_equal(box->bytes, strlen(rests[from]));
        outbox_free(box);
        assert_int_equal(block->refs, 1);
    }
    block_unref(block);
    assert_nothing_is_held();
}

static void trimming_keeps_the_first_slice_where_there_are_no_frames(void **state)
{
    (void)state;
    struct outbox *box = outbox_new();
    push_text(box, "HTTP/1.1 101");
    push_long(box, 'a');
    outbox_consume(box, 5);
    assert_trimmed(box, "1.1 101");
    outbox_consume(box, 7);
    assert_trimmed(box, "");
    outbox_trim(box, letter_size); /* nothing waits: nothing happens */
    assert_int_equal(box->count, 0);
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
    uint32_t which = dice_below(dice, 4), from = dice_below(dice, blocks[which]->len), to;
    if (dice_percent(dice, 40)) { /* often just behind the last one */
        which = last_block;
        from = last_to;
    }
    struct block *block = blocks[which];
    if (from >= block->len || queue->tail + block->len > MODEL_BYTES)
        return;
    to = from + 1 + dice_below(dice, dice_percent(dice, 50) ? 1 + (block->len - from) / 20 : block->len - from);
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
        static const uint32_t lens[] = {100, 200, 1000, 8000};
        blocks[i] = block_new(&counters, lens[i]);
        for (blocks[i]->len = 0; blocks[i]->len < lens[i]; blocks[i]->len++)
            blocks[i]->data[blocks[i]->len] = (uint8_t)dice_u64(&dice);
    }
    struct outbox *box = outbox_new();
    queue.head = queue.tail = 0;
    uint32_t push_percent = 30 + dice_below(&dice, 50);
    uint64_t blocks_only = held();
    bool copied = false;
    for (int step = 0; step < MODEL_STEPS; step++) {
        if (dice_percent(&dice, push_percent)) {
            push_random_slice(box, &queue, blocks, &dice);
        } else {
            size_t n = dice_below(&dice, (uint32_t)smaller(queue.tail - queue.head, 2000) + 1);
            outbox_consume(box, n);
            queue.head += n;
        }
        if (queue.head == queue.tail)
            queue.head = queue.tail = 0;
        assert_like(box, &queue, &dice);
        copied |= held() > blocks_only;
    }
    assert_true(copied); /* or it was not asked for */
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
        cmocka_unit_test(a_small_piece_of_a_big_block_does_not_hold_it),
        cmocka_unit_test(a_piece_of_a_quarter_of_its_block_is_not_copied),
        cmocka_unit_test(copies_are_gathered_in_a_block_of_the_outboxs_own),
        cmocka_unit_test(a_copy_that_is_larger_than_that_gets_a_block_of_its_size),
        cmocka_unit_test(a_copy_goes_into_the_last_block_where_it_ends_with_the_slice),
        cmocka_unit_test(the_first_piece_is_never_copied),
        cmocka_unit_test(trimming_keeps_exactly_the_rest_of_a_frame_that_was_sent_in_part),
        cmocka_unit_test(trimming_looks_at_a_shared_block_from_its_beginning),
        cmocka_unit_test(trimming_keeps_the_first_slice_where_there_are_no_frames),
        cmocka_unit_test(it_behaves_like_a_queue_of_bytes_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
