/* redis_history.c -- see redis_history.h. */
#include "redis_history.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../common/names.h"
#include "redis_position.h"

enum { TRIES = 3 }; /* when the server says that it does not know the script: it may not let us load it */

#define META_TTL_MS     "86400000"
#define PRESENCE_TTL_MS "3600000"

typedef char name_text[NAME_BUFFER];
typedef char number_text[24];

/* ---- locate: presence.lua, its fence alone ---- */

struct locate_ask {
    struct redis_asked asked; /* first */
    uint64_t seq;
    char epoch[EPOCH_MAX + 1];
    uint8_t room_len;
    char room[ROOM_NAME_MAX];
    int tries;
    bool forgotten; /* the server does not know the script */
    bool located;
};

static void tell_position(const struct redis_asked *asked, const struct bus_position *position)
{
    const struct bus_ask_events *events = redis_ask_events_of(asked);
    if (events && events->on_position)
        events->on_position(asked->ask.ctx, asked->ask.tag, position);
}

static void on_locate_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct locate_ask *record = ctx;
    struct redis_common *common = record->asked.asks->common;
    struct bus_position position;
    struct bytes gen;
    record->forgotten = redis_scripts_forgotten(value) && record->tries < TRIES;
    if (record->forgotten || redis_refused(common, "a log's position", value))
        return;
    record->located = value->type == RESP_STRING && redis_position_read(value->text, &position, &gen);
    if (!record->located)
        return;
    common->on_gen(common->ctx, gen);
    position.known = false;
    tell_position(&record->asked, &position);
}

static void call_fence(struct locate_ask *record);

static void on_locate_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)tag;
    struct locate_ask *record = ctx;
    struct redis_common *common = record->asked.asks->common;
    if (end == REDIS_REFUSED && record->forgotten) {
        redis_scripts_load(common->scripts, common->commander);
        call_fence(record);
    } else if (end == REDIS_ANSWERED && !record->located) {
        redis_log_refusal(common, "a log's position", BYTES("(an answer that is none)"));
        redis_ask_end(&record->asked, BUS_DENIED);
    } else {
        redis_ask_end(&record->asked, redis_result_of(end));
    }
}

static void call_fence(struct locate_ask *record)
{
    static const struct redis_ask_events events = {on_locate_value, on_locate_end};
    struct redis_common *common = record->asked.asks->common;
    struct bytes room = {record->room, record->room_len};
    name_text meta, gateways, members, channel, log;
    name_room_key(meta, common->prefix, room, ROOM_META);
    name_room_key(gateways, common->prefix, room, ROOM_GATEWAYS);
    name_room_members(members, common->prefix, room, common->gateway);
    name_room_channel(channel, common->prefix, room);
    name_room_key(log, common->prefix, room, ROOM_HISTORY);
    number_text gateway, fresh, now, seq;
    snprintf(gateway, sizeof gateway, "%08" PRIx32, common->gateway);
    snprintf(fresh, sizeof fresh, "%016" PRIx64, random_u64(common->env->random));
    snprintf(now, sizeof now, "%" PRId64, clock_wall_ms(common->env->clock));
    snprintf(seq, sizeof seq, "%" PRIu64, record->seq);
    const char *hash = common->scripts->sha[SCRIPT_PRESENCE];
    const char *argv[] = {"EVALSHA", hash,      "5",           meta,        gateways, members,     channel,
                          log,       "PUBLISH", gateway,       common->gen, fresh,    META_TTL_MS, PRESENCE_TTL_MS,
                          now,       seq,       record->epoch, "0",         "fence"};
    record->tries++;
    redis_ask_command(&record->asked, sizeof argv / sizeof *argv, argv, NULL, &events, 0);
}

void redis_history_locate(struct redis_history *history, struct bytes room, struct bytes epoch, uint64_t seq,
                          const struct bus_ask *ask)
{
    struct locate_ask *record = redis_ask_begin(&history->asks, sizeof *record, ask);
    record->room_len = (uint8_t)room.len;
    memcpy(record->room, room.data, room.len);
    if (epoch.len > 0 && epoch.len <= EPOCH_MAX) /* a longer one, from an admin's hand, is no log's */
        memcpy(record->epoch, epoch.data, epoch.len);
    record->seq = seq;
    call_fence(record);
}

/* ---- peek: the fields of the meta hash, and how many members of ours stand there ---- */

enum peek_command { PEEK_META, PEEK_OWN, PEEK_OWN_LISTED };

enum peek_field { PEEK_EPOCH, PEEK_SEQ, PEEK_BASE, PEEK_PREV, PEEK_PREVTOP, PEEK_PV, PEEK_FIELDS };

struct peek_ask {
    struct redis_asked asked; /* first */
    struct bus_position position;
    char epoch[EPOCH_MAX], prev[EPOCH_MAX]; /* where it points to */
};

/* Keeps an epoch; '-' stands for none. What is too long for one is none of ours. */
static struct bytes keep_epoch(char kept[EPOCH_MAX], struct bytes text)
{
    if (text.len > EPOCH_MAX || bytes_equal(text, BYTES("-")))
        text.len = 0;
    if (text.len)
        memcpy(kept, text.data, text.len);
    return (struct bytes){kept, text.len};
}

