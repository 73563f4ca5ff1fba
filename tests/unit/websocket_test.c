/* websocket_test.c -- from a client's bytes to messages: what is told, and with which code a connection fails.
 *
 * Every stream is fed whole, byte by byte and in random pieces, and once more with random pauses; the events and the
 * end must be the same each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/xalloc.h"
#include "gateway/net/websocket.h"
#include "gateway/protocol/frame.h"

enum {
    MAX_MESSAGE = 70000,
    RANDOM_SPLITS = 20,
    BARE_MAX = 8192,
    FIN = 0x80,
    RSV1 = 0x40,
    RSV2 = 0x20,
    RSV3 = 0x10,
    SHOWN = 32
};

/* ---- a client's stream */

static struct {
    uint8_t data[300000];
    size_t len;
} stream;

static uint32_t noise;

static uint32_t next_noise(void)
{
    noise = noise * 1664525 + 1013904223;
    return noise >> 8;
}

static void put(const void *data, size_t len)
{
    assert_true(stream.len + len <= sizeof stream.data);
    if (len)
        memcpy(stream.data + stream.len, data, len);
    stream.len += len;
}

static void put_byte(int byte)
{
    put(&(uint8_t){(uint8_t)byte}, 1);
}

/* A head with a length in the given form: 7, 16 or 64 bits. */
static void put_head(int first, uint64_t len, int form, const uint8_t mask[4])
{
    put_byte(first);
    put_byte(0x80 | (form == 7 ? (int)len : form == 16 ? 126 : 127));
    for (int shift = form == 64 ? 56 : 8; form != 7 && shift >= 0; shift -= 8)
        put_byte((int)(len >> shift) & 0xff);
    put(mask, 4);
}

static void put_frame(int first, struct bytes payload)
{
    uint8_t mask[4] = {(uint8_t)next_noise(), (uint8_t)next_noise(), (uint8_t)next_noise(), (uint8_t)next_noise()};
    put_head(first, payload.len, payload.len < 126 ? 7 : payload.len < 65536 ? 16 : 64, mask);
    for (size_t i = 0; i < payload.len; i++)
        put_byte((uint8_t)payload.data[i] ^ mask[i % 4]);
}

static void put_close(int code, struct bytes reason)
{
    char payload[CONTROL_PAYLOAD_MAX] = {(char)(code >> 8), (char)code};
    memcpy(payload + 2, reason.data, reason.len);
    put_frame(FIN | FRAME_CLOSE, (struct bytes){payload, reason.len + 2});
}

/* ---- what is told, as text */

static struct {
    char text[200000];
    size_t len;
    int stop_at; /* the event at which to say stop; 0: never */
    int count;
} told;

static bool tell(const char *what, struct bytes payload)
{
    if (payload.len == 0)
        payload.data = ""; /* it may be nowhere */
    unsigned long check = crc32(0, (const Bytef *)payload.data, (uInt)payload.len);
    told.len += (size_t)snprintf(told.text + told.len, sizeof told.text - told.len, "%s", what);
    if (payload.len <= SHOWN && !memchr(payload.data, 0, payload.len))
        told.len += (size_t)snprintf(told.text + told.len, sizeof told.text - told.len, " %.*s|", (int)payload.len,
                                     payload.data);
    else
        told.len +=
            (size_t)snprintf(told.text + told.len, sizeof told.text - told.len, " %zu:%08lx|", payload.len, check);
    assert_true(told.len < sizeof told.text);
    return ++told.count != told.stop_at;
}

static bool on_message(void *ctx, bool text, struct bytes payload)
{
    assert_ptr_equal(ctx, &told);
    return tell(text ? "text" : "binary", payload);
}

static bool on_ping(void *ctx, struct bytes payload)
{
    assert_ptr_equal(ctx, &told);
    return tell("ping", payload);
}

static bool on_pong(void *ctx, struct bytes payload)
{
    assert_ptr_equal(ctx, &told);
    return tell("pong", payload);
}

static bool on_close(void *ctx, int code, struct bytes reason)
{
    assert_ptr_equal(ctx, &told);
    char what[16];
    snprintf(what, sizeof what, "close %d", code);
    tell(what, reason);
    return false;
}

/* When to pause. */
static struct {
    int percent; /* of the times that it is asked; 0: never */
    int count;   /* of the pauses */
} pauses;

static bool pause_reading(void *ctx)
{
    assert_ptr_equal(ctx, &told);
    bool now = pauses.percent && next_noise() % 100 < (uint32_t)pauses.percent;
    pauses.count += now;
    return now;
}

static const struct websocket_events events = {on_message, on_ping, on_pong, on_close, pause_reading, NULL};
static struct deflater *deflater;
static struct readers readers;

