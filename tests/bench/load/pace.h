/* pace.h -- when messages are sent: at a rate, in bursts, or as fast as a window of unfinished messages allows.
 *
 * A rate is a schedule fixed at the start: when the generator is late it catches up, and tells by how much it was late.
 * Owned by: main. */
#ifndef PLENUM_BENCH_PACE_H
#define PLENUM_BENCH_PACE_H

#include "publisher.h"

struct pace {
    struct publisher *publisher;
    struct progress *progress;
    uint64_t late_max_ns;   /* behind the schedule, at most */
    uint64_t window_resets; /* times that losses had closed all windows */
};

/* Publishes for so many seconds, then waits until all has arrived or nothing has for options.drain seconds.
 * Returns the seconds published. */
double pace_run(struct pace *pace, double seconds, const char *doing);

#endif
