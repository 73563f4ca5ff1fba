/* dialogue.h -- the opening words of a dialect, step by step: greeting, hello, join.
 *
 * A machine without a socket: it is told what was heard and says what to send. At most one frame is awaited at a time.
 * Embedded in: connection. */
#ifndef PLENUM_BENCH_DIALOGUE_H
#define PLENUM_BENCH_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "dialect.h"

struct dialogue {
    /* What is awaited. START: nothing has begun. DONE: the connection is in. */
    enum { DIALOGUE_START, DIALOGUE_GREETING, DIALOGUE_HELLO, DIALOGUE_JOIN, DIALOGUE_DONE } at;
    bool joins;         /* false: a publisher that needs no room */
    char socket_id[40]; /* Pusher's, from its greeting; empty before */
};

/* After the upgrade. Returns the template of a frame to send, or NULL: wait, or done. */
const char *dialogue_begin(struct dialogue *dialogue, const struct dialect *dialect);

/* A frame came. Returns the template of a frame to send, or NULL; goes on only when it is the awaited one. */
const char *dialogue_hear(struct dialogue *dialogue, const struct dialect *dialect, const char *text, size_t n);

#endif
