/* ring.c -- see ring.h. */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/xalloc.h"

enum { FIRST_CAPACITY = 4 };

static struct ring_entry *at(const struct ring *ring, uint32_t place)
{
    return &ring->entries[(ring->head + place) & (ring->cap - 1)];
}

static void drop_oldest(struct ring *ring)
{
    struct ring_entry *oldest = at(ring, 0);
    ring->bytes -= oldest->len;
    free(oldest->data);
    ring->head = (ring->head + 1) & (ring->cap - 1);
    ring->count--;
}

static void grow(struct ring *ring)
{
    uint32_t cap = ring->cap ? 2 * ring->cap : FIRST_CAPACITY;
    struct ring_entry *entries = xmalloc(cap * sizeof *entries);
    for (uint32_t i = 0; i < ring->count; i++)
        entries[i] = *at(ring, i);
    free(ring->entries);
    ring->entries = entries;
    ring->cap = cap;
    ring->head = 0;
}

void ring_clear(struct ring *ring)
{
    while (ring->count)
        drop_oldest(ring);
    free(ring->entries);
    *ring = (struct ring){0};
}

void ring_push(struct ring *ring, uint64_t seq, struct bytes envelope)
{
    if (ring->count && seq != ring->last + 1)
        ring_clear(ring);
    while (ring->count == RING_ENTRIES || (ring->count && ring->bytes + envelope.len > RING_BYTES))
        drop_oldest(ring);
    if (ring->count == ring->cap)
        grow(ring);
    struct ring_entry entry = {xmalloc(envelope.len), (uint32_t)envelope.len};
    memcpy(entry.data, envelope.data, envelope.len);
    *at(ring, ring->count++) = entry;
    ring->bytes += entry.len;
    ring->last = seq;
}

struct bytes ring_get(const struct ring *ring, uint64_t seq)
{
    if (seq > ring->last || ring->last - seq >= ring->count)
        return (struct bytes){NULL, 0};
    const struct ring_entry *entry = at(ring, ring->count - 1 - (uint32_t)(ring->last - seq));
    return (struct bytes){entry->data, entry->len};
}