static int set_up(void **state)
{
    (void)state;
    deflater = deflater_new(MAX_MESSAGE);
    readers_init(&readers, &events, deflater, MAX_MESSAGE);
    stream.len = told.len = 0;
    told.count = told.stop_at = 0;
    pauses.percent = pauses.count = 0;
    noise = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(readers.held, 0); /* all were given back, and nothing is charged to nobody */
    readers_close(&readers);
    deflater_free(deflater);
    return 0;
}

/* ---- feeding */

enum cut { WHOLE, BYTE_BY_BYTE, RANDOM };

static size_t piece_of(enum cut cut, size_t left)
{
    size_t size = cut == WHOLE ? left : cut == BYTE_BY_BYTE ? 1 : 1 + next_noise() % (stream.len > 2000 ? 3000 : 12);
    return size < left ? size : left;
}

/* Leaves parked input where it is, in place of going on with it. */
static bool stay_parked;

/* For a test with one reader. */
static int feed_copy(struct reader *reader, struct bytes piece, bool deflate)
{
    char *copy = xmalloc(piece.len ? piece.len : 1); /* of exactly that size, so that a sanitizer sees more */
    memcpy(copy, piece.data, piece.len);
    int result = reader_feed(&readers, reader, (struct bytes){copy, piece.len}, deflate, &told);
    free(copy);
    assert_int_equal(readers.held, reader_held(reader));
    while (result == READER_PAUSED && !stay_parked) {
        result = reader_feed_parked(&readers, reader, deflate, &told);
        assert_int_equal(readers.held, reader_held(reader));
    }
    return result;
}

/* Feeds the stream as a connection does, with a reader only while something is under way. Returns the last result;
 * *used gets the bytes that were fed up to there. */
static int feed(enum cut cut, bool deflate, size_t *used)
{
    struct reader *reader = NULL;
    int result = READER_BOUNDARY;
    told.len = 0;
    told.count = 0;
    told.text[0] = 0;
    for (*used = 0; *used < stream.len && (result == READER_BOUNDARY || result == READER_PARTIAL);) {
        size_t size = piece_of(cut, stream.len - *used);
        if (!reader)
            reader = reader_borrow(&readers);
        result = feed_copy(reader, (struct bytes){(char *)stream.data + *used, size}, deflate);
        *used += size;
        if (result == READER_PARTIAL)
            continue;
        reader_return(&readers, reader);
        reader = NULL;
    }
    if (reader)
        reader_return(&readers, reader);
    return result;
}

/* Checks events and end for every way to cut the stream. Empties it. */
static void assert_told(bool deflate, const char *expected, int end)
{
    size_t used;
    for (int i = 0; i < 2 * (RANDOM_SPLITS + 2); i++) {
        enum cut cut = i < 2 ? WHOLE : i < 4 ? BYTE_BY_BYTE : RANDOM;
        pauses.percent = i % 2 ? 1 + (int)(next_noise() % 100) : 0;
        assert_int_equal(feed(cut, deflate, &used), end);
        assert_string_equal(told.text, expected);
    }
    pauses.percent = 0;
    stream.len = 0;
}

/* The same without knowing beforehand: feeding it whole says what is expected. */
static void assert_same_in_every_cut(bool deflate)
{
    static char expected[sizeof told.text];
    size_t used;
    int end = feed(WHOLE, deflate, &used);
    memcpy(expected, told.text, told.len + 1);
    assert_told(deflate, expected, end);
}

static void put_compressed(int opcode, struct bytes message)
{
    uint8_t *out = xmalloc(deflater_bound(deflater, message.len));
    size_t len = deflater_compress(deflater, message, out);
    put_frame(FIN | RSV1 | opcode, (struct bytes){(char *)out, len});
    free(out);
}

/* ---- what is told */

static void messages_and_control_frames_are_told_in_their_order(void **state)
{
    (void)state;
    put_frame(FIN | FRAME_TEXT, BYTES("hello"));
    put_frame(FIN | FRAME_PING, BYTES("are you there"));
    put_frame(FIN | FRAME_BINARY, BYTES("\xff\xfe"));
    put_frame(FIN | FRAME_PONG, BYTES(""));
    put_frame(FIN | FRAME_TEXT, BYTES(""));
    put_frame(FIN | FRAME_BINARY, BYTES(""));
    put_frame(FIN | FRAME_TEXT, BYTES("\xe2\x82\xac \xf0\x9f\x98\x80"));
    assert_told(false,
                "text hello|ping are you there|binary \xff\xfe|pong |text |binary |text \xe2\x82\xac \xf0\x9f\x98\x80|",
                READER_BOUNDARY);
}

