/* health.c -- see health.h. */
#include "health.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { SILENT_MS = 5000 }; /* a turn lasts milliseconds and the sweep timer wakes every loop 20 times a second */

bool health_live(const struct counters *const *workers, int count, uint64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        uint64_t last_ms = counter_get(workers[i], GAUGE_LAST_TURN_MS);
        /* the worker may have ticked after the caller looked at the clock */
        if (last_ms < now_ms && now_ms - last_ms >= SILENT_MS)
            return false;
    }
    return true;
}

static bool bus_up(const struct counters *const *workers, int count)
{
    for (int i = 0; i < count; i++) {
        if (!counter_get(workers[i], GAUGE_BUS_UP))
            return false;
    }
    return true;
}

char *health_ready(const struct counters *const *workers, int count, bool uses_redis, bool ready_needs_redis,
                   bool draining, int *status, size_t *len)
{
    bool redis_up = uses_redis && bus_up(workers, count);
    bool lacks_redis = uses_redis && ready_needs_redis && !redis_up;
    *status = draining || lacks_redis ? 503 : 200;

    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "status", draining ? "draining" : lacks_redis ? "unavailable" : "ready");
    cJSON_AddStringToObject(body, uses_redis ? "redis" : "bus", !uses_redis ? "local" : redis_up ? "up" : "down");
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (!text)
        abort(); /* out of memory, as in xalloc.h */
    *len = strlen(text);
    return text;
}
