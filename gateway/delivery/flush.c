/* flush.c -- see flush.h. */
#include "flush.h"

#include <uv.h>

enum {
    PIECES = 64,           /* of one sendmsg: a piece costs the kernel 50 ns, so more gains nothing */
    TARGETS_PER_LOOK = 16, /* between two looks at the clock */
    OPEN_LIMIT = 1 << 20,  /* bytes: an audience that falls this far behind is flushed whatever the budget says */
    OUTLET_TURN = 1 << 20  /* bytes that one catching-up outlet is sent in a turn */
};

void flush_init(struct flush *flush, const struct sink *sink, const struct clock *clock, struct counters *counters,
                const struct flush_limits *limits)
{
    *flush = (struct flush){.sink = sink, .clock = clock, .counters = counters, .limits = *limits};
}

void flush_queue(struct flush *flush, struct audience *audience)
{
    if (audience->queued)
        return;
    audience->queued = true;
    audience->next_dirty = NULL;
    if (flush->last)
        flush->last->next_dirty = audience;
    else
        flush->first = audience;
    flush->last = audience;
}

static struct audience *pop(struct flush *flush)
{
    struct audience *audience = flush->first;
    flush->first = audience->next_dirty;
    if (!flush->first)
        flush->last = NULL;
    audience->queued = false;
    return audience;
}

void flush_forget(struct flush *flush, struct audience *audience)
{
    if (!audience->queued)
        return;
    struct audience *before = NULL, *at = flush->first;
    while (at != audience) {
        before = at;
        at = at->next_dirty;
    }
    if (before)
        before->next_dirty = audience->next_dirty;
    else
        flush->first = audience->next_dirty;
    if (flush->last == audience)
        flush->last = before;
    audience->queued = false;
}

static void trouble(struct flush *flush, struct outlet *outlet, enum outlet_trouble what)
{
    outlet->closed = true;
    flush->sink->trouble(outlet, what);
}

/* Puts a slice into the outlet's outbox. Returns false when that was too much and the outlet is in trouble. */
static bool enqueue(struct flush *flush, struct outlet *outlet, struct block *block, uint32_t from, uint32_t to)
{
    if (!outlet->box) {
        outlet->box = outbox_new();
        flush->sink->blocked(outlet);
    }
    struct outbox *box = outlet->box;
    outbox_push(box, block, from, to);
    counter_add(flush->counters, GAUGE_OUTBOX_BYTES, to - from);
    if (box->bytes > flush->limits.soft_bytes && !box->soft_since_ms)
        box->soft_since_ms = clock_ms(flush->clock);
    if (box->bytes <= flush->limits.hard_bytes)
        return true;
    trouble(flush, outlet, OUTLET_FULL);
    return false;
}

/* A run of bytes of a block on its way to one outlet. */
struct run {
    struct block *block;
    uint32_t from, to;
};

/* Writes the runs as far as the kernel takes them. Returns the bytes taken, or -1 when the outlet is in trouble. */
static ssize_t write_runs(struct flush *flush, struct outlet *outlet, const struct run *runs, int count)
{
    struct iovec pieces[PIECES];
    for (int i = 0; i < count; i++)
        pieces[i] = (struct iovec){runs[i].block->data + runs[i].from, runs[i].to - runs[i].from};
    ssize_t n = flush->sink->write(outlet, pieces, count);
    if (n == UV_EAGAIN)
        return 0;
    if (n < 0) {
        trouble(flush, outlet, OUTLET_BROKEN);
        return -1;
    }
    counter_add(flush->counters, COUNT_BYTES_OUT, (uint64_t)n);
    return n;
}

/* Sends the runs, or queues what is not taken. Returns false when the outlet is in trouble. */
static bool send_runs(struct flush *flush, struct outlet *outlet, const struct run *runs, int count)
{
    ssize_t sent = outlet->box ? 0 : write_runs(flush, outlet, runs, count);
    if (sent < 0)
        return false;
    for (int i = 0; i < count; i++) {
        ssize_t len = runs[i].to - runs[i].from;
        if (sent >= len) {
            sent -= len;
            continue;
        }
        if (!enqueue(flush, outlet, runs[i].block, runs[i].from + (uint32_t)sent, runs[i].to))
            return false;
        sent = 0;
    }
    return true;
}

/* Gives a batch to a target that is to skip runs of it: skip is the first. */
static void give_around(struct flush *flush, struct target *target, const struct batch *batch, const struct skip *skip)
{
    const struct skip *past = batch->skips + batch->skip_count;
    struct run runs[PIECES];
    int count = 0;
    uint32_t at = 0, messages = batch->messages;
    for (; skip < past && skip->id == target->id; skip++) {
        messages -= skip->messages;
        if (skip->from > at)
            runs[count++] = (struct run){batch->block, at, skip->from};
        at = skip->to > at ? skip->to : at;
        if (skip->aside_to > skip->aside_from)
            runs[count++] = (struct run){batch->asides, skip->aside_from, skip->aside_to};
        if (count >= PIECES - 1) {
            if (!send_runs(flush, target->outlet, runs, count))
                return;
            count = 0;
        }
    }
    if (at < batch->block->len)
        runs[count++] = (struct run){batch->block, at, batch->block->len};
    if (count)
        send_runs(flush, target->outlet, runs, count);
    counter_add(flush->counters, COUNT_DELIVERIES, messages);
}

