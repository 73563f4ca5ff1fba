/* local_bus.c -- a worker's side of the local bus; see local_bus.h and, for what the workers share, local_hub.h.
 *
 * A flush sends the turn's publishes to the hub in one go, takes the own inbox and reads it without the lock, and then
 * tells what the hub has answered: so that whoever hears an answer has heard all messages that came before it.
 * Callbacks may subscribe, unsubscribe, publish and ask: a channel that was given up is freed only after an inbox that
 * was taken later than that has been read, since older items still name it. */
#include "local_bus.h"

#include <stdlib.h>

#include "../../common/xalloc.h"
#include "local_answers.h"
#include "local_asks.h"
#include "local_hub.h"
#include "local_presence.h"
#include "local_report.h"
#include "pressure.h"

enum {
    PRESSURE_HIGH = 8 << 20, /* of another worker's inbox */
    PRESSURE_LOW = 4 << 20,
    PRESSURE_LOOK_EVERY_MS = 50,
    TICK_MS = 1000,
    TICK_AGAIN_MS = 10,  /* when a sweep has left something */
    SWEEP_BUDGET = 1000, /* rooms: about half a millisecond under the lock */
    REPORT_EVERY_MS = 3000
};

/* In the outgoing buffer: this, then the room's name, the key and the envelope's tail. */
struct outgoing {
    void *ticket;
    struct log_rule rule;
    uint32_t room_len, key_len, tail_len;
};

struct local_bus {
    struct local_post post; /* first */
    struct counters *counters;
    struct local_buffer outgoing;                 /* this turn's publishes */
    struct local_buffer reading;                  /* the inbox that is being read */
    bool busy;                                    /* inside a flush */
    struct local_channel *channels;               /* all that are subscribed */
    struct local_channel *confirm, **confirm_end; /* whose on_confirmed is due, in order */
    struct local_channel *dead;                   /* unsubscribed, to be freed */

    struct pressure pressure;
    uv_timer_t pressure_timer; /* runs while pressed: the other worker's reading wakes nobody here */

    uv_timer_t tick_timer;
    gateway_report_fn report;          /* NULL: nothing is reported */
    struct gateway_report last_report; /* its numbers: rates are differences */
    uint64_t report_ms;                /* when; 0: never */

