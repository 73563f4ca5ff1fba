/* redis_probe.h -- does the bus deliver at all?
 *
 * Two healthy connections prove little: a subscriber may sit on a server that the publishes never reach. So after 5 s
 * in which nothing was delivered, a nonce is published to the gateway's own inbox; if 2 s later still nothing has come,
 * the bus is deaf and both connections are replaced.
 * Owned by: redis_bus, which embeds it and does the sending. Knows no connection. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_PROBE_H
#define PLENUM_GATEWAY_BUS_REDIS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum redis_probe_action {
    PROBE_WAIT,
    PROBE_SEND, /* publish something to the own inbox */
    PROBE_DEAF  /* drop both connections */
};

struct redis_probe {
    bool sent;         /* and nothing was delivered since */
    bool heard;        /* something was delivered since the last tick */
    uint64_t since_ms; /* of the last delivery, or when the probe was sent */
};

/* Both connections serve, from now on. */
static inline void redis_probe_start(struct redis_probe *probe, uint64_t now_ms)
{
    *probe = (struct redis_probe){.since_ms = now_ms};
}

/* Something was delivered. Called for every message: the time is taken at the next tick. */
static inline void redis_probe_heard(struct redis_probe *probe)
{
    probe->heard = true;
}

/* A few times a second while both connections serve and the inbox is confirmed. */
enum redis_probe_action redis_probe_tick(struct redis_probe *probe, uint64_t now_ms);

#endif
