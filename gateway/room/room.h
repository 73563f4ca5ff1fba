/* room.h -- who is in which room on this worker, and what they hear.
 *
 * A room joins the bus with its first local member and leaves it some seconds after its last. What the bus brings is
 * put in order (follow.h), decoded once and appended once to each audience.
 *
 * Two kinds of members. A plain one (relay) hears what is published from its joining on; it is counted. A participant
 * (plenum.v1) is listed with a name, may take up a position in the room's log, and has its publishes acknowledged at
 * their place in the order.
 *
 *     JOINING   the room is not ready for it: not subscribed, not located, its presence or state not read
 *     CATCHING  in, but behind: it is sent what it missed (catchup.h), and is in no audience
 *     IN        in an audience: it gets what comes, when it comes
 *
 * Files: room.c (names, what members do), enter.c (joining, waiting, leaving), from_bus.c (what the bus tells), sweep.c
 * (time), deliver.c (a message on its way to the audiences; notices), follow.c (the order of the log), catchup.c,
 * publishes.c (acks), presence.c and roster.c, signals.c, lock.c, bans.c, kick.c.
 * No sockets and no Redis in here. Owned by: worker. Called by: protocol, admin, bus (by bus_events). */
#ifndef PLENUM_GATEWAY_ROOM_ROOM_H
#define PLENUM_GATEWAY_ROOM_ROOM_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "../../common/env.h"
#include "../bus/bus.h"
#include "../delivery/flush.h"
#include "directory.h"
#include "rules.h"

enum member_state { MEMBER_OUT, MEMBER_JOINING, MEMBER_CATCHING, MEMBER_IN };
enum member_kind { MEMBER_PLAIN, MEMBER_PARTICIPANT, MEMBER_KINDS };

/* A connection's presence in a room. A plain one is embedded in its connection. */
struct member {
    struct target target; /* while joining, target.index is the place in room->waiting */
    struct room *room;    /* NULL: MEMBER_OUT */
    uint8_t state;        /* enum member_state */
    uint8_t kind;         /* enum member_kind */
    bool echo;            /* also gets what it sends */
};

/* A position that a client claims to have seen; epoch empty: none. */
struct resume {
    char epoch[EPOCH_MAX + 1];
    uint64_t offset;
};

/* A member with a name. Owned by the protocol, which fills in what stands above the line before room_join. */
struct participant {
    struct member member; /* first; target.id is the connection's id */
    struct bytes from;    /* "<id>" or "<id>/<user>", for envelopes; borrowed while it is a member, like user */
    struct bytes user;    /* its name, for kicks and bans; empty: none */
    char *value;          /* presence: a JSON object in text; given to the room, which frees it */
    struct resume resume;
    uint32_t history; /* messages to be replayed where there is no resume */
    /* ---- */
    uint64_t deadline_ms;          /* of the joining */
    uint64_t cursor;               /* CATCHING: the last seq that it was sent */
    char epoch[EPOCH_MAX + 1];     /* ... and the epoch that it was told of last, */
    uint64_t epoch_base;           /* ... which began after this number */
    bool reading;                  /* a page of the log is on its way to it: */
    uint32_t page_serial;          /* ... the one with this number, */
    uint64_t page_start, page_end; /* ... of what lies above start, up to end */
    uint64_t page_read;            /* the last that it held, of page_count */
    uint32_t page_count;
    struct block *gathered;      /* what it is about to be sent; NULL: nothing */
    char doubted[EPOCH_MAX + 1]; /* an epoch that was found in the log and that the room did not know, */
    uint32_t doubted_serial;     /* ... when this was the room's follow.serial */
    bool ahead;                  /* it claims more than the room had; the room was located anew since */
    bool told;                   /* its coming is on its way to the others, or there */
    bool changed;                /* its coming or change is in presence->changes */
    bool muted;
    struct participant *catching_next, **catching_at; /* the room's list of those that are behind */
    struct participant *next, **at;                   /* the room's list of participants */
};

/* What a participant is told when it is in. */
struct joined {
    struct bytes room, epoch;
    uint64_t offset;
    bool recovered, lossy;
    uint64_t count;
};

enum { ACK_MAX = 96 };

enum join_refusal { JOIN_LOCKED, JOIN_BANNED, JOIN_FULL, JOIN_UNAVAILABLE };

/* What the rooms tell a kind of member. Each may make the member leave. */
struct member_events {
    /* The join that room_join left open is done: before anything else is sent to it. joined is NULL for plain ones. */
    void (*on_in)(void *ctx, struct member *member, const struct joined *joined);
    /* It is out: the room may not be joined. */
    void (*on_refused)(void *ctx, struct member *member, enum join_refusal refusal);
    /* Writes the ack of a request as whole frames, at most ACK_MAX bytes; the room sends it, at its place. */
    size_t (*write_ack)(uint64_t request, uint64_t seq, uint8_t *out);
    void (*on_publish_failed)(void *ctx, struct member *member, uint64_t request, enum bus_failure failure);
    void (*on_signal)(void *ctx, struct member *member, uint64_t from, struct bytes data);
    void (*on_signaled)(void *ctx, struct member *member, uint64_t request, enum bus_result result);
    /* It was put out: kicked, banned, ended. It is out when this returns. */
    void (*on_kicked)(void *ctx, struct member *member, const char *reason);
    /* A page of a log has come for it: other rooms that its connection comes back to may go on (room_pump). NULL: no.
     */
    void (*on_page)(void *ctx, struct member *member);
};

