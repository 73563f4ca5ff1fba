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

/* Runs of bytes of one block on their way to one outlet. */
struct runs {
    uint32_t from[PIECES], to[PIECES];
    int count;
};

/* Sends the runs, or queues what is not taken. Returns false when the outlet is in trouble. */
static bool send_runs(struct flush *flush, struct outlet *outlet, struct block *block, const struct runs *runs)
{
    size_t sent = 0;
    if (!outlet->box) {
        struct iovec pieces[PIECES];
        for (int i = 0; i < runs->count; i++)
            pieces[i] = (struct iovec){block->data + runs->from[i], runs->to[i] - runs->from[i]};
        ssize_t n = flush->sink->write(outlet, pieces, runs->count);
        if (n < 0 && n != UV_EAGAIN) {
            trouble(flush, outlet, OUTLET_BROKEN);
            return false;
        }
        sent = n > 0 ? (size_t)n : 0;
        counter_add(flush->counters, COUNT_BYTES_OUT, sent);
    }
    for (int i = 0; i < runs->count; i++) {
        size_t len = runs->to[i] - runs->from[i];
        if (sent >= len) {
            sent -= len;
            continue;
        }
        if (!enqueue(flush, outlet, block, runs->from[i] + (uint32_t)sent, runs->to[i]))
            return false;
        sent = 0;
    }
    return true;
}

/* Gives a batch to one target, without the runs that it is to skip. */
static void give(struct flush *flush, struct target *target, const struct batch *batch)
{
    if (target->outlet->closed)
        return;
    struct block *block = batch->block;
    const struct skip *skip = batch_skips(batch, target->id);
    if (!skip) {
        counter_add(flush->counters, COUNT_DELIVERIES, batch->messages);
        send_runs(flush, target->outlet, block, &(struct runs){.from = {0}, .to = {block->len}, .count = 1});
        return;
    }
    struct outlet *outlet = target->outlet;
    const struct skip *past = batch->skips + batch->skip_count;
    struct runs runs = {.count = 0};
    uint32_t at = 0, messages = batch->messages;
    for (; skip < past && skip->id == target->id; skip++) {
        messages -= skip->messages;
        if (skip->from > at) {
            runs.from[runs.count] = at;
            runs.to[runs.count++] = skip->from;
        }
        at = skip->to > at ? skip->to : at;
        if (runs.count == PIECES) {
            if (!send_runs(flush, outlet, block, &runs))
                return;
            runs.count = 0;
        }
    }
    counter_add(flush->counters, COUNT_DELIVERIES, messages);
    if (at < block->len) {
        runs.from[runs.count] = at;
        runs.to[runs.count++] = block->len;
    }
    if (runs.count)
        send_runs(flush, outlet, block, &runs);
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

void flush_send_part(struct flush *flush, struct outlet *outlet, struct block *block, uint32_t from, uint32_t to)
{
    if (!outlet->closed)
        send_runs(flush, outlet, block, &(struct runs){.from = {from}, .to = {to}, .count = 1});
}

void flush_send(struct flush *flush, struct outlet *outlet, struct block *block)
{
    flush_send_part(flush, outlet, block, 0, block->len);
}

void flush_outlet(struct flush *flush, struct outlet *outlet)
{
    struct outbox *box = outlet->box;
    for (size_t total = 0; box->bytes && total < OUTLET_TURN;) {
        struct iovec pieces[PIECES];
        int count = outbox_peek(box, pieces, PIECES);
        ssize_t n = flush->sink->write(outlet, pieces, count);
        if (n == UV_EAGAIN)
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
    if (box->bytes == 0) {
        outbox_free(box);
        outlet->box = NULL;
    }
}

void flush_check_slow(struct flush *flush, struct outlet *outlet)
{
    const struct outbox *box = outlet->box;
    if (box && !outlet->closed && box->soft_since_ms &&
        clock_ms(flush->clock) - box->soft_since_ms > flush->limits.soft_ms)
        trouble(flush, outlet, OUTLET_SLOW);
}

void flush_discard(struct flush *flush, struct outlet *outlet)
{
    if (!outlet->box)
        return;
    counter_sub(flush->counters, GAUGE_OUTBOX_BYTES, outlet->box->bytes);
    outbox_free(outlet->box);
    outlet->box = NULL;
}
