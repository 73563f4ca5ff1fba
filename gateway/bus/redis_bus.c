/* redis_bus.c -- see redis_bus.h, and redis_bus_parts.h for what it is made of. */
#include "redis_bus.h"

#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "redis_bus_parts.h"

enum { SCRATCH_KEEP = 64 << 10 };

static struct redis_bus *of(struct bus *base)
{
    return (struct redis_bus *)base;
}

/* ---- publishing ---- */

/* Puts header and payload into one piece, valid until the next call: the commander takes the message as one. */
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

static size_t publish_plain(struct redis_bus *bus, const struct bus_publish *publish)
{
    char name[NAME_BUFFER];
    size_t name_len = name_room_channel(name, bus->common.prefix, publish->room);
    struct bytes message = assemble(bus, publish->envelope);
    redis_commander_publish(&bus->commander, (struct bytes){name, name_len}, message, publish->ticket);
    return message.len;
}

static void bus_op_publish(struct bus *base, const struct bus_publish *publish)
{
    struct redis_bus *bus = of(base);
    size_t size = publish->log && publish->log->size > 0
                      ? redis_log_publish(&bus->log, publish->room, publish->log, publish->envelope, publish->ticket)
                      : publish_plain(bus, publish);
    counter_add(bus->counters, COUNT_BUS_PUBLISHED, 1);
    counter_add(bus->counters, COUNT_BUS_PUBLISH_BYTES, size);
}

static void bus_op_flush(struct bus *base)
{
    struct redis_bus *bus = of(base);
    if (bus->deaf)
        redis_link_drop(&bus->subscriber.link, REDIS_LOST_DEAF, "what was published has not come back");
    bus->deaf = false;
    redis_subscriber_flush(&bus->subscriber);
    redis_log_flush(&bus->log);
    redis_commander_flush(&bus->commander);
    redis_bus_update_gauges(bus);
}

/* Not at once: on_channel_lost comes for every channel, and not from inside the call. */
static void bus_op_deaf(struct bus *base)
{
    of(base)->deaf = true;
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
    struct redis_bus *bus = of(base);
    char name[NAME_BUFFER];
    size_t len = name_room_channel(name, bus->common.prefix, room);
    return &redis_channels_want(&bus->subscriber.channels, (struct bytes){name, len}, subscriber)->base;
}

static void bus_op_unsubscribe(struct bus *base, struct bus_channel *channel)
{
    struct redis_bus *bus = of(base);
    redis_channels_drop(&bus->subscriber.channels, (struct redis_channel *)channel);
}

/* ---- questions ---- */

static void bus_op_locate(struct bus *base, struct bytes room, struct bytes epoch, uint64_t seq,
                          const struct bus_ask *ask)
{
    redis_history_locate(&of(base)->history, room, epoch, seq, ask);
}

static void bus_op_peek(struct bus *base, struct bytes room, const struct bus_ask *ask)
{
    redis_history_peek(&of(base)->history, room, ask);
}

static void bus_op_read(struct bus *base, struct bytes room, const struct log_range *range, const struct bus_ask *ask)
{
    redis_history_read(&of(base)->history, room, range, ask);
}

static void bus_op_presence(struct bus *base, const struct presence_batch *batch, const struct bus_ask *ask)
{
    redis_presence_tell(&of(base)->presence, batch, ask);
}

static void bus_op_members(struct bus *base, struct bytes room, const struct bus_ask *ask)
{
    redis_presence_members(&of(base)->presence, room, ask);
}

static void bus_op_counts(struct bus *base, struct bytes room, const struct bus_ask *ask)
{
    redis_presence_counts(&of(base)->presence, room, ask);
}

static void bus_op_signal(struct bus *base, uint32_t gateway, struct bytes message, const struct bus_ask *ask)
{
    redis_admin_signal(&of(base)->admin, gateway, message, ask);
}

static void bus_op_command(struct bus *base, uint32_t gateway, struct bytes line, const struct bus_ask *ask)
{
    redis_admin_command(&of(base)->admin, gateway, line, ask);
}

static void bus_op_answer(struct bus *base, struct bytes line)
{
    redis_admin_answer(&of(base)->admin, line);
}

static void bus_op_hash_read(struct bus *base, enum bus_hash hash, struct bytes room, const struct bus_ask *ask)
{
    redis_admin_hash_read(&of(base)->admin, hash, room, ask);
}

static void bus_op_hash_write(struct bus *base, enum bus_hash hash, struct bytes room, struct bytes field,
                              struct bytes value, const struct bus_ask *ask)
{
    redis_admin_hash_write(&of(base)->admin, hash, room, field, value, ask);
}

static void bus_op_list_rooms(struct bus *base, const struct bus_ask *ask)
{
    redis_admin_list_rooms(&of(base)->admin, ask);
}

static void bus_op_list_gateways(struct bus *base, const struct bus_ask *ask)
{
    redis_admin_list_gateways(&of(base)->admin, ask);
}

/* ---- life ---- */

static void bus_op_close(struct bus *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct redis_bus *bus = of(base);
    bus->on_closed = on_closed;
    bus->closed_ctx = ctx;
    redis_bus_close_parts(bus);
}

static const struct bus_ops ops = {
    .subscribe = bus_op_subscribe,
    .unsubscribe = bus_op_unsubscribe,
    .publish = bus_op_publish,
    .flush = bus_op_flush,
    .idle = bus_op_idle,
    .behind = bus_op_behind,
    .deaf = bus_op_deaf,
    .close = bus_op_close,
    .locate = bus_op_locate,
    .peek = bus_op_peek,
    .read = bus_op_read,
    .presence = bus_op_presence,
    .members = bus_op_members,
    .counts = bus_op_counts,
    .signal = bus_op_signal,
    .command = bus_op_command,
    .answer = bus_op_answer,
    .hash_read = bus_op_hash_read,
    .hash_write = bus_op_hash_write,
    .list_rooms = bus_op_list_rooms,
    .list_gateways = bus_op_list_gateways,
};

struct bus *redis_bus_new(const struct env *env, const struct redis_bus_options *options, struct counters *counters,
                          const struct bus_events *events, void *ctx)
{
    struct redis_bus *bus = xcalloc(1, sizeof *bus);
    bus->base = (struct bus){.ops = &ops, .events = events, .ctx = ctx};
    bus->env = env;
    bus->options = options;
    bus->counters = counters;
    redis_bus_open_parts(bus, ctx);
    return &bus->base;
}
