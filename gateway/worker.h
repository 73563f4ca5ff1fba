/* worker.h -- one event loop with everything that serves its clients: a node of its own.
 *
 * A worker has its loop, listener, bus, rooms and pools, and shares nothing on a message's way. Only worker.c knows its
 * inside. Made, started and joined by main; asked to drain or stop from any thread. */
#ifndef PLENUM_GATEWAY_WORKER_H
#define PLENUM_GATEWAY_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "../common/log.h"
#include "bus/local_bus.h"
#include "bus/redis_bus.h"
#include "config.h"
#include "counters.h"

struct task_inbox;
struct worker;

/* What the workers of a process share; constant but for the count, and alive longer than they are. */
struct worker_setup {
    const struct config *config;
    struct log *log;
    struct local_hub *hub;         /* NULL: Redis */
    const struct redis_url *redis; /* NULL: the hub */
    uint32_t max_connections;      /* of the process */
    _Atomic uint32_t *connections;
    int64_t started_ms;         /* wall clock */
    void (*on_done)(void *ctx); /* a worker has ended; on its thread */
    void *ctx;
};

/* Makes a worker and opens its listener on address, whose port 0 becomes the chosen one. Returns NULL after one clear
 * log line when the port cannot be had. */
struct worker *worker_new(const struct worker_setup *setup, struct config_address *address);

/* Runs it on a thread of its own. Returns 0 or a UV_ error. */
int worker_start(struct worker *worker) __attribute__((warn_unused_result));

/* Any thread. Drain: stop accepting, close clients with 1012 spread over the drain time, end. Stop: end at once. */
void worker_drain(struct worker *worker);
void worker_stop(struct worker *worker);

/* Waits for a started one, then frees it. Counters stay readable until then. */
void worker_free(struct worker *worker);

const struct counters *worker_counters(const struct worker *worker);

/* Where the admin's thread leaves tasks for it (tasks.h); their ctx is the worker's rooms. */
struct task_inbox *worker_inbox(struct worker *worker);

#endif
