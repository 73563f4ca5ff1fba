/* room.h -- who is in which room on this worker.
 *
 * A room joins the bus with its first local member and leaves it some seconds after its last. A member is "joining"
 * until the bus has confirmed the subscription, and "in" from then on: whoever was told that he is in hears everything
 * that is published after that moment. What the bus brings is decoded once and appended once to each audience.
 *
 * No sockets and no Redis in here. Owned by: worker. Called by: protocol, bus (by bus_events). */
#ifndef PLENUM_GATEWAY_ROOM_ROOM_H
#define PLENUM_GATEWAY_ROOM_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/env.h"
#include "../bus/bus.h"
#include "../delivery/flush.h"
#include "directory.h"

enum member_state { MEMBER_OUT, MEMBER_JOINING, MEMBER_IN };

/* A connection's presence in a room. The first one is embedded in the connection. */
struct member {
    struct target target; /* while joining, target.index is the place in room->waiting */
    struct room *room;    /* NULL: MEMBER_OUT */
    uint8_t state;        /* enum member_state */
    bool echo;            /* also gets what it sends */
};

struct member_events {
    void (*on_in)(void *ctx, struct member *member); /* the join that room_join left open is done */
    void (*on_publish_failed)(void *ctx, struct member *member, enum bus_failure failure);
};

/* All rooms of a worker. */
struct rooms {
    const struct env *env;
    struct counters *counters;
    struct flush *flush;
    struct bus *bus; /* set once, after rooms_init: the bus calls back with the rooms as its ctx */
    const struct member_events *events;
    void *ctx;
    struct room *by_name; /* hash */
    uint64_t hash_key[2];
    struct directory directory;
    uint32_t last_member;                  /* counter: the lower half of the next member's id, less one */
    uint64_t linger_ms;                    /* how long a room stays subscribed when it is empty */
    struct room *empty_first, *empty_last; /* in the order in which they became empty */
    size_t max_message;                    /* bytes of a payload; an admin may have published a larger one. 0: any */
    enum bus_pressure pressure;
    void (*on_pressure)(void *ctx, enum bus_pressure pressure);
};

void rooms_init(struct rooms *rooms, const struct env *env, struct counters *counters, struct flush *flush,
                const struct member_events *events, void *ctx, uint64_t linger_ms);
/* All members are out, and the bus is closed or about to be. */
void rooms_close(struct rooms *rooms);

/* What the bus is given, with the rooms as ctx. */
extern const struct bus_events rooms_bus_events;

/* Puts a member (with target.outlet set) into a room. Returns true when it is in at once, false when on_in will follow.
 * name: a valid room name, copied. */
bool room_join(struct rooms *rooms, struct member *member, struct bytes name, const struct encoding *encoding,
               bool echo);

/* Takes it out, in either state; what the room got before still goes to it. Nothing happens when it is out already. */
void room_leave(struct rooms *rooms, struct member *member);

/* Publishes what the member says. Returns false when the bus refuses messages now; then nothing was taken. */
bool room_publish(struct rooms *rooms, struct member *member, enum envelope_kind kind, struct bytes payload)
    __attribute__((warn_unused_result));

/* Gives up rooms that have been empty for long enough. Called with every sweep. */
void rooms_sweep(struct rooms *rooms);

#endif
