/* local_presence.h -- who is in the rooms of the local bus, by worker.
 *
 * What presence.lua and reap.lua do on Redis, in the same words: what stands already is no news, and many changes are
 * told in several events, so that none is larger than a message.
 * Owned by: local_hub. Called by: local_bus. Thread: any. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_PRESENCE_H
#define PLENUM_GATEWAY_BUS_LOCAL_PRESENCE_H

#include "local_hub.h"

/* bus_presence, bus_members, bus_counts of the room of that name; each takes the hub's lock. */
void local_presence_tell(struct bus *bus, const struct presence_batch *batch, const struct bus_ask *ask);
void local_presence_members(struct bus *bus, struct bytes name, const struct bus_ask *ask);
void local_presence_counts(struct bus *bus, struct bytes name, const struct bus_ask *ask);

/* Under the hub's lock: the worker is going, its members leave all rooms, as lost. */
void local_presence_lose(struct local_post *self);

#endif
