/* redis_bus.h -- the bus through one redis-server.
 *
 * Two connections per worker: a subscriber, which does nothing but SUBSCRIBE, UNSUBSCRIBE and PING, and a commander.
 * Both are found dead by a PING with a nonce every second (2 s deadline); a probe through the publish path after 5 s of
 * silence proves that the bus delivers at all. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_BUS_H
#define PLENUM_GATEWAY_BUS_REDIS_BUS_H

#include "../../common/env.h"
#include "../counters.h"
#include "bus.h"
#include "gateway_report.h"

/* Where Redis is: redis://[user[:password]@]host[:port][/db], or redis+unix://[user[:password]@]/path[?db=N]. */
struct redis_url {
    char *host; /* NULL for a unix socket */
    int port;
    char *path;            /* of the unix socket */
    char *user, *password; /* NULL where there is none; percent-decoded */
    int db;
};

/* Parses; returns NULL, or what is wrong in words (a constant). Fields are the caller's to free by redis_url_free. */
const char *redis_url_parse(const char *text, struct redis_url *out) __attribute__((warn_unused_result));
void redis_url_free(struct redis_url *url);

struct redis_bus_options {
    struct redis_url url; /* borrowed for the bus's life */
    const char *prefix;
    gateway_report_fn report;
};

/* Starts to connect and returns; the bus takes subscriptions and publishes from the first moment. env, options and
 * counters are borrowed for its life. */
struct bus *redis_bus_new(const struct env *env, const struct redis_bus_options *options, struct counters *counters,
                          const struct bus_events *events, void *ctx);

#endif
