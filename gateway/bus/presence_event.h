/* presence_event.h -- the payload of an envelope of kind 'p': who came to a room and went.
 *
 *     <pv> <members of that gateway in the room>\n
 *     j <member> <JSON>\n   or   u <member> <JSON>\n   or   l <member> <reason>
 *
 * from is the gateway (8 hex digits) that the changes are of; seq is 0; the epoch is the room's. Pure; nothing is
 * copied. Written by presence.lua, reap.lua and local_bus; read by room. */
#ifndef PLENUM_GATEWAY_BUS_PRESENCE_EVENT_H
#define PLENUM_GATEWAY_BUS_PRESENCE_EVENT_H

#include "bus.h"

struct presence_event {
    uint64_t pv;
    uint32_t gateway;
    uint64_t members;  /* of that gateway in the room, listed or not, after the changes */
    struct bytes rest; /* the lines not read yet */
};

/* Reads the head. False when it is none: count and drop it. */
bool presence_event_read(const struct envelope *envelope, struct presence_event *event)
    __attribute__((warn_unused_result));

/* The next change. False at the end, or at a line that is none (then rest is not empty). */
bool presence_event_next(struct presence_event *event, struct presence_change *change);

#endif
