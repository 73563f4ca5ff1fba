/* random.h -- randomness, as a thing that is handed in.
 *
 * The system's generator serves ids, nonces and hash keys; a test hands in a repeatable one. */
#ifndef PLENUM_COMMON_RANDOM_H
#define PLENUM_COMMON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    void (*fill)(void *ctx, void *buffer, size_t len);
    void *ctx;
};

/* The kernel's generator; aborts where there is none, as nothing here may run on guessable ids. */
const struct random *random_system(void);

uint32_t random_u32(const struct random *random);
uint64_t random_u64(const struct random *random);

/* A number from 0 to bound - 1; 0 when bound is 0. For jitter: the bias of the modulo is accepted. */
uint32_t random_below(const struct random *random, uint32_t bound);

#endif
