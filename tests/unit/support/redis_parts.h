/* redis_parts.h -- the parts of the Redis bus that ask, without the rest of it: no subscriber, no beat, no probe.
 *
 * To its world it is a bus that can be asked (not subscribed or published to), so that bus_answers.h works with it. A
 * worker that is closed says no farewell: to the others it has died. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_REDIS_PARTS_H
#define PLENUM_TESTS_UNIT_SUPPORT_REDIS_PARTS_H

#include "bus_answers.h"
#include "common/names.h"
#include "gateway/bus/redis_admin.h"
#include "gateway/bus/redis_presence.h"
#include "gateway/bus/redis_reaper.h"
#include "redis_process.h"

struct redis_parts {
    struct bus base; /* first */
    struct redis_link_options link;
    struct redis_common common;
    struct redis_commander commander;
    struct redis_scripts scripts;
    struct redis_presence presence;
    struct redis_admin admin;
    struct redis_channels channels; /* what a test says is served here */
    struct redis_reaper reaper;
    size_t gens; /* times that another gen was named */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static struct redis_parts *parts_of(struct bus *bus)
{
    return (struct redis_parts *)bus;
}

/* ---- the bus's operations ---- */

static void parts_flush(struct bus *bus)
{
    struct redis_parts *parts = parts_of(bus);
    redis_commander_flush(&parts->commander);
    redis_commander_tick(&parts->commander, clock_ms(parts->common.env->clock));
    redis_reaper_tick(&parts->reaper, clock_ms(parts->common.env->clock));
}

static void parts_presence(struct bus *bus, const struct presence_batch *batch, const struct bus_ask *ask)
{
    redis_presence_tell(&parts_of(bus)->presence, batch, ask);
}

static void parts_members(struct bus *bus, struct bytes room, const struct bus_ask *ask)
{
    redis_presence_members(&parts_of(bus)->presence, room, ask);
}

static void parts_counts(struct bus *bus, struct bytes room, const struct bus_ask *ask)
{
    redis_presence_counts(&parts_of(bus)->presence, room, ask);
}

static void parts_signal(struct bus *bus, uint32_t gateway, struct bytes message, const struct bus_ask *ask)
{
    redis_admin_signal(&parts_of(bus)->admin, gateway, message, ask);
}

static void parts_command(struct bus *bus, uint32_t gateway, struct bytes line, const struct bus_ask *ask)
{
    redis_admin_command(&parts_of(bus)->admin, gateway, line, ask);
}

static void parts_answer(struct bus *bus, struct bytes line)
{
    redis_admin_answer(&parts_of(bus)->admin, line);
}

static void parts_hash_read(struct bus *bus, enum bus_hash hash, struct bytes room, const struct bus_ask *ask)
{
    redis_admin_hash_read(&parts_of(bus)->admin, hash, room, ask);
}

static void parts_hash_write(struct bus *bus, enum bus_hash hash, struct bytes room, struct bytes field,
                             struct bytes value, const struct bus_ask *ask)
{
    redis_admin_hash_write(&parts_of(bus)->admin, hash, room, field, value, ask);
}

static void parts_list_rooms(struct bus *bus, const struct bus_ask *ask)
{
    redis_admin_list_rooms(&parts_of(bus)->admin, ask);
}

static void parts_list_gateways(struct bus *bus, const struct bus_ask *ask)
{
    redis_admin_list_gateways(&parts_of(bus)->admin, ask);
}

static void parts_close(struct bus *bus, void (*on_closed)(void *ctx), void *ctx)
{
    struct redis_parts *parts = parts_of(bus);
    parts->on_closed = on_closed;
    parts->closed_ctx = ctx;
    redis_presence_mute(&parts->presence);
    redis_admin_mute(&parts->admin);
    redis_reaper_down(&parts->reaper);
    redis_commander_close(&parts->commander);
}

static const struct bus_ops parts_ops = {
    .flush = parts_flush,
    .close = parts_close,
    .presence = parts_presence,
    .members = parts_members,
    .counts = parts_counts,
    .signal = parts_signal,
    .command = parts_command,
    .answer = parts_answer,
    .hash_read = parts_hash_read,
    .hash_write = parts_hash_write,
    .list_rooms = parts_list_rooms,
    .list_gateways = parts_list_gateways,
};

/* ---- the commander's events ---- */

static void parts_on_up(void *ctx)
{
    struct redis_parts *parts = ctx;
    redis_scripts_load(&parts->scripts, &parts->commander);
    redis_reaper_up(&parts->reaper, false);
}

static void parts_on_down(void *ctx, enum redis_loss reason)
{
    (void)reason;
    redis_reaper_down(&((struct redis_parts *)ctx)->reaper);
}

static void parts_on_published(void *ctx, void *ticket)
{
    (void)ctx, (void)ticket;
}

