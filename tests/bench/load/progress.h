/* progress.h -- a line on stderr once a second, so that a long run is seen to be alive.
 *
 * On a terminal the line replaces itself. Called by: swarm (opening), pace (publishing). */
#ifndef PLENUM_BENCH_PROGRESS_H
#define PLENUM_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "accounting.h"

struct progress {
    bool on, terminal;
    const char *label;
    uint64_t begun_ns, last_ns;
    uint64_t last_sent, last_delivered;
};

void progress_init(struct progress *progress, const char *label, bool on);

/* Call as often as you like. doing is a word: opening, warming up, measuring, draining. */
void progress_tick(struct progress *progress, const char *doing, int connected, const struct accounting *accounting,
                   uint64_t now);

/* Leaves the terminal as it was. */
void progress_end(struct progress *progress);

#endif
