/* upgrade_test.c -- which requests are proper WebSocket handshakes, and how they are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/net/upgrade.h"

#define KEY            "dGhlIHNhbXBsZSBub25jZQ==" /* the sample of RFC 6455, section 1.3 */
#define DEFLATE_ANSWER "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

enum { CONNECTION_LINE, UPGRADE_LINE, VERSION_LINE, KEY_LINE, LINES };

static const char *const PROPER[LINES] = {
    [CONNECTION_LINE] = "Connection: Upgrade\r\n",
    [UPGRADE_LINE] = "Upgrade: websocket\r\n",
    [VERSION_LINE] = "Sec-WebSocket-Version: 13\r\n",
    [KEY_LINE] = "Sec-WebSocket-Key: " KEY "\r\n",
};

static void read_request(struct http_request *request, const char *headers)
{
    static char text[16384];
    int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n", headers);
    http_init(request, sizeof text);
    enum http_result result = http_feed(request, (struct bytes){text, (size_t)len});
    if (result != HTTP_COMPLETE)
        print_error("%s\n", text);
    assert_int_equal(result, HTTP_COMPLETE);
}

static int check(const char *headers, bool compression, struct upgrade *upgrade)
{
    struct http_request request;
    read_request(&request, headers);
    int status = upgrade_check(&request, compression, upgrade);
    http_free(&request);
    return status;
}

/* The status for a proper handshake in which one line is replaced; an empty line leaves it out. */
static int status_with(int line, const char *instead)
{
    char headers[1024] = "Host: a\r\n";
    for (int i = 0; i < LINES; i++)
        strcat(headers, i == line ? instead : PROPER[i]);
    struct upgrade upgrade;
    return check(headers, true, &upgrade);
}

static int status_with_more(const char *more, bool compression, struct upgrade *upgrade)
{
    static char headers[8192];
    snprintf(headers, sizeof headers, "Host: a\r\n%s%s%s%s%s", PROPER[0], PROPER[1], PROPER[2], PROPER[3], more);
    return check(headers, compression, upgrade);
}

