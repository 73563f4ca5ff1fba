/* counters.c -- which counter an HTTP status, a close code or a latency belongs to; see counters.h. */
#include "counters.h"

const uint32_t latency_bucket_ms[LATENCY_BUCKETS] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

enum counter counter_of_status(int status)
{
    switch (status) {
    case 200:
        return COUNT_HTTP_200;
    case 304:
        return COUNT_HTTP_304;
    case 400:
        return COUNT_HTTP_400;
    case 403:
        return COUNT_HTTP_403;
    case 404:
        return COUNT_HTTP_404;
    case 405:
        return COUNT_HTTP_405;
    case 408:
        return COUNT_HTTP_408;
    case 413:
        return COUNT_HTTP_413;
    case 414:
        return COUNT_HTTP_414;
    case 426:
        return COUNT_HTTP_426;
    case 431:
        return COUNT_HTTP_431;
    case 503:
        return COUNT_HTTP_503;
    case 505:
        return COUNT_HTTP_505;
    default:
        return COUNT_HTTP_OTHER;
    }
}

enum counter counter_of_close(int code)
{
    switch (code) {
    case 1000:
    case 1005: /* a close frame without a code, as a browser's close() sends it: a normal end too */
        return COUNT_CLOSE_1000;
    case 1001:
        return COUNT_CLOSE_1001;
    case 1002:
        return COUNT_CLOSE_1002;
    case 1003:
        return COUNT_CLOSE_1003;
    case 1007:
        return COUNT_CLOSE_1007;
    case 1008:
        return COUNT_CLOSE_1008;
    case 1009:
        return COUNT_CLOSE_1009;
    case 1011:
        return COUNT_CLOSE_1011;
    case 1012:
        return COUNT_CLOSE_1012;
    case 1013:
        return COUNT_CLOSE_1013;
    case 0:
    case 1006:
        return COUNT_CLOSE_NONE;
    default:
        return COUNT_CLOSE_OTHER;
    }
}

/* The one writer's add, as counter_add has it. */
static void add(_Atomic uint64_t *value, uint64_t amount)
{
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount, memory_order_relaxed);
}

void counter_latency(struct counters *counters, int64_t latency_ms, uint64_t messages)
{
    uint64_t ms = latency_ms > 0 ? (uint64_t)latency_ms : 0;
    int bucket = 0;
    while (bucket < LATENCY_BUCKETS && ms > latency_bucket_ms[bucket])
        bucket++;
    add(&counters->latency[bucket], messages);
    add(&counters->latency_sum_ms, ms * messages);
}
