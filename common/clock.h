/* clock.h -- time, as a thing that is handed in.
 *
 * Whoever measures or waits gets a clock at creation, so that a test can turn its hands. */
#ifndef PLENUM_COMMON_CLOCK_H
#define PLENUM_COMMON_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*monotonic_ns)(void *ctx); /* never goes back; its origin means nothing */
    int64_t (*wall_ms)(void *ctx);       /* ms since 1970, for display and envelopes only */
    void *ctx;
};

/* The machine's clock. */
const struct clock *clock_system(void);

static inline uint64_t clock_ns(const struct clock *clock)
{
    return clock->monotonic_ns(clock->ctx);
}

static inline uint64_t clock_ms(const struct clock *clock)
{
    return clock->monotonic_ns(clock->ctx) / 1000000;
}

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->ctx);
}

#endif