static void fragments_are_joined_around_control_frames(void **state)
{
    (void)state;
    put_frame(FRAME_TEXT, BYTES("one "));
    put_frame(FIN | FRAME_PING, BYTES("p"));
    put_frame(FRAME_CONTINUATION, BYTES("two "));
    put_frame(FRAME_CONTINUATION, BYTES(""));
    put_frame(FIN | FRAME_PONG, BYTES("q"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("three"));
    put_frame(FIN | FRAME_TEXT, BYTES("next"));
    assert_told(false, "ping p|pong q|text one two three|text next|", READER_BOUNDARY);
}

static void empty_fragments_are_fragments(void **state)
{
    (void)state;
    put_frame(FRAME_TEXT, BYTES(""));
    put_frame(FRAME_CONTINUATION, BYTES(""));
    put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
    put_frame(FRAME_BINARY, BYTES(""));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("x"));
    put_frame(FRAME_TEXT, BYTES("x"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
    assert_told(false, "text |binary x|text x|", READER_BOUNDARY);
}

static void a_character_may_be_cut_by_fragments(void **state)
{
    (void)state;
    static const char text[] = "a\xf0\x9f\x98\x80z\xe2\x82\xac";
    for (size_t i = 0; i < sizeof text - 1; i++)
        put_frame((i ? FRAME_CONTINUATION : FRAME_TEXT) | (i == sizeof text - 2 ? FIN : 0),
                  (struct bytes){text + i, 1});
    assert_told(false, "text a\xf0\x9f\x98\x80z\xe2\x82\xac|", READER_BOUNDARY);
}

static void every_form_of_length_is_read(void **state)
{
    (void)state;
    static char payload[MAX_MESSAGE];
    static const size_t lens[] = {124, 125, 126, 127, 4000, 4095, 4096, 4097, 8192, 8193, 65535, 65536, MAX_MESSAGE};
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char expected[64];
        unsigned long check = crc32(0, (const Bytef *)payload, (uInt)lens[i]);
        put_frame(FIN | FRAME_TEXT, (struct bytes){payload, lens[i]});
        snprintf(expected, sizeof expected, "text %zu:%08lx|", lens[i], check);
        assert_told(false, expected, READER_BOUNDARY);
    }
}

static void a_close_frame_ends_the_stream(void **state)
{
    (void)state;
    put_frame(FIN | FRAME_TEXT, BYTES("a"));
    put_close(1000, BYTES("bye"));
    put_frame(FIN | FRAME_TEXT, BYTES("never told"));
    assert_told(false, "text a|close 1000 bye|", READER_STOPPED);
    put_frame(FIN | FRAME_CLOSE, BYTES(""));
    assert_told(false, "close 1005 |", READER_STOPPED);
    put_close(4999, BYTES(""));
    assert_told(false, "close 4999 |", READER_STOPPED);
    put_frame(FRAME_TEXT, BYTES("unfinished"));
    put_close(1001, BYTES("\xe2\x82\xac"));
    assert_told(false, "close 1001 \xe2\x82\xac|", READER_STOPPED);
}

static void a_callback_can_stop_the_reading(void **state)
{
    (void)state;
    put_frame(FIN | FRAME_TEXT, BYTES("a"));
    put_frame(FIN | FRAME_PING, BYTES("b"));
    put_frame(FRAME_TEXT, BYTES("c"));
    put_frame(FIN | FRAME_PONG, BYTES("d"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("e"));
    size_t len = stream.len;
    static const char *const expected[] = {"text a|", "text a|ping b|", "text a|ping b|pong d|",
                                           "text a|ping b|pong d|text ce|"};
    for (int i = 0; i < 4; i++) {
        stream.len = len;
        told.stop_at = i + 1;
        assert_told(false, expected[i], READER_STOPPED);
    }
    told.stop_at = 0;
}

/* ---- permessage-deflate */

static void compressed_and_plain_messages_may_follow_each_other(void **state)
{
    (void)state;
    put_compressed(FRAME_TEXT, BYTES("Hello"));
    put_frame(FIN | FRAME_TEXT, BYTES("plain"));
    put_compressed(FRAME_BINARY, BYTES("\xff\xff"));
    put_frame(FIN | FRAME_PING, BYTES("p"));
    put_frame(FIN | RSV1 | FRAME_TEXT, BYTES("\x00"));
    assert_told(true, "text Hello|text plain|binary \xff\xff|ping p|text |", READER_BOUNDARY);
}

static void a_compressed_message_may_be_fragmented_anywhere(void **state)
{
    (void)state;
    uint8_t out[200];
    size_t len = deflater_compress(deflater, BYTES("caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9"), out);
    for (size_t cut = 0; cut <= len; cut++) {
        put_frame(RSV1 | FRAME_TEXT, (struct bytes){(char *)out, cut});
        put_frame(FIN | FRAME_PING, BYTES(""));
        put_frame(FIN | FRAME_CONTINUATION, (struct bytes){(char *)out + cut, len - cut});
        assert_told(true, "ping |text caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9|", READER_BOUNDARY);
    }
}

/* ---- 1002 */

struct bad_frame {
    const char *name;
    int first;
    uint64_t len;
    int form;
    bool deflate;
};

static void broken_heads_are_1002(void **state)
{
    (void)state;
    static const struct bad_frame cases[] = {
        {"RSV1 without the extension", FIN | RSV1 | FRAME_TEXT, 0, 7, false},
        {"RSV2", FIN | RSV2 | FRAME_TEXT, 0, 7, true},
        {"RSV3", FIN | RSV3 | FRAME_TEXT, 0, 7, true},
        {"RSV1 and RSV2", FIN | RSV1 | RSV2 | FRAME_TEXT, 0, 7, true},
        {"RSV1 of a ping", FIN | RSV1 | FRAME_PING, 0, 7, true},
        {"RSV1 of a close", FIN | RSV1 | FRAME_CLOSE, 0, 7, true},
        {"opcode 3", FIN | 3, 0, 7, true},
        {"opcode 4", FIN | 4, 0, 7, true},
        {"opcode 5", FIN | 5, 0, 7, true},
        {"opcode 6", FIN | 6, 0, 7, true},
        {"opcode 7", FIN | 7, 0, 7, true},
        {"opcode 11", FIN | 11, 0, 7, true},
        {"opcode 12", FIN | 12, 0, 7, true},
        {"opcode 13", FIN | 13, 0, 7, true},
        {"opcode 14", FIN | 14, 0, 7, true},
        {"opcode 15", FIN | 15, 0, 7, true},
        {"a continuation of nothing", FIN | FRAME_CONTINUATION, 1, 7, true},
        {"an open continuation of nothing", FRAME_CONTINUATION, 0, 7, true},
        {"a fragmented ping", FRAME_PING, 0, 7, true},
        {"a fragmented pong", FRAME_PONG, 1, 7, true},
        {"a fragmented close", FRAME_CLOSE, 2, 7, true},
        {"a ping of 126 bytes", FIN | FRAME_PING, 126, 16, true},
        {"a close of 65536 bytes", FIN | FRAME_CLOSE, 65536, 64, true},
        {"a ping with a length in 16 bits", FIN | FRAME_PING, 5, 16, true},
        {"125 in 16 bits", FIN | FRAME_BINARY, 125, 16, true},
        {"0 in 16 bits", FIN | FRAME_BINARY, 0, 16, true},
        {"65535 in 64 bits", FIN | FRAME_BINARY, 65535, 64, true},
        {"5 in 64 bits", FIN | FRAME_BINARY, 5, 64, true},
        {"a length with the highest bit", FIN | FRAME_BINARY, (uint64_t)1 << 63, 64, true},
        {"a length of all bits", FIN | FRAME_BINARY, UINT64_MAX, 64, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t used;
        put_frame(FIN | FRAME_TEXT, BYTES("before"));
        put_head(cases[i].first, cases[i].len, cases[i].form, (const uint8_t[4]){1, 2, 3, 4});
        if (feed(WHOLE, cases[i].deflate, &used) != 1002)
            print_error("%s\n", cases[i].name);
        assert_told(cases[i].deflate, "text before|", 1002); /* at the head, without any payload */
    }
}

static void an_unmasked_frame_is_1002(void **state)
{
    (void)state;
    put("\x81\x05hello", 7);
    assert_told(false, "", 1002);
    put("\x89\x00", 2);
    assert_told(false, "", 1002);
}

static void a_broken_order_of_fragments_is_1002(void **state)
{
    (void)state;
    put_frame(FRAME_TEXT, BYTES("a"));
    put_frame(FIN | FRAME_TEXT, BYTES("b"));
    assert_told(false, "", 1002);
    put_frame(FRAME_TEXT, BYTES(""));
    put_frame(FRAME_BINARY, BYTES("b"));
    assert_told(false, "", 1002);
    put_frame(FRAME_TEXT, BYTES("a"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("b"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("c"));
    assert_told(false, "text ab|", 1002);
    put_frame(RSV1 | FRAME_TEXT, BYTES("\x00"));
    put_frame(FIN | RSV1 | FRAME_CONTINUATION, BYTES(""));
    assert_told(true, "", 1002);
}

static void a_close_frame_that_is_none_is_1002(void **state)
{
    (void)state;
    static const int codes[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        put_close(codes[i], BYTES("x"));
        assert_told(false, "", 1002);
    }
    put_frame(FIN | FRAME_CLOSE, BYTES("\x03"));
    assert_told(false, "", 1002);
}

/* ---- 1007 */

static void text_that_is_no_utf8_is_1007(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xff",
        "a\x80",
        "\xc0\xaf", /* overlong */
        "\xe0\x80\xaf",
        "\xed\xa0\x80", /* a surrogate */
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xe2\x82",
        "abc\xf0\x9f\x98", /* cut short */
        "long enough to be read by words \xc3(",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bytes text = bytes_of(texts[i]);
        put_frame(FIN | FRAME_TEXT, text);
        assert_told(false, "", 1007);
        put_compressed(FRAME_TEXT, text);
        assert_told(true, "", 1007);
        for (size_t cut = 0; cut <= text.len; cut++) {
            put_frame(FRAME_TEXT, (struct bytes){text.data, cut});
            put_frame(FRAME_CONTINUATION, (struct bytes){text.data + cut, text.len - cut});
            put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
            assert_told(false, "", 1007);
        }
    }
}

static void bad_text_fails_at_its_first_bad_byte(void **state)
{
    (void)state;
    put_head(FRAME_TEXT, 1000, 16, (const uint8_t[4]){0, 0, 0, 0});
    put("good \xe2\x82\xac \xed\xa0 and so on", 22);
    size_t used;
    assert_int_equal(feed(BYTE_BY_BYTE, false, &used), 1007);
    assert_int_equal(used, 8 + 11); /* \xed alone may become something */
}

static void a_close_reason_that_is_no_utf8_is_1007(void **state)
{
    (void)state;
    put_close(1000, BYTES("\xed\xa0\x80"));
    assert_told(false, "", 1007);
    put_close(1000, BYTES("cut \xe2\x82"));
    assert_told(false, "", 1007);
}

static void broken_compressed_data_is_1007(void **state)
{
    (void)state;
    put_frame(FIN | RSV1 | FRAME_BINARY, BYTES("Hello, world"));
    assert_told(true, "", 1007);
    put_frame(FIN | RSV1 | FRAME_BINARY, BYTES("\xf2\x48\xcd"));
    assert_told(true, "", 1007);
    put_frame(FIN | RSV1 | FRAME_BINARY, BYTES(""));
    assert_told(true, "", 1007);
    put_frame(RSV1 | FRAME_BINARY, BYTES("\xf2\x48\xcd"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("\xff\xff\xff"));
    assert_told(true, "", 1007);
}

/* ---- 1009 */

static void a_frame_that_announces_too_much_is_1009_at_its_head(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {0};
    static const uint64_t lens[] = {MAX_MESSAGE + 1, (uint64_t)1 << 32, ((uint64_t)1 << 63) - 1};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        put_head(FIN | FRAME_BINARY, lens[i], 64, mask);
        assert_told(false, "", 1009);
        put_head(FRAME_TEXT, lens[i], 64, mask);
        assert_told(true, "", 1009);
    }
    put_head(FIN | RSV1 | FRAME_BINARY, 2 * MAX_MESSAGE, 64, mask); /* more than any compressor makes of it */
    assert_told(true, "", 1009);
}

static void fragments_may_be_max_message_together_and_no_more(void **state)
{
    (void)state;
    static char half[MAX_MESSAGE / 2];
    for (size_t i = 0; i < sizeof half; i++)
        half[i] = 'a';
    struct bytes piece = {half, sizeof half};
    put_frame(FRAME_TEXT, piece);
    put_frame(FRAME_CONTINUATION, piece);
    put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
    size_t used;
    assert_int_equal(feed(RANDOM, false, &used), READER_BOUNDARY);
    assert_int_equal(told.count, 1);
    stream.len = 0;
    put_frame(FRAME_TEXT, piece);
    put_frame(FRAME_CONTINUATION, piece);
    put_frame(FRAME_CONTINUATION, BYTES("b"));
    assert_told(false, "", 1009);
}

static void a_message_that_inflates_beyond_the_limit_is_1009(void **state)
{
    (void)state;
    static char zeros[10 * MAX_MESSAGE];
    put_compressed(FRAME_BINARY, (struct bytes){zeros, MAX_MESSAGE});
    size_t used;
    assert_int_equal(feed(RANDOM, true, &used), READER_BOUNDARY);
    assert_int_equal(told.count, 1);
    stream.len = 0;
    put_compressed(FRAME_BINARY, (struct bytes){zeros, MAX_MESSAGE + 1});
    assert_told(true, "", 1009);
    put_compressed(FRAME_TEXT, (struct bytes){zeros, sizeof zeros});
    assert_told(true, "", 1009);
}

static void noise_of_the_full_size_may_be_compressed(void **state)
{
    (void)state;
    static char message[MAX_MESSAGE];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (char)next_noise();
    put_compressed(FRAME_BINARY, (struct bytes){message, sizeof message});
    assert_true(stream.len > sizeof message); /* longer on the wire than it is */
    size_t used;
    assert_int_equal(feed(RANDOM, true, &used), READER_BOUNDARY);
    assert_int_equal(told.count, 1);
}

/* ---- borrowed readers */

static void a_boundary_is_the_end_of_a_message_or_of_a_control_frame_on_its_own(void **state)
{
    (void)state;
    put_frame(FRAME_TEXT, BYTES("ab"));
    put_frame(FIN | FRAME_PING, BYTES("p")); /* within a message: no boundary behind it */
    put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
    size_t message_end = stream.len;
    put_frame(FIN | FRAME_PONG, BYTES(""));
    struct reader *reader = reader_borrow(&readers);
    assert_int_equal(feed_copy(reader, BYTES(""), false), READER_BOUNDARY);
    for (size_t fed = 1; fed <= stream.len; fed++) {
        int result = feed_copy(reader, (struct bytes){(char *)stream.data + fed - 1, 1}, false);
        bool boundary = fed == message_end || fed == stream.len;
        assert_int_equal(result, boundary ? READER_BOUNDARY : READER_PARTIAL);
    }
    reader_return(&readers, reader);
}

static void a_reader_that_is_clean_is_lent_again(void **state)
{
    (void)state;
    struct reader *reader = reader_borrow(&readers);
    put_frame(FIN | FRAME_TEXT, BYTES("a"));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_BOUNDARY);
    reader_return(&readers, reader);
    assert_int_equal(readers.spare_count, 1);
    assert_ptr_equal(reader_borrow(&readers), reader);
    assert_int_equal(readers.spare_count, 0);
    reader_return(&readers, reader);
}

static void a_reader_in_the_middle_of_something_is_not_lent_again(void **state)
{
    (void)state;
    put_frame(FRAME_TEXT, BYTES("abc"));
    for (size_t len = 1; len <= stream.len; len++) {
        struct reader *reader = reader_borrow(&readers);
        assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, len}, false), READER_PARTIAL);
        reader_return(&readers, reader);
        assert_int_equal(readers.spare_count, 0);
    }
}

