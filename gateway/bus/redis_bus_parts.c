/* redis_bus_parts.c -- see redis_bus_parts.h. */
#include "redis_bus_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 250,
    STALL_MS = 1000,  /* a tick this late: the gateway itself was stopped, and must read before it judges */
    FAREWELL_MS = 500 /* for the last commands of a closing bus */
};

static bool serving(const struct redis_bus *bus)
{
    return redis_link_up(&bus->subscriber.link) && redis_link_up(&bus->commander.link) && bus->beat.claimed;
}

void redis_bus_update_gauges(struct redis_bus *bus)
{
    counter_set(bus->counters, GAUGE_BUS_UP, serving(bus));
    counter_set(bus->counters, GAUGE_BUS_PENDING_BYTES, bus->commander.publish_bytes);
}

/* ---- connections up and down ---- */

/* What INFO says, cut to the gen's length; empty: the server does not tell. */
static void learn_gen(void *ctx, struct bytes gen)
{
    struct redis_bus *bus = ctx;
    if (gen.len == 0)
        gen = BYTES("-");
    if (gen.len > GEN_MAX)
        gen.len = GEN_MAX;
    if (bytes_equal(gen, bytes_of(bus->common.gen)))
        return;
    bool first = !bus->common.gen[0] || strcmp(bus->common.gen, "-") == 0;
    memcpy(bus->gen_before, bus->common.gen, sizeof bus->gen_before);
    memcpy(bus->common.gen, gen.data, gen.len);
    bus->common.gen[gen.len] = '\0';
    if (!first)
        redis_reaper_pause(&bus->reaper);
}

/* What a script says. It looks at the server only when it was called with another gen than the log's: the answer to a
 * call that was under way when we learned the new one still names the old one, and gens never come back. */
static void adopt_gen(void *ctx, struct bytes gen)
{
    const struct redis_bus *bus = ctx;
    if (!bytes_equal(gen, bytes_of(bus->gen_before)))
        learn_gen(ctx, gen);
}

static void drop_both(struct redis_bus *bus, enum redis_loss reason, const char *detail)
{
    redis_link_drop(&bus->subscriber.link, reason, detail);
    redis_link_drop(&bus->commander.link, reason, detail);
}

/* Behind one address may be several servers: a message published on one would reach no subscriber of the other. */
static bool same_server(struct redis_bus *bus)
{
    const char *mine = redis_link_run_id(&bus->commander.link);
    const char *other = redis_link_run_id(&bus->subscriber.link);
    return !*mine || !*other || strcmp(mine, other) == 0;
}

static void on_link_up(struct redis_bus *bus)
{
    counter_add(bus->counters, COUNT_REDIS_CONNECTS, 1);
    if (same_server(bus))
        redis_probe_start(&bus->probe, clock_ms(bus->env->clock));
    else
        drop_both(bus, REDIS_LOST_ERROR, "the two connections reached different servers");
}

static void on_link_down(struct redis_bus *bus, enum redis_loss reason)
{
    static const enum counter counters[] = {
        [REDIS_LOST_EOF] = COUNT_REDIS_LOST_EOF,
        [REDIS_LOST_ERROR] = COUNT_REDIS_LOST_ERROR,
        [REDIS_LOST_TIMEOUT] = COUNT_REDIS_LOST_TIMEOUT,
        [REDIS_LOST_DEAF] = COUNT_REDIS_LOST_DEAF,
    };
    counter_add(bus->counters, counters[reason], 1);
    redis_bus_update_gauges(bus);
}

static void on_subscriber_up(void *ctx)
{
    on_link_up(ctx);
}

static void on_subscriber_down(void *ctx, enum redis_loss reason)
{
    on_link_down(ctx, reason);
}

/* The server may know less than was told, or more than is true now. */
static bool state_changed(const struct redis_bus *bus)
{
    return bus->was_up && strcmp(bus->up_gen, bus->common.gen) != 0;
}

/* The gen is known before the first script is called on a connection: else a batch that is sent again would find the
 * log of a server that came back without its tail just as the worker remembers it. */
