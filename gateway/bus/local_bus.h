/* local_bus.h -- the bus inside one process: no Redis, any number of workers; logs and presence are in the hub's
 * memory.
 *
 * One hub per process holds the program's only lock. A worker appends the turn's envelopes once; the hub gives them
 * their order and copies the bytes to the inbox of each worker that subscribed to the room, with one uv_async_send per
 * other worker and turn (the appender drains its own inbox in the same turn, so that one worker needs no wake-up). No
 * reference count crosses threads.
 * Thread: the hub any, a bus its worker's. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_BUS_H
#define PLENUM_GATEWAY_BUS_LOCAL_BUS_H

#include "../../common/env.h"
#include "../counters.h"
#include "bus.h"
#include "gateway_report.h"

struct local_hub;

struct local_hub *local_hub_new(void);
/* After every bus on it is closed. */
void local_hub_free(struct local_hub *hub);

/* A worker's bus on the hub. env and counters are borrowed for its life; report may be NULL. */
struct bus *local_bus_new(struct local_hub *hub, const struct env *env, struct counters *counters,
                          gateway_report_fn report, const struct bus_events *events, void *ctx);

#endif
