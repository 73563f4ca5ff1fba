/* redis_url_test.c -- which --redis URLs are understood, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/redis_bus.h"

static void assert_text(const char *actual, const char *expected)
{
    if (expected)
        assert_non_null(actual);
    if (expected)
        assert_string_equal(actual, expected);
    else
        assert_null(actual);
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    const struct {
        const char *text;
        struct redis_url url;
    } cases[] = {
        {"redis://localhost", {.host = "localhost", .port = 6379}},
        {"redis://localhost/", {.host = "localhost", .port = 6379}},
        {"redis://10.0.0.1:7000/12", {.host = "10.0.0.1", .port = 7000, .db = 12}},
        {"redis://redis.default.svc:6380", {.host = "redis.default.svc", .port = 6380}},
        {"redis://:secret@host", {.host = "host", .port = 6379, .password = "secret"}},
        {"redis://ann@host", {.host = "host", .port = 6379, .user = "ann"}},
        {"redis://ann:secret@host:1/2", {.host = "host", .port = 1, .user = "ann", .password = "secret", .db = 2}},
        {"redis://ann:@host", {.host = "host", .port = 6379, .user = "ann", .password = ""}},
        {"redis://a%40b:p%3a%2F%25@host", {.host = "host", .port = 6379, .user = "a@b", .password = "p:/%"}},
        {"redis://u:p@ss:word@host", {.host = "host", .port = 6379, .user = "u", .password = "p@ss:word"}},
        {"redis://[::1]", {.host = "::1", .port = 6379}},
        {"redis://[fe80::1]:7000/1", {.host = "fe80::1", .port = 7000, .db = 1}},
        {"redis+unix:///run/redis.sock", {.path = "/run/redis.sock", .port = 6379}},
        {"redis+unix:///run/redis.sock?db=3", {.path = "/run/redis.sock", .port = 6379, .db = 3}},
        {"redis+unix://ann:secret@/a%20b", {.path = "/a b", .port = 6379, .user = "ann", .password = "secret"}},
        {"redis+unix:///a@b", {.path = "/a@b", .port = 6379}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redis_url url;
        assert_text(redis_url_parse(cases[i].text, &url), NULL);
        assert_text(url.host, cases[i].url.host);
        assert_text(url.path, cases[i].url.path);
        assert_text(url.user, cases[i].url.user);
        assert_text(url.password, cases[i].url.password);
        assert_int_equal(url.port, cases[i].url.port);
        assert_int_equal(url.db, cases[i].url.db);
        redis_url_free(&url);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    const struct {
        const char *text, *says;
    } cases[] = {
        {"", "redis://"},
        {"localhost:6379", "redis://"},
        {"http://host", "redis://"},
        {"redis://", "no host"},
        {"redis://:6379", "no host"},
        {"redis://user@", "no host"},
        {"redis://host:", "port"},
        {"redis://host:0", "port"},
        {"redis://host:65536", "port"},
        {"redis://host:99999999999999999999", "port"},
        {"redis://host:6379x", "port"},
        {"redis://host/x", "database"},
        {"redis://host/1/2", "database"},
        {"redis://host/-1", "database"},
        {"redis://host?db=1", "/db"},
        {"redis://[::1", "]"},
        {"redis://[::1]x", ":port"},
        {"redis://u%2:p@host", "user"},
        {"redis://u:p%zz@host", "password"},
        {"redis://u:p%00@host", "password"},
        {"redis+unix://run/redis.sock", "absolute path"},
        {"redis+unix://", "absolute path"},
        {"redis+unix:///", "absolute path"},
        {"redis+unix:///a?db=", "database"},
        {"redis+unix:///a?x=1", "?db=N"},
        {"rediss://host", "not supported yet"},
        {"redis-sentinel://host", "not supported yet"},
        {"redis-cluster://host", "not supported yet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redis_url url;
        const char *problem = redis_url_parse(cases[i].text, &url);
        assert_non_null(problem);
        if (!strstr(problem, cases[i].says))
            fail_msg("%s: %s", cases[i].text, problem);
        redis_url_free(&url); /* nothing is left, and freeing it is allowed */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
