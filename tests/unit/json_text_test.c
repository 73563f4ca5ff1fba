/* json_text_test.c -- JSON put together by hand: the text that comes out, and that every string survives a parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdlib.h>

#include "common/json_scan.h"
#include "common/json_text.h"
#include "common/xalloc.h"

static void check_text(struct json_text *text, const char *expected)
{
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->data, expected, text->len);
    json_text_free(text);
    assert_null(text->data);
    assert_int_equal(json_text_bytes(text).len, 0);
}

static void pieces_make_a_text(void **state)
{
    (void)state;
    struct json_text text = {0};
    json_literal(&text, "{\"a\":");
    json_string(&text, BYTES("b \"c\""));
    json_raw(&text, BYTES(",\"d\":[]"));
    json_raw(&text, (struct bytes){NULL, 0});
    json_literal(&text, "");
    json_literal(&text, ",\"e\":");
    json_uint(&text, 17);
    json_literal(&text, "}");
    check_text(&text, "{\"a\":\"b \\\"c\\\"\",\"d\":[],\"e\":17}");
}

static void numbers_are_decimal(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {
        {0, "0"}, {9, "9"}, {10, "10"}, {1700000000000, "1700000000000"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_text text = {0};
        json_uint(&text, cases[i].number);
        check_text(&text, cases[i].text);
    }
}

static void ids_are_hex_digits_of_full_length(void **state)
{
    (void)state;
    struct json_text text = {0};
    json_member(&text, 0x0a1b2c3d00000001);
    json_member(&text, 0);
    json_member(&text, UINT64_MAX);
    check_text(&text, "\"0a1b2c3d00000001\"\"0000000000000000\"\"ffffffffffffffff\"");
    json_gateway(&text, 0x0a1b2c3d);
    json_gateway(&text, UINT32_MAX);
    check_text(&text, "\"0a1b2c3d\"\"ffffffff\"");
}

static void only_what_must_be_is_escaped(void **state)
{
    (void)state;
    struct json_text text = {0};
    json_string(&text, BYTES("\"\\\b\f\n\r\t/\x01\x0b\x1f\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"));
    check_text(&text, "\"\\\"\\\\\\b\\f\\n\\r\\t/\\u0001\\u000b\\u001f\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"");
    json_string(&text, (struct bytes){"a\0b", 3});
    check_text(&text, "\"a\\u0000b\"");
    json_string(&text, (struct bytes){NULL, 0});
    check_text(&text, "\"\"");
}

/* Escapes into exactly the bound, and compares with what a parser reads. No NUL: cJSON ends a string there. */
static void check_escape(struct bytes string)
{
    size_t bound = json_escaped_bound(string);
    char *out = xmalloc(bound);
    size_t len = json_escape(string, out + 1);
    assert_int_equal(len + 2, bound);
    out[0] = out[len + 1] = '"';
    assert_true(json_valid((struct bytes){out, bound}));
    cJSON *read = cJSON_ParseWithLength(out, bound);
    assert_non_null(read);
    assert_true(bytes_equal(bytes_of(read->valuestring), string));
    cJSON_Delete(read);
    free(out);
}

static void every_string_is_read_back(void **state)
{
    (void)state;
    static const char letters[] = "\"\\\n\t\x01 abcdefghijklmnopqrstuvwxyz/0123456789";
    char string[64];
    uint32_t noise = 7;
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)round % sizeof string;
        uint32_t range = round % 3 ? sizeof letters - 1 : 6; /* some with hardly anything plain */
        for (size_t i = 0; i < len; i++) {
            noise = noise * 1664525 + 1013904223;
            string[i] = letters[(noise >> 8) % range];
        }
        check_escape((struct bytes){string, len});
    }
}

static void a_text_grows_as_it_must(void **state)
{
    (void)state;
    struct json_text text = {0};
    size_t len = 0;
    for (size_t i = 0; i < 2000; i++) {
        json_uint(&text, i % 10);
        len++;
    }
    char *large = xmalloc(100000);
    memset(large, '\n', 100000);
    json_string(&text, (struct bytes){large, 100000});
    len += 200002;
    assert_int_equal(text.len, len);
    assert_true(text.cap >= text.len);
    assert_memory_equal(text.data, "0123456789012", 13);
    assert_memory_equal(text.data + 1997, "789\"\\n\\n", 8);
    assert_memory_equal(text.data + len - 5, "\\n\\n\"", 5);
    free(large);
    json_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_a_text),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(ids_are_hex_digits_of_full_length),
        cmocka_unit_test(only_what_must_be_is_escaped),
        cmocka_unit_test(every_string_is_read_back),
        cmocka_unit_test(a_text_grows_as_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
