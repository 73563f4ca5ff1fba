/* local_hash.h -- names and values: a room's state, and the bans, on the local bus.
 *
 * Owned by: local_rooms, local_hub. Thread: any, under the hub's lock. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_HASH_H
#define PLENUM_GATEWAY_BUS_LOCAL_HASH_H

#include <stdint.h>

#include "../../common/bytes.h"

struct local_field;

struct local_hash {
    struct local_field *fields; /* NULL: none */
};

/* Writes a field; an empty value removes it. hash_key: of the hub's tables. */
void local_hash_write(struct local_hash *hash, const uint64_t hash_key[2], struct bytes name, struct bytes value);

/* Calls see for each field, in the order in which they were first written. */
void local_hash_each(const struct local_hash *hash, void (*see)(void *ctx, struct bytes name, struct bytes value),
                     void *ctx);

/* Removes them all. */
void local_hash_clear(struct local_hash *hash);

#endif
