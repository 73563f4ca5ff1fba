/* log_bus.h -- a worker's bus with a log, presence and asks, whose every step is the test's to take.
 *
 * Commands (publishes and asks) stand in one line, as on a connection: the server executes them in that order, when
 * the test says so (log_bus_execute), and their answers come in that order too, in as many pieces as the test likes
 * (log_bus_reply). What is published stands in another line for each worker that is subscribed, and comes when the test
 * says so (log_bus_live). Either line may be lost at any time (log_bus_lose_commands, log_bus_lose_channels), single
 * commands may fail (log_bus_fail), single live messages may be dropped or come twice. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_LOG_BUS_H
#define PLENUM_TESTS_UNIT_SUPPORT_LOG_BUS_H

#include "log_redis.h"

enum fake_kind {
    FAKE_PUBLISH,
    FAKE_LOCATE,
    FAKE_PEEK,
    FAKE_READ,
    FAKE_PRESENCE,
    FAKE_MEMBERS,
    FAKE_COUNTS,
    FAKE_SIGNAL,
    FAKE_HASH
};

/* A piece of an answer. */
struct fake_part {
    enum { PART_POSITION, PART_ENTRY, PART_GATEWAY, PART_MEMBER, PART_FIELD } kind;
    struct bus_position position; /* its texts are the rooms' epochs' names, and stay */
    uint64_t number, members;
    char *name, *data;
    size_t len;
};

struct fake_command {
    struct fake_command *next;
    enum fake_kind kind;
    struct fake_room *room;
    struct bus_ask ask;
    void *ticket;
    char *text; /* publish: the envelope behind the epoch; signal: the message */
    size_t len;
    char key[65];
    uint32_t log_size;
    char epoch[EPOCH_MAX + 1]; /* delivered; published */
    uint64_t seq;
    struct log_range range;
    struct presence_batch batch;
    struct presence_change *changes;
    enum bus_hash hash;
    uint32_t gateway;
    bool executed, duplicate;
    enum bus_result result;
    struct fake_part *parts;
    uint32_t part_count, part_cap, parts_told;
};

struct fake_live {
    struct fake_live *next;
    struct bus_channel *channel;
    char *data;
    size_t len;
};

struct fake_channel {
    struct bus_channel base; /* first */
    struct fake_room *room;
    bool subscribed; /* the server knows it */
    bool told;       /* on_confirmed was called */
};

struct log_bus {
    struct bus base; /* first */
    struct fake_redis *redis;
    struct fake_channel channels[FAKE_ROOMS];
    struct fake_command *commands, **commands_end;
    struct fake_live *live, **live_end;
    struct fake_live *signals, **signals_end;
    uint32_t command_count, live_count;
    int deaf, subscribes, unsubscribes;
    bool away;                     /* this gateway is not known to the server: signals find nobody */
    uint32_t asked[FAKE_HASH + 1]; /* how often */
};

/* ---- lines */

static inline struct fake_live *live_new(struct bus_channel *channel, struct bytes message)
{
    struct fake_live *live = xcalloc(1, sizeof *live);
    live->channel = channel;
    live->data = xmalloc(message.len + 1); /* so that nobody looks past its end */
    memcpy(live->data, message.data, message.len);
    live->len = message.len;
    return live;
}

static inline void live_free(struct fake_live *live)
{
    free(live->data);
    free(live);
}

static inline struct fake_live *live_take(struct log_bus *bus, struct fake_live **at)
{
    struct fake_live *live = *at;
    assert_non_null(live);
    *at = live->next; /* NOLINT(clang-analyzer-core.NullDereference): just looked at */
    if (!*at)
        bus->live_end = at;
    bus->live_count--;
    return live;
}

static inline void live_add(struct log_bus *bus, struct bus_channel *channel, struct bytes message)
{
    struct fake_live *live = live_new(channel, message);
    *bus->live_end = live;
    bus->live_end = &live->next;
    bus->live_count++;
}

static inline void fake_tell(struct fake_redis *redis, struct fake_room *room, struct bytes message)
{
    for (int i = 0; i < redis->bus_count; i++) {
        struct log_bus *bus = redis->buses[i];
        for (int k = 0; k < FAKE_ROOMS; k++) {
            struct fake_channel *channel = &bus->channels[k];
            if (channel->base.subscriber && channel->room == room && channel->subscribed)
                live_add(bus, &channel->base, message);
        }
    }
}

static inline struct fake_command *command_add(struct log_bus *bus, enum fake_kind kind, struct bytes room,
                                               const struct bus_ask *ask)
{
    struct fake_command *command = xcalloc(1, sizeof *command);
    command->kind = kind;
    command->room = room.len ? fake_room(bus->redis, room) : NULL;
    if (ask)
        command->ask = *ask;
    *bus->commands_end = command;
    bus->commands_end = &command->next;
    bus->command_count++;
    bus->asked[kind]++;
    return command;
}

static inline struct fake_command *command_take(struct log_bus *bus, struct fake_command **at)
{
    struct fake_command *command = *at;
    *at = command->next;
    if (!*at)
        bus->commands_end = at;
    bus->command_count--;
    return command;
}

static inline void command_free(struct fake_command *command)
{
    for (uint32_t i = 0; i < command->part_count; i++) {
        free(command->parts[i].name);
        free(command->parts[i].data);
    }
    for (uint32_t i = 0; i < command->batch.count; i++)
        free((char *)command->changes[i].value.data);
    free(command->parts);
    free(command->changes);
    free(command->text);
    free(command);
}

/* ---- the operations */

