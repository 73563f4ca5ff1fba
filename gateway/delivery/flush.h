/* flush.h -- brings what a turn gathered to the sockets.
 *
 * One per worker, run once per turn from uv_prepare: whatever the turn queued, also from timers, goes out before the
 * loop sleeps. A target whose outbox is empty is sent straight from the block with one plain send; what the kernel does
 * not take becomes slices in its outbox. The run has a time budget and goes on in the next turn where it stopped.
 *
 * Knows no socket: it writes through struct sink. Called by: worker, room, connection. */
#ifndef PLENUM_GATEWAY_DELIVERY_FLUSH_H
#define PLENUM_GATEWAY_DELIVERY_FLUSH_H

#include <stdbool.h>
#include <sys/types.h>

#include "../../common/clock.h"
#include "audience.h"

enum outlet_trouble {
    OUTLET_BROKEN, /* the write failed: the peer is gone */
    OUTLET_FULL,   /* above the hard limit */
    OUTLET_SLOW    /* above the soft limit for too long */
};

/* What delivery asks of the connections. The callbacks come from the middle of a flush: what they cause (a close, a
 * leave) is carried out after it. */
struct sink {
    /* Writes without blocking: bytes taken, UV_EAGAIN, or a UV_ error. */
    ssize_t (*write)(struct outlet *outlet, const struct iovec *pieces, int count);
    /* Something waits in the outbox: call flush_outlet when the socket can take more. */
    void (*blocked)(struct outlet *outlet);
    /* It cannot go on: close it. FULL or SLOW once, and BROKEN may follow while the rest is sent; the outlet is marked
     * closed: nothing new is queued for it. */
    void (*trouble)(struct outlet *outlet, enum outlet_trouble trouble);
};

struct flush_limits {
    size_t hard_bytes, soft_bytes;
    uint64_t soft_ms;
    uint64_t budget_ns; /* of one flush_run */
};

struct flush {
    const struct sink *sink;
    const struct clock *clock;
    struct counters *counters;
    struct flush_limits limits;
    struct audience *first, *last; /* queue of audiences with something to flush */
};

void flush_init(struct flush *flush, const struct sink *sink, const struct clock *clock, struct counters *counters,
                const struct flush_limits *limits);

/* Queues an audience that was appended to. */
void flush_queue(struct flush *flush, struct audience *audience);

/* Takes it out of the queue: it is about to be freed. O(queue). */
void flush_forget(struct flush *flush, struct audience *audience);

/* Flushes what is queued. Returns true when the budget ran out and there is more: do not sleep, run again. */
bool flush_run(struct flush *flush);

/* Gives the target now what its audience still holds for it: before it is removed in good order. */
void flush_settle(struct flush *flush, struct target *target);

/* Sends bytes to one outlet, behind what waits there: replies, pings, close frames. block may be shared; the caller
 * keeps its reference. */
void flush_send(struct flush *flush, struct outlet *outlet, struct block *block);

/* The socket can take more: sends from the outbox, and frees it when it is empty. */
void flush_outlet(struct flush *flush, struct outlet *outlet);

/* For the sweep: reports an outlet that has been above the soft limit for too long. */
void flush_check_slow(struct flush *flush, struct outlet *outlet);

/* Drops what waits but for the rest of a frame that is sent in part (see outbox_trim): what is sent next comes soon. */
void flush_trim(struct flush *flush, struct outlet *outlet, size_t (*frame_size)(const uint8_t *frame));

/* Drops what waits: the connection is gone. */
void flush_discard(struct flush *flush, struct outlet *outlet);

#endif
