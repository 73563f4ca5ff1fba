/* redis_admin.c -- see redis_admin.h. */
#include "redis_admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "redis_position.h"

enum {
    FIELD_MAX = 512,  /* bytes of a hash's field: "<room> <user>" fits; a longer one is not ours */
    NUMSUB_ROOMS = 64 /* asked about in one command */
};
#define STATE_TTL_MS "86400000"

void redis_admin_init(struct redis_admin *admin, struct redis_common *common)
{
    *admin = (struct redis_admin){.asks = {.common = common}};
}

void redis_admin_mute(struct redis_admin *admin)
{
    redis_asks_mute(&admin->asks);
}

void redis_admin_close(struct redis_admin *admin)
{
    redis_asks_close(&admin->asks);
}

/* ---- messages to gateways: the answer is how many heard ---- */

static void on_heard(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_asked *asked = ctx;
    if (!redis_refused(asked->asks->common, "a message to a gateway", value) && value->type == RESP_INTEGER &&
        value->number == 0)
        asked->result = BUS_NOBODY;
}

static const struct redis_ask_events heard_events = {.on_value = on_heard, .on_end = redis_ask_on_end};

static void publish(struct redis_admin *admin, struct bytes channel, struct bytes message, const struct bus_ask *ask,
                    const struct redis_ask_events *events)
{
    struct redis_asked *asked = redis_ask_begin(&admin->asks, sizeof *asked, ask);
    const char *argv[] = {"PUBLISH", channel.data, message.data};
    const size_t lens[] = {strlen("PUBLISH"), channel.len, message.len};
    redis_ask_command(asked, 3, argv, lens, events, message.len);
}

/* Signals come from clients: like publishes, they press on those who send them. */
static void on_signal_end(void *ctx, uint64_t bytes, enum redis_end end)
{
    struct redis_asked *asked = ctx;
    redis_commander_discharge(asked->asks->common->commander, bytes);
    redis_ask_on_end(asked, bytes, end);
}

static const struct redis_ask_events signal_events = {.on_value = on_heard, .on_end = on_signal_end};

bool redis_admin_signal_read(struct bytes message, struct bytes *signal)
{
    size_t prefix = strlen(REDIS_SIGNAL_PREFIX);
    if (message.len < prefix || memcmp(message.data, REDIS_SIGNAL_PREFIX, prefix) != 0)
        return false;
    *signal = (struct bytes){message.data + prefix, message.len - prefix};
    return true;
}

void redis_admin_signal(struct redis_admin *admin, uint32_t gateway, struct bytes message, const struct bus_ask *ask)
{
    char channel[NAME_BUFFER];
    size_t channel_len = name_gateway_inbox(channel, admin->asks.common->prefix, gateway);
    size_t prefix = strlen(REDIS_SIGNAL_PREFIX);
    char *text = xmalloc(prefix + message.len);
    memcpy(text, REDIS_SIGNAL_PREFIX, prefix);
    if (message.len)
        memcpy(text + prefix, message.data, message.len);
    struct bytes whole = {text, prefix + message.len};
    publish(admin, (struct bytes){channel, channel_len}, whole, ask, &signal_events);
    redis_commander_charge(admin->asks.common->commander, whole.len);
    free(text);
}

void redis_admin_command(struct redis_admin *admin, uint32_t gateway, struct bytes line, const struct bus_ask *ask)
{
    char channel[NAME_BUFFER];
    size_t len = gateway ? name_control_of(channel, admin->asks.common->prefix, gateway)
                         : name_control(channel, admin->asks.common->prefix);
    publish(admin, (struct bytes){channel, len}, line, ask, &heard_events);
}

void redis_admin_answer(struct redis_admin *admin, struct bytes line)
{
    char channel[NAME_BUFFER];
    size_t len = name_control_answers(channel, admin->asks.common->prefix);
    publish(admin, (struct bytes){channel, len}, line, NULL, &heard_events);
}

/* ---- hashes ---- */

/* A question whose answers are hashes: their fields come in turn with their values. */
struct reading {
    struct redis_asked base; /* first */
    bool valid;              /* the field that came last is remembered: */
    size_t field_len;
    char field[FIELD_MAX];
};

