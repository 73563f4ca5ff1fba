/* swarm.h -- all connections of a run: who sits in which room and publishes as whom, on one epoll.
 *
 * Member i of the run is in room i % rooms; publisher p is in room p % rooms, on a connection of its own or on a
 * member's. Owned by: main. Called by: main, pace. */
#ifndef PLENUM_BENCH_SWARM_H
#define PLENUM_BENCH_SWARM_H

#include "connection.h"
#include "progress.h"

struct swarm {
    struct connection_env env;
    struct connection *connections; /* members first, then publishers */
    int count, members;
    struct connection **publishers; /* the connection of each publisher; several may share one */
};

/* Lays the connections out; opens none. Dies when they do not fit into the descriptor limit. */
void swarm_init(struct swarm *swarm, const struct options *options, struct accounting *accounting);

/* Closes what is open and frees the rest. */
void swarm_close(struct swarm *swarm);

/* Opens all, a few hundred at a time, and returns the seconds that took. Gives up when nothing moves for 20 s. */
double swarm_open(struct swarm *swarm, struct progress *progress);

/* Stops some members' reading as the options say, and tells the accounting who must hear what. */
void swarm_settle(struct swarm *swarm);

/* Handles what happens until the time, which may be past. Returns after the first batch of events. */
void swarm_poll(struct swarm *swarm, uint64_t until_ns);

/* What all receivers miss. */
struct losses swarm_losses(const struct swarm *swarm);

#endif
