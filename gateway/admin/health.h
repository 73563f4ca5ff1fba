/* health.h -- what /healthz and /readyz say, from the workers' counters alone.
 *
 * The two questions are Kubernetes's: "should this process be killed?" and "should it get new clients?". A lost Redis
 * is no reason to kill: a restart would not bring it back, and would cost every member their connection. Called by: the
 * admin listener. Thread: any. Pure. */
#ifndef PLENUM_GATEWAY_ADMIN_HEALTH_H
#define PLENUM_GATEWAY_ADMIN_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../counters.h"

/* True while every loop has shown a sign of life (GAUGE_LAST_TURN_MS) in the last 5 s. now_ms: clock_ms of the same
 * clock. Never looks at Redis. */
bool health_live(const struct counters *const *workers, int count, uint64_t now_ms);

/* The answer to /readyz: {"status":"ready","redis":"up"}, or "bus":"local" in redis's place. *status is 200, or 503
 * while draining ("draining"), or while Redis is away and ready_needs_redis says that this counts ("unavailable").
 * Redis is up when every worker's is. Returns the JSON, terminated, and its length; the caller frees it. */
char *health_ready(const struct counters *const *workers, int count, bool uses_redis, bool ready_needs_redis,
                   bool draining, int *status, size_t *len);

#endif
