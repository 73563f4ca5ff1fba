/* bus_world.h -- a loop with workers on it, each with a bus and a memory of what its bus told.
 *
 * Every worker's bus is flushed in uv_prepare, as in the gateway. Tests run the loop until something is the case. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_BUS_WORLD_H
#define PLENUM_TESTS_UNIT_SUPPORT_BUS_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "common/env.h"
#include "common/xalloc.h"
#include "gateway/bus/bus.h"
#include "gateway/counters.h"

/* For callbacks and threads, which cmocka's asserts must not leave by a longjmp. */
#define world_require(condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { WORLD_WORKERS = 4, WORLD_DEADLINE_MS = 15000 };

struct bus_world;

/* Something that a bus told. */
struct told {
    enum {
        TOLD_CONFIRMED,
        TOLD_LOST,
        TOLD_MESSAGE,
        TOLD_PRESENCE, /* a message of kind 'p' */
        TOLD_PUBLISHED,
        TOLD_FAILED,
        TOLD_PRESSURE,
        TOLD_SIGNAL,
        TOLD_COMMAND,
        TOLD_FORGOTTEN
    } kind;
    void *subscriber; /* of the channel */
    char *payload;    /* of the message, signal or command: a terminated copy */
    size_t len;
    char *envelope; /* of the message: all its bytes, as they came */
    size_t envelope_len;
    uint64_t member; /* the message's; or the ticket of what was published or failed */
    uint64_t seq;    /* of the message, or as on_published says; epoch likewise */
    char epoch[EPOCH_MAX + 1];
    bool duplicate;
    enum bus_failure why; /* it failed */
    enum bus_pressure pressure;
};

struct bus_worker {
    struct bus_world *world;
    struct bus *bus; /* NULL once closed */
    struct counters counters;
    struct told *told;
    size_t told_count, told_cap;
    size_t confirmed, lost, messages, presences, published, failed, signals, commands, forgotten; /* numbers of each */
    bool inside_call; /* of the bus: nothing may be told */
    /* For tests that act from inside: called for each message, when set. */
    void (*on_message)(struct bus_worker *worker, struct bus_channel *channel, const struct envelope *envelope);
};

struct answer; /* see bus_answers.h */

struct bus_world {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t wake; /* so that a waiting test looks at its deadline */
    struct log log;
    struct env env;
    struct bus_worker workers[WORLD_WORKERS];
    int worker_count;
    struct answer *answers; /* all that were asked for */
    void (*free_answers)(struct bus_world *world);
};

static struct told *world_tell(struct bus_worker *worker, int kind, struct bus_channel *channel)
{
    if (worker->told_count == worker->told_cap) {
        worker->told_cap = worker->told_cap ? worker->told_cap * 2 : 64;
        worker->told = xrealloc(worker->told, worker->told_cap * sizeof *worker->told);
    }
    struct told *told = &worker->told[worker->told_count++];
    memset(told, 0, sizeof *told);
    told->kind = kind;
    told->subscriber = channel ? channel->subscriber : NULL;
    return told;
}

static void world_on_confirmed(void *ctx, struct bus_channel *channel)
{
    struct bus_worker *worker = ctx;
    world_require(!worker->inside_call && channel->subscriber && channel->confirmed);
    world_tell(worker, TOLD_CONFIRMED, channel);
    worker->confirmed++;
}

static void world_on_channel_lost(void *ctx, struct bus_channel *channel)
{
    struct bus_worker *worker = ctx;
    world_require(channel->subscriber && !channel->confirmed);
    world_tell(worker, TOLD_LOST, channel);
    worker->lost++;
}

static void world_copy_epoch(char out[EPOCH_MAX + 1], struct bytes epoch)
{
    world_require(epoch.len <= EPOCH_MAX);
    snprintf(out, EPOCH_MAX + 1, "%.*s", (int)epoch.len, epoch.len ? epoch.data : "");
}

static void world_on_message(void *ctx, struct bus_channel *channel, struct bytes message)
{
    struct bus_worker *worker = ctx;
    world_require(!worker->inside_call && channel->subscriber);
    struct envelope envelope;
    enum envelope_result result = envelope_decode(message, &envelope);
    world_require(result == ENVELOPE_OK);
    bool presence = envelope.kind == ENVELOPE_PRESENCE;
    struct told *told = world_tell(worker, presence ? TOLD_PRESENCE : TOLD_MESSAGE, channel);
    told->payload = xstrndup(envelope.payload.data, envelope.payload.len);
    told->len = envelope.payload.len;
    told->envelope = xstrndup(message.data, message.len);
    told->envelope_len = message.len;
    told->member = envelope.member;
    told->seq = envelope.seq;
    world_copy_epoch(told->epoch, envelope.epoch);
    *(presence ? &worker->presences : &worker->messages) += 1;
    if (worker->on_message)
        worker->on_message(worker, channel, &envelope);
}

