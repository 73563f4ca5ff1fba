/* roster.c -- see roster.h. */
#include "roster.h"

#include <stdlib.h>
#include <uthash.h>

#include "../../common/json_scan.h"
#include "../../common/xalloc.h"
#include "../bus/presence_event.h"
#include "room_parts.h"

enum { BUFFERED_MAX = 1 << 20, AGAIN_MS = 200, SUSPECT_MS = 1000, COUNT_EVERY_MS = 1000, VANISHED_MS = 12000 };

struct roster_entry {
    UT_hash_handle hh;
    uint64_t id;
    uint64_t vanished_ms; /* since when its gateway is not in the list any more; 0: it is */
    uint32_t len;
    char value[]; /* a JSON object */
};

struct roster_gateway {
    struct roster_gateway *next;
    uint32_t gateway;
    uint64_t members;
};

/* What is being read, and the events that come meanwhile. */
struct roster_reading {
    struct roster_entry *by_id;
    struct roster_gateway *gateways;
    uint64_t pv;
    char epoch[EPOCH_MAX + 1];
    struct json_text events; /* one behind the other: a length (4 bytes), then the envelope */
    bool events_lost;
};

static uint64_t now_ms(const struct room *room)
{
    return clock_ms(room->rooms->env->clock);
}

/* ---- entries and gateways */

static struct roster_entry *find(struct roster_entry *by_id, uint64_t id)
{
    struct roster_entry *entry;
    HASH_FIND(hh, by_id, &id, sizeof id, entry);
    return entry;
}

static void take_out(struct roster_entry **by_id, struct roster_entry *entry)
{
    HASH_DEL(*by_id, entry);
    free(entry);
}

static void put(struct roster_entry **by_id, uint64_t id, struct bytes value)
{
    struct roster_entry *old = find(*by_id, id);
    if (old)
        take_out(by_id, old);
    struct roster_entry *entry = xmalloc(sizeof *entry + value.len);
    entry->id = id;
    entry->vanished_ms = 0;
    entry->len = (uint32_t)value.len;
    memcpy(entry->value, value.data, value.len);
    HASH_ADD(hh, *by_id, id, sizeof entry->id, entry);
}

static void clear_entries(struct roster_entry **by_id)
{
    struct roster_entry *entry, *next;
    HASH_ITER(hh, *by_id, entry, next)
    {
        take_out(by_id, entry);
    }
}

static void set_gateway(struct roster_gateway **list, uint32_t gateway, uint64_t members)
{
    struct roster_gateway **at = list;
    while (*at && (*at)->gateway != gateway)
        at = &(*at)->next;
    if (!*at && members) {
        *at = xmalloc(sizeof **at);
        **at = (struct roster_gateway){NULL, gateway, members};
    } else if (*at && !members) {
        struct roster_gateway *gone = *at;
        *at = gone->next;
        free(gone);
    } else if (*at) {
        (*at)->members = members;
    }
}

static void clear_gateways(struct roster_gateway **list)
{
    while (*list) {
        struct roster_gateway *gone = *list;
        *list = gone->next;
        free(gone);
    }
}

static void free_reading(struct roster *roster)
{
    if (!roster->reading)
        return;
    clear_entries(&roster->reading->by_id);
    clear_gateways(&roster->reading->gateways);
    json_text_free(&roster->reading->events);
    free(roster->reading);
    roster->reading = NULL;
}

void roster_forget(struct roster *roster)
{
    free_reading(roster);
    clear_entries(&roster->by_id);
    clear_gateways(&roster->gateways);
    *roster = (struct roster){.serial = roster->serial + 1};
}

static bool acceptable(struct bytes value)
{
    return value.len >= 2 && value.data[0] == '{' && json_valid(value);
}

/* ---- telling */