    bool closing;
    int open_handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void lock(struct local_bus *bus)
{
    local_hub_lock(bus->post.hub, bus->post.env->clock);
}

static void unlock(struct local_bus *bus)
{
    local_hub_unlock(bus->post.hub);
}

/* ---- pressure ---- */

static void on_pressure_timer(uv_timer_t *timer);

static void take_pressure(struct local_bus *bus, size_t fullest)
{
    if (!pressure_update(&bus->pressure, fullest, clock_ms(bus->post.env->clock)))
        return;
    if (bus->pressure.now == BUS_FLOWING)
        uv_timer_stop(&bus->pressure_timer);
    else
        uv_timer_start(&bus->pressure_timer, on_pressure_timer, PRESSURE_LOOK_EVERY_MS, PRESSURE_LOOK_EVERY_MS);
    bus->post.base.events->on_pressure(bus->post.base.ctx, bus->pressure.now);
}

static void on_pressure_timer(uv_timer_t *timer)
{
    struct local_bus *bus = timer->data;
    lock(bus);
    size_t fullest = local_hub_fullest(bus->post.hub, &bus->post);
    unlock(bus);
    take_pressure(bus, fullest);
}

/* ---- tick ---- */

static void report(struct local_bus *bus)
{
    uint64_t now_ms = clock_ms(bus->post.env->clock);
    if (!bus->report || (bus->report_ms && now_ms - bus->report_ms < REPORT_EVERY_MS))
        return;
    struct gateway_report fresh = {0};
    bus->report(bus->post.base.ctx, &fresh);
    struct local_buffer text = {0};
    local_report_write(&text, &fresh, &bus->last_report, bus->report_ms ? now_ms - bus->report_ms : 0);
    bus->last_report = fresh;
    bus->report_ms = now_ms ? now_ms : 1;
    lock(bus);
    struct local_buffer old = bus->post.report;
    bus->post.report = text;
    unlock(bus);
    free(old.data);
}

/* What outlives itself in the hub is found by whichever worker comes by; each comes once a second. */
static void on_tick(uv_timer_t *timer)
{
    struct local_bus *bus = timer->data;
    report(bus);
    lock(bus);
    bool done = local_rooms_sweep(&bus->post.hub->rooms, SWEEP_BUDGET);
    unlock(bus);
    uv_timer_start(timer, on_tick, done ? TICK_MS : TICK_AGAIN_MS, 0);
}

/* ---- publish ---- */

static char *copy(char *at, struct bytes from)
{
    if (from.len)
        memcpy(at, from.data, from.len);
    return at + from.len;
}

static void bus_op_publish(struct bus *base, const struct bus_publish *publish)
{
    struct local_bus *bus = (struct local_bus *)base;
    const struct envelope *envelope = publish->envelope;
    bool logged = publish->log && publish->log->size > 0;
    char tail[ENVELOPE_HEADER_MAX];
    size_t tail_len = envelope_encode_tail(tail, envelope);
    struct outgoing item = {
        .ticket = publish->ticket,
        .rule = logged ? *publish->log : (struct log_rule){0},
        .room_len = (uint32_t)publish->room.len,
        .key_len = logged ? (uint32_t)envelope->key.len : 0,
        .tail_len = (uint32_t)(tail_len + envelope->payload.len),
    };
    char *at = local_buffer_add(&bus->outgoing, sizeof item + item.room_len + item.key_len + item.tail_len);
    memcpy(at, &item, sizeof item);
    at = copy(at + sizeof item, publish->room);
    at = copy(at, (struct bytes){envelope->key.data, item.key_len});
    at = copy(at, (struct bytes){tail, tail_len});
    copy(at, envelope->payload);
    counter_add(bus->counters, COUNT_BUS_PUBLISHED, 1);
    counter_add(bus->counters, COUNT_BUS_PUBLISH_BYTES, sizeof LOCAL_UNLOGGED_HEAD - 1 + item.tail_len);
}

/* Under the lock: gives one publish to the hub, and notes what became of it. */
static void send_one(struct local_bus *bus, const struct outgoing *item)
{
    const char *at = (const char *)(item + 1);
    struct local_publish publish = {.room = {at, item->room_len},
                                    .key = {at + item->room_len, item->key_len},
                                    .tail = {at + item->room_len + item->key_len, item->tail_len},
                                    .rule = item->rule};
    struct local_published result;
    bool taken = local_hub_publish(bus->post.hub, &bus->post, &publish, &result);
    if (!taken)
        counter_add(bus->counters, COUNT_BUS_FAILED_UNAVAILABLE, 1);
    if (!item->ticket)
        return;
    if (taken)
        local_answers_published(&bus->post.answers, item->ticket, result.epoch, result.seq, result.duplicate);
    else
        local_answers_failed(&bus->post.answers, item->ticket, BUS_UNAVAILABLE);
}

static void send_outgoing(struct local_bus *bus)
{
    if (bus->outgoing.len == 0)
        return;
    lock(bus);
    for (size_t at = 0; at < bus->outgoing.len;) {
        const struct outgoing *item = (const struct outgoing *)(bus->outgoing.data + at);
        send_one(bus, item);
        at += local_padded(sizeof *item + item->room_len + item->key_len + item->tail_len);
    }
    /* While pressed, an inbox that got nothing of this turn counts as well. */
    size_t fullest = bus->pressure.now == BUS_FLOWING ? bus->post.met : local_hub_fullest(bus->post.hub, &bus->post);
    bus->post.met = 0;
    unlock(bus);
    local_buffer_clear(&bus->outgoing);
    take_pressure(bus, fullest);
}

/* ---- receive ---- */

static void tell_confirmed(struct local_bus *bus, struct local_channel *list)
{
    while (list) {
        struct local_channel *next = list->next_confirm;
        if (list->listed && !bus->closing) {
            list->base.confirmed = true;
            bus->post.base.events->on_confirmed(bus->post.base.ctx, &list->base);
        }
        list = next;
    }
}

static void read_item(struct local_bus *bus, const struct local_item *item, struct bytes message)
{
    const struct bus_events *events = bus->post.base.events;
    if (item->kind == LOCAL_SIGNAL) {
        events->on_signal(bus->post.base.ctx, message);
    } else if (item->kind == LOCAL_COMMAND) {
        events->on_command(bus->post.base.ctx, message);
    } else if (item->channel->listed) {
        counter_add(bus->counters, COUNT_BUS_RECEIVED, 1);
        counter_add(bus->counters, COUNT_BUS_RECEIVED_BYTES, message.len);
        events->on_message(bus->post.base.ctx, &item->channel->base, message);
    }
}

static void read_inbox(struct local_bus *bus)
{
    for (size_t at = 0; at < bus->reading.len && !bus->closing;) {
        const struct local_item *item = (const struct local_item *)(bus->reading.data + at);
        at += local_padded(sizeof *item + item->len);
        read_item(bus, item, (struct bytes){(const char *)(item + 1), item->len});
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
    lock(bus);
    local_hub_collect(bus->post.hub, &bus->post, &bus->reading);
    unlock(bus);
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
    if (!bus->closing)
        receive(bus);
    local_answers_tell(&bus->post.answers, base, &bus->closing);
    bus->busy = false;
    if (!bus->closing && (bus->outgoing.len || bus->confirm || bus->post.answers.list.len))
        uv_async_send(&bus->post.wake); /* callbacks have left something to do, and the loop may be about to sleep */
    counter_set(bus->counters, GAUGE_BUS_PENDING_BYTES, bus->outgoing.len);
}

static void on_wake(uv_async_t *wake)
{
    struct local_bus *bus = wake->data;
    bus_op_flush(&bus->post.base);
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
    lock(bus);
    local_hub_join(bus->post.hub, channel, room);
    unlock(bus);
    *bus->confirm_end = channel;
    bus->confirm_end = &channel->next_confirm;
    uv_async_send(&bus->post.wake);
    return &channel->base;
}

static void bus_op_unsubscribe(struct bus *base, struct bus_channel *base_channel)
{
    struct local_bus *bus = (struct local_bus *)base;
    struct local_channel *channel = (struct local_channel *)base_channel;
    lock(bus);
    local_hub_leave(bus->post.hub, channel);
    unlock(bus);
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

/* Answers are for whoever listens to a channel of Redis; here nobody can. */
static void bus_op_answer(struct bus *base, struct bytes line)
{
    (void)base;
    (void)line;
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
    local_answers_close(&bus->post.answers);
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
    lock(bus);
    local_presence_lose(&bus->post);
    local_hub_remove(bus->post.hub, &bus->post);
    unlock(bus);
    uv_close((uv_handle_t *)&bus->post.wake, on_handle_closed);
    uv_close((uv_handle_t *)&bus->pressure_timer, on_handle_closed);
    uv_close((uv_handle_t *)&bus->tick_timer, on_handle_closed);
}

static const struct bus_ops local_bus_ops = {
    .subscribe = bus_op_subscribe,
    .unsubscribe = bus_op_unsubscribe,
    .publish = bus_op_publish,
    .flush = bus_op_flush,
    .idle = bus_op_idle,
    .close = bus_op_close,
    .locate = local_asks_locate,
    .peek = local_asks_peek,
    .read = local_asks_read,
    .presence = local_presence_tell,
    .members = local_presence_members,
    .counts = local_presence_counts,
    .signal = local_asks_signal,
    .command = local_asks_command,
    .answer = bus_op_answer,
    .hash_read = local_asks_hash_read,
    .hash_write = local_asks_hash_write,
    .list_rooms = local_asks_rooms,
    .list_gateways = local_asks_gateways,
};

static void init_handles(struct local_bus *bus)
{
    uv_loop_t *loop = bus->post.env->loop;
    if (uv_async_init(loop, &bus->post.wake, on_wake) < 0)
        abort(); /* no descriptor for the loop's first async handle: at the start, nothing can go on */
    uv_timer_init(loop, &bus->pressure_timer);
    uv_timer_init(loop, &bus->tick_timer);
    bus->post.wake.data = bus->pressure_timer.data = bus->tick_timer.data = bus;
    bus->open_handles = 3;
    uv_timer_start(&bus->tick_timer, on_tick, 0, 0); /* not from inside: the worker is not complete yet */
}

struct bus *local_bus_new(struct local_hub *hub, const struct env *env, struct counters *counters,
                          gateway_report_fn report_fn, const struct bus_events *events, void *ctx)
{
    struct local_bus *bus = xcalloc(1, sizeof *bus);
    bus->post.hub = hub;
    bus->post.env = env;
    bus->counters = counters;
    bus->report = report_fn;
    bus->confirm_end = &bus->confirm;
    bus->pressure = (struct pressure){.high = PRESSURE_HIGH, .low = PRESSURE_LOW};
    init_handles(bus);
    bus->post.base = (struct bus){.ops = &local_bus_ops, .events = events, .ctx = ctx};
    lock(bus);
    local_hub_add(hub, &bus->post, random_u32(env->random));
    unlock(bus);
    counter_set(counters, GAUGE_BUS_UP, 1);
    return &bus->post.base;
}
