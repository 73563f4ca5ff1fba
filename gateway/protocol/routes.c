/* routes.c -- see routes.h. */
#include "routes.h"

static const char LOBBY[] = "lobby";
static const char ROOMS[] = "/rooms/";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes (RFC 3986, section 2.1) into out. Returns the length, size + 1 when it does not fit, or -1. */
static long decode(struct bytes text, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            if (i + 2 >= text.len || hex_digit(text.data[i + 1]) < 0 || hex_digit(text.data[i + 2]) < 0)
                return -1;
            c = (char)(hex_digit(text.data[i + 1]) << 4 | hex_digit(text.data[i + 2]));
            i += 2;
        }
        if (len < size)
            out[len] = c;
        len++;
    }
    return len > size ? (long)size + 1 : (long)len;
}

static void read_room(struct bytes name, struct route *route)
{
    long len = decode(name, route->room, sizeof route->room);
    if (len < 0) {
        route->kind = ROUTE_MALFORMED;
        return;
    }
    bool fits = (size_t)len <= sizeof route->room;
    route->room_len = fits ? (size_t)len : 0;
    route->kind = fits && room_name_valid((struct bytes){route->room, route->room_len}) ? ROUTE_ROOM : ROUTE_BAD_ROOM;
}

/* Reads the query's settings; those we do not know are somebody else's. */
static void read_query(struct bytes query, struct route *route)
{
    while (query.len) {
        const char *end = memchr(query.data, '&', query.len);
        struct bytes item = {query.data, end ? (size_t)(end - query.data) : query.len};
        if (bytes_equal(item, BYTES("echo=1")))
            route->echo = true;
        size_t used = item.len + (end != NULL);
        query.data += used;
        query.len -= used;
    }
}

void route_parse(struct bytes target, struct route *route)
{
    route->kind = ROUTE_MALFORMED;
    route->room_len = 0;
    route->echo = false;
    route->path = target;
    if (target.len == 0 || target.data[0] != '/' || memchr(target.data, '#', target.len))
        return;
    const char *query = memchr(target.data, '?', target.len);
    if (query) {
        route->path.len = (size_t)(query - target.data);
        read_query((struct bytes){query + 1, target.len - route->path.len - 1}, route);
    }
    struct bytes path = route->path;
    if (path.len == 1) {
        route->kind = ROUTE_HOME;
        memcpy(route->room, LOBBY, sizeof LOBBY - 1);
        route->room_len = sizeof LOBBY - 1;
    } else if (path.len >= sizeof ROOMS - 1 && memcmp(path.data, ROOMS, sizeof ROOMS - 1) == 0) {
        read_room((struct bytes){path.data + sizeof ROOMS - 1, path.len - (sizeof ROOMS - 1)}, route);
    } else {
        route->kind = ROUTE_FILE;
    }
}
