/* room.c -- see room.h. */
#include "room.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

#include "../../common/siphash.h"
#include "../../common/xalloc.h"

struct room {
    UT_hash_handle hh;
    struct bus_channel *channel;
    struct audience *audiences; /* one for each encoding that is or was here */
    struct member **waiting;    /* for the confirmation */
    uint32_t waiting_count, waiting_cap;
    uint32_t members;        /* joining and in */
    uint64_t empty_since_ms; /* valid while it is in the list of empty rooms */
    struct room *empty_next, *empty_before;
    uint8_t name_len;
    char name[];
};

static uint32_t hash_name(const struct rooms *rooms, struct bytes name)
{
    return (uint32_t)siphash13(rooms->hash_key, name.data, name.len);
}

void rooms_init(struct rooms *rooms, const struct env *env, struct counters *counters, struct flush *flush,
                const struct member_events *events, void *ctx, uint64_t linger_ms)
{
    *rooms = (struct rooms){.env = env, .counters = counters, .flush = flush, .events = events, .ctx = ctx};
    rooms->linger_ms = linger_ms;
    rooms->hash_key[0] = random_u64(env->random);
    rooms->hash_key[1] = random_u64(env->random);
    directory_init(&rooms->directory);
}

/* ---- empty rooms */

static void empty_add(struct rooms *rooms, struct room *room)
{
    room->empty_since_ms = clock_ms(rooms->env->clock);
    room->empty_next = NULL;
    room->empty_before = rooms->empty_last;
    if (rooms->empty_last)
        rooms->empty_last->empty_next = room;
    else
        rooms->empty_first = room;
    rooms->empty_last = room;
    counter_sub(rooms->counters, GAUGE_ROOMS, 1);
}

static void empty_remove(struct rooms *rooms, struct room *room)
{
    if (room->empty_before)
        room->empty_before->empty_next = room->empty_next;
    else
        rooms->empty_first = room->empty_next;
    if (room->empty_next)
        room->empty_next->empty_before = room->empty_before;
    else
        rooms->empty_last = room->empty_before;
    counter_add(rooms->counters, GAUGE_ROOMS, 1);
}

static struct room *room_new(struct rooms *rooms, struct bytes name, uint32_t hash)
{
    struct room *room = xcalloc(1, sizeof *room + name.len);
    room->name_len = (uint8_t)name.len;
    memcpy(room->name, name.data, name.len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, rooms->by_name, room->name, room->name_len, hash, room);
    room->channel = bus_subscribe(rooms->bus, name, room);
    counter_add(rooms->counters, GAUGE_ROOMS, 1);
    return room;
}

static void room_free(struct rooms *rooms, struct room *room)
{
    HASH_DEL(rooms->by_name, room);
    while (room->audiences) {
        struct audience *audience = room->audiences;
        room->audiences = audience->next;
        flush_forget(rooms->flush, audience);
        audience_free(audience);
    }
    free(room->waiting);
    free(room);
}

void rooms_sweep(struct rooms *rooms)
{
    uint64_t now = clock_ms(rooms->env->clock);
    while (rooms->empty_first && now - rooms->empty_first->empty_since_ms >= rooms->linger_ms) {
        struct room *room = rooms->empty_first;
        empty_remove(rooms, room);
        counter_sub(rooms->counters, GAUGE_ROOMS, 1);
        bus_unsubscribe(rooms->bus, room->channel);
        room_free(rooms, room);
    }
}

void rooms_close(struct rooms *rooms)
{
    struct room *room, *next;
    HASH_ITER(hh, rooms->by_name, room, next)
    {
        assert(room->members == 0);
        room_free(rooms, room);
    }
    directory_close(&rooms->directory);
}

/* ---- join and leave */

static struct audience *audience_for(struct rooms *rooms, struct room *room, const struct encoding *encoding)
{
    struct audience *audience = room->audiences;
    while (audience && audience->encoding != encoding)
        audience = audience->next;
    if (!audience) {
        audience = audience_new(encoding, rooms->counters);
        audience->next = room->audiences;
        room->audiences = audience;
    }
    return audience;
}

static void wait_for_confirmation(struct room *room, struct member *member)
{
    if (room->waiting_count == room->waiting_cap) {
        room->waiting_cap = room->waiting_cap ? 2 * room->waiting_cap : 2;
        room->waiting = xrealloc(room->waiting, room->waiting_cap * sizeof(struct member *));
    }
    member->state = MEMBER_JOINING;
    member->target.index = room->waiting_count;
    room->waiting[room->waiting_count++] = member;
}

static void stop_waiting(struct room *room, struct member *member)
{
    struct member *last = room->waiting[--room->waiting_count];
    room->waiting[member->target.index] = last;
    last->target.index = member->target.index;
}

static void go_in(struct member *member)
{
    member->state = MEMBER_IN;
    audience_add(member->target.audience, &member->target);
}