static void world_on_published(void *ctx, void *ticket, struct bytes epoch, uint64_t seq, bool duplicate)
{
    struct bus_worker *worker = ctx;
    world_require(!worker->inside_call && ticket && (seq > 0) == (epoch.len > 0));
    struct told *told = world_tell(worker, TOLD_PUBLISHED, NULL);
    told->member = (uintptr_t)ticket;
    told->seq = seq;
    world_copy_epoch(told->epoch, epoch);
    told->duplicate = duplicate;
    worker->published++;
}

static void world_on_publish_failed(void *ctx, void *ticket, enum bus_failure failure)
{
    struct bus_worker *worker = ctx;
    world_require(ticket);
    struct told *told = world_tell(worker, TOLD_FAILED, NULL);
    told->member = (uintptr_t)ticket;
    told->why = failure;
    worker->failed++;
}

static void world_on_pressure(void *ctx, enum bus_pressure pressure)
{
    world_tell(ctx, TOLD_PRESSURE, NULL)->pressure = pressure;
}

static void world_on_signal(void *ctx, struct bytes message)
{
    struct bus_worker *worker = ctx;
    struct told *told = world_tell(worker, TOLD_SIGNAL, NULL);
    told->payload = xstrndup(message.data, message.len);
    told->len = message.len;
    worker->signals++;
}

static void world_on_command(void *ctx, struct bytes line)
{
    struct bus_worker *worker = ctx;
    struct told *told = world_tell(worker, TOLD_COMMAND, NULL);
    told->payload = xstrndup(line.data, line.len);
    told->len = line.len;
    worker->commands++;
}

static void world_on_forgotten(void *ctx)
{
    struct bus_worker *worker = ctx;
    world_tell(worker, TOLD_FORGOTTEN, NULL);
    worker->forgotten++;
}

static const struct bus_events world_bus_events = {
    .on_confirmed = world_on_confirmed,
    .on_channel_lost = world_on_channel_lost,
    .on_message = world_on_message,
    .on_published = world_on_published,
    .on_publish_failed = world_on_publish_failed,
    .on_pressure = world_on_pressure,
    .on_signal = world_on_signal,
    .on_command = world_on_command,
    .on_forgotten = world_on_forgotten,
};

static void world_on_prepare(uv_prepare_t *prepare)
{
    struct bus_world *world = prepare->data;
    for (int i = 0; i < world->worker_count; i++) {
        if (world->workers[i].bus)
            bus_flush(world->workers[i].bus);
    }
}

static void world_on_wake(uv_timer_t *timer)
{
    (void)timer;
}

static inline void world_init(struct bus_world *world)
{
    memset(world, 0, sizeof *world);
    uv_loop_init(&world->loop);
    uv_prepare_init(&world->loop, &world->prepare);
    world->prepare.data = world;
    uv_prepare_start(&world->prepare, world_on_prepare);
    uv_timer_init(&world->loop, &world->wake);
    uv_timer_start(&world->wake, world_on_wake, 20, 20);
    world->log = (struct log){.fd = -1, .level = LOG_ERROR + 1, .format = LOG_TEXT, .clock = clock_system()};
    world->env = (struct env){&world->loop, clock_system(), random_system(), &world->log};
}

/* The next worker; its bus is made by the caller. */
static inline struct bus_worker *world_worker(struct bus_world *world)
{
    world_require(world->worker_count < WORLD_WORKERS);
    struct bus_worker *worker = &world->workers[world->worker_count++];
    worker->world = world;
    return worker;
}

/* Runs the loop until the condition holds; fails the test when it does not in time. */
#define world_until(world, condition)                                                                                  \
    do {                                                                                                               \
        uint64_t deadline = clock_ms(clock_system()) + WORLD_DEADLINE_MS;                                              \
        while (!(condition) && clock_ms(clock_system()) < deadline)                                                    \
            uv_run(&(world)->loop, UV_RUN_ONCE);                                                                       \
        assert_true(condition);                                                                                        \
    } while (0)

