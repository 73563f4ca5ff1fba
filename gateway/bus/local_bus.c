/* local_bus.c -- a worker's side of the local bus; see local_bus.h and, for what the workers share, local_hub.h.
 *
 * A flush sends the turn's publishes to the hub in one go, takes the own inbox and reads it without the lock. Callbacks
 * may subscribe, unsubscribe and publish: a channel that was given up is freed only after an inbox that was taken later
 * than that has been read, since older items still name it. */
#include "local_bus.h"

#include <stdlib.h>

#include "../../common/xalloc.h"
#include "local_hub.h"
#include "pressure.h"

enum {
    PRESSURE_HIGH = 8 << 20, /* of another worker's inbox */
    PRESSURE_LOW = 4 << 20,
    PRESSURE_LOOK_EVERY_MS = 50
};

/* In the outgoing buffer: this, then the room's name, then the message; filled up like an inbox item. */
struct outgoing {
    uint64_t member;
    uint32_t room_len;
    uint32_t message_len;
};

/* A publish that the hub did not take. */
struct refusal {
    uint64_t member;
    struct refusal *next;
};

struct local_bus {
    struct bus base; /* first */
    struct local_hub *hub;
    const struct env *env;
    struct counters *counters;
    struct local_post post;

    struct local_buffer outgoing;                 /* this turn's publishes */
    struct local_buffer reading;                  /* the inbox that is being read */
    bool busy;                                    /* inside a flush */
    struct local_channel *channels;               /* all that are subscribed */
    struct local_channel *confirm, **confirm_end; /* whose on_confirmed is due, in order */
    struct local_channel *dead;                   /* unsubscribed, to be freed */

    struct pressure pressure;
    uv_timer_t pressure_timer; /* runs while pressed: the other worker's reading wakes nobody here */

