/* local_asks.h -- what the local bus is asked, but for presence.
 *
 * Each function is the bus operation of that name (bus.h; name is the room's): it takes the hub's lock, and the hub
 * answers into the worker's list. Called by: local_bus, through its table. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_ASKS_H
#define PLENUM_GATEWAY_BUS_LOCAL_ASKS_H

#include "bus.h"

void local_asks_locate(struct bus *bus, struct bytes name, struct bytes epoch, uint64_t seq, const struct bus_ask *ask);
void local_asks_peek(struct bus *bus, struct bytes name, const struct bus_ask *ask);
void local_asks_read(struct bus *bus, struct bytes name, const struct log_range *range, const struct bus_ask *ask);
void local_asks_signal(struct bus *bus, uint32_t gateway, struct bytes message, const struct bus_ask *ask);
void local_asks_command(struct bus *bus, uint32_t gateway, struct bytes line, const struct bus_ask *ask);
void local_asks_hash_read(struct bus *bus, enum bus_hash hash, struct bytes name, const struct bus_ask *ask);
void local_asks_hash_write(struct bus *bus, enum bus_hash hash, struct bytes name, struct bytes field,
                           struct bytes value, const struct bus_ask *ask);
void local_asks_rooms(struct bus *bus, const struct bus_ask *ask);
void local_asks_gateways(struct bus *bus, const struct bus_ask *ask);

#endif
