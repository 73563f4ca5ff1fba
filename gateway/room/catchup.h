/* catchup.h -- sends a participant what it has missed, until it meets the room.
 *
 * It is in no audience meanwhile, and has a cursor. What comes next for it is taken from the room's ring or, page by
 * page, from the log, as its outbox drains: a resuming client that reads slowly holds no more than that. It goes live
 * in the turn in which its cursor meets the room's position: what the turn has gathered so far it has had already, and
 * the audience leaves that out for it. Owned by: room. */
#ifndef PLENUM_GATEWAY_ROOM_CATCHUP_H
#define PLENUM_GATEWAY_ROOM_CATCHUP_H

#include "../bus/bus.h"

struct room;
struct participant;

/* Begins behind cursor, or goes live at once. */
void catchup_begin(struct room *room, struct participant *participant, uint64_t cursor);

/* Takes it off the list of those that are behind. */
void catchup_end(struct room *room, struct participant *participant);

/* Sends what its outbox has room for. */
void catchup_pump(struct room *room, struct participant *participant);

/* Sends what was gathered for it so far: before anything else is sent to it. */
void catchup_send(struct room *room, struct participant *participant);

/* The room has passed a message on; it has begun a new epoch after base (linked: it follows on the old one). */
void catchup_room_moved(struct room *room);
void catchup_room_renewed(struct room *room, bool linked);

#endif
