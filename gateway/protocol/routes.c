/* routes.c -- see routes.h. */
#include "routes.h"

#include "../../common/percent.h"

static const char LOBBY[] = "lobby";
static const char ROOMS[] = "/rooms/";

static void read_room(struct bytes name, struct route *route)
{
    ssize_t len = percent_decode(name, route->room, sizeof route->room);
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
    } else if (bytes_equal(path, BYTES("/connect"))) {
        route->kind = ROUTE_CONNECT;
    } else {
        route->kind = ROUTE_FILE;
    }
}