static void on_own_value(struct bus_position *position, enum peek_command command, const struct resp_value *value)
{
    if (command == PEEK_OWN_LISTED && value->type == RESP_INTEGER && value->number >= 0)
        position->own_listed = (uint64_t)value->number;
    else if (command == PEEK_OWN && value->type == RESP_STRING && !redis_number_read(value->text, &position->own))
        position->own = 0;
}

static void on_peek_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    struct peek_ask *record = ctx;
    struct bus_position *position = &record->position;
    if (redis_refused(record->asked.asks->common, "a log's position", value))
        return;
    if (tag != PEEK_META)
        on_own_value(position, (enum peek_command)tag, value);
    if (tag != PEEK_META || value->type != RESP_STRING || value->depth != 1)
        return;
    uint64_t *const numbers[PEEK_FIELDS] = {[PEEK_SEQ] = &position->seq,
                                            [PEEK_BASE] = &position->base,
                                            [PEEK_PREVTOP] = &position->prevtop,
                                            [PEEK_PV] = &position->pv};
    if (value->index == PEEK_EPOCH)
        position->epoch = keep_epoch(record->epoch, value->text);
    else if (value->index == PEEK_PREV)
        position->prev = keep_epoch(record->prev, value->text);
    else if (value->index < PEEK_FIELDS && !redis_number_read(value->text, numbers[value->index]))
        *numbers[value->index] = 0;
}

static void on_peek_end(void *ctx, uint64_t tag, enum redis_end end)
{
    struct peek_ask *record = ctx;
    if (record->asked.pending == 1 && record->asked.result == BUS_OK && end == REDIS_ANSWERED)
        tell_position(&record->asked, &record->position);
    redis_ask_on_end(ctx, tag, end);
}

void redis_history_peek(struct redis_history *history, struct bytes room, const struct bus_ask *ask)
{
    static const struct redis_ask_events events = {on_peek_value, on_peek_end};
    struct peek_ask *record = redis_ask_begin(&history->asks, sizeof *record, ask);
    const struct redis_common *common = history->asks.common;
    name_text meta, gateways, members;
    name_room_key(meta, common->prefix, room, ROOM_META);
    name_room_key(gateways, common->prefix, room, ROOM_GATEWAYS);
    name_room_members(members, common->prefix, room, common->gateway);
    number_text gateway;
    snprintf(gateway, sizeof gateway, "%08" PRIx32, common->gateway);
    record->position.counted = true;
    const char *argv[] = {"HMGET", meta, "epoch", "seq", "base", "prev", "prevtop", "pv"};
    redis_ask_command(&record->asked, sizeof argv / sizeof *argv, argv, NULL, &events, PEEK_META);
    redis_ask_command(&record->asked, 3, (const char *[]){"HGET", gateways, gateway}, NULL, &events, PEEK_OWN);
    redis_ask_command(&record->asked, 2, (const char *[]){"HLEN", members}, NULL, &events, PEEK_OWN_LISTED);
}

/* ---- read: the entries, as they stream in: [[id, ["d", envelope]], ...] ---- */

struct read_ask {
    struct redis_asked asked; /* first */
    uint64_t seq;             /* of the entry whose fields come next; 0: it is none of ours */
};

/* An entry's id is "<seq>-0"; 0 for another. */
static uint64_t seq_of(struct bytes id)
{
    uint64_t seq;
    const char *dash = id.len ? memchr(id.data, '-', id.len) : NULL;
    return dash && redis_number_read((struct bytes){id.data, (size_t)(dash - id.data)}, &seq) ? seq : 0;
}

static void on_read_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct read_ask *record = ctx;
    if (redis_refused(record->asked.asks->common, "a log's entries", value) || value->type != RESP_STRING)
        return;
    if (value->depth == 2 && value->index == 0)
        record->seq = seq_of(value->text);
    if (value->depth != 3 || value->index != 1 || record->seq == 0)
        return;
    const struct bus_ask_events *events = redis_ask_events_of(&record->asked);
    if (events && events->on_entry)
        events->on_entry(record->asked.ask.ctx, record->asked.ask.tag, record->seq, value->text);
}

void redis_history_read(struct redis_history *history, struct bytes room, const struct log_range *range,
                        const struct bus_ask *ask)
{
    static const struct redis_ask_events events = {on_read_value, redis_ask_on_end};
    struct read_ask *record = redis_ask_begin(&history->asks, sizeof *record, ask);
    name_text log;
    name_room_key(log, history->asks.common->prefix, room, ROOM_HISTORY);
    char after[32], before[32];
    number_text limit;
    snprintf(after, sizeof after, "(%" PRIu64 "-0", range->after);
    snprintf(before, sizeof before, range->before ? "(%" PRIu64 "-0" : "+", range->before);
    snprintf(limit, sizeof limit, "%" PRIu32, range->limit);
    const char *forwards[] = {"XRANGE", log, after, before, "COUNT", limit};
    const char *backwards[] = {"XREVRANGE", log, before, after, "COUNT", limit};
    redis_ask_command(&record->asked, 6, range->backwards ? backwards : forwards, NULL, &events, 0);
}

/* ---- life ---- */

void redis_history_init(struct redis_history *history, struct redis_common *common)
{
    *history = (struct redis_history){.asks = {.common = common}};
}

void redis_history_mute(struct redis_history *history)
{
    redis_asks_mute(&history->asks);
}

void redis_history_close(struct redis_history *history)
{
    redis_asks_close(&history->asks);
}
