/* random.c -- see random.h. */
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static void system_fill(void *ctx, void *buffer, size_t len)
{
    (void)ctx;
    int status = uv_random(NULL, NULL, buffer, len, 0, NULL);
    if (status < 0) {
        fprintf(stderr, "plenum: no random numbers: %s\n", uv_strerror(status));
        abort();
    }
}

const struct random *random_system(void)
{
    static const struct random system = {system_fill, NULL};
    return &system;
}

uint32_t random_u32(const struct random *random)
{
    uint32_t value;
    random->fill(random->ctx, &value, sizeof value);
    return value;
}

uint64_t random_u64(const struct random *random)
{
    uint64_t value;
    random->fill(random->ctx, &value, sizeof value);
    return value;
}

uint32_t random_below(const struct random *random, uint32_t bound)
{
    return bound ? random_u32(random) % bound : 0;
}