/* What one connection left behind must not be seen by the next. */
static void the_next_borrower_starts_afresh(void **state)
{
    (void)state;
    static const char *const left[] = {"\x81\x80\x00\x00\x00\x00",                  /* a whole message */
                                       "\xc1\x81\x00\x00\x00\x00\x00",              /* a compressed one */
                                       "\x88\x82\x00\x00\x00\x00\x03\xed",          /* a close frame that fails */
                                       "\x81\x81\x00\x00\x00\x00\xff",              /* bad text */
                                       "\x01\x81\x00\x00\x00\x00\xe2",              /* half a character */
                                       "\x01\x80\x00\x00\x00\x00\x89\x80\x00\x00"}; /* a fragment and half a ping */
    static const size_t lens[] = {6, 7, 8, 7, 7, 10};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct reader *reader = reader_borrow(&readers);
        int result = feed_copy(reader, (struct bytes){left[i], lens[i]}, true);
        (void)result;
        reader_return(&readers, reader);
        put_frame(FIN | FRAME_TEXT, BYTES("fresh"));
        assert_told(false, "text fresh|", READER_BOUNDARY);
    }
}

static void a_returned_reader_keeps_no_large_buffer(void **state)
{
    (void)state;
    static char payload[MAX_MESSAGE];
    put_frame(FRAME_BINARY, (struct bytes){payload, sizeof payload});
    put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
    struct reader *reader = reader_borrow(&readers);
    size_t bare = reader_held(reader); /* itself, and no buffer */
    assert_in_range(bare, 1, BARE_MAX);
    assert_int_equal(readers.held, bare);
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_BOUNDARY);
    assert_in_range(reader_held(reader), bare + sizeof payload, bare + 2 * sizeof payload);
    reader_return(&readers, reader);
    assert_int_equal(readers.held, 0);
    assert_ptr_equal(reader_borrow(&readers), reader);
    assert_int_equal(reader_held(reader), bare);
    assert_int_equal(readers.held, bare);
    reader_return(&readers, reader);
}

