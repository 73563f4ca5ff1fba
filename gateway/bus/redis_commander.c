/* redis_commander.c -- see redis_commander.h. */
#include "redis_commander.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>

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

static bool is_publish(const struct pending *item)
{
    return item->on_answer == NULL;
}

/* ---- accounts ---- */

static void update_pressure(struct redis_commander *commander)
{
    if (pressure_update(&commander->pressure, commander->publish_bytes, clock_ms(commander->env->clock)))
        commander->events->on_pressure(commander->ctx, commander->pressure.now);
}

/* The publish waits no longer, one way or the other. */
static void settle(struct redis_commander *commander, struct pending *item)
{
    item->told = true;
    commander->publish_bytes -= item->len;
    commander->publishes--;
}

static void fail(struct redis_commander *commander, struct pending *item, enum bus_failure failure)
{
    settle(commander, item);
    commander->events->on_publish_failed(commander->ctx, item->member, failure);
}

/* ---- queueing ---- */

static struct pending format(struct redis_commander *commander, int argc, const char **argv, const size_t *lens)
{
    struct pending item = {.queued_ms = clock_ms(commander->env->clock)};
    item.len = (uint32_t)redisFormatCommandArgv(&item.command, argc, argv, lens);
    return item;
}

void redis_commander_publish(struct redis_commander *commander, struct bytes channel, struct bytes message,
                             uint64_t member)
{
    const char *argv[] = {"PUBLISH", channel.data, message.data};
    const size_t lens[] = {strlen("PUBLISH"), channel.len, message.len};
    struct pending item = format(commander, 3, argv, lens);
    item.member = member;
    commander->publish_bytes += item.len;
    commander->publishes++;
    pending_push(&commander->unsent, item);
    update_pressure(commander);
}

void redis_commander_call(struct redis_commander *commander, int argc, const char **argv, redis_answer_fn on_answer,
                          void *ctx)
{
    struct pending item = format(commander, argc, argv, NULL);
    item.on_answer = on_answer ? on_answer : ignore_answer;
    item.ctx = ctx;
    pending_push(&commander->unsent, item);
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
            redisFreeCommand(item->command);
            item->command = NULL;
        }
    }
}

void redis_commander_flush(struct redis_commander *commander)
{
    struct redis_link *link = &commander->link;
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

static void on_error(struct redis_commander *commander, struct pending *item, struct bytes error)
{
    if (redis_error_is_not_primary(error))
        snprintf(commander->not_primary, sizeof commander->not_primary, "%.*s", (int)error.len, error.data);
    if (!is_publish(item) || item->told)
        return;
    log_refusal(commander, error);
    fail(commander, item, BUS_REFUSED);
}

static void on_value(void *ctx, const struct resp_value *value)
{
    struct redis_commander *commander = ctx;
    if (commander->unanswered.count == 0)
        return; /* on_reply drops the connection */
    struct pending item = *pending_at(&commander->unanswered, 0);
    if (value->type == RESP_ERROR) {
        on_error(commander, pending_at(&commander->unanswered, 0), value->text);
        if (is_publish(&item))
            return;
    }
    if (!is_publish(&item))
        item.on_answer(item.ctx, value); /* may queue, and so move the rings */
}

static void on_reply(void *ctx)
{
    struct redis_commander *commander = ctx;
    if (commander->unanswered.count == 0) {
        redis_link_drop(&commander->link, REDIS_LOST_ERROR, "an answer to no command");
        return;
    }
    struct pending item = pending_pop(&commander->unanswered);
    redisFreeCommand(item.command);
    if (is_publish(&item) && !item.told)
        settle(commander, &item);
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

/* The connection took the answers of what was sent with it. What had not begun to be written is queued again, before
 * the rest; other commands than publishes belong to the connection, and whoever needs them asks again. */
static void on_down(void *ctx, enum redis_loss reason)
{
    struct redis_commander *commander = ctx;
    uint64_t written = commander->link.written;
    struct pending_ring sent = {0};
    struct pending_ring unsent = {0};
    while (commander->unanswered.count) {
        struct pending item = pending_pop(&commander->unanswered);
        pending_push(item.start < written ? &sent : &unsent, item);
    }
    while (commander->unsent.count)
        pending_push(&unsent, pending_pop(&commander->unsent));

    for (uint32_t i = 0, count = unsent.count; i < count; i++) {
        struct pending item = pending_pop(&unsent);
        if (is_publish(&item) && !item.told)
            pending_push(&commander->unsent, item);
        else
            redisFreeCommand(item.command);
    }
    pending_close(&unsent);
    for (uint32_t i = 0; i < sent.count; i++) {
        struct pending *item = pending_at(&sent, i);
        if (is_publish(item) && !item->told)
            fail(commander, item, BUS_UNCERTAIN);
    }
    pending_close(&sent);
    update_pressure(commander);
    commander->events->on_down(commander->ctx, reason);
}

/* ---- deadlines ---- */

static void fail_unsent(struct redis_commander *commander, uint64_t now_ms)
{
    while (commander->unsent.count) {
        struct pending *oldest = pending_at(&commander->unsent, 0);
        if (!is_publish(oldest) || now_ms - oldest->queued_ms < UNSENT_DEADLINE_MS)
            return;
        struct pending item = pending_pop(&commander->unsent);
        redisFreeCommand(item.command);
        fail(commander, &item, BUS_UNAVAILABLE);
    }
}

static void fail_unanswered(struct redis_commander *commander, uint64_t now_ms)
{
    for (uint32_t i = 0; i < commander->unanswered.count; i++) {
        struct pending *item = pending_at(&commander->unanswered, i);
        if (now_ms - item->sent_ms < ANSWER_DEADLINE_MS)
            return;
        if (is_publish(item) && !item->told)
            fail(commander, item, BUS_UNCERTAIN);
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
