/* local_rooms.c -- see local_rooms.h. */
#include "local_rooms.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/random.h"
#include "../../common/siphash.h"
#include "../../common/xalloc.h"

/* ---- the wheel ---- */

static void undue(struct local_room *room)
{
    if (!room->due_at)
        return;
    *room->due_at = room->due_next;
    if (room->due_next)
        room->due_next->due_at = room->due_at;
    room->due_next = NULL;
    room->due_at = NULL;
}

/* Puts the room where it is looked at when it is due, or earlier when that is more than a turn of the wheel away; never
 * into the slot that is being looked at. */
static void make_due(struct local_rooms *rooms, struct local_room *room, uint64_t due_ms)
{
    uint64_t second = due_ms / 1000 + 1; /* when it has passed */
    if (second <= rooms->wheel_s)
        second = rooms->wheel_s + 1;
    if (second >= rooms->wheel_s + ROOMS_WHEEL_SLOTS)
        second = rooms->wheel_s + ROOMS_WHEEL_SLOTS - 1;
    struct local_room **slot = &rooms->wheel[second % ROOMS_WHEEL_SLOTS];
    room->due_next = *slot;
    room->due_at = slot;
    if (*slot)
        (*slot)->due_at = &room->due_next;
    *slot = room;
}

/* ---- sleep ---- */

static void wake(struct local_rooms *rooms, struct local_room *room)
{
    if (!room->asleep_ms)
        return;
    *(room->asleep_prev ? &room->asleep_prev->asleep_next : &rooms->asleep_first) = room->asleep_next;
    *(room->asleep_next ? &room->asleep_next->asleep_prev : &rooms->asleep_last) = room->asleep_prev;
    room->asleep_prev = room->asleep_next = NULL;
    room->asleep_ms = 0;
    rooms->asleep--;
}

static void forget(struct local_rooms *rooms, struct local_room *room)
{
    wake(rooms, room);
    undue(room);
    HASH_DEL(rooms->table, room);
    local_log_close(&room->log);
    local_hash_clear(&room->state);
    free(room->channels);
    free(room);
}

static void lay_to_sleep(struct local_rooms *rooms, struct local_room *room)
{
    if (room->asleep_ms)
        return;
    free(room->channels);
    room->channels = NULL;
    room->cap = 0;
    room->asleep_ms = rooms->now_ms ? rooms->now_ms : 1;
    room->asleep_prev = rooms->asleep_last;
    *(rooms->asleep_last ? &rooms->asleep_last->asleep_next : &rooms->asleep_first) = room;
    rooms->asleep_last = room;
    if (++rooms->asleep > ROOMS_ASLEEP_MAX)
        forget(rooms, rooms->asleep_first);
}

/* ---- rooms ---- */

static unsigned hash_of(const struct local_rooms *rooms, struct bytes name)
{
    return (unsigned)siphash13(rooms->hash_key, name.data, name.len);
}

struct local_room *local_rooms_find(struct local_rooms *rooms, struct bytes name)
{
    struct local_room *room;
    HASH_FIND_BYHASHVALUE(hh, rooms->table, name.data, name.len, hash_of(rooms, name), room);
    if (room)
        (void)local_log_expire(&room->log, rooms->now_ms); /* the wheel comes by later all the same */
    return room;
}

struct local_room *local_rooms_get(struct local_rooms *rooms, struct bytes name)
{
    struct local_room *room = local_rooms_find(rooms, name);
    if (room)
        return room;
    room = xcalloc(1, sizeof *room + name.len);
    memcpy(room->name, name.data, name.len);
    room->log.total = &rooms->log_bytes;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, rooms->table, room->name, name.len, hash_of(rooms, name), room);
    return room;
}

void local_rooms_settle(struct local_rooms *rooms, struct local_room *room)
{
    const struct local_log *log = &room->log;
    if (!room->due_at && (log->count || log->keys))
        make_due(rooms, room, local_log_expire(&room->log, rooms->now_ms));
    if (room->count || log->count || log->keys || room->presence)
        wake(rooms, room);
    else if (log->epoch || room->state.fields)
        lay_to_sleep(rooms, room);
    else
        forget(rooms, room);
}

/* ---- time ---- */

void local_rooms_tell_time(struct local_rooms *rooms, uint64_t now_ms)
{
    if (now_ms <= rooms->now_ms)
        return;
    if (rooms->now_ms == 0)
        rooms->wheel_s = now_ms / 1000;
    rooms->now_ms = now_ms;
}

/* Looks at the room that its slot has shown. */
static void look(struct local_rooms *rooms, struct local_room *room)
{
    undue(room);
    uint64_t next_ms = local_log_expire(&room->log, rooms->now_ms);
    if (next_ms)
        make_due(rooms, room, next_ms);
    local_rooms_settle(rooms, room);
}

bool local_rooms_sweep(struct local_rooms *rooms, size_t budget)
{
    while (rooms->asleep_first && rooms->asleep_first->asleep_ms + ROOMS_ASLEEP_MS <= rooms->now_ms) {
        if (budget-- == 0)
            return false;
        forget(rooms, rooms->asleep_first);
    }
    uint64_t now_s = rooms->now_ms / 1000;
    if (now_s > rooms->wheel_s + ROOMS_WHEEL_SLOTS)
        rooms->wheel_s = now_s - ROOMS_WHEEL_SLOTS; /* nobody has looked for more than a turn: one turn shows all */
    for (;;) {
        struct local_room **slot = &rooms->wheel[rooms->wheel_s % ROOMS_WHEEL_SLOTS];
        while (*slot) {
            if (budget-- == 0)
                return false;
            look(rooms, *slot);
        }
        if (rooms->wheel_s >= now_s)
            return true;
        rooms->wheel_s++;
    }
}

/* ---- life ---- */

void local_rooms_init(struct local_rooms *rooms)
{
    *rooms = (struct local_rooms){0};
    rooms->hash_key[0] = random_u64(random_system());
    rooms->hash_key[1] = random_u64(random_system());
}

void local_rooms_close(struct local_rooms *rooms)
{
    while (rooms->table) {
        assert(!rooms->table->count && !rooms->table->presence);
        forget(rooms, rooms->table);
    }
}
