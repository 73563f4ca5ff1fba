/* routes_fuzz.c -- any request target: what comes out is a route that the site can rely on.
 *
 * A room's name is valid and is what an independent decoder makes of the path; the path is a part of the target; the
 * lobby belongs to "/" alone; the setting echo is only there where the query says so. */
#include <stdint.h>
#include <stdlib.h>

#include "../../gateway/protocol/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    if (c >= 'A' && c <= 'F')
        c = (char)(c - 'A' + 'a');
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* True when every '%' is followed by two hex digits; out (as long as text) gets what is meant. */
static bool decoded(struct bytes text, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '%') {
            out[(*len)++] = text.data[i];
            continue;
        }
        if (text.len - i < 3 || hex(text.data[i + 1]) < 0 || hex(text.data[i + 2]) < 0)
            return false;
        out[(*len)++] = (char)(hex(text.data[i + 1]) * 16 + hex(text.data[i + 2]));
        i += 2;
    }
    return true;
}

static bool begins(struct bytes text, struct bytes with)
{
    return text.len >= with.len && memcmp(text.data, with.data, with.len) == 0;
}

static void check_room(const struct route *route)
{
    struct bytes prefix = BYTES("/rooms/");
    require(begins(route->path, prefix));
    struct bytes encoded = {route->path.data + prefix.len, route->path.len - prefix.len};
    size_t len;
    char *name = malloc(encoded.len + 1);
    bool good = decoded(encoded, name, &len);
    require(good == (route->kind != ROUTE_MALFORMED));
    if (route->kind == ROUTE_ROOM)
        require(bytes_equal((struct bytes){name, len}, (struct bytes){route->room, route->room_len}));
    if (route->kind == ROUTE_BAD_ROOM)
        require(!room_name_valid((struct bytes){name, len}));
    free(name);
}

static void check_echo(struct bytes target, const struct route *route)
{
    size_t past = route->path.len;
    bool said = past < target.len && memmem(target.data + past, target.len - past, "echo=1", 6) != NULL;
    require(said || !route->echo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes target = {(const char *)data, size};
    struct route route;
    route_parse(target, &route);
    require(route.path.data == target.data && route.path.len <= target.len);
    require(route.room_len <= sizeof route.room);
    check_echo(target, &route);
    switch (route.kind) {
    case ROUTE_HOME:
        require(bytes_equal(route.path, BYTES("/")));
        require(bytes_equal((struct bytes){route.room, route.room_len}, BYTES("lobby")));
        break;
    case ROUTE_ROOM:
        require(room_name_valid((struct bytes){route.room, route.room_len}));
        check_room(&route);
        break;
    case ROUTE_BAD_ROOM:
        check_room(&route);
        break;
    case ROUTE_CONNECT:
        require(bytes_equal(route.path, BYTES("/connect")) && route.room_len == 0);
        break;
    case ROUTE_FILE:
        require(target.data[0] == '/' && !begins(route.path, BYTES("/rooms/")) && route.path.len > 1);
        break;
    case ROUTE_MALFORMED:
        if (size && target.data[0] == '/' && !memchr(target.data, '#', size))
            check_room(&route);
        break;
    }
    return 0;
}
