/* histogram.h -- how often which value came: 32 steps to a power of two, so a value is known to 3 %.
 *
 * Owned by: accounting. Read by: report. */
#ifndef PLENUM_BENCH_HISTOGRAM_H
#define PLENUM_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_SIZE = 60 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t counts[HISTOGRAM_SIZE];
    uint64_t total, max;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value below which the share (0 to 1) of all values lies; 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
