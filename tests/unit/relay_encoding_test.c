/* relay_encoding_test.c -- what the relay's clients are sent for a message of the bus, plain and deflated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/protocol/frame.h"
#include "gateway/protocol/relay.h"

enum { MAX_MESSAGE = 200000 };

static struct deflater *deflater, *client;
static struct relay relay;
static const struct encoding *plain, *deflated;

static int open_relay(void **state)
{
    (void)state;
    deflater = deflater_new(MAX_MESSAGE);
    client = deflater_new(MAX_MESSAGE);
    relay_init(&relay, NULL, NULL, deflater);
    plain = &relay.plain.base;
    deflated = &relay.deflated.base;
    return 0;
}

static int close_relay(void **state)
{
    (void)state;
    deflater_free(deflater);
    deflater_free(client);
    return 0;
}

/* Encodes into exactly the promised room, so that a sanitizer sees more, and decodes what came out. */
static void check(const struct encoding *encoding, enum envelope_kind kind, struct bytes payload, bool compressed)
{
    struct envelope envelope = {.kind = kind, .payload = payload};
    size_t bound = encoding->bound(encoding, &envelope);
    assert_true(bound > 0);
    uint8_t *frame = xmalloc(bound);
    size_t len = encoding->encode(encoding, &envelope, frame);
    assert_in_range(len, 2, bound);
    assert_int_equal(frame_size(frame), len);
    enum frame_opcode opcode = kind == ENVELOPE_BINARY ? FRAME_BINARY : FRAME_TEXT;
    assert_int_equal(frame[0], 0x80 | opcode | (compressed ? FRAME_RSV1 : 0));
    size_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    struct bytes got = {(char *)frame + head, len - head};
    if (compressed) {
        assert_true(got.len < payload.len); /* else it is sent as it is */
        assert_int_equal(deflater_inflate(client, got, &got), INFLATE_OK);
    }
    assert_int_equal(got.len, payload.len);
    assert_memory_equal(got.data, payload.data, payload.len);
    free(frame);
}

static const size_t LENS[] = {0, 1, 125, 126, 127, 255, 256, 257, 1000, 4096, 65535, 65536, 65537, 70000, MAX_MESSAGE};
enum { LEN_COUNT = sizeof LENS / sizeof *LENS };

static char *text_of(size_t len)
{
    char *text = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = "a line of chat, "[i % 16];
    return text;
}

static char *noise_of(size_t len)
{
    char *data = xmalloc(len + 1);
    uint32_t noise = 7;
    for (size_t i = 0; i < len; i++) {
        noise = noise * 1664525 + 1013904223;
        data[i] = (char)(noise >> 24);
    }
    return data;
}

static void a_plain_frame_is_the_payload_behind_a_head(void **state)
{
    (void)state;
    for (int i = 0; i < LEN_COUNT; i++) {
        char *text = text_of(LENS[i]);
        check(plain, ENVELOPE_TEXT, (struct bytes){text, LENS[i]}, false);
        check(plain, ENVELOPE_BINARY, (struct bytes){text, LENS[i]}, false);
        free(text);
    }
}

static void a_deflated_frame_inflates_to_the_payload(void **state)
{
    (void)state;
    for (int i = 0; i < LEN_COUNT; i++) {
        char *text = text_of(LENS[i]);
        check(deflated, ENVELOPE_TEXT, (struct bytes){text, LENS[i]}, LENS[i] >= DEFLATE_SMALLEST);
        check(deflated, ENVELOPE_BINARY, (struct bytes){text, LENS[i]}, LENS[i] >= DEFLATE_SMALLEST);
        free(text);
    }
}

static void what_does_not_shrink_is_sent_as_it_is(void **state)
{
    (void)state;
    for (int i = 0; i < LEN_COUNT; i++) {
        char *noise = noise_of(LENS[i]);
        check(deflated, ENVELOPE_BINARY, (struct bytes){noise, LENS[i]}, false);
        free(noise);
    }
}

static void bounds_hold_for_every_small_length(void **state)
{
    (void)state;
    char *text = text_of(1500), *noise = noise_of(1500);
    for (size_t len = 0; len < 1500; len++) {
        check(plain, ENVELOPE_TEXT, (struct bytes){text, len}, false);
        check(deflated, ENVELOPE_TEXT, (struct bytes){text, len}, len >= DEFLATE_SMALLEST);
        check(deflated, ENVELOPE_BINARY, (struct bytes){noise, len}, false);
    }
    free(text);
    free(noise);
}

static void json_goes_as_text(void **state)
{
    (void)state;
    check(plain, ENVELOPE_JSON, BYTES("{\"a\":1}"), false);
    check(deflated, ENVELOPE_JSON, BYTES("{\"a\":1}"), false);
    char *text = text_of(2000);
    check(deflated, ENVELOPE_JSON, (struct bytes){text, 2000}, true);
    free(text);
}

static void presence_and_system_messages_are_not_carried(void **state)
{
    (void)state;
    char *text = text_of(2000);
    static const enum envelope_kind kinds[] = {ENVELOPE_PRESENCE, ENVELOPE_SYSTEM};
    for (int i = 0; i < 2; i++) {
        struct envelope envelope = {.kind = kinds[i], .payload = {text, 2000}};
        assert_int_equal(plain->bound(plain, &envelope), 0);
        assert_int_equal(deflated->bound(deflated, &envelope), 0);
        envelope.payload.len = 5;
        assert_int_equal(plain->bound(plain, &envelope), 0);
        assert_int_equal(deflated->bound(deflated, &envelope), 0);
    }
    free(text);
}

static void an_empty_payload_may_be_nowhere(void **state)
{
    (void)state;
    struct envelope envelope = {.kind = ENVELOPE_TEXT, .payload = {NULL, 0}};
    uint8_t frame[FRAME_HEAD_MAX];
    assert_in_range(plain->bound(plain, &envelope), 2, sizeof frame);
    assert_int_equal(plain->encode(plain, &envelope, frame), 2);
    assert_int_equal(deflated->encode(deflated, &envelope, frame), 2);
    assert_memory_equal(frame, "\x81\x00", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_frame_is_the_payload_behind_a_head),
        cmocka_unit_test(a_deflated_frame_inflates_to_the_payload),
        cmocka_unit_test(what_does_not_shrink_is_sent_as_it_is),
        cmocka_unit_test(bounds_hold_for_every_small_length),
        cmocka_unit_test(json_goes_as_text),
        cmocka_unit_test(presence_and_system_messages_are_not_carried),
        cmocka_unit_test(an_empty_payload_may_be_nowhere),
    };
    return cmocka_run_group_tests(tests, open_relay, close_relay);
}
