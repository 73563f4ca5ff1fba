/* ticket.h -- what every publish carries through the bus, so that its end finds its way back.
 *
 * Embedded first in what the publisher keeps. Exactly one of the two is called, unless the bus is closed before; ctx is
 * the rooms. Owned by: who publishes. */
#ifndef PLENUM_GATEWAY_ROOM_TICKET_H
#define PLENUM_GATEWAY_ROOM_TICKET_H

#include "../bus/bus.h"

struct ticket {
    void (*on_published)(void *ctx, struct ticket *ticket, struct bytes epoch, uint64_t seq, bool duplicate);
    void (*on_failed)(void *ctx, struct ticket *ticket, enum bus_failure failure);
    bool came; /* what was published came by as a message */
};

#endif