bool room_join(struct rooms *rooms, struct member *member, struct bytes name, const struct encoding *encoding,
               bool echo)
{
    assert(member->state == MEMBER_OUT);
    uint32_t hash = hash_name(rooms, name);
    struct room *room;
    HASH_FIND_BYHASHVALUE(hh, rooms->by_name, name.data, name.len, hash, room);
    if (!room)
        room = room_new(rooms, name, hash);
    else if (room->members == 0)
        empty_remove(rooms, room);
    room->members++;
    counter_add(rooms->counters, GAUGE_MEMBERS, 1);
    member->room = room;
    member->echo = echo;
    member->target.id = (uint64_t)rooms->bus->gateway << 32 | ++rooms->last_member;
    member->target.audience = audience_for(rooms, room, encoding);
    directory_add(&rooms->directory, member);
    if (!room->channel->confirmed) { /* new here, or its connection is lost: he would miss what others say meanwhile */
        wait_for_confirmation(room, member);
        return false;
    }
    go_in(member);
    return true;
}

void room_leave(struct rooms *rooms, struct member *member)
{
    struct room *room = member->room;
    if (member->state == MEMBER_OUT)
        return;
    if (member->state == MEMBER_JOINING) {
        stop_waiting(room, member);
    } else {
        flush_settle(rooms->flush, &member->target);
        audience_remove(&member->target);
    }
    directory_remove(&rooms->directory, member);
    member->state = MEMBER_OUT;
    member->room = NULL;
    counter_sub(rooms->counters, GAUGE_MEMBERS, 1);
    if (--room->members == 0)
        empty_add(rooms, room);
}

/* ---- messages */

bool room_publish(struct rooms *rooms, struct member *member, enum envelope_kind kind, struct bytes payload)
{
    if (rooms->pressure == BUS_REFUSING)
        return false;
    struct envelope envelope = {
        .kind = kind, .member = member->target.id, .time_ms = clock_wall_ms(rooms->env->clock), .payload = payload};
    bus_publish(rooms->bus, (struct bytes){member->room->name, member->room->name_len}, &envelope);
    return true;
}

static void deliver(struct rooms *rooms, struct room *room, const struct envelope *envelope)
{
    uint64_t receivers = 0, except = 0;
    const struct member *sender = envelope->member ? directory_find(&rooms->directory, envelope->member) : NULL;
    if (sender && sender->room == room && sender->state == MEMBER_IN && !sender->echo)
        except = envelope->member;
    for (struct audience *audience = room->audiences; audience; audience = audience->next) {
        if (audience->count == 0)
            continue;
        uint64_t id = except && sender->target.audience == audience ? except : 0;
        if (!audience_append(audience, envelope, id))
            continue;
        receivers += audience->count - (id != 0);
        flush_queue(rooms->flush, audience);
    }
    if (envelope->time_ms && receivers)
        counter_latency(rooms->counters, clock_wall_ms(rooms->env->clock) - envelope->time_ms, receivers);
}

static void on_message(void *ctx, struct bus_channel *channel, struct bytes message)
{
    struct rooms *rooms = ctx;
    struct room *room = channel->subscriber;
    struct envelope envelope;
    switch (envelope_decode(message, &envelope)) {
    case ENVELOPE_OK:
        if (rooms->max_message && envelope.payload.len > rooms->max_message)
            counter_add(rooms->counters, COUNT_BUS_TOO_BIG, 1);
        else
            deliver(rooms, room, &envelope);
        break;
    case ENVELOPE_UNKNOWN_VERSION:
        counter_add(rooms->counters, COUNT_BUS_UNKNOWN_VERSION, 1);
        break;
    case ENVELOPE_MALFORMED:
        counter_add(rooms->counters, COUNT_BUS_MALFORMED, 1);
        break;
    }
}

static void on_confirmed(void *ctx, struct bus_channel *channel)
{
    struct rooms *rooms = ctx;
    struct room *room = channel->subscriber;
    while (room->waiting_count) { /* on_in may make others leave */
        struct member *member = room->waiting[0];
        stop_waiting(room, member);
        go_in(member);
        rooms->events->on_in(rooms->ctx, member);
    }
    free(room->waiting);
    room->waiting = NULL;
    room->waiting_cap = 0;
}

static void on_publish_failed(void *ctx, uint64_t id, enum bus_failure failure)
{
    struct rooms *rooms = ctx;
    struct member *member = directory_find(&rooms->directory, id);
    if (member)
        rooms->events->on_publish_failed(rooms->ctx, member, failure);
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    struct rooms *rooms = ctx;
    rooms->pressure = pressure;
    rooms->on_pressure(rooms->ctx, pressure);
}

const struct bus_events rooms_bus_events = {on_confirmed, on_message, on_publish_failed, on_pressure};