static void give(struct flush *flush, struct target *target, const struct batch *batch)
{
    if (target->outlet->closed)
        return;
    const struct skip *skip = batch_skips(batch, target->id);
    if (skip) {
        give_around(flush, target, batch, skip);
        return;
    }
    if (batch->block->len == 0)
        return; /* nothing but asides, for others */
    struct run all = {batch->block, 0, batch->block->len};
    send_runs(flush, target->outlet, &all, 1);
    counter_add(flush->counters, COUNT_DELIVERIES, batch->messages);
}

/* Goes on with the audience's sealed batch. Returns false when the deadline stopped it. */
static bool run_audience(struct flush *flush, struct audience *audience, uint64_t deadline_ns)
{
    if (!audience->sealed.block)
        audience_seal(audience);
    for (uint32_t seen = 0; audience->cursor < audience->end; seen++) {
        if (seen % TARGETS_PER_LOOK == TARGETS_PER_LOOK - 1 && clock_ns(flush->clock) > deadline_ns &&
            (!audience->open.block || audience->open.block->len < OPEN_LIMIT))
            return false;
        give(flush, audience->targets[audience->cursor++], &audience->sealed);
    }
    audience_sealed_done(audience);
    return true;
}

bool flush_run(struct flush *flush)
{
    if (!flush->first)
        return false;
    uint64_t deadline_ns = clock_ns(flush->clock) + flush->limits.budget_ns;
    while (flush->first) {
        struct audience *audience = pop(flush);
        bool done = run_audience(flush, audience, deadline_ns);
        if (!done || audience->open.block) /* behind the others: one big room must not hold up the rest */
            flush_queue(flush, audience);
        if (!done || (flush->first && clock_ns(flush->clock) > deadline_ns)) {
            counter_add(flush->counters, COUNT_FLUSH_INTERRUPTED, 1);
            return true;
        }
    }
    return false;
}

void flush_settle(struct flush *flush, struct target *target)
{
    struct audience *audience = target->audience;
    if (target->index >= audience->cursor && target->index < audience->end)
        give(flush, target, &audience->sealed);
    if (audience->open.block) {
        batch_sort(&audience->open);
        give(flush, target, &audience->open);
    }
}

void flush_send(struct flush *flush, struct outlet *outlet, struct block *block)
{
    struct run all = {block, 0, block->len};
    if (!outlet->closed)
        send_runs(flush, outlet, &all, 1);
}

static void free_box(struct outlet *outlet)
{
    outbox_free(outlet->box);
    outlet->box = NULL;
}

void flush_outlet(struct flush *flush, struct outlet *outlet)
{
    struct outbox *box = outlet->box;
    for (size_t total = 0; box->bytes && total < OUTLET_TURN;) {
        struct iovec pieces[PIECES];
        int count = outbox_peek(box, pieces, PIECES);
        ssize_t n = flush->sink->write(outlet, pieces, count);
        if (n == UV_EAGAIN || n == 0)
            break;
        if (n < 0) {
            trouble(flush, outlet, OUTLET_BROKEN);
            return;
        }
        outbox_consume(box, (size_t)n);
        counter_add(flush->counters, COUNT_BYTES_OUT, (uint64_t)n);
        counter_sub(flush->counters, GAUGE_OUTBOX_BYTES, (uint64_t)n);
        total += (size_t)n;
    }
    if (box->bytes <= flush->limits.soft_bytes)
        box->soft_since_ms = 0;
    if (box->bytes == 0)
        free_box(outlet);
}

void flush_check_slow(struct flush *flush, struct outlet *outlet)
{
    const struct outbox *box = outlet->box;
    if (box && !outlet->closed && box->soft_since_ms &&
        clock_ms(flush->clock) - box->soft_since_ms > flush->limits.soft_ms)
        trouble(flush, outlet, OUTLET_SLOW);
}

void flush_trim(struct flush *flush, struct outlet *outlet, size_t (*frame_size)(const uint8_t *frame))
{
    if (!outlet->box)
        return;
    size_t before = outlet->box->bytes;
    outbox_trim(outlet->box, frame_size);
    counter_sub(flush->counters, GAUGE_OUTBOX_BYTES, before - outlet->box->bytes);
    if (outlet->box->bytes == 0)
        free_box(outlet);
}

void flush_discard(struct flush *flush, struct outlet *outlet)
{
    if (!outlet->box)
        return;
    counter_sub(flush->counters, GAUGE_OUTBOX_BYTES, outlet->box->bytes);
    free_box(outlet);
}
