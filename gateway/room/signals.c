/* signals.c -- see signals.h. */
#include "signals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "room_parts.h"

enum { MEMBER_DIGITS = 16, HEAD_MAX = ENVELOPE_HEADER_MAX + MEMBER_DIGITS + ROOM_NAME_MAX + 8 };

/* One that is on its way to another worker. */
struct signal {
    struct signal *next, **at; /* rooms->signals */
    struct rooms *rooms;
    struct room *room;
    uint64_t member, request;
};

static struct participant *receiver(struct rooms *rooms, uint64_t id, const struct room *room)
{
    struct member *member = room ? directory_find(&rooms->directory, id, room) : NULL;
    bool in = member && member->kind == MEMBER_PARTICIPANT && member->state >= MEMBER_CATCHING;
    return in ? participant_of(member) : NULL;
}

static void signaled(struct rooms *rooms, struct member *member, uint64_t request, enum bus_result result)
{
    rooms->events[MEMBER_PARTICIPANT]->on_signaled(rooms->ctx, member, request, result);
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct signal *signal = ctx;
    struct rooms *rooms = signal->rooms;
    struct member *member = directory_find(&rooms->directory, signal->member, signal->room);
    uint64_t request = signal->request;
    (void)tag;
    signal->room->pending--;
    *signal->at = signal->next;
    if (signal->next)
        signal->next->at = signal->at;
    free(signal);
    if (member)
        signaled(rooms, member, request, result);
}

static void send_away(struct rooms *rooms, struct participant *from, uint64_t to, struct bytes data, uint64_t request)
{
    if (rooms->pressure == BUS_REFUSING) {
        signaled(rooms, &from->member, request, BUS_LOST);
        return;
    }
    static const struct bus_ask_events events = {.on_end = on_end};
    struct room *room = from->member.room;
    struct signal *signal = xmalloc(sizeof *signal);
    *signal = (struct signal){rooms->signals, &rooms->signals, rooms, room, from->member.target.id, request};
    if (signal->next)
        signal->next->at = &signal->next;
    rooms->signals = signal;
    room->pending++;

    struct envelope envelope = {
        .kind = ENVELOPE_JSON, .member = from->member.target.id, .time_ms = clock_wall_ms(rooms->env->clock)};
    char *message = xmalloc(HEAD_MAX + data.len);
    size_t len = envelope_encode_header(message, &envelope);
    len += (size_t)snprintf(message + len, HEAD_MAX - len, "%016" PRIx64 " %.*s ", to, (int)room_name(room).len,
                            room_name(room).data);
    memcpy(message + len, data.data, data.len);
    bus_signal(rooms->bus, (uint32_t)(to >> 32), (struct bytes){message, len + data.len},
               &(struct bus_ask){&events, signal, 0});
    free(message);
}

void room_signal(struct rooms *rooms, struct participant *participant, uint64_t to, struct bytes data, uint64_t request)
{
    struct room *room = participant->member.room;
    if (to >> 32 == rooms->bus->gateway) {
        struct participant *there = receiver(rooms, to, room);
        if (there)
            rooms->events[MEMBER_PARTICIPANT]->on_signal(rooms->ctx, &there->member, participant->member.target.id,
                                                         data);
        signaled(rooms, &participant->member, request, there ? BUS_OK : BUS_NOBODY);
        return;
    }
    const struct presence *presence = room->presence;
    if (presence && presence->roster.state == ROSTER_LISTED && !roster_has(&presence->roster, to)) {
        signaled(rooms, &participant->member, request, BUS_NOBODY);
        return;
    }
    if (presence)
        presence_flush_room(room); /* whoever answers this has heard of its sender before */
    send_away(rooms, participant, to, data, request);
}

static bool split(struct bytes payload, uint64_t *to, struct bytes *name, struct bytes *data)
{
    if (payload.len < MEMBER_DIGITS + 3 || payload.data[MEMBER_DIGITS] != ' ')
        return false;
    char digits[MEMBER_DIGITS + 1] = {0};
    memcpy(digits, payload.data, MEMBER_DIGITS);
    char *end;
    *to = strtoull(digits, &end, 16);
    const char *at = payload.data + MEMBER_DIGITS + 1, *past = payload.data + payload.len;
    const char *space = memchr(at, ' ', (size_t)(past - at));
    if (*end || !space)
        return false;
    *name = (struct bytes){at, (size_t)(space - at)};
    *data = (struct bytes){space + 1, (size_t)(past - space - 1)};
    return true;
}

void signals_arrived(struct rooms *rooms, struct bytes message)
{
    struct envelope envelope;
    struct bytes name, data;
    uint64_t to;
    if (envelope_decode(message, &envelope) != ENVELOPE_OK || envelope.kind != ENVELOPE_JSON ||
        !split(envelope.payload, &to, &name, &data)) {
        counter_add(rooms->counters, COUNT_BUS_MALFORMED, 1);
        return;
    }
    struct participant *there = receiver(rooms, to, rooms_find(rooms, name));
    if (there)
        rooms->events[MEMBER_PARTICIPANT]->on_signal(rooms->ctx, &there->member, envelope.member, data);
}

void signals_abandon(struct rooms *rooms, struct member *member)
{
    for (struct signal *signal = rooms->signals; signal; signal = signal->next) {
        if (signal->member != member->target.id || signal->room != member->room)
            continue;
        signal->member = 0; /* nobody's: its end will come */
        signaled(rooms, member, signal->request, BUS_LOST);
    }
}

void signals_close(struct rooms *rooms)
{
    while (rooms->signals) {
        struct signal *signal = rooms->signals;
        rooms->signals = signal->next;
        free(signal);
    }
}
