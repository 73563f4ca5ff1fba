/* http_request_fuzz.c -- any bytes as a request to a server that takes bodies, and its path as one of the HTTP API.
 *
 * An input is a byte for the cuts, and the request. It is read whole and in pieces, and must come to the same: complete
 * with the same body, refused with the same status, or unfinished. */
#include <stdint.h>
#include <stdlib.h>

#include "../../gateway/admin/api_guard.h"
#include "../../gateway/admin/api_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEAD = 512, MAX_BODY = 128 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* noise 0: whole. */
static enum http_result read_request(struct http_request *request, struct bytes text, uint32_t noise)
{
    http_init(request, MAX_HEAD);
    request->takes_bodies = true;
    enum http_result result = HTTP_MORE;
    bool in_body = false;
    while (text.len && result == HTTP_MORE) {
        uint32_t random = noise;
        noise = noise ? noise * 1664525 + 1013904223 : 0;
        size_t piece = random ? 1 + (random >> 16) % 24 : text.len;
        struct bytes input = {text.data, piece < text.len ? piece : text.len};
        result = in_body ? http_feed_body(request, input) : http_feed(request, input);
        if (result == HTTP_BODY) {
            in_body = true;
            result = http_begin_body(request, MAX_BODY);
        }
        text = (struct bytes){text.data + input.len, text.len - input.len};
    }
    return result;
}

static void use(const struct http_request *request)
{
    struct api_route route;
    const char *why = NULL, *allow = NULL;
    api_route_parse(http_target(request), &route);
    require(route.kind != API_BAD || route.wrong);
    bool in_room =
        route.kind == API_ROOM || route.kind == API_MESSAGES || route.kind == API_COMMAND || route.kind == API_MEMBER;
    require(!in_room || room_name_valid(api_room(&route)));
    require(route.limit >= 1 || route.kind == API_BAD);
    require(api_route_allows(&route, http_method(request), &allow) || allow);
    require(!api_guard(request, "token", &why) || why);
    require(!api_guard(request, NULL, &why) || why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes text = {(const char *)data + 1, size - 1};
    struct http_request whole, pieces;
    enum http_result first = read_request(&whole, text, 0);
    enum http_result second = read_request(&pieces, text, data[0] + 1u);
    require(first == second && first != HTTP_BODY);
    require(whole.status == pieces.status && (first == HTTP_REFUSED) == (whole.status != 0));
    require(whole.body_len <= MAX_BODY);
    if (first == HTTP_COMPLETE) {
        require(bytes_equal(http_body(&whole), http_body(&pieces)));
        use(&whole);
    }
    http_free(&whole);
    http_free(&pieces);
    return 0;
}
