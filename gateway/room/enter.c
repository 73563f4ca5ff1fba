/* enter.c -- coming into a room, waiting for it, and leaving it; see room.h. */
#include <assert.h>
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "bans.h"
#include "lock.h"
#include "room_parts.h"
#include "signals.h"

enum { JOIN_DEADLINE_MS = 2000 }; /* of a participant; a plain member's is its connection's */

/* ---- waiting to be let in */

static void wait_for_room(struct room *room, struct member *member)
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
    if (room->waiting_count)
        return;
    free(room->waiting);
    room->waiting = NULL;
    room->waiting_cap = 0;
}

static bool may_be_entered(struct room *room)
{
    bool in_order = room->follow.state == FOLLOW_LIVE || room->follow.state == FOLLOW_OFF;
    bool lock = lock_known(room), bans = bans_known(room->rooms->bans); /* asked for together */
    return room->channel->confirmed && in_order && lock && bans;
}

static bool is_ready_for(struct room *room, const struct member *member)
{
    if (!may_be_entered(room))
        return false;
    if (member->kind == MEMBER_PLAIN || !room->presence)
        return true;
    const struct participant *participant = (const struct participant *)member;
    return presence_ready(room) && (!participant->told || presence_heard(room, participant));
}

static void refuse(struct room *room, struct member *member, enum join_refusal refusal)
{
    struct rooms *rooms = room->rooms;
    room_leave(rooms, member, "left");
    rooms->events[member->kind]->on_refused(rooms->ctx, member, refusal);
}

/* ---- coming in */

static void link_participant(struct room *room, struct participant *participant)
{
    participant->next = room->participants;
    participant->at = &room->participants;
    if (room->participants)
        room->participants->at = &participant->next;
    room->participants = participant;
    room->listed++;
}

static void unlink_participant(struct room *room, struct participant *participant)
{
    room->listed--;
    *participant->at = participant->next;
    if (participant->next)
        participant->next->at = participant->at;
    participant->at = NULL;
}

/* Where it begins, by what it claims to have seen. False: it claims more than the room has here, or an epoch that is
 * not known here; another gateway may be ahead of this one, so the log has to be asked first. */
static bool place(struct room *room, struct participant *participant, struct joined *joined, uint64_t *cursor)
{
    const struct follow *follow = &room->follow;
    const struct resume *resume = &participant->resume;
    *joined = (struct joined){
        .room = room_name(room), .epoch = bytes_of(follow->epoch), .offset = follow->seq, .count = room->members};
    if (room->presence)
        joined->count = presence_total(room);
    uint64_t whole = follow->seq - follow->base; /* of this epoch */
    *cursor = follow->seq - (participant->history < whole ? participant->history : whole);
    if (!resume->epoch[0] || follow->state == FOLLOW_OFF)
        return true;
    if (strcmp(resume->epoch, follow->epoch) == 0) {
        if (resume->offset > follow->seq && !participant->ahead)
            return false;
        joined->recovered = resume->offset <= follow->seq;
    } else if (follow->prev[0] && strcmp(resume->epoch, follow->prev) == 0) {
        joined->recovered = joined->lossy = resume->offset <= follow->prevtop;
    } else if (!participant->ahead) {
        return false;
    }
    if (joined->recovered)
        *cursor = resume->offset;
    return true;
}

static void enter_participant(struct room *room, struct participant *participant)
{
    struct rooms *rooms = room->rooms;
    struct member *member = &participant->member;
    struct joined joined;
    uint64_t cursor;
    if (!place(room, participant, &joined, &cursor)) {
        participant->ahead = true;
        wait_for_room(room, member);
        follow_check(room);
        return;
    }
    if (!participant->at)
        link_participant(room, participant);
    member->state = MEMBER_CATCHING;
    participant->catching_at = NULL;
    rooms->events[member->kind]->on_in(rooms->ctx, member, &joined);
    if (member->state == MEMBER_CATCHING) /* it has not left in the meantime */
        catchup_begin(room, participant, cursor);
}

/* Whoever is told that he is in stands in everybody's list, and has heard of all that came before him. */
static void announce(struct room *room, struct participant *participant)
{
    link_participant(room, participant);
    presence_join(room, participant);
    wait_for_room(room, &participant->member);
}

static void enter_plain(struct room *room, struct member *member)
{
    member->state = MEMBER_IN;
    room->plain++;
    audience_add(member->target.audience, &member->target);
    if (room->presence)
        presence_plain_changed(room);
}

