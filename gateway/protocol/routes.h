/* routes.h -- which surface a request's target names: the paths of the public port, in one place.
 *
 * Pure functions. Called by: the public site. */
#ifndef PLENUM_GATEWAY_PROTOCOL_ROUTES_H
#define PLENUM_GATEWAY_PROTOCOL_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/bytes.h"
#include "../../common/names.h"

enum route_kind {
    ROUTE_HOME,     /* /             relay into the lobby; the page by plain GET */
    ROUTE_ROOM,     /* /rooms/{room} relay into that room */
    ROUTE_CONNECT,  /* /connect      plenum.v1 */
    ROUTE_BAD_ROOM, /* /rooms/...    with a name that is none: 400 */
    ROUTE_FILE,     /* anything else: a file of the page, or 404 */
    ROUTE_MALFORMED /* no path at all, or broken percent-encoding: 400 */
};

struct route {
    enum route_kind kind;
    char room[ROOM_NAME_MAX]; /* decoded; ROUTE_HOME: the lobby */
    size_t room_len;
    struct bytes path; /* of the target, not decoded, without the query */
    bool echo;         /* ?echo=1 */
};

/* Reads an origin-form target. route->path points into it. */
void route_parse(struct bytes target, struct route *route);

#endif
