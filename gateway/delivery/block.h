/* block.h -- the bytes of one audience and one turn.
 *
 * What an audience gets in one turn of the loop is written into one block, frame behind frame, and every member is sent
 * from it; an outbox keeps slices of it for those who could not take all. The memory is charged once, to the block,
 * however many outboxes look into it. Counted references; one thread.
 * Owned by: audience while it is open, then by whoever holds a reference. */
#ifndef PLENUM_GATEWAY_DELIVERY_BLOCK_H
#define PLENUM_GATEWAY_DELIVERY_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "../counters.h"

struct block {
    struct counters *counters; /* GAUGE_BLOCK_BYTES is kept there */
    uint32_t refs;
    uint32_t len, cap; /* bytes used, bytes there */
    uint8_t data[];
};

/* An empty block with room for at least `room` bytes and one reference. */
struct block *block_new(struct counters *counters, size_t room);

/* Makes room for `more` further bytes behind those that are there. The caller's reference goes with the block, which
 * may move; who else holds one keeps what he saw. */
struct block *block_reserve(struct block *block, size_t more);

struct block *block_ref(struct block *block);
void block_unref(struct block *block);

#endif
