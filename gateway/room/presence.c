/* presence.c -- see presence.h. */
#include "presence.h"

#include <stdlib.h>

#include "../../common/xalloc.h"
#include "room_parts.h"

enum { GATHER_MS = 50, AGAIN_MS = 200 };

/* The value is taken when it is told: what has changed twice meanwhile is told once. */
struct own_change {
    enum presence_op op;
    uint64_t member;
    const char *reason; /* of a leave; a constant */
};

struct presence *presence_new(struct room *room)
{
    (void)room;
    return xcalloc(1, sizeof(struct presence));
}

void presence_free(struct presence *presence)
{
    roster_forget(&presence->roster);
    free(presence->changes);
    free(presence->sent);
    free(presence);
}

bool presence_ready(struct room *room)
{
    struct roster *roster = &room->presence->roster;
    if (roster->state == ROSTER_NONE)
        roster_read(room);
    return roster->state == ROSTER_LISTED || roster->state == ROSTER_COUNTED;
}

bool presence_heard(const struct room *room, const struct participant *participant)
{
    const struct roster *roster = &room->presence->roster;
    return roster->state == ROSTER_COUNTED || roster_has(roster, participant->member.target.id);
}

/* ---- gathering */

static void on_timer(uv_timer_t *timer)
{
    struct rooms *rooms = timer->data;
    presence_flush(rooms, clock_ms(rooms->env->clock));
}

/* The first change of a while goes out with this turn; what follows is gathered. */
static uint64_t due_ms(const struct room *room, uint64_t now)
{
    uint64_t next = room->presence->flushed_ms + GATHER_MS;
    return room->presence->flushed_ms && next > now ? next : now;
}

static void mark_dirty(struct room *room)
{
    struct rooms *rooms = room->rooms;
    if (room->dirty)
        return;
    room->dirty = true;
    room->dirty_next = rooms->dirty;
    rooms->dirty = room;
    uint64_t now = clock_ms(rooms->env->clock), wait = due_ms(room, now) - now;
    uv_timer_t *timer = &rooms->presence_timer;
    if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > wait)
        uv_timer_start(timer, on_timer, wait, 0);
}

static void add_change(struct room *room, struct own_change change)
{
    struct presence *presence = room->presence;
    if (presence->count == presence->cap) {
        presence->cap = presence->cap ? 2 * presence->cap : 2;
        presence->changes = xrealloc(presence->changes, presence->cap * sizeof *presence->changes);
    }
    presence->changes[presence->count++] = change;
    mark_dirty(room);
}

void presence_join(struct room *room, struct participant *participant)
{
    participant->told = participant->changed = true;
    add_change(room, (struct own_change){.op = PRESENCE_JOIN, .member = participant->member.target.id});
}

void presence_update(struct room *room, struct participant *participant)
{
    if (!participant->told || participant->changed)
        return; /* what it is then is told once */
    participant->changed = true;
    add_change(room, (struct own_change){.op = PRESENCE_UPDATE, .member = participant->member.target.id});
}

void presence_leave(struct room *room, struct participant *participant, const char *reason)
{
    participant->told = participant->changed = false;
    add_change(room, (struct own_change){PRESENCE_LEAVE, participant->member.target.id, reason});
    if (!room->participants)
        roster_forget(&room->presence->roster);
}

void presence_plain_changed(struct room *room)
{
    room->presence->plain_changed = true;
    mark_dirty(room);
}

void presence_renew(struct room *room)
{
    struct presence *presence = room->presence;
    if (!presence->begun)
        return;
    presence->begun = false; /* what was told is gone: the next batch is a first one */
    for (struct participant *at = room->participants; at; at = at->next) {
        if (!at->told || at->changed)
            continue;
        at->changed = true;
        add_change(room, (struct own_change){.op = PRESENCE_JOIN, .member = at->member.target.id});
    }
    presence_plain_changed(room);
    presence_reload(room);
}