static void on_commander_up(void *ctx)
{
    struct redis_bus *bus = ctx;
    learn_gen(bus, bytes_of(redis_link_replid(&bus->commander.link)));
    redis_scripts_load(&bus->scripts, &bus->commander);
    redis_beat_up(&bus->beat, state_changed(bus));
    on_link_up(bus);
}

static void close_commander(struct redis_bus *bus)
{
    if (bus->commander_closing)
        return;
    bus->commander_closing = true;
    uv_timer_stop(&bus->timer);
    redis_commander_close(&bus->commander);
}

static void on_commander_down(void *ctx, enum redis_loss reason)
{
    struct redis_bus *bus = ctx;
    redis_beat_down(&bus->beat);
    redis_reaper_down(&bus->reaper);
    if (bus->closing)
        close_commander(bus); /* the farewell has been read, or will never be */
    else
        on_link_down(bus, reason);
}

/* The gateway's id is ours: members may be let in. */
static void on_claimed(void *ctx)
{
    struct redis_bus *bus = ctx;
    if (bus->closing)
        return; /* the subscriber's table is gone; the claim expires by itself */
    bus->base.gateway = bus->common.gateway = bus->beat.gateway;
    redis_inbox_open(&bus->inbox, &bus->subscriber.channels, bus->common.prefix, bus->beat.gateway, bus);
    redis_reaper_up(&bus->reaper, !bus->was_up && bus->commander.link.attempts <= 1);
    if (state_changed(bus))
        redis_own_rooms_check(&bus->own_rooms);
    memcpy(bus->up_gen, bus->common.gen, sizeof bus->up_gen);
    bus->was_up = true;
    redis_probe_start(&bus->probe, clock_ms(bus->env->clock));
    redis_subscriber_start_telling(&bus->subscriber);
    redis_bus_update_gauges(bus);
}

static void on_forgotten(void *ctx)
{
    struct redis_bus *bus = ctx;
    if (!bus->closing)
        bus->base.events->on_forgotten(bus->base.ctx);
}

/* ---- messages in ---- */

static void on_confirmed(void *ctx, struct redis_channel *channel)
{
    struct redis_bus *bus = ctx;
    if (redis_inbox_kind_of(&bus->inbox, channel) == INBOX_NONE && !bus->closing)
        bus->base.events->on_confirmed(bus->base.ctx, &channel->base);
}

static void on_lost(void *ctx, struct redis_channel *channel)
{
    struct redis_bus *bus = ctx;
    if (redis_inbox_kind_of(&bus->inbox, channel) == INBOX_NONE && !bus->closing)
        bus->base.events->on_channel_lost(bus->base.ctx, &channel->base);
}

static void on_message(void *ctx, struct redis_channel *channel, struct bytes message)
{
    struct redis_bus *bus = ctx;
    redis_probe_heard(&bus->probe);
    struct bytes signal;
    switch (redis_inbox_kind_of(&bus->inbox, channel)) {
    case INBOX_OWN:
        if (redis_admin_signal_read(message, &signal))
            bus->base.events->on_signal(bus->base.ctx, signal);
        return; /* else a probe */
    case INBOX_CONTROL:
        bus->base.events->on_command(bus->base.ctx, message);
        return;
    case INBOX_NONE:
        break;
    }
    counter_add(bus->counters, COUNT_BUS_RECEIVED, 1);
    counter_add(bus->counters, COUNT_BUS_RECEIVED_BYTES, message.len);
    bus->base.events->on_message(bus->base.ctx, &channel->base, message);
}

/* ---- the ends of publishes ---- */

static void tell_published(struct redis_bus *bus, void *ticket, struct bytes epoch, uint64_t seq, bool duplicate)
{
    if (ticket && !bus->closing)
        bus->base.events->on_published(bus->base.ctx, ticket, epoch, seq, duplicate);
}

static void on_plain_published(void *ctx, void *ticket)
{
    tell_published(ctx, ticket, (struct bytes){NULL, 0}, 0, false);
}

