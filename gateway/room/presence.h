/* presence.h -- telling the others who of ours is in a room, and knowing who else is (roster.h).
 *
 * Our comings, goings and changes go out as one batch a room each 50 ms, the first one at once, one batch in flight;
 * what went unanswered is told again, which does no harm. Owned by: room. */
#ifndef PLENUM_GATEWAY_ROOM_PRESENCE_H
#define PLENUM_GATEWAY_ROOM_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "roster.h"

struct rooms;
struct participant;

struct presence {
    struct roster roster;
    struct own_change *changes; /* to be told, in order */
    uint32_t count, cap;
    struct own_change *sent; /* on their way */
    uint32_t sent_count;
    bool in_flight;
    bool begun;          /* something was told of this room */
    bool plain_changed;  /* the number of plain members has */
    bool touch;          /* renew the life times of what was told */
    uint64_t again_ms;   /* when to tell again what went unanswered; 0: no need */
    uint64_t flushed_ms; /* when the last batch went out */
    bool expecting;      /* a check is on its way, and no batch has gone out since: these should stand there */
    uint64_t expected, expected_listed;
};

struct presence *presence_new(struct room *room);
void presence_free(struct presence *presence);

/* Makes sure that the list is there, or on its way. True when it is there (or the room is too big for one). */
bool presence_ready(struct room *room);

/* True when the one that was told of is in the list: all that came before it have been heard of as well. */
bool presence_heard(const struct room *room, const struct participant *participant);

/* Ours: someone is in, has changed, is leaving; the number of plain members has changed. */
void presence_join(struct room *room, struct participant *participant);
void presence_update(struct room *room, struct participant *participant);
void presence_leave(struct room *room, struct participant *participant, const char *reason);
void presence_plain_changed(struct room *room);

/* An envelope of kind 'p'. */
void presence_event(struct room *room, const struct envelope *envelope);

/* Events may be missing: the subscription was lost and is back, or the log has a new epoch. */
void presence_reload(struct room *room);
/* The room's presence version, says a check. */
void presence_seen_version(struct room *room, uint64_t pv);

/* Tells everything of ours again; renews the life time of what was told. */
void presence_renew(struct room *room);
void presence_touch(struct room *room);
/* The list has been read: what stands there of ours and is not true, as a server has come back with an old state or an
 * admin has removed it, is told anew. */
void presence_correct(struct room *room);

/* A check is about to look what stands of ours, and what it has found: where it is less or more, an admin has removed
 * something, or the server has forgotten it. */
void presence_expect_own(struct room *room);
void presence_seen_own(struct room *room, uint64_t members, uint64_t listed);

/* Members of all kinds, everywhere, ours as they are now. */
uint64_t presence_total(const struct room *room);

/* The JSON array of all, with self (may be NULL) in it; [] in a room that is too big. */
void presence_write(const struct room *room, const struct participant *self, struct json_text *text);

/* Tells what is due by then of all rooms; of one, now. */
void presence_flush(struct rooms *rooms, uint64_t now_ms);
void presence_flush_room(struct room *room);

/* Returns true when there is more to look after. */
bool presence_sweep(struct room *room, uint64_t now_ms);

#endif
