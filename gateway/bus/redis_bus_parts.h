/* redis_bus_parts.h -- the Redis bus from within: its parts, and who tells whom.
 *
 *   redis_subscriber  SUBSCRIBE and what comes back        redis_channels  what is wanted and what is confirmed
 *   redis_commander   commands, answers, deadlines         redis_inbox     the channels of the gateway itself
 *   redis_log         publishes into logs                  redis_history   positions and entries of logs
 *   redis_presence    who is where                         redis_reaper    the end of dead gateways
 *   redis_admin       signals, commands, hashes, lists     redis_beat      the gateway's id and sign of life
 *   redis_probe       does it deliver?                     pressure        how much waits
 *
 * redis_bus.c is what those above call; redis_bus_parts.c is what the parts tell, and time. It serves once both
 * connections are up, show the same server, and the gateway's id is claimed.
 * Owned by: the worker, as a bus. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_BUS_PARTS_H
#define PLENUM_GATEWAY_BUS_REDIS_BUS_PARTS_H

#include "redis_admin.h"
#include "redis_beat.h"
#include "redis_bus.h"
#include "redis_commander.h"
#include "redis_history.h"
#include "redis_inbox.h"
#include "redis_log.h"
#include "redis_own_rooms.h"
#include "redis_presence.h"
#include "redis_probe.h"
#include "redis_reaper.h"
#include "redis_subscriber.h"

struct redis_bus {
    struct bus base; /* first */
    const struct env *env;
    const struct redis_bus_options *options;
    struct counters *counters;
    struct redis_common common;
    char gen_before[GEN_MAX + 1]; /* the one before common.gen */
    struct redis_scripts scripts;

    struct redis_subscriber subscriber;
    struct redis_commander commander;
    struct redis_inbox inbox;
    struct redis_beat beat;
    struct redis_probe probe;
    struct redis_log log;
    struct redis_history history;
    struct redis_presence presence;
    struct redis_admin admin;
    struct redis_reaper reaper;
    bool was_up;              /* the id was claimed before, on another connection, */
    char up_gen[GEN_MAX + 1]; /* ... of a server with this gen */
    struct redis_own_rooms own_rooms;
    bool deaf; /* said by those above: the subscriber is replaced at the end of the turn */

    char *scratch; /* header and payload of the message being published */
    size_t scratch_cap;

    uv_timer_t timer;
    uint64_t tick_ms; /* when it last came */

    bool closing, commander_closing;
    uint64_t close_by_ms;
    int open_parts; /* of three: subscriber, commander, timer */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* Begins all parts; bus->base, env, options and counters are set. From now on they tell. */
void redis_bus_open_parts(struct redis_bus *bus, void *report_ctx);

/* Says goodbye and ends them: bus->on_closed is called, later, when the bus is freed. */
void redis_bus_close_parts(struct redis_bus *bus);

/* Brings GAUGE_BUS_UP and GAUGE_BUS_PENDING_BYTES up to date. */
void redis_bus_update_gauges(struct redis_bus *bus);

#endif