static void only_so_many_spare_readers_are_kept(void **state)
{
    (void)state;
    struct reader *all[100];
    for (int i = 0; i < 100; i++)
        all[i] = reader_borrow(&readers);
    assert_int_equal(readers.held, 100 * reader_held(all[0]));
    for (int i = 0; i < 100; i++)
        reader_return(&readers, all[i]);
    assert_int_equal(readers.spare_count, 64);
    assert_int_equal(readers.held, 0); /* spare ones are nobody's */
}

static void a_message_under_way_is_charged_with_its_bytes(void **state)
{
    (void)state;
    static char payload[20000];
    put_frame(FRAME_BINARY, (struct bytes){payload, sizeof payload});
    struct reader *reader = reader_borrow(&readers), *other = reader_borrow(&readers);
    size_t bare = reader_held(reader);
    int result = reader_feed(&readers, reader, (struct bytes){(char *)stream.data, stream.len}, false, &told);
    assert_int_equal(result, READER_PARTIAL);
    assert_in_range(reader_held(reader), bare + sizeof payload, bare + 2 * sizeof payload);
    assert_int_equal(readers.held, reader_held(reader) + bare);
    reader_return(&readers, reader); /* in the middle of it */
    assert_int_equal(readers.held, bare);
    reader_return(&readers, other);
}

