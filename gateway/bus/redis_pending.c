/* redis_pending.c -- see redis_pending.h. */
#include "redis_pending.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/xalloc.h"

enum { FIRST_CAP = 64 };

static void make_room(struct pending_ring *ring)
{
    if (ring->count < ring->cap)
        return;
    struct pending_ring larger = {.cap = ring->cap ? ring->cap * 2 : FIRST_CAP, .count = ring->count};
    larger.items = xmalloc(larger.cap * sizeof *larger.items);
    for (uint32_t i = 0; i < ring->count; i++)
        larger.items[i] = *pending_at(ring, i);
    free(ring->items);
    *ring = larger;
}

void pending_push(struct pending_ring *ring, struct pending item)
{
    make_room(ring);
    ring->count++;
    *pending_at(ring, ring->count - 1) = item;
}

struct pending pending_pop(struct pending_ring *ring)
{
    assert(ring->count > 0);
    struct pending item = *pending_at(ring, 0);
    ring->head = (ring->head + 1) & (ring->cap - 1);
    ring->count--;
    return item;
}

void pending_close(struct pending_ring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++)
        free(pending_at(ring, i)->command);
    free(ring->items);
    *ring = (struct pending_ring){0};
}
