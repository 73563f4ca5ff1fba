/* redis_reaping.c -- see redis_reaping.h. A small machine: a state sends its commands, and when the last of them has
 * its answer, step() looks at what they said and goes on to the next. */
#include "redis_reaping.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../common/names.h"
#include "redis_position.h"

enum { NUMBER_TEXT = 24 };
#define META_TTL_MS "86400000"

_Static_assert(HANDFUL <= 64, "each room of a handful has a bit");

/* ---- commands ---- */

static void on_command_end(void *ctx, uint64_t tag, enum redis_end end);

static void ask_tagged(struct redis_reaping *reaping, int argc, const char **argv, const size_t *lens,
                       const struct redis_ask_events *events, uint64_t tag)
{
    reaping->pending++;
    redis_commander_ask(reaping->common->commander, argc, argv, lens, events, reaping, tag);
}

static void ask(struct redis_reaping *reaping, int argc, const char **argv, const size_t *lens,
                const struct redis_ask_events *events)
{
    ask_tagged(reaping, argc, argv, lens, events, 0);
}

static void on_plain_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_reaping *reaping = ctx;
    (void)redis_refused(reaping->common, "the removal of a dead gateway", value);
}

static const struct redis_ask_events plain_events = {.on_value = on_plain_value, .on_end = on_command_end};

static void enter(struct redis_reaping *reaping, enum reaping_state state)
{
    reaping->state = state;
    reaping->lost = reaping->refused = reaping->forgotten = false;
}

static void end(struct redis_reaping *reaping, enum reaping_end end)
{
    reaper_rooms_clear(&reaping->rooms);
    enter(reaping, REAPING_NOTHING);
    reaping->on_end(reaping->ctx, end);
}

/* ---- is it still silent? ---- */

static void on_score_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_reaping *reaping = ctx;
    uint64_t beat_ms;
    if (redis_refused(reaping->common, "the gateways' beats", value))
        return;
    if (value->type == RESP_NIL)
        reaping->gone = true;
    else if (redis_number_read(value->text, &beat_ms) && beat_ms > reaping->beat_ms)
        reaping->alive = true;
}

static const struct redis_ask_events score_events = {.on_value = on_score_value, .on_end = on_command_end};

static void ask_score(struct redis_reaping *reaping)
{
    char key[NAME_BUFFER];
    name_gateways(key, reaping->common->prefix);
    ask(reaping, 3, (const char *[]){"ZSCORE", key, reaping->gateway_text}, NULL, &score_events);
}

/* ---- its rooms: those served here ---- */

static bool is_served(const struct redis_reaping *reaping, struct bytes room)
{
    char name[NAME_BUFFER];
    size_t len = name_room_channel(name, reaping->common->prefix, room);
    const struct redis_channel *channel = redis_channels_find(reaping->channels, (struct bytes){name, len});
    return channel && channel->wanted;
}

static void on_room_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_reaping *reaping = ctx;
    if (redis_refused(reaping->common, "a dead gateway's rooms", value) || value->type != RESP_STRING)
        return;
    if (room_name_valid(value->text) && is_served(reaping, value->text))
        reaper_rooms_add(&reaping->rooms, value->text);
}

static const struct redis_ask_events room_events = {.on_value = on_room_value, .on_end = on_command_end};

static void list_rooms(struct redis_reaping *reaping)
{
    char key[NAME_BUFFER];
    name_gateway_rooms(key, reaping->common->prefix, reaping->gateway);
    enter(reaping, REAPING_LIST);
    ask_score(reaping);
    ask(reaping, 2, (const char *[]){"SMEMBERS", key}, NULL, &room_events);
}

/* ---- a handful of rooms ---- */

/* tag: its place in the handful. */
static void on_reap_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    struct redis_reaping *reaping = ctx;
    if (redis_scripts_forgotten(value)) {
        reaping->forgotten = true;
    } else if (redis_refused(reaping->common, "the removal of a dead gateway's members", value)) {
        reaping->failed |= UINT64_C(1) << tag;
    } else if (value->type == RESP_INTEGER && value->number >= 0) {
        reaping->rooms_reaped++;
        reaping->members_reaped += (uint64_t)value->number;
    }
}

static const struct redis_ask_events reap_events = {.on_value = on_reap_value, .on_end = on_command_end};

