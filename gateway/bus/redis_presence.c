/* redis_presence.c -- see redis_presence.h; what the script does stands in scripts/presence.lua. */
#include "redis_presence.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../common/names.h"
#include "redis_position.h"

enum {
    PART_CHANGES = 256,     /* Lua's unpack gives up at some thousand values, of which a change has two */
    PART_BYTES = 128 << 10, /* an event has to be smaller than --max-message */
    FIXED_ARGS = 19,        /* EVALSHA, hash, 5, five keys, eleven arguments */
    NUMBER_TEXT = 24,
    ID_TEXT = 17,
    TRIES = 3 /* of a part, when the server says that it does not know the script */
};
#define META_TTL_MS     "86400000"
#define PRESENCE_TTL_MS "3600000"

void redis_presence_init(struct redis_presence *presence, struct redis_common *common)
{
    *presence = (struct redis_presence){.asks = {.common = common}};
}

void redis_presence_mute(struct redis_presence *presence)
{
    redis_asks_mute(&presence->asks);
}

void redis_presence_close(struct redis_presence *presence)
{
    redis_asks_close(&presence->asks);
}

/* ---- the names of the rooms that a reaper has to look into ---- */

static void on_rooms_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    (void)redis_refused(ctx, "a gateway's list of rooms", value);
}

static void on_rooms_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)ctx, (void)tag, (void)end; /* it shares the fate of the script behind it on the connection */
}

static void list_room(struct redis_common *common, const char *command, struct bytes room)
{
    static const struct redis_ask_events events = {.on_value = on_rooms_value, .on_end = on_rooms_end};
    char key[NAME_BUFFER];
    size_t key_len = name_gateway_rooms(key, common->prefix, common->gateway);
    const char *argv[] = {command, key, room.data};
    const size_t lens[] = {strlen(command), key_len, room.len};
    redis_commander_ask(common->commander, 3, argv, lens, &events, common, 0);
}

/* ---- telling ---- */

/* A batch on its way; what it points to stands behind the changes. */
struct telling {
    struct redis_asked base; /* first */
    struct presence_batch batch;
    uint32_t from, to; /* the changes of the part that is told now */
    uint32_t tries;    /* of this part */
    bool forgotten;    /* the server did not know the script */
    bool understood;   /* the answer was one */
    bool known;        /* what the first part's answer said of it */
    struct presence_change changes[];
};

static struct bytes copy_bytes(char **at, struct bytes from)
{
    struct bytes copy = {*at, from.len};
    if (from.len)
        memcpy(*at, from.data, from.len);
    *at += from.len;
    return copy;
}

/* In an event each change has a line: a line end in JSON, which can only be white space, becomes a blank. */
static void flatten(char *text, size_t len)
{
    for (char *at = text; len && (at = memchr(at, '\n', (size_t)(text + len - at))) != NULL; at++)
        *at = ' ';
}

static struct telling *telling_new(struct redis_presence *presence, const struct presence_batch *batch,
                                   const struct bus_ask *ask)
{
    size_t changes_size = batch->count * sizeof *batch->changes;
    size_t texts_size = batch->room.len + batch->epoch.len;
    for (uint32_t i = 0; i < batch->count; i++)
        texts_size += batch->changes[i].value.len;
    struct telling *telling = redis_ask_begin(&presence->asks, sizeof *telling + changes_size + texts_size, ask);
    char *at = (char *)telling->changes + changes_size;
    telling->batch = *batch;
    telling->batch.room = copy_bytes(&at, batch->room);
    telling->batch.epoch = copy_bytes(&at, batch->epoch);
    telling->batch.changes = telling->changes;
    for (uint32_t i = 0; i < batch->count; i++) {
        telling->changes[i] = batch->changes[i];
        telling->changes[i].value = copy_bytes(&at, batch->changes[i].value);
        flatten(at - telling->changes[i].value.len, telling->changes[i].value.len);
    }
    return telling;
}

