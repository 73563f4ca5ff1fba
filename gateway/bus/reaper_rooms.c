/* reaper_rooms.c -- see reaper_rooms.h. */
#include "reaper_rooms.h"

#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"

_Static_assert(ROOM_NAME_MAX <= 255, "a name's length is one byte");

void reaper_rooms_clear(struct reaper_rooms *rooms)
{
    free(rooms->names);
    *rooms = (struct reaper_rooms){0};
}

void reaper_rooms_add(struct reaper_rooms *rooms, struct bytes room)
{
    if (rooms->len + 1 + room.len > rooms->cap) {
        rooms->cap = rooms->cap ? rooms->cap * 2 : (size_t)HANDFUL * (1 + ROOM_NAME_MAX);
        rooms->names = xrealloc(rooms->names, rooms->cap);
    }
    rooms->names[rooms->len] = (char)(unsigned char)room.len;
    memcpy(rooms->names + rooms->len + 1, room.data, room.len);
    rooms->len += 1 + room.len;
}

struct bytes reaper_rooms_at(const struct reaper_rooms *rooms, size_t *place)
{
    struct bytes room = {rooms->names + *place + 1, (unsigned char)rooms->names[*place]};
    *place += 1 + room.len;
    return room;
}

bool reaper_rooms_take(struct reaper_rooms *rooms)
{
    rooms->begin = rooms->end;
    for (int i = 0; i < HANDFUL && rooms->end < rooms->len; i++)
        (void)reaper_rooms_at(rooms, &rooms->end);
    return rooms->end > rooms->begin;
}
