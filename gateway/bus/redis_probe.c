/* redis_probe.c -- see redis_probe.h. */
#include "redis_probe.h"

enum { SILENCE_MS = 5000, DEADLINE_MS = 2000 };

enum redis_probe_action redis_probe_tick(struct redis_probe *probe, uint64_t now_ms)
{
    if (probe->heard) {
        redis_probe_start(probe, now_ms);
        return PROBE_WAIT;
    }
    if (now_ms - probe->since_ms < (probe->sent ? DEADLINE_MS : SILENCE_MS))
        return PROBE_WAIT;
    if (probe->sent)
        return PROBE_DEAF;
    probe->sent = true;
    probe->since_ms = now_ms;
    return PROBE_SEND;
}
