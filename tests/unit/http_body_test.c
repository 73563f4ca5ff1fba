/* http_body_test.c -- reading a request's body: by length and in chunks, up to its limit, however the network cuts it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/net/http.h"

enum { MAX_HEAD = 4096, MAX_BODY = 64, RANDOM_SPLITS = 60 };

static uint32_t noise = 1;

/* 0: whole; 1: byte by byte; else at random. */
static size_t piece_of(int cut, size_t left)
{
    if (cut == 0)
        return left;
    noise = noise * 1664525 + 1013904223;
    size_t size = cut == 1 ? 1 : 1 + (noise >> 16) % 12;
    return size < left ? size : left;
}

/* Reads a request to its end, as a connection would; max is what the site allows. */
static enum http_result read_request(struct http_request *request, struct bytes text, int cut, size_t max)
{
    http_init(request, MAX_HEAD);
    request->takes_bodies = true;
    enum http_result result = HTTP_MORE;
    bool in_body = false;
    while (text.len && result == HTTP_MORE) {
        size_t size = piece_of(cut, text.len);
        char *piece = xmalloc(size);
        memcpy(piece, text.data, size);
        result = in_body ? http_feed_body(request, (struct bytes){piece, size})
                         : http_feed(request, (struct bytes){piece, size});
        free(piece);
        text = (struct bytes){text.data + size, text.len - size};
        if (result == HTTP_BODY) {
            in_body = true;
            result = http_begin_body(request, max);
        }
    }
    return result;
}

static void assert_body(struct bytes text, const char *body)
{
    for (int cut = 0; cut < RANDOM_SPLITS; cut++) {
        struct http_request request;
        enum http_result result = read_request(&request, text, cut, MAX_BODY);
        if (result != HTTP_COMPLETE)
            print_error("%d, status %d: %.*s\n", result, request.status, (int)text.len, text.data);
        assert_int_equal(result, HTTP_COMPLETE);
        assert_int_equal(http_body(&request).len, strlen(body));
        assert_memory_equal(http_body(&request).data, body, strlen(body));
        http_free(&request);
    }
}

static void assert_refused(const char *text, int status)
{
    for (int cut = 0; cut < RANDOM_SPLITS; cut++) {
        struct http_request request;
        enum http_result result = read_request(&request, bytes_of(text), cut, MAX_BODY);
        if (result != HTTP_REFUSED || request.status != status)
            print_error("%d, status %d: %s\n", result, request.status, text);
        assert_int_equal(result, HTTP_REFUSED);
        assert_int_equal(request.status, status);
        http_free(&request);
    }
}