/* Of HGETALL's answer: remembers a field, and returns true when its value is here. */
static bool field_read(struct reading *reading, const struct resp_value *value)
{
    if (redis_refused(reading->base.asks->common, "reading a hash", value) || value->type != RESP_STRING)
        return false;
    if (value->index % 2 == 1)
        return reading->valid;
    reading->valid = value->text.len <= FIELD_MAX;
    if (reading->valid) {
        reading->field_len = value->text.len;
        memcpy(reading->field, value->text.data, value->text.len);
    }
    return false;
}

static void tell_field(struct redis_asked *asked, struct bytes name, struct bytes value)
{
    const struct bus_ask_events *events = redis_ask_events_of(asked);
    if (events && events->on_field)
        events->on_field(asked->ask.ctx, asked->ask.tag, name, value);
}

static void on_hash_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct reading *reading = ctx;
    if (field_read(reading, value))
        tell_field(&reading->base, (struct bytes){reading->field, reading->field_len}, value->text);
}

static void on_write_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_asked *asked = ctx;
    (void)redis_refused(asked->asks->common, "writing a hash", value);
}

static const struct redis_ask_events hash_events = {.on_value = on_hash_value, .on_end = redis_ask_on_end};
static const struct redis_ask_events write_events = {.on_value = on_write_value, .on_end = redis_ask_on_end};

static size_t hash_name(char out[NAME_BUFFER], const struct redis_common *common, enum bus_hash hash, struct bytes room)
{
    if (hash == BUS_BANS)
        return name_bans(out, common->prefix);
    return name_room_key(out, common->prefix, room, ROOM_STATE);
}

/* A room's state lives a day longer than anybody asks for it, which its gateways do as long as it is open: also what an
 * admin has written by hand. Bans have their ends in them. */
static void renew(struct redis_asked *asked, enum bus_hash hash, const char *key)
{
    if (hash == BUS_STATE)
        redis_ask_command(asked, 3, (const char *[]){"PEXPIRE", key, STATE_TTL_MS}, NULL, &write_events, 0);
}

void redis_admin_hash_read(struct redis_admin *admin, enum bus_hash hash, struct bytes room, const struct bus_ask *ask)
{
    struct reading *reading = redis_ask_begin(&admin->asks, sizeof *reading, ask);
    char key[NAME_BUFFER];
    hash_name(key, admin->asks.common, hash, room);
    redis_ask_command(&reading->base, 2, (const char *[]){"HGETALL", key}, NULL, &hash_events, 0);
    renew(&reading->base, hash, key);
}

void redis_admin_hash_write(struct redis_admin *admin, enum bus_hash hash, struct bytes room, struct bytes field,
                            struct bytes value, const struct bus_ask *ask)
{
    struct redis_asked *asked = redis_ask_begin(&admin->asks, sizeof *asked, ask);
    char key[NAME_BUFFER];
    size_t key_len = hash_name(key, admin->asks.common, hash, room);
    const char *argv[] = {value.len ? "HSET" : "HDEL", key, field.data, value.data};
    const size_t lens[] = {4, key_len, field.len, value.len};
    redis_ask_command(asked, value.len ? 4 : 3, argv, lens, &write_events, 0);
    renew(asked, hash, key);
}

/* ---- gateways ---- */

/* tag: the gateway whose hash it is. An empty one is gone, and nothing is told of it. */
static void on_report_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    struct reading *reading = ctx;
    const struct bus_ask *ask = &reading->base.ask;
    const struct bus_ask_events *events = redis_ask_events_of(&reading->base);
    if (value->type == RESP_ARRAY && value->number > 0 && events && events->on_gateway)
        events->on_gateway(ask->ctx, ask->tag, (uint32_t)tag, 0);
    if (!field_read(reading, value))
        return;
    struct bytes field = {reading->field, reading->field_len};
    if (!bytes_equal(field, BYTES("claim"))) /* only says whose the id is */
        tell_field(&reading->base, field, value->text);
}

static const struct redis_ask_events report_events = {.on_value = on_report_value, .on_end = redis_ask_on_end};

static void on_gateway_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_asked *asked = ctx;
    uint64_t gateway;
    if (redis_refused(asked->asks->common, "listing gateways", value) || value->type != RESP_STRING ||
        !redis_id_read(value->text, GATEWAY_ID_DIGITS, &gateway))
        return;
    char key[NAME_BUFFER];
    name_gateway(key, asked->asks->common->prefix, (uint32_t)gateway);
    redis_ask_command(asked, 2, (const char *[]){"HGETALL", key}, NULL, &report_events, gateway);
}