    bool closing;
    int open_handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- pressure ---- */

static void on_pressure_timer(uv_timer_t *timer);

static void take_pressure(struct local_bus *bus, size_t fullest)
{
    if (!pressure_update(&bus->pressure, fullest, clock_ms(bus->env->clock)))
        return;
    if (bus->pressure.now == BUS_FLOWING)
        uv_timer_stop(&bus->pressure_timer);
    else
        uv_timer_start(&bus->pressure_timer, on_pressure_timer, PRESSURE_LOOK_EVERY_MS, PRESSURE_LOOK_EVERY_MS);
    bus->base.events->on_pressure(bus->base.ctx, bus->pressure.now);
}

static void on_pressure_timer(uv_timer_t *timer)
{
    struct local_bus *bus = timer->data;
    take_pressure(bus, local_hub_fullest(bus->hub, &bus->post));
}

/* ---- publish ---- */

static void bus_op_publish(struct bus *base, struct bytes room, const struct envelope *envelope)
{
    struct local_bus *bus = (struct local_bus *)base;
    char header[ENVELOPE_HEADER_MAX];
    size_t header_len = envelope_encode_header(header, envelope);
    struct outgoing item = {
        .member = envelope->member,
        .room_len = (uint32_t)room.len,
        .message_len = (uint32_t)(header_len + envelope->payload.len),
    };
    char *at = local_buffer_add(&bus->outgoing, sizeof item + local_padded(room.len + item.message_len));
    memcpy(at, &item, sizeof item);
    at += sizeof item;
    memcpy(at, room.data, room.len);
    at += room.len;
    memcpy(at, header, header_len);
    if (envelope->payload.len)
        memcpy(at + header_len, envelope->payload.data, envelope->payload.len);
    counter_add(bus->counters, COUNT_BUS_PUBLISHED, 1);
    counter_add(bus->counters, COUNT_BUS_PUBLISH_BYTES, item.message_len);
}

static struct refusal *refuse(struct refusal *list, uint64_t member)
{
    struct refusal *refusal = xmalloc(sizeof *refusal);
    *refusal = (struct refusal){member, list};
    return refusal;
}

/* Tells of the refused ones in the order of their publishing, which is the reverse of the list's. */
static void tell_refused(struct local_bus *bus, struct refusal *list)
{
    struct refusal *ordered = NULL;
    while (list) {
        struct refusal *next = list->next;
        list->next = ordered;
        ordered = list;
        list = next;
    }
    while (ordered) {
        struct refusal *next = ordered->next;
        counter_add(bus->counters, COUNT_BUS_FAILED_UNAVAILABLE, 1);
        bus->base.events->on_publish_failed(bus->base.ctx, ordered->member, BUS_UNAVAILABLE);
        free(ordered);
        ordered = next;
    }
}

static void send_outgoing(struct local_bus *bus)
{
    if (bus->outgoing.len == 0)
        return;
    size_t fullest = 0;
    struct refusal *refused = NULL;
    local_hub_lock(bus->hub);
    for (size_t at = 0; at < bus->outgoing.len;) {
        const struct outgoing *item = (const struct outgoing *)(bus->outgoing.data + at);
        struct bytes room = {(const char *)(item + 1), item->room_len};
        struct bytes message = {room.data + room.len, item->message_len};
        if (!local_hub_send(bus->hub, &bus->post, room, message, &fullest))
            refused = refuse(refused, item->member);
        at += sizeof *item + local_padded((size_t)item->room_len + item->message_len);
    }
    local_hub_unlock(bus->hub);
    local_buffer_clear(&bus->outgoing);
    tell_refused(bus, refused);
    /* While pressed, an inbox that got nothing of this turn counts as well. */
    take_pressure(bus, bus->pressure.now == BUS_FLOWING ? fullest : local_hub_fullest(bus->hub, &bus->post));
}

/* ---- receive ---- */

static void tell_confirmed(struct local_bus *bus, struct local_channel *list)
{
    while (list) {
        struct local_channel *next = list->next_confirm;
        if (list->listed) {
            list->base.confirmed = true;
            bus->base.events->on_confirmed(bus->base.ctx, &list->base);
        }
        list = next;
    }
}

static void read_inbox(struct local_bus *bus)
{
    for (size_t at = 0; at < bus->reading.len && !bus->closing;) {
        const struct local_item *item = (const struct local_item *)(bus->reading.data + at);
        struct bytes message = {(const char *)(item + 1), item->len};
        if (item->channel->listed) {
            counter_add(bus->counters, COUNT_BUS_RECEIVED, 1);
            counter_add(bus->counters, COUNT_BUS_RECEIVED_BYTES, message.len);
            bus->base.events->on_message(bus->base.ctx, &item->channel->base, message);
        }
        at += sizeof *item + local_padded(item->len);
    }
    local_buffer_clear(&bus->reading);
}

static void free_dead(struct local_channel *list)
{
    while (list) {
        struct local_channel *next = list->next_dead;
        free(list);
        list = next;
    }
}

static void receive(struct local_bus *bus)
{
    /* Both lists are taken before the inbox: whoever is dead by now can be named by this inbox, but by no later one. */
    struct local_channel *confirm = bus->confirm;
    struct local_channel *dead = bus->dead;
    bus->confirm = NULL;
    bus->confirm_end = &bus->confirm;
    bus->dead = NULL;
    local_hub_collect(bus->hub, &bus->post, &bus->reading);
    tell_confirmed(bus, confirm);
    read_inbox(bus);
    free_dead(dead);
}

static void bus_op_flush(struct bus *base)
{
    struct local_bus *bus = (struct local_bus *)base;
    if (bus->busy || bus->closing)
        return;
    bus->busy = true;
    send_outgoing(bus);
    receive(bus);
    bus->busy = false;
    if (!bus->closing && (bus->outgoing.len || bus->confirm))
        uv_async_send(&bus->post.wake); /* callbacks have left something to do, and the loop may be about to sleep */
    counter_set(bus->counters, GAUGE_BUS_PENDING_BYTES, bus->outgoing.len);
}

static void on_wake(uv_async_t *wake)
{
    struct local_bus *bus = wake->data;
    bus_op_flush(&bus->base);
}

static bool bus_op_idle(const struct bus *base)
{
    return ((const struct local_bus *)base)->outgoing.len == 0;
}

/* ---- subscriptions ---- */

static struct bus_channel *bus_op_subscribe(struct bus *base, struct bytes room, void *subscriber)
{
    struct local_bus *bus = (struct local_bus *)base;
    struct local_channel *channel = xcalloc(1, sizeof *channel);
    channel->base.subscriber = subscriber;
    channel->post = &bus->post;
    channel->listed = true;
    channel->next = bus->channels;
    if (channel->next)
        channel->next->previous = channel;
    bus->channels = channel;
    local_hub_join(bus->hub, channel, room);
    *bus->confirm_end = channel;
    bus->confirm_end = &channel->next_confirm;
    uv_async_send(&bus->post.wake);
    return &channel->base;
}

static void bus_op_unsubscribe(struct bus *base, struct bus_channel *base_channel)
{
    struct local_bus *bus = (struct local_bus *)base;
    struct local_channel *channel = (struct local_channel *)base_channel;
    local_hub_leave(bus->hub, channel);
    channel->base.subscriber = NULL;
    channel->base.confirmed = false;
    channel->listed = false;
    if (channel->previous)
        channel->previous->next = channel->next;
    else
        bus->channels = channel->next;
    if (channel->next)
        channel->next->previous = channel->previous;
    channel->next_dead = bus->dead;
    bus->dead = channel;
}

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct local_bus *bus = handle->data;
    if (--bus->open_handles > 0)
        return;
    void (*on_closed)(void *ctx) = bus->on_closed;
    void *ctx = bus->closed_ctx;
    free_dead(bus->dead);
    free(bus->outgoing.data);
    free(bus->reading.data);
    free(bus);
    on_closed(ctx);
}

