/* redis_inbox.h -- the channels that a gateway hears for itself: its own, and the admins' two.
 *
 * plenum:{gw:<gw>}:in brings signals and probes; plenum:ctl and plenum:ctl:<gw> bring commands.
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_INBOX_H
#define PLENUM_GATEWAY_BUS_REDIS_INBOX_H

#include "redis_channels.h"

enum redis_inbox_kind { INBOX_NONE, INBOX_OWN, INBOX_CONTROL };

/* Zero in the beginning. The channels belong to the table. */
struct redis_inbox {
    struct redis_channel *own, *control, *control_own; /* NULL before the id is claimed */
};

/* The gateway's id was claimed: wants its channels, and drops those of an earlier id. subscriber is what the channels
 * carry as theirs, not NULL. */
void redis_inbox_open(struct redis_inbox *inbox, struct redis_channels *channels, struct bytes prefix, uint32_t gateway,
                      void *subscriber);

/* Which of them the channel is. */
static inline enum redis_inbox_kind redis_inbox_kind_of(const struct redis_inbox *inbox,
                                                        const struct redis_channel *channel)
{
    if (channel == inbox->own)
        return INBOX_OWN;
    return channel == inbox->control || channel == inbox->control_own ? INBOX_CONTROL : INBOX_NONE;
}

#endif