/* Nobody is told of itself: one that was taken for dead, or comes back at once, is still in here. */
static void tell_change(struct room *room, enum notice_kind kind, uint64_t member, struct bytes value)
{
    struct notice notice = {.kind = kind, .member = member, .value = value, .reason = value};
    room_notify(room, &notice, member);
}

static void tell_count(struct room *room)
{
    struct roster *roster = &room->presence->roster;
    uint64_t count = presence_total(room);
    if (count == roster->count_told)
        return;
    roster->count_told = count;
    struct notice notice = {.kind = NOTICE_COUNT, .count = count};
    room_notify(room, &notice, 0);
}

static void tell_all(struct room *room)
{
    struct json_text list = {0};
    presence_write(room, NULL, &list);
    struct notice notice = {.kind = NOTICE_MEMBERS, .value = json_text_bytes(&list), .count = presence_total(room)};
    room_notify(room, &notice, 0);
    json_text_free(&list);
}

/* ---- events */

static bool too_many(const struct room *room)
{
    return presence_total(room) > ROSTER_LISTED_MAX;
}

static void become_counted(struct room *room)
{
    struct roster *roster = &room->presence->roster;
    clear_entries(&roster->by_id);
    roster->state = ROSTER_COUNTED;
    roster->counted_ms = now_ms(room);
    roster->count_told = 0;
    roster->counting = false;
    tell_count(room);
    room_attend(room);
}

static void apply(struct room *room, const struct presence_change *change)
{
    struct roster *roster = &room->presence->roster;
    struct roster_entry *entry = find(roster->by_id, change->member);
    if (change->op == PRESENCE_LEAVE) {
        if (!entry)
            return;
        take_out(&roster->by_id, entry);
        tell_change(room, NOTICE_LEFT, change->member, change->value);
        return;
    }
    if (!acceptable(change->value)) {
        counter_add(room->rooms->counters, COUNT_BUS_MALFORMED, 1);
        return;
    }
    bool known = entry != NULL;
    if (known && bytes_equal((struct bytes){entry->value, entry->len}, change->value)) {
        entry->vanished_ms = 0; /* it is told of again */
        return;
    }
    put(&roster->by_id, change->member, change->value);
    tell_change(room, known ? NOTICE_UPDATED : NOTICE_JOINED, change->member, change->value);
}

static void buffer(struct roster_reading *reading, struct bytes epoch, const struct presence_event *event);

static void take_event(struct room *room, struct bytes epoch, struct presence_event *event)
{
    struct roster *roster = &room->presence->roster;
    if (roster->state == ROSTER_COUNTED) {
        set_gateway(&roster->gateways, event->gateway, event->members);
        return; /* the count is told once a second */
    }
    if (!bytes_equal(bytes_of(roster->epoch), epoch) || event->pv > roster->pv + 1) {
        roster_read(room);
        if (roster->reading)
            buffer(roster->reading, epoch, event);
        return;
    }
    if (event->pv <= roster->pv)
        return;
    roster->pv = event->pv;
    set_gateway(&roster->gateways, event->gateway, event->members);
    if (!event->rest.len) { /* nobody who is listed has come or gone */
        roster->recount = true;
        room_attend(room);
    }
    struct presence_change change;
    while (presence_event_next(event, &change))
        apply(room, &change);
    if (event->rest.len)
        counter_add(room->rooms->counters, COUNT_BUS_MALFORMED, 1);
    if (too_many(room))
        become_counted(room);
    if (room->waiting_count)
        room_admit(room); /* it may have been their coming */
}

/* In the buffer: this, the epoch, then the lines. */
struct buffered {
    uint64_t pv, members;
    uint32_t gateway, rest_len, epoch_len;
};

static void buffer(struct roster_reading *reading, struct bytes epoch, const struct presence_event *event)
{
    if (reading->events.len + event->rest.len > BUFFERED_MAX) {
        reading->events_lost = true;
        return;
    }
    struct buffered head = {event->pv, event->members, event->gateway, (uint32_t)event->rest.len, (uint32_t)epoch.len};
    json_raw(&reading->events, (struct bytes){(const char *)&head, sizeof head});
    json_raw(&reading->events, epoch);
    json_raw(&reading->events, event->rest);
}

