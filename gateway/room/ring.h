/* ring.h -- the last envelopes of a room, for those who come a little late.
 *
 * At most 256, and 256 KiB of them; what is not here any more is in the log. Owned by: follow. */
#ifndef PLENUM_GATEWAY_ROOM_RING_H
#define PLENUM_GATEWAY_ROOM_RING_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/bytes.h"

enum {
    RING_ENTRIES = 256,
    RING_BYTES = 256 << 10,
    RINGS_BYTES = 64 << 20 /* of all rings of a worker: above it a room does without, until some have gone quiet */
};

struct ring_entry {
    char *data;
    uint32_t len;
};

struct ring {
    struct ring_entry *entries; /* cap of them, a power of two; NULL: empty */
    uint32_t head, count, cap;
    uint64_t last; /* seq of the newest */
    size_t bytes;
};

/* Copies an envelope. A seq that does not follow the last one empties the ring first. */
void ring_push(struct ring *ring, uint64_t seq, struct bytes envelope);

/* The envelope of that seq, valid until the next push; empty when it is not here. */
struct bytes ring_get(const struct ring *ring, uint64_t seq);

/* Gives everything back. */
void ring_clear(struct ring *ring);

#endif
