/* names.h -- every Redis key and channel, and the rules for a room's name: the only place that spells them.
 *
 * The list of names, with types and life times, stands in the README ("What stands in Redis"). */
#ifndef PLENUM_COMMON_NAMES_H
#define PLENUM_COMMON_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum {
    ROOM_NAME_MAX = 164,  /* bytes; Pusher's longest channel name fits */
    PREFIX_MAX = 64,      /* bytes of --redis-prefix */
    NAME_BUFFER = 320,    /* enough for any key or channel, with its terminator */
    GATEWAY_ID_DIGITS = 8 /* hex digits of a gateway id; a member id is two of these */
};

/* True for [A-Za-z0-9_.:=@,;-]{1,164} that does not begin with '@' (reserved). */
bool room_name_valid(struct bytes name);

/* True for a usable --redis-prefix: [A-Za-z0-9_.:-]{1,64}. */
bool prefix_valid(struct bytes prefix);

/* Each writes a terminated name into out and returns its length. Arguments are valid names. */
size_t name_room_channel(char out[NAME_BUFFER], struct bytes prefix, struct bytes room); /* plenum:{lobby} */
size_t name_gateway_inbox(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway); /* plenum:{gw:0a1b2c3d}:in */
size_t name_gateways(char out[NAME_BUFFER], struct bytes prefix);                        /* plenum:gws */
size_t name_gateway(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway);       /* plenum:gw:0a1b2c3d */
size_t name_gateway_rooms(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway); /* plenum:gw:0a1b2c3d:rooms */
size_t name_bans(char out[NAME_BUFFER], struct bytes prefix);                            /* plenum:bans */
size_t name_control(char out[NAME_BUFFER], struct bytes prefix);                         /* plenum:ctl */
size_t name_control_of(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway);    /* plenum:ctl:0a1b2c3d */
size_t name_control_answers(char out[NAME_BUFFER], struct bytes prefix);                 /* plenum:ctl:ack */

/* What belongs to one room; all of its keys share a hash slot with its channel. */
enum room_key {
    ROOM_HISTORY,   /* plenum:{lobby}:hist */
    ROOM_META,      /* plenum:{lobby}:meta */
    ROOM_KEYS_EVEN, /* plenum:{lobby}:mid:0 */
    ROOM_KEYS_ODD,  /* plenum:{lobby}:mid:1 */
    ROOM_GATEWAYS,  /* plenum:{lobby}:gws */
    ROOM_STATE      /* plenum:{lobby}:state */
};
size_t name_room_key(char out[NAME_BUFFER], struct bytes prefix, struct bytes room, enum room_key key);
size_t name_room_members(char out[NAME_BUFFER], struct bytes prefix, struct bytes room,
                         uint32_t gateway); /* plenum:{lobby}:m:0a1b2c3d */

#endif
