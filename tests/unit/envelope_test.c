/* envelope_test.c -- the header on the bus: what is written is read back, and what is broken is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "common/envelope.h"

static void assert_bytes(struct bytes actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.len);
}

static void a_header_is_readable_by_people(void **state)
{
    (void)state;
    char out[ENVELOPE_HEADER_MAX + 1];
    struct envelope envelope = {
        .seq = 0, .kind = ENVELOPE_TEXT, .member = 0x0a1b2c3d00000007, .time_ms = 1700000000123};
    size_t len = envelope_encode_header(out, &envelope);
    out[len] = '\0';
    assert_string_equal(out, "p1 0 - t - 0a1b2c3d00000007 1700000000123 ");

    envelope = (struct envelope){.seq = UINT64_MAX,
                                 .epoch = BYTES("e1"),
                                 .kind = ENVELOPE_JSON,
                                 .key = BYTES("key-1"),
                                 .from = BYTES("00000000000000ff/ann%20x"),
                                 .member = 255};
    len = envelope_encode_header(out, &envelope);
    out[len] = '\0';
    assert_string_equal(out, "p1 18446744073709551615 e1 d key-1 00000000000000ff/ann%20x 0 ");
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    const enum envelope_kind kinds[] = {ENVELOPE_TEXT, ENVELOPE_BINARY, ENVELOPE_JSON, ENVELOPE_PRESENCE,
                                        ENVELOPE_SYSTEM};
    for (size_t i = 0; i < 5; i++) {
        struct envelope in = {.seq = 42 * i,
                              .epoch = i % 2 ? BYTES("0123456789abcdef0123456789abcdef") : BYTES(""),
                              .kind = kinds[i],
                              .key = i % 3 ? BYTES("k") : BYTES(""),
                              .from = i == 4 ? BYTES("service") : BYTES(""),
                              .member = i == 4 ? 0 : 0xfedcba9876543210,
                              .time_ms = INT64_MAX};
        char message[ENVELOPE_HEADER_MAX + 16];
        size_t len = envelope_encode_header(message, &in);
        memcpy(message + len, "pay  load ", 10);
        struct envelope out;
        assert_int_equal(envelope_decode((struct bytes){message, len + 10}, &out), ENVELOPE_OK);
        assert_int_equal(out.seq, in.seq);
        assert_true(bytes_equal(out.epoch, in.epoch));
        assert_int_equal(out.kind, in.kind);
        assert_true(bytes_equal(out.key, in.key));
        assert_int_equal(out.member, in.member);
        assert_int_equal(out.time_ms, in.time_ms);
        assert_bytes(out.payload, "pay  load ");
        assert_bytes(out.from, i == 4 ? "service" : "fedcba9876543210");
        assert_ptr_equal(out.payload.data, message + len); /* in place */
    }
}

static void the_longest_header_fits(void **state)
{
    (void)state;
    char text[256];
    memset(text, 'x', sizeof text);
    struct envelope envelope = {.seq = UINT64_MAX,
                                .epoch = {text, 32},
                                .kind = ENVELOPE_BINARY,
                                .key = {text, 64},
                                .from = {text, 17 + 192},
                                .member = 1,
                                .time_ms = INT64_MAX};
    char out[ENVELOPE_HEADER_MAX];
    assert_true(envelope_encode_header(out, &envelope) <= ENVELOPE_HEADER_MAX);
}

static void a_tail_is_a_header_without_its_front(void **state)
{
    (void)state;
    struct envelope envelope = {.kind = ENVELOPE_JSON, .key = BYTES("k-1"), .member = 0xabc, .time_ms = 12};
    char header[ENVELOPE_HEADER_MAX], tail[ENVELOPE_HEADER_MAX];
    size_t header_len = envelope_encode_header(header, &envelope);
    size_t tail_len = envelope_encode_tail(tail, &envelope);
    size_t front = strlen("p1 0 - ");
    assert_int_equal(tail_len, header_len - front);
    assert_memory_equal(tail, header + front, tail_len);
}

static void an_admins_plain_publish_is_text(void **state)
{
    (void)state;
    const char *plain[] = {"restart in 5 min",  "", "p", "p1", "p1x ", "px 1", "p ", "P1 0 - t - - 0 x", "{\"a\":1}",
                           "gr\xc3\xbc\xc3\x9f"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct envelope out;
        assert_int_equal(envelope_decode(bytes_of(plain[i]), &out), ENVELOPE_OK);
        assert_int_equal(out.kind, ENVELOPE_TEXT);
        assert_bytes(out.from, "admin");
        assert_bytes(out.payload, plain[i]);
        assert_int_equal(out.seq, 0);
        assert_int_equal(out.member, 0);
        assert_int_equal(out.time_ms, 0);
    }
}

