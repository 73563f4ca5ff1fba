/* pacing.h -- how long to wait before polling, so that a turn finds more to do.
 *
 * In small rooms a message costs a wake-up more than it costs sends. When the last eight turns came faster than one per
 * interval, the loop rests for what is left of the interval; when they did not, it does not wait at all, so a lone
 * message is never delayed. A pure function of the times it is given. Owned by: worker. */
#ifndef PLENUM_GATEWAY_PACING_H
#define PLENUM_GATEWAY_PACING_H

#include <stdint.h>

enum { PACING_TURNS = 8 };

struct pacing {
    uint64_t interval_ns;         /* 0: never wait */
    uint64_t turns[PACING_TURNS]; /* when the last ones began, a ring */
    uint32_t at;
};

/* A turn ends at now_ns: returns how long to wait before the next one, 0 for not at all. */
uint64_t pacing_wait_ns(struct pacing *pacing, uint64_t now_ns);

#endif
