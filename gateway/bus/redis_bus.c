/* redis_bus.c -- puts the parts of the Redis bus together; see redis_bus.h.
 *
 *   redis_subscriber  SUBSCRIBE and what comes back        redis_channels  what is wanted and what is confirmed
 *   redis_commander   PUBLISH, answers, deadlines          redis_beat      the gateway's id and sign of life
 *   redis_probe       does it deliver?                     pressure        how much waits
 *
 * It serves once both connections are up, show the same server, and the gateway's id is claimed. */
#include "redis_bus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "redis_beat.h"
#include "redis_commander.h"
#include "redis_probe.h"
#include "redis_subscriber.h"

enum {
    TICK_MS = 250,
    STALL_MS = 1000,   /* a tick this late: the gateway itself was stopped, and must read before it judges */
    FAREWELL_MS = 500, /* for the last commands of a closing bus */
    SCRATCH_KEEP = 64 << 10
};

struct redis_bus {
    struct bus base; /* first */
    const struct env *env;
    const struct redis_bus_options *options;
    struct counters *counters;
    struct bytes prefix;

    struct redis_subscriber subscriber;
    struct redis_commander commander;
    struct redis_beat beat;
    struct redis_probe probe;
    struct redis_channel *inbox; /* plenum:{gw:<gw>}:in; NULL before the id is claimed */

    char *scratch; /* header and payload of the message being published */
    size_t scratch_cap;

    uv_timer_t timer;
    uint64_t tick_ms; /* when it last came */

    bool closing, commander_closing;
    uint64_t close_by_ms;
    int open_parts; /* of three: subscriber, commander, timer */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static bool serving(const struct redis_bus *bus)
{
    return redis_link_up(&bus->subscriber.link) && redis_link_up(&bus->commander.link) && bus->beat.claimed;
}

static void update_gauges(struct redis_bus *bus)
{
    counter_set(bus->counters, GAUGE_BUS_UP, serving(bus));
    counter_set(bus->counters, GAUGE_BUS_PENDING_BYTES, bus->commander.publish_bytes);
}

/* ---- connections up and down ---- */

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
    update_gauges(bus);
}

static void on_subscriber_up(void *ctx)
{
    on_link_up(ctx);
}

static void on_subscriber_down(void *ctx, enum redis_loss reason)
{
    on_link_down(ctx, reason);
}

static void on_commander_up(void *ctx)
{
    struct redis_bus *bus = ctx;
    redis_beat_up(&bus->beat);
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
    bus->base.gateway = bus->beat.gateway;
    char name[NAME_BUFFER];
    size_t len = name_gateway_inbox(name, bus->prefix, bus->beat.gateway);
    struct bytes inbox = {name, len};
    if (bus->inbox && !bytes_equal((struct bytes){bus->inbox->name, bus->inbox->name_len}, inbox)) {
        redis_channels_drop(&bus->subscriber.channels, bus->inbox);
        bus->inbox = NULL;
    }
    if (!bus->inbox)
        bus->inbox = redis_channels_want(&bus->subscriber.channels, inbox, bus);
    redis_probe_start(&bus->probe, clock_ms(bus->env->clock));
    redis_subscriber_start_telling(&bus->subscriber);
    update_gauges(bus);
}

/* ---- messages in ---- */

static void on_confirmed(void *ctx, struct redis_channel *channel)
{
    struct redis_bus *bus = ctx;
    if (channel != bus->inbox && !bus->closing)
        bus->base.events->on_confirmed(bus->base.ctx, &channel->base);
}

static void on_message(void *ctx, struct redis_channel *channel, struct bytes message)
{
    struct redis_bus *bus = ctx;
    redis_probe_heard(&bus->probe);
    if (channel == bus->inbox)
        return;
    counter_add(bus->counters, COUNT_BUS_RECEIVED, 1);
    counter_add(bus->counters, COUNT_BUS_RECEIVED_BYTES, message.len);
    bus->base.events->on_message(bus->base.ctx, &channel->base, message);
}

/* ---- messages out ---- */

static void on_publish_failed(void *ctx, uint64_t member, enum bus_failure failure)
{
    static const enum counter counters[] = {
        [BUS_UNAVAILABLE] = COUNT_BUS_FAILED_UNAVAILABLE,
        [BUS_UNCERTAIN] = COUNT_BUS_FAILED_UNCERTAIN,
        [BUS_REFUSED] = COUNT_BUS_FAILED_REFUSED,
    };
    struct redis_bus *bus = ctx;
    counter_add(bus->counters, counters[failure], 1);
    if (!bus->closing)
        bus->base.events->on_publish_failed(bus->base.ctx, member, failure);
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    struct redis_bus *bus = ctx;
    if (!bus->closing)
        bus->base.events->on_pressure(bus->base.ctx, pressure);
}

/* Puts header and payload into one piece, valid until the next call: hiredis takes the message as one argument. */
static struct bytes assemble(struct redis_bus *bus, const struct envelope *envelope)
{
    size_t need = ENVELOPE_HEADER_MAX + envelope->payload.len;
    if (need > bus->scratch_cap || (bus->scratch_cap > SCRATCH_KEEP && need <= SCRATCH_KEEP)) {
        free(bus->scratch);
        bus->scratch_cap = need > SCRATCH_KEEP ? need : SCRATCH_KEEP;
        bus->scratch = xmalloc(bus->scratch_cap);
    }
    size_t len = envelope_encode_header(bus->scratch, envelope);
    if (envelope->payload.len)
        memcpy(bus->scratch + len, envelope->payload.data, envelope->payload.len);
    return (struct bytes){bus->scratch, len + envelope->payload.len};
}

