/* deflate_test.c -- compressing and inflating messages: the RFC's examples, broken and greedy data, round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/xalloc.h"
#include "gateway/protocol/deflate.h"

enum { MAX_MESSAGE = 100000 };

static struct deflater *deflater;
static uint32_t noise;

static int open_deflater(void **state)
{
    (void)state;
    deflater = deflater_new(MAX_MESSAGE);
    noise = 1;
    return 0;
}

static int close_deflater(void **state)
{
    (void)state;
    deflater_free(deflater);
    return 0;
}

static uint32_t next_noise(void)
{
    noise = noise * 1664525 + 1013904223;
    return noise >> 8;
}

/* Inflates a copy of exactly that size, so that a sanitizer sees a step beyond the end. */
static enum inflate_result try_inflate(struct bytes payload, struct bytes *out)
{
    char *copy = xmalloc(payload.len ? payload.len : 1);
    memcpy(copy, payload.data, payload.len);
    enum inflate_result result = deflater_inflate(deflater, (struct bytes){copy, payload.len}, out);
    free(copy);
    return result;
}

static void assert_inflates(struct bytes payload, struct bytes expected)
{
    struct bytes out;
    assert_int_equal(try_inflate(payload, &out), INFLATE_OK);
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.data, expected.data, out.len);
}

static void assert_broken(struct bytes payload)
{
    struct bytes out;
    assert_int_equal(try_inflate(payload, &out), INFLATE_BROKEN);
}

/* Compresses as some client might, and strips what is to be stripped. Returns the length. */
static size_t client_compress(struct bytes message, int level, int strategy, int bits, uint8_t *out, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -bits, 8, strategy), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)message.data;
    z.avail_in = (uInt)message.len;
    z.next_out = out;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z.avail_in, 0);
    size_t len = size - z.avail_out;
    deflateEnd(&z);
    assert_memory_equal(out + len - 4, "\x00\x00\xff\xff", 4);
    return len - 4;
}

/* ---- RFC 7692, section 7.2.3 */

static void the_rfcs_examples_inflate(void **state)
{
    (void)state;
    assert_inflates(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), BYTES("Hello"));                         /* 7.2.3.1 */
    assert_inflates(BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), BYTES("Hello"));         /* 7.2.3.3 */
    assert_inflates(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), BYTES("Hello"));                     /* 7.2.3.4 */
    assert_inflates(BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), BYTES("Hello")); /* 7.2.3.5 */
    assert_inflates(BYTES("\x00"), BYTES(""));                                                      /* 7.2.3.6 */
}

static void no_context_is_taken_over_from_one_message_to_the_next(void **state)
{
    (void)state;
    /* 7.2.3.2: the second message refers to the first one's window, which we negotiated away. */
    assert_inflates(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), BYTES("Hello"));
    assert_broken(BYTES("\xf2\x00\x11\x00\x00"));
    assert_inflates(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), BYTES("Hello"));
}

