/* roster.h -- the members of a room as all gateways tell of them.
 *
 * Only rooms with participants here have one. It is read from the bus once, and then follows the events, each version
 * once and in order; when one is missing it is read anew, and the difference is told to the participants. Above 500
 * members it holds no names, only how many each gateway has.
 *
 * When all of a gateway have vanished from a list that is read anew, or the server has gone back in time, those that
 * are missing stay for some seconds: every living gateway tells a server that has forgotten something who is there.
 * Owned by: presence. */
#ifndef PLENUM_GATEWAY_ROOM_ROSTER_H
#define PLENUM_GATEWAY_ROOM_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/bytes.h"
#include "../../common/envelope.h"
#include "../../common/json_text.h"
#include "../bus/bus.h"

struct room;

enum { ROSTER_LISTED_MAX = 500, ROSTER_LISTED_AGAIN = 450 };

enum roster_state {
    ROSTER_NONE,    /* nobody here wants to know */
    ROSTER_READING, /* it is being read, for the first time or anew */
    ROSTER_LISTED,
    ROSTER_COUNTED /* too many for a list */
};

struct roster {
    uint8_t state; /* enum roster_state */
    bool counted;  /* READING: it was COUNTED before, so that all are to be told the whole list */
    struct roster_entry *by_id;
    struct roster_gateway *gateways;
    uint64_t pv;
    char epoch[EPOCH_MAX + 1];
    struct roster_reading *reading;
    uint32_t serial;   /* of the reading whose answer counts */
    uint32_t vanished; /* entries whose gateway has */
    uint64_t again_ms; /* when to read again what went unanswered; 0: no need */
    uint64_t suspect, suspect_ms;
    uint64_t counted_ms, count_told; /* when it was counted last, and the number that was told */
    bool counting;
    bool recount; /* LISTED: the number of members that are not listed has changed */
};

/* Reads it, for the first time or anew. */
void roster_read(struct room *room);
/* Nobody here wants to know any more. */
void roster_forget(struct roster *roster);

void roster_event(struct room *room, const struct envelope *envelope);
/* The room's version is at least this, says a check. */
void roster_seen_version(struct room *room, uint64_t pv);

/* Members that other gateways have in the room. */
uint64_t roster_elsewhere(const struct room *room);
bool roster_has(const struct roster *roster, uint64_t member);
void roster_each(const struct roster *roster, void (*each)(struct room *room, uint64_t member), struct room *room);
/* Appends the entries, with commas between them. Returns how many. */
uint32_t roster_write(const struct roster *roster, struct json_text *text);
void roster_write_entry(struct json_text *text, uint64_t member, struct bytes value);

/* Returns true when there is more to look after. */
bool roster_sweep(struct room *room, uint64_t now_ms);

#endif
