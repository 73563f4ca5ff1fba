/* json_scan_test.c -- what is JSON and what is not, in the manner of the JSON parsing test suites: a table of each; and
 * where the members of an object stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json_scan.h"
#include "common/xalloc.h"

/* clang-format off */
#define TEXT(literal) {literal, sizeof(literal) - 1}
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct bytes good[] = {
    /* scalars alone */
    TEXT("null"), TEXT("true"), TEXT("false"), TEXT("0"), TEXT("-0"), TEXT("\"\""), TEXT(" \n\r\t1\n\r\t "),
    /* numbers */
    TEXT("12"), TEXT("-1"), TEXT("0.5"), TEXT("-0.0"), TEXT("10.01"), TEXT("1e5"), TEXT("1E5"), TEXT("1e+5"),
    TEXT("1e-05"), TEXT("0e0"), TEXT("0.0e000"), TEXT("123.456e78"), TEXT("1e400"), TEXT("-1e-400"),
    TEXT("123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"),
    /* strings */
    TEXT("\"a\""), TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\u0000\""), TEXT("\"\\u00e9\\u00E9\\uABCD\""),
    TEXT("\"\\ud83d\\ude00\""), TEXT("\"\\ud800\""), TEXT("\"\\udc00\\ud800x\""), TEXT("\"\\\\u0000\""),
    TEXT("\"\x7f\""), TEXT("\"\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x98\x80\""), TEXT("\"'/{}[],:\""), TEXT("\"12345678\""),
    TEXT("\"1234567\\\"\""), TEXT("\"12345678\\n12345678\""),
    /* arrays */
    TEXT("[]"), TEXT("[ ]"), TEXT("[1]"), TEXT("[1,2]"), TEXT("[ 1 , 2 ]"), TEXT("[[]]"), TEXT("[[],[]]"),
    TEXT("[[[1]],2,[3,[4]]]"), TEXT("[{}]"), TEXT("[{\"a\":[{}]},[],{}]"), TEXT("[\"a\",null,true,false,-1.5e1]"),
    /* objects */
    TEXT("{}"), TEXT("{ }"), TEXT("{\"a\":1}"), TEXT("{\"\":0}"), TEXT(" { \"a\" : 1 , \"b\" : [ ] } "),
    TEXT("{\"a\":1,\"a\":2}"), TEXT("{\"a\":{\"b\":{\"c\":{}}},\"d\":[{}]}"), TEXT("{\"\\u0061\\n\":\"\"}"),
};

static const struct bytes bad[] = {
    TEXT(""), TEXT(" "), TEXT("\xef\xbb\xbf{}"), TEXT("\0"), TEXT("1\0"), TEXT("\f1"), TEXT("\v1"),
    TEXT("\xc2\xa0" "1"),
    /* words */
    TEXT("nul"), TEXT("nulll"), TEXT("Null"), TEXT("True"), TEXT("tru"), TEXT("fals"), TEXT("undefined"), TEXT("NaN"),
    TEXT("Infinity"), TEXT("-Infinity"), TEXT("a"), TEXT("'a'"), TEXT("true false"), TEXT("nu ll"),
    /* numbers */
    TEXT("-"), TEXT("+1"), TEXT("01"), TEXT("-01"), TEXT("00"), TEXT("1."), TEXT(".5"), TEXT("-.5"), TEXT("1.e5"),
    TEXT("1e"), TEXT("1e+"), TEXT("1E-"), TEXT("1e5.5"), TEXT("1.2.3"), TEXT("0x10"), TEXT("1_000"), TEXT("--1"),
    TEXT("- 1"), TEXT("1 2"), TEXT("1-2"), TEXT("1a"), TEXT("0e"), TEXT("\xef\xbc\x91"), TEXT("1,"), TEXT(",1"),
    /* strings */
    TEXT("\""), TEXT("\"a"), TEXT("a\""), TEXT("\"\"\""), TEXT("\"\\\""), TEXT("\"\\"), TEXT("\"\\a\""),
    TEXT("\"\\'\""), TEXT("\"\\v\""), TEXT("\"\\0\""), TEXT("\"\\x41\""), TEXT("\"\\U0041\""), TEXT("\"\\u\""),
    TEXT("\"\\u004\""), TEXT("\"\\u004"), TEXT("\"\\u004g\""), TEXT("\"\\u 041\""), TEXT("\"\\u-041\""),
    TEXT("\"\\ud83d\\u\""), TEXT("\"\n\""), TEXT("\"\t\""), TEXT("\"\0\""), TEXT("\"\x1f\""), TEXT("\"1234567\n\""),
    TEXT("\"12345678\x01\""), TEXT("\"\\\n\""), TEXT("\"a\" \"b\""), TEXT("\"\\\0\""),
    /* arrays */
    TEXT("["), TEXT("]"), TEXT("[1"), TEXT("[1,"), TEXT("[1,]"), TEXT("[,]"), TEXT("[,1]"), TEXT("[1,,2]"),
    TEXT("[1 2]"), TEXT("[1]]"), TEXT("[[1]"), TEXT("[1}"), TEXT("[\"a\":1]"), TEXT("[1:2]"), TEXT("[1],"),
    TEXT("[] []"), TEXT("[[]"), TEXT("[{]}"), TEXT("[/**/]"), TEXT("[1]//"), TEXT("[\"a\",\n1"), TEXT("[{}"),
    TEXT("[a]"),
    /* objects */
    TEXT("{"), TEXT("}"), TEXT("{\"a\""), TEXT("{\"a\":"), TEXT("{\"a\":1"), TEXT("{\"a\":1,"), TEXT("{\"a\":1,}"),
    TEXT("{,}"), TEXT("{,\"a\":1}"), TEXT("{\"a\"}"), TEXT("{\"a\":}"), TEXT("{\"a\" 1}"), TEXT("{\"a\":1 \"b\":2}"),
    TEXT("{\"a\":1,,\"b\":2}"), TEXT("{\"a\"::1}"), TEXT("{a:1}"), TEXT("{'a':1}"), TEXT("{1:1}"), TEXT("{null:1}"),
    TEXT("{\"a\":1]"), TEXT("{\"a\":1}}"), TEXT("{\"a\":1}x"), TEXT("{\"a\":1},"), TEXT("{} {}"), TEXT("{\"a\":1;}"),
    TEXT("{\"a\":[}"), TEXT("{\"a\":{}"), TEXT("{[]:1}"), TEXT("{\"a\",\"b\"}"), TEXT("{\"a\":1/**/}"),
    TEXT("{\"a\\x\":1}"), TEXT("{\"a\n\":1}"), TEXT("{\"a\":tru}"), TEXT("{\"a\":[1,]}"),
};

