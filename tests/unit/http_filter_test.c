/* http_filter_test.c -- which bytes may stand where in a request's head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "gateway/net/http_filter.h"

static const char HEAD[] = "GET /a HTTP/1.1\r\nHost: a\r\nX-Y:\tz \t\r\nEmpty:\r\n\r\n";

static enum http_filter_state run(struct bytes text)
{
    enum http_filter_state state = FILTER_BEFORE;
    for (size_t i = 0; i < text.len; i++)
        state = http_filter(state, (uint8_t)text.data[i]);
    return state;
}

static void a_proper_head_ends_at_its_blank_line_and_not_before(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof HEAD - 1; len++) {
        enum http_filter_state at = run((struct bytes){HEAD, len});
        assert_true(at != FILTER_END && at != FILTER_BAD);
    }
    assert_int_equal(run(BYTES(HEAD)), FILTER_END);
    assert_int_equal(run(BYTES("GET / HTTP/1.1\r\n\r\n")), FILTER_END);
}

static void blank_lines_ahead_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(run(BYTES("\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n")), FILTER_END);
    assert_int_equal(run(BYTES("\r\n\r\n")), FILTER_BEFORE);
}

static void what_smuggling_is_made_of_is_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "\n",                  /* bare LF ahead */
        "\rG",                 /* bare CR ahead */
        " GET / HTTP/1.1\r\n", /* white space ahead */
        "\tGET / HTTP/1.1\r\n",
        "\r\n GET",
        "GET  / HTTP/1.1\r\n", /* two spaces */
        "GET /  HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n",  /* a tab for a space */
        "GET / HTTP/1.1 \r\n",  /* a space at the end */
        "GET / HTTP/1.1\n",     /* bare LF */
        "GET / HTTP/1.1\rHost", /* bare CR */
        "GET / HTTP/1.1\r\r\n",
        "GET / HTTP/1.1\r\nHost: a\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n", /* white space before the first header */
        "GET / HTTP/1.1\r\n\tHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n", /* folded headers */
        "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n", /* white space in a name, or no name, or no colon */
        "GET / HTTP/1.1\r\nHost\t: a\r\n",
        "GET / HTTP/1.1\r\nHo st: a\r\n",
        "GET / HTTP/1.1\r\n: a\r\n",
        "GET / HTTP/1.1\r\nHost\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n", /* a blank line that is none */
        "GET / HTTP/1.1\r\nHost: a\r\n\rx",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        assert_int_equal(run(bytes_of(heads[i])), FILTER_BAD);
}

static void control_characters_are_refused_everywhere(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof HEAD - 1; len++) {
        enum http_filter_state at = run((struct bytes){HEAD, len});
        for (int byte = 0; byte < 256; byte++) {
            bool control = byte == 0x7f || (byte < ' ' && byte != '\r' && byte != '\n' && byte != '\t');
            if (control)
                assert_int_equal(http_filter(at, (uint8_t)byte), FILTER_BAD);
        }
    }
}

static void a_value_may_have_tabs_and_bytes_above_ascii(void **state)
{
    (void)state;
    enum http_filter_state in_value = run(BYTES("GET / HTTP/1.1\r\nX: "));
    assert_int_equal(http_filter(in_value, '\t'), in_value);
    assert_int_equal(http_filter(in_value, ':'), in_value);
    for (int byte = 0x80; byte < 256; byte++)
        assert_int_equal(http_filter(in_value, (uint8_t)byte), in_value);
}

static void a_name_is_a_token_right_up_to_its_colon(void **state)
{
    (void)state;
    static const char tchars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    enum http_filter_state start = run(BYTES("GET / HTTP/1.1\r\n"));
    enum http_filter_state in_name = run(BYTES("GET / HTTP/1.1\r\nHos"));
    for (int byte = 0; byte < 256; byte++) {
        bool is_tchar = byte && strchr(tchars, byte) != NULL;
        assert_int_equal(http_filter(start, (uint8_t)byte) != FILTER_BAD, is_tchar || byte == '\r');
        assert_int_equal(http_filter(in_name, (uint8_t)byte) != FILTER_BAD, is_tchar || byte == ':');
    }
}

static void the_end_is_final_and_so_is_the_refusal(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        assert_int_equal(http_filter(FILTER_BAD, (uint8_t)byte), FILTER_BAD);
        assert_int_equal(http_filter(FILTER_END, (uint8_t)byte), FILTER_BAD); /* it must not be asked again */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proper_head_ends_at_its_blank_line_and_not_before),
        cmocka_unit_test(blank_lines_ahead_are_passed_over),
        cmocka_unit_test(what_smuggling_is_made_of_is_refused),
        cmocka_unit_test(control_characters_are_refused_everywhere),
        cmocka_unit_test(a_value_may_have_tabs_and_bytes_above_ascii),
        cmocka_unit_test(a_name_is_a_token_right_up_to_its_colon),
        cmocka_unit_test(the_end_is_final_and_so_is_the_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
