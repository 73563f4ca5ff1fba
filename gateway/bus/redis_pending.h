/* redis_pending.h -- commands on their way to Redis, in order: a ring that grows.
 *
 * The commander has two: what is not sent, and what is sent and not answered.
 * Owned by: redis_commander. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_PENDING_H
#define PLENUM_GATEWAY_BUS_REDIS_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/resp.h"

/* Is given the values of a command's answer, in turn. Nothing comes when the connection is lost before. */
typedef void (*redis_answer_fn)(void *ctx, const struct resp_value *value);

/* How an asked command ended. */
enum redis_end {
    REDIS_ANSWERED,
    REDIS_REFUSED,   /* the answer was an error; on_value was given it */
    REDIS_UNANSWERED /* the connection was lost, or is not there: it may or may not have been done */
};

/* Is told the values of a command's answer and, once, in every case, its end: never from inside the call that asked. */
struct redis_ask_events {
    void (*on_value)(void *ctx, uint64_t tag, const struct resp_value *value); /* NULL: of no interest */
    void (*on_end)(void *ctx, uint64_t tag, enum redis_end end);
};

enum pending_kind { PENDING_PUBLISH, PENDING_CALL, PENDING_ASK };

struct pending {
    char *command; /* as it goes over the wire; NULL once the kernel has its first byte */
    uint32_t len;  /* of the command, also when it is gone */
    enum pending_kind kind;
    bool told;          /* its end was told (a publish's failure, an ask's): its answer is for nobody */
    bool refused;       /* an ask: the answer is an error */
    uint64_t queued_ms; /* when it was queued first */
    uint64_t sent_ms;   /* when it was given to the connection */
    uint64_t start;     /* once sent: where it begins in the connection's bytes */
    union {
        redis_answer_fn on_answer;             /* a call's */
        const struct redis_ask_events *events; /* an ask's */
    };
    void *ctx;    /* theirs; a publish's ticket */
    uint64_t tag; /* an ask's */
};

struct pending_ring {
    struct pending *items; /* cap of them, a power of two */
    uint32_t cap, head, count;
};

void pending_push(struct pending_ring *ring, struct pending item);
struct pending pending_pop(struct pending_ring *ring);
/* Frees the ring and the commands in it. */
void pending_close(struct pending_ring *ring);

/* The item at a place from 0, the oldest, to count - 1. */
static inline struct pending *pending_at(const struct pending_ring *ring, uint32_t place)
{
    return &ring->items[(ring->head + place) & (ring->cap - 1)];
}

#endif