static void a_final_block_ends_nothing_but_itself(void **state)
{
    (void)state;
    assert_inflates(BYTES("\x03\x00"), BYTES(""));                          /* an empty one, fixed code */
    assert_inflates(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"), BYTES("Hello")); /* without the octet behind it */
    assert_inflates(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00"), BYTES("HelloHello"));
    assert_inflates(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00"), BYTES("HelloHello"));
    assert_inflates(BYTES("\x01\x02\x00\xfd\xff\x68\x69"), BYTES("hi")); /* stored, final */
}

static void a_tail_that_was_not_stripped_does_no_harm(void **state)
{
    (void)state;
    assert_inflates(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), BYTES("Hello"));
}

/* ---- blocks of every kind */

static void every_kind_of_block_and_window_inflates(void **state)
{
    (void)state;
    static const struct {
        int level, strategy;
    } ways[] = {{0, Z_DEFAULT_STRATEGY}, /* stored */
                {9, Z_FIXED},
                {9, Z_HUFFMAN_ONLY}, /* dynamic */
                {9, Z_DEFAULT_STRATEGY},
                {1, Z_RLE}};
    static char message[50000];
    static uint8_t payload[70000];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = "abcdefghijklmnopqrstuvwxyz "[next_noise() % 27 * (i % 3 != 0)];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (int bits = 9; bits <= 15; bits++) {
            struct bytes whole = {message, sizeof message};
            size_t len = client_compress(whole, ways[i].level, ways[i].strategy, bits, payload, sizeof payload);
            assert_inflates((struct bytes){(char *)payload, len}, whole);
        }
    }
}

/* ---- what is refused */

static void data_that_is_no_deflate_is_broken(void **state)
{
    (void)state;
    assert_broken(BYTES("\x07"));                      /* a block type that there is not */
    assert_broken(BYTES("\x00\x05\x00\x05\x00Hello")); /* a stored length that does not match its complement */
    assert_broken(BYTES("\xff\xff\xff\xff"));
    assert_broken(BYTES("\x05\x00\x00\x00\x00\x00")); /* a dynamic block without codes */
    assert_broken(BYTES("\xf2\x48\x00\x11\x00\x00")); /* a distance that goes before the start */
    assert_broken(BYTES("Hello, world"));
    assert_broken(BYTES("\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00")); /* with zlib's own header */
}

static void an_empty_payload_is_no_message(void **state)
{
    (void)state;
    assert_broken(BYTES("")); /* an empty message is one octet: 7.2.3.6 */
}

static void truncated_data_is_refused(void **state)
{
    (void)state;
    static const char message[] = "a message that has some length, some length and some repetition, repetition";
    uint8_t payload[200];
    for (int level = 0; level <= 9; level += 3) {
        size_t len = client_compress(BYTES(message), level, Z_DEFAULT_STRATEGY, 15, payload, sizeof payload);
        assert_inflates((struct bytes){(char *)payload, len}, BYTES(message));
        for (size_t cut = 0; cut + 1 < len; cut++) { /* without its last octet, the block before it is whole */
            struct bytes out;
            bool whole = level == 0 && (cut == 1 || cut == len - 5); /* stored: the tail put back can be its end */
            assert_int_equal(try_inflate((struct bytes){(char *)payload, cut}, &out),
                             whole ? INFLATE_OK : INFLATE_BROKEN);
        }
    }
}

static void a_refusal_leaves_nothing_behind(void **state)
{
    (void)state;
    struct bytes out;
    assert_broken(BYTES("\xf2\x48\xcd"));
    assert_inflates(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), BYTES("Hello"));
    assert_broken(BYTES("\x07"));
    assert_inflates(BYTES("\x00"), BYTES(""));
    static char zeros[MAX_MESSAGE + 1];
    static uint8_t bomb[2000];
    size_t len = client_compress((struct bytes){zeros, sizeof zeros}, 9, Z_DEFAULT_STRATEGY, 15, bomb, sizeof bomb);
    assert_int_equal(try_inflate((struct bytes){(char *)bomb, len}, &out), INFLATE_TOO_BIG);
    assert_inflates(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), BYTES("Hello"));
}

static void the_limit_is_exact(void **state)
{
    (void)state;
    static char zeros[MAX_MESSAGE + 2];
    static uint8_t payload[2 * MAX_MESSAGE];
    for (int level = 0; level <= 9; level += 9) {
        for (size_t size = MAX_MESSAGE - 1; size <= MAX_MESSAGE + 2; size++) {
            struct bytes out;
            size_t len =
                client_compress((struct bytes){zeros, size}, level, Z_DEFAULT_STRATEGY, 15, payload, sizeof payload);
            enum inflate_result result = try_inflate((struct bytes){(char *)payload, len}, &out);
            assert_int_equal(result, size <= MAX_MESSAGE ? INFLATE_OK : INFLATE_TOO_BIG);
            if (result == INFLATE_OK)
                assert_int_equal(out.len, size);
        }
    }
}

