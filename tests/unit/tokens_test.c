/* tokens_test.c -- reading lists of tokens, and where their grammar ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/net/tokens.h"

static const char TCHARS[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static struct token_reader reader_of(struct bytes text)
{
    return (struct token_reader){text.data, text.data + text.len};
}

static void assert_token(struct token_reader *reader, const char *expected)
{
    struct bytes token;
    assert_true(token_read(reader, &token));
    assert_int_equal(token.len, strlen(expected));
    assert_memory_equal(token.data, expected, token.len);
}

static void every_byte_is_judged_as_the_rfc_says(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool is_tchar = c != 0 && strchr(TCHARS, c) != NULL;
        assert_int_equal(token_char((char)c), is_tchar);
    }
}

static void a_token_ends_at_the_first_other_byte_and_the_space_behind_it_is_skipped(void **state)
{
    (void)state;
    struct token_reader reader = reader_of(BYTES(" \t one\t two;three "));
    struct bytes token;
    assert_token(&reader, "one");
    assert_token(&reader, "two");
    assert_false(token_read(&reader, &token));
    assert_int_equal(token.len, 0);
    assert_false(token_accept(&reader, ','));
    assert_true(token_accept(&reader, ';'));
    assert_false(token_at_end(&reader));
    assert_token(&reader, "three");
    assert_true(token_at_end(&reader));
    assert_false(token_read(&reader, &token));
    assert_false(token_accept(&reader, ';'));
}

static void an_empty_element_is_a_comma_or_the_end(void **state)
{
    (void)state;
    struct token_reader reader = reader_of(BYTES(" , a"));
    assert_true(token_skip_empty(&reader));
    assert_true(token_accept(&reader, ','));
    assert_false(token_skip_empty(&reader));
    assert_token(&reader, "a");
    assert_true(token_skip_empty(&reader));
    reader = reader_of(BYTES(" \t "));
    assert_true(token_skip_empty(&reader));
}

struct value_case {
    const char *text, *value; /* value NULL: refused */
    const char *rest;         /* what is left to read */
};

static void a_value_is_a_token_or_a_quoted_token(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        {"10", "10", ""},           {" \t10 ; x", "10", "; x"},
        {"\"10\"", "10", ""},       {" \"a\" , b", "a", ", b"},
        {"\"a\\b\"", "ab", ""},     {"\"\\1\\5\"", "15", ""},
        {"1234567", "1234567", ""}, {"\"1234567\"", "1234567", ""},
        {"12345678", "", ""}, /* does not fit: read all the same */
        {"\"12345678\"x", "", "x"}, {"\"1234567890\"", "", ""},
        {"", NULL, NULL},           {";", NULL, NULL},
        {"\"\"", NULL, NULL}, /* not a token */
        {"\"a b\"", NULL, NULL},    {"\"a,b\"", NULL, NULL},
        {"\"\\\"\"", NULL, NULL}, /* an escaped quote is no tchar */
        {"\"\\ \"", NULL, NULL},    {"\"abc", NULL, NULL},
        {"\"abc\\", NULL, NULL},    {"\"", NULL, NULL},
        {"\"\\", NULL, NULL},       {"\"a\x80\"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct value_case *c = &cases[i];
        char text[8];
        struct token_reader reader = reader_of(bytes_of(c->text));
        assert_int_equal(token_read_value(&reader, text, sizeof text), c->value != NULL);
        if (!c->value)
            continue;
        assert_string_equal(text, c->value);
        assert_int_equal(reader.end - reader.at, strlen(c->rest));
        assert_memory_equal(reader.at, c->rest, strlen(c->rest));
    }
}

struct list_case {
    const char *list, *token;
    bool found;
};

static void a_list_is_searched_without_regard_to_case(void **state)
{
    (void)state;
    static const struct list_case cases[] = {
        {"upgrade", "upgrade", true},
        {"Upgrade", "upgrade", true},
        {"UPGRADE", "upgrade", true},
        {"keep-alive, Upgrade", "upgrade", true},
        {"keep-alive,\tupgrade ", "upgrade", true},
        {", ,upgrade", "upgrade", true},
        {"upgrade,", "upgrade", true},
        {"upgrade, bad token", "upgrade", true},
        {"", "upgrade", false},
        {" , ", "upgrade", false},
        {"close", "upgrade", false},
        {"upgraded", "upgrade", false},
        {"upgrad", "upgrade", false},
        {"up grade", "upgrade", false},
        {"bad token, upgrade", "upgrade", false}, /* behind broken grammar nothing counts */
        {"\"upgrade\"", "upgrade", false},
        {"a/b, upgrade", "upgrade", false},
        {"a;q=1, upgrade", "upgrade", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(token_list_contains(bytes_of(cases[i].list), bytes_of(cases[i].token)), cases[i].found);
}

static void nothing_behind_the_end_is_looked_at(void **state)
{
    (void)state;
    struct bytes list = {"keep-alive, upgrade", 17};
    assert_false(token_list_contains(list, BYTES("upgrade")));
    assert_true(token_list_contains(list, BYTES("upgra")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_judged_as_the_rfc_says),
        cmocka_unit_test(a_token_ends_at_the_first_other_byte_and_the_space_behind_it_is_skipped),
        cmocka_unit_test(an_empty_element_is_a_comma_or_the_end),
        cmocka_unit_test(a_value_is_a_token_or_a_quoted_token),
        cmocka_unit_test(a_list_is_searched_without_regard_to_case),
        cmocka_unit_test(nothing_behind_the_end_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