/* clang-format on */

struct counting {
    size_t members;
    struct bytes text;
};

static void count_member(void *ctx, struct bytes key, struct bytes value)
{
    struct counting *counting = ctx;
    const char *end = counting->text.data + counting->text.len;
    assert_true(key.data > counting->text.data && key.data[-1] == '"' && key.data[key.len] == '"');
    assert_true(key.data + key.len < value.data && value.data + value.len <= end);
    assert_true(json_valid(value));
    counting->members++;
}

/* A copy of just its size, so that a sanitizer sees each byte that is read behind it. */
static bool valid(struct bytes text)
{
    char *data = text.len ? malloc(text.len) : NULL;
    if (data)
        memcpy(data, text.data, text.len);
    struct counting counting = {0, {data, text.len}};
    bool whole = json_valid(counting.text);
    bool object = json_scan_object(counting.text, count_member, &counting);
    size_t at = 0;
    while (data && at < text.len && memchr(" \n\r\t", data[at], 4))
        at++;
    bool braced = data && at < text.len && data[at] == '{';
    assert_int_equal(object, whole && braced);
    free(data);
    return whole;
}

static void what_is_json_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!valid(good[i]))
            fail_msg("refused: %.*s", (int)good[i].len, good[i].data);
    }
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (valid(bad[i]))
            fail_msg("taken: %.*s", (int)bad[i].len, bad[i].data);
    }
}

/* The same inside of an array and of an object: there the ends of the text do not help. */
static void the_same_holds_inside_of_other_values(void **state)
{
    (void)state;
    char text[256];
    for (size_t i = 0; i < COUNT(good); i++) {
        int len = snprintf(text, sizeof text, "[0,%.*s ]", (int)good[i].len, good[i].data);
        assert_true(valid((struct bytes){text, (size_t)len}));
        len = snprintf(text, sizeof text, "{\"a\":[{}],\"b\":%.*s,\"c\":{\"d\":[%.*s]}}", (int)good[i].len,
                       good[i].data, (int)good[i].len, good[i].data);
        assert_true(valid((struct bytes){text, (size_t)len}));
    }
}

/* Whatever is cut off a valid text leaves none, but for numbers and white space. */
static void a_cut_text_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char last = good[i].data[good[i].len - 1];
        if (last != '}' && last != ']' && last != '"')
            continue;
        for (size_t len = 0; len < good[i].len; len++)
            assert_false(valid((struct bytes){good[i].data, len}));
    }
}

static char *repeat(char *at, const char *text, size_t times)
{
    for (size_t len = strlen(text); times; times--, at += len)
        memcpy(at, text, len);
    return at;
}

static struct bytes nested(const char *open, const char *inner, const char *close, size_t depth)
{
    size_t len = depth * (strlen(open) + strlen(close)) + strlen(inner);
    char *text = xmalloc(len);
    char *at = repeat(text, open, depth);
    at = repeat(at, inner, 1);
    repeat(at, close, depth);
    return (struct bytes){text, len};
}

