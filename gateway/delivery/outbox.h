/* outbox.h -- what a connection still has to be sent.
 *
 * * A ring of slices of shared blocks: only what the kernel did not take at once comes here. A small piece of a big
 * block is copied instead, so that a few bytes that wait never hold much memory (a reader that had stopped held 396 MiB
 * of blocks with 78 KB of slices). Every block in here is whole frames from its beginning. The outbox never writes; it
 * exists only while there is something in it, so that an idle connection pays one pointer. Owned by: outlet. Called by:
 * flush. */
#ifndef PLENUM_GATEWAY_DELIVERY_OUTBOX_H
#define PLENUM_GATEWAY_DELIVERY_OUTBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "block.h"

/* A part of a block; holds a reference to it. */
struct slice {
    struct block *block;
    uint32_t from, to; /* byte offsets, from < to */
};

struct outbox {
    struct slice *ring;   /* capacity a power of two, grown on demand */
    uint32_t head, count; /* in slices */
    uint32_t cap;
    size_t bytes;           /* queued, not yet given to the kernel */
    uint64_t soft_since_ms; /* clock_ms since when it has been above the soft limit; 0: it is not */
};

struct outbox *outbox_new(void);
/* Lets go of everything in it. */
void outbox_free(struct outbox *box);

/* Queues bytes from..to of block: whole frames, but for the first piece, which may begin in the middle of one. Takes a
 * reference to the block, or copies; the caller keeps its own. */
void outbox_push(struct outbox *box, struct block *block, uint32_t from, uint32_t to);

/* Fills pieces with the first slices. Returns how many there are, at most max. */
int outbox_peek(const struct outbox *box, struct iovec *pieces, int max);

/* Drops the first n bytes: they were sent. */
void outbox_consume(struct outbox *box, size_t n);

/* Drops all but the rest of the frame that has been sent in part, if there is one. frame_size: bytes of the frame that
 * begins there, or 0 where the block is not made of frames: then the first slice is kept. */
void outbox_trim(struct outbox *box, size_t (*frame_size)(const uint8_t *frame));

#endif