void presence_touch(struct room *room)
{
    if (!room->presence->begun || room->members == 0)
        return;
    room->presence->touch = true;
    mark_dirty(room);
}

/* ---- telling */

/* A participant's JSON, with its mark when it is muted. */
static void append_value(struct json_text *text, const struct participant *participant)
{
    const char *value = participant->value;
    if (!participant->muted) {
        json_literal(text, value);
        return;
    }
    json_literal(text, value[1] == '}' ? "{\"muted\":true" : "{\"muted\":true,");
    json_literal(text, value + 1);
}

static struct participant *present(struct room *room, uint64_t id)
{
    struct member *member = directory_find(&room->rooms->directory, id, room);
    bool in = member && member->kind == MEMBER_PARTICIPANT && participant_of(member)->told;
    return in ? participant_of(member) : NULL;
}

/* Fills in the values. A coming or change of one who has gone again is left out: its going says it all. */
static uint32_t fill(struct room *room, struct presence_change *changes, struct json_text *values)
{
    const struct presence *presence = room->presence;
    uint32_t count = 0;
    for (uint32_t i = 0; presence->sent && i < presence->sent_count; i++) {
        const struct own_change *own = &presence->sent[i];
        const struct participant *participant = present(room, own->member);
        if (own->op == PRESENCE_LEAVE) {
            if (!participant) /* else it is here again, under the same id, and was told so */
                changes[count++] = (struct presence_change){own->op, own->member, bytes_of(own->reason)};
            continue;
        }
        if (!participant)
            continue;
        size_t at = values->len;
        append_value(values, participant);
        changes[count++] = (struct presence_change){own->op, own->member, {(const char *)at, values->len - at}};
    }
    for (uint32_t i = 0; i < count; i++) { /* now that the values do not move any more */
        if (changes[i].op != PRESENCE_LEAVE)
            changes[i].value.data = values->data + (size_t)changes[i].value.data;
    }
    return count;
}

static void on_told_position(void *ctx, uint64_t tag, const struct bus_position *position)
{
    struct room *room = ctx;
    bool first = tag;
    if (!position->known && !first)
        presence_renew(room); /* the others have forgotten us */
}

static void on_told(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    struct presence *presence = room->presence;
    bool first = tag;
    room->pending--;
    presence->in_flight = false;
    if (first && result != BUS_OK)
        presence->begun = false; /* the next one is the first again */
    if (result == BUS_LOST) {
        presence->again_ms = clock_ms(room->rooms->env->clock) + AGAIN_MS;
        room_attend(room);
        return;
    }
    free(presence->sent);
    presence->sent = NULL;
    presence->sent_count = 0;
    if (presence->count || presence->plain_changed || presence->touch)
        mark_dirty(room);
}

/* All goings, and of those who are here one coming or change each: whoever comes and goes for ever is told once. */
static void take_changes(struct room *room)
{
    struct presence *presence = room->presence;
    if (presence->sent || !presence->count)
        return; /* what went unanswered first */
    presence->sent = presence->changes;
    presence->sent_count = 0;
    for (uint32_t i = 0; i < presence->count; i++) {
        struct own_change change = presence->changes[i];
        struct participant *participant = present(room, change.member);
        if (change.op != PRESENCE_LEAVE && !(participant && participant->changed))
            continue;
        if (change.op != PRESENCE_LEAVE)
            participant->changed = false;
        presence->sent[presence->sent_count++] = change;
    }
    presence->changes = NULL;
    presence->count = presence->cap = 0;
}