static const struct redis_ask_events gateway_events = {.on_value = on_gateway_value, .on_end = redis_ask_on_end};

void redis_admin_list_gateways(struct redis_admin *admin, const struct bus_ask *ask)
{
    struct reading *reading = redis_ask_begin(&admin->asks, sizeof *reading, ask);
    char key[NAME_BUFFER];
    name_gateways(key, admin->asks.common->prefix);
    redis_ask_command(&reading->base, 4, (const char *[]){"ZRANGE", key, "0", "-1"}, NULL, &gateway_events, 0);
}

/* ---- rooms ---- */

struct listing {
    struct redis_asked base; /* first */
    uint8_t room_len;        /* of the room whose number comes next; 0: that is none */
    char room[ROOM_NAME_MAX];
    uint32_t count; /* channels gathered for the next NUMSUB */
    char channels[NUMSUB_ROOMS][NAME_BUFFER];
};

/* plenum:{lobby} -> lobby; empty when it is another channel. */
static struct bytes room_of(const struct redis_common *common, struct bytes channel)
{
    struct bytes room = {channel.data, 0};
    size_t before = common->prefix.len + 2; /* :{ */
    if (channel.len < before + 2 || memcmp(channel.data, common->prefix.data, common->prefix.len) != 0 ||
        memcmp(channel.data + common->prefix.len, ":{", 2) != 0 || channel.data[channel.len - 1] != '}')
        return room;
    struct bytes name = {channel.data + before, channel.len - before - 1};
    return room_name_valid(name) ? name : room;
}

static void on_number_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct listing *listing = ctx;
    const struct redis_common *common = listing->base.asks->common;
    if (redis_refused(listing->base.asks->common, "listing rooms", value))
        return;
    if (value->type == RESP_STRING) {
        struct bytes room = room_of(common, value->text);
        listing->room_len = (uint8_t)room.len;
        memcpy(listing->room, room.data, room.len);
    } else if (value->type == RESP_INTEGER && value->number > 0 && listing->room_len) {
        char number[24];
        snprintf(number, sizeof number, "%lld", value->number);
        tell_field(&listing->base, (struct bytes){listing->room, listing->room_len}, bytes_of(number));
    }
}

static const struct redis_ask_events number_events = {.on_value = on_number_value, .on_end = redis_ask_on_end};

static void ask_numbers(struct listing *listing)
{
    const char *argv[2 + NUMSUB_ROOMS] = {"PUBSUB", "NUMSUB"};
    for (uint32_t i = 0; i < listing->count; i++)
        argv[2 + i] = listing->channels[i];
    if (listing->count)
        redis_ask_command(&listing->base, 2 + (int)listing->count, argv, NULL, &number_events, 0);
    listing->count = 0;
}

static void on_channel_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct listing *listing = ctx;
    const struct redis_common *common = listing->base.asks->common;
    if (redis_refused(listing->base.asks->common, "listing rooms", value) || value->type != RESP_STRING)
        return;
    struct bytes room = room_of(common, value->text);
    if (!room.len)
        return;
    name_room_channel(listing->channels[listing->count++], common->prefix, room);
    if (listing->count == NUMSUB_ROOMS)
        ask_numbers(listing);
}

static void on_channels_end(void *ctx, uint64_t tag, enum redis_end end)
{
    if (end == REDIS_ANSWERED)
        ask_numbers(ctx);
    redis_ask_on_end(ctx, tag, end);
}

static const struct redis_ask_events channel_events = {.on_value = on_channel_value, .on_end = on_channels_end};

void redis_admin_list_rooms(struct redis_admin *admin, const struct bus_ask *ask)
{
    struct listing *listing = redis_ask_begin(&admin->asks, sizeof *listing, ask);
    struct bytes prefix = admin->asks.common->prefix;
    char pattern[PREFIX_MAX + 8];
    snprintf(pattern, sizeof pattern, "%.*s:{*}", (int)prefix.len, prefix.data); /* a prefix has no wildcards */
    redis_ask_command(&listing->base, 3, (const char *[]){"PUBSUB", "CHANNELS", pattern}, NULL, &channel_events, 0);
}
