/* extensions_test.c -- which offers of permessage-deflate are taken, and how they are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/net/extensions.h"

#define PMD       "permessage-deflate"
#define ANSWER    PMD "; server_no_context_takeover; client_no_context_takeover"
#define ANSWER_15 ANSWER "; server_max_window_bits=15"

struct offer_case {
    const char *header, *answer; /* answer: of EXTENSIONS_DEFLATE */
};

static void check(const char *header, enum extensions_result expected, const char *answer)
{
    struct deflate_answer got = {.echo_window = false};
    enum extensions_result result = extensions_negotiate(bytes_of(header), &got);
    if (result != expected)
        print_error("offer: %s\n", header);
    assert_int_equal(result, expected);
    if (answer)
        assert_string_equal(extensions_answer(&got), answer);
}

static void acceptable_offers_are_answered(void **state)
{
    (void)state;
    static const struct offer_case cases[] = {
        {PMD, ANSWER},
        {"  " PMD "\t", ANSWER},
        {PMD "; client_max_window_bits", ANSWER}, /* what browsers say */
        {PMD "; client_max_window_bits=8", ANSWER},
        {PMD "; client_max_window_bits=9", ANSWER},
        {PMD "; client_max_window_bits=15", ANSWER},
        {PMD "; client_max_window_bits=\"10\"", ANSWER},
        {PMD "; server_no_context_takeover", ANSWER},
        {PMD "; client_no_context_takeover", ANSWER},
        {PMD "; server_max_window_bits=15", ANSWER_15},
        {PMD "; server_max_window_bits=\"15\"", ANSWER_15},
        {PMD "; server_max_window_bits=\"\\15\"", ANSWER_15},
        {PMD ";server_max_window_bits=15;client_max_window_bits;server_no_context_takeover;client_no_context_takeover",
         ANSWER_15},
        {PMD " ; client_max_window_bits = 12 ; server_no_context_takeover ", ANSWER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].header, EXTENSIONS_DEFLATE, cases[i].answer);
}

static void every_client_window_from_8_to_15_is_taken_and_no_other(void **state)
{
    (void)state;
    for (int bits = 0; bits <= 160; bits++) {
        char header[64];
        snprintf(header, sizeof header, PMD "; client_max_window_bits=%d", bits);
        check(header, bits >= 8 && bits <= 15 ? EXTENSIONS_DEFLATE : EXTENSIONS_NONE, NULL);
        snprintf(header, sizeof header, PMD "; server_max_window_bits=%d", bits);
        check(header, bits == 15 ? EXTENSIONS_DEFLATE : EXTENSIONS_NONE, NULL);
    }
}

static void offers_that_cannot_be_kept_are_declined(void **state)
{
    (void)state;
    static const char *const headers[] = {
        PMD "; server_max_window_bits", /* wants a value */
        PMD "; server_max_window_bits=08",
        PMD "; server_max_window_bits=015", /* leading zeros */
        PMD "; client_max_window_bits=08",
        PMD "; client_max_window_bits=1",
        PMD "; client_max_window_bits=+9",
        PMD "; client_max_window_bits=99999999999999999999",
        PMD "; client_max_window_bits=\"99999999999999999999\"",
        PMD "; server_max_window_bits=15x",
        PMD "; server_no_context_takeover=1", /* wants none */
        PMD "; client_no_context_takeover=x",
        PMD "; client_no_context_takeover=\"x\"",
        PMD "; server_no_context_takeover; server_no_context_takeover", /* doubled */
        PMD "; client_no_context_takeover; client_no_context_takeover",
        PMD "; client_max_window_bits; client_max_window_bits",
        PMD "; client_max_window_bits=9; client_max_window_bits=9",
        PMD "; server_max_window_bits=15; server_max_window_bits=15",
        PMD "; unknown",
        PMD "; unknown=1",
        PMD "; Client_Max_Window_Bits",
        "Permessage-Deflate", /* names are spelled as registered */
        "permessage-deflated",
        "permessage-defl",
        "x-webkit-deflate-frame",
        "foo; bar=1; baz=\"x\"",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        check(headers[i], EXTENSIONS_NONE, NULL);
}

static void the_first_acceptable_offer_is_taken(void **state)
{
    (void)state;
    static const struct offer_case cases[] = {
        {PMD "; server_max_window_bits=10, " PMD, ANSWER},
        {PMD "; server_max_window_bits=10, " PMD "; server_max_window_bits=15", ANSWER_15},
        {PMD ", " PMD "; server_max_window_bits=15", ANSWER},
        {PMD "; server_max_window_bits=15, " PMD, ANSWER_15},
        {PMD "; server_max_window_bits=15; unknown, " PMD, ANSWER}, /* the declined one leaves no trace */
        {"foo, bar; x=1, " PMD "; client_max_window_bits", ANSWER},
        {PMD ", foo; x=\"y\"", ANSWER},
        {", ," PMD ",,", ANSWER},
        {PMD " , ", ANSWER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].header, EXTENSIONS_DEFLATE, cases[i].answer);
}

static void broken_grammar_is_malformed_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "",
        " ",
        ",",
        " , ,",
        ";",
        "=",
        PMD ";",
        PMD "; ",
        PMD "; ;",
        PMD "; =1",
        PMD "; client_max_window_bits=",
        PMD "; client_max_window_bits=\"\"",
        PMD "; client_max_window_bits=\"9",
        PMD "; client_max_window_bits=\"9\\",
        PMD "; client_max_window_bits=\"1 0\"",
        PMD "; client_max_window_bits=9=9",
        PMD "; client_max_window_bits 9",
        PMD " client_max_window_bits",
        PMD "/1",
        PMD ", foo bar",
        PMD ", foo;",
        "foo; x=\"a,b\", " PMD,
        "(foo), " PMD,
        "\"" PMD "\"",
        PMD "; client_max_window_bits=\"9\"x",
        PMD "\x80",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        check(headers[i], EXTENSIONS_MALFORMED, NULL);
}

static void an_offer_cut_anywhere_is_read_no_further(void **state)
{
    (void)state;
    static const char whole[] = PMD "; server_max_window_bits=15, foo; x=\"y\"";
    for (size_t len = 0; len < sizeof whole; len++) {
        char *copy = xmalloc(len ? len : 1); /* so that a sanitizer sees a step beyond the end */
        memcpy(copy, whole, len);
        struct deflate_answer answer = {.echo_window = false};
        enum extensions_result result = extensions_negotiate((struct bytes){copy, len}, &answer);
        assert_true(result <= EXTENSIONS_MALFORMED);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acceptable_offers_are_answered),
        cmocka_unit_test(every_client_window_from_8_to_15_is_taken_and_no_other),
        cmocka_unit_test(offers_that_cannot_be_kept_are_declined),
        cmocka_unit_test(the_first_acceptable_offer_is_taken),
        cmocka_unit_test(broken_grammar_is_malformed_wherever_it_stands),
        cmocka_unit_test(an_offer_cut_anywhere_is_read_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
