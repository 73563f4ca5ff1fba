/* relay.h -- the plainest protocol there is: what a client sends goes verbatim to every other member of its room.
 *
 * For `new WebSocket('ws://localhost:8000')` and its like. Text and binary frames; nothing is added and nothing
 * answered. A publish that the bus could not take closes the publisher with 1013: it has no other way to learn of it.
 */
#ifndef PLENUM_GATEWAY_PROTOCOL_RELAY_H
#define PLENUM_GATEWAY_PROTOCOL_RELAY_H

#include "deflate.h"
#include "protocol.h"

/* A relay encoding, with what it compresses with. */
struct relay_encoding {
    struct encoding base;
    struct deflater *deflater; /* NULL: plain */
};

struct relay {
    struct protocol protocol; /* first: sessions point here */
    struct rooms *rooms;
    struct relay_encoding plain, deflated;
};

/* What the rooms are given for plain members. */
extern const struct member_events relay_member_events;

/* rooms and deflater are borrowed for the relay's life. */
void relay_init(struct relay *relay, const struct session_host *host, struct rooms *rooms, struct deflater *deflater);

#endif
