/* admin_site.h -- what the admin port offers: /healthz, /readyz, /metrics, and the HTTP API.
 *
 * Runs on the main thread, so that a busy worker cannot keep the probes from being answered: they only read counters.
 * Probes and metrics need no token; the API may (api_guard.h). */
#ifndef PLENUM_GATEWAY_ADMIN_ADMIN_SITE_H
#define PLENUM_GATEWAY_ADMIN_ADMIN_SITE_H

#include "../net/server.h"
#include "api.h"

struct admin_site {
    const struct counters *const *workers;
    int worker_count;
    const struct clock *clock;
    bool uses_redis, ready_needs_redis;
    bool draining; /* set by main */
    struct api *api;
};

/* For server_init, with a struct admin_site as its ctx. */
extern const struct site admin_site;

#endif