void roster_event(struct room *room, const struct envelope *envelope)
{
    struct roster *roster = &room->presence->roster;
    struct presence_event event;
    if (!presence_event_read(envelope, &event)) {
        counter_add(room->rooms->counters, COUNT_BUS_MALFORMED, 1);
        return;
    }
    if (roster->state == ROSTER_READING)
        buffer(roster->reading, envelope->epoch, &event);
    else if (roster->state != ROSTER_NONE)
        take_event(room, envelope->epoch, &event);
}

static void replay_buffered(struct room *room, struct bytes events)
{
    for (size_t at = 0; at < events.len;) {
        struct buffered head;
        memcpy(&head, events.data + at, sizeof head);
        at += sizeof head;
        struct bytes epoch = {events.data + at, head.epoch_len};
        at += head.epoch_len;
        struct presence_event event = {
            .pv = head.pv, .gateway = head.gateway, .members = head.members, .rest = {events.data + at, head.rest_len}};
        at += head.rest_len;
        struct roster *roster = &room->presence->roster;
        if (roster->state == ROSTER_READING)
            buffer(roster->reading, epoch, &event);
        else if (bytes_equal(epoch, bytes_of(roster->epoch)) || roster->state == ROSTER_COUNTED)
            take_event(room, epoch, &event); /* else it is of an epoch before the reading */
    }
}

/* ---- reading */

static void on_position(void *ctx, uint64_t tag, const struct bus_position *position)
{
    struct roster *roster = &((struct room *)ctx)->presence->roster;
    if (tag != roster->serial || !roster->reading)
        return;
    roster->reading->pv = position->pv;
    size_t len = position->epoch.len < EPOCH_MAX ? position->epoch.len : EPOCH_MAX;
    if (len)
        memcpy(roster->reading->epoch, position->epoch.data, len);
    roster->reading->epoch[len] = '\0';
}

static void on_gateway(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members)
{
    struct roster *roster = &((struct room *)ctx)->presence->roster;
    if (tag == roster->serial && roster->reading)
        set_gateway(&roster->reading->gateways, gateway, members);
}

static void on_member(void *ctx, uint64_t tag, uint64_t member, struct bytes value)
{
    struct roster *roster = &((struct room *)ctx)->presence->roster;
    if (tag == roster->serial && roster->reading && acceptable(value))
        put(&roster->reading->by_id, member, value);
}

static bool has_gateway(const struct roster *roster, uint32_t gateway)
{
    const struct roster_gateway *at = roster->gateways;
    while (at && at->gateway != gateway)
        at = at->next;
    return at != NULL;
}

static bool lists_some_of(const struct roster *roster, uint32_t gateway)
{
    for (const struct roster_entry *at = roster->by_id; at; at = at->hh.next) {
        if (at->id >> 32 == gateway && !at->vanished_ms)
            return true;
    }
    return false;
}

/* Tells who has gone between the old list and the new one. Who may only be forgotten stays for a while: when nobody of
 * their gateway is there, or the server has gone back in time. */
static void tell_gone(struct room *room, struct roster_entry *before, bool went_back)
{
    struct roster *roster = &room->presence->roster;
    for (struct roster_entry *at = before; at; at = at->hh.next) {
        if (find(roster->by_id, at->id))
            continue;
        uint32_t gateway = (uint32_t)(at->id >> 32);
        bool forgotten = went_back || at->vanished_ms || !lists_some_of(roster, gateway);
        if (!forgotten && has_gateway(roster, gateway)) {
            tell_change(room, NOTICE_LEFT, at->id, BYTES("left"));
            continue;
        }
        put(&roster->by_id, at->id, (struct bytes){at->value, at->len});
        find(roster->by_id, at->id)->vanished_ms = at->vanished_ms ? at->vanished_ms : now_ms(room);
        roster->vanished++;
        room_attend(room);
    }
}

