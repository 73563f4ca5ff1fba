/* outbox.c -- see outbox.h. */
#include "outbox.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/xalloc.h"

enum {
    FIRST_CAPACITY = 4,
    COPY_BELOW = 4,  /* a piece of less than a quarter of its block is copied */
    OWN_BYTES = 4096 /* of a block that copies are gathered in */
};

static struct slice *at(const struct outbox *box, uint32_t position)
{
    return &box->ring[(box->head + position) & (box->cap - 1)];
}

struct outbox *outbox_new(void)
{
    struct outbox *box = xcalloc(1, sizeof *box);
    box->cap = FIRST_CAPACITY;
    box->ring = xmalloc(box->cap * sizeof *box->ring);
    return box;
}

void outbox_free(struct outbox *box)
{
    for (uint32_t i = 0; i < box->count; i++)
        block_unref(at(box, i)->block);
    free(box->ring);
    free(box);
}

static void grow(struct outbox *box)
{
    struct slice *ring = xmalloc(2 * (size_t)box->cap * sizeof *ring);
    for (uint32_t i = 0; i < box->count; i++)
        ring[i] = *at(box, i);
    free(box->ring);
    box->ring = ring;
    box->cap *= 2;
    box->head = 0;
}

static void push_slice(struct outbox *box, struct slice slice)
{
    if (box->count == box->cap)
        grow(box);
    *at(box, box->count++) = slice;
}

/* Copies a piece behind the last slice: into its block where nobody else looks into that and there is room. */
static void push_copy(struct outbox *box, const struct block *block, uint32_t from, uint32_t len)
{
    struct slice *last = at(box, box->count - 1);
    struct block *own = last->block;
    bool fits = own->refs == 1 && last->to == own->len && own->cap - own->len >= len;
    if (!fits)
        own = block_new(block->counters, len > OWN_BYTES ? len : OWN_BYTES);
    memcpy(own->data + own->len, block->data + from, len);
    own->len += len;
    if (fits)
        last->to += len;
    else
        push_slice(box, (struct slice){own, 0, len});
}

void outbox_push(struct outbox *box, struct block *block, uint32_t from, uint32_t to)
{
    assert(from < to);
    uint32_t len = to - from;
    box->bytes += len;
    struct slice *last = box->count ? at(box, box->count - 1) : NULL;
    if (last && last->block == block && last->to == from)
        last->to = to;
    else if (last && len < block->cap / COPY_BELOW)
        push_copy(box, block, from, len);
    else
        push_slice(box, (struct slice){block_ref(block), from, to});
}

int outbox_peek(const struct outbox *box, struct iovec *pieces, int max)
{
    int count = box->count < (uint32_t)max ? (int)box->count : max;
    for (int i = 0; i < count; i++) {
        const struct slice *slice = at(box, (uint32_t)i);
        pieces[i] = (struct iovec){slice->block->data + slice->from, slice->to - slice->from};
    }
    return count;
}

void outbox_consume(struct outbox *box, size_t n)
{
    assert(n <= box->bytes);
    box->bytes -= n;
    while (n) {
        struct slice *first = at(box, 0);
        size_t len = first->to - first->from;
        if (n < len) {
            first->from += (uint32_t)n;
            return;
        }
        n -= len;
        block_unref(first->block);
        box->head = (box->head + 1) & (box->cap - 1);
        box->count--;
    }
}

static void drop_last(struct outbox *box)
{
    struct slice *last = at(box, --box->count);
    box->bytes -= last->to - last->from;
    block_unref(last->block);
}

void outbox_trim(struct outbox *box, size_t (*frame_size)(const uint8_t *frame))
{
    while (box->count > 1)
        drop_last(box);
    if (box->count == 0)
        return;
    struct slice *first = at(box, 0);
    uint32_t end = 0;
    while (end < first->from) {
        size_t size = frame_size(first->block->data + end);
        if (size == 0)
            return;
        end += (uint32_t)size;
    }
    if (end == first->from) {
        drop_last(box);
        return;
    }
    box->bytes -= first->to - end;
    first->to = end;
}
