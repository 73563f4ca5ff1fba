/* counters.h -- what a worker counts, for /metrics.
 *
 * One writer, the worker; the admin's thread reads with relaxed loads and adds the workers up. So counting costs an
 * ordinary add. Names, help texts and labels stand in admin/metrics.c, in the order of this list. */
#ifndef PLENUM_GATEWAY_COUNTERS_H
#define PLENUM_GATEWAY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
    /* gauges */
    GAUGE_CONNECTIONS,       /* WebSockets open, by the worker's own count */
    GAUGE_HANDSHAKES,        /* sockets that are not upgraded yet */
    GAUGE_ROOMS,             /* rooms with members here */
    GAUGE_MEMBERS,           /* members here */
    GAUGE_OUTBOX_BYTES,      /* queued for clients that do not keep up */
    GAUGE_READER_BYTES,      /* held by frames and messages that are not complete yet */
    GAUGE_BLOCK_BYTES,       /* memory held by blocks */
    GAUGE_BUS_UP,            /* 1: both Redis connections serve (the local bus: always 1) */
    GAUGE_BUS_PENDING_BYTES, /* published here, unsent or unanswered */
    GAUGE_DRAINING,          /* 1 while it drains */
    GAUGE_LAST_TURN_MS,      /* clock_ms of the loop's last sign of life, for /healthz */
    GAUGE_LOOP_LAG_MS,       /* how late the last sweep timer came */

    /* clients */
    COUNT_ACCEPTED,         /* sockets accepted */
    COUNT_ACCEPT_ERRORS,    /* accept failed: EMFILE and the like */
    COUNT_UPGRADES,         /* handshakes that became WebSockets */
    COUNT_UPGRADES_DEFLATE, /* of them with permessage-deflate */
    COUNT_HTTP_400,         /* HTTP replies by status: counter_of_status() */
    COUNT_HTTP_403,
    COUNT_HTTP_404,
    COUNT_HTTP_405,
    COUNT_HTTP_408,
    COUNT_HTTP_413,
    COUNT_HTTP_414,
    COUNT_HTTP_426,
    COUNT_HTTP_431,
    COUNT_HTTP_503,
    COUNT_HTTP_505,
    COUNT_HTTP_200,
    COUNT_HTTP_304,
    COUNT_HTTP_OTHER,
    COUNT_MESSAGES_IN,    /* messages from clients */
    COUNT_BYTES_IN,       /* payload bytes of them */
    COUNT_DELIVERIES,     /* messages x members they were for */
    COUNT_BYTES_OUT,      /* bytes given to clients' sockets */
    COUNT_REQUEST_ERRORS, /* errors that plenum.v1 clients were answered */
    COUNT_PINGS_IN,
    COUNT_PONGS_IN,
    COUNT_CLOSE_1000, /* closes by the code that we sent (or answered): counter_of_close() */
    COUNT_CLOSE_1001,
    COUNT_CLOSE_1002,
    COUNT_CLOSE_1003,
    COUNT_CLOSE_1007,
    COUNT_CLOSE_1008,
    COUNT_CLOSE_1009,
    COUNT_CLOSE_1011,
    COUNT_CLOSE_1012,
    COUNT_CLOSE_1013,
    COUNT_CLOSE_NONE, /* the socket ended without a close frame (1006) */
    COUNT_CLOSE_OTHER,
    COUNT_DROP_OUTBOX_FULL, /* connections closed because their outbox was full */
    COUNT_DROP_OUTBOX_SLOW, /* ... above the soft limit for too long */
    COUNT_DROP_MEMORY,      /* ... because all of them together held too much */
    COUNT_DROP_HANDSHAKE,   /* ... the handshake took too long */
    COUNT_DROP_FRAGMENT,    /* ... a frame or message was left unfinished for too long */
    COUNT_DROP_IDLE,        /* ... no answer to a ping */
    COUNT_DROP_FULL,        /* refused: the gateway is full */

    /* bus */
    COUNT_BUS_PUBLISHED, /* messages given to the bus */
    COUNT_BUS_PUBLISH_BYTES,
    COUNT_BUS_RECEIVED, /* messages that the bus delivered here */
    COUNT_BUS_RECEIVED_BYTES,
    COUNT_BUS_FAILED_UNAVAILABLE,
    COUNT_BUS_FAILED_UNCERTAIN,
    COUNT_BUS_FAILED_REFUSED,
    COUNT_BUS_MALFORMED,       /* envelopes dropped: broken header */
    COUNT_BUS_TOO_BIG,         /* messages dropped: larger than --max-message */
    COUNT_BUS_UNKNOWN_VERSION, /* envelopes dropped: another version */
    COUNT_LOG_REPEATED,        /* messages that came a second time, or too late: dropped */
    COUNT_LOG_REPAIRED,        /* messages read from a log to close a gap of the bus */
    COUNT_LOG_REPLAYED,        /* messages sent to clients that came back */
    COUNT_LOG_GAPS,            /* runs of messages that a log no longer had */
    COUNT_LOG_EPOCHS,          /* new epochs that rooms went over to */
    COUNT_REDIS_CONNECTS,      /* connections that came up */
    COUNT_REDIS_LOST_EOF,      /* connections lost, by reason */
    COUNT_REDIS_LOST_ERROR,
    COUNT_REDIS_LOST_TIMEOUT, /* hang: no answer to PING in time */
    COUNT_REDIS_LOST_DEAF,    /* the probe did not come back */
    COUNT_REDIS_PROBES,       /* probes sent */

    /* loop */
    COUNT_TURNS,             /* turns of the loop */
    COUNT_FLUSH_INTERRUPTED, /* turns whose flush ran out of its time budget */
    COUNTER_COUNT
};

/* Upper bounds of the publish-to-deliver histogram, ms; one more bucket for what is above. */
enum { LATENCY_BUCKETS = 12 };
extern const uint32_t latency_bucket_ms[LATENCY_BUCKETS];

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
    _Atomic uint64_t latency[LATENCY_BUCKETS + 1]; /* not cumulative */
    _Atomic uint64_t latency_sum_ms;
};

/* The one writer's add: a plain load and store, no locked instruction. */
static inline void counter_add(struct counters *counters, enum counter which, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(&counters->values[which], memory_order_relaxed);
    atomic_store_explicit(&counters->values[which], value + amount, memory_order_relaxed);
}

static inline void counter_sub(struct counters *counters, enum counter which, uint64_t amount)
{
    counter_add(counters, which, (uint64_t)0 - amount);
}

static inline void counter_set(struct counters *counters, enum counter which, uint64_t value)
{
    atomic_store_explicit(&counters->values[which], value, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counters *counters, enum counter which)
{
    return atomic_load_explicit(&counters->values[which], memory_order_relaxed);
}

/* The counter for an HTTP status that was sent, and for a close code; the "other" one for what has none of its own. A
 * close frame without a code (1005) counts as 1000; 0, like 1006, says that there was no close frame. */
enum counter counter_of_status(int status);
enum counter counter_of_close(int code);

/* Counts `messages` deliveries that took latency_ms from publish to here (below 0, a skewed clock, counts as 0). */
void counter_latency(struct counters *counters, int64_t latency_ms, uint64_t messages);

#endif
