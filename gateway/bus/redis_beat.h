/* redis_beat.h -- this gateway's place in Redis: its id, claimed, and its sign of life every 3 s.
 *
 * plenum:gw:<gw> is claimed with a nonce before anybody is let into a room, so no two gateways give out the same member
 * ids; it says who and how busy the gateway is, and dies 15 s after the last beat. With each beat the server is asked
 * which life of its data it has (redis_common.gen).
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_BEAT_H
#define PLENUM_GATEWAY_BUS_REDIS_BEAT_H

#include "redis_bus.h"
#include "redis_commander.h"

struct redis_beat_events {
    /* The commander came up, and the id was found to be ours (maybe another one than before). */
    void (*on_claimed)(void *ctx);
    /* What stood here under our id is gone, or we have another id. After on_claimed. */
    void (*on_forgotten)(void *ctx);
    void (*on_gen)(void *ctx, struct bytes replid); /* empty: the server does not tell */
};

struct redis_beat {
    const struct env *env;
    const struct redis_bus_options *options; /* its report function is given report_ctx */
    void *report_ctx;
    struct redis_commander *commander;
    uint32_t gateway; /* the id: random from the first moment, another one when it was taken */
    bool owned;       /* the id is ours, on this connection; the first beat is on its way */
    bool claimed;     /* ... and told */
    uint32_t held;    /* the id that was claimed last; 0: none yet */
    bool entry_new;   /* the claim made the entry, on this connection */
    bool changed;     /* the server has another state than the one before, on this connection */
    bool beaten;      /* a beat has stood in plenum:gws since the id was claimed or forgotten */
    bool complained;  /* about a beat that was refused, on this connection */
    char nonce[17];   /* whose the id is */
    char seconds[24]; /* of TIME's answer, until its second half is there */
    uint64_t beat_ms; /* when the last beat was begun */
    uint64_t report_ms;
    struct gateway_report report;           /* of that beat: rates are differences */
    const struct redis_beat_events *events; /* constant, with ctx given back in each call */
    void (*on_left)(void *ctx);             /* while leaving */
    void *ctx;
};

/* Arguments are borrowed for the beat's life. */
void redis_beat_init(struct redis_beat *beat, const struct env *env, const struct redis_bus_options *options,
                     void *report_ctx, struct redis_commander *commander, const struct redis_beat_events *events,
                     void *ctx);

/* The commander came up: claims. changed: the server may have forgotten what it was told; then all is told anew. */
void redis_beat_up(struct redis_beat *beat, bool changed);
void redis_beat_down(struct redis_beat *beat); /* it went down */
void redis_beat_tick(struct redis_beat *beat, uint64_t now_ms);

/* Says goodbye. Where no room has members of this gateway any more, it is gone at once; else its last beat is said to
 * be long ago, so that the others reap it now and not in 15 s. on_left (with ctx) is called once, when the last command
 * is queued: maybe from inside. It is not called when the connection is lost before: then the others find out by
 * themselves. */
void redis_beat_leave(struct redis_beat *beat, void (*on_left)(void *ctx));

#endif