static uint32_t part_end(const struct presence_batch *batch, uint32_t from)
{
    uint32_t to = from;
    for (size_t bytes = 0; to < batch->count && to - from < PART_CHANGES; to++) {
        bytes += batch->changes[to].value.len;
        if (bytes > PART_BYTES && to > from)
            break;
    }
    return to;
}

/* The arguments of a command, gathered one by one. */
struct args {
    const char *argv[FIXED_ARGS + 3 * PART_CHANGES];
    size_t lens[FIXED_ARGS + 3 * PART_CHANGES];
    int count;
};

static void add(struct args *args, const char *data, size_t len)
{
    args->argv[args->count] = len ? data : "";
    args->lens[args->count++] = len;
}

static void add_text(struct args *args, const char *text)
{
    add(args, text, strlen(text));
}

static void add_changes(struct args *args, const struct telling *telling, char (*ids)[ID_TEXT], const char (*ops)[2])
{
    for (uint32_t i = telling->from; i < telling->to; i++, ids++) {
        const struct presence_change *change = &telling->changes[i];
        snprintf(*ids, ID_TEXT, "%016" PRIx64, change->member);
        add_text(args, ops[change->op == PRESENCE_JOIN ? 0 : change->op == PRESENCE_UPDATE ? 1 : 2]);
        add(args, *ids, ID_TEXT - 1);
        add(args, change->value.data, change->value.len);
    }
}

static const struct redis_ask_events tell_events;

static void call_script(struct telling *telling)
{
    static const char ops[][2] = {"j", "u", "l"};
    const struct redis_common *common = telling->base.asks->common;
    const struct presence_batch *batch = &telling->batch;
    char meta[NAME_BUFFER], gateways[NAME_BUFFER], members[NAME_BUFFER], channel[NAME_BUFFER], log[NAME_BUFFER];
    char gateway[12], epoch[ID_TEXT], time[NUMBER_TEXT], seq[NUMBER_TEXT], unlisted[NUMBER_TEXT];
    char ids[PART_CHANGES][ID_TEXT];
    snprintf(gateway, sizeof gateway, "%08" PRIx32, common->gateway);
    snprintf(epoch, sizeof epoch, "%016" PRIx64, random_u64(common->env->random));
    snprintf(time, sizeof time, "%" PRIi64, clock_wall_ms(common->env->clock));
    snprintf(seq, sizeof seq, "%" PRIu64, batch->seq);
    snprintf(unlisted, sizeof unlisted, "%" PRIu64, batch->unlisted);

    struct args args;
    args.count = 0;
    add_text(&args, "EVALSHA");
    add_text(&args, common->scripts->sha[SCRIPT_PRESENCE]);
    add_text(&args, "5");
    add(&args, meta, name_room_key(meta, common->prefix, batch->room, ROOM_META));
    add(&args, gateways, name_room_key(gateways, common->prefix, batch->room, ROOM_GATEWAYS));
    add(&args, members, name_room_members(members, common->prefix, batch->room, common->gateway));
    add(&args, channel, name_room_channel(channel, common->prefix, batch->room));
    add(&args, log, name_room_key(log, common->prefix, batch->room, ROOM_HISTORY));
    add_text(&args, batch->quiet ? "" : "PUBLISH");
    add_text(&args, gateway);
    add_text(&args, common->gen);
    add_text(&args, epoch);
    add_text(&args, META_TTL_MS);
    add_text(&args, PRESENCE_TTL_MS);
    add_text(&args, time);
    add_text(&args, seq);
    add(&args, batch->epoch.data, batch->epoch.len);
    add_text(&args, unlisted);
    add_text(&args, ""); /* no flags */
    add_changes(&args, telling, ids, ops);
    redis_ask_command(&telling->base, args.count, args.argv, args.lens, &tell_events, 0);
}