static void a_deadline_is_of_one_message(void **state)
{
    (void)state;
    struct reader *reader = reader_borrow(&readers);
    put_frame(FRAME_TEXT, BYTES("a"));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_PARTIAL);
    assert_int_equal(reader_deadline(reader), 0);
    reader_set_deadline(reader, 7);
    stream.len = 0;
    put_frame(FIN | FRAME_PING, BYTES(""));
    put_frame(FRAME_CONTINUATION, BYTES("b"));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_PARTIAL);
    assert_int_equal(reader_deadline(reader), 7); /* neither a ping nor a fragment buys time */
    stream.len = 0;
    put_frame(FIN | FRAME_CONTINUATION, BYTES("c"));
    put_frame(FRAME_TEXT, BYTES("next"));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_PARTIAL);
    assert_int_equal(reader_deadline(reader), 0);
    reader_set_deadline(reader, 9);
    stream.len = 0;
    put_frame(FIN | FRAME_CONTINUATION, BYTES(""));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_BOUNDARY);
    reader_return(&readers, reader);
}

static void a_deadline_is_not_left_to_the_next_borrower(void **state)
{
    (void)state;
    struct reader *reader = reader_borrow(&readers);
    put_frame(FRAME_TEXT, BYTES("a"));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_PARTIAL);
    reader_set_deadline(reader, 7);
    stream.len = 0;
    put_frame(FIN | FRAME_CONTINUATION, BYTES("b"));
    told.stop_at = told.count + 1;
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_STOPPED);
    told.stop_at = 0;
    reader_return(&readers, reader);
    assert_ptr_equal(reader_borrow(&readers), reader);
    assert_int_equal(reader_deadline(reader), 0);
    reader_return(&readers, reader);
}

