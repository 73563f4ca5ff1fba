/* audience.c -- see audience.h. */
#include "audience.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/xalloc.h"

struct audience *audience_new(const struct encoding *encoding, struct counters *counters)
{
    struct audience *audience = xcalloc(1, sizeof *audience);
    audience->encoding = encoding;
    audience->counters = counters;
    return audience;
}

static void batch_clear(struct batch *batch)
{
    if (batch->block)
        block_unref(batch->block);
    free(batch->skips);
    *batch = (struct batch){0};
}

void audience_free(struct audience *audience)
{
    assert(audience->count == 0 && !audience->queued);
    batch_clear(&audience->open);
    batch_clear(&audience->sealed);
    free(audience->targets);
    free(audience);
}

static void batch_skip(struct batch *batch, struct skip skip)
{
    if (batch->skip_count == batch->skip_cap) {
        batch->skip_cap = batch->skip_cap ? 2 * batch->skip_cap : 4;
        batch->skips = xrealloc(batch->skips, batch->skip_cap * sizeof *batch->skips);
    }
    batch->skips[batch->skip_count++] = skip;
    batch->sorted = false;
    batch->skip_mask |= (uint64_t)1 << (skip.id % 64);
}

static void put(struct audience *audience, uint32_t index, struct target *target)
{
    audience->targets[index] = target;
    target->index = index;
}

void audience_add(struct audience *audience, struct target *target)
{
    if (audience->count == audience->cap) {
        audience->cap = audience->cap ? audience->cap + (audience->cap + 1) / 2 : 1;
        audience->targets = xrealloc(audience->targets, audience->cap * sizeof(struct target *));
    }
    target->audience = audience;
    put(audience, audience->count++, target);
    const struct batch *open = &audience->open;
    if (open->block) /* what the turn has brought so far came before it */
        batch_skip(&audience->open, (struct skip){target->id, 0, open->block->len, open->messages});
}

/* Fills a hole with the last target of its part, whose place is the hole then. Returns that place. */
static uint32_t fill(struct audience *audience, uint32_t hole, uint32_t last)
{
    if (hole != last) /* else the slot may hold what has just been moved away */
        put(audience, hole, audience->targets[last]);
    return last;
}

void audience_remove(struct target *target)
{
    struct audience *audience = target->audience;
    uint32_t hole = target->index;
    assert(audience->targets[hole] == target);
    if (hole < audience->cursor) /* each part hands its hole on to the next */
        hole = fill(audience, hole, --audience->cursor);
    if (hole < audience->end)
        hole = fill(audience, hole, --audience->end);
    fill(audience, hole, --audience->count);
    if (audience->count == 0) {
        free(audience->targets);
        audience->targets = NULL;
        audience->cap = 0;
    }
}

bool audience_append(struct audience *audience, const struct envelope *envelope, uint64_t except)
{
    const struct encoding *encoding = audience->encoding;
    size_t bound = encoding->bound(encoding, envelope);
    if (bound == 0)
        return false;
    struct batch *open = &audience->open;
    if (open->block)
        open->block = block_reserve(open->block, bound);
    else
        open->block = block_new(audience->counters, bound);
    uint32_t from = open->block->len;
    open->block->len += (uint32_t)encoding->encode(encoding, envelope, open->block->data + from);
    open->messages++;
    if (except)
        batch_skip(open, (struct skip){except, from, open->block->len, 1});
    return true;
}

static int compare_skips(const void *left, const void *right)
{
    const struct skip *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->from < b->from ? -1 : a->from > b->from;
}

void batch_sort(struct batch *batch)
{
    if (batch->skip_count > 1 && !batch->sorted)
        qsort(batch->skips, batch->skip_count, sizeof *batch->skips, compare_skips);
    batch->sorted = true;
}

void audience_seal(struct audience *audience)
{
    assert(!audience->sealed.block);
    audience->sealed = audience->open;
    audience->open = (struct batch){0};
    audience->cursor = 0;
    audience->end = audience->count;
    batch_sort(&audience->sealed);
}

void audience_sealed_done(struct audience *audience)
{
    batch_clear(&audience->sealed);
    audience->cursor = audience->end = 0;
}

const struct skip *batch_skips(const struct batch *batch, uint64_t id)
{
    if (!(batch->skip_mask >> (id % 64) & 1))
        return NULL;
    uint32_t low = 0, high = batch->skip_count;
    while (low < high) { /* the first that is not below id */
        uint32_t middle = low + (high - low) / 2;
        if (batch->skips[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < batch->skip_count && batch->skips[low].id == id ? &batch->skips[low] : NULL;
}
