/* log_redis.h -- what a Redis keeps of rooms, as far as a worker's rooms can tell: their logs, epochs and keys, who is
 * in them, and two hashes. All that was ever appended is remembered, so that a test can hold what clients got against
 * it.
 *
 * A simple twin of append.lua, presence.lua and reap.lua. Nothing is sent from here: fake_tell is the bus's
 * (log_bus.h). */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_LOG_REDIS_H
#define PLENUM_TESTS_UNIT_SUPPORT_LOG_REDIS_H

#include <inttypes.h>

#include "delivery_world.h"
#include "gateway/bus/bus.h"

enum { FAKE_ROOMS = 4, FAKE_BUSES = 3, FAKE_EPOCHS = 400, FAKE_NAME = 176, FAKE_KEYS = 512, EPOCH_STEP = 1 << 20 };

struct fake_message {
    uint64_t seq;
    uint32_t epoch; /* index */
    uint64_t member;
    bool there; /* the log holds it */
    bool lost;  /* with a tail that a failover lost: no longer a part of its epoch */
    char *data; /* the envelope */
    size_t len;
    struct bytes payload; /* in data */
};

/* Epochs of a room in the order of their beginning. A linked one goes on counting where the one before it ended. */
struct fake_epoch {
    char name[EPOCH_MAX + 1];
    uint64_t base;
    bool linked;
    uint64_t prevtop; /* linked: the last number of the one before it that was kept */
    uint32_t first;   /* place of its first message */
};

struct fake_key {
    char text[65];
    uint64_t seq;
};

struct fake_present {
    uint64_t member;
    char *value;
};

struct fake_room {
    char name[FAKE_NAME];
    struct fake_epoch epochs[FAKE_EPOCHS];
    uint32_t epoch_count;
    bool begun;     /* the log has an epoch: the last one */
    bool renew_due; /* the server is another one: the next who writes begins a new epoch */
    uint64_t seq, pv;
    struct fake_message *messages;
    uint32_t count, cap;
    uint32_t first; /* none before it is there */
    struct fake_key keys[FAKE_KEYS];
    uint32_t key_count;
    struct fake_present *present;
    uint32_t present_count, present_cap;
    struct {
        uint32_t gateway;
        uint64_t members;
    } gateways[FAKE_BUSES + 1];
    bool locked;
};

struct log_bus;

struct fake_redis {
    struct fake_room rooms[FAKE_ROOMS];
    int room_count;
    struct log_bus *buses[FAKE_BUSES];
    int bus_count;
    uint32_t epochs; /* counter: their names */
    char bans[8][FAKE_NAME + 64];
    char bans_until[8][24];
    int ban_count;
};

/* log_bus.h: the room's channel brings it to all that are subscribed. */
static inline void fake_tell(struct fake_redis *redis, struct fake_room *room, struct bytes message);

static inline struct fake_room *fake_room(struct fake_redis *redis, struct bytes name)
{
    for (int i = 0; i < redis->room_count; i++)
        if (bytes_equal(name, bytes_of(redis->rooms[i].name)))
            return &redis->rooms[i];
    assert_true(redis->room_count < FAKE_ROOMS && name.len < FAKE_NAME);
    struct fake_room *room = &redis->rooms[redis->room_count++];
    memcpy(room->name, name.data, name.len);
    return room;
}

/* ---- epochs */

static inline struct fake_epoch *fake_epoch(struct fake_room *room)
{
    assert_true(room->epoch_count > 0);
    return &room->epochs[room->epoch_count - 1];
}

static inline const char *fake_epoch_name(struct fake_room *room)
{
    return room->begun ? fake_epoch(room)->name : "";
}

static inline void fake_begin(struct fake_redis *redis, struct fake_room *room, uint64_t base, bool linked)
{
    assert_true(room->epoch_count < FAKE_EPOCHS);
    struct fake_epoch *epoch = &room->epochs[room->epoch_count++];
    snprintf(epoch->name, sizeof epoch->name, "e%u", ++redis->epochs);
    epoch->base = base;
    epoch->linked = linked;
    epoch->prevtop = linked ? room->seq : 0;
    epoch->first = room->count;
    room->seq = base;
    room->begun = true;
    room->renew_due = false;
}

