/* routes_test.c -- which surface a request's target names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/protocol/routes.h"

struct route_case {
    const char *target;
    enum route_kind kind;
    const char *room; /* NULL: none */
    bool echo;
};

static void check(const struct route_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct route route;
        route_parse(bytes_of(cases[i].target), &route);
        if (route.kind != cases[i].kind)
            print_error("target: %s\n", cases[i].target);
        assert_int_equal(route.kind, cases[i].kind);
        assert_int_equal(route.echo, cases[i].echo);
        assert_true(route.path.data == cases[i].target && route.path.len <= strlen(cases[i].target));
        if (!cases[i].room)
            continue;
        assert_int_equal(route.room_len, strlen(cases[i].room));
        assert_memory_equal(route.room, cases[i].room, route.room_len);
    }
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

static void the_root_is_the_lobby(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/", ROUTE_HOME, "lobby", false},
        {"/?", ROUTE_HOME, "lobby", false},
        {"/?x=1", ROUTE_HOME, "lobby", false},
        {"/?echo=1", ROUTE_HOME, "lobby", true},
    };
    CHECK(cases);
}

static void a_room_is_named_by_its_path(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/connect", ROUTE_CONNECT, "", false},
        {"/connect?x=1", ROUTE_CONNECT, "", false},
        {"/rooms/lobby", ROUTE_ROOM, "lobby", false},
        {"/rooms/a%2Db%3ac", ROUTE_ROOM, "a-b:c", false},
        {"/rooms/%61%62", ROUTE_ROOM, "ab", false},
        {"/rooms/presence-x@y,z;=", ROUTE_ROOM, "presence-x@y,z;=", false},
        {"/rooms/.", ROUTE_ROOM, ".", false}, /* no path is resolved: it is only a name */
        {"/rooms/a?room=b", ROUTE_ROOM, "a", false},
        {"/rooms/a?x=%zz", ROUTE_ROOM, "a", false}, /* a query that we do not know is not ours to judge */
    };
    CHECK(cases);
}

static void a_name_that_is_none_is_a_bad_room(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/rooms/", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/?echo=1", ROUTE_BAD_ROOM, NULL, true},
        {"/rooms/@admin", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/%40admin", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/a/b", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/a%2fb", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/a%00", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/a%0d%0ab", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/a%7Bb", ROUTE_BAD_ROOM, NULL, false},
        {"/rooms/a+b", ROUTE_BAD_ROOM, NULL, false},   /* + is no space in a path */
        {"/rooms/%2561", ROUTE_BAD_ROOM, NULL, false}, /* decoded once */
        {"/rooms/\xc3\xa4", ROUTE_BAD_ROOM, NULL, false},
    };
    CHECK(cases);
}

static void broken_percent_encoding_is_malformed(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/rooms/%", ROUTE_MALFORMED, NULL, false},         {"/rooms/%2", ROUTE_MALFORMED, NULL, false},
        {"/rooms/a%2g", ROUTE_MALFORMED, NULL, false},      {"/rooms/a%g2", ROUTE_MALFORMED, NULL, false},
        {"/rooms/%%61", ROUTE_MALFORMED, NULL, false},      {"/rooms/a%?61", ROUTE_MALFORMED, NULL, false},
        {"/rooms/a%2?echo=1", ROUTE_MALFORMED, NULL, true},
    };
    CHECK(cases);
}

static void what_is_no_path_is_malformed(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"", ROUTE_MALFORMED, NULL, false},        {"*", ROUTE_MALFORMED, NULL, false},
        {"rooms/a", ROUTE_MALFORMED, NULL, false}, {"a:443", ROUTE_MALFORMED, NULL, false},
        {"/#", ROUTE_MALFORMED, NULL, false},      {"/rooms/a#b", ROUTE_MALFORMED, NULL, false},
        {"/?a#b", ROUTE_MALFORMED, NULL, false},   {"?echo=1", ROUTE_MALFORMED, NULL, false},
    };
    CHECK(cases);
}

static void anything_else_is_a_file(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/page.js", ROUTE_FILE, NULL, false},
        {"/page.js?echo=1", ROUTE_FILE, NULL, true},
        {"/rooms", ROUTE_FILE, NULL, false},
        {"/Rooms/a", ROUTE_FILE, NULL, false},
        {"//", ROUTE_FILE, NULL, false},
        {"//rooms/a", ROUTE_FILE, NULL, false},
        {"/./rooms/a", ROUTE_FILE, NULL, false},
        {"/%72ooms/a", ROUTE_FILE, NULL, false},
        {"/../etc/passwd", ROUTE_FILE, NULL, false},
    };
    CHECK(cases);
    struct route route;
    route_parse(BYTES("/page.js?v=1"), &route);
    assert_true(bytes_equal(route.path, BYTES("/page.js")));
}

static void echo_is_asked_for_exactly(void **state)
{
    (void)state;
    static const struct route_case cases[] = {
        {"/?a&echo=1&b", ROUTE_HOME, "lobby", true},    {"/?&&echo=1", ROUTE_HOME, "lobby", true},
        {"/?echo=0&echo=1", ROUTE_HOME, "lobby", true}, {"/?echo=10", ROUTE_HOME, "lobby", false},
        {"/?echo", ROUTE_HOME, "lobby", false},         {"/?echo=", ROUTE_HOME, "lobby", false},
        {"/?Echo=1", ROUTE_HOME, "lobby", false},       {"/?xecho=1", ROUTE_HOME, "lobby", false},
        {"/?echo=1?", ROUTE_HOME, "lobby", false},      {"/rooms/echo=1", ROUTE_ROOM, "echo=1", false},
    };
    CHECK(cases);
}

static void a_name_may_have_164_bytes_however_it_is_written(void **state)
{
    (void)state;
    for (int count = ROOM_NAME_MAX - 1; count <= ROOM_NAME_MAX + 2; count++) {
        char plain[1024] = "/rooms/", encoded[1024] = "/rooms/";
        for (int i = 0; i < count; i++) {
            strcat(plain, "a");
            strcat(encoded, "%61");
        }
        struct route first, second;
        route_parse(bytes_of(plain), &first);
        route_parse(bytes_of(encoded), &second);
        assert_int_equal(first.kind, count <= ROOM_NAME_MAX ? ROUTE_ROOM : ROUTE_BAD_ROOM);
        assert_int_equal(second.kind, first.kind);
        assert_int_equal(first.room_len, count <= ROOM_NAME_MAX ? count : 0);
        assert_int_equal(second.room_len, first.room_len);
    }
}

static void a_target_cut_anywhere_is_read_no_further(void **state)
{
    (void)state;
    static const char whole[] = "/rooms/a%2Db?x&echo=1";
    for (size_t len = 0; len < sizeof whole; len++) {
        char *copy = xmalloc(len ? len : 1); /* so that a sanitizer sees a step beyond the end */
        memcpy(copy, whole, len);
        struct route route;
        route_parse((struct bytes){copy, len}, &route);
        assert_int_equal(route.echo, len == sizeof whole - 1);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_is_the_lobby),
        cmocka_unit_test(a_room_is_named_by_its_path),
        cmocka_unit_test(a_name_that_is_none_is_a_bad_room),
        cmocka_unit_test(broken_percent_encoding_is_malformed),
        cmocka_unit_test(what_is_no_path_is_malformed),
        cmocka_unit_test(anything_else_is_a_file),
        cmocka_unit_test(echo_is_asked_for_exactly),
        cmocka_unit_test(a_name_may_have_164_bytes_however_it_is_written),
        cmocka_unit_test(a_target_cut_anywhere_is_read_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
