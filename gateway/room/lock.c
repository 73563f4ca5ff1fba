/* lock.c -- see lock.h. */
#include "lock.h"

#include "room_parts.h"

enum { FRESH_MS = 1000 }; /* those who come within a second share a look */

static uint64_t now_ms(const struct room *room)
{
    return clock_ms(room->rooms->env->clock);
}

static void on_field(void *ctx, uint64_t tag, struct bytes name, struct bytes value)
{
    struct room *room = ctx;
    (void)tag;
    if (bytes_equal(name, BYTES("lock")))
        room->lock_read = value.len && !bytes_equal(value, BYTES("0"));
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    (void)tag;
    room->pending--;
    room->lock_asked = false;
    if (result == BUS_LOST)
        return; /* the sweep asks again for those who wait */
    room->locked = result == BUS_OK && room->lock_read;
    room->lock_ms = now_ms(room);
    if (room->lock_changed) { /* what was read may be older than that */
        room->lock_changed = false;
        room->lock_ms = 0;
        lock_known(room);
        return;
    }
    room_admit(room);
}

bool lock_known(struct room *room)
{
    static const struct bus_ask_events events = {.on_end = on_end, .on_field = on_field};
    if (room->lock_ms && now_ms(room) - room->lock_ms < FRESH_MS)
        return true;
    if (room->lock_asked)
        return false;
    room->lock_asked = true;
    room->lock_read = false;
    room->pending++;
    bus_hash_read(room->rooms->bus, BUS_STATE, room_name(room), &(struct bus_ask){&events, room, 0});
    return false;
}

void rooms_state_changed(struct rooms *rooms, struct bytes name)
{
    struct room *room = rooms_find(rooms, name);
    if (!room)
        return;
    room->lock_ms = 0;
    room->lock_changed = room->lock_asked;
    lock_known(room);
}