/* ---- pauses */

static void what_is_parked_is_told_when_reading_goes_on(void **state)
{
    (void)state;
    put_frame(FIN | FRAME_TEXT, BYTES("one"));
    put_frame(FRAME_TEXT, BYTES("t"));
    put_frame(FIN | FRAME_PING, BYTES("p"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES("wo"));
    put_frame(FIN | FRAME_TEXT, BYTES("last"));
    static const char *const expected[] = {"text one|", "text one|", "text one|ping p|", "text one|ping p|text two|",
                                           "text one|ping p|text two|text last|"};
    struct reader *reader = reader_borrow(&readers);
    size_t bare = reader_held(reader);
    pauses.percent = 100; /* after each frame, but for the last: there is no more input then */
    stay_parked = true;
    int result = feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(told.text, expected[i]);
        assert_int_equal(result, i < 4 ? READER_PAUSED : READER_BOUNDARY);
        if (i < 4) {
            assert_in_range(reader_held(reader), bare + 1, bare + 1024 + stream.len);
            result = reader_feed_parked(&readers, reader, false, &told);
        }
    }
    assert_int_equal(pauses.count, 4);
    stay_parked = false;
    reader_return(&readers, reader);
}

static void a_pause_comes_only_between_pieces_and_when_there_is_more(void **state)
{
    (void)state;
    struct reader *reader = reader_borrow(&readers);
    pauses.percent = 100;
    put_frame(FIN | FRAME_TEXT, BYTES("all of it"));
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_BOUNDARY);
    assert_int_equal(feed_copy(reader, BYTES(""), false), READER_BOUNDARY);
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, 8}, false), READER_PARTIAL);
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data + 8, stream.len - 8}, false),
                     READER_BOUNDARY);
    assert_int_equal(pauses.count, 0);
    assert_string_equal(told.text, "text all of it|text all of it|");
    reader_return(&readers, reader);
}

/* A stop and a failure end it, whatever is left: it is not parked. */
static void nothing_is_parked_behind_the_end(void **state)
{
    (void)state;
    pauses.percent = 100;
    stay_parked = true;
    put_close(1000, BYTES(""));
    put_frame(FIN | FRAME_TEXT, BYTES("never told"));
    struct reader *reader = reader_borrow(&readers);
    size_t bare = reader_held(reader);
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), READER_STOPPED);
    assert_in_range(reader_held(reader), bare, bare + 1024); /* a buffer at the most */
    reader_return(&readers, reader);
    stream.len = 0;
    put_frame(FIN | FRAME_TEXT, BYTES("\xff"));
    put_frame(FIN | FRAME_TEXT, BYTES("never told"));
    reader = reader_borrow(&readers);
    assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data, stream.len}, false), 1007);
    stay_parked = false;
    reader_return(&readers, reader);
    assert_int_equal(pauses.count, 0);
}

static void a_returned_reader_drops_what_was_parked(void **state)
{
    (void)state;
    put_frame(FIN | FRAME_TEXT, BYTES("one"));
    size_t boundary = stream.len;
    put_frame(FRAME_TEXT, BYTES("never"));
    put_frame(FIN | FRAME_CONTINUATION, BYTES(" told"));
    size_t len = stream.len;
    pauses.percent = 100;
    stay_parked = true;
    for (size_t begin = 0; begin <= boundary; begin += boundary) { /* parked at a boundary, and within a message */
        struct reader *reader = reader_borrow(&readers);
        told.len = 0;
        assert_int_equal(feed_copy(reader, (struct bytes){(char *)stream.data + begin, len - begin}, false),
                         READER_PAUSED);
        reader_return(&readers, reader);
        assert_int_equal(readers.held, 0);
        assert_int_equal(readers.spare_count, begin == 0 ? 1 : 0); /* within a message it is not lent again */
        struct reader *next = reader_borrow(&readers);
        static char fresh[] = "\x81\x85\0\0\0\0fresh";
        assert_int_equal(feed_copy(next, (struct bytes){fresh, sizeof fresh - 1}, false), READER_BOUNDARY);
        assert_string_equal(told.text, begin == 0 ? "text one|text fresh|" : "text fresh|");
        reader_return(&readers, next);
        readers_close(&readers); /* the next round begins without a spare one */
        readers_init(&readers, &events, deflater, MAX_MESSAGE);
    }
    stay_parked = false;
}