static void tell_come(struct room *room, struct roster_entry *before)
{
    for (struct roster_entry *at = room->presence->roster.by_id; at; at = at->hh.next) {
        struct roster_entry *old = find(before, at->id);
        struct bytes value = {at->value, at->len};
        if (!old)
            tell_change(room, NOTICE_JOINED, at->id, value);
        else if (!bytes_equal((struct bytes){old->value, old->len}, value))
            tell_change(room, NOTICE_UPDATED, at->id, value);
    }
}

static void take_reading(struct room *room)
{
    struct roster *roster = &room->presence->roster;
    struct roster_reading *reading = roster->reading;
    bool counted = roster->counted;
    bool went_back = strcmp(roster->epoch, reading->epoch) != 0 || reading->pv < roster->pv;
    struct roster_entry *before = roster->by_id;
    clear_gateways(&roster->gateways);
    roster->reading = NULL;
    roster->by_id = reading->by_id;
    roster->gateways = reading->gateways;
    roster->pv = reading->pv;
    memcpy(roster->epoch, reading->epoch, sizeof roster->epoch);
    roster->state = ROSTER_LISTED;
    roster->counted = false;
    roster->vanished = 0;
    presence_correct(room);
    if (too_many(room)) {
        become_counted(room);
    } else if (counted) {
        tell_all(room);
    } else {
        tell_gone(room, before, went_back);
        tell_come(room, before);
    }
    clear_entries(&before);
    replay_buffered(room, json_text_bytes(&reading->events));
    json_text_free(&reading->events);
    if (reading->events_lost)
        roster_read(room);
    free(reading);
    room_admit(room);
}

static void on_read_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    struct roster *roster = &room->presence->roster;
    room->pending--;
    if (tag != roster->serial || !roster->reading)
        return;
    if (result == BUS_OK) {
        take_reading(room);
        return;
    }
    roster->again_ms = now_ms(room) + AGAIN_MS;
    room_attend(room);
}

void roster_read(struct room *room)
{
    static const struct bus_ask_events events = {
        .on_end = on_read_end, .on_position = on_position, .on_gateway = on_gateway, .on_member = on_member};
    struct roster *roster = &room->presence->roster;
    struct json_text kept = {0};
    bool lost = false;
    if (roster->reading) { /* anew, with the events that came so far: those that are too old will be dropped */
        kept = roster->reading->events;
        lost = roster->reading->events_lost;
        roster->reading->events = (struct json_text){0};
    }
    free_reading(roster);
    roster->reading = xcalloc(1, sizeof *roster->reading);
    roster->reading->events = kept;
    roster->reading->events_lost = lost;
    roster->counted = roster->counted || roster->state == ROSTER_COUNTED;
    roster->state = ROSTER_READING;
    roster->again_ms = roster->suspect = 0;
    room->pending++;
    bus_members(room->rooms->bus, room_name(room), &(struct bus_ask){&events, room, ++roster->serial});
}

void roster_seen_version(struct room *room, uint64_t pv)
{
    struct roster *roster = &room->presence->roster;
    if (roster->state != ROSTER_LISTED || pv == roster->pv)
        return;
    if (pv < roster->pv) {
        roster_read(room);
        return;
    }
    roster->suspect = pv;
    roster->suspect_ms = now_ms(room);
    room_attend(room);
}

/* ---- counting */

static void on_count_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    struct roster *roster = &room->presence->roster;
    room->pending--;
    struct roster_reading *reading = roster->reading;
    if (tag != roster->serial || roster->state != ROSTER_COUNTED || !reading)
        return; /* it was forgotten, or read, since */
    roster->counting = false;
    if (result == BUS_OK) {
        clear_gateways(&roster->gateways);
        roster->gateways = reading->gateways;
        reading->gateways = NULL;
    }
    free_reading(roster);
    tell_count(room);
    if (presence_total(room) <= ROSTER_LISTED_AGAIN)
        roster_read(room);
}