static void a_bomb_is_stopped_at_the_limit(void **state)
{
    (void)state;
    static char zeros[10 << 20];
    static uint8_t bomb[20000];
    size_t len = client_compress((struct bytes){zeros, sizeof zeros}, 9, Z_DEFAULT_STRATEGY, 15, bomb, sizeof bomb);
    struct deflater *small = deflater_new(1000); /* its buffer has 1001 bytes: the sanitizer stands behind them */
    struct bytes out;
    assert_int_equal(deflater_inflate(small, (struct bytes){(char *)bomb, len}, &out), INFLATE_TOO_BIG);
    deflater_free(small);
}

static void a_limit_of_nothing_lets_nothing_through(void **state)
{
    (void)state;
    struct deflater *none = deflater_new(0);
    struct bytes out;
    assert_int_equal(deflater_inflate(none, BYTES("\x00"), &out), INFLATE_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(deflater_inflate(none, BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), &out), INFLATE_TOO_BIG);
    deflater_free(none);
}

/* ---- our own side */

/* Compresses and inflates; the output buffer has exactly the promised bound. */
static void round_trip(struct bytes message)
{
    size_t bound = deflater_bound(deflater, message.len);
    uint8_t *payload = xmalloc(bound);
    size_t len = deflater_compress(deflater, message, payload);
    assert_true(len > 0 && len <= bound);
    assert_inflates((struct bytes){(char *)payload, len}, message);
    free(payload);
}

static void round_trips_of_text_and_noise_come_back(void **state)
{
    (void)state;
    static char message[MAX_MESSAGE];
    round_trip(BYTES(""));
    round_trip(BYTES("a"));
    for (int i = 0; i < 300; i++) {
        size_t len = next_noise() % (i % 10 == 0 ? MAX_MESSAGE : 3000);
        uint32_t letters = 1 + next_noise() % 256;
        for (size_t k = 0; k < len; k++)
            message[k] = (char)(next_noise() % letters);
        round_trip((struct bytes){message, len});
    }
}

static void the_bound_holds_for_noise_of_every_length(void **state)
{
    (void)state;
    static char message[70000];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (char)next_noise();
    for (size_t len = 0; len < 1200; len++)
        round_trip((struct bytes){message, len});
    for (size_t len = 65536 - 8; len < 65536 + 8; len++)
        round_trip((struct bytes){message, len});
}

static void the_same_message_always_gives_the_same_bytes(void **state)
{
    (void)state;
    uint8_t first[200], second[200];
    struct bytes message = BYTES("the same, the same, the same");
    size_t len = deflater_compress(deflater, message, first);
    round_trip(BYTES("something else in between, the same, the same"));
    assert_int_equal(deflater_compress(deflater, message, second), len);
    assert_memory_equal(first, second, len);
    assert_true(len < message.len);
}

static void compressed_bytes_do_not_end_in_the_stripped_tail(void **state)
{
    (void)state;
    uint8_t out[64];
    assert_int_equal(deflater_compress(deflater, BYTES("Hello"), out), 7);
    assert_memory_equal(out, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7); /* 7.2.3.1 again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_examples_inflate),
        cmocka_unit_test(no_context_is_taken_over_from_one_message_to_the_next),
        cmocka_unit_test(a_final_block_ends_nothing_but_itself),
        cmocka_unit_test(a_tail_that_was_not_stripped_does_no_harm),
        cmocka_unit_test(every_kind_of_block_and_window_inflates),
        cmocka_unit_test(data_that_is_no_deflate_is_broken),
        cmocka_unit_test(an_empty_payload_is_no_message),
        cmocka_unit_test(truncated_data_is_refused),
        cmocka_unit_test(a_refusal_leaves_nothing_behind),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(a_bomb_is_stopped_at_the_limit),
        cmocka_unit_test(a_limit_of_nothing_lets_nothing_through),
        cmocka_unit_test(round_trips_of_text_and_noise_come_back),
        cmocka_unit_test(the_bound_holds_for_noise_of_every_length),
        cmocka_unit_test(the_same_message_always_gives_the_same_bytes),
        cmocka_unit_test(compressed_bytes_do_not_end_in_the_stripped_tail),
    };
    return cmocka_run_group_tests(tests, open_deflater, close_deflater);
}
