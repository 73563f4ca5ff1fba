/* block.c -- see block.h. */
#include "block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/xalloc.h"

enum { SMALLEST = 512 }; /* a lone chat message with its header */

struct block *block_new(struct counters *counters, size_t room)
{
    size_t cap = room < SMALLEST ? SMALLEST : room;
    struct block *block = xmalloc(sizeof *block + cap);
    *block = (struct block){.counters = counters, .refs = 1, .cap = (uint32_t)cap};
    counter_add(counters, GAUGE_BLOCK_BYTES, cap);
    return block;
}

struct block *block_reserve(struct block *block, size_t more)
{
    size_t needed = block->len + more;
    if (needed <= block->cap)
        return block;
    size_t cap = block->cap + block->cap / 2;
    if (cap < needed)
        cap = needed;
    assert(cap <= UINT32_MAX);
    if (block->refs > 1) { /* an outbox looks into it already: for that one it stays where it is */
        struct block *moved = block_new(block->counters, cap);
        memcpy(moved->data, block->data, block->len);
        moved->len = block->len;
        block_unref(block);
        return moved;
    }
    counter_add(block->counters, GAUGE_BLOCK_BYTES, cap - block->cap);
    block = xrealloc(block, sizeof *block + cap);
    block->cap = (uint32_t)cap;
    return block;
}

struct block *block_ref(struct block *block)
{
    block->refs++;
    return block;
}

void block_unref(struct block *block)
{
    if (--block->refs)
        return;
    counter_sub(block->counters, GAUGE_BLOCK_BYTES, block->cap);
    free(block);
}
