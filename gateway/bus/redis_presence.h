/* redis_presence.h -- who is in a room: tells it to the server, and asks it.
 *
 * A batch is one call of presence.lua, which changes and publishes at once. A large one (more than 256 changes or 128
 * KiB) is told in parts, one after the other, so that no script runs long and no event is larger than a message: then
 * "all or nothing" holds for each part, and after BUS_LOST or BUS_DENIED a first part may stand. Telling again is safe:
 * the script tells the room only what is news. Batches of a room are applied in the order in which they are told; who
 * has told one that may have parts waits for its end before the next.
 * The room's name stands in plenum:gw:<gw>:rooms before its first member and until after its last, so that a reaper
 * finds it.
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_PRESENCE_H
#define PLENUM_GATEWAY_BUS_REDIS_PRESENCE_H

#include "redis_asks.h"

struct redis_presence {
    struct redis_asks asks;
};

/* common is borrowed for its life. */
void redis_presence_init(struct redis_presence *presence, struct redis_common *common);
void redis_presence_mute(struct redis_presence *presence);  /* at bus_close: nobody is told any more */
void redis_presence_close(struct redis_presence *presence); /* the commander's on_closed has come */

/* bus_presence, bus_members, bus_counts. */
void redis_presence_tell(struct redis_presence *presence, const struct presence_batch *batch,
                         const struct bus_ask *ask);
void redis_presence_members(struct redis_presence *presence, struct bytes room, const struct bus_ask *ask);
void redis_presence_counts(struct redis_presence *presence, struct bytes room, const struct bus_ask *ask);

#endif