#define POST    "POST /a HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void a_body_with_a_length_is_read(void **state)
{
    (void)state;
    assert_body(BYTES(POST "Content-Length: 5\r\n\r\nhello"), "hello");
    assert_body(BYTES(POST "Content-Length: 0\r\n\r\n"), "");
    assert_body(BYTES(POST "\r\n"), "");
    assert_body(BYTES(POST "Content-Length: 2\r\n\r\n\r\n"), "\r\n");
    assert_body(BYTES("PUT /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"), "abc");
    assert_body(BYTES("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), "abc");
}

static void a_body_in_chunks_is_put_together(void **state)
{
    (void)state;
    assert_body(BYTES(CHUNKED "5\r\nhello\r\n0\r\n\r\n"), "hello");
    assert_body(BYTES(CHUNKED "1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n"), "hello");
    assert_body(BYTES(CHUNKED "0\r\n\r\n"), "");
    assert_body(BYTES(CHUNKED "05;name=value\r\nhello\r\n0;x\r\nTrailer: a\r\nMore: b\r\n\r\n"), "hello");
    assert_body(BYTES(POST "Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"), "0123456789");
}

static void what_stands_behind_the_body_is_nobodys(void **state)
{
    (void)state;
    assert_body(BYTES(POST "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n"), "hello");
    assert_body(BYTES(CHUNKED "5\r\nhello\r\n0\r\n\r\nPOST /x HTTP/1.1\r\n"), "hello");
}

static void a_body_above_its_limit_is_413(void **state)
{
    (void)state;
    char text[1024];
    snprintf(text, sizeof text, POST "Content-Length: %d\r\n\r\n%0*d", MAX_BODY, MAX_BODY, 0);
    struct http_request request;
    assert_int_equal(read_request(&request, bytes_of(text), 2, MAX_BODY), HTTP_COMPLETE);
    http_free(&request);
    assert_refused(POST "Content-Length: 65\r\n\r\n", 413); /* before it comes */
    assert_refused(POST "Content-Length: 18446744073709551615\r\n\r\n", 413);
    snprintf(text, sizeof text, CHUNKED "20\r\n%032d\r\n21\r\n%033d\r\n0\r\n\r\n", 0, 0);
    assert_refused(text, 413);
    assert_refused(CHUNKED "ffffffff\r\n0123456789012345678901234567890123456789012345678901234567890123456789", 413);
}

static void chunks_of_nothing_but_wrapping_are_413(void **state)
{
    (void)state;
    static char text[20000];
    int len = snprintf(text, sizeof text, CHUNKED "1;");
    memset(text + len, 'x', sizeof text - (size_t)len - 1);
    assert_refused(text, 413);
}

static void broken_chunks_are_400(void **state)
{
    (void)state;
    assert_refused(CHUNKED "x\r\n", 400);
    assert_refused(CHUNKED "-1\r\n", 400);
    assert_refused(CHUNKED "5\r\nhelloo\r\n", 400);
    assert_refused(CHUNKED "5 5\r\n", 400);
    assert_refused(CHUNKED "0x5\r\nhello\r\n", 400);
    assert_refused(CHUNKED "11111111111111111\r\n", 400);
}

static void lengths_that_contradict_each_other_are_400(void **state)
{
    (void)state;
    assert_refused(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    assert_refused(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400);
    assert_refused(POST "Content-Length: 5, 5\r\n\r\n", 400);
    assert_refused(POST "Content-Length: +5\r\n\r\n", 400);
}

static void a_coding_that_we_do_not_know_is_501(void **state)
{
    (void)state;
    assert_refused(POST "Transfer-Encoding: gzip\r\n\r\n", 501);
    assert_refused(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    assert_refused(POST "Transfer-Encoding: identity\r\n\r\n", 501);
}

static void an_unfinished_body_asks_for_more(void **state)
{
    (void)state;
    static const char text[] = CHUNKED "5\r\nhello\r\n0\r\n\r";
    for (size_t len = 1; len < sizeof text; len++) {
        struct http_request request;
        assert_int_equal(read_request(&request, (struct bytes){text, len}, 0, MAX_BODY), HTTP_MORE);
        http_free(&request);
    }
}

static void the_head_stays_readable_behind_the_body(void **state)
{
    (void)state;
    struct http_request request;
    struct bytes text =
        BYTES("POST /a?b HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(read_request(&request, text, 2, MAX_BODY), HTTP_COMPLETE);
    struct bytes host;
    assert_int_equal(http_header(&request, "host", &host), 1);
    assert_true(bytes_equal(host, BYTES("a")));
    assert_true(bytes_equal(http_target(&request), BYTES("/a?b")));
    assert_int_equal(http_method(&request), HTTP_POST);
    assert_true(http_expects_continue(&request) && http_has_length(&request));
    http_free(&request);
    assert_int_equal(read_request(&request, BYTES(POST "\r\n"), 0, MAX_BODY), HTTP_COMPLETE);
    assert_true(!http_expects_continue(&request) && !http_has_length(&request));
    http_free(&request);
}

static void every_status_of_the_api_has_its_phrase(void **state)
{
    (void)state;
    static const int statuses[] = {201, 202, 204, 401, 411, 415, 501, 502};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_string_not_equal(http_phrase(statuses[i]), http_phrase(500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_with_a_length_is_read),
        cmocka_unit_test(a_body_in_chunks_is_put_together),
        cmocka_unit_test(what_stands_behind_the_body_is_nobodys),
        cmocka_unit_test(a_body_above_its_limit_is_413),
        cmocka_unit_test(chunks_of_nothing_but_wrapping_are_413),
        cmocka_unit_test(broken_chunks_are_400),
        cmocka_unit_test(lengths_that_contradict_each_other_are_400),
        cmocka_unit_test(a_coding_that_we_do_not_know_is_501),
        cmocka_unit_test(an_unfinished_body_asks_for_more),
        cmocka_unit_test(the_head_stays_readable_behind_the_body),
        cmocka_unit_test(every_status_of_the_api_has_its_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
