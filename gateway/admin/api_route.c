/* api_route.c -- see api_route.h. */
#include "api_route.h"

#include "../../common/percent.h"

enum { SEGMENTS_MAX = 4 };

static const char ROOT[] = "/api";

bool api_owns(struct bytes target)
{
    size_t len = sizeof ROOT - 1;
    return target.len >= len && memcmp(target.data, ROOT, len) == 0 &&
           (target.len == len || target.data[len] == '/' || target.data[len] == '?');
}

static void bad(struct api_route *route, const char *wrong)
{
    route->kind = API_BAD;
    route->wrong = wrong;
}

/* Splits what stands behind /api at its slashes. Returns how many pieces there are, or one more than fit. */
static int split(struct bytes path, struct bytes segments[SEGMENTS_MAX])
{
    int count = 0;
    while (path.len && *path.data == '/') {
        path = (struct bytes){path.data + 1, path.len - 1};
        const char *end = path.len ? memchr(path.data, '/', path.len) : NULL;
        struct bytes segment = {path.data, end ? (size_t)(end - path.data) : path.len};
        if (count == SEGMENTS_MAX)
            return SEGMENTS_MAX + 1;
        segments[count++] = segment;
        path = (struct bytes){segment.data + segment.len, path.len - segment.len};
    }
    return count;
}

/* ---- the query */

static bool read_limit(struct bytes text, uint32_t *limit)
{
    *limit = 0;
    if (text.len == 0 || text.len > 4)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *limit = *limit * 10 + (uint32_t)(text.data[i] - '0');
    }
    return *limit >= 1 && *limit <= API_LIMIT_MAX;
}

static bool begins(struct bytes text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

/* Settings that we do not know are somebody else's. */
static void read_setting(struct bytes item, struct api_route *route)
{
    if (begins(item, "limit=")) {
        if (!read_limit((struct bytes){item.data + 6, item.len - 6}, &route->limit))
            bad(route, "limit is a number from 1 to 1000.");
    } else if (begins(item, "prefix=")) {
        ssize_t len = percent_decode((struct bytes){item.data + 7, item.len - 7}, route->room, sizeof route->room);
        bool fits = len >= 0 && (size_t)len <= sizeof route->room;
        route->room_len = fits ? (size_t)len : 0;
        if (!fits || (len > 0 && !room_name_valid(api_room(route))))
            bad(route, "prefix is the beginning of a room's name.");
    }
}

static void read_query(struct bytes query, struct api_route *route)
{
    while (query.len && route->kind != API_BAD) {
        const char *end = memchr(query.data, '&', query.len);
        struct bytes item = {query.data, end ? (size_t)(end - query.data) : query.len};
        read_setting(item, route);
        size_t used = item.len + (end != NULL);
        query = (struct bytes){query.data + used, query.len - used};
    }
}

/* ---- the path */

static bool read_room(struct bytes text, struct api_route *route)
{
    ssize_t len = percent_decode(text, route->room, sizeof route->room);
    route->room_len = len >= 0 && (size_t)len <= sizeof route->room ? (size_t)len : 0;
    return room_name_valid(api_room(route));
}

static bool read_gateway(struct bytes text, uint32_t *gateway)
{
    char member[2 * GATEWAY_ID_DIGITS];
    uint64_t id;
    if (text.len != GATEWAY_ID_DIGITS)
        return false;
    memcpy(member, text.data, GATEWAY_ID_DIGITS);
    memset(member + GATEWAY_ID_DIGITS, '1', GATEWAY_ID_DIGITS);
    bool good = ctl_member_read((struct bytes){member, sizeof member}, &id);
    *gateway = (uint32_t)(id >> 32);
    return good && *gateway;
}

/* The verbs that a room has; the others have no path of this form. */
static bool read_verb(struct bytes text, enum ctl_verb *verb)
{
    return ctl_verb_find(text, verb) && *verb != CTL_COUNT && *verb != CTL_DRAIN;
}

static void below_room(const struct bytes *segments, int count, struct api_route *route)
{
    if (!read_room(segments[1], route)) {
        bad(route,
            "A room's name is 1 to 164 of the characters A-Z a-z 0-9 _ . : = @ , ; - and does not begin with @.");
    } else if (count == 2) {
        route->kind = API_ROOM;
    } else if (count == 3 && bytes_equal(segments[2], BYTES("messages"))) {
        route->kind = API_MESSAGES;
    } else if (count == 3 && read_verb(segments[2], &route->verb)) {
        route->kind = API_COMMAND;
    } else if (count == 4 && bytes_equal(segments[2], BYTES("members"))) {
        route->kind = API_MEMBER;
        if (!ctl_member_read(segments[3], &route->member))
            bad(route, "A member's id is 16 hex digits.");
    }
}

static void below_gateways(const struct bytes *segments, int count, struct api_route *route)
{
    if (count != 3 || !bytes_equal(segments[2], BYTES("drain")))
        return;
    route->kind = API_DRAIN;
    route->verb = CTL_DRAIN;
    if (!read_gateway(segments[1], &route->gateway))
        bad(route, "A gateway's id is 8 hex digits.");
}

void api_route_parse(struct bytes target, struct api_route *route)
{
    *route = (struct api_route){.kind = API_NOTHING, .limit = API_LIMIT};
    const char *query = memchr(target.data, '?', target.len);
    struct bytes path = {target.data, query ? (size_t)(query - target.data) : target.len};
    if (!api_owns(path))
        return;
    struct bytes segments[SEGMENTS_MAX];
    int count = split((struct bytes){path.data + sizeof ROOT - 1, path.len - (sizeof ROOT - 1)}, segments);
    if (count == 0 || count > SEGMENTS_MAX)
        return;
    if (count == 1 && bytes_equal(segments[0], BYTES("gateways"))) {
        route->kind = API_GATEWAYS;
    } else if (count == 1 && bytes_equal(segments[0], BYTES("rooms"))) {
        route->kind = API_ROOMS;
        if (query)
            read_query((struct bytes){query + 1, target.len - path.len - 1}, route);
    } else if (count > 1 && bytes_equal(segments[0], BYTES("rooms"))) {
        below_room(segments, count, route);
    } else if (bytes_equal(segments[0], BYTES("gateways"))) {
        below_gateways(segments, count, route);
    }
}

bool api_route_allows(const struct api_route *route, llhttp_method_t method, const char **allow)
{
    switch (route->kind) {
    case API_ROOMS:
    case API_ROOM:
    case API_GATEWAYS:
        *allow = "Allow: GET, HEAD\r\n";
        return method == HTTP_GET || method == HTTP_HEAD;
    case API_MESSAGES:
    case API_COMMAND:
    case API_DRAIN:
        *allow = "Allow: POST\r\n";
        return method == HTTP_POST;
    case API_MEMBER:
        *allow = "Allow: DELETE\r\n";
        return method == HTTP_DELETE;
    case API_NOTHING:
    case API_BAD:
        break;
    }
    return true; /* refused for another reason */
}
