/* publishes.c -- see publishes.h. */
#include "publishes.h"

#include <stdlib.h>

#include "../../common/ablation.h"
#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "room_parts.h"

enum { OWN_COPY_MS = 1000 }; /* that a message may take from the bus's answer to here */

static uint64_t hash_key(const struct room *room, struct bytes key)
{
    if (!key.len)
        return 0;
    uint64_t hash = siphash13(room->rooms->hash_key, key.data, key.len);
    return hash ? hash : 1;
}

/* ---- the list */

static void list_add(struct room *room, struct publish *publish)
{
    publish->listed = true;
    if (!room->publishing)
        room->publishing_end = &room->publishing;
    *room->publishing_end = publish;
    room->publishing_end = &publish->next;
}

/* Takes the one that *at points to off the list, and frees it unless its ticket is still on its way. */
static void list_remove(struct room *room, struct publish **at)
{
    struct publish *publish = *at;
    *at = publish->next;
    if (!publish->next)
        room->publishing_end = at;
    publish->next = NULL;
    publish->listed = false;
    room->duplicates -= publish->duplicate;
    if (publish->answered)
        free(publish);
}

void publish_done(struct publish *publish)
{
    struct room *room = publish->room;
    struct publish **at = &room->publishing;
    while (*at != publish) /* own copies come in the order of publishing: it is the first, or nearly */
        at = &(*at)->next;
    list_remove(room, at);
}

/* ---- acks out of the order */

static bool is_in_log(const struct room *room, const struct publish *publish)
{
    return room->follow.state != FOLLOW_OFF && publish->seq != 0;
}

static bool is_of(const struct room *room, const struct publish *publish, const char *epoch)
{
    return epoch[0] && publish->epoch == hash_key(room, bytes_of(epoch));
}

/* True when the member has been sent everything up to the message's number. A number of an epoch that the room has not
 * come to yet says nothing. */
static bool passed(const struct room *room, const struct publish *publish, struct member *member)
{
    const struct follow *follow = &room->follow;
    if (!is_in_log(room, publish))
        return publish->duplicate || !room->channel->confirmed;
    if (member->state == MEMBER_CATCHING) {
        const struct participant *behind = participant_of(member);
        return is_of(room, publish, behind->epoch) && publish->seq <= behind->cursor;
    }
    if (is_of(room, publish, follow->epoch))
        return publish->seq <= follow->seq;
    return is_of(room, publish, follow->prev) && publish->seq <= follow->prevtop;
}

/* One that was matched and is still here was so while its member was behind, and was not met by it: it lay in a gap. */
static bool is_due(const struct room *room, const struct publish *publish, struct member *member)
{
    if (publish->matched)
        return member->state == MEMBER_IN;
    return passed(room, publish, member);
}

static struct member *member_of(const struct publish *publish)
{
    return directory_find(&publish->room->rooms->directory, publish->member, publish->room);
}

static void send_ack(const struct publish *publish, struct member *member)
{
    struct room *room = publish->room;
    uint8_t frame[ACK_MAX];
    size_t len = room->rooms->events[member->kind]->write_ack(publish->request, publish->seq, frame);
    room_send(room, member, (struct bytes){(const char *)frame, len});
}

void publishes_settle(struct room *room)
{
    for (struct publish **at = &room->publishing; *at;) {
        struct publish *publish = *at;
        struct member *member = publish->answered || publish->matched ? member_of(publish) : NULL;
        if (!member || !is_due(room, publish, member)) {
            at = &publish->next;
            continue;
        }
        send_ack(publish, member);
        list_remove(room, at);
    }
}

void publishes_lost(struct room *room)
{
    if (room->follow.state == FOLLOW_OFF && room->publishing)
        publishes_settle(room);
}

/* The first that was answered in an epoch that is neither the room's nor the one before it, or that went with that
 * one's tail. */
static struct publish *find_elsewhere(const struct room *room)
{
    const struct follow *follow = &room->follow;
    for (struct publish *publish = room->publishing; publish; publish = publish->next) {
        if (!publish->answered || publish->matched || !is_in_log(room, publish) || is_of(room, publish, follow->epoch))
            continue;
        if (!is_of(room, publish, follow->prev) || publish->seq > follow->prevtop)
            return publish;
    }
    return NULL;
}

/* The log was located after the answer: so that epoch is gone, and nothing of it will come. */
static void fail_if_lost(struct room *room, struct publish *publish)
{
    if ((int32_t)(publish->answered_serial - room->follow.settled_serial) >= 0) {
        follow_check(room);
        return;
    }
    struct member *member = member_of(publish);
    uint64_t request = publish->request;
    publish_done(publish);
    if (member)
        room->rooms->events[member->kind]->on_publish_failed(room->rooms->ctx, member, request, BUS_UNCERTAIN);
}

/* Its copy should have come: it is not here yet, and its number is not passed. */
static bool lacks_its_copy(const struct room *room, const struct publish *publish)
{
    if (!publish->answered || publish->matched)
        return false;
    return !is_in_log(room, publish) || (is_of(room, publish, room->follow.epoch) && publish->seq > room->follow.seq);
}

static bool is_overdue(const struct room *room, uint64_t now_ms)
{
    const struct publish *publish = room->publishing;
    while (publish && !lacks_its_copy(room, publish))
        publish = publish->next;
    if (!publish)
        return false;
    uint64_t heard_ms = room->follow.heard_ms;
    uint64_t since = publish->answered_ms > heard_ms ? publish->answered_ms : heard_ms;
    return now_ms > since && now_ms - since > OWN_COPY_MS;
}

