/* http_test.c -- reading a request's head: what is taken, what is refused with which status, and that neither depends
 * on how the network has cut it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/net/http.h"

enum { MAX_HEAD = 8192, RANDOM_SPLITS = 40 };

/* How a text is cut. */
enum cut { WHOLE, BYTE_BY_BYTE, RANDOM };

static uint32_t noise = 1;

static size_t piece_of(enum cut cut, size_t left)
{
    if (cut == WHOLE)
        return left;
    noise = noise * 1664525 + 1013904223;
    size_t size = cut == BYTE_BY_BYTE ? 1 : 1 + (noise >> 16) % 24;
    return size < left ? size : left;
}

/* Feeds up to the end or the first result that is not HTTP_MORE; each piece is a copy of exactly its size. */
static enum http_result feed(struct http_request *request, struct bytes text, enum cut cut)
{
    enum http_result result = HTTP_MORE;
    while (text.len && result == HTTP_MORE) {
        size_t size = piece_of(cut, text.len);
        char *piece = xmalloc(size);
        memcpy(piece, text.data, size);
        result = http_feed(request, (struct bytes){piece, size});
        free(piece);
        text.data += size;
        text.len -= size;
    }
    return result;
}

static void assert_bytes(struct bytes got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
}

/* Calls check for the text cut in every way. */
static void in_every_cut(struct bytes text, void (*check)(struct bytes text, enum cut cut, const void *expected),
                         const void *expected)
{
    check(text, WHOLE, expected);
    check(text, BYTE_BY_BYTE, expected);
    for (int i = 0; i < RANDOM_SPLITS; i++)
        check(text, RANDOM, expected);
}

/* ---- what is taken */

static void check_taken(struct bytes text, enum cut cut, const void *expected)
{
    struct http_request request;
    http_init(&request, MAX_HEAD);
    enum http_result result = feed(&request, text, cut);
    if (result != HTTP_COMPLETE)
        print_error("not taken: %.*s\n", (int)text.len, text.data);
    assert_int_equal(result, HTTP_COMPLETE);
    assert_bytes(http_target(&request), expected);
    assert_int_equal(http_rest(&request).len, 0);
    http_free(&request);
}

static void assert_taken(const char *text, const char *target)
{
    in_every_cut(bytes_of(text), check_taken, target);
}

