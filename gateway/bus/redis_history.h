/* redis_history.h -- asks about a room's log: where it stands, and what is in it.
 *
 * Each function is the bus operation of that name (bus.h). Owned by: redis_bus, which embeds it. Thread: the worker's.
 */
#ifndef PLENUM_GATEWAY_BUS_REDIS_HISTORY_H
#define PLENUM_GATEWAY_BUS_REDIS_HISTORY_H

#include "redis_asks.h"

struct redis_history {
    struct redis_asks asks;
};

/* common is borrowed for its life. */
void redis_history_init(struct redis_history *history, struct redis_common *common);
void redis_history_mute(struct redis_history *history);  /* at bus_close: nobody is told any more */
void redis_history_close(struct redis_history *history); /* after redis_commander_close */

void redis_history_locate(struct redis_history *history, struct bytes room, struct bytes epoch, uint64_t seq,
                          const struct bus_ask *ask);
void redis_history_peek(struct redis_history *history, struct bytes room, const struct bus_ask *ask);
void redis_history_read(struct redis_history *history, struct bytes room, const struct log_range *range,
                        const struct bus_ask *ask);

#endif
