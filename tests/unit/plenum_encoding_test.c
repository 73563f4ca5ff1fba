/* plenum_encoding_test.c -- what clients of plenum.v1 are sent for messages and notices: the text, its bound, its
 * frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json_scan.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "gateway/protocol/frame.h"
#include "gateway/protocol/plenum_encoding.h"

enum { MAX_TEXT = 2000000 };

static struct deflater *deflater, *client;
static struct plenum_encoding plain, deflated;

static int open_encodings(void **state)
{
    (void)state;
    deflater = deflater_new(MAX_TEXT);
    client = deflater_new(MAX_TEXT);
    plenum_encoding_init(&plain, NULL);
    plenum_encoding_init(&deflated, deflater);
    return 0;
}

static int close_encodings(void **state)
{
    (void)state;
    deflater_free(deflater);
    deflater_free(client);
    return 0;
}

/* ---- reading frames */

/* The text of a frame, as a client reads it; valid until the next frame. */
static struct bytes text_of_frame(const uint8_t *frame, size_t len)
{
    assert_int_equal(frame_size(frame), len);
    assert_int_equal(frame[0] & ~FRAME_RSV1, 0x80 | FRAME_TEXT);
    size_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    struct bytes text = {(const char *)frame + head, len - head};
    if (frame[0] & FRAME_RSV1)
        assert_int_equal(deflater_inflate(client, text, &text), INFLATE_OK);
    assert_true(json_valid(text));
    assert_true(utf8_valid(text));
    return text;
}

/* Encodes into exactly the promised room, so that a sanitizer sees more. Returns a terminated copy of the text. */
static char *encoded(const struct plenum_encoding *encoding, const struct envelope *envelope)
{
    const struct encoding *base = &encoding->base;
    size_t bound = base->bound(base, envelope);
    assert_true(bound > 0);
    uint8_t *frame = xmalloc(bound);
    size_t len = base->encode(base, envelope, frame);
    assert_in_range(len, 2, bound);
    struct bytes text = text_of_frame(frame, len);
    assert_true(encoding->deflater || !(frame[0] & FRAME_RSV1));
    char *copy = xstrndup(text.data, text.len);
    free(frame);
    return copy;
}

static char *encoded_notice(const struct plenum_encoding *encoding, const struct notice *notice)
{
    const struct encoding *base = &encoding->base;
    size_t bound = base->notice_bound(base, notice);
    uint8_t *frame = xmalloc(bound);
    size_t len = base->notice_encode(base, notice, frame);
    assert_in_range(len, 2, bound);
    struct bytes text = text_of_frame(frame, len);
    char *copy = xstrndup(text.data, text.len);
    free(frame);
    return copy;
}

/* In both encodings, and as an entry of a history. */
static void check_message(struct envelope envelope, const char *expected)
{
    envelope.room = BYTES("lobby");
    char *text = encoded(&plain, &envelope);
    assert_string_equal(text, expected);
    free(text);
    text = encoded(&deflated, &envelope);
    assert_string_equal(text, expected);
    free(text);

    const char *begin = "{\"type\":\"message\",\"room\":\"lobby\",";
    assert_memory_equal(expected, begin, strlen(begin));
    size_t bound = plenum_entry_bound(&envelope);
    char *entry = xmalloc(bound);
    size_t len = plenum_entry_write(&envelope, entry);
    assert_in_range(len, 1, bound);
    assert_int_equal(entry[0], '{');
    assert_int_equal(len - 1, strlen(expected + strlen(begin)));
    assert_memory_equal(entry + 1, expected + strlen(begin), len - 1);
    free(entry);
}

