/* admin_site.h -- what the admin port offers: /healthz, /readyz, /metrics.
 *
 * Runs on the main thread, so that a busy worker cannot keep the probes from being answered. It only reads counters. */
#ifndef PLENUM_GATEWAY_ADMIN_ADMIN_SITE_H
#define PLENUM_GATEWAY_ADMIN_ADMIN_SITE_H

#include "../net/server.h"

struct admin_site {
    const struct counters *const *workers;
    int worker_count;
    const struct clock *clock;
    bool uses_redis, ready_needs_redis;
    bool draining; /* set by main */
};

/* For server_init, with a struct admin_site as its ctx. */
extern const struct site admin_site;

#endif
