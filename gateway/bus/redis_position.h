/* redis_position.h -- reads what presence.lua answers: "<epoch> <gen> <seq> <base> <prev> <prevtop> <pv> <known>".
 *
 * An epoch that is not there is '-', and is read as empty. Pure. Called by: redis_log, redis_presence. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_POSITION_H
#define PLENUM_GATEWAY_BUS_REDIS_POSITION_H

#include "bus.h"

/* Reads it; the fields point into text. False when it is none. */
bool redis_position_read(struct bytes text, struct bus_position *position, struct bytes *gen)
    __attribute__((warn_unused_result));

/* Reads decimal digits, all of text; false when they are none or more than 64 bits. */
bool redis_number_read(struct bytes text, uint64_t *number) __attribute__((warn_unused_result));

/* Reads a gateway's or member's id: exactly that many lower case hex digits (8, 16). */
bool redis_id_read(struct bytes text, size_t digits, uint64_t *id) __attribute__((warn_unused_result));

#endif