void presence_flush_room(struct room *room)
{
    static const struct bus_ask_events events = {.on_end = on_told, .on_position = on_told_position};
    struct presence *presence = room->presence;
    if (presence->in_flight || presence->again_ms ||
        !(presence->count || presence->sent || presence->plain_changed || presence->touch))
        return;
    take_changes(room);
    struct presence_change *changes = presence->sent_count ? xmalloc(presence->sent_count * sizeof *changes) : NULL;
    struct json_text values = {0};
    bool first = !presence->begun;
    struct presence_batch batch = {
        .room = room_name(room),
        .epoch = bytes_of(room->follow.epoch),
        .seq = room->follow.seq,
        .changes = changes,
        .count = fill(room, changes, &values),
        .unlisted = room->plain,
        .first = first,
        .last = room->members == 0,
        .quiet = presence->roster.state == ROSTER_COUNTED,
    };
    presence->begun = !batch.last;
    presence->plain_changed = presence->touch = false;
    presence->in_flight = true;
    presence->expecting = false;
    presence->flushed_ms = clock_ms(room->rooms->env->clock);
    room->pending++;
    bus_presence(room->rooms->bus, &batch, &(struct bus_ask){&events, room, first});
    json_text_free(&values);
    free(changes);
}

void presence_flush(struct rooms *rooms, uint64_t now_ms)
{
    struct room *room = rooms->dirty;
    rooms->dirty = NULL;
    while (room) {
        struct room *next = room->dirty_next;
        room->dirty = false;
        if (due_ms(room, now_ms) <= now_ms)
            presence_flush_room(room);
        else
            mark_dirty(room); /* and the timer with it */
        room = next;
    }
}

/* ---- what the others know of us */

static void correct_ghost(struct room *room, uint64_t member)
{
    if (member >> 32 == room->rooms->bus->gateway && !present(room, member))
        add_change(room, (struct own_change){PRESENCE_LEAVE, member, "lost"});
}

void presence_correct(struct room *room)
{
    const struct roster *roster = &room->presence->roster;
    roster_each(roster, correct_ghost, room);
    for (struct participant *at = room->participants; at; at = at->next) {
        if (!at->told || at->changed || roster_has(roster, at->member.target.id))
            continue;
        at->changed = true;
        add_change(room, (struct own_change){.op = PRESENCE_JOIN, .member = at->member.target.id});
    }
}

void presence_expect_own(struct room *room)
{
    struct presence *presence = room->presence;
    presence->expecting = presence->begun && !presence->in_flight && !presence->sent && !presence->count &&
                          !presence->plain_changed && !presence->again_ms;
    if (!presence->expecting)
        return;
    presence->expected_listed = 0;
    for (const struct participant *at = room->participants; at; at = at->next)
        presence->expected_listed += at->told;
    presence->expected = presence->expected_listed + room->plain;
}

void presence_seen_own(struct room *room, uint64_t members, uint64_t listed)
{
    struct presence *presence = room->presence;
    if (presence->expecting && (members != presence->expected || listed != presence->expected_listed))
        presence_renew(room);
    presence->expecting = false;
}

/* ---- knowing */

void presence_event(struct room *room, const struct envelope *envelope)
{
    roster_event(room, envelope);
}

void presence_reload(struct room *room)
{
    if (room->presence && room->presence->roster.state != ROSTER_NONE)
        roster_read(room);
}

void presence_seen_version(struct room *room, uint64_t pv)
{
    roster_seen_version(room, pv);
}

uint64_t presence_total(const struct room *room)
{
    return roster_elsewhere(room) + room->plain + room->listed;
}

void presence_write(const struct room *room, const struct participant *self, struct json_text *text)
{
    const struct roster *roster = &room->presence->roster;
    json_literal(text, "[");
    if (roster->state != ROSTER_COUNTED) {
        uint32_t count = roster_write(roster, text);
        if (self && !roster_has(roster, self->member.target.id)) {
            struct json_text value = {0};
            append_value(&value, self);
            if (count)
                json_literal(text, ",");
            roster_write_entry(text, self->member.target.id, json_text_bytes(&value));
            json_text_free(&value);
        }
    }
    json_literal(text, "]");
}

bool presence_sweep(struct room *room, uint64_t now_ms)
{
    struct presence *presence = room->presence;
    if (presence->again_ms && now_ms >= presence->again_ms) {
        presence->again_ms = 0;
        presence_flush_room(room);
    }
    return roster_sweep(room, now_ms) || presence->again_ms;
}