/* The fence of presence.lua. */
static inline void fake_fence(struct fake_redis *redis, struct fake_room *room, struct bytes epoch, uint64_t delivered)
{
    bool ahead = room->begun && bytes_equal(epoch, bytes_of(fake_epoch(room)->name)) && delivered > room->seq;
    if (room->begun && !room->renew_due && !ahead)
        return;
    uint64_t known = (ahead || !room->begun) && delivered > room->seq ? delivered : room->seq;
    bool first = !room->begun && known == 0;
    fake_begin(redis, room, first ? 0 : known + EPOCH_STEP, room->begun);
}

/* ---- the log */

static inline uint64_t *fake_key(struct fake_room *room, const char *key)
{
    for (uint32_t i = 0; key[0] && i < room->key_count; i++)
        if (strcmp(room->keys[i].text, key) == 0)
            return &room->keys[i].seq;
    return NULL;
}

static inline void fake_keep_key(struct fake_room *room, const char *key)
{
    if (!key[0])
        return;
    if (room->key_count == FAKE_KEYS)
        memmove(room->keys, room->keys + 1, sizeof(struct fake_key) * --room->key_count);
    struct fake_key *kept = &room->keys[room->key_count++];
    snprintf(kept->text, sizeof kept->text, "%s", key);
    kept->seq = room->seq;
}

static inline void fake_trim_to(struct fake_room *room, uint32_t first)
{
    for (; room->first < first; room->first++)
        room->messages[room->first].there = false;
}

/* Appends a message, unless its key is known, and tells it. tail: the envelope behind its epoch. size: of the log.
 * Returns its number. */
static inline uint64_t fake_append(struct fake_redis *redis, struct fake_room *room, struct bytes tail, const char *key,
                                   uint32_t size, bool *duplicate)
{
    if (!room->begun || room->renew_due)
        fake_begin(redis, room, room->begun ? room->seq + EPOCH_STEP : 0, room->begun);
    const uint64_t *seen = fake_key(room, key);
    *duplicate = seen != NULL;
    if (seen)
        return *seen;
    if (room->count == room->cap) {
        room->cap = room->cap ? 2 * room->cap : 64;
        room->messages = xrealloc(room->messages, room->cap * sizeof *room->messages);
    }
    struct fake_message *message = &room->messages[room->count++];
    *message = (struct fake_message){.seq = ++room->seq, .epoch = room->epoch_count - 1, .there = true};
    message->data = xmalloc(tail.len + 80);
    int head = snprintf(message->data, 80, "p1 %" PRIu64 " %s ", message->seq, fake_epoch(room)->name);
    memcpy(message->data + head, tail.data, tail.len);
    message->len = (size_t)head + tail.len;
    message->data[message->len] = '\0';
    struct envelope envelope;
    assert_int_equal(envelope_decode((struct bytes){message->data, message->len}, &envelope), ENVELOPE_OK);
    message->member = envelope.member;
    message->payload = envelope.payload;
    fake_keep_key(room, key);
    if (room->count - room->first > size)
        fake_trim_to(room, room->count - size);
    fake_tell(redis, room, (struct bytes){message->data, message->len});
    return message->seq;
}

/* What somebody outside says, by the HTTP API of another gateway. */
static inline uint64_t fake_say(struct fake_redis *redis, struct fake_room *room, const char *text, uint32_t size)
{
    char tail[2048];
    bool duplicate;
    int len = snprintf(tail, sizeof tail, "d - api 0 %s", text);
    return fake_append(redis, room, (struct bytes){tail, (size_t)len}, "", size, &duplicate);
}

/* ---- what befalls a server */

/* Another server goes on, which lacks the last messages. */
static inline void fake_failover(struct fake_room *room, uint32_t lost)
{
    if (!room->begun)
        return;
    for (uint32_t i = room->count; lost && i-- > room->first; lost--) {
        struct fake_message *last = &room->messages[i];
        if (last->lost || last->epoch != room->epoch_count - 1)
            break;
        last->lost = true;
        last->there = false;
        room->seq = last->seq - 1;
        while (room->key_count && room->keys[room->key_count - 1].seq >= last->seq)
            room->key_count--;
    }
    room->renew_due = true;
}

static inline void fake_clear_present(struct fake_room *room)
{
    for (uint32_t i = 0; i < room->present_count; i++)
        free(room->present[i].value);
    room->present_count = 0;
    memset(room->gateways, 0, sizeof room->gateways);
}

