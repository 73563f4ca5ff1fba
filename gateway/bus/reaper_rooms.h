/* reaper_rooms.h -- names of rooms in line, of which a handful at the front is being worked on.
 *
 * Each name is a byte of length and its bytes, in one growing piece of memory: a dead gateway may have had a hundred
 * thousand. Owned by: redis_reaper. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REAPER_ROOMS_H
#define PLENUM_GATEWAY_BUS_REAPER_ROOMS_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/bytes.h"

enum { HANDFUL = 64 };

/* All zero is empty. */
struct reaper_rooms {
    char *names;
    size_t len, cap;
    size_t begin, end; /* of the handful */
};

void reaper_rooms_clear(struct reaper_rooms *rooms);
void reaper_rooms_add(struct reaper_rooms *rooms, struct bytes room); /* a valid room name */

/* The next handful, behind the last one; false when there is none. */
bool reaper_rooms_take(struct reaper_rooms *rooms);

/* The room at a place of the handful (from begin, while below end); the place goes on to the next. */
struct bytes reaper_rooms_at(const struct reaper_rooms *rooms, size_t *place);

/* The handful is the last one. */
static inline bool reaper_rooms_last(const struct reaper_rooms *rooms)
{
    return rooms->end == rooms->len;
}

#endif
