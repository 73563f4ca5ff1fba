/* redis_commander.c -- see redis_commander.h. */
#include "redis_commander.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_command.h"

enum {
    UNSENT_DEADLINE_MS = 2000,
    ANSWER_DEADLINE_MS = 2000,
    PRESSURE_HIGH = 1 << 20,
    PRESSURE_LOW = 512 << 10,
    LINK_FILL = 64 << 10, /* given to the link at once: what it holds when the connection is lost may be half sent */
    REFUSAL_LOG_EVERY_MS = 1000
};

static void ignore_answer(void *ctx, const struct resp_value *value)
{
    (void)ctx, (void)value;
}

/* ---- accounts ---- */

static void update_pressure(struct redis_commander *commander)
{
    if (pressure_update(&commander->pressure, commander->publish_bytes, clock_ms(commander->env->clock)))
        commander->events->on_pressure(commander->ctx, commander->pressure.now);
}

void redis_commander_charge(struct redis_commander *commander, size_t bytes)
{
    commander->publish_bytes += bytes;
    commander->publishes++;
    update_pressure(commander);
}

void redis_commander_discharge(struct redis_commander *commander, size_t bytes)
{
    assert(commander->publish_bytes >= bytes && commander->publishes > 0);
    commander->publish_bytes -= bytes;
    commander->publishes--;
}

/* ---- ends ---- */

static void publish_failed(struct redis_commander *commander, struct pending *item, enum bus_failure failure)
{
    item->told = true;
    redis_commander_discharge(commander, item->len);
    commander->events->on_publish_failed(commander->ctx, item->ctx, failure);
}

/* May queue, and so move the rings: item is not to be touched afterwards, unless it is a copy. */
static void ask_ended(struct pending *item, enum redis_end end)
{
    item->told = true;
    item->events->on_end(item->ctx, item->tag, end);
}

/* The item's answer will not come in time, or at all. */
static void gave_up(struct redis_commander *commander, struct pending *item, enum bus_failure failure)
{
    if (item->told)
        return;
    if (item->kind == PENDING_PUBLISH)
        publish_failed(commander, item, failure);
    else if (item->kind == PENDING_ASK)
        ask_ended(item, REDIS_UNANSWERED);
}

/* ---- queueing ---- */

static struct pending format(struct redis_commander *commander, enum pending_kind kind, int argc, const char **argv,
                             const size_t *lens)
{
    struct pending item = {.kind = kind, .queued_ms = clock_ms(commander->env->clock)};
    size_t len;
    item.command = redis_command_new(argc, argv, lens, &len);
    item.len = (uint32_t)len;
    return item;
}

void redis_commander_publish(struct redis_commander *commander, struct bytes channel, struct bytes message,
                             void *ticket)
{
    const char *argv[] = {"PUBLISH", channel.data, message.data};
    const size_t lens[] = {strlen("PUBLISH"), channel.len, message.len};
    struct pending item = format(commander, PENDING_PUBLISH, 3, argv, lens);
    item.ctx = ticket;
    pending_push(&commander->unsent, item);
    redis_commander_charge(commander, item.len);
}

void redis_commander_call(struct redis_commander *commander, int argc, const char **argv, redis_answer_fn on_answer,
                          void *ctx)
{
    struct pending item = format(commander, PENDING_CALL, argc, argv, NULL);
    item.on_answer = on_answer ? on_answer : ignore_answer;
    item.ctx = ctx;
    pending_push(&commander->unsent, item);
}

static void queue_ask(struct redis_commander *commander, struct pending item, const struct redis_ask_events *events,
                      void *ctx, uint64_t tag)
{
    item.events = events;
    item.ctx = ctx;
    item.tag = tag;
    pending_push(redis_link_up(&commander->link) ? &commander->unsent : &commander->lost, item);
}

void redis_commander_ask(struct redis_commander *commander, int argc, const char **argv, const size_t *lens,
                         const struct redis_ask_events *events, void *ctx, uint64_t tag)
{
    queue_ask(commander, format(commander, PENDING_ASK, argc, argv, lens), events, ctx, tag);
}

