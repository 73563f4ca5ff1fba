/* report.h -- what came out: one JSON line on stdout, and the same for people on stderr.
 *
 * Called by: main, once. */
#ifndef PLENUM_BENCH_REPORT_H
#define PLENUM_BENCH_REPORT_H

#include "pace.h"

struct results {
    int connected; /* connections that were ready before the first message */
    double connect_seconds, connect_cpu;
    double seconds; /* measured, without the drain */
    double own_cpu; /* the generator's, in the measured part */
    uint64_t late_max_ns, window_resets;
};

void report_json(const struct swarm *swarm, const struct results *results);
void report_text(const struct swarm *swarm, const struct results *results);

#endif
