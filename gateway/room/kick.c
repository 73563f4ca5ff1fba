/* kick.c -- what an admin does to members: puts them out, marks them; see room.h. */
#include "room_parts.h"

static bool is_meant(const struct member *member, const struct whom *whom)
{
    if (whom->member)
        return member->target.id == whom->member;
    if (!whom->user.data)
        return true;
    return member->kind == MEMBER_PARTICIPANT && bytes_equal(((const struct participant *)member)->user, whom->user);
}

static void put_out(struct room *room, struct member *member, const char *reason)
{
    struct rooms *rooms = room->rooms;
    room_abandon(rooms, member);
    room_leave(rooms, member, "kicked");
    rooms->events[member->kind]->on_kicked(rooms->ctx, member, reason);
}

/* From the end, as each one that goes is replaced by the last. */
static uint32_t kick_audience(struct room *room, struct audience *audience, const struct whom *whom, const char *reason)
{
    uint32_t kicked = 0;
    for (uint32_t i = audience->count; i-- > 0;) {
        struct member *member = i < audience->count ? member_of_target(audience->targets[i]) : NULL;
        if (!member || !is_meant(member, whom))
            continue;
        put_out(room, member, reason);
        kicked++;
    }
    return kicked;
}

static uint32_t kick_in_room(struct room *room, const struct whom *whom, const char *reason)
{
    uint32_t kicked = 0;
    for (uint32_t i = room->waiting_count; i-- > 0;) {
        struct member *member = i < room->waiting_count ? room->waiting[i] : NULL;
        if (!member || !is_meant(member, whom))
            continue;
        put_out(room, member, reason);
        kicked++;
    }
    for (struct participant *at = room->catching, *next; at; at = next) {
        next = at->catching_next;
        if (!is_meant(&at->member, whom))
            continue;
        put_out(room, &at->member, reason);
        kicked++;
    }
    for (struct audience *audience = room->audiences; audience; audience = audience->next)
        kicked += kick_audience(room, audience, whom, reason);
    return kicked;
}

uint32_t rooms_kick(struct rooms *rooms, struct bytes name, const struct whom *whom, const char *reason)
{
    if (name.data) {
        struct room *room = rooms_find(rooms, name);
        return room ? kick_in_room(room, whom, reason) : 0;
    }
    uint32_t kicked = 0;
    for (struct room *room = rooms->by_name; room; room = room->hh.next)
        kicked += kick_in_room(room, whom, reason);
    return kicked;
}

static uint32_t mute_in_room(struct room *room, const struct whom *whom, bool muted)
{
    uint32_t changed = 0;
    for (struct participant *at = room->participants; at; at = at->next) {
        if (!is_meant(&at->member, whom) || at->muted == muted)
            continue;
        at->muted = muted;
        changed++;
        if (room->presence)
            presence_update(room, at);
    }
    return changed;
}

uint32_t rooms_mute(struct rooms *rooms, struct bytes name, const struct whom *whom, bool muted)
{
    if (name.data) {
        struct room *room = rooms_find(rooms, name);
        return room ? mute_in_room(room, whom, muted) : 0;
    }
    uint32_t changed = 0;
    for (struct room *room = rooms->by_name; room; room = room->hh.next)
        changed += mute_in_room(room, whom, muted);
    return changed;
}

uint32_t rooms_count(const struct rooms *rooms, struct bytes name)
{
    const struct room *room = rooms_find(rooms, name);
    return room ? room->members : 0;
}