static void an_admins_bytes_that_are_no_utf8_are_binary(void **state)
{
    (void)state;
    struct envelope out;
    assert_int_equal(envelope_decode(BYTES("caf\xe9"), &out), ENVELOPE_OK);
    assert_int_equal(out.kind, ENVELOPE_BINARY);
}

static void text_that_is_no_utf8_comes_back_as_binary(void **state)
{
    (void)state;
    struct envelope out;
    assert_int_equal(envelope_decode(BYTES("p1 0 - t - - 0 \xff"), &out), ENVELOPE_OK);
    assert_int_equal(out.kind, ENVELOPE_BINARY);
    assert_int_equal(envelope_decode(BYTES("p1 0 - d - - 0 \"\xff\""), &out), ENVELOPE_OK);
    assert_int_equal(out.kind, ENVELOPE_BINARY);
    assert_int_equal(envelope_decode(BYTES("p1 0 - p - - 0 \xff"), &out), ENVELOPE_OK);
    assert_int_equal(out.kind, ENVELOPE_PRESENCE);
}

static void other_versions_are_unknown(void **state)
{
    (void)state;
    const char *others[] = {"p2 0 - t - - 0 x", "p0 ", "p10 x", "p01 0 - t - - 0 x", "p99999999999999999999999 x"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct envelope out;
        assert_int_equal(envelope_decode(bytes_of(others[i]), &out), ENVELOPE_UNKNOWN_VERSION);
    }
}

static void a_broken_header_is_malformed(void **state)
{
    (void)state;
    const char *broken[] = {
        "p1 ",
        "p1 0",
        "p1 0 - t - - 0", /* no space behind the time */
        "p1 0 - t - -",
        "p1  - t - - 0 x", /* an empty field */
        "p1 0  t - - 0 x",
        "p1 0 -  - - 0 x",
        "p1 0 - t  - 0 x",
        "p1 0 - t -  0 x",
        "p1 0 - t - -  x",
        "p1 -1 - t - - 0 x",
        "p1 +1 - t - - 0 x",
        "p1 1a - t - - 0 x",
        "p1 18446744073709551616 - t - - 0 x", /* overflow */
        "p1 99999999999999999999 - t - - 0 x",
        "p1 0 - x - - 0 x", /* no such kind */
        "p1 0 - tt - - 0 x",
        "p1 0 - T - - 0 x",
        "p1 0 - t - - -1 x",
        "p1 0 - t - - 9223372036854775808 x",
        "p1 0 - t - - now x",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct envelope out;
        assert_int_equal(envelope_decode(bytes_of(broken[i]), &out), ENVELOPE_MALFORMED);
    }
    struct envelope out;
    assert_int_equal(envelope_decode((struct bytes){"p1 0 - \0 - - 0 x", 16}, &out), ENVELOPE_MALFORMED);
}

static void the_member_is_sixteen_hex_digits_of_from(void **state)
{
    (void)state;
    const struct {
        const char *from;
        uint64_t member;
    } cases[] = {
        {"0a1b2c3d00000001", 0x0a1b2c3d00000001},
        {"ffffffffffffffff/ann", UINT64_MAX},
        {"0a1b2c3d0000001", 0},
        {"0a1b2c3d000000012", 0},
        {"0A1B2C3D00000001", 0},
        {"0a1b2c3d0000000x", 0},
        {"admin", 0},
        {"-", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[128];
        snprintf(message, sizeof message, "p1 5 - b - %s 1 x", cases[i].from);
        struct envelope out;
        assert_int_equal(envelope_decode(bytes_of(message), &out), ENVELOPE_OK);
        assert_int_equal(out.member, cases[i].member);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_readable_by_people),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(the_longest_header_fits),
        cmocka_unit_test(a_tail_is_a_header_without_its_front),
        cmocka_unit_test(an_admins_plain_publish_is_text),
        cmocka_unit_test(an_admins_bytes_that_are_no_utf8_are_binary),
        cmocka_unit_test(text_that_is_no_utf8_comes_back_as_binary),
        cmocka_unit_test(other_versions_are_unknown),
        cmocka_unit_test(a_broken_header_is_malformed),
        cmocka_unit_test(the_member_is_sixteen_hex_digits_of_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
