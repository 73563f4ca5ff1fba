/* redis_admin.h -- signals, commands, and the small things that admins read and write.
 *
 * Each function is the bus operation of that name (bus.h). Owned by: redis_bus, which embeds it. Thread: the worker's.
 */
#ifndef PLENUM_GATEWAY_BUS_REDIS_ADMIN_H
#define PLENUM_GATEWAY_BUS_REDIS_ADMIN_H

#include "redis_asks.h"

/* What comes on a gateway's inbox is a probe (redis_probe.h) or a signal. */
#define REDIS_SIGNAL_PREFIX "signal "

struct redis_admin {
    struct redis_common *common;
    struct redis_asks asks;
};

/* common is borrowed for its life. */
void redis_admin_init(struct redis_admin *admin, struct redis_common *common);
void redis_admin_mute(struct redis_admin *admin);  /* at bus_close: nobody is told any more */
void redis_admin_close(struct redis_admin *admin); /* after redis_commander_close */

/* True when what the inbox brought is a signal; then it is what on_signal is given. */
bool redis_admin_signal_read(struct bytes message, struct bytes *signal);

void redis_admin_signal(struct redis_admin *admin, uint32_t gateway, struct bytes message, const struct bus_ask *ask);
void redis_admin_command(struct redis_admin *admin, uint32_t gateway, struct bytes line, const struct bus_ask *ask);
void redis_admin_answer(struct redis_admin *admin, struct bytes line);
void redis_admin_hash_read(struct redis_admin *admin, enum bus_hash hash, struct bytes room, const struct bus_ask *ask);
void redis_admin_hash_write(struct redis_admin *admin, enum bus_hash hash, struct bytes room, struct bytes field,
                            struct bytes value, const struct bus_ask *ask);
void redis_admin_list_rooms(struct redis_admin *admin, const struct bus_ask *ask);
void redis_admin_list_gateways(struct redis_admin *admin, const struct bus_ask *ask);

#endif