static void the_depth_is_bounded(void **state)
{
    (void)state;
    static const char *const kinds[][3] = {
        {"[", "", "]"}, {"[1,", "2", "]"}, {"{\"a\":", "{}", "}"}, {"{\"a\":", "1", "}"}, {"[[0],", "[]", "]"}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        size_t inner = strchr("[{", kinds[i][1][0]) && kinds[i][1][0]; /* one level of its own */
        for (size_t depth = JSON_DEPTH_MAX - 3; depth < JSON_DEPTH_MAX + 3; depth++) {
            struct bytes text = nested(kinds[i][0], kinds[i][1], kinds[i][2], depth);
            assert_int_equal(valid(text), depth + inner <= JSON_DEPTH_MAX);
            free((void *)text.data);
        }
    }
    struct bytes bomb = nested("[", "", "", 1000000);
    assert_false(valid(bomb));
    free((void *)bomb.data);
}

/* ---- members */

struct listing {
    char text[512];
    size_t len;
};

static void list_member(void *ctx, struct bytes key, struct bytes value)
{
    struct listing *listing = ctx;
    listing->len += (size_t)snprintf(listing->text + listing->len, sizeof listing->text - listing->len, "<%.*s|%.*s>",
                                     (int)key.len, key.data, (int)value.len, value.data);
}

static void check_members(const char *text, const char *expected)
{
    struct listing listing = {"", 0};
    assert_true(json_scan_object(bytes_of(text), list_member, &listing));
    assert_string_equal(listing.text, expected);
}

static void members_are_told_with_the_places_of_key_and_value(void **state)
{
    (void)state;
    check_members("{}", "");
    check_members(" { } ", "");
    check_members("{\"a\":1}", "<a|1>");
    check_members(" {\n\"a\"\t:\r[1, {\"b\":2} ] ,\"\":\"x\" } ", "<a|[1, {\"b\":2} ]><|\"x\">");
    check_members("{\"a\":1,\"a\":{},\"a\":null}", "<a|1><a|{}><a|null>");
    check_members("{\"\\u0061\\\"}\":\"}\\\"\",\"b\":-1.5e3}", "<\\u0061\\\"}|\"}\\\"\"><b|-1.5e3>");
    check_members("{\"data\":{\"data\":{\"data\":1}},\"x\":[[[]]]}", "<data|{\"data\":{\"data\":1}}><x|[[[]]]>");
}

static void what_is_no_object_has_no_members(void **state)
{
    (void)state;
    static const char *const others[] = {"[]", "1", "\"{}\"", "null", "[{\"a\":1}]", ""};
    for (size_t i = 0; i < COUNT(others); i++) {
        struct listing listing = {"", 0};
        assert_false(json_scan_object(bytes_of(others[i]), list_member, &listing));
        assert_int_equal(listing.len, 0);
    }
}

/* ---- strings */

static void a_string_means_a_word_however_it_is_written(void **state)
{
    (void)state;
    static const struct {
        struct bytes string;
        const char *word;
        bool same;
    } cases[] = {
        {TEXT("data"), "data", true},
        {TEXT("d\\u0061ta"), "data", true},
        {TEXT("\\u0064\\u0061\\u0074\\u0061"), "data", true},
        {TEXT("dat"), "data", false},
        {TEXT("data2"), "data", false},
        {TEXT("Data"), "data", false},
        {TEXT(""), "data", false},
        {TEXT(""), "", true},
        {TEXT("a"), "", false},
        {TEXT("data\\u0000"), "data", false},
        {TEXT("d\\u0161ta"), "data", false},
        {TEXT("\\\\\\/\\\""), "\\/\"", true},
        {TEXT("\\b\\f\\n\\r\\t"), "\b\f\n\r\t", true},
        {TEXT("\\n"), "n", false},
        {TEXT("\\u000A"), "\n", true},
        {TEXT("\\u000a"), "\n", true},
        {TEXT("d\xc3\xa1ta"), "data", false},
        {TEXT("\\u0064ata\\ud800"), "data", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(json_string_is(cases[i].string, cases[i].word), cases[i].same);
}

static void plain_text_ends_at_what_needs_an_escape(void **state)
{
    (void)state;
    char text[40];
    for (int c = 0; c < 256; c++) {
        bool special = c < 0x20 || c == '"' || c == '\\';
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, at % 2 ? 0x7f : 0x20, sizeof text);
            text[at] = (char)c;
            for (size_t len = at; len <= sizeof text; len++)
                assert_int_equal(json_plain_len((struct bytes){text, len}), special ? at : len);
        }
    }
    assert_int_equal(json_plain_len((struct bytes){NULL, 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json_is_taken),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(the_same_holds_inside_of_other_values),
        cmocka_unit_test(a_cut_text_is_refused),
        cmocka_unit_test(the_depth_is_bounded),
        cmocka_unit_test(members_are_told_with_the_places_of_key_and_value),
        cmocka_unit_test(what_is_no_object_has_no_members),
        cmocka_unit_test(a_string_means_a_word_however_it_is_written),
        cmocka_unit_test(plain_text_ends_at_what_needs_an_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