static void reap_room(struct redis_reaping *reaping, struct bytes room, uint64_t tag)
{
    const struct redis_common *common = reaping->common;
    char meta[NAME_BUFFER], gateways[NAME_BUFFER], members[NAME_BUFFER], channel[NAME_BUFFER];
    char time[NUMBER_TEXT];
    name_room_key(meta, common->prefix, room, ROOM_META);
    name_room_key(gateways, common->prefix, room, ROOM_GATEWAYS);
    name_room_members(members, common->prefix, room, reaping->gateway);
    name_room_channel(channel, common->prefix, room);
    snprintf(time, sizeof time, "%" PRIi64, clock_wall_ms(common->env->clock));
    const char *argv[] = {"EVALSHA",
                          common->scripts->sha[SCRIPT_REAP],
                          "4",
                          meta,
                          gateways,
                          members,
                          channel,
                          "PUBLISH",
                          reaping->gateway_text,
                          time,
                          META_TTL_MS};
    ask_tagged(reaping, sizeof argv / sizeof *argv, argv, NULL, &reap_events, tag);
}

static void reap_handful(struct redis_reaping *reaping)
{
    uint64_t tag = 0;
    reaping->failed = 0;
    enter(reaping, REAPING_HANDFUL);
    for (size_t place = reaping->rooms.begin; place < reaping->rooms.end;)
        reap_room(reaping, reaper_rooms_at(&reaping->rooms, &place), tag++);
}

static bool all_failed(const struct redis_reaping *reaping)
{
    uint64_t bit = 1;
    for (size_t place = reaping->rooms.begin; place < reaping->rooms.end; bit <<= 1) {
        (void)reaper_rooms_at(&reaping->rooms, &place);
        if (!(reaping->failed & bit))
            return false;
    }
    return true;
}

/* ---- the next handful ---- */

/* A name that is none stands for no room: it only has to go, or it would be drawn for ever. */
static void on_drawn_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_reaping *reaping = ctx;
    if (redis_refused(reaping->common, "a dead gateway's rooms", value) || value->type != RESP_STRING)
        return;
    reaping->drained = false;
    if (room_name_valid(value->text)) {
        reaper_rooms_add(&reaping->rooms, value->text);
        return;
    }
    char key[NAME_BUFFER];
    size_t len = name_gateway_rooms(key, reaping->common->prefix, reaping->gateway);
    ask(reaping, 3, (const char *[]){"SREM", key, value->text.data}, (const size_t[]){4, len, value->text.len},
        &plain_events);
}

static const struct redis_ask_events drawn_events = {.on_value = on_drawn_value, .on_end = on_command_end};

static void draw_rooms(struct redis_reaping *reaping, const char *key)
{
    char count[12];
    snprintf(count, sizeof count, "%d", HANDFUL);
    reaper_rooms_clear(&reaping->rooms);
    reaping->drained = true; /* until a name comes */
    ask(reaping, 3, (const char *[]){"SRANDMEMBER", key, count}, NULL, &drawn_events);
}

/* Takes those of the handful off the set that are reaped. */
static void unlist_handful(struct redis_reaping *reaping, const char *key, size_t key_len)
{
    const char *argv[2 + HANDFUL] = {"SREM", key};
    size_t lens[2 + HANDFUL] = {4, key_len};
    int argc = 2;
    uint64_t bit = 1;
    for (size_t place = reaping->rooms.begin; place < reaping->rooms.end; bit <<= 1) {
        struct bytes room = reaper_rooms_at(&reaping->rooms, &place);
        if (reaping->failed & bit)
            continue;
        argv[argc] = room.data;
        lens[argc++] = room.len;
    }
    if (argc > 2)
        ask(reaping, argc, argv, lens, &plain_events);
}

static void turn(struct redis_reaping *reaping)
{
    char key[NAME_BUFFER];
    size_t len = name_gateway_rooms(key, reaping->common->prefix, reaping->gateway);
    enter(reaping, REAPING_TURN);
    unlist_handful(reaping, key, len);
    ask_score(reaping);
    if (reaper_rooms_last(&reaping->rooms))
        draw_rooms(reaping, key);
}

/* ---- the end ---- */

static void log_end(const struct redis_reaping *reaping, const char *message)
{
    log_event(reaping->common->env->log, LOG_WARN, message, log_text("gateway", reaping->gateway_text),
              log_int("rooms", (int64_t)reaping->rooms_reaped), log_int("members", (int64_t)reaping->members_reaped));
}

