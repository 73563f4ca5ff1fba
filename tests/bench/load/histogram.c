/* histogram.c -- how often which value came: see histogram.h. */
#include "histogram.h"

/* Below 32 a step is one value. Above, the five bits behind the highest one choose the step of its power of two. */
static unsigned step_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 5u;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift & (HISTOGRAM_STEPS - 1));
}

static uint64_t middle_of(unsigned step)
{
    if (step < HISTOGRAM_STEPS)
        return step;
    unsigned shift = step / HISTOGRAM_STEPS - 1;
    return ((uint64_t)(HISTOGRAM_STEPS + step % HISTOGRAM_STEPS) << shift) + (1ull << shift >> 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[step_of(value)]++;
    histogram->total++;
    if (value > histogram->max)
        histogram->max = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)(share * (double)histogram->total), sum = 0;

    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++) {
        sum += histogram->counts[i];
        if (sum > rank)
            return middle_of(i) < histogram->max ? middle_of(i) : histogram->max;
    }
    return histogram->max;
}
