/* local_presence.c -- see local_presence.h. */
#include "local_presence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/envelope.h"
#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "local_table.h"

enum { EVENT_CHANGES_MAX = 256, EVENT_BYTES_MAX = 128 << 10 }; /* of one event, about */

struct local_member {
    UT_hash_handle hh;
    uint64_t member;
    size_t len;
    char value[];
};

/* A worker's members in a room; there is one while there are any. */
struct local_presence {
    struct local_room *room;
    struct local_post *post;
    struct local_presence *next; /* in the room; as many as workers at most */
    struct local_presence *post_next, **post_at;
    struct local_member *members; /* the listed ones */
    uint64_t unlisted;
    bool quiet; /* as last told */
};

/* An event of a worker's that is being written. */
struct event {
    struct local_presence *presence;
    bool quiet; /* it is counted, and told to nobody */
    char *lines;
    size_t len, cap;
    uint32_t changes; /* in lines */
};

/* ---- members ---- */

static uint64_t count_of(const struct local_presence *presence)
{
    return HASH_COUNT(presence->members) + presence->unlisted;
}

static struct local_member *find_member(const struct local_presence *presence, uint64_t member)
{
    struct local_member *found;
    HASH_FIND(hh, presence->members, &member, sizeof member, found);
    return found;
}

static void remove_member(struct local_presence *presence, struct local_member *member)
{
    HASH_DEL(presence->members, member);
    free(member);
}

/* Applies a change. Returns false when it is no news. */
static bool apply(struct local_presence *presence, const struct presence_change *change)
{
    struct local_member *member = find_member(presence, change->member);
    if (change->op == PRESENCE_LEAVE) {
        if (member)
            remove_member(presence, member);
        return member != NULL;
    }
    if (member && bytes_equal(change->value, (struct bytes){member->value, member->len}))
        return false;
    if (member)
        remove_member(presence, member);
    member = xcalloc(1, sizeof *member + change->value.len);
    member->member = change->member;
    member->len = change->value.len;
    if (member->len)
        memcpy(member->value, change->value.data, member->len);
    HASH_ADD(hh, presence->members, member, sizeof member->member, member);
    return true;
}

/* ---- a worker's presence in a room ---- */

static struct local_presence *find_presence(const struct local_room *room, const struct local_post *post)
{
    struct local_presence *presence = room->presence;
    while (presence && presence->post != post)
        presence = presence->next;
    return presence;
}

static struct local_presence *presence_new(struct local_room *room, struct local_post *post)
{
    struct local_presence *presence = xcalloc(1, sizeof *presence);
    presence->room = room;
    presence->post = post;
    presence->next = room->presence;
    room->presence = presence;
    presence->post_next = post->presence;
    presence->post_at = &post->presence;
    if (post->presence)
        post->presence->post_at = &presence->post_next;
    post->presence = presence;
    return presence;
}

/* Nobody is left. */
static void presence_free(struct local_presence *presence)
{
    struct local_presence **at = &presence->room->presence;
    while (*at != presence)
        at = &(*at)->next;
    *at = presence->next;
    *presence->post_at = presence->post_next;
    if (presence->post_next)
        presence->post_next->post_at = presence->post_at;
    free(presence);
}

/* ---- events ---- */

static struct event event_of(struct local_presence *presence, bool quiet)
{
    return (struct event){.presence = presence, .quiet = quiet};
}

static void add_line(struct event *event, const struct presence_change *change)
{
    if (event->quiet)
        return; /* nobody reads it */
    size_t len = change->value.len + 32;
    if (!event->lines || event->len + len > event->cap) {
        event->cap = (event->len + len) * 2;
        event->lines = xrealloc(event->lines, event->cap);
    }
    char *at = event->lines + event->len;
    int head = snprintf(at, event->cap - event->len, "%c %016" PRIx64 " ", (char)change->op, change->member);
    at += head;
    if (change->value.len)
        memcpy(at, change->value.data, change->value.len);
    at[change->value.len] = '\n';
    event->len += (size_t)head + change->value.len + 1;
    event->changes++;
}

/* Gives the event its version, and tells the room. */
static void event_tell(struct event *event)
{
    struct local_post *self = event->presence->post;
    struct local_room *room = event->presence->room;
    room->pv++;
    if (!event->quiet) {
        char epoch[EPOCH_DIGITS], from[GATEWAY_ID_DIGITS + 1], head[ENVELOPE_HEADER_MAX + 48];
        local_log_epoch_name(room->log.epoch, epoch);
        snprintf(from, sizeof from, "%08" PRIx32, self->base.gateway);
        struct envelope envelope = {.epoch = {epoch, sizeof epoch},
                                    .kind = ENVELOPE_PRESENCE,
                                    .from = bytes_of(from),
                                    .time_ms = clock_wall_ms(self->env->clock)};
        size_t len = envelope_encode_header(head, &envelope);
        len += (size_t)snprintf(head + len, sizeof head - len, "%" PRIu64 " %" PRIu64 "\n", room->pv,
                                count_of(event->presence));
        local_hub_tell(self->hub, self, room, (struct bytes){head, len}, (struct bytes){event->lines, event->len});
    }
    event->len = event->changes = 0;
}

