/* follow.h -- brings a room's messages into the order of its log, each once.
 *
 * While nothing is wrong a message has the next number and is passed on as it comes. After a lost connection, a gap or
 * a message of another epoch, the bus is asked where the log stands, and the log is read from the last number that was
 * passed on; what comes live meanwhile is held (up to 1 MiB: more is let go, and read later). What the log no longer
 * has is said: a gap, or a new epoch. The order "subscribe, confirmation, read, live" must not change: a log that is
 * read before the confirmation has a hole behind it.
 *
 * Every 10 s a room that was active is compared with the log, as a lost last message leaves no gap behind.
 * Owned by: room. Called by: room, deliver, bus (through room.c). */
#ifndef PLENUM_GATEWAY_ROOM_FOLLOW_H
#define PLENUM_GATEWAY_ROOM_FOLLOW_H

#include <stdbool.h>

#include "../bus/bus.h"
#include "ring.h"

struct room;

enum follow_state {
    FOLLOW_OFF,      /* the room has no log */
    FOLLOW_LOST,     /* not subscribed (yet): on_confirmed goes on */
    FOLLOW_LOCATING, /* bus_locate is on its way, or to be asked again */
    FOLLOW_READING,  /* bus_read likewise */
    FOLLOW_LIVE
};

struct follow {
    uint8_t state;             /* enum follow_state */
    bool asking;               /* an ask is on its way */
    bool held_lost;            /* something was too much to be held */
    bool strayed;              /* the log has an epoch that bus_locate did not name: before that one, or after it */
    bool heard;                /* a live message came since the last sweep that looked */
    char epoch[EPOCH_MAX + 1]; /* empty: never located */
    char prev[EPOCH_MAX + 1];  /* the epoch before it */
    uint64_t seq;              /* the last that was passed on */
    uint64_t base, prevtop;    /* see struct bus_position */
    uint32_t serial;           /* of the ask whose answer counts */
    uint32_t locate_serial;    /* of the last bus_locate, */
    uint32_t settled_serial;   /* ... of the last one that was read up to */
    uint32_t page;             /* entries of the page that is being read */
    uint64_t read_to;          /* the last of them; more than seq when it was malformed */
    uint64_t again_ms;         /* when to ask again; 0: no need */
    struct ring ring;          /* the last messages that were passed on */
    uint64_t rested;           /* the last of them at the last comparison */
    struct held *held;         /* live messages that wait; NULL: none */
    struct located *located;   /* what bus_locate said, while the log is read; NULL else */
    uint64_t suspect;          /* a seq that the log has: if it is not here a second later, it was lost. 0: none */
    uint64_t suspect_ms, heard_ms;
};

void follow_init(struct room *room);
void follow_close(struct room *room);

/* The subscription is there, or there again; it is gone. */
void follow_confirmed(struct room *room);
void follow_lost(struct room *room);

/* Asks where the log stands and reads what is missing. May be called at any time. */
void follow_check(struct room *room);

/* A live message with a number. */
void follow_message(struct room *room, struct envelope *envelope, struct bytes message);

/* A live message with a number that is not passed on: too big. */
void follow_skip(struct room *room, const struct envelope *envelope);

/* A page of a log: entries that are read at once. Fewer where large logs of large messages are kept: a page must fit a
 * client's outbox. */
uint32_t follow_page(const struct room *room);

/* At the regular comparison: forgets what is kept of the last messages once none came since the one before. True while
 * something is kept. */
bool follow_rest(struct room *room);

/* The regular comparison: asks; and the sweep's part. Returns true when there is more to look after. */
void follow_peek(struct room *room);
bool follow_sweep(struct room *room, uint64_t now_ms);

#endif
