/* redis_beat.h -- this gateway's place in Redis: its id, claimed, and its sign of life every 3 s.
 *
 * plenum:gw:<gw> is claimed with a nonce before anybody is let into a room, so no two gateways give out the same member
 * ids; it says who and how busy the gateway is, and dies 15 s after the last beat.
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_BEAT_H
#define PLENUM_GATEWAY_BUS_REDIS_BEAT_H

#include "redis_bus.h"
#include "redis_commander.h"

struct redis_beat {
    const struct env *env;
    const struct redis_bus_options *options; /* its report function is given report_ctx */
    void *report_ctx;
    struct redis_commander *commander;
    uint32_t gateway; /* the id: random from the first moment, another one when it was taken */
    bool claimed;     /* on this connection */
    bool complained;  /* about a beat that was refused, on this connection */
    char nonce[17];   /* whose the id is */
    char seconds[24]; /* of TIME's answer, until its second half is there */
    uint64_t beat_ms; /* when the last beat was begun */
    uint64_t report_ms;
    struct gateway_report report; /* of that beat: rates are differences */
    void (*on_claimed)(void *ctx);
    void *ctx;
};

/* Arguments are borrowed for the beat's life. on_claimed is called each time that the commander came up and the id was
 * found to be ours (maybe another one than before). */
void redis_beat_init(struct redis_beat *beat, const struct env *env, const struct redis_bus_options *options,
                     void *report_ctx, struct redis_commander *commander, void (*on_claimed)(void *ctx), void *ctx);

void redis_beat_up(struct redis_beat *beat);   /* the commander came up: claims */
void redis_beat_down(struct redis_beat *beat); /* it went down */
void redis_beat_tick(struct redis_beat *beat, uint64_t now_ms);

/* Queues the farewell: the id is free at once. */
void redis_beat_leave(struct redis_beat *beat);

#endif