void publishes_sweep(struct room *room, uint64_t now_ms)
{
    const struct follow *follow = &room->follow;
    bool listening = room->channel->confirmed && (follow->state == FOLLOW_LIVE || follow->state == FOLLOW_OFF);
    if (!listening)
        return;
    struct publish *elsewhere = find_elsewhere(room);
    if (elsewhere)
        fail_if_lost(room, elsewhere);
    else if (is_overdue(room, now_ms) && !bus_behind(room->rooms->bus))
        bus_deaf(room->rooms->bus);
}

void publishes_abandon(struct room *room, struct member *member)
{
    const struct member_events *events = room->rooms->events[member->kind];
    for (struct publish **at = &room->publishing; *at;) {
        struct publish *publish = *at;
        uint64_t request = publish->request;
        if (publish->member != member->target.id) {
            at = &publish->next;
            continue;
        }
        list_remove(room, at);
        events->on_publish_failed(room->rooms->ctx, member, request, BUS_UNCERTAIN);
    }
}

void publishes_forget(struct room *room, uint64_t member)
{
    for (struct publish **at = &room->publishing; *at;) {
        if ((*at)->member == member)
            list_remove(room, at);
        else
            at = &(*at)->next;
    }
}

/* ---- the own copy */

struct publish *publishes_match(struct room *room, const struct envelope *envelope)
{
    uint64_t key_hash = hash_key(room, envelope->key);
    for (struct publish *publish = room->publishing; publish; publish = publish->next) {
        if (publish->member != envelope->member || publish->matched || publish->duplicate)
            continue;
        if (publish->key_hash != key_hash && room->follow.state != FOLLOW_OFF)
            continue; /* a duplicate that is not known as one yet */
        if (publish->time_ms != envelope->time_ms)
            continue; /* the copy of one that had failed */
        publish->matched = publish->ticket.came = true;
        publish->seq = envelope->seq;
        publish->epoch = hash_key(room, envelope->epoch);
        return publish;
    }
    return NULL;
}

struct publish *publishes_within(const struct room *room, uint64_t member, uint64_t from, uint64_t to)
{
    struct publish *first = NULL;
    for (struct publish *publish = room->publishing; publish; publish = publish->next) {
        if ((member && publish->member != member) || publish->duplicate || !(publish->answered || publish->matched))
            continue;
        if (publish->seq < from || publish->seq > to || (first && publish->seq >= first->seq))
            continue;
        if (is_of(room, publish, room->follow.epoch) || is_of(room, publish, room->follow.prev))
            first = publish;
    }
    return first;
}

struct publish *publishes_find(struct room *room, const struct envelope *envelope)
{
    uint64_t epoch = hash_key(room, envelope->epoch);
    struct publish *publish = room->publishing;
    while (publish && (publish->member != envelope->member || !publish->matched || publish->seq != envelope->seq ||
                       publish->epoch != epoch))
        publish = publish->next;
    return publish;
}

/* ---- the ticket's end */

static void end_ticket(struct publish *publish)
{
    publish->answered = true;
    publish->room->pending--;
    *publish->ticket_at = publish->ticket_next;
    if (publish->ticket_next)
        publish->ticket_next->ticket_at = publish->ticket_at;
}

void publishes_close(struct room *room)
{
    for (struct publish *publish = room->tickets, *next; publish; publish = next) {
        next = publish->ticket_next;
        publish->answered = true;
        room->pending--;
        if (!publish->listed)
            free(publish);
    }
    room->tickets = NULL;
    while (room->publishing)
        list_remove(room, &room->publishing);
}

static void on_published(void *ctx, struct ticket *ticket, struct bytes epoch, uint64_t seq, bool duplicate)
{
    (void)ctx;
    struct publish *publish = (struct publish *)ticket;
    struct room *room = publish->room;
    end_ticket(publish);
    publish->answered_ms = clock_ms(room->rooms->env->clock);
    publish->answered_serial = room->follow.serial;
    if (!publish->listed) {
        free(publish);
        return;
    }
    if (publish->matched)
        return; /* the member is behind: its ack comes when it gets there */
    publish->seq = seq;
    publish->epoch = hash_key(room, epoch);
    publish->duplicate = duplicate;
    room->duplicates += duplicate;
    struct member *member = member_of(publish);
    if (member && (passed(room, publish, member) || ablated("early-ack"))) {
        send_ack(publish, member);
        publish_done(publish);
        return;
    }
    room_attend(room);
}

static void on_failed(void *ctx, struct ticket *ticket, enum bus_failure failure)
{
    (void)ctx;
    struct publish *publish = (struct publish *)ticket;
    struct room *room = publish->room;
    struct member *member = publish->matched ? NULL : member_of(publish); /* matched: it was there after all */
    uint64_t request = publish->request;
    end_ticket(publish);
    if (!publish->listed)
        free(publish);
    else if (!publish->matched)
        publish_done(publish);
    if (member)
        room->rooms->events[member->kind]->on_publish_failed(room->rooms->ctx, member, request, failure);
}

struct publish *publish_new(struct room *room, const struct member *member, const struct saying *saying,
                            int64_t time_ms)
{
    struct publish *publish = xcalloc(1, sizeof *publish);
    publish->ticket = (struct ticket){.on_published = on_published, .on_failed = on_failed};
    publish->room = room;
    publish->member = member->target.id;
    publish->request = saying->request;
    publish->key_hash = hash_key(room, saying->key);
    publish->time_ms = time_ms;
    room->pending++;
    publish->ticket_next = room->tickets;
    publish->ticket_at = &room->tickets;
    if (room->tickets)
        room->tickets->ticket_at = &publish->ticket_next;
    room->tickets = publish;
    if (member->kind == MEMBER_PARTICIPANT)
        list_add(room, publish);
    return publish;
}
