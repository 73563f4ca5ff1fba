/* from_bus.c -- what the bus tells, on its way to the room that it concerns; see room.h. */
#include "room_parts.h"
#include "signals.h"

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
    room->follow.heard = true;
    room_note_active(room);
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
