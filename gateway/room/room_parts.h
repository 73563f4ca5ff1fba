/* room_parts.h -- a room, for the files of this folder; see room.h for which file does what. */
#ifndef PLENUM_GATEWAY_ROOM_ROOM_PARTS_H
#define PLENUM_GATEWAY_ROOM_ROOM_PARTS_H

#include <uthash.h>

#include "catchup.h"
#include "follow.h"
#include "presence.h"
#include "publishes.h"
#include "room.h"

struct room {
    UT_hash_handle hh;
    struct rooms *rooms;
    const struct room_rule *rule;
    struct bus_channel *channel;
    struct audience *audiences; /* one for each encoding that is or was here */
    struct member *admitting;   /* who is just being let in, or refused */
    struct member **waiting;    /* for the room to be ready */
    uint32_t waiting_count, waiting_cap;
    uint32_t members;                 /* of both kinds, joining ones too */
    uint32_t plain;                   /* of the plain kind that are in */
    uint32_t listed;                  /* participants that are in, or are told of: */
    struct participant *participants; /* ... these */
    struct participant *catching;
    uint32_t pending; /* asks and tickets on their way that name this room: it is not freed before they have ended */

    struct follow follow;
    struct publish *tickets;                      /* that the bus has not ended */
    struct publish *publishing, **publishing_end; /* not acked yet, in the order of publishing */
    uint32_t duplicates;                          /* of them, that are known as such */
    struct presence *presence;                    /* NULL: the rule says off */

    bool locked, lock_read, lock_asked;
    bool lock_changed; /* while it was being read */
    uint64_t lock_ms;  /* when the lock was read; 0: never, or it has changed */

    bool attended, dirty, entered; /* in the rooms' lists */
    struct room *attended_next, *dirty_next, *entered_next;
    struct room *active_next, **active_at; /* likewise; active_at is NULL: in none */
    uint64_t empty_since_ms;               /* valid while it is in the list of empty rooms */
    struct room *empty_next, *empty_before;
    uint8_t name_len;
    char name[];
};

/* room.c: the room of that name, with one more member; one less. */
struct room *room_enter(struct rooms *rooms, struct bytes name);
void room_exit(struct room *room);
/* room.c: gives up rooms that have been empty for long enough. */
void rooms_sweep_empty(struct rooms *rooms, uint64_t now);

/* enter.c: refuses participants whose time to wait is over. */
void room_refuse_late(struct room *room, uint64_t now);

/* sweep.c: the room is compared with its log at the next check; it is being freed. */
void room_note_active(struct room *room);
void room_not_active(struct room *room);

/* sweep.c: has somebody look after the room with every sweep, until it says that there is nothing to do. */
void room_attend(struct room *room);

/* enter.c: something that the waiting members wait for has changed. */
void room_admit(struct room *room);

/* deliver.c: gives a message to all that are in. */
void room_deliver(struct room *room, struct envelope *envelope);

/* deliver.c: tells all that are in, but for the member `except`. room is filled in. */
void room_notify(struct room *room, struct notice *notice, uint64_t except);

/* deliver.c: sends one member what is for it alone, behind what its audience holds for it. */
void room_send(struct room *room, struct member *member, struct bytes frames);

/* deliver.c: one message, or one notice, for one participant that is in no audience. */
void room_send_message(struct room *room, struct participant *participant, const struct envelope *envelope);
void room_send_notice(struct room *room, struct participant *participant, struct notice *notice);

/* More than a message may have, from a gateway that allows more, or an admin: it is passed on to nobody. */
static inline bool is_too_big(const struct room *room, const struct envelope *envelope)
{
    size_t max = room->rooms->max_message;
    return max && envelope->payload.len > max;
}

static inline struct member *member_of_target(struct target *target)
{
    return (struct member *)target; /* its first field */
}

static inline struct participant *participant_of(struct member *member)
{
    return (struct participant *)member; /* its first field */
}

#endif
