/* publishes.h -- what participants have published and were not told the outcome of.
 *
 * An ack stands at its message's place in the member's own stream, so it is sent when the own copy comes by, never
 * because the bus said that the message is there: such an ack would overtake messages of others with lower numbers, and
 * a client that resumes behind it would lose them. A room's own copies come in the order of publishing, so that the
 * oldest entry of that member with that key and time is the one; the time, because the copy of one that had failed as
 * uncertain may still come, and must not be taken for that of a later one. A duplicate has no copy of its own: its ack
 * comes once the room has passed that number. Owned by: room. */
#ifndef PLENUM_GATEWAY_ROOM_PUBLISHES_H
#define PLENUM_GATEWAY_ROOM_PUBLISHES_H

#include <stdbool.h>

#include "../../common/envelope.h"
#include "ticket.h"

struct room;
struct member;
struct saying;

struct publish {
    struct ticket ticket; /* first */
    struct room *room;
    uint64_t member;
    uint64_t request;
    uint64_t key_hash; /* 0: no key */
    int64_t time_ms;   /* of its envelope */
    uint64_t seq;      /* once it is known */
    uint64_t epoch;    /* ... and the hash of its epoch */
    uint64_t answered_ms;
    uint32_t answered_serial; /* the room's follow.serial then */
    bool answered;            /* the bus has ended the ticket */
    bool duplicate;           /* ... with that */
    bool matched;             /* the own copy came by */
    bool listed;              /* in room->publishing: somebody waits for an ack */
    struct publish *next;
    struct publish *ticket_next, **ticket_at; /* room->tickets, until the bus has ended it */
};

/* A new one, whose ticket goes to the bus. time_ms: of its envelope. */
struct publish *publish_new(struct room *room, const struct member *member, const struct saying *saying,
                            int64_t time_ms);

/* The own copy comes by: the entry that it belongs to, or NULL. It is done with when publish_done is called. */
struct publish *publishes_match(struct room *room, const struct envelope *envelope);
void publish_done(struct publish *publish);

/* The entry of a member's message that was matched before, for who is behind; NULL. */
struct publish *publishes_find(struct room *room, const struct envelope *envelope);

/* The open one with the lowest number in there, of that member (0: of any), whose own copy is lost in a gap, or was met
 * while the member was behind; NULL. */
struct publish *publishes_within(const struct room *room, uint64_t member, uint64_t from, uint64_t to);

/* Acks what has been passed without an own copy in its place: duplicates, for the most part. */
void publishes_settle(struct room *room);

/* The subscription was lost: where there is no log, what was answered has nothing more to wait for. */
void publishes_lost(struct room *room);

/* When one was answered so long ago that its copy should have come, the bus is told that it is deaf. One that was
 * answered in an epoch that is not known here makes the log be located; when that epoch has come and gone unseen, it is
 * failed as uncertain. */
void publishes_sweep(struct room *room, uint64_t now_ms);

/* The bus is closed, and ends nothing any more. */
void publishes_close(struct room *room);

/* The member is about to leave and wants to know: each of its own that is open is failed as uncertain. */
void publishes_abandon(struct room *room, struct member *member);

/* The member leaves: nobody waits for its acks any more. */
void publishes_forget(struct room *room, uint64_t member);

#endif
