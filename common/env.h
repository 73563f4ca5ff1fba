/* env.h -- what a module needs from the world, given to it when it is made.
 *
 * One per worker, on the worker's thread; a test makes its own, with its own clock and random numbers. */
#ifndef PLENUM_COMMON_ENV_H
#define PLENUM_COMMON_ENV_H

#include <uv.h>

#include "clock.h"
#include "log.h"
#include "random.h"

struct env {
    uv_loop_t *loop;
    const struct clock *clock;
    const struct random *random;
    struct log *log;
};

#endif
