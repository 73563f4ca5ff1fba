/* api_route_test.c -- the paths of the HTTP API, and who is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gateway/admin/api_guard.h"
#include "gateway/admin/api_route.h"

static struct api_route parsed(const char *target)
{
    struct api_route route;
    api_route_parse(bytes_of(target), &route);
    return route;
}

static void assert_kind(const char *target, enum api_kind kind)
{
    struct api_route route = parsed(target);
    if (route.kind != kind)
        fail_msg("%s: %d", target, route.kind);
    assert_true(kind != API_BAD || route.wrong);
}

static void assert_room(const struct api_route *route, const char *room)
{
    assert_int_equal(route->room_len, strlen(room));
    assert_memory_equal(route->room, room, strlen(room));
}

static void every_path_is_known(void **state)
{
    (void)state;
    assert_kind("/api/rooms", API_ROOMS);
    struct api_route route = parsed("/api/rooms/lobby");
    assert_int_equal(route.kind, API_ROOM);
    assert_room(&route, "lobby");
    route = parsed("/api/rooms/a%3Bb/messages?x=1");
    assert_int_equal(route.kind, API_MESSAGES);
    assert_room(&route, "a;b");
    route = parsed("/api/rooms/lobby/unmute");
    assert_int_equal(route.kind, API_COMMAND);
    assert_int_equal(route.verb, CTL_UNMUTE);
    route = parsed("/api/rooms/lobby/members/0a1b2c3d00000001");
    assert_int_equal(route.kind, API_MEMBER);
    assert_true(route.member == 0x0a1b2c3d00000001);
    assert_kind("/api/gateways", API_GATEWAYS);
    route = parsed("/api/gateways/0a1b2c3d/drain");
    assert_int_equal(route.kind, API_DRAIN);
    assert_int_equal(route.gateway, 0x0a1b2c3d);
}

static void what_is_no_path_is_404(void **state)
{
    (void)state;
    static const char *const targets[] = {"/api",
                                          "/api/",
                                          "/api/nothing",
                                          "/api//rooms",
                                          "/api/rooms/lobby/",
                                          "/api/rooms/lobby/nothing",
                                          "/api/rooms/lobby/drain",
                                          "/api/rooms/lobby/count",
                                          "/api/rooms/lobby/members",
                                          "/api/rooms/lobby/messages/1",
                                          "/api/rooms/lobby/members/0a1b2c3d00000001/more",
                                          "/api/gateways/0a1b2c3d",
                                          "/api/gateways/0a1b2c3d/kick",
                                          "/apis"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_kind(targets[i], API_NOTHING);
    assert_true(api_owns(BYTES("/api?x")) && api_owns(BYTES("/api/x")));
    assert_false(api_owns(BYTES("/apis")) || api_owns(BYTES("/ap")) || api_owns(BYTES("")));
}

static void bad_names_are_400(void **state)
{
    (void)state;
    static const char *const targets[] = {"/api/rooms/",
                                          "/api/rooms/%zz",
                                          "/api/rooms/%7Ba%7D",
                                          "/api/rooms/@a/messages",
                                          "/api/rooms/a b/messages",
                                          "/api/rooms/lobby/members/1",
                                          "/api/rooms/lobby/members/0000000000000000",
                                          "/api/gateways/0a1b2c3/drain",
                                          "/api/gateways/00000000/drain",
                                          "/api/gateways/0A1B2C3D/drain",
                                          "/api/rooms?limit=0",
                                          "/api/rooms?limit=1001",
                                          "/api/rooms?limit=1e2",
                                          "/api/rooms?limit=",
                                          "/api/rooms?prefix=%7B",
                                          "/api/rooms?prefix=a&limit=x"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_kind(targets[i], API_BAD);
    char longest[256];
    snprintf(longest, sizeof longest, "/api/rooms/%0165d", 0);
    assert_kind(longest, API_BAD);
    longest[strlen(longest) - 1] = '\0';
    assert_kind(longest, API_ROOM);
}

static void a_listing_has_prefix_and_limit(void **state)
{
    (void)state;
    struct api_route route = parsed("/api/rooms");
    assert_int_equal(route.limit, 100);
    assert_room(&route, "");
    route = parsed("/api/rooms?limit=1000&prefix=a%3A&other=1");
    assert_int_equal(route.kind, API_ROOMS);
    assert_int_equal(route.limit, 1000);
    assert_room(&route, "a:");
    assert_kind("/api/rooms?prefix=&&", API_ROOMS);
}

static void each_path_has_its_methods(void **state)
{
    (void)state;
    const char *allow = NULL;
    struct api_route route = parsed("/api/rooms/lobby");
    assert_true(api_route_allows(&route, HTTP_GET, &allow) && api_route_allows(&route, HTTP_HEAD, &allow));
    assert_false(api_route_allows(&route, HTTP_POST, &allow));
    assert_string_equal(allow, "Allow: GET, HEAD\r\n");
    route = parsed("/api/rooms/lobby/messages");
    assert_false(api_route_allows(&route, HTTP_GET, &allow));
    assert_string_equal(allow, "Allow: POST\r\n");
    route = parsed("/api/rooms/lobby/members/0a1b2c3d00000001");
    assert_true(api_route_allows(&route, HTTP_DELETE, &allow));
    assert_false(api_route_allows(&route, HTTP_POST, &allow));
}

/* ---- who is let in */