static void proper_requests_are_taken(void **state)
{
    (void)state;
    assert_taken("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/");
    assert_taken("GET /rooms/a%2Db?echo=1&x HTTP/1.1\r\nHost: a\r\n\r\n", "/rooms/a%2Db?echo=1&x");
    assert_taken("HEAD /page.js HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n", "/page.js");
    assert_taken("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "/");
    assert_taken("GET / HTTP/1.1\r\n\r\n", "/"); /* whether there is a Host is upgrade.h's to ask */
    assert_taken("GET / HTTP/1.1\r\nEmpty:\r\nBlank: \t \r\nHost: a\r\n\r\n", "/");
    assert_taken("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "/");
    assert_taken("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", "/x");
    assert_taken("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*");
    assert_taken("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "a:443");
    assert_taken("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "/");
    assert_taken("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close, keep-alive\r\n\r\n", "/");
    assert_taken("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "/");
    assert_taken("GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9 \xff\r\n\r\n", "/");
}

static void an_absolute_target_is_read_in_its_origin_form(void **state)
{
    (void)state;
    assert_taken("GET http://example.org/rooms/a?echo=1 HTTP/1.1\r\nHost: a\r\n\r\n", "/rooms/a?echo=1");
    assert_taken("GET https://example.org:8443/ HTTP/1.1\r\nHost: a\r\n\r\n", "/");
    assert_taken("GET http://example.org HTTP/1.1\r\nHost: a\r\n\r\n", "/");
    assert_taken("GET http://a/b://c/d HTTP/1.1\r\nHost: a\r\n\r\n", "/b://c/d");
    assert_taken("GET /a://b/c HTTP/1.1\r\nHost: a\r\n\r\n", "/a://b/c");
}

static void the_method_is_told(void **state)
{
    (void)state;
    struct http_request request;
    http_init(&request, MAX_HEAD);
    assert_int_equal(feed(&request, BYTES("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), RANDOM), HTTP_COMPLETE);
    assert_int_equal(http_method(&request), HTTP_HEAD);
    http_free(&request);
}

/* ---- headers */

static void check_headers(struct bytes text, enum cut cut, const void *expected)
{
    (void)expected;
    struct http_request request;
    struct bytes value;
    char list[32];
    http_init(&request, MAX_HEAD);
    assert_int_equal(feed(&request, text, cut), HTTP_COMPLETE);
    assert_int_equal(http_header(&request, "host", &value), 1);
    assert_bytes(value, "example.org");
    assert_int_equal(http_header(&request, "X-LIST", &value), 4);
    assert_bytes(value, "a b");
    assert_int_equal(http_header(&request, "x-lis", &value), 0);
    assert_bytes(value, "");
    assert_int_equal(http_header(&request, "x-list2", &value), 1);
    assert_int_equal(http_header(&request, "empty", &value), 1);
    assert_bytes(value, "");
    int len = http_header_list(&request, "x-list", list, sizeof list);
    assert_bytes((struct bytes){list, (size_t)len}, "a b, c, , d\t e");
    assert_int_equal(http_header_list(&request, "none", list, sizeof list), 0);
    assert_int_equal(http_header_list(&request, "host", list, 10), -1);
    http_free(&request);
}

static void headers_are_found_by_name_and_joined(void **state)
{
    (void)state;
    in_every_cut(BYTES("GET / HTTP/1.1\r\nX-List: a b \r\nhOsT:example.org\r\nx-list:c\t\r\nEmpty:\r\nX-LIST:\r\n"
                       "X-List2: no\r\nx-List: \t d\t e\r\n\r\n"),
                 check_headers, NULL);
}

static void a_list_never_writes_beyond_its_buffer(void **state)
{
    (void)state;
    struct http_request request;
    http_init(&request, MAX_HEAD);
    assert_int_equal(feed(&request, BYTES("GET / HTTP/1.1\r\nA: 12345\r\nA: 678\r\n\r\n"), WHOLE), HTTP_COMPLETE);
    for (size_t size = 0; size < 16; size++) {
        char *out = xmalloc(size ? size : 1);
        int len = http_header_list(&request, "a", out, size);
        assert_true(len == -1 || (len == 10 && size >= 10));
        free(out);
    }
    char out[16];
    assert_int_equal(http_header_list(&request, "a", out, sizeof out), 10);
    assert_memory_equal(out, "12345, 678", 10);
    http_free(&request);
}

/* ---- what is refused */

static void check_refused(struct bytes text, enum cut cut, const void *expected)
{
    struct http_request request;
    http_init(&request, MAX_HEAD);
    enum http_result result = feed(&request, text, cut);
    if (result != HTTP_REFUSED || request.status != *(const int *)expected)
        print_error("result %d, status %d: %.*s\n", result, request.status, (int)(text.len < 200 ? text.len : 200),
                    text.data);
    assert_int_equal(result, HTTP_REFUSED);
    assert_int_equal(request.status, *(const int *)expected);
    http_free(&request);
}

static void assert_refused(const char *text, int status)
{
    in_every_cut(bytes_of(text), check_refused, &status);
}

#define LINE "GET / HTTP/1.1\r\n"
#define END  "\r\n\r\n"

static void what_is_no_http_is_400(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x16\x03\x01\x02",              /* a TLS greeting */
        "FOO / HTTP/1.1\r\nHost: a" END, /* no method */
        "get / HTTP/1.1\r\nHost: a" END,
        "GET\r\n",
        "GET / http/1.1\r\nHost: a" END,
        "GET / HTCPCP/1.0\r\nHost: a" END,
        "GET a:443 HTTP/1.1\r\nHost: a" END,
        "GET rooms/a HTTP/1.1\r\nHost: a" END,
        "GET  / HTTP/1.1\r\nHost: a" END,
        LINE "Host" END, /* no colon */
        LINE "Host: a\r\n: b" END,
        LINE "Host: a\r\nX\xff: b" END,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], 400);
}

static void smuggling_shapes_are_400(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "GET / HTTP/1.1\nHost: a\n\n",
        LINE "Host: a\n\n",
        LINE "Host: a\rX: b" END,
        LINE "Host: a\r\n b" END, /* folded */
        LINE " Host: a" END,
        LINE "Host : a" END, /* white space before the colon */
        LINE "Host: a\r\nContent-Length : 4" END,
        LINE "Host: a\r\nTransfer-Encoding\t: chunked" END,
        LINE "Host: a\r\nContent Length: 4" END,
        LINE "Host: a\r\nContent-Length: 4\r\nContent-Length: 4" END, /* doubled, even when alike */
        LINE "Host: a\r\nContent-Length: 4\r\nContent-Length: 5" END,
        LINE "Host: a\r\nContent-Length: 4, 4" END,
        LINE "Host: a\r\nContent-Length: +4" END,
        LINE "Host: a\r\nContent-Length: -4" END,
        LINE "Host: a\r\nContent-Length: 4a" END,
        LINE "Host: a\r\nContent-Length: 0x4" END,
        LINE "Host: a\r\nContent-Length: 4 4" END,
        LINE "Host: a\r\nContent-Length:" END,
        LINE "Host: a\r\nContent-Length: 18446744073709551616" END,
        LINE "Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked" END,
        LINE "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4" END,
        LINE "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0" END,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], 400);
    static const char zero[] = LINE "Host: a\0b" END;
    int status = 400;
    in_every_cut(BYTES(zero), check_refused, &status);
}

static void a_request_with_a_body_is_413(void **state)
{
    (void)state;
    assert_refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5" END, 413);
    assert_refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615" END, 413);
    assert_refused(LINE "Host: a\r\nContent-Length: 1" END, 413);
    assert_refused(LINE "Host: a\r\nTransfer-Encoding: chunked" END, 413);
    assert_refused(LINE "Host: a\r\nTransfer-Encoding: identity" END, 413);
    assert_refused(LINE "Host: a\r\nTransfer-Encoding:" END, 413);
    assert_refused(LINE "Host: a\r\nTRANSFER-encoding: xchunked" END, 413);
    assert_refused(LINE "Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 5" END, 413);
}

static void another_version_of_http_is_505(void **state)
{
    (void)state;
    static const char *const versions[] = {"HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/3.0",
                                           "HTTP/1.2", "HTTP/9.9", "HTTP/11",  "HTTP/1.10"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char text[64];
        snprintf(text, sizeof text, "GET / %s\r\nHost: a" END, versions[i]);
        assert_refused(text, 505);
    }
}

/* A request whose target has so many bytes. */
static struct bytes long_target(char *text, size_t size, size_t len)
{
    int n = snprintf(text, size, "GET /%0*d HTTP/1.1\r\nHost: a" END, (int)len - 1, 0);
    return (struct bytes){text, (size_t)n};
}

static void a_target_above_4096_bytes_is_414(void **state)
{
    (void)state;
    static char text[MAX_HEAD];
    int status = 414;
    char target[HTTP_TARGET_MAX + 1] = "/";
    memset(target + 1, '0', HTTP_TARGET_MAX - 1);
    in_every_cut(long_target(text, sizeof text, HTTP_TARGET_MAX), check_taken, target);
    in_every_cut(long_target(text, sizeof text, HTTP_TARGET_MAX + 1), check_refused, &status);
    in_every_cut(long_target(text, sizeof text, HTTP_TARGET_MAX + 2000), check_refused, &status);
}

/* A head of so many bytes in all, its blank line included. */
static struct bytes long_head(char *text, size_t size, size_t len)
{
    static const char frame[] = LINE "Host: a\r\nX: " END;
    int n = snprintf(text, size, LINE "Host: a\r\nX: %0*d" END, (int)(len - (sizeof frame - 1)), 0);
    assert_int_equal(n, len);
    return (struct bytes){text, len};
}

static void a_head_above_its_limit_is_431(void **state)
{
    (void)state;
    static char text[2 * MAX_HEAD];
    int status = 431;
    in_every_cut(long_head(text, sizeof text, MAX_HEAD), check_taken, "/");
    in_every_cut(long_head(text, sizeof text, MAX_HEAD + 1), check_refused, &status);
    in_every_cut((struct bytes){text, MAX_HEAD + 1}, check_refused, &status); /* before its end */
    struct bytes blank = {text, MAX_HEAD + 2};
    for (size_t i = 0; i < blank.len; i++)
        text[i] = i % 2 ? '\n' : '\r';
    in_every_cut(blank, check_refused, &status); /* blank lines count as well */
}

static size_t many_headers(char *text, size_t size, int count)
{
    size_t len = (size_t)snprintf(text, size, LINE);
    for (int i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, size - len, "H%d:%s\r\n", i, i % 3 ? " x" : "");
    return len + (size_t)snprintf(text + len, size - len, "\r\n");
}

static void more_than_100_headers_are_431(void **state)
{
    (void)state;
    static char text[MAX_HEAD];
    int status = 431;
    in_every_cut((struct bytes){text, many_headers(text, sizeof text, HTTP_HEADERS_MAX)}, check_taken, "/");
    in_every_cut((struct bytes){text, many_headers(text, sizeof text, HTTP_HEADERS_MAX + 1)}, check_refused, &status);
}

/* ---- what comes behind */

static void check_rest(struct bytes text, enum cut cut, const void *expected)
{
    struct http_request request;
    http_init(&request, MAX_HEAD);
    enum http_result result = HTTP_MORE;
    size_t at = 0;
    while (result == HTTP_MORE) {
        size_t size = piece_of(cut, text.len - at);
        result = http_feed(&request, (struct bytes){text.data + at, size});
        at += size;
    }
    assert_int_equal(result, HTTP_COMPLETE);
    struct bytes rest = http_rest(&request);
    struct bytes all = *(const struct bytes *)expected;
    size_t left = text.len - at; /* never fed */
    assert_int_equal(rest.len + left, all.len);
    assert_memory_equal(rest.data, all.data, rest.len);
    assert_bytes(http_target(&request), "/a");
    http_free(&request);
}

static void bytes_behind_the_head_are_kept_as_they_are(void **state)
{
    (void)state;
    static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                               "\x81\x85\x00\n\r\x7f hello\0\xffGET / HTTP/1.1\nX y\r\n\r\n";
    struct bytes rest = {strstr(text, END) + 4, 0};
    rest.len = sizeof text - 1 - (size_t)(rest.data - text);
    in_every_cut(BYTES(text), check_rest, &rest);
}

static void a_large_rest_does_not_count_as_head(void **state)
{
    (void)state;
    static char text[65536];
    memset(text, 'x', sizeof text);
    memcpy(text, "GET /a HTTP/1.1\r\n\r\n", 19);
    struct http_request request;
    http_init(&request, 19);
    assert_int_equal(http_feed(&request, BYTES(text)), HTTP_COMPLETE);
    assert_int_equal(http_rest(&request).len, sizeof text - 1 - 19);
    http_free(&request);
}

static void an_unfinished_head_asks_for_more(void **state)
{
    (void)state;
    static const char text[] = LINE "Host: a\r\nX: y\r\n\r";
    for (size_t len = 0; len < sizeof text; len++) {
        struct http_request request;
        http_init(&request, MAX_HEAD);
        assert_int_equal(feed(&request, (struct bytes){text, len}, WHOLE), HTTP_MORE);
        http_free(&request);
    }
}

static void every_status_that_is_sent_has_its_phrase(void **state)
{
    (void)state;
    static const int statuses[] = {101, 200, 304, 400, 403, 404, 405, 408, 413, 414, 426, 431, 503, 505};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_string_not_equal(http_phrase(statuses[i]), http_phrase(500));
    assert_string_equal(http_phrase(431), "Request Header Fields Too Large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proper_requests_are_taken),
        cmocka_unit_test(an_absolute_target_is_read_in_its_origin_form),
        cmocka_unit_test(the_method_is_told),
        cmocka_unit_test(headers_are_found_by_name_and_joined),
        cmocka_unit_test(a_list_never_writes_beyond_its_buffer),
        cmocka_unit_test(what_is_no_http_is_400),
        cmocka_unit_test(smuggling_shapes_are_400),
        cmocka_unit_test(a_request_with_a_body_is_413),
        cmocka_unit_test(another_version_of_http_is_505),
        cmocka_unit_test(a_target_above_4096_bytes_is_414),
        cmocka_unit_test(a_head_above_its_limit_is_431),
        cmocka_unit_test(more_than_100_headers_are_431),
        cmocka_unit_test(bytes_behind_the_head_are_kept_as_they_are),
        cmocka_unit_test(a_large_rest_does_not_count_as_head),
        cmocka_unit_test(an_unfinished_head_asks_for_more),
        cmocka_unit_test(every_status_that_is_sent_has_its_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