/* Runs the loop for a time: only to see that something does not happen. */
static inline void world_run_for(struct bus_world *world, uint64_t ms)
{
    uint64_t end = clock_ms(clock_system()) + ms;
    while (clock_ms(clock_system()) < end)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static void world_on_bus_closed(void *ctx)
{
    struct bus_worker *worker = ctx;
    worker->bus = NULL;
}

static inline void world_forget(struct bus_worker *worker)
{
    for (size_t i = 0; i < worker->told_count; i++) {
        free(worker->told[i].payload);
        free(worker->told[i].envelope);
    }
    worker->told_count = 0;
    worker->confirmed = worker->lost = worker->messages = worker->presences = worker->published = worker->failed = 0;
    worker->signals = worker->commands = worker->forgotten = 0;
}

static inline bool world_has_buses(const struct bus_world *world)
{
    for (int i = 0; i < world->worker_count; i++) {
        if (world->workers[i].bus)
            return true;
    }
    return false;
}

/* Closes every bus and the loop; no handle may be left on it. */
static inline void world_close(struct bus_world *world)
{
    for (int i = 0; i < world->worker_count; i++) {
        if (world->workers[i].bus)
            bus_close(world->workers[i].bus, world_on_bus_closed, &world->workers[i]);
    }
    while (world_has_buses(world))
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&world->prepare, NULL);
    uv_close((uv_handle_t *)&world->wake, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    int status = uv_loop_close(&world->loop);
    world_require(status == 0);
    if (world->free_answers)
        world->free_answers(world);
    for (int i = 0; i < world->worker_count; i++) {
        world_forget(&world->workers[i]);
        free(world->workers[i].told);
    }
}

/* ---- what tests do ---- */

static inline struct bus_channel *world_subscribe(struct bus_worker *worker, const char *room, void *subscriber)
{
    worker->inside_call = true;
    struct bus_channel *channel = bus_subscribe(worker->bus, bytes_of(room), subscriber);
    worker->inside_call = false;
    return channel;
}

/* A message with a log rule and a key, NULL where there is none. The ticket is the member's number, so that member 0
 * publishes without one. */
static inline void world_publish_with(struct bus_worker *worker, const char *room, struct bytes payload,
                                      uint64_t member, const struct log_rule *log, const char *key)
{
    struct envelope envelope = {.kind = ENVELOPE_BINARY,
                                .member = member,
                                .key = key ? bytes_of(key) : (struct bytes){NULL, 0},
                                .time_ms = clock_wall_ms(clock_system()),
                                .payload = payload};
    struct bus_publish publish = {
        .room = bytes_of(room), .log = log, .envelope = &envelope, .ticket = (void *)(uintptr_t)member};
    worker->inside_call = true;
    bus_publish(worker->bus, &publish);
    worker->inside_call = false;
}

/* What most tests want of a log. */
static const struct log_rule world_log = {.size = 1000, .bytes = 4 << 20, .ttl_s = 600};

/* Into the room's log. */
static inline void world_publish_logged(struct bus_worker *worker, const char *room, const char *text, uint64_t member)
{
    world_publish_with(worker, room, bytes_of(text), member, &world_log, NULL);
}

/* Without a log. */
static inline void world_publish_bytes(struct bus_worker *worker, const char *room, struct bytes payload,
                                       uint64_t member)
{
    world_publish_with(worker, room, payload, member, NULL, NULL);
}

static inline void world_publish(struct bus_worker *worker, const char *room, const char *text, uint64_t member)
{
    world_publish_bytes(worker, room, bytes_of(text), member);
}

/* The nth thing (from 0) of that kind that the worker was told. */
static inline const struct told *world_told(const struct bus_worker *worker, int kind, size_t nth)
{
    for (size_t i = 0; i < worker->told_count; i++) {
        if ((int)worker->told[i].kind == kind && nth-- == 0)
            return &worker->told[i];
    }
    return NULL;
}

static inline const struct told *world_message(const struct bus_worker *worker, size_t nth)
{
    return world_told(worker, TOLD_MESSAGE, nth);
}

/* The newest message that the worker was told is this one. */
static inline bool world_last_is(const struct bus_worker *worker, const char *text)
{
    const struct told *last = worker->messages ? world_message(worker, worker->messages - 1) : NULL;
    return last && strcmp(last->payload, text) == 0;
}

/* How many messages the worker was told for that subscriber. */
static inline size_t world_heard(const struct bus_worker *worker, const void *subscriber)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->told_count; i++)
        count += worker->told[i].kind == TOLD_MESSAGE && worker->told[i].subscriber == subscriber;
    return count;
}

#endif