static void event_add(struct event *event, const struct presence_change *change)
{
    add_line(event, change);
    if (event->changes == EVENT_CHANGES_MAX || event->len > EVENT_BYTES_MAX)
        event_tell(event);
}

/* ---- what the bus asks for ---- */

/* Applies the batch and tells what is news in it. */
static void apply_batch(struct event *event, const struct presence_batch *batch)
{
    struct local_presence *presence = event->presence;
    uint64_t before = count_of(presence);
    uint64_t pv = presence->room->pv;
    bool news = false;
    presence->unlisted = batch->unlisted;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (!apply(presence, &batch->changes[i]))
            continue;
        event_add(event, &batch->changes[i]);
        news = true;
    }
    bool told = presence->room->pv != pv && event->changes == 0;
    if (!told && (news || count_of(presence) != before))
        event_tell(event);
}

/* Under the lock. Returns false when the room cannot be told now: then it is to be said again. */
static bool tell_batch(struct local_post *self, struct local_room *room, const struct presence_batch *batch,
                       const struct bus_ask *ask)
{
    if (!batch->quiet && local_hub_full(self->hub, room))
        return false;
    local_log_fence(&room->log, self->env->random, batch->epoch, batch->seq);
    struct local_presence *presence = find_presence(room, self);
    bool known = presence != NULL;
    if (!known)
        presence = presence_new(room, self);
    presence->quiet = batch->quiet;
    struct event event = event_of(presence, batch->quiet);
    apply_batch(&event, batch);
    free(event.lines);
    if (count_of(presence) == 0)
        presence_free(presence);
    local_answers_position(&self->answers, ask, room, known);
    return true;
}

void local_presence_tell(struct bus *bus, const struct presence_batch *batch, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    struct local_room *room = local_rooms_get(&self->hub->rooms, batch->room);
    bool told = tell_batch(self, room, batch, ask);
    local_rooms_settle(&self->hub->rooms, room);
    local_ask_end(self, ask, told ? BUS_OK : BUS_LOST);
}

static void list_gateways(struct local_post *self, const struct local_room *room, const struct bus_ask *ask)
{
    for (const struct local_presence *presence = room ? room->presence : NULL; presence; presence = presence->next)
        local_answers_gateway(&self->answers, ask, presence->post->base.gateway, count_of(presence));
}

static void list_members(struct local_post *self, const struct local_presence *presence, const struct bus_ask *ask)
{
    for (const struct local_member *member = presence->members; member; member = member->hh.next)
        local_answers_member(&self->answers, ask, member->member, (struct bytes){member->value, member->len});
}

void local_presence_members(struct bus *bus, struct bytes name, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    const struct local_room *room = local_rooms_find(&self->hub->rooms, name);
    local_answers_position(&self->answers, ask, room, false);
    list_gateways(self, room, ask);
    for (const struct local_presence *presence = room ? room->presence : NULL; presence; presence = presence->next)
        list_members(self, presence, ask);
    local_ask_end(self, ask, BUS_OK);
}

void local_presence_counts(struct bus *bus, struct bytes name, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    list_gateways(self, local_rooms_find(&self->hub->rooms, name), ask);
    local_ask_end(self, ask, BUS_OK);
}

/* ---- the end of a worker ---- */

/* All members of one room leave. Whoever has a full inbox misses it, and sees by the version that it missed something.
 */
static void lose_room(struct local_presence *presence)
{
    struct local_room *room = presence->room;
    struct local_hub *hub = presence->post->hub;
    struct event event = event_of(presence, presence->quiet || local_hub_full(hub, room));
    uint64_t pv = room->pv;
    presence->unlisted = 0;
    while (presence->members) {
        struct presence_change change = {PRESENCE_LEAVE, presence->members->member, BYTES("lost")};
        remove_member(presence, presence->members);
        event_add(&event, &change);
    }
    if (event.changes || room->pv == pv)
        event_tell(&event);
    free(event.lines);
    presence_free(presence);
    local_rooms_settle(&hub->rooms, room);
}

void local_presence_lose(struct local_post *self)
{
    while (self->presence)
        lose_room(self->presence);
}
