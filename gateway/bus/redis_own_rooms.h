/* redis_own_rooms.h -- takes back what stands of this gateway in rooms that it does not serve: a server that has come
 * back with an old state lists who has left since. (What is wrong in a room that is served, the room finds by itself.)
 *
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_OWN_ROOMS_H
#define PLENUM_GATEWAY_BUS_REDIS_OWN_ROOMS_H

#include "redis_asks.h"
#include "redis_channels.h"

struct redis_own_rooms {
    struct redis_common *common;
    const struct redis_channels *channels;
};

/* The connection is up and the gateway's id claimed. Both are borrowed until the commander is closed. */
void redis_own_rooms_check(struct redis_own_rooms *own);

#endif