static void on_log_published(void *ctx, void *ticket, struct bytes epoch, uint64_t seq, bool duplicate)
{
    tell_published(ctx, ticket, epoch, seq, duplicate);
}

static void on_publish_failed(void *ctx, void *ticket, enum bus_failure failure)
{
    static const enum counter counters[] = {
        [BUS_UNAVAILABLE] = COUNT_BUS_FAILED_UNAVAILABLE,
        [BUS_UNCERTAIN] = COUNT_BUS_FAILED_UNCERTAIN,
        [BUS_REFUSED] = COUNT_BUS_FAILED_REFUSED,
    };
    struct redis_bus *bus = ctx;
    counter_add(bus->counters, counters[failure], 1);
    if (ticket && !bus->closing)
        bus->base.events->on_publish_failed(bus->base.ctx, ticket, failure);
}

static bool has_come(void *ctx, void *ticket)
{
    const struct redis_bus *bus = ctx;
    return ticket && bus->base.events->has_come && !bus->closing && bus->base.events->has_come(bus->base.ctx, ticket);
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    struct redis_bus *bus = ctx;
    if (!bus->closing)
        bus->base.events->on_pressure(bus->base.ctx, pressure);
}

/* ---- time ---- */

static void probe(struct redis_bus *bus, uint64_t now_ms)
{
    const struct redis_channel *own = bus->inbox.own;
    if (!serving(bus) || !own || !own->confirmed)
        return;
    switch (redis_probe_tick(&bus->probe, now_ms)) {
    case PROBE_WAIT:
        return;
    case PROBE_SEND: {
        char nonce[24];
        snprintf(nonce, sizeof nonce, "probe %016" PRIx64, random_u64(bus->env->random));
        const char *argv[] = {"PUBLISH", own->name, nonce};
        redis_commander_call(&bus->commander, 3, argv, NULL, NULL);
        counter_add(bus->counters, COUNT_REDIS_PROBES, 1);
        return;
    }
    case PROBE_DEAF:
        drop_both(bus, REDIS_LOST_DEAF, "what is published does not come back");
        return;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct redis_bus *bus = timer->data;
    uint64_t now_ms = clock_ms(bus->env->clock);
    if (bus->closing) {
        redis_commander_flush(&bus->commander);
        if (now_ms >= bus->close_by_ms)
            close_commander(bus);
        return;
    }
    bool stalled = now_ms - bus->tick_ms > STALL_MS;
    bus->tick_ms = now_ms;
    if (stalled)
        return;
    redis_beat_tick(&bus->beat, now_ms);
    redis_subscriber_tick(&bus->subscriber);
    redis_log_tick(&bus->log, now_ms);
    redis_commander_tick(&bus->commander, now_ms);
    redis_reaper_tick(&bus->reaper, now_ms);
    probe(bus, now_ms);
}

/* ---- the end ---- */

static void part_closed(struct redis_bus *bus)
{
    if (--bus->open_parts > 0)
        return;
    void (*on_closed)(void *ctx) = bus->on_closed;
    void *ctx = bus->closed_ctx;
    redis_log_close(&bus->log);
    redis_history_close(&bus->history);
    redis_presence_close(&bus->presence);
    redis_admin_close(&bus->admin);
    redis_reaper_close(&bus->reaper);
    free(bus->scratch);
    free(bus);
    on_closed(ctx);
}

static void on_timer_closed(uv_handle_t *timer)
{
    part_closed(timer->data);
}

static void on_subscriber_closed(void *ctx)
{
    part_closed(ctx);
}

static void on_commander_closed(void *ctx)
{
    struct redis_bus *bus = ctx;
    uv_close((uv_handle_t *)&bus->timer, on_timer_closed);
    part_closed(bus);
}

/* The server closes once it has read QUIT, and with it everything before. */
static void on_left(void *ctx)
{
    struct redis_bus *bus = ctx;
    redis_commander_call(&bus->commander, 1, (const char *[]){"QUIT"}, NULL, NULL);
    redis_link_expect_end(&bus->commander.link);
}

void redis_bus_close_parts(struct redis_bus *bus)
{
    bus->closing = true;
    counter_set(bus->counters, GAUGE_BUS_UP, 0);
    redis_history_mute(&bus->history);
    redis_presence_mute(&bus->presence);
    redis_admin_mute(&bus->admin);
    redis_reaper_down(&bus->reaper);
    redis_subscriber_close(&bus->subscriber);
    if (!redis_link_up(&bus->commander.link)) {
        close_commander(bus);
        return;
    }
    redis_log_flush(&bus->log);
    redis_beat_leave(&bus->beat, on_left);
    bus->close_by_ms = clock_ms(bus->env->clock) + FAREWELL_MS;
    uv_timer_start(&bus->timer, on_tick, 0, TICK_MS / 10);
}

/* ---- the beginning ---- */

static const struct redis_subscriber_events subscriber_events = {
    .on_up = on_subscriber_up,
    .on_down = on_subscriber_down,
    .on_confirmed = on_confirmed,
    .on_lost = on_lost,
    .on_message = on_message,
    .on_closed = on_subscriber_closed,
};

static const struct redis_commander_events commander_events = {
    .on_up = on_commander_up,
    .on_down = on_commander_down,
    .on_published = on_plain_published,
    .on_publish_failed = on_publish_failed,
    .on_pressure = on_pressure,
    .on_closed = on_commander_closed,
};

static const struct redis_log_events log_events = {
    .on_published = on_log_published,
    .on_publish_failed = on_publish_failed,
    .has_come = has_come,
};

static const struct redis_beat_events beat_events = {
    .on_claimed = on_claimed,
    .on_forgotten = on_forgotten,
    .on_gen = learn_gen,
};

static struct redis_link_options link_options(const struct redis_url *url, const char *role, const char *client_name)
{
    return (struct redis_link_options){
        .role = role,
        .host = url->host,
        .port = url->port,
        .path = url->path,
        .login = {.user = url->user, .password = url->password, .db = url->db, .client_name = client_name},
    };
}

static void init_askers(struct redis_bus *bus)
{
    struct redis_common *common = &bus->common;
    *common = (struct redis_common){
        .env = bus->env,
        .commander = &bus->commander,
        .scripts = &bus->scripts,
        .prefix = bytes_of(bus->options->prefix),
        .gateway = bus->beat.gateway,
        .gen = "-",
        .on_gen = adopt_gen,
        .ctx = bus,
    };
    redis_scripts_init(&bus->scripts);
    redis_log_init(&bus->log, common, &log_events, bus);
    redis_history_init(&bus->history, common);
    redis_presence_init(&bus->presence, common);
    redis_admin_init(&bus->admin, common);
    redis_reaper_init(&bus->reaper, common, &bus->subscriber.channels);
    bus->own_rooms = (struct redis_own_rooms){common, &bus->subscriber.channels};
}

void redis_bus_open_parts(struct redis_bus *bus, void *report_ctx)
{
    const struct env *env = bus->env;
    const struct redis_url *url = &bus->options->url;
    bus->open_parts = 3;
    uv_timer_init(env->loop, &bus->timer);
    bus->timer.data = bus;
    bus->tick_ms = clock_ms(env->clock);
    uv_timer_start(&bus->timer, on_tick, TICK_MS, TICK_MS);

    redis_beat_init(&bus->beat, env, bus->options, report_ctx, &bus->commander, &beat_events, bus);
    bus->base.gateway = bus->beat.gateway;
    init_askers(bus);
    struct redis_link_options subscribe = link_options(url, "subscriber", "plenum-subscriber");
    redis_subscriber_init(&bus->subscriber, env, &subscribe, &subscriber_events, bus);
    struct redis_link_options command = link_options(url, "commander", "plenum-commander");
    redis_commander_init(&bus->commander, env, &command, &commander_events, bus);
}
