/* accounting.h -- what was sent against what arrived: lost, duplicated, reordered, and how late.
 *
 * Each receiver keeps one track for each publisher of its room: the highest sequence seen, and a bit for each of the
 * 64 before it. A step over numbers counts them as missing until they come after all, which then counts as reordered.
 * Owned by: main. Called by: publisher (sent), connection (delivered), pace (is all there?), report. */
#ifndef PLENUM_BENCH_ACCOUNTING_H
#define PLENUM_BENCH_ACCOUNTING_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct track {
    uint64_t last; /* highest sequence received */
    uint64_t seen; /* bit i: last - i was received */
};

/* What one connection has heard; embedded in it. */
struct receiver {
    int room;
    int own;              /* its publisher, whose messages do not come back to it; -1: none */
    bool listens;         /* false: not accounted for (it only sends, or has stopped reading) */
    struct track *tracks; /* one for each publisher of the room */
    uint64_t duplicated, reordered, missing;
};

/* What one publisher has sent. */
struct sent_account {
    uint64_t sent;
    uint64_t delivered; /* over all receivers */
    uint64_t fan;       /* deliveries that each message must cause */
};

struct accounting {
    int rooms, per_room; /* publisher p is in room p % rooms, in track p / rooms */
    int publisher_count;
    bool echo; /* a sender gets its own messages */
    struct sent_account *publishers;
    uint64_t sent, expected, delivered;
    uint64_t foreign; /* arrived in a room or from a publisher where they do not belong */

    bool measuring; /* between warm-up and end: counts below and latencies are taken */
    uint64_t measured_sent, measured_delivered;
    struct histogram latency; /* ns */
};

struct losses {
    uint64_t lost, duplicated, reordered;
};

void accounting_init(struct accounting *accounting, int rooms, int publishers_per_room, bool echo);
void accounting_close(struct accounting *accounting);

/* Makes the receiver's tracks. own as above. */
void accounting_add_receiver(struct accounting *accounting, struct receiver *receiver, int room, int own, bool listens);

void accounting_remove_receiver(struct receiver *receiver);

/* From now on each message of the room must reach this receiver: once for each that listens, before the first message.
 */
void accounting_expect(struct accounting *accounting, const struct receiver *receiver);

/* The next sequence number of the publisher: a message is about to leave. */
uint64_t accounting_send(struct accounting *accounting, int publisher);

/* Messages of the publisher that have not reached everybody, a lower bound while several are on their way. */
uint64_t accounting_unfinished(const struct accounting *accounting, int publisher);

/* Calls all that was sent finished, after losses: a window must open again. Losses stay counted. */
void accounting_forgive(struct accounting *accounting);

/* A stamp has arrived. */
void accounting_deliver(struct accounting *accounting, struct receiver *receiver, const char *stamp, uint64_t now);

/* Adds what the receiver has not got, got twice or got late. */
void accounting_sum(const struct accounting *accounting, const struct receiver *receiver, struct losses *sum);

#endif
