/* room.c -- rooms by name, from the first member to some seconds after the last, and what members do; see room.h. */
#include "room.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "bans.h"
#include "room_parts.h"
#include "signals.h"

static uint32_t hash_name(const struct rooms *rooms, struct bytes name)
{
    return (uint32_t)siphash13(rooms->hash_key, name.data, name.len);
}

struct bytes room_name(const struct room *room)
{
    return (struct bytes){room->name, room->name_len};
}

bool room_has_log(const struct room *room)
{
    return room->rule->log.size > 0;
}

void rooms_init(struct rooms *rooms, const struct rooms_setup *setup)
{
    *rooms = (struct rooms){.env = setup->env,
                            .counters = setup->counters,
                            .flush = setup->flush,
                            .rules = setup->rules,
                            .ctx = setup->ctx,
                            .linger_ms = setup->linger_ms};
    memcpy(rooms->events, setup->events, sizeof rooms->events);
    rooms->hash_key[0] = random_u64(rooms->env->random);
    rooms->hash_key[1] = random_u64(rooms->env->random);
    directory_init(&rooms->directory);
    uv_timer_init(rooms->env->loop, &rooms->presence_timer);
    rooms->presence_timer.data = rooms;
    rooms->renewed_ms = clock_ms(rooms->env->clock);
    rooms->bans = bans_new(rooms);
}

uint64_t rooms_new_id(struct rooms *rooms)
{
    return (uint64_t)rooms->bus->gateway << 32 | ++rooms->last_member;
}

struct room *rooms_find(const struct rooms *rooms, struct bytes name)
{
    struct room *room;
    HASH_FIND_BYHASHVALUE(hh, rooms->by_name, name.data, name.len, hash_name(rooms, name), room);
    return room;
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
}

static struct room *room_new(struct rooms *rooms, struct bytes name)
{
    struct room *room = xcalloc(1, sizeof *room + name.len);
    room->rooms = rooms;
    room->name_len = (uint8_t)name.len;
    memcpy(room->name, name.data, name.len);
    room->rule = rules_find(rooms->rules, name);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, rooms->by_name, room->name, room->name_len, hash_name(rooms, name), room);
    follow_init(room);
    room->presence = room->rule->presence ? presence_new(room) : NULL;
    room->channel = bus_subscribe(rooms->bus, name, room);
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
    if (room->active_at)
        room_not_active(room);
    publishes_close(room);
    follow_close(room);
    if (room->presence)
        presence_free(room->presence);
    free(room->waiting);
    free(room);
}

/* True when nothing keeps an empty room: no ask is on its way and its leaving has been told. */
static bool may_go(const struct room *room)
{
    return room->pending == 0 && !room->dirty && !room->attended && !room->entered;
}

void rooms_sweep_empty(struct rooms *rooms, uint64_t now)
{
    for (struct room *room = rooms->empty_first, *next; room; room = next) {
        next = room->empty_next;
        if (now - room->empty_since_ms < rooms->linger_ms)
            return;
        if (!may_go(room))
            continue;
        empty_remove(rooms, room);
        bus_unsubscribe(rooms->bus, room->channel);
        if (rooms->renew == room)
            rooms->renew = room->hh.next;
        room_free(rooms, room);
    }
}

/* ---- members come and go */

struct room *room_enter(struct rooms *rooms, struct bytes name)
{
    struct room *room = rooms_find(rooms, name);
    if (!room)
        room = room_new(rooms, name);
    else if (room->members == 0)
        empty_remove(rooms, room);
    if (room->members++ == 0)
        counter_add(rooms->counters, GAUGE_ROOMS, 1);
    counter_add(rooms->counters, GAUGE_MEMBERS, 1);
    return room;
}

void room_exit(struct room *room)
{
    struct rooms *rooms = room->rooms;
    counter_sub(rooms->counters, GAUGE_MEMBERS, 1);
    if (--room->members)
        return;
    counter_sub(rooms->counters, GAUGE_ROOMS, 1);
    empty_add(rooms, room);
}

/* ---- the end */

void rooms_stop(struct rooms *rooms)
{
    uv_timer_stop(&rooms->presence_timer);
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
    bans_free(rooms->bans);
    signals_close(rooms);
}

/* ---- what members do */

bool room_publish(struct rooms *rooms, struct member *member, const struct saying *saying)
{
    if (rooms->pressure == BUS_REFUSING)
        return false;
    struct room *room = member->room;
    struct envelope envelope = {.kind = saying->kind,
                                .member = member->target.id,
                                .key = saying->key,
                                .time_ms = clock_wall_ms(rooms->env->clock),
                                .payload = saying->payload};
    if (member->kind == MEMBER_PARTICIPANT)
        envelope.from = participant_of(member)->from;
    struct publish *publish = publish_new(room, member, saying, envelope.time_ms);
    bus_publish(rooms->bus, &(struct bus_publish){room_name(room), &room->rule->log, &envelope, &publish->ticket});
    return true;
}

void room_update(struct rooms *rooms, struct participant *participant, char *value)
{
    (void)rooms;
    free(participant->value);
    participant->value = value;
    if (participant->member.room->presence)
        presence_update(participant->member.room, participant);
}

void room_write_members(struct rooms *rooms, const struct participant *self, struct json_text *text)
{
    (void)rooms;
    const struct room *room = self->member.room;
    if (room->presence)
        presence_write(room, self, text);
    else
        json_literal(text, "[]");
}

void room_pump(struct rooms *rooms, struct participant *participant)
{
    (void)rooms;
    if (participant->member.state == MEMBER_CATCHING && participant->catching_at)
        catchup_pump(participant->member.room, participant);
}
