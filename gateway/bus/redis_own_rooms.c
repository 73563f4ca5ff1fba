/* redis_own_rooms.c -- see redis_own_rooms.h. The commands travel on one connection: what a member who comes meanwhile
 * makes the gateway tell is carried out behind them. */
#include "redis_own_rooms.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../common/names.h"

#define META_TTL_MS "86400000"

static void on_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)ctx, (void)tag, (void)end; /* a lost connection is followed by another check */
}

static void on_plain_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    const struct redis_own_rooms *own = ctx;
    (void)redis_refused(own->common, "the removal of members who have left", value);
}

static const struct redis_ask_events plain_events = {.on_value = on_plain_value, .on_end = on_end};

static void ask(struct redis_own_rooms *own, int argc, const char **argv, const struct redis_ask_events *events)
{
    redis_commander_ask(own->common->commander, argc, argv, NULL, events, own, 0);
}

static bool is_served(const struct redis_own_rooms *own, struct bytes room)
{
    char name[NAME_BUFFER];
    size_t len = name_room_channel(name, own->common->prefix, room);
    const struct redis_channel *channel = redis_channels_find(own->channels, (struct bytes){name, len});
    return channel && channel->wanted;
}

static void clear_room(struct redis_own_rooms *own, struct bytes room)
{
    const struct redis_common *common = own->common;
    char meta[NAME_BUFFER], gateways[NAME_BUFFER], members[NAME_BUFFER], channel[NAME_BUFFER], list[NAME_BUFFER];
    char gateway[12], time[24], name[ROOM_NAME_MAX + 1];
    name_room_key(meta, common->prefix, room, ROOM_META);
    name_room_key(gateways, common->prefix, room, ROOM_GATEWAYS);
    name_room_members(members, common->prefix, room, common->gateway);
    name_room_channel(channel, common->prefix, room);
    name_gateway_rooms(list, common->prefix, common->gateway);
    snprintf(gateway, sizeof gateway, "%08" PRIx32, common->gateway);
    snprintf(time, sizeof time, "%" PRIi64, clock_wall_ms(common->env->clock));
    snprintf(name, sizeof name, "%.*s", (int)room.len, room.data);
    const char *sha = common->scripts->sha[SCRIPT_REAP];
    const char *reap[] = {"EVALSHA", sha, "4", meta, gateways, members, channel, "PUBLISH", gateway, time, META_TTL_MS};
    ask(own, sizeof reap / sizeof *reap, reap, &plain_events);
    ask(own, 3, (const char *[]){"SREM", list, name}, &plain_events);
}

static void on_room_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_own_rooms *own = ctx;
    if (redis_refused(own->common, "this gateway's list of rooms", value) || value->type != RESP_STRING)
        return;
    if (room_name_valid(value->text) && !is_served(own, value->text))
        clear_room(own, value->text);
}

void redis_own_rooms_check(struct redis_own_rooms *own)
{
    static const struct redis_ask_events events = {.on_value = on_room_value, .on_end = on_end};
    char list[NAME_BUFFER];
    name_gateway_rooms(list, own->common->prefix, own->common->gateway);
    ask(own, 2, (const char *[]){"SMEMBERS", list}, &events);
}
