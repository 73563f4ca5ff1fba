/* redis_inbox.c -- see redis_inbox.h. */
#include "redis_inbox.h"

#include "../../common/names.h"

static void want(struct redis_channel **slot, struct redis_channels *channels, struct bytes name, void *subscriber)
{
    if (*slot && bytes_equal((struct bytes){(*slot)->name, (*slot)->name_len}, name))
        return;
    if (*slot)
        redis_channels_drop(channels, *slot);
    *slot = redis_channels_want(channels, name, subscriber);
}

void redis_inbox_open(struct redis_inbox *inbox, struct redis_channels *channels, struct bytes prefix, uint32_t gateway,
                      void *subscriber)
{
    char name[NAME_BUFFER];
    want(&inbox->own, channels, (struct bytes){name, name_gateway_inbox(name, prefix, gateway)}, subscriber);
    want(&inbox->control, channels, (struct bytes){name, name_control(name, prefix)}, subscriber);
    want(&inbox->control_own, channels, (struct bytes){name, name_control_of(name, prefix, gateway)}, subscriber);
}
