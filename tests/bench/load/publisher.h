/* publisher.h -- makes stamped messages and queues them, as the dialect has it.
 *
 * Owned by: main. Called by: pace, which decides when, and flushes. */
#ifndef PLENUM_BENCH_PUBLISHER_H
#define PLENUM_BENCH_PUBLISHER_H

#include "swarm.h"

struct publisher {
    struct swarm *swarm;
    char *payload; /* options.size bytes; the stamp is written anew each time */
    char *text;    /* room for a filled-in template */
    size_t text_cap;
};

void publisher_init(struct publisher *publisher, struct swarm *swarm);
void publisher_close(struct publisher *publisher);

/* Queues the next message of publisher number `index`. Nothing happens when its connection is dead. */
void publisher_queue(struct publisher *publisher, int index);

#endif
