/* redis_reaping.h -- removes one dead gateway, room by room.
 *
 * Its members are taken out of each room that it had members in, and the room is told (reap.lua: once, however many
 * try). First the rooms that this worker serves, then a random handful of what is left, again and again, so that the
 * reapers share the work. A room is taken off the dead one's set after it was reaped, and the gateway's own entries go
 * last, so that a reaper may die anywhere and another one finishes. Before each handful it looks whether the gateway
 * has beaten again. Owned by: redis_reaper, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_REAPING_H
#define PLENUM_GATEWAY_BUS_REDIS_REAPING_H

#include "reaper_rooms.h"
#include "redis_asks.h"
#include "redis_channels.h"

enum reaping_end {
    REAPING_DONE,    /* here, or by another gateway */
    REAPING_STOPPED, /* no answer, redis_reaping_stop, or it lives: another look at the beats begins anew */
    REAPING_DENIED   /* the server does not let it be removed, or not all of it; logged */
};

/* What it waits for the answer of. */
enum reaping_state {
    REAPING_NOTHING,
    REAPING_LIST,    /* which of its rooms are served here? */
    REAPING_HANDFUL, /* some rooms */
    REAPING_TURN,    /* they are done: is the gateway still silent, and what is next? */
    REAPING_LAST     /* the gateway's own entries */
};

struct redis_reaping {
    struct redis_common *common;
    const struct redis_channels *channels; /* which rooms are served here */
    void (*on_end)(void *ctx, enum reaping_end end);
    void *ctx;

    enum reaping_state state;
    uint32_t pending; /* commands of this state that have not ended */
    bool stopping;
    bool lost;      /* one of them had no answer */
    bool refused;   /* one was refused */
    bool forgotten; /* the server does not know the script */

    uint32_t gateway;
    char gateway_text[12];
    uint64_t beat_ms; /* its last beat */
    bool gone;        /* another reaper has finished it */
    bool alive;       /* it has beaten again */
    bool drained;     /* nothing is left in its set of rooms */

    struct reaper_rooms rooms; /* to be reaped; the handful is being reaped */
    uint64_t failed;           /* of the handful, a bit each: the script was refused */
    bool loaded;               /* the scripts were loaded again for this handful */
    uint64_t rooms_reaped, members_reaped;
};

/* Arguments are borrowed for its life. on_end is called once for each redis_reaping_begin, never from inside it, and
 * may begin another. */
void redis_reaping_init(struct redis_reaping *reaping, struct redis_common *common,
                        const struct redis_channels *channels, void (*on_end)(void *ctx, enum reaping_end end),
                        void *ctx);
void redis_reaping_close(struct redis_reaping *reaping); /* the commander's on_closed has come */

/* Begins, while none is under way. beat_ms: the last beat, for which the gateway is held to be dead. */
void redis_reaping_begin(struct redis_reaping *reaping, uint32_t gateway, uint64_t beat_ms);
/* No command follows those that are under way. */
void redis_reaping_stop(struct redis_reaping *reaping);

static inline bool redis_reaping_busy(const struct redis_reaping *reaping)
{
    return reaping->state != REAPING_NOTHING;
}

#endif