static void bus_op_publish(struct bus *base, struct bytes room, const struct envelope *envelope)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    char name[NAME_BUFFER];
    size_t name_len = name_room_channel(name, bus->prefix, room);
    struct bytes message = assemble(bus, envelope);
    counter_add(bus->counters, COUNT_BUS_PUBLISHED, 1);
    counter_add(bus->counters, COUNT_BUS_PUBLISH_BYTES, message.len);
    redis_commander_publish(&bus->commander, (struct bytes){name, name_len}, message, envelope->member);
}

static void bus_op_flush(struct bus *base)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    redis_subscriber_flush(&bus->subscriber);
    redis_commander_flush(&bus->commander);
    update_gauges(bus);
}

/* A word on the turn that ends: the next reading says it anew. */
static bool bus_op_behind(const struct bus *base)
{
    struct redis_link *link = &((struct redis_bus *)base)->subscriber.link;
    bool behind = link->behind;
    link->behind = false;
    return behind;
}

static bool bus_op_idle(const struct bus *base)
{
    return ((const struct redis_bus *)base)->commander.publishes == 0;
}

/* ---- subscriptions ---- */

static struct bus_channel *bus_op_subscribe(struct bus *base, struct bytes room, void *subscriber)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    char name[NAME_BUFFER];
    size_t len = name_room_channel(name, bus->prefix, room);
    return &redis_channels_want(&bus->subscriber.channels, (struct bytes){name, len}, subscriber)->base;
}

static void bus_op_unsubscribe(struct bus *base, struct bus_channel *channel)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    redis_channels_drop(&bus->subscriber.channels, (struct redis_channel *)channel);
}

/* ---- time ---- */

static void probe(struct redis_bus *bus, uint64_t now_ms)
{
    if (!serving(bus) || !bus->inbox || !bus->inbox->confirmed)
        return;
    switch (redis_probe_tick(&bus->probe, now_ms)) {
    case PROBE_WAIT:
        return;
    case PROBE_SEND: {
        char nonce[24];
        snprintf(nonce, sizeof nonce, "probe %016" PRIx64, random_u64(bus->env->random));
        const char *argv[] = {"PUBLISH", bus->inbox->name, nonce};
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
    redis_commander_tick(&bus->commander, now_ms);
    probe(bus, now_ms);
}

/* ---- life ---- */

static void part_closed(struct redis_bus *bus)
{
    if (--bus->open_parts > 0)
        return;
    void (*on_closed)(void *ctx) = bus->on_closed;
    void *ctx = bus->closed_ctx;
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

static void bus_op_close(struct bus *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    bus->closing = true;
    bus->on_closed = on_closed;
    bus->closed_ctx = ctx;
    counter_set(bus->counters, GAUGE_BUS_UP, 0);
    redis_subscriber_close(&bus->subscriber);
    if (!redis_link_up(&bus->commander.link)) {
        close_commander(bus);
        return;
    }
    /* The server closes once it has read QUIT, and with it everything before. */
    redis_beat_leave(&bus->beat);
    redis_commander_call(&bus->commander, 1, (const char *[]){"QUIT"}, NULL, NULL);
    redis_link_expect_end(&bus->commander.link);
    bus->close_by_ms = clock_ms(bus->env->clock) + FAREWELL_MS;
    uv_timer_start(&bus->timer, on_tick, 0, TICK_MS / 10);
}

static const struct bus_ops ops = {
    .subscribe = bus_op_subscribe,
    .unsubscribe = bus_op_unsubscribe,
    .publish = bus_op_publish,
    .flush = bus_op_flush,
    .idle = bus_op_idle,
    .behind = bus_op_behind,
    .close = bus_op_close,
};

static const struct redis_subscriber_events subscriber_events = {
    .on_up = on_subscriber_up,
    .on_down = on_subscriber_down,
    .on_confirmed = on_confirmed,
    .on_message = on_message,
    .on_closed = on_subscriber_closed,
};

static const struct redis_commander_events commander_events = {
    .on_up = on_commander_up,
    .on_down = on_commander_down,
    .on_publish_failed = on_publish_failed,
    .on_pressure = on_pressure,
    .on_closed = on_commander_closed,
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

struct bus *redis_bus_new(const struct env *env, const struct redis_bus_options *options, struct counters *counters,
                          const struct bus_events *events, void *ctx)
{
    struct redis_bus *bus = xcalloc(1, sizeof *bus);
    bus->env = env;
    bus->options = options;
    bus->counters = counters;
    bus->prefix = bytes_of(options->prefix);
    bus->open_parts = 3;
    uv_timer_init(env->loop, &bus->timer);
    bus->timer.data = bus;
    bus->tick_ms = clock_ms(env->clock);
    uv_timer_start(&bus->timer, on_tick, TICK_MS, TICK_MS);

    redis_beat_init(&bus->beat, env, options, ctx, &bus->commander, on_claimed, bus);
    bus->base = (struct bus){.ops = &ops, .events = events, .ctx = ctx, .gateway = bus->beat.gateway};
    struct redis_link_options subscribe = link_options(&options->url, "subscriber", "plenum-subscriber");
    redis_subscriber_init(&bus->subscriber, env, &subscribe, &subscriber_events, bus);
    struct redis_link_options command = link_options(&options->url, "commander", "plenum-commander");
    redis_commander_init(&bus->commander, env, &command, &commander_events, bus);
    return &bus->base;
}