static void check_notice(struct notice notice, const char *expected)
{
    notice.room = BYTES("lobby");
    char *text = encoded_notice(&plain, &notice);
    assert_string_equal(text, expected);
    free(text);
    text = encoded_notice(&deflated, &notice);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- messages */

static const struct envelope hello = {
    .seq = 1,
    .kind = ENVELOPE_JSON,
    .from = {"0a1b2c3d00000001/Ada", 20},
    .member = 0x0a1b2c3d00000001,
    .time_ms = 1700000000000,
    .payload = {"{\"text\":\"hello\"}", 16},
};

static void a_message_is_as_the_reference_has_it(void **state)
{
    (void)state;
    check_message(
        hello, "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":1,\"from\":\"0a1b2c3d00000001\",\"user\":\"Ada\","
               "\"data\":{\"text\":\"hello\"},\"time\":1700000000000}");
}

static void json_is_sent_byte_for_byte(void **state)
{
    (void)state;
    struct envelope envelope = hello;
    envelope.from.len = 16;
    envelope.payload = BYTES(" [1.50,\n\"\\u0041\\/\xc3\xa9\"] ");
    check_message(envelope, "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":1,\"from\":\"0a1b2c3d00000001\","
                            "\"data\": [1.50,\n\"\\u0041\\/\xc3\xa9\"] ,\"time\":1700000000000}");
}

static void text_becomes_a_string(void **state)
{
    (void)state;
    check_message((struct envelope){.kind = ENVELOPE_TEXT,
                                    .from = BYTES("admin"),
                                    .payload = BYTES("say \"hi\"\n\x01\\ \xc3\xa9")},
                  "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":0,\"from\":\"admin\","
                  "\"data\":\"say \\\"hi\\\"\\n\\u0001\\\\ \xc3\xa9\",\"time\":0}");
    check_message(
        (struct envelope){.kind = ENVELOPE_TEXT, .seq = UINT64_MAX, .member = 1, .time_ms = INT64_MAX},
        "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":18446744073709551615,\"from\":\"0000000000000001\","
        "\"data\":\"\",\"time\":9223372036854775807}");
}

static void binary_becomes_base64(void **state)
{
    (void)state;
    static const char *const expected[] = {"", "AA==", "AP8=", "AP8+", "AP8+Pw=="};
    for (size_t len = 0; len <= 4; len++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":0,\"from\":\"api\",\"data\":{\"base64\":\"%s\"},"
                 "\"time\":5}",
                 expected[len]);
        check_message(
            (struct envelope){
                .kind = ENVELOPE_BINARY, .from = BYTES("api"), .time_ms = 5, .payload = {"\0\xff>?", len}},
            text);
    }
}

/* What stands behind the member's digits in an envelope, and what clients see of it. */
static void the_user_is_decoded_or_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *from, *user;
    } cases[] = {
        {"", ""},
        {"/", ""},
        {"/Ada", ",\"user\":\"Ada\""},
        {"/Zo%C3%ab%20%2F", ",\"user\":\"Zo\xc3\xab /\""},
        {"/a/b", ",\"user\":\"a/b\""},
        {"/%22%5C%00%0A", ",\"user\":\"\\\"\\\\\\u0000\\n\""},
        {"/\"", ",\"user\":\"\\\"\""},
        {"/%ff", ""},
        {"/\xff", ""},
        {"/%C3", ""},
        {"/%4", ""},
        {"/%zz", ""},
        {"?", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char from[64], text[256];
        snprintf(from, sizeof from, "0a1b2c3d00000001%s", cases[i].from);
        snprintf(text, sizeof text,
                 "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":7,\"from\":\"0a1b2c3d00000001\"%s,\"data\":1,"
                 "\"time\":5}",
                 cases[i].user);
        check_message((struct envelope){.kind = ENVELOPE_JSON,
                                        .seq = 7,
                                        .from = bytes_of(from),
                                        .member = 0x0a1b2c3d00000001,
                                        .time_ms = 5,
                                        .payload = BYTES("1")},
                      text);
    }
}

static void who_is_no_member_is_named_as_he_is(void **state)
{
    (void)state;
    static const struct {
        struct bytes from;
        const char *shown;
    } cases[] = {
        {BYTES("admin"), "admin"}, {{NULL, 0}, ""},     {BYTES("a\"b\\\x01"), "a\\\"b\\\\\\u0001"},
        {BYTES("a/b"), "a/b"},     {BYTES("\xff"), ""}, {BYTES("0A1B2C3D00000001/Ada"), "0A1B2C3D00000001/Ada"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"type\":\"message\",\"room\":\"lobby\",\"offset\":0,\"from\":\"%s\",\"data\":1,\"time\":0}",
                 cases[i].shown);
        check_message(
            (struct envelope){.kind = ENVELOPE_JSON, .from = cases[i].from, .time_ms = -5, .payload = BYTES("1")},
            text);
    }
}

