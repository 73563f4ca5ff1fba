/* room.c -- rooms by name, and who comes and goes; see room.h. */
#include "room.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "bans.h"
#include "lock.h"
#include "room_parts.h"
#include "signals.h"

enum {
    JOIN_DEADLINE_MS = 2000, /* of a participant; a plain member's is its connection's */
    CHECK_EVERY_MS = 10000,  /* that active rooms are compared with their logs */
    CHECK_AT_ONCE = 500,     /* rooms per sweep of them */
    RENEW_AT_ONCE = 500,     /* rooms per sweep whose presence is told anew */
    RENEW_EVERY_MS = 20 * 60 * 1000
};

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

static void not_active(struct room *room);

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
        not_active(room);
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

static void sweep_empty(struct rooms *rooms, uint64_t now)
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

static struct room *room_for_join(struct rooms *rooms, struct bytes name)
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

bool room_join(struct rooms *rooms, struct member *member, struct bytes name, const struct encoding *encoding,
               bool echo)
{
    assert(member->state == MEMBER_OUT);
    struct room *room = room_for_join(rooms, name);
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
    counter_sub(rooms->counters, GAUGE_MEMBERS, 1);
    room->members--;
    if (participant)
        leave_participant(room, participant_of(member), reason);
    else if (counted && room->presence)
        presence_plain_changed(room);
    if (room->members == 0) {
        counter_sub(rooms->counters, GAUGE_ROOMS, 1);
        empty_add(rooms, room);
    }
}

void room_abandon(struct rooms *rooms, struct member *member)
{
    if (member->kind != MEMBER_PARTICIPANT)
        return;
    publishes_abandon(member->room, member);
    signals_abandon(rooms, member);
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

/* ---- what the bus tells */

static void note_active(struct room *room)
{
    struct rooms *rooms = room->rooms;
    room->follow.heard = true;
    if (room->active_at)
        return;
    room->active_next = rooms->active;
    room->active_at = &rooms->active;
    if (rooms->active)
        rooms->active->active_at = &room->active_next;
    rooms->active = room;
}

static void not_active(struct room *room)
{
    *room->active_at = room->active_next;
    if (room->active_next)
        room->active_next->active_at = room->active_at;
    room->active_at = NULL;
}

static void on_envelope(struct room *room, struct envelope *envelope, struct bytes message)
{
    struct rooms *rooms = room->rooms;
    if (envelope->kind == ENVELOPE_PRESENCE) {
        if (room->presence)
            presence_event(room, envelope);
    } else if (is_too_big(room, envelope)) {
        counter_add(rooms->counters, COUNT_BUS_TOO_BIG, 1);
        if (envelope->seq)
            follow_skip(room, envelope);
    } else if (envelope->seq) {
        follow_message(room, envelope, message);
    } else {
        room_deliver(room, envelope);
    }
}

static void on_message(void *ctx, struct bus_channel *channel, struct bytes message)
{
    struct rooms *rooms = ctx;
    struct room *room = channel->subscriber;
    struct envelope envelope;
    note_active(room);
    switch (envelope_decode(message, &envelope)) {
    case ENVELOPE_OK:
        on_envelope(room, &envelope, message);
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
    struct room *room = channel->subscriber;
    (void)ctx;
    follow_confirmed(room);
    if (room->presence)
        presence_reload(room);
    room_attend(room);
    room_admit(room);
}

static void on_channel_lost(void *ctx, struct bus_channel *channel)
{
    struct room *room = channel->subscriber;
    (void)ctx;
    follow_lost(room);
    publishes_lost(room);
}

static void on_published(void *ctx, void *ticket, struct bytes epoch, uint64_t seq, bool duplicate)
{
    struct ticket *of = ticket;
    of->on_published(ctx, of, epoch, seq, duplicate);
}

static void on_publish_failed(void *ctx, void *ticket, enum bus_failure failure)
{
    struct ticket *of = ticket;
    of->on_failed(ctx, of, failure);
}

static bool has_come(void *ctx, void *ticket)
{
    (void)ctx;
    return ((const struct ticket *)ticket)->came;
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    struct rooms *rooms = ctx;
    rooms->pressure = pressure;
    rooms->on_pressure(rooms->ctx, pressure);
}

static void on_signal(void *ctx, struct bytes message)
{
    signals_arrived(ctx, message);
}

static void on_command(void *ctx, struct bytes line)
{
    struct rooms *rooms = ctx;
    if (rooms->on_command)
        rooms->on_command(rooms->ctx, line);
}

static void on_forgotten(void *ctx)
{
    struct rooms *rooms = ctx;
    rooms->forgotten = true;
    rooms->renew = rooms->by_name; /* the sweeps go on from there */
}

const struct bus_events rooms_bus_events = {
    .on_confirmed = on_confirmed,
    .on_channel_lost = on_channel_lost,
    .on_message = on_message,
    .on_published = on_published,
    .on_publish_failed = on_publish_failed,
    .has_come = has_come,
    .on_pressure = on_pressure,
    .on_signal = on_signal,
    .on_command = on_command,
    .on_forgotten = on_forgotten,
};

/* ---- time */

void room_attend(struct room *room)
{
    struct rooms *rooms = room->rooms;
    if (room->attended)
        return;
    room->attended = true;
    room->attended_next = rooms->attended;
    rooms->attended = room;
}

static void refuse_late(struct room *room, uint64_t now)
{
    for (uint32_t i = room->waiting_count; i-- > 0;) {
        if (i >= room->waiting_count)
            continue;
        struct member *member = room->waiting[i];
        if (member->kind == MEMBER_PARTICIPANT && now >= participant_of(member)->deadline_ms)
            refuse(room, member, JOIN_UNAVAILABLE);
    }
}

/* Returns true when the room is to be looked after again. */
static bool look_after(struct room *room, uint64_t now)
{
    bool more = follow_sweep(room, now);
    if (room->presence)
        more = presence_sweep(room, now) || more;
    refuse_late(room, now);
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
        not_active(room);
        follow_peek(room);
        if (follow_rest(room))
            note_active(room); /* and once more, when it has gone quiet */
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
    sweep_empty(rooms, now);
}