void redis_commander_ask_ready(struct redis_commander *commander, char *command, size_t len,
                               const struct redis_ask_events *events, void *ctx, uint64_t tag)
{
    struct pending item = {.kind = PENDING_ASK, .len = (uint32_t)len, .queued_ms = clock_ms(commander->env->clock)};
    item.command = command;
    queue_ask(commander, item, events, ctx, tag);
}

/* ---- sending ---- */

/* Gives the link whole commands until it holds enough for one write. */
static void fill_link(struct redis_commander *commander, uint64_t now_ms)
{
    while (commander->unsent.count && redis_link_unwritten(&commander->link) < LINK_FILL) {
        struct pending item = pending_pop(&commander->unsent);
        item.sent_ms = now_ms;
        item.start = commander->link.appended;
        redis_link_append(&commander->link, item.command, item.len);
        pending_push(&commander->unanswered, item);
    }
}

/* Frees the commands that the kernel has begun to take: they cannot be sent again. They are the older ones. */
static void forget_written(struct redis_commander *commander)
{
    for (uint32_t i = commander->unanswered.count; i-- > 0;) {
        struct pending *item = pending_at(&commander->unanswered, i);
        if (!item->command)
            return;
        if (item->start < commander->link.written) {
            free(item->command);
            item->command = NULL;
        }
    }
}

/* Those that are there now: who asks again from inside is told in the next turn. */
static void tell_lost(struct redis_commander *commander)
{
    for (uint32_t count = commander->lost.count; count > 0; count--) {
        struct pending item = pending_pop(&commander->lost);
        free(item.command);
        ask_ended(&item, REDIS_UNANSWERED);
    }
}

void redis_commander_flush(struct redis_commander *commander)
{
    struct redis_link *link = &commander->link;
    tell_lost(commander);
    if (!redis_link_up(link))
        return;
    uint64_t now_ms = commander->unsent.count ? clock_ms(commander->env->clock) : 0;
    do {
        fill_link(commander, now_ms);
        redis_link_flush(link);
    } while (redis_link_up(link) && redis_link_unwritten(link) == 0 && commander->unsent.count);
    if (redis_link_up(link))
        forget_written(commander);
}

/* ---- answers ---- */

static void log_refusal(struct redis_commander *commander, struct bytes error)
{
    uint64_t now = clock_ms(commander->env->clock);
    if (commander->refusal_logged_ms && now - commander->refusal_logged_ms < REFUSAL_LOG_EVERY_MS)
        return;
    commander->refusal_logged_ms = now ? now : 1;
    log_event(commander->env->log, LOG_ERROR, "redis refuses a publish", log_bytes("error", error));
}

static void on_error(struct redis_commander *commander, struct pending *item, const struct resp_value *value)
{
    struct bytes error = value->text;
    if (redis_error_is_not_primary(error))
        snprintf(commander->not_primary, sizeof commander->not_primary, "%.*s", (int)error.len, error.data);
    if (item->kind == PENDING_ASK)
        item->refused |= value->depth == 0;
    if (item->kind != PENDING_PUBLISH || item->told)
        return;
    log_refusal(commander, error);
    publish_failed(commander, item, BUS_REFUSED);
}

static void on_value(void *ctx, const struct resp_value *value)
{
    struct redis_commander *commander = ctx;
    if (commander->unanswered.count == 0)
        return; /* on_reply drops the connection */
    if (value->type == RESP_ERROR)
        on_error(commander, pending_at(&commander->unanswered, 0), value);
    struct pending item = *pending_at(&commander->unanswered, 0); /* what is called may queue, and so move the rings */
    if (item.kind == PENDING_CALL)
        item.on_answer(item.ctx, value);
    else if (item.kind == PENDING_ASK && !item.told && item.events->on_value)
        item.events->on_value(item.ctx, item.tag, value);
}

static void end_answered(struct redis_commander *commander, struct pending *item)
{
    if (item->told)
        return;
    if (item->kind == PENDING_ASK) {
        ask_ended(item, item->refused ? REDIS_REFUSED : REDIS_ANSWERED);
    } else if (item->kind == PENDING_PUBLISH) {
        redis_commander_discharge(commander, item->len);
        commander->events->on_published(commander->ctx, item->ctx);
    }
}

