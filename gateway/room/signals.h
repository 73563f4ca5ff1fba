/* signals.h -- messages to one member, wherever it is.
 *
 * On the bus: an envelope of kind 'd' with the payload "<member> <room> <JSON>", to the worker that has the member.
 * Owned by: rooms. */
#ifndef PLENUM_GATEWAY_ROOM_SIGNALS_H
#define PLENUM_GATEWAY_ROOM_SIGNALS_H

#include "../../common/bytes.h"

struct member;
struct rooms;

/* One from another worker. */
void signals_arrived(struct rooms *rooms, struct bytes message);
/* The member is about to leave: what it has sent and is on its way is told as lost, and nothing of it later. */
void signals_abandon(struct rooms *rooms, struct member *member);
/* Nothing is told any more of those that are on their way. */
void signals_close(struct rooms *rooms);

#endif