static void the_sample_key_gets_the_rfcs_answer(void **state)
{
    (void)state;
    struct upgrade upgrade;
    assert_int_equal(status_with_more("", true, &upgrade), 101);
    assert_string_equal(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(upgrade.deflate);
    char reply[512];
    int len = upgrade_reply(&upgrade, NULL, reply, sizeof reply);
    assert_string_equal(reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    assert_int_equal(len, strlen(reply));
}

static void the_longest_reply_fits_512_bytes(void **state)
{
    (void)state;
    struct upgrade upgrade;
    const char *offer = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n";
    assert_int_equal(status_with_more(offer, true, &upgrade), 101);
    char reply[512];
    int len = upgrade_reply(&upgrade, "plenum.v1", reply, sizeof reply);
    assert_in_range(len, 1, sizeof reply - 1);
    assert_string_equal(reply + len - 4, "\r\n\r\n");
    assert_non_null(strstr(reply, "\r\nSec-WebSocket-Protocol: plenum.v1\r\n"));
    assert_non_null(strstr(reply, "\r\nSec-WebSocket-Extensions: " DEFLATE_ANSWER "; server_max_window_bits=15\r\n"));
}

static void a_missing_header_is_refused(void **state)
{
    (void)state;
    assert_int_equal(status_with(CONNECTION_LINE, ""), 400);
    assert_int_equal(status_with(VERSION_LINE, ""), 400);
    assert_int_equal(status_with(KEY_LINE, ""), 400);
    assert_int_equal(status_with(LINES, ""), 101);
}

static void a_doubled_header_that_may_stand_once_is_refused(void **state)
{
    (void)state;
    assert_int_equal(status_with(VERSION_LINE, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n"), 400);
    assert_int_equal(status_with(VERSION_LINE, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n"), 400);
    assert_int_equal(status_with(KEY_LINE, "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Key: " KEY "\r\n"), 400);
}

static void connection_is_a_list_that_must_have_upgrade(void **state)
{
    (void)state;
    assert_int_equal(status_with(CONNECTION_LINE, "Connection: keep-alive, uPGRADE\r\n"), 101);
    assert_int_equal(status_with(CONNECTION_LINE, "Connection: keep-alive\r\nConnection: upgrade\r\n"), 101);
    assert_int_equal(status_with(CONNECTION_LINE, "connection:,upgrade,\r\n"), 101);
    assert_int_equal(status_with(CONNECTION_LINE, "Connection: close\r\n"), 400);
    assert_int_equal(status_with(CONNECTION_LINE, "Connection:\r\n"), 400);
    assert_int_equal(status_with(CONNECTION_LINE, "Connection: upgraded\r\n"), 400);
}

static void another_version_is_told_which_is_spoken(void **state)
{
    (void)state;
    static const char *const versions[] = {"8", "12", "14", "0", "013", "13, 8", "8, 13", "13;", "", "x", "130"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char line[64];
        snprintf(line, sizeof line, "Sec-WebSocket-Version: %s\r\n", versions[i]);
        assert_int_equal(status_with(VERSION_LINE, line), 426);
    }
}

static void a_key_is_the_base64_of_16_bytes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ", /* no padding */
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQ=A",
        "dGhlIHNhbXBsZSBub25jZR==", /* bits to spare that are not 0 */
        "dGhlIHNhbXBsZSBub25j=Q==",
        "dGhlIHNhbXBsZSBub25jZ_==", /* the other alphabet */
        "dGhlIHNhbXBsZ-Bub25jZQ==",
        "dGhlIHNhbXBsZ Bub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "\"dGhlIHNhbXBsZSBub25jZQ\"",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    };
    static const char *const good[] = {KEY, "AAAAAAAAAAAAAAAAAAAAAA==", "++++++++++++++++++++/A==",
                                       "0123456789abcdefghijkg==", "zzzzzzzzzzzzzzzzzzzzzw=="};
    char line[128];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "Sec-WebSocket-Key: %s\r\n", bad[i]);
        assert_int_equal(status_with(KEY_LINE, line), 400);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(line, sizeof line, "Sec-WebSocket-Key: \t %s \r\n", good[i]);
        assert_int_equal(status_with(KEY_LINE, line), 101);
    }
}

static void the_version_is_judged_before_the_key(void **state)
{
    (void)state;
    struct upgrade upgrade; /* so that an old client learns what it can do */
    const char *old = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n";
    assert_int_equal(check(old, true, &upgrade), 426);
}

/* ---- lists */

static void subprotocols_are_a_list_of_tokens(void **state)
{
    (void)state;
    static const char *const good[] = {"chat", "chat, superchat", "chat\r\nSec-WebSocket-Protocol: superchat", "a,,b",
                                       " ,a, "};
    static const char *const bad[] = {"",      ",",    "a b",   "a/b",
                                      "\"a\"", "a; b", "a,(b)", "a\r\nSec-WebSocket-Protocol: b/"};
    struct upgrade upgrade;
    char line[256];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(line, sizeof line, "Sec-WebSocket-Protocol: %s\r\n", good[i]);
        assert_int_equal(status_with_more(line, true, &upgrade), 101);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "Sec-WebSocket-Protocol: %s\r\n", bad[i]);
        assert_int_equal(status_with_more(line, true, &upgrade), 400);
    }
}

static void compression_is_taken_when_it_is_offered_and_on(void **state)
{
    (void)state;
    struct upgrade upgrade;
    const char *offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    assert_int_equal(status_with_more(offer, true, &upgrade), 101);
    assert_true(upgrade.deflate);
    char reply[512];
    upgrade_reply(&upgrade, NULL, reply, sizeof reply);
    assert_non_null(strstr(reply, "\r\nSec-WebSocket-Extensions: " DEFLATE_ANSWER "\r\n"));
    assert_int_equal(status_with_more(offer, false, &upgrade), 101);
    assert_false(upgrade.deflate);
    upgrade_reply(&upgrade, NULL, reply, sizeof reply);
    assert_null(strstr(reply, "Extensions"));
}

static void several_extension_headers_are_one_list(void **state)
{
    (void)state;
    struct upgrade upgrade;
    assert_int_equal(status_with_more("Sec-WebSocket-Extensions: foo; a=\"b\"\r\n"
                                      "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n",
                                      true, &upgrade),
                     101);
    assert_true(upgrade.deflate && upgrade.answer.echo_window);
}