/* All on one connection, so that the room is listed whenever its members are told. */
static void tell_part(struct telling *telling)
{
    struct redis_common *common = telling->base.asks->common;
    const struct presence_batch *batch = &telling->batch;
    telling->to = part_end(batch, telling->from);
    telling->forgotten = telling->understood = false;
    if (batch->first && telling->from == 0)
        list_room(common, "SADD", batch->room);
    telling->tries++;
    call_script(telling);
    if (batch->last && telling->to == batch->count)
        list_room(common, "SREM", batch->room);
}

static void tell_position(struct telling *telling, struct bus_position *position)
{
    if (telling->from == 0)
        telling->known = position->known;
    position->known = telling->known;
    const struct bus_ask *ask = &telling->base.ask;
    const struct bus_ask_events *events = redis_ask_events_of(&telling->base);
    if (telling->to == telling->batch.count && events && events->on_position)
        events->on_position(ask->ctx, ask->tag, position);
}

static void on_tell_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct telling *telling = ctx;
    struct redis_common *common = telling->base.asks->common;
    struct bus_position position;
    struct bytes gen;
    telling->forgotten = redis_scripts_forgotten(value);
    if (telling->forgotten || redis_refused(common, "a presence event", value))
        return;
    telling->understood = value->type == RESP_STRING && redis_position_read(value->text, &position, &gen);
    if (!telling->understood)
        return;
    if (!bytes_equal(gen, bytes_of(common->gen)))
        common->on_gen(common->ctx, gen);
    tell_position(telling, &position);
}

static void on_tell_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)tag;
    struct telling *telling = ctx;
    struct redis_common *common = telling->base.asks->common;
    if (end == REDIS_REFUSED && telling->batch.last)
        list_room(common, "SADD", telling->batch.room); /* its removal behind the script was carried out */
    if (end == REDIS_REFUSED && telling->forgotten && telling->tries < TRIES) {
        redis_scripts_load(common->scripts, common->commander);
        tell_part(telling);
    } else if (end != REDIS_ANSWERED) {
        redis_ask_end(&telling->base, redis_result_of(end));
    } else if (!telling->understood) {
        redis_log_refusal(common, "a presence event", BYTES("(an answer that is none)"));
        redis_ask_end(&telling->base, BUS_DENIED);
    } else if (telling->to < telling->batch.count) {
        telling->from = telling->to;
        telling->tries = 0;
        tell_part(telling);
    } else {
        redis_ask_end(&telling->base, BUS_OK);
    }
}

static const struct redis_ask_events tell_events = {.on_value = on_tell_value, .on_end = on_tell_end};

void redis_presence_tell(struct redis_presence *presence, const struct presence_batch *batch, const struct bus_ask *ask)
{
    tell_part(telling_new(presence, batch, ask));
}

/* ---- asking ---- */

struct asking {
    struct redis_asked base; /* first */
    bool counts_only;
    bool valid;  /* the field that came last was an id: */
    uint64_t id; /* of a gateway or a member */
    char epoch[EPOCH_MAX];
    uint8_t epoch_len;
    uint8_t room_len;
    char room[ROOM_NAME_MAX];
};

/* Of HGETALL's answer: remembers an id, and returns true when its value is here. */
static bool pair_read(struct asking *asking, const struct resp_value *value, size_t digits)
{
    if (redis_refused(asking->base.asks->common, "who is in a room", value) || value->type != RESP_STRING)
        return false;
    if (value->index % 2 == 0) {
        asking->valid = redis_id_read(value->text, digits, &asking->id);
        return false;
    }
    return asking->valid;
}

/* What an admin has put there by hand must not go to clients as JSON. */
static bool looks_like_object(struct bytes text)
{
    return text.len >= 2 && text.data[0] == '{' && text.data[text.len - 1] == '}';
}