static void bus_op_close(struct bus *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct local_bus *bus = (struct local_bus *)base;
    bus->closing = true;
    bus->on_closed = on_closed;
    bus->closed_ctx = ctx;
    counter_set(bus->counters, GAUGE_BUS_UP, 0);
    while (bus->channels)
        bus_op_unsubscribe(base, &bus->channels->base);
    local_hub_remove(bus->hub, &bus->post);
    uv_close((uv_handle_t *)&bus->post.wake, on_handle_closed);
    uv_close((uv_handle_t *)&bus->pressure_timer, on_handle_closed);
}

struct bus *local_bus_new(struct local_hub *hub, const struct env *env, struct counters *counters,
                          const struct bus_events *events, void *ctx)
{
    static const struct bus_ops ops = {
        .subscribe = bus_op_subscribe,
        .unsubscribe = bus_op_unsubscribe,
        .publish = bus_op_publish,
        .flush = bus_op_flush,
        .idle = bus_op_idle,
        .close = bus_op_close,
    };
    struct local_bus *bus = xcalloc(1, sizeof *bus);
    bus->hub = hub;
    bus->env = env;
    bus->counters = counters;
    bus->confirm_end = &bus->confirm;
    bus->pressure = (struct pressure){.high = PRESSURE_HIGH, .low = PRESSURE_LOW};
    bus->open_handles = 2;
    if (uv_async_init(env->loop, &bus->post.wake, on_wake) < 0)
        abort(); /* no descriptor for the loop's first async handle: at the start, nothing can go on */
    uv_timer_init(env->loop, &bus->pressure_timer);
    bus->post.wake.data = bus;
    bus->pressure_timer.data = bus;
    local_hub_add(hub, &bus->post, random_u32(env->random));
    bus->base = (struct bus){.ops = &ops, .events = events, .ctx = ctx, .gateway = bus->post.gateway};
    counter_set(counters, GAUGE_BUS_UP, 1);
    return &bus->base;
}