static void broken_extensions_are_refused_even_without_compression(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ";", "permessage-deflate;", "a b", "foo; x=\"a b\""};
    struct upgrade upgrade;
    char line[256];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "Sec-WebSocket-Extensions: %s\r\n", bad[i]);
        assert_int_equal(status_with_more(line, true, &upgrade), 400);
        assert_int_equal(status_with_more(line, false, &upgrade), 400);
    }
}

static void lists_too_long_to_be_joined_are_431(void **state)
{
    (void)state;
    static const char *const names[] = {"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"};
    struct upgrade upgrade;
    for (int i = 0; i < 2; i++) {
        static char line[6000];
        snprintf(line, sizeof line, "%s: %0*d\r\n", names[i], 5000, 0);
        assert_int_equal(status_with_more(line, true, &upgrade), 431);
    }
}

/* ---- what else is asked of a request */

static void a_websocket_is_wanted_where_upgrade_names_it(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        bool wanted;
    } cases[] = {
        {"Upgrade: websocket\r\n", true},
        {"UPGRADE: WebSocket\r\n", true},
        {"Upgrade: h2c, websocket\r\n", true},
        {"Upgrade: h2c\r\nUpgrade: websocket\r\n", true},
        {"Upgrade: websocket\r\nConnection: close\r\n", true},
        {"", false},
        {"Upgrade:\r\n", false},
        {"Upgrade: h2c\r\n", false},
        {"Upgrade: websockets\r\n", false},
        {"Upgrade: websocket/13\r\n", true}, /* then nothing else is served: the refusal explains itself */
        {"Connection: websocket\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request request;
        read_request(&request, cases[i].headers);
        assert_int_equal(upgrade_wanted(&request), cases[i].wanted);
        http_free(&request);
    }
}

static void a_request_has_one_well_formed_host(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Host: a\r\n", 0},         {"host:example.org:8000\r\n", 0}, {"Host: [::1]:8000\r\n", 0},
        {"Host: 127.0.0.1\r\n", 0}, {"Host: a_b-c.example\r\n", 0},   {"Host: a:\r\n", 0},
        {"Host: [::1]\r\n", 0},     {"Host: [::1\r\n", 400},          {"Host: []\r\n", 400},
        {"Host: [::1]x\r\n", 400},  {"Host: [a/b]\r\n", 400},         {"Host: ::1\r\n", 400},
        {"Host: :80\r\n", 400},     {"Host: a:80x\r\n", 400},         {"Host: a:80:90\r\n", 400},
        {"Host: a]\r\n", 400},      {"Accept: */*\r\n", 400},         {"Host:\r\n", 400},
        {"Host: \t\r\n", 400},      {"Host: a\r\nHost: a\r\n", 400},  {"Host: a\r\nHOST: b\r\n", 400},
        {"Host: a b\r\n", 400},     {"Host: a/b\r\n", 400},           {"Host: u@a\r\n", 400},
        {"Host: a?b\r\n", 400},     {"Host: a#b\r\n", 400},           {"Host: \"a\"\r\n", 400},
        {"Host: <a>\r\n", 400},     {"Host: a\\b\r\n", 400},          {"Host: \xc3\xa4\r\n", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request request;
        read_request(&request, cases[i].headers);
        int status = request_check(&request);
        if (status != cases[i].status)
            print_error("%s", cases[i].headers);
        assert_int_equal(status, cases[i].status);
        http_free(&request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_key_gets_the_rfcs_answer),
        cmocka_unit_test(the_longest_reply_fits_512_bytes),
        cmocka_unit_test(a_missing_header_is_refused),
        cmocka_unit_test(a_doubled_header_that_may_stand_once_is_refused),
        cmocka_unit_test(connection_is_a_list_that_must_have_upgrade),
        cmocka_unit_test(another_version_is_told_which_is_spoken),
        cmocka_unit_test(a_key_is_the_base64_of_16_bytes),
        cmocka_unit_test(the_version_is_judged_before_the_key),
        cmocka_unit_test(subprotocols_are_a_list_of_tokens),
        cmocka_unit_test(compression_is_taken_when_it_is_offered_and_on),
        cmocka_unit_test(several_extension_headers_are_one_list),
        cmocka_unit_test(broken_extensions_are_refused_even_without_compression),
        cmocka_unit_test(lists_too_long_to_be_joined_are_431),
        cmocka_unit_test(a_websocket_is_wanted_where_upgrade_names_it),
        cmocka_unit_test(a_request_has_one_well_formed_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
