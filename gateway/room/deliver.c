/* deliver.c -- a room's messages and notices on their way to its members; see room_parts.h. */
#include <stdlib.h>

#include "../delivery/block.h"
#include "room_parts.h"

/* ---- for one */

static void send_block(struct room *room, struct outlet *outlet, struct block *block)
{
    flush_send(room->rooms->flush, outlet, block);
    block_unref(block);
}

void room_send(struct room *room, struct member *member, struct bytes frames)
{
    struct rooms *rooms = room->rooms;
    if (member->state == MEMBER_IN && audience_aside(&member->target, frames)) {
        flush_queue(rooms->flush, member->target.audience);
        return;
    }
    if (member->state == MEMBER_CATCHING)
        catchup_send(room, participant_of(member));
    struct block *block = block_new(rooms->counters, frames.len);
    memcpy(block->data, frames.data, frames.len);
    block->len = (uint32_t)frames.len;
    send_block(room, member->target.outlet, block);
}

void room_send_message(struct room *room, struct participant *participant, const struct envelope *envelope)
{
    const struct encoding *encoding = participant->member.target.audience->encoding;
    size_t bound = encoding->bound(encoding, envelope);
    if (bound == 0)
        return;
    struct block *block = block_new(room->rooms->counters, bound);
    block->len = (uint32_t)encoding->encode(encoding, envelope, block->data);
    counter_add(room->rooms->counters, COUNT_DELIVERIES, 1);
    send_block(room, participant->member.target.outlet, block);
}

void room_send_notice(struct room *room, struct participant *participant, struct notice *notice)
{
    const struct encoding *encoding = participant->member.target.audience->encoding;
    notice->room = room_name(room);
    size_t bound = encoding->notice_bound ? encoding->notice_bound(encoding, notice) : 0;
    if (bound == 0)
        return;
    struct block *block = block_new(room->rooms->counters, bound);
    block->len = (uint32_t)encoding->notice_encode(encoding, notice, block->data);
    send_block(room, participant->member.target.outlet, block);
}

/* ---- for all */

static void put_notice(const struct encoding *encoding, const struct notice *notice, struct block **block)
{
    *block = block_reserve(*block, encoding->notice_bound(encoding, notice));
    (*block)->len += (uint32_t)encoding->notice_encode(encoding, notice, (*block)->data + (*block)->len);
}

/* The gap as one member gets it who has said some of what is missing: in pieces, with its acks between them. */
static struct block *write_gap_around(struct room *room, struct member *member, struct notice gap)
{
    const struct encoding *encoding = member->target.audience->encoding;
    const uint64_t to = gap.to;
    struct block *block = block_new(room->rooms->counters, ACK_MAX);
    struct publish *own;
    while ((own = publishes_within(room, member->target.id, gap.from, to)) != NULL) {
        gap.to = own->seq - 1;
        if (gap.from <= gap.to)
            put_notice(encoding, &gap, &block);
        gap.from = own->seq + 1;
        block = block_reserve(block, ACK_MAX);
        size_t len = room->rooms->events[member->kind]->write_ack(own->request, own->seq, block->data + block->len);
        block->len += (uint32_t)len;
        publish_done(own);
    }
    gap.to = to;
    if (gap.from <= gap.to)
        put_notice(encoding, &gap, &block);
    return block;
}

/* The gap stands in the open batches, from there on, and those who have said some of what is missing get it otherwise.
 */
static void tell_gap_around(struct room *room, struct audience *audience, const struct notice *gap, uint32_t place)
{
    uint64_t from = gap->from;
    struct publish *own;
    while ((own = publishes_within(room, 0, from, gap->to)) != NULL) {
        struct member *member = directory_find(&room->rooms->directory, own->member, room);
        from = own->seq + 1;
        if (!member || member->state != MEMBER_IN || member->target.audience != audience)
            continue;
        struct block *block = write_gap_around(room, member, *gap);
        struct bytes frames = {(const char *)block->data, block->len};
        audience_instead(audience, member->target.id, place, frames);
        block_unref(block);
    }
}

void room_notify(struct room *room, struct notice *notice, uint64_t except)
{
    notice->room = room_name(room);
    for (struct audience *audience = room->audiences; audience; audience = audience->next) {
        uint32_t place = audience_place(audience);
        if (!audience->count || !audience_notice(audience, notice, except))
            continue;
        if (notice->kind == NOTICE_GAP)
            tell_gap_around(room, audience, notice, place);
        flush_queue(room->rooms->flush, audience);
    }
    if (notice->kind == NOTICE_GAP || notice->kind == NOTICE_EPOCH)
        return; /* those who are behind find out when they get there */
    for (struct participant *behind = room->catching; behind; behind = behind->catching_next) {
        if (behind->member.target.id != except)
            room_send_notice(room, behind, notice);
    }
}

/* What a message means to its sender: it does not come back to it, and its ack may be due. */
struct own_copy {
    const struct audience *audience; /* the sender's, NULL: it is not in here, or hears itself */
    uint64_t id;
    struct bytes ack;
    struct publish *publish;
};

static void find_own_copy(struct room *room, const struct envelope *envelope, struct own_copy *own,
                          uint8_t frame[ACK_MAX])
{
    struct rooms *rooms = room->rooms;
    *own = (struct own_copy){.audience = NULL};
    struct member *sender = directory_find(&rooms->directory, envelope->member, room);
    if (!sender)
        return;
    if (room->publishing && sender->kind == MEMBER_PARTICIPANT)
        own->publish = publishes_match(room, envelope);
    if (sender->state == MEMBER_IN && !sender->echo) {
        own->audience = sender->target.audience;
        own->id = envelope->member;
    }
    if (own->publish && sender->state == MEMBER_IN) {
        const struct publish *publish = own->publish;
        size_t len = rooms->events[sender->kind]->write_ack(publish->request, publish->seq, frame);
        own->ack = (struct bytes){(const char *)frame, len};
    }
}

static uint64_t append_to_all(struct room *room, const struct envelope *envelope, const struct own_copy *own)
{
    uint64_t receivers = 0;
    for (struct audience *audience = room->audiences; audience; audience = audience->next) {
        if (audience->count == 0)
            continue;
        bool theirs = own->audience == audience;
        struct bytes instead = theirs ? own->ack : (struct bytes){NULL, 0};
        if (!audience_append_instead(audience, envelope, theirs ? own->id : 0, instead))
            continue;
        receivers += audience->count - theirs;
        flush_queue(room->rooms->flush, audience);
    }
    return receivers;
}

void room_deliver(struct room *room, struct envelope *envelope)
{
    struct rooms *rooms = room->rooms;
    struct own_copy own = {.audience = NULL};
    uint8_t frame[ACK_MAX];
    envelope->room = room_name(room);
    bool timed = envelope->time_ms; /* an admin's plain text has no time: it is told with the one of its coming */
    if (!timed)
        envelope->time_ms = clock_wall_ms(rooms->env->clock);
    if (envelope->member >> 32 == rooms->bus->gateway)
        find_own_copy(room, envelope, &own, frame);
    uint64_t receivers = append_to_all(room, envelope, &own);
    if (own.publish && own.ack.len)
        publish_done(own.publish); /* else the sender is behind, and finds it when it gets there */
    if (envelope->seq == 0) {
        for (struct participant *behind = room->catching; behind; behind = behind->catching_next)
            room_send_message(room, behind, envelope); /* it is in no log */
    }
    if (timed && receivers)
        counter_latency(rooms->counters, clock_wall_ms(rooms->env->clock) - envelope->time_ms, receivers);
}
