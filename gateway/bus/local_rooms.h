/* local_rooms.h -- the rooms that the local bus knows, and how long it knows them.
 *
 * A room is kept while somebody listens, is a member, or has said something that its log still holds; and after that
 * for 24 hours as a small record (epoch, number, presence version, state), so that its numbers go on, unless 100,000
 * others have fallen asleep since. What outlives itself in a log is found on the way (local_rooms_find) or by a wheel
 * of 64 slots, one a second, that shows each log once a minute or when it is due: it costs a publish nothing, and the
 * memory of 50,000 rooms that spoke once is given back.
 * Owned by: local_hub, which embeds it. Thread: any, under the hub's lock. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_ROOMS_H
#define PLENUM_GATEWAY_BUS_LOCAL_ROOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "local_hash.h"
#include "local_log.h"
#include "uthash.h"

enum {
    ROOMS_WHEEL_SLOTS = 64, /* seconds */
    ROOMS_ASLEEP_MAX = 100000,
    ROOMS_ASLEEP_MS = 24 * 3600 * 1000
};

struct local_channel;
struct local_presence;

struct local_room {
    UT_hash_handle hh;
    struct local_channel **channels; /* who listens: count of cap */
    uint32_t count, cap;
    struct local_log log;
    uint64_t pv;                                  /* presence version */
    struct local_presence *presence;              /* of each worker that has members here */
    struct local_hash state;                      /* BUS_STATE */
    struct local_room *due_next, **due_at;        /* in a slot of the wheel; due_at NULL: in none */
    struct local_room *asleep_next, *asleep_prev; /* among the sleeping, the oldest first */
    uint64_t asleep_ms;                           /* since when; 0: it is awake */
    char name[];                                  /* of hh.keylen bytes */
};

struct local_rooms {
    struct local_room *table;
    uint64_t hash_key[2]; /* names, keys and fields come from strangers */
    uint64_t now_ms;      /* never goes back; told under the lock */
    struct local_room *wheel[ROOMS_WHEEL_SLOTS];
    uint64_t wheel_s; /* the second whose slot was looked at last */
    size_t log_bytes; /* of all logs */
    struct local_room *asleep_first, *asleep_last;
    size_t asleep;
};

void local_rooms_init(struct local_rooms *rooms);
/* Forgets everything; nobody listens or is a member any more. */
void local_rooms_close(struct local_rooms *rooms);

/* What time it is, by a worker's clock. */
void local_rooms_tell_time(struct local_rooms *rooms, uint64_t now_ms);

/* The room of that name, NULL when it is not known. Its log holds nothing that has outlived itself. */
struct local_room *local_rooms_find(struct local_rooms *rooms, struct bytes name);
/* The same, made when it is not known: local_rooms_settle follows. */
struct local_room *local_rooms_get(struct local_rooms *rooms, struct bytes name);

/* After anything that may have made the room used or unused: wakes it, lays it to sleep, or frees it. */
void local_rooms_settle(struct local_rooms *rooms, struct local_room *room);

/* Looks again at what may have outlived itself, at most about budget rooms of it. False: there is more. */
bool local_rooms_sweep(struct local_rooms *rooms, size_t budget) __attribute__((warn_unused_result));

static inline struct bytes local_room_name(const struct local_room *room)
{
    return (struct bytes){room->name, room->hh.keylen};
}

#endif
