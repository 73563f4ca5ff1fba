/* lock.h -- whether a room may be entered, as plenum:{room}:state says.
 *
 * The hash is the truth: read before anyone is let in, unless that was less than a second ago; a command hurries it.
 * Owned by: room. */
#ifndef PLENUM_GATEWAY_ROOM_LOCK_H
#define PLENUM_GATEWAY_ROOM_LOCK_H

#include <stdbool.h>

struct room;

/* True when room->locked may be believed; else it is being read, and room_admit follows. */
bool lock_known(struct room *room);

#endif
