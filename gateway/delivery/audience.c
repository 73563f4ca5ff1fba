/* audience.c -- see audience.h. */
#include "audience.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
    if (batch->asides)
        block_unref(batch->asides);
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

/* Forgets what a target was to skip or to get by itself: it has been given that, and comes back. */
static void batch_forget(struct batch *batch, uint64_t id)
{
    if (!(batch->skip_mask >> (id % 64) & 1))
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->skip_count; i++)
        if (batch->skips[i].id != id)
            batch->skips[kept++] = batch->skips[i];
    batch->skip_count = kept;
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
    if (!open->block)
        return;
    batch_forget(&audience->open, target->id);
    if (open->block->len) /* what the turn has brought so far came before it */
        batch_skip(&audience->open,
                   (struct skip){.id = target->id, .to = open->block->len, .messages = open->messages});
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

static struct block *make_room(struct audience *audience, struct block *block, size_t room)
{
    return block ? block_reserve(block, room) : block_new(audience->counters, room);
}

/* Leaves out a run for one target, which gets the bytes in its place. */
static void skip_with(struct audience *audience, struct skip skip, struct bytes instead)
{
    struct batch *open = &audience->open;
    if (instead.len) {
        open->asides = make_room(audience, open->asides, instead.len);
        memcpy(open->asides->data + open->asides->len, instead.data, instead.len);
    }
    skip.aside_from = open->asides ? open->asides->len : 0;
    if (instead.len)
        open->asides->len += (uint32_t)instead.len;
    skip.aside_to = skip.aside_from + (uint32_t)instead.len;
    batch_skip(open, skip);
}

bool audience_append_instead(struct audience *audience, const struct envelope *envelope, uint64_t except,
                             struct bytes instead)
{
    const struct encoding *encoding = audience->encoding;
    size_t bound = encoding->bound(encoding, envelope);
    if (bound == 0)
        return false;
    struct batch *open = &audience->open;
    open->block = make_room(audience, open->block, bound);
    uint32_t from = open->block->len;
    open->block->len += (uint32_t)encoding->encode(encoding, envelope, open->block->data + from);
    open->messages++;
    if (except)
        skip_with(audience, (struct skip){.id = except, .from = from, .to = open->block->len, .messages = 1}, instead);
    return true;
}

bool audience_append(struct audience *audience, const struct envelope *envelope, uint64_t except)
{
    return audience_append_instead(audience, envelope, except, (struct bytes){NULL, 0});
}

bool audience_notice(struct audience *audience, const struct notice *notice, uint64_t except)
{
    const struct encoding *encoding = audience->encoding;
    size_t bound = encoding->notice_bound ? encoding->notice_bound(encoding, notice) : 0;
    if (bound == 0)
        return false;
    struct batch *open = &audience->open;
    open->block = make_room(audience, open->block, bound);
    uint32_t from = open->block->len;
    open->block->len += (uint32_t)encoding->notice_encode(encoding, notice, open->block->data + from);
    if (except)
        skip_with(audience, (struct skip){.id = except, .from = from, .to = open->block->len}, (struct bytes){NULL, 0});
    return true;
}

uint32_t audience_place(const struct audience *audience)
{
    return audience->open.block ? audience->open.block->len : 0;
}

void audience_instead(struct audience *audience, uint64_t id, uint32_t from, struct bytes instead)
{
    skip_with(audience, (struct skip){.id = id, .from = from, .to = audience_place(audience)}, instead);
}

bool audience_aside(struct target *target, struct bytes bytes)
{
    struct audience *audience = target->audience;
    struct batch *open = &audience->open;
    bool sealed = target->index >= audience->cursor && target->index < audience->end;
    if (!open->block && !sealed)
        return false;
    open->block = make_room(audience, open->block, 1); /* it may hold nothing but asides */
    skip_with(audience, (struct skip){.id = target->id, .from = open->block->len, .to = open->block->len}, bytes);
    return true;
}

static int compare_skips(const void *left, const void *right)
{
    const struct skip *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->aside_from < b->aside_from ? -1 : a->aside_from > b->aside_from;
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