static void on_member_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct asking *asking = ctx;
    const struct bus_ask *ask = &asking->base.ask;
    if (!pair_read(asking, value, 2 * (size_t)GATEWAY_ID_DIGITS) || !looks_like_object(value->text))
        return;
    const struct bus_ask_events *events = redis_ask_events_of(&asking->base);
    if (events && events->on_member)
        events->on_member(ask->ctx, ask->tag, asking->id, value->text);
}

static const struct redis_ask_events member_events = {.on_value = on_member_value, .on_end = redis_ask_on_end};

static void on_gateway_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct asking *asking = ctx;
    const struct redis_common *common = asking->base.asks->common;
    const struct bus_ask *ask = &asking->base.ask;
    uint64_t members;
    if (!pair_read(asking, value, GATEWAY_ID_DIGITS) || !redis_number_read(value->text, &members) || members == 0)
        return;
    uint32_t gateway = (uint32_t)asking->id;
    const struct bus_ask_events *events = redis_ask_events_of(&asking->base);
    if (events && events->on_gateway)
        events->on_gateway(ask->ctx, ask->tag, gateway, members);
    if (asking->counts_only)
        return;
    char key[NAME_BUFFER];
    name_room_members(key, common->prefix, (struct bytes){asking->room, asking->room_len}, gateway);
    redis_ask_command(&asking->base, 2, (const char *[]){"HGETALL", key}, NULL, &member_events, 0);
}

static const struct redis_ask_events gateway_events = {.on_value = on_gateway_value, .on_end = redis_ask_on_end};

/* HMGET's answer: epoch and pv, each of which may not be there. */
static void on_meta_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct asking *asking = ctx;
    const struct bus_ask *ask = &asking->base.ask;
    if (redis_refused(asking->base.asks->common, "where a room stands", value) || value->depth != 1)
        return;
    if (value->index == 0) {
        if (value->type == RESP_STRING && value->text.len <= EPOCH_MAX) {
            asking->epoch_len = (uint8_t)value->text.len;
            memcpy(asking->epoch, value->text.data, value->text.len);
        }
        return;
    }
    struct bus_position position = {.epoch = {asking->epoch, asking->epoch_len}};
    if (value->type == RESP_STRING && !redis_number_read(value->text, &position.pv))
        position.pv = 0;
    const struct bus_ask_events *events = redis_ask_events_of(&asking->base);
    if (events && events->on_position)
        events->on_position(ask->ctx, ask->tag, &position);
}

static const struct redis_ask_events meta_events = {.on_value = on_meta_value, .on_end = redis_ask_on_end};

static struct asking *asking_new(struct redis_presence *presence, struct bytes room, const struct bus_ask *ask)
{
    struct asking *asking = redis_ask_begin(&presence->asks, sizeof *asking, ask);
    asking->room_len = (uint8_t)room.len;
    memcpy(asking->room, room.data, room.len);
    return asking;
}

static void ask_gateways(struct asking *asking)
{
    char key[NAME_BUFFER];
    name_room_key(key, asking->base.asks->common->prefix, (struct bytes){asking->room, asking->room_len},
                  ROOM_GATEWAYS);
    redis_ask_command(&asking->base, 2, (const char *[]){"HGETALL", key}, NULL, &gateway_events, 0);
}

void redis_presence_members(struct redis_presence *presence, struct bytes room, const struct bus_ask *ask)
{
    struct asking *asking = asking_new(presence, room, ask);
    char key[NAME_BUFFER];
    name_room_key(key, presence->asks.common->prefix, room, ROOM_META);
    /* The version first: what happens between the two is in the members and in a later event, which does no harm. */
    redis_ask_command(&asking->base, 4, (const char *[]){"HMGET", key, "epoch", "pv"}, NULL, &meta_events, 0);
    ask_gateways(asking);
}

void redis_presence_counts(struct redis_presence *presence, struct bytes room, const struct bus_ask *ask)
{
    struct asking *asking = asking_new(presence, room, ask);
    asking->counts_only = true;
    ask_gateways(asking);
}
