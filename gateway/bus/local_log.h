/* local_log.h -- one room's log on the local bus: its place in the count, the last messages, the keys seen lately.
 *
 * What append.lua keeps in a room's meta, hist and mid. The entries live ttl_s after the last one; then only the place
 * is left, so that numbers go on. Knows neither workers nor time: both are told. Owned by: local_rooms, one in each
 * room. Thread: any, under the hub's lock. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_LOG_H
#define PLENUM_GATEWAY_BUS_LOCAL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/random.h"
#include "bus.h"

enum {
    LOG_KEY_LIFE_MS = 90000, /* of a client's key; Redis keeps them for 60 to 120 s */
    EPOCH_DIGITS = 16
};

struct log_key;

struct log_entry {
    uint64_t seq;
    uint32_t len;
    char envelope[]; /* as it was published */
};

struct local_log {
    uint64_t epoch;          /* as 16 hex digits; 0: the log has not begun */
    uint64_t prev, prevtop;  /* the epoch before it, 0: none, and its last number */
    uint64_t seq, base;      /* as in struct bus_position */
    struct log_entry **ring; /* cap of them, a power of two; the oldest at head */
    uint32_t head, count, cap;
    size_t bytes;         /* of the envelopes */
    size_t *total;        /* bytes of all logs; NULL: nobody counts */
    uint64_t expires_ms;  /* when the entries go, while there are any */
    struct log_key *keys; /* oldest first */
};

/* Begins the log where it has not begun; or a new epoch where this one is named and has been seen further than it goes.
 * A new epoch's name is drawn from random. */
void local_log_fence(struct local_log *log, const struct random *random, struct bytes epoch, uint64_t seq);

/* The epoch's name. */
void local_log_epoch_name(uint64_t epoch, char out[EPOCH_DIGITS]);

/* All logs of a process together hold no more: above it a room that speaks lets go of what it has. */
enum { LOGS_TOTAL_MAX = 512 << 20 };

/* Adds the next message to a log that has begun, "p1 <seq> <epoch> " and tail, and lets the oldest go. The entry is
 * the log's, and valid until the next one. */
const struct log_entry *local_log_append(struct local_log *log, const struct log_rule *rule, struct bytes tail,
                                         uint64_t now_ms);

/* The number of the message that was published with that key lately; 0: none. hash_key: of the hub's tables. */
uint64_t local_log_seen(const struct local_log *log, const uint64_t hash_key[2], struct bytes key, uint64_t now_ms);
/* Remembers the last message's key. It is not there yet, or has outlived itself. */
void local_log_remember(struct local_log *log, const uint64_t hash_key[2], struct bytes key, uint64_t now_ms);

/* The entry at a place from 0, the oldest, to count - 1. */
static inline const struct log_entry *local_log_at(const struct local_log *log, uint32_t place)
{
    return log->ring[(log->head + place) & (log->cap - 1)];
}

/* The place of the first entry with a number above seq; count when there is none. Halving: an epoch leaves a hole. */
uint32_t local_log_place_after(const struct local_log *log, uint64_t seq);

/* Lets go what has outlived itself. Returns when to look again; 0: nothing is left to look at. */
uint64_t local_log_expire(struct local_log *log, uint64_t now_ms);

/* Frees what it holds. */
void local_log_close(struct local_log *log);

#endif
