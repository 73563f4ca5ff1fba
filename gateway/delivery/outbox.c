/* outbox.c -- see outbox.h. */
#include "outbox.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/xalloc.h"

enum { FIRST_CAPACITY = 4 };

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

void outbox_push(struct outbox *box, struct block *block, uint32_t from, uint32_t to)
{
    assert(from < to);
    box->bytes += to - from;
    if (box->count) {
        struct slice *last = at(box, box->count - 1);
        if (last->block == block && last->to == from) {
            last->to = to;
            return;
        }
    }
    if (box->count == box->cap)
        grow(box);
    *at(box, box->count++) = (struct slice){block_ref(block), from, to};
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
