/* plenum.h -- plenum.v1: any number of rooms on one connection, in JSON; the protocol is in plenum.md.
 *
 * A request is read (plenum_request.h), carried out through the rooms and answered; what the rooms tell is turned into
 * frames. Messages never come by here: the audiences encode them (plenum_encoding.h).
 * Files: plenum.c (connections), plenum_rooms.c (what a client does in rooms, and what they tell it), plenum_history.c.
 * Owned by: worker. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_PROTOCOL_PLENUM_H
#define PLENUM_GATEWAY_PROTOCOL_PLENUM_H

#include "plenum_encoding.h"
#include "protocol.h"

struct plenum_limits {
    uint32_t message; /* bytes of data */
    uint32_t rooms;   /* of a connection */
    uint32_t ping_ms;
};

struct plenum {
    struct protocol protocol; /* first */
    struct rooms *rooms;
    const struct env *env;
    struct counters *counters;
    struct plenum_limits limits;
    struct plenum_encoding plain, deflated;
    struct plenum_client *clients;
    struct plenum_history *histories; /* being read */
    uint64_t drain_end_ms;            /* 0: it does not drain */
};

/* What the rooms are given for participants. */
extern const struct member_events plenum_member_events;

void plenum_init(struct plenum *plenum, const struct session_host *host, struct rooms *rooms, struct deflater *deflater,
                 const struct plenum_limits *limits);
/* No client is left, and the bus is closed. */
void plenum_close(struct plenum *plenum);

/* Tells every client, and those that say hello from now on, that the gateway goes within that time. */
void plenum_drain(struct plenum *plenum, uint32_t after_ms);

#endif