static void count(struct room *room)
{
    static const struct bus_ask_events events = {.on_end = on_count_end, .on_gateway = on_gateway};
    struct roster *roster = &room->presence->roster;
    roster->counting = true;
    free_reading(roster);
    roster->reading = xcalloc(1, sizeof *roster->reading);
    room->pending++;
    bus_counts(room->rooms->bus, room_name(room), &(struct bus_ask){&events, room, ++roster->serial});
}

/* Lets go of those whose gateway has not told of them again. */
static void sweep_vanished(struct room *room, uint64_t now)
{
    struct roster *roster = &room->presence->roster;
    struct roster_entry *at, *next;
    roster->vanished = 0;
    HASH_ITER(hh, roster->by_id, at, next)
    {
        if (!at->vanished_ms)
            continue;
        if (now - at->vanished_ms < VANISHED_MS) {
            roster->vanished++;
            continue;
        }
        uint64_t id = at->id;
        take_out(&roster->by_id, at);
        tell_change(room, NOTICE_LEFT, id, BYTES("lost"));
    }
}

bool roster_sweep(struct room *room, uint64_t now)
{
    struct roster *roster = &room->presence->roster;
    if (roster->state == ROSTER_LISTED && roster->vanished)
        sweep_vanished(room, now);
    if (roster->state == ROSTER_READING && roster->again_ms && now >= roster->again_ms)
        roster_read(room);
    if (roster->suspect && (roster->state != ROSTER_LISTED || roster->pv >= roster->suspect))
        roster->suspect = 0;
    if (roster->suspect && now - roster->suspect_ms > SUSPECT_MS)
        roster_read(room);
    if (roster->state == ROSTER_LISTED && roster->recount && now - roster->counted_ms >= COUNT_EVERY_MS) {
        roster->counted_ms = now;
        roster->recount = false;
        tell_count(room);
    }
    if (roster->state == ROSTER_COUNTED && !roster->counting && now - roster->counted_ms >= COUNT_EVERY_MS) {
        roster->counted_ms = now;
        count(room);
    }
    return roster->again_ms || roster->suspect || roster->vanished || roster->recount ||
           roster->state == ROSTER_COUNTED;
}

/* ---- asking it */

uint64_t roster_elsewhere(const struct room *room)
{
    uint64_t members = 0;
    for (const struct roster_gateway *at = room->presence->roster.gateways; at; at = at->next) {
        if (at->gateway != room->rooms->bus->gateway)
            members += at->members;
    }
    return members;
}

void roster_each(const struct roster *roster, void (*each)(struct room *room, uint64_t member), struct room *room)
{
    for (const struct roster_entry *at = roster->by_id; at; at = at->hh.next)
        each(room, at->id);
}

bool roster_has(const struct roster *roster, uint64_t member)
{
    return find(roster->by_id, member) != NULL;
}

void roster_write_entry(struct json_text *text, uint64_t member, struct bytes value)
{
    json_literal(text, "{\"member\":");
    json_member(text, member);
    size_t at = 1; /* behind the brace */
    while (at < value.len && (value.data[at] == ' ' || value.data[at] == '\n' || value.data[at] == '\t'))
        at++;
    if (value.data[at] != '}')
        json_literal(text, ",");
    json_raw(text, (struct bytes){value.data + at, value.len - at});
}

uint32_t roster_write(const struct roster *roster, struct json_text *text)
{
    uint32_t count_written = 0;
    for (const struct roster_entry *at = roster->by_id; at; at = at->hh.next) {
        if (count_written++)
            json_literal(text, ",");
        roster_write_entry(text, at->id, (struct bytes){at->value, at->len});
    }
    return count_written;
}