static int guard(const char *headers, const char *token)
{
    struct http_request request;
    char text[512];
    const char *why = NULL;
    http_init(&request, 4096);
    snprintf(text, sizeof text, "GET /api/rooms HTTP/1.1\r\n%s\r\n", headers);
    assert_int_equal(http_feed(&request, bytes_of(text)), HTTP_COMPLETE);
    int status = api_guard(&request, token, &why);
    assert_true(status == 0 || (why && *why));
    http_free(&request);
    return status;
}

static void with_a_token_only_who_shows_it(void **state)
{
    (void)state;
    assert_int_equal(guard("Host: a.example\r\nAuthorization: Bearer s3cret\r\n", "s3cret"), 0);
    assert_int_equal(guard("Host: a\r\nauthorization: bearer   s3cret\r\n", "s3cret"), 0);
    static const char *const wrong[] = {"",
                                        "Authorization: Bearer \r\n",
                                        "Authorization: Bearer\r\n",
                                        "Authorization: Bearer s3cre\r\n",
                                        "Authorization: Bearer s3cret1\r\n",
                                        "Authorization: Bearer s3creT\r\n",
                                        "Authorization: Bearer s3crets3cret\r\n",
                                        "Authorization: Basic s3cret\r\n",
                                        "Authorization: s3cret\r\n",
                                        "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char headers[256];
        snprintf(headers, sizeof headers, "Host: a\r\n%s", wrong[i]);
        assert_int_equal(guard(headers, "s3cret"), 401);
    }
}

static void pages_of_other_origins_are_not_let_in(void **state)
{
    (void)state;
    assert_int_equal(guard("Host: 127.0.0.1:8001\r\nOrigin: http://127.0.0.1:8001\r\n", NULL), 0);
    assert_int_equal(guard("Host: LOCALHOST:8001\r\nOrigin: http://localhost:8001\r\n", NULL), 0);
    static const char *const foreign[] = {
        "http://127.0.0.1:8000",   "http://127.0.0.1",      "https://evil.example", "null", "127.0.0.1:8001", "",
        "http://a@127.0.0.1:8001", "http://127.0.0.1:8001/"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char headers[256];
        snprintf(headers, sizeof headers, "Host: 127.0.0.1:8001\r\nOrigin: %s\r\nAuthorization: Bearer s3cret\r\n",
                 foreign[i]);
        assert_int_equal(guard(headers, NULL), 403);
        assert_int_equal(guard(headers, "s3cret"), 403);
    }
}

static void without_a_token_only_under_a_name_that_no_page_can_have(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:8001", "localhost", "[::1]:8001", "plenum-admin:8001", "10.1.2.3"};
    static const char *const bad[] = {"evil.example:8001", "evil.example", "127.0.0.1.evil.example", "1.2.3",
                                      "plenum.default.svc.cluster.local"};
    char headers[256];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(headers, sizeof headers, "Host: %s\r\n", good[i]);
        assert_int_equal(guard(headers, NULL), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(headers, sizeof headers, "Host: %s\r\nAuthorization: Bearer t\r\n", bad[i]);
        assert_int_equal(guard(headers, NULL), 403);
        assert_int_equal(guard(headers, "t"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_known),
        cmocka_unit_test(what_is_no_path_is_404),
        cmocka_unit_test(bad_names_are_400),
        cmocka_unit_test(a_listing_has_prefix_and_limit),
        cmocka_unit_test(each_path_has_its_methods),
        cmocka_unit_test(with_a_token_only_who_shows_it),
        cmocka_unit_test(pages_of_other_origins_are_not_let_in),
        cmocka_unit_test(without_a_token_only_under_a_name_that_no_page_can_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