static void presence_and_system_messages_are_not_carried(void **state)
{
    (void)state;
    static const enum envelope_kind kinds[] = {ENVELOPE_PRESENCE, ENVELOPE_SYSTEM};
    for (int i = 0; i < 2; i++) {
        struct envelope envelope = hello;
        envelope.kind = kinds[i];
        assert_int_equal(plain.base.bound(&plain.base, &envelope), 0);
        assert_int_equal(deflated.base.bound(&deflated.base, &envelope), 0);
        assert_int_equal(plenum_entry_bound(&envelope), 0);
    }
}

/* ---- notices */

static void a_members_value_is_spliced_in(void **state)
{
    (void)state;
    const uint64_t member = 0x0a1b2c3d00000001;
    check_notice((struct notice){.kind = NOTICE_JOINED,
                                 .member = member,
                                 .value = BYTES("{\"name\":\"Ada\",\"info\":{},\"since\":5}")},
                 "{\"type\":\"member_joined\",\"room\":\"lobby\",\"member\":\"0a1b2c3d00000001\",\"name\":\"Ada\","
                 "\"info\":{},\"since\":5}");
    check_notice(
        (struct notice){.kind = NOTICE_UPDATED, .member = member, .value = BYTES("{\"since\":5,\"muted\":true}")},
        "{\"type\":\"member_updated\",\"room\":\"lobby\",\"member\":\"0a1b2c3d00000001\",\"since\":5,\"muted\":true}");
    static const char *const empty[] = {"{}", "{ }", " { \n} ", ""};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        check_notice((struct notice){.kind = NOTICE_JOINED, .member = member, .value = bytes_of(empty[i])},
                     "{\"type\":\"member_joined\",\"room\":\"lobby\",\"member\":\"0a1b2c3d00000001\"}");
    check_notice((struct notice){.kind = NOTICE_JOINED, .member = member, .value = BYTES(" { \"a\" : {} } ")},
                 "{\"type\":\"member_joined\",\"room\":\"lobby\",\"member\":\"0a1b2c3d00000001\",\"a\" : {} } ");
}

static void notices_are_as_the_reference_has_them(void **state)
{
    (void)state;
    check_notice((struct notice){.kind = NOTICE_LEFT, .member = UINT64_MAX, .reason = BYTES("lost")},
                 "{\"type\":\"member_left\",\"room\":\"lobby\",\"member\":\"ffffffffffffffff\",\"reason\":\"lost\"}");
    check_notice((struct notice){.kind = NOTICE_MEMBERS, .value = BYTES("[{\"member\":\"a\"}]"), .count = 1},
                 "{\"type\":\"members\",\"room\":\"lobby\",\"members\":[{\"member\":\"a\"}],\"count\":1}");
    check_notice((struct notice){.kind = NOTICE_COUNT, .count = 1234},
                 "{\"type\":\"count\",\"room\":\"lobby\",\"count\":1234}");
    check_notice((struct notice){.kind = NOTICE_GAP, .from = 5, .to = 90},
                 "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":5,\"to\":90}");
    check_notice((struct notice){.kind = NOTICE_EPOCH, .epoch = BYTES("5f2c"), .from = 90, .lossy = false},
                 "{\"type\":\"epoch\",\"room\":\"lobby\",\"epoch\":\"5f2c\",\"offset\":90,\"lossy\":\"maybe\"}");
    check_notice((struct notice){.kind = NOTICE_EPOCH, .epoch = BYTES("a\"b"), .from = 0, .lossy = true},
                 "{\"type\":\"epoch\",\"room\":\"lobby\",\"epoch\":\"a\\\"b\",\"offset\":0,\"lossy\":true}");
}

/* ---- bounds */

static uint32_t noise = 7;

static uint32_t random_below(uint32_t range)
{
    noise = noise * 1664525 + 1013904223;
    return (noise >> 8) % range;
}

/* Valid UTF-8; at times hardly anything that needs no escape. */
static void fill(char *text, size_t len)
{
    static const char letters[] = "\x01\"\\\nabcdefghijklmnopqrstuvwxyz 0123456789%/";
    uint32_t range = random_below(3) ? sizeof letters - 1 : 4;
    for (size_t i = 0; i < len; i++)
        text[i] = letters[random_below(range)];
}