static void parts_on_publish_failed(void *ctx, void *ticket, enum bus_failure failure)
{
    (void)ctx, (void)ticket, (void)failure;
}

static void parts_on_pressure(void *ctx, enum bus_pressure pressure)
{
    (void)ctx, (void)pressure;
}

static void parts_on_closed(void *ctx)
{
    struct redis_parts *parts = ctx;
    redis_presence_close(&parts->presence);
    redis_admin_close(&parts->admin);
    redis_reaper_close(&parts->reaper);
    redis_channels_close(&parts->channels);
    void (*on_closed)(void *ctx) = parts->on_closed;
    void *closed_ctx = parts->closed_ctx;
    free(parts);
    on_closed(closed_ctx);
}

static const struct redis_commander_events parts_commander_events = {
    .on_up = parts_on_up,
    .on_down = parts_on_down,
    .on_published = parts_on_published,
    .on_publish_failed = parts_on_publish_failed,
    .on_pressure = parts_on_pressure,
    .on_closed = parts_on_closed,
};

static void parts_on_gen(void *ctx, struct bytes gen)
{
    struct redis_parts *parts = ctx;
    snprintf(parts->common.gen, sizeof parts->common.gen, "%.*s", (int)gen.len, gen.data);
    parts->gens++;
}

/* ---- for tests ---- */

static inline struct redis_parts *parts_open(struct bus_worker *worker, const struct redis_process *redis,
                                             uint32_t gateway)
{
    struct redis_parts *parts = xcalloc(1, sizeof *parts);
    const struct env *env = &worker->world->env;
    parts->base = (struct bus){.ops = &parts_ops, .events = &world_bus_events, .ctx = worker, .gateway = gateway};
    parts->link = (struct redis_link_options){
        .role = "commander", .path = redis->socket, .login = {.client_name = "plenum-commander"}};
    redis_scripts_init(&parts->scripts);
    parts->common = (struct redis_common){
        .env = env,
        .commander = &parts->commander,
        .scripts = &parts->scripts,
        .prefix = BYTES("plenum"),
        .gateway = gateway,
        .gen = "-",
        .on_gen = parts_on_gen,
        .ctx = parts,
    };
    redis_presence_init(&parts->presence, &parts->common);
    redis_admin_init(&parts->admin, &parts->common);
    redis_channels_init(&parts->channels, env->random);
    redis_reaper_init(&parts->reaper, &parts->common, &parts->channels);
    redis_commander_init(&parts->commander, env, &parts->link, &parts_commander_events, parts);
    worker->bus = &parts->base;
    return parts;
}

static inline struct redis_parts *worker_parts(struct bus_worker *worker)
{
    return parts_of(worker->bus);
}

static inline void parts_until_up(struct bus_world *world)
{
    for (int i = 0; i < world->worker_count; i++)
        world_until(world, redis_link_up(&worker_parts(&world->workers[i])->commander.link));
}

/* Has a plain client do something, whatever it answers. */
#define redis_do(client, ...) freeReplyObject(redisCommand(client, __VA_ARGS__))

/* The integer that a command of a plain client answers. */
#define redis_integer(client, ...) redis_reply_integer(redisCommand(client, __VA_ARGS__))
static inline long long redis_reply_integer(redisReply *reply)
{
    long long number = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    return number;
}

/* A string's answer, the caller's to free; NULL for nil. */
#define redis_text(client, ...) redis_reply_text(redisCommand(client, __VA_ARGS__))
static inline char *redis_reply_text(redisReply *reply)
{
    char *text = reply && reply->type == REDIS_REPLY_STRING ? xstrndup(reply->str, reply->len) : NULL;
    freeReplyObject(reply);
    return text;
}

/* A plain client that has subscribed a channel. */
static inline redisContext *redis_watch(const struct redis_process *redis, const char *channel)
{
    redisContext *client = redis_process_connect(redis);
    redis_do(client, "SUBSCRIBE %s", channel);
    redisSetTimeout(client, (struct timeval){.tv_usec = 300000});
    return client;
}

/* The next message that it has heard, the caller's to free; NULL when none comes in 0.3 s: then it is of no more use.
 */
static inline char *redis_heard(redisContext *client)
{
    void *answer = NULL;
    if (client->err || redisGetReply(client, &answer) != REDIS_OK)
        return NULL;
    redisReply *reply = answer;
    char *text = xstrndup(reply->element[2]->str, reply->element[2]->len);
    freeReplyObject(reply);
    return text;
}

/* ---- one redis-server for the tests of a file ---- */

static struct redis_process redis;
static redisContext *client; /* sees what stands there */

static int tear_down(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static int redis_open(void **state)
{
    (void)state;
    redis_process_init(&redis, NULL);
    client = redis_process_connect(&redis);
    return 0;
}

static int redis_end(void **state)
{
    (void)state;
    redisFree(client);
    redis_process_close(&redis);
    return 0;
}

#endif