static void forget_beat(struct redis_reaping *reaping)
{
    char key[NAME_BUFFER];
    name_gateways(key, reaping->common->prefix);
    ask(reaping, 3, (const char *[]){"ZREM", key, reaping->gateway_text}, NULL, &plain_events);
}

/* The set before the place among the living: nobody looks for the set of who has none. */
static void end_gateway(struct redis_reaping *reaping)
{
    char key[NAME_BUFFER];
    log_end(reaping, "a dead gateway was removed");
    enter(reaping, REAPING_LAST);
    name_gateway_rooms(key, reaping->common->prefix, reaping->gateway);
    ask(reaping, 2, (const char *[]){"DEL", key}, NULL, &plain_events);
    forget_beat(reaping);
    name_gateway(key, reaping->common->prefix, reaping->gateway);
    ask(reaping, 2, (const char *[]){"DEL", key}, NULL, &plain_events);
}

/* It lives. When something of it was removed, it has to find that out: its next beat will be its first. */
static void spare_gateway(struct redis_reaping *reaping)
{
    log_end(reaping, "a silent gateway is back");
    if (reaping->rooms_reaped == 0) {
        end(reaping, REAPING_STOPPED);
        return;
    }
    enter(reaping, REAPING_LAST);
    forget_beat(reaping);
}

/* ---- the machine ---- */

static void after_turn(struct redis_reaping *reaping)
{
    if (reaping->refused) {
        end(reaping, REAPING_DENIED);
    } else if (reaping->gone) {
        end(reaping, REAPING_DONE);
    } else if (reaping->alive) {
        spare_gateway(reaping);
    } else if (reaper_rooms_take(&reaping->rooms)) {
        reaping->loaded = false;
        reap_handful(reaping);
    } else if (reaping->drained) {
        end_gateway(reaping);
    } else {
        turn(reaping);
    }
}

static void after_handful(struct redis_reaping *reaping)
{
    if (reaping->forgotten && !reaping->loaded) {
        reaping->loaded = true;
        redis_scripts_load(reaping->common->scripts, reaping->common->commander);
        reap_handful(reaping);
    } else if (reaping->forgotten || all_failed(reaping)) {
        end(reaping, REAPING_DENIED);
    } else {
        turn(reaping);
    }
}

/* All commands of the state have ended. */
static void step(struct redis_reaping *reaping)
{
    if (reaping->lost || reaping->stopping) {
        end(reaping, REAPING_STOPPED);
        return;
    }
    switch (reaping->state) {
    case REAPING_NOTHING:
        return;
    case REAPING_LIST:
    case REAPING_TURN:
        after_turn(reaping);
        return;
    case REAPING_HANDFUL:
        after_handful(reaping);
        return;
    case REAPING_LAST:
        end(reaping, reaping->refused ? REAPING_DENIED : REAPING_DONE);
        return;
    }
}

static void on_command_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)tag;
    struct redis_reaping *reaping = ctx;
    reaping->lost |= end == REDIS_UNANSWERED;
    reaping->refused |= end == REDIS_REFUSED;
    if (--reaping->pending == 0)
        step(reaping);
}

/* ---- life ---- */

void redis_reaping_init(struct redis_reaping *reaping, struct redis_common *common,
                        const struct redis_channels *channels, void (*on_end)(void *ctx, enum reaping_end end),
                        void *ctx)
{
    *reaping = (struct redis_reaping){.common = common, .channels = channels, .on_end = on_end, .ctx = ctx};
}

void redis_reaping_close(struct redis_reaping *reaping)
{
    reaper_rooms_clear(&reaping->rooms);
}

void redis_reaping_begin(struct redis_reaping *reaping, uint32_t gateway, uint64_t beat_ms)
{
    reaping->gateway = gateway;
    snprintf(reaping->gateway_text, sizeof reaping->gateway_text, "%08" PRIx32, gateway);
    reaping->beat_ms = beat_ms;
    reaping->stopping = reaping->gone = reaping->alive = reaping->drained = false;
    reaping->rooms_reaped = reaping->members_reaped = 0;
    list_rooms(reaping);
}

void redis_reaping_stop(struct redis_reaping *reaping)
{
    reaping->stopping = true;
}
