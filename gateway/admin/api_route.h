/* api_route.h -- what a path of the HTTP API means.
 *
 *     GET    /api/rooms?prefix=&limit=
 *     GET    /api/rooms/{room}
 *     POST   /api/rooms/{room}/messages
 *     POST   /api/rooms/{room}/kick, ban, unban, lock, unlock, end, mute, unmute
 *     DELETE /api/rooms/{room}/members/{member}
 *     GET    /api/gateways
 *     POST   /api/gateways/{gateway}/drain
 *
 * Pure. Called by: api. */
#ifndef PLENUM_GATEWAY_ADMIN_API_ROUTE_H
#define PLENUM_GATEWAY_ADMIN_API_ROUTE_H

#include <llhttp.h>

#include "ctl_parse.h"

enum api_kind {
    API_ROOMS,
    API_ROOM,
    API_MESSAGES,
    API_COMMAND, /* verb */
    API_MEMBER,
    API_GATEWAYS,
    API_DRAIN,
    API_NOTHING, /* 404 */
    API_BAD      /* 400: wrong says why */
};

enum { API_LIMIT = 100, API_LIMIT_MAX = 1000 };

struct api_route {
    enum api_kind kind;
    const char *wrong;        /* API_BAD: a sentence */
    char room[ROOM_NAME_MAX]; /* or, of API_ROOMS, the prefix */
    size_t room_len;
    uint32_t limit;
    uint64_t member;
    uint32_t gateway;
    enum ctl_verb verb;
};

static inline struct bytes api_room(const struct api_route *route)
{
    return (struct bytes){route->room, route->room_len};
}

/* True for a target that is ours: /api and what is below it. */
bool api_owns(struct bytes target);

/* Reads an origin-form target. */
void api_route_parse(struct bytes target, struct api_route *route);

/* True when the method is one of the path's; else *allow is the Allow header that says which are. */
bool api_route_allows(const struct api_route *route, llhttp_method_t method, const char **allow);

#endif