static struct envelope random_envelope(char *payload, size_t len, char from[256])
{
    static const enum envelope_kind kinds[] = {ENVELOPE_TEXT, ENVELOPE_BINARY, ENVELOPE_JSON};
    bool member = random_below(2);
    size_t from_len = random_below(256);
    memcpy(from, "0a1b2c3d00000001/", 17);
    fill(from + (member ? 17 : 0), 256 - (member ? 17 : 0));
    fill(payload, len);
    struct envelope envelope = {.kind = kinds[random_below(3)],
                                .seq = random_below(3) ? random_below(1000) : UINT64_MAX,
                                .time_ms = random_below(3) ? 1700000000000 : INT64_MAX,
                                .member = member ? UINT64_MAX : 0,
                                .from = {from, from_len},
                                .payload = {payload, len},
                                .room = {"roomroomroomroomroomroom", random_below(24) + 1}};
    if (envelope.kind == ENVELOPE_JSON) {
        memset(payload, '8', len);
        envelope.payload = len ? envelope.payload : BYTES("0");
    }
    return envelope;
}

/* cJSON as a second reader: what was put in stands in its place. */
static void check_read_back(const char *text, const struct envelope *envelope)
{
    cJSON *tree = cJSON_Parse(text);
    if (envelope->kind == ENVELOPE_JSON && envelope->payload.len > 63) {
        cJSON_Delete(tree); /* cJSON refuses longer numbers */
        return;
    }
    assert_non_null(tree);
    const char *room = cJSON_GetStringValue(cJSON_GetObjectItem(tree, "room"));
    assert_true(bytes_equal(bytes_of(room), envelope->room));
    const cJSON *data = cJSON_GetObjectItem(tree, "data");
    if (envelope->kind == ENVELOPE_TEXT)
        assert_true(bytes_equal(bytes_of(cJSON_GetStringValue(data)), envelope->payload));
    if (envelope->kind == ENVELOPE_BINARY)
        assert_int_equal(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(data, "base64"))),
                         (envelope->payload.len + 2) / 3 * 4);
    cJSON_Delete(tree);
}

static void bounds_hold_for_random_messages(void **state)
{
    (void)state;
    static char payload[1500];
    char from[256];
    for (size_t round = 0; round < 6000; round++) {
        struct envelope envelope = random_envelope(payload, round % sizeof payload, from);
        char *text = encoded(&plain, &envelope);
        check_read_back(text, &envelope);
        char *same = encoded(&deflated, &envelope);
        assert_string_equal(same, text);
        free(text);
        free(same);
    }
}

static void large_messages_have_longer_heads(void **state)
{
    (void)state;
    static const size_t lens[] = {65300, 65400, 65450, 65535, 65536, 70000, 262144};
    char *payload = xmalloc(262144), from[256];
    for (size_t i = 0; i < 4 * sizeof lens / sizeof *lens; i++) {
        struct envelope envelope = random_envelope(payload, lens[i / 4], from);
        char *text = encoded(&plain, &envelope);
        char *same = encoded(&deflated, &envelope);
        assert_string_equal(same, text);
        free(text);
        free(same);
    }
    free(payload);
}

static void long_lists_are_deflated(void **state)
{
    (void)state;
    char list[4000] = "[0";
    for (size_t i = 2; i < sizeof list - 2; i++)
        list[i] = i % 2 ? '7' : ',';
    list[sizeof list - 2] = ']';
    list[sizeof list - 1] = '\0';
    struct notice notice = {.kind = NOTICE_MEMBERS, .room = BYTES("lobby"), .value = bytes_of(list), .count = 1999};
    const struct encoding *base = &deflated.base;
    size_t bound = base->notice_bound(base, &notice);
    uint8_t *frame = xmalloc(bound);
    size_t len = base->notice_encode(base, &notice, frame);
    assert_true(frame[0] & FRAME_RSV1);
    assert_in_range(len, 2, 400);
    assert_true(text_of_frame(frame, len).len > sizeof list);
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_as_the_reference_has_it),
        cmocka_unit_test(json_is_sent_byte_for_byte),
        cmocka_unit_test(text_becomes_a_string),
        cmocka_unit_test(binary_becomes_base64),
        cmocka_unit_test(the_user_is_decoded_or_left_out),
        cmocka_unit_test(who_is_no_member_is_named_as_he_is),
        cmocka_unit_test(presence_and_system_messages_are_not_carried),
        cmocka_unit_test(a_members_value_is_spliced_in),
        cmocka_unit_test(notices_are_as_the_reference_has_them),
        cmocka_unit_test(bounds_hold_for_random_messages),
        cmocka_unit_test(large_messages_have_longer_heads),
        cmocka_unit_test(long_lists_are_deflated),
    };
    return cmocka_run_group_tests(tests, open_encodings, close_encodings);
}