/* FLUSHALL, as far as this room goes. */
static inline void fake_wipe(struct fake_room *room)
{
    fake_trim_to(room, room->count);
    fake_clear_present(room);
    room->begun = room->renew_due = room->locked = false;
    room->seq = room->pv = 0;
    room->key_count = 0;
}

static inline void fake_free(struct fake_redis *redis)
{
    for (int i = 0; i < redis->room_count; i++) {
        struct fake_room *room = &redis->rooms[i];
        for (uint32_t k = 0; k < room->count; k++)
            free(room->messages[k].data);
        free(room->messages);
        fake_clear_present(room);
        free(room->present);
    }
}

/* ---- presence */

static inline struct fake_present *fake_present(struct fake_room *room, uint64_t member)
{
    for (uint32_t i = 0; i < room->present_count; i++)
        if (room->present[i].member == member)
            return &room->present[i];
    return NULL;
}

static inline void fake_remove_present(struct fake_room *room, struct fake_present *gone)
{
    free(gone->value);
    *gone = room->present[--room->present_count];
}

/* Returns false when it is no news. */
static inline bool fake_change(struct fake_room *room, const struct presence_change *change)
{
    struct fake_present *present = fake_present(room, change->member);
    if (change->op == PRESENCE_LEAVE) {
        if (present)
            fake_remove_present(room, present);
        return present != NULL;
    }
    if (present && bytes_equal(bytes_of(present->value), change->value))
        return false;
    if (!present) {
        if (room->present_count == room->present_cap) {
            room->present_cap = room->present_cap ? 2 * room->present_cap : 8;
            room->present = xrealloc(room->present, room->present_cap * sizeof *room->present);
        }
        present = &room->present[room->present_count++];
        *present = (struct fake_present){.member = change->member};
    }
    free(present->value);
    present->value = xstrndup(change->value.data, change->value.len);
    return true;
}

static inline uint64_t *fake_gateway(struct fake_room *room, uint32_t gateway)
{
    int at = 0;
    while (room->gateways[at].gateway && room->gateways[at].gateway != gateway)
        assert_true(++at <= FAKE_BUSES);
    room->gateways[at].gateway = gateway;
    return &room->gateways[at].members;
}

static inline uint64_t fake_listed(const struct fake_room *room, uint32_t gateway)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < room->present_count; i++)
        count += room->present[i].member >> 32 == gateway;
    return count;
}

/* Applies changes of a gateway and tells the room. Returns whether it was known there before. */
static inline bool fake_presence(struct fake_redis *redis, struct fake_room *room, uint32_t gateway,
                                 const struct presence_change *changes, uint32_t count, uint64_t unlisted, bool quiet)
{
    struct json_text lines = {0};
    char text[128];
    bool news = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!fake_change(room, &changes[i]))
            continue;
        news = true;
        snprintf(text, sizeof text, "\n%c %016" PRIx64 " ", (char)changes[i].op, changes[i].member);
        json_literal(&lines, text);
        json_raw(&lines, changes[i].value);
    }
    uint64_t *members = fake_gateway(room, gateway), before = *members;
    *members = fake_listed(room, gateway) + unlisted;
    if (news || *members != before) {
        room->pv++;
        struct json_text event = {0};
        snprintf(text, sizeof text, "p1 0 %s p - %08x 0 %" PRIu64 " %" PRIu64,
                 room->begun ? fake_epoch_name(room) : "-", gateway, room->pv, *members);
        json_literal(&event, text);
        json_raw(&event, json_text_bytes(&lines));
        if (!quiet)
            fake_tell(redis, room, json_text_bytes(&event));
        json_text_free(&event);
    }
    json_text_free(&lines);
    return before > 0;
}

/* Somebody takes a gateway for dead. */
static inline void fake_reap(struct fake_redis *redis, struct fake_room *room, uint32_t gateway)
{
    struct presence_change changes[64];
    uint32_t count = 0;
    for (uint32_t i = 0; i < room->present_count && count < 64; i++)
        if (room->present[i].member >> 32 == gateway)
            changes[count++] = (struct presence_change){PRESENCE_LEAVE, room->present[i].member, BYTES("lost")};
    fake_presence(redis, room, gateway, changes, count, 0, false);
}

#endif
