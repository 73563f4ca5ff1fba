/* redis_reaper.h -- finds out that a gateway has died.
 *
 * Every 3 s each worker looks at plenum:gws. A gateway without a beat for 15 s, by the server's clock, is removed
 * (redis_reaping), one after the other.
 * After each connect that had to be waited for, and when the server's generation changes, it pauses for 30 s: all beats
 * are old when a server comes back, and nobody has died. A process that has just started cannot know whether the others
 * were silent because there was no server: so a beat counts as old only when it has also been looked at for 6 s, in
 * which whoever lives would have found the server and beaten again. Owned by: redis_bus, which embeds it. Thread: the
 * worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_REAPER_H
#define PLENUM_GATEWAY_BUS_REDIS_REAPER_H

#include "redis_reaping.h"

/* A gateway's last beat, and since when it has been that one here. */
struct reaper_beat {
    uint64_t gateway, beat_ms, since_ms;
};

struct redis_reaper {
    struct redis_common *common;
    struct redis_reaping reaping;
    bool up;
    bool pausing;
    uint64_t paused_ms; /* since when */
    uint64_t poll_ms;   /* when it last looked; 0: it is time */

    uint32_t polls;     /* commands of a look that have not ended */
    uint64_t server_ms; /* the server's clock, by TIME's answer; 0: not told */
    uint64_t seen;      /* the gateway of plenum:gws that came last */
    bool seen_valid;
    struct reaper_beat *before, *now; /* beats of the last look, and of this one */
    uint32_t before_count, now_count, now_cap;
    uint32_t silent;  /* the one that has been silent for longest; 0: none */
    uint64_t beat_ms; /* its last beat */
    uint32_t shunned; /* one that could not be removed: others go first next time; 0: none */
};

/* Arguments are borrowed for its life. */
void redis_reaper_init(struct redis_reaper *reaper, struct redis_common *common, const struct redis_channels *channels);
void redis_reaper_close(struct redis_reaper *reaper); /* the commander's on_closed has come */

/* The id is claimed on a new connection. at_once: it is the process' first one, and came with the first attempt. */
void redis_reaper_up(struct redis_reaper *reaper, bool at_once);
void redis_reaper_down(struct redis_reaper *reaper); /* the commander went down, or the bus is closing */
/* The server's generation has changed. */
void redis_reaper_pause(struct redis_reaper *reaper);
/* A few times a second. */
void redis_reaper_tick(struct redis_reaper *reaper, uint64_t now_ms);

#endif
