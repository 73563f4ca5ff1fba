/* sweep.c -- what time does to rooms: deadlines, checks, renewals; see room.h. */
#include "bans.h"
#include "room_parts.h"

enum {
    CHECK_EVERY_MS = 10000, /* that active rooms are compared with their logs */
    CHECK_AT_ONCE = 500,    /* rooms per sweep of them */
    RENEW_AT_ONCE = 500,    /* rooms per sweep whose presence is told anew */
    RENEW_EVERY_MS = 20 * 60 * 1000
};

/* ---- the rooms to look at */

void room_note_active(struct room *room)
{
    struct rooms *rooms = room->rooms;
    if (room->active_at)
        return;
    room->active_next = rooms->active;
    room->active_at = &rooms->active;
    if (rooms->active)
        rooms->active->active_at = &room->active_next;
    rooms->active = room;
}

void room_not_active(struct room *room)
{
    *room->active_at = room->active_next;
    if (room->active_next)
        room->active_next->active_at = room->active_at;
    room->active_at = NULL;
}

void room_attend(struct room *room)
{
    struct rooms *rooms = room->rooms;
    if (room->attended)
        return;
    room->attended = true;
    room->attended_next = rooms->attended;
    rooms->attended = room;
}

/* Returns true when the room is to be looked after again. */
static bool look_after(struct room *room, uint64_t now)
{
    bool more = follow_sweep(room, now);
    if (room->presence)
        more = presence_sweep(room, now) || more;
    room_refuse_late(room, now);
    if (room->waiting_count)
        room_admit(room);
    publishes_sweep(room, now);
    if (room->catching)
        catchup_room_moved(room);
    return more || room->waiting_count || room->publishing || room->catching;
}

static void sweep_attended(struct rooms *rooms, uint64_t now)
{
    struct room *room = rooms->attended;
    rooms->attended = NULL;
    while (room) {
        struct room *next = room->attended_next;
        room->attended = false;
        if (look_after(room, now))
            room_attend(room);
        room = next;
    }
}

static void check_active(struct rooms *rooms, uint64_t now)
{
    if (!rooms->checking && now - rooms->checked_ms >= CHECK_EVERY_MS) {
        rooms->checked_ms = now;
        rooms->checking = rooms->active;
        rooms->active = NULL;
        if (rooms->checking)
            rooms->checking->active_at = &rooms->checking;
    }
    for (int i = 0; i < CHECK_AT_ONCE && rooms->checking; i++) {
        struct room *room = rooms->checking;
        room_not_active(room);
        follow_peek(room);
        if (follow_rest(room))
            room_note_active(room); /* and once more, when it has gone quiet */
    }
}

/* The life times in the bus are an hour; a gateway that was forgotten tells everything anew. */
static void renew_some(struct rooms *rooms, uint64_t now)
{
    if (!rooms->renew && now - rooms->renewed_ms > RENEW_EVERY_MS) {
        rooms->renewed_ms = now;
        rooms->renew = rooms->by_name;
    }
    for (int i = 0; i < RENEW_AT_ONCE && rooms->renew; i++) {
        struct room *room = rooms->renew;
        rooms->renew = room->hh.next;
        if (rooms->forgotten)
            follow_check(room);
        if (room->presence && rooms->forgotten)
            presence_renew(room);
        else if (room->presence)
            presence_touch(room);
    }
    if (!rooms->renew)
        rooms->forgotten = false;
}

void rooms_sweep(struct rooms *rooms)
{
    uint64_t now = clock_ms(rooms->env->clock);
    rooms_turn(rooms);
    sweep_attended(rooms, now);
    check_active(rooms, now);
    renew_some(rooms, now);
    bans_sweep(rooms->bans, now);
    rooms_sweep_empty(rooms, now);
}
