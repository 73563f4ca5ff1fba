/* bans.h -- who may not be in which room, as plenum:bans says.
 *
 * The whole hash is kept here and read every 10 s, before anyone is let in unless that was less than a second ago, and
 * at once when a command says that it has changed; whoever it names is put out. Owned by: rooms. */
#ifndef PLENUM_GATEWAY_ROOM_BANS_H
#define PLENUM_GATEWAY_ROOM_BANS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/bytes.h"

struct bans;
struct rooms;

struct bans *bans_new(struct rooms *rooms);
void bans_free(struct bans *bans);

/* False before they were read for the first time: nobody is let in then. */
bool bans_known(struct bans *bans);
bool bans_hit(const struct bans *bans, struct bytes room, struct bytes user);
void bans_sweep(struct bans *bans, uint64_t now_ms);

#endif