/* Two bombs in one read, as a connection is paused after each message. */
static void compressed_messages_may_be_parked_between_each_other(void **state)
{
    (void)state;
    static char zeros[MAX_MESSAGE];
    char expected[128];
    unsigned long check = crc32(0, (const Bytef *)zeros, sizeof zeros);
    put_compressed(FRAME_BINARY, (struct bytes){zeros, sizeof zeros});
    put_compressed(FRAME_BINARY, (struct bytes){zeros, sizeof zeros});
    put_compressed(FRAME_TEXT, BYTES("end"));
    snprintf(expected, sizeof expected, "binary %zu:%08lx|binary %zu:%08lx|text end|", sizeof zeros, check,
             sizeof zeros, check);
    assert_told(true, expected, READER_BOUNDARY);
    assert_true(pauses.count > 0);
}

/* ---- anything */

static void put_random_frames(bool deflate)
{
    static const char *const payloads[] = {"", "a", "\xe2\x82\xac", "\xe2\x82", "\xac", "hello, hello", "\xff"};
    bool under_way = false;
    for (uint32_t i = 0, count = 1 + next_noise() % 8; i < count; i++) {
        struct bytes payload = bytes_of(payloads[next_noise() % 7]);
        bool fin = next_noise() % 2;
        if (next_noise() % 4 == 0) {
            put_frame(FIN | (FRAME_PING + (int)(next_noise() % 2)), payload);
            continue;
        }
        if (deflate && !under_way && fin && next_noise() % 2)
            put_compressed(FRAME_TEXT, payload);
        else
            put_frame((fin ? FIN : 0) | (under_way ? FRAME_CONTINUATION : 1 + (int)(next_noise() % 2)), payload);
        under_way = !fin;
    }
}

static void random_streams_come_to_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        stream.len = 0;
        put_random_frames(i % 2);
        assert_same_in_every_cut(i % 2);
    }
}

static void damaged_streams_come_to_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        stream.len = 0;
        put_random_frames(i % 2);
        stream.data[next_noise() % stream.len] ^= (uint8_t)(1 << next_noise() % 8);
        assert_same_in_every_cut(i % 2);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(messages_and_control_frames_are_told_in_their_order),
        test(fragments_are_joined_around_control_frames),
        test(empty_fragments_are_fragments),
        test(a_character_may_be_cut_by_fragments),
        test(every_form_of_length_is_read),
        test(a_close_frame_ends_the_stream),
        test(a_callback_can_stop_the_reading),
        test(compressed_and_plain_messages_may_follow_each_other),
        test(a_compressed_message_may_be_fragmented_anywhere),
        test(broken_heads_are_1002),
        test(an_unmasked_frame_is_1002),
        test(a_broken_order_of_fragments_is_1002),
        test(a_close_frame_that_is_none_is_1002),
        test(text_that_is_no_utf8_is_1007),
        test(bad_text_fails_at_its_first_bad_byte),
        test(a_close_reason_that_is_no_utf8_is_1007),
        test(broken_compressed_data_is_1007),
        test(a_frame_that_announces_too_much_is_1009_at_its_head),
        test(fragments_may_be_max_message_together_and_no_more),
        test(a_message_that_inflates_beyond_the_limit_is_1009),
        test(noise_of_the_full_size_may_be_compressed),
        test(a_boundary_is_the_end_of_a_message_or_of_a_control_frame_on_its_own),
        test(a_reader_that_is_clean_is_lent_again),
        test(a_reader_in_the_middle_of_something_is_not_lent_again),
        test(the_next_borrower_starts_afresh),
        test(a_returned_reader_keeps_no_large_buffer),
        test(only_so_many_spare_readers_are_kept),
        test(a_message_under_way_is_charged_with_its_bytes),
        test(a_deadline_is_of_one_message),
        test(a_deadline_is_not_left_to_the_next_borrower),
        test(what_is_parked_is_told_when_reading_goes_on),
        test(a_pause_comes_only_between_pieces_and_when_there_is_more),
        test(nothing_is_parked_behind_the_end),
        test(a_returned_reader_drops_what_was_parked),
        test(compressed_messages_may_be_parked_between_each_other),
        test(random_streams_come_to_the_same_however_they_are_cut),
        test(damaged_streams_come_to_the_same_however_they_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