static inline struct bus_channel *fake_subscribe(struct bus *base, struct bytes room, void *subscriber)
{
    struct log_bus *bus = (struct log_bus *)base;
    int at = 0;
    while (bus->channels[at].base.subscriber)
        assert_true(++at < FAKE_ROOMS);
    bus->channels[at] = (struct fake_channel){.base = {.subscriber = subscriber}, .room = fake_room(bus->redis, room)};
    bus->subscribes++;
    return &bus->channels[at].base;
}

static inline void forget_live(struct log_bus *bus, const struct bus_channel *channel)
{
    for (struct fake_live **at = &bus->live; *at;) {
        if ((*at)->channel == channel)
            live_free(live_take(bus, at));
        else
            at = &(*at)->next;
    }
}

static inline void fake_unsubscribe(struct bus *base, struct bus_channel *channel)
{
    struct log_bus *bus = (struct log_bus *)base;
    assert_non_null(channel->subscriber);
    forget_live(bus, channel);
    *(struct fake_channel *)channel = (struct fake_channel){.base = {.subscriber = NULL}};
    bus->unsubscribes++;
}

static inline void fake_publish(struct bus *base, const struct bus_publish *publish)
{
    struct fake_command *command = command_add((struct log_bus *)base, FAKE_PUBLISH, publish->room, NULL);
    char head[ENVELOPE_HEADER_MAX];
    command->log_size = publish->log ? publish->log->size : 0;
    size_t len = command->log_size ? envelope_encode_tail(head, publish->envelope)
                                   : envelope_encode_header(head, publish->envelope);
    struct bytes payload = publish->envelope->payload, key = publish->envelope->key;
    command->text = xmalloc(len + payload.len);
    memcpy(command->text, head, len);
    memcpy(command->text + len, payload.data, payload.len);
    command->len = len + payload.len;
    assert_true(key.len < sizeof command->key);
    if (key.len)
        memcpy(command->key, key.data, key.len);
    command->ticket = publish->ticket;
}

static inline void fake_locate(struct bus *base, struct bytes room, struct bytes epoch, uint64_t seq,
                               const struct bus_ask *ask)
{
    struct fake_command *command = command_add((struct log_bus *)base, FAKE_LOCATE, room, ask);
    memcpy(command->epoch, epoch.data, epoch.len);
    command->seq = seq;
}

static inline void fake_peek(struct bus *base, struct bytes room, const struct bus_ask *ask)
{
    command_add((struct log_bus *)base, FAKE_PEEK, room, ask);
}

static inline void fake_read(struct bus *base, struct bytes room, const struct log_range *range,
                             const struct bus_ask *ask)
{
    assert_true(range->limit > 0);
    command_add((struct log_bus *)base, FAKE_READ, room, ask)->range = *range;
}

static inline void fake_tell_presence(struct bus *base, const struct presence_batch *batch, const struct bus_ask *ask)
{
    struct fake_command *command = command_add((struct log_bus *)base, FAKE_PRESENCE, batch->room, ask);
    command->batch = *batch;
    memcpy(command->epoch, batch->epoch.data, batch->epoch.len);
    command->changes = xcalloc(batch->count + 1, sizeof *command->changes);
    for (uint32_t i = 0; i < batch->count; i++) {
        command->changes[i] = batch->changes[i];
        command->changes[i].value.data = xstrndup(batch->changes[i].value.data, batch->changes[i].value.len);
    }
    command->batch.changes = command->changes;
}

static inline void fake_members(struct bus *base, struct bytes room, const struct bus_ask *ask)
{
    command_add((struct log_bus *)base, FAKE_MEMBERS, room, ask);
}

static inline void fake_counts(struct bus *base, struct bytes room, const struct bus_ask *ask)
{
    command_add((struct log_bus *)base, FAKE_COUNTS, room, ask);
}

static inline void fake_signal(struct bus *base, uint32_t gateway, struct bytes message, const struct bus_ask *ask)
{
    struct fake_command *command = command_add((struct log_bus *)base, FAKE_SIGNAL, (struct bytes){NULL, 0}, ask);
    command->gateway = gateway;
    command->text = xstrndup(message.data, message.len);
    command->len = message.len;
}

static inline void fake_hash_read(struct bus *base, enum bus_hash hash, struct bytes room, const struct bus_ask *ask)
{
    command_add((struct log_bus *)base, FAKE_HASH, room, ask)->hash = hash;
}

static inline void fake_deaf(struct bus *base)
{
    ((struct log_bus *)base)->deaf++;
}

static const struct bus_ops fake_ops = {
    .subscribe = fake_subscribe,
    .unsubscribe = fake_unsubscribe,
    .publish = fake_publish,
    .deaf = fake_deaf,
    .locate = fake_locate,
    .peek = fake_peek,
    .read = fake_read,
    .presence = fake_tell_presence,
    .members = fake_members,
    .counts = fake_counts,
    .signal = fake_signal,
    .hash_read = fake_hash_read,
};

static inline void log_bus_init(struct log_bus *bus, struct fake_redis *redis, uint32_t gateway,
                                const struct bus_events *events, void *ctx)
{
    *bus = (struct log_bus){.base = {&fake_ops, events, ctx, gateway}, .redis = redis};
    bus->commands_end = &bus->commands;
    bus->live_end = &bus->live;
    bus->signals_end = &bus->signals;
    assert_true(redis->bus_count < FAKE_BUSES);
    redis->buses[redis->bus_count++] = bus;
}

static inline void log_bus_free(struct log_bus *bus)
{
    while (bus->commands)
        command_free(command_take(bus, &bus->commands));
    while (bus->live)
        live_free(live_take(bus, &bus->live));
    while (bus->signals) {
        struct fake_live *signal = bus->signals;
        bus->signals = signal->next;
        live_free(signal);
    }
}

#include "log_bus_steps.h"

#endif
