/* resp.h -- what a Redis server says, value by value.
 *
 * hiredis' reader with callbacks of our own instead of its tree of objects: a pub/sub message costs less than half, and
 * its payload is seen where it lies in the reader's buffer, to be copied once, to where it is needed.
 * RESP2, against hiredis 0.14 and 1.x. Knows no socket: tests and the fuzzer feed it bytes.
 * Owned by: redis_link. Thread: its owner's. */
#ifndef PLENUM_COMMON_RESP_H
#define PLENUM_COMMON_RESP_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

enum resp_type { RESP_STRING, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_NIL, RESP_ARRAY };

/* One value of a reply. An array is told first, with its number of elements; then its elements, each one deeper. */
struct resp_value {
    enum resp_type type;
    int depth;         /* 0: the reply itself; 1: an element of the reply's array ... */
    int index;         /* its place in the array that it stands in; 0 at depth 0 */
    struct bytes text; /* of a string, status or error: inside the reader's buffer, valid during the call */
    long long number;  /* of an integer; the number of elements of an array */
};

struct resp_events {
    void (*on_value)(void *ctx, const struct resp_value *value);
    void (*on_end)(void *ctx); /* the reply whose values were told is whole */
};

struct resp {
    struct redisReader *reader;
    const struct resp_events *events; /* constant, with ctx given back in each call */
    void *ctx;
    bool stopped;
};

void resp_init(struct resp *resp, const struct resp_events *events, void *ctx);
void resp_close(struct resp *resp);

/* Forgets half a reply, an error and resp_stop: for a new connection. */
void resp_reset(struct resp *resp);

/* Reads bytes, with callbacks from inside. Elements of a reply may come in several feeds. Returns false when the bytes
 * are no RESP: see resp_error, and feed no more before resp_reset. */
bool resp_feed(struct resp *resp, struct bytes bytes) __attribute__((warn_unused_result));

/* From inside a callback (or outside): no callback comes any more until resp_reset. */
void resp_stop(struct resp *resp);

/* What was wrong, in words; valid until the next call. */
const char *resp_error(const struct resp *resp);

#endif