/* The room is ready for it; it is not waiting. */
static void enter(struct room *room, struct member *member)
{
    bool participant = member->kind == MEMBER_PARTICIPANT;
    struct bytes user = participant ? participant_of(member)->user : (struct bytes){NULL, 0};
    if (room->locked)
        refuse(room, member, JOIN_LOCKED);
    else if (bans_hit(room->rooms->bans, room_name(room), user))
        refuse(room, member, JOIN_BANNED);
    else if (room->rule->members && room->members > room->rule->members)
        refuse(room, member, JOIN_FULL);
    else if (participant && room->presence && !participant_of(member)->told)
        announce(room, participant_of(member));
    else if (participant)
        enter_participant(room, participant_of(member));
    else {
        enter_plain(room, member);
        room->rooms->events[MEMBER_PLAIN]->on_in(room->rooms->ctx, member, NULL);
    }
}

void room_admit(struct room *room)
{
    /* From the end: who waits again, or cannot be let in yet, stays behind. What is told may make others leave. */
    for (uint32_t i = room->waiting_count; i-- > 0;) {
        if (i >= room->waiting_count)
            continue;
        struct member *member = room->waiting[i];
        if (!is_ready_for(room, member))
            continue;
        stop_waiting(room, member);
        member->state = MEMBER_JOINING;
        room->admitting = member;
        enter(room, member);
        room->admitting = NULL;
    }
}

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

static void note_entered(struct room *room)
{
    struct rooms *rooms = room->rooms;
    if (room->entered)
        return;
    room->entered = true;
    room->entered_next = rooms->entered;
    rooms->entered = room;
}

void rooms_turn(struct rooms *rooms)
{
    while (rooms->entered) {
        struct room *room = rooms->entered;
        rooms->entered = room->entered_next;
        room->entered = false;
        room_admit(room);
    }
}

bool room_join(struct rooms *rooms, struct member *member, struct bytes name, const struct encoding *encoding,
               bool echo)
{
    assert(member->state == MEMBER_OUT);
    struct room *room = room_enter(rooms, name);
    member->room = room;
    member->echo = echo;
    if (member->kind == MEMBER_PLAIN)
        member->target.id = rooms_new_id(rooms);
    else
        participant_of(member)->deadline_ms = clock_ms(rooms->env->clock) + JOIN_DEADLINE_MS;
    member->target.audience = audience_for(rooms, room, encoding);
    directory_add(&rooms->directory, member);
    bool open = !room->locked && (!room->rule->members || room->members <= room->rule->members);
    if (member->kind == MEMBER_PLAIN && open && is_ready_for(room, member)) { /* the common case, without a detour */
        enter_plain(room, member);
        return true;
    }
    wait_for_room(room, member);
    room_attend(room); /* so that it stays until the turn's end, too */
    note_entered(room);
    return false;
}

void room_refuse_late(struct room *room, uint64_t now)
{
    for (uint32_t i = room->waiting_count; i-- > 0;) {
        if (i >= room->waiting_count)
            continue;
        struct member *member = room->waiting[i];
        if (member->kind == MEMBER_PARTICIPANT && now >= participant_of(member)->deadline_ms)
            refuse(room, member, JOIN_UNAVAILABLE);
    }
}

/* ---- leaving */

static void leave_participant(struct room *room, struct participant *participant, const char *reason)
{
    if (participant->told)
        presence_leave(room, participant, reason);
    publishes_forget(room, participant->member.target.id);
    free(participant->value);
    participant->value = NULL;
}

void room_leave(struct rooms *rooms, struct member *member, const char *reason)
{
    struct room *room = member->room;
    bool participant = member->kind == MEMBER_PARTICIPANT;
    if (member->state == MEMBER_OUT)
        return;
    if (member->state == MEMBER_IN) {
        flush_settle(rooms->flush, &member->target);
        audience_remove(&member->target);
    } else if (member->state == MEMBER_JOINING) {
        if (room->admitting != member)
            stop_waiting(room, member);
    } else if (participant_of(member)->catching_at) {
        catchup_end(room, participant_of(member));
    }
    if (participant && participant_of(member)->at)
        unlink_participant(room, participant_of(member));
    directory_remove(&rooms->directory, member);
    bool counted = !participant && member->state == MEMBER_IN;
    room->plain -= counted;
    member->state = MEMBER_OUT;
    member->room = NULL;
    room_exit(room);
    if (participant)
        leave_participant(room, participant_of(member), reason);
    else if (counted && room->presence)
        presence_plain_changed(room);
}

void room_abandon(struct rooms *rooms, struct member *member)
{
    if (member->kind != MEMBER_PARTICIPANT)
        return;
    publishes_abandon(member->room, member);
    signals_abandon(rooms, member);
}