/* All rooms of a worker. */
struct rooms {
    const struct env *env;
    struct counters *counters;
    struct flush *flush;
    struct bus *bus; /* set once, after rooms_init: the bus calls back with the rooms as its ctx */
    const struct rules *rules;
    const struct member_events *events[MEMBER_KINDS];
    void *ctx;            /* of the events */
    struct room *by_name; /* hash */
    uint64_t hash_key[2];
    struct directory directory;
    uint32_t last_page;                    /* counter: pages of the log that participants were read */
    uint32_t last_member;                  /* counter: the lower half of the next member's id, less one */
    uint64_t linger_ms;                    /* how long a room stays subscribed when it is empty */
    struct room *empty_first, *empty_last; /* in the order in which they became empty */
    struct room *entered;                  /* rooms that somebody wants to enter since the turn began */
    struct room *attended;                 /* rooms that every sweep looks after */
    struct room *active;                   /* rooms that had messages since the last check */
    struct room *checking;                 /* ... before it, and are still to be compared with their logs */
    struct room *renew;                    /* where to go on with renewing what was told; NULL: nothing to do */
    bool forgotten;                        /* ... with telling it anew, as it is gone */
    uint64_t renewed_ms;
    struct room *dirty;        /* rooms with presence changes to be told */
    uv_timer_t presence_timer; /* 50 ms after the first of them */
    struct signal *signals;    /* on their way */
    struct bans *bans;
    uint64_t checked_ms; /* when the active rooms were looked at last */
    size_t ring_bytes;   /* of all rooms' rings (ring.h) */
    size_t max_message;  /* bytes of a payload; an admin may have published a larger one. 0: any */
    enum bus_pressure pressure;
    void (*on_pressure)(void *ctx, enum bus_pressure pressure);
    void (*on_command)(void *ctx, struct bytes line); /* an admin's */
};

struct rooms_setup {
    const struct env *env;
    struct counters *counters;
    struct flush *flush;
    const struct rules *rules;
    const struct member_events *events[MEMBER_KINDS];
    void *ctx;
    uint64_t linger_ms;
};

void rooms_init(struct rooms *rooms, const struct rooms_setup *setup);
/* All members are out, and the bus is closed or about to be. Its timer is closed by rooms_stop before. */
void rooms_stop(struct rooms *rooms);
void rooms_close(struct rooms *rooms);

/* What the bus is given, with the rooms as ctx. */
extern const struct bus_events rooms_bus_events;

/* A new member id, for a connection with participants. */
uint64_t rooms_new_id(struct rooms *rooms);

/* NULL: nobody here is in it, or was lately. */
struct room *rooms_find(const struct rooms *rooms, struct bytes name);

/* Puts a member (with target.outlet and kind set) into a room. Returns true when it is in at once (plain members only),
 * false when on_in or on_refused will follow, never from inside. name: a valid room name, copied. */
bool room_join(struct rooms *rooms, struct member *member, struct bytes name, const struct encoding *encoding,
               bool echo);

/* Takes it out, in any state; what the room got before still goes to it (unless it is behind). Nothing happens when it
 * is out already. reason: left, lost or kicked, for the others. */
void room_leave(struct rooms *rooms, struct member *member, const char *reason);

/* Ends what it has published and signaled and was not told the outcome of, as uncertain: before a member leaves whose
 * connection stays, as each request gets a reply. Nobody leaves from inside. */
void room_abandon(struct rooms *rooms, struct member *member);

/* What a member says. */
struct saying {
    enum envelope_kind kind;
    struct bytes payload;
    struct bytes key;
    uint64_t request; /* a participant's: named by its ack or failure */
};

/* Publishes what the member says. Returns false when the bus refuses messages now; then nothing was taken. */
bool room_publish(struct rooms *rooms, struct member *member, const struct saying *saying)
    __attribute__((warn_unused_result));

/* Sends data to one member; on_signaled follows, maybe from inside. */
void room_signal(struct rooms *rooms, struct participant *participant, uint64_t to, struct bytes data,
                 uint64_t request);

/* Changes what others see of it. value is taken. */
void room_update(struct rooms *rooms, struct participant *participant, char *value);

/* The list of members as a JSON array: [] where the room is not listed. The caller frees text. */
struct json_text;
void room_write_members(struct rooms *rooms, const struct participant *self, struct json_text *text);

struct bytes room_name(const struct room *room);
bool room_has_log(const struct room *room);

/* The outlet of a participant that is behind can take more. */
void room_pump(struct rooms *rooms, struct participant *participant);

/* Lets in who came in this turn to a room that is ready. Called at the end of a turn, before bus_flush. */
void rooms_turn(struct rooms *rooms);

/* Deadlines, checks, and rooms that have been empty for long enough. Called with every sweep (100 ms). */
void rooms_sweep(struct rooms *rooms);

/* ---- for admins: each acts on this worker alone. kick.c, lock.c, bans.c. */

/* Whom a command means: a member id, or a name; both empty: everyone. */
struct whom {
    uint64_t member; /* 0: by name */
    struct bytes user;
};

/* Puts members out. Returns how many. name: of the room; NULL data for all rooms. */
uint32_t rooms_kick(struct rooms *rooms, struct bytes name, const struct whom *whom, const char *reason);
/* The muted mark of participants. Returns how many changed. */
uint32_t rooms_mute(struct rooms *rooms, struct bytes name, const struct whom *whom, bool muted);
/* The lock and the bans have changed: what stands in the bus's hashes is to be read again before the next join. */
void rooms_state_changed(struct rooms *rooms, struct bytes name);
void rooms_bans_changed(struct rooms *rooms);
/* Members of a room here, of both kinds. */
uint32_t rooms_count(const struct rooms *rooms, struct bytes name);

#endif