static void on_reply(void *ctx)
{
    struct redis_commander *commander = ctx;
    if (commander->unanswered.count == 0) {
        redis_link_drop(&commander->link, REDIS_LOST_ERROR, "an answer to no command");
        return;
    }
    struct pending item = pending_pop(&commander->unanswered);
    free(item.command);
    end_answered(commander, &item);
    if (commander->not_primary[0])
        redis_link_drop(&commander->link, REDIS_LOST_ERROR, commander->not_primary);
    update_pressure(commander);
}

/* ---- up and down ---- */

static void on_up(void *ctx)
{
    struct redis_commander *commander = ctx;
    commander->not_primary[0] = '\0';
    commander->events->on_up(commander->ctx);
}

/* What the loss of the connection makes of an item. A publish that had not begun to be written waits for the next one;
 * asks end, and calls are forgotten: they belong to the connection, and whoever needs them asks again. */
static void sort_out(struct pending item, bool begun, struct pending_ring *ended, struct pending_ring *waiting)
{
    if (item.kind == PENDING_CALL || item.told)
        free(item.command);
    else if (item.kind == PENDING_ASK || begun)
        pending_push(ended, item);
    else
        pending_push(waiting, item);
}

static void on_down(void *ctx, enum redis_loss reason)
{
    struct redis_commander *commander = ctx;
    uint64_t written = commander->link.written;
    struct pending_ring ended = {0}, waiting = {0};
    while (commander->unanswered.count) {
        struct pending item = pending_pop(&commander->unanswered);
        sort_out(item, item.start < written, &ended, &waiting);
    }
    while (commander->unsent.count)
        sort_out(pending_pop(&commander->unsent), false, &ended, &waiting);
    pending_close(&commander->unsent);
    commander->unsent = waiting;

    for (uint32_t i = 0; i < ended.count; i++)
        gave_up(commander, pending_at(&ended, i), BUS_UNCERTAIN);
    pending_close(&ended);
    update_pressure(commander);
    commander->events->on_down(commander->ctx, reason);
}

/* ---- deadlines ---- */

/* A call at the head is only there while the connection is up: its PING ends either the wait or the connection. */
static void fail_unsent(struct redis_commander *commander, uint64_t now_ms)
{
    while (commander->unsent.count) {
        struct pending *oldest = pending_at(&commander->unsent, 0);
        if (oldest->kind == PENDING_CALL || now_ms - oldest->queued_ms < UNSENT_DEADLINE_MS)
            return;
        struct pending item = pending_pop(&commander->unsent);
        free(item.command);
        gave_up(commander, &item, BUS_UNAVAILABLE);
    }
}

static void fail_unanswered(struct redis_commander *commander, uint64_t now_ms)
{
    for (uint32_t i = 0; i < commander->unanswered.count; i++) {
        struct pending *item = pending_at(&commander->unanswered, i);
        if (now_ms - item->sent_ms < ANSWER_DEADLINE_MS)
            return;
        gave_up(commander, item, BUS_UNCERTAIN);
    }
}

void redis_commander_tick(struct redis_commander *commander, uint64_t now_ms)
{
    fail_unanswered(commander, now_ms);
    fail_unsent(commander, now_ms);
    update_pressure(commander);
}

/* ---- life ---- */

static void on_link_closed(void *ctx)
{
    struct redis_commander *commander = ctx;
    pending_close(&commander->unsent);
    pending_close(&commander->unanswered);
    pending_close(&commander->lost);
    commander->events->on_closed(commander->ctx);
}

static const struct redis_link_events link_events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_value = on_value,
    .on_reply = on_reply,
    .on_closed = on_link_closed,
};

void redis_commander_init(struct redis_commander *commander, const struct env *env,
                          const struct redis_link_options *options, const struct redis_commander_events *events,
                          void *ctx)
{
    *commander = (struct redis_commander){.env = env, .events = events, .ctx = ctx, .link_options = *options};
    commander->pressure = (struct pressure){.high = PRESSURE_HIGH, .low = PRESSURE_LOW};
    redis_link_init(&commander->link, env, &commander->link_options, &link_events, commander);
}

void redis_commander_close(struct redis_commander *commander)
{
    redis_link_close(&commander->link);
}
