/* redis_channels.c -- see redis_channels.h. */
#include "redis_channels.h"

#include <stdlib.h>

#include "../../common/siphash.h"
#include "../../common/xalloc.h"

static unsigned hash_of(const struct redis_channels *channels, struct bytes name)
{
    return (unsigned)siphash13(channels->hash_key, name.data, name.len);
}

void redis_channels_init(struct redis_channels *channels, const struct random *random)
{
    *channels = (struct redis_channels){0};
    channels->hash_key[0] = random_u64(random);
    channels->hash_key[1] = random_u64(random);
}

void redis_channels_close(struct redis_channels *channels)
{
    struct redis_channel *channel = channels->by_name;
    HASH_CLEAR(hh, channels->by_name); /* frees the table, and leaves the items and their order */
    while (channel) {
        struct redis_channel *next = channel->hh.next;
        free(channel);
        channel = next;
    }
    channels->changed = NULL;
}

struct redis_channel *redis_channels_find(const struct redis_channels *channels, struct bytes name)
{
    struct redis_channel *channel;
    HASH_FIND_BYHASHVALUE(hh, channels->by_name, name.data, name.len, hash_of(channels, name), channel);
    return channel;
}

static void note_change(struct redis_channels *channels, struct redis_channel *channel)
{
    if (channel->changed)
        return;
    channel->changed = true;
    channel->next_changed = channels->changed;
    channels->changed = channel;
}

static struct redis_channel *channel_new(struct redis_channels *channels, struct bytes name)
{
    struct redis_channel *channel = xcalloc(1, sizeof *channel + name.len + 1);
    channel->name_len = (uint16_t)name.len;
    memcpy(channel->name, name.data, name.len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, channels->by_name, channel->name, name.len, hash_of(channels, name), channel);
    return channel;
}

struct redis_channel *redis_channels_want(struct redis_channels *channels, struct bytes name, void *subscriber)
{
    struct redis_channel *channel = redis_channels_find(channels, name);
    if (!channel)
        channel = channel_new(channels, name);
    channel->base.subscriber = subscriber;
    channel->base.confirmed = false; /* for this subscriber; the server may know it from before */
    channel->wanted = true;
    channel->told = channel->denied = channel->losing = false;
    note_change(channels, channel);
    return channel;
}

void redis_channels_drop(struct redis_channels *channels, struct redis_channel *channel)
{
    channel->base.subscriber = NULL;
    channel->base.confirmed = false;
    channel->wanted = false;
    note_change(channels, channel);
}

/* What was in flight for the channel has its answer. */
static void answered(struct redis_channels *channels, struct redis_channel *channel)
{
    if (channel->operation == CHANNEL_SUBSCRIBING)
        channels->subscribing--;
    if (channels->asking == channel)
        channels->asking = NULL;
    channel->operation = CHANNEL_QUIET;
}

struct redis_channel *redis_channels_refused(struct redis_channels *channels)
{
    struct redis_channel *channel = channels->asking, *next;
    if (channel) {
        channel->denied = true;
        answered(channels, channel);
        note_change(channels, channel);
        return channel;
    }
    HASH_ITER(hh, channels->by_name, channel, next)
    {
        if (channel->operation != CHANNEL_SUBSCRIBING)
            continue;
        channel->alone = true;
        answered(channels, channel);
        note_change(channels, channel);
    }
    return NULL;
}

void redis_channels_confirmed(struct redis_channels *channels, struct redis_channel *channel)
{
    channel->confirmed = true; /* base.confirmed follows with the telling */
    channel->alone = channel->denied = false;
    answered(channels, channel);
    note_change(channels, channel);
}

static void unconfirm(struct redis_channel *channel)
{
    channel->losing = channel->wanted && channel->told;
    channel->confirmed = channel->base.confirmed = channel->told = false;
}

static void tell_lost(struct redis_channel *channel, redis_channel_lost_fn on_lost, void *ctx)
{
    bool losing = channel->losing && channel->wanted; /* somebody who was told before it may have dropped it */
    channel->losing = false;
    if (losing)
        on_lost(ctx, channel);
}

void redis_channels_gone(struct redis_channels *channels, struct redis_channel *channel, redis_channel_lost_fn on_lost,
                         void *ctx)
{
    if (channel->operation == CHANNEL_UNSUBSCRIBING)
        channel->operation = CHANNEL_QUIET;
    note_change(channels, channel);
    unconfirm(channel);
    tell_lost(channel, on_lost, ctx);
}

void redis_channels_lost(struct redis_channels *channels, redis_channel_lost_fn on_lost, void *ctx)
{
    struct redis_channel *channel, *next;
    HASH_ITER(hh, channels->by_name, channel, next)
    {
        unconfirm(channel);
        channel->denied = false;
        answered(channels, channel);
        note_change(channels, channel);
    }
    HASH_ITER(hh, channels->by_name, channel, next)
    {
        tell_lost(channel, on_lost, ctx);
    }
}

/* Asks for the channel. Returns false when that has to wait for the answer to another. */
static bool subscribe(struct redis_channels *channels, struct redis_channel *channel,
                      const struct redis_channels_ops *ops, void *ctx)
{
    if (channel->denied)
        return true; /* nothing more to do for it */
    if (channels->asking || (channel->alone && channels->subscribing))
        return false;
    if (channel->alone)
        channels->asking = channel;
    channel->operation = CHANNEL_SUBSCRIBING;
    channels->subscribing++;
    ops->subscribe(ctx, (struct bytes){channel->name, channel->name_len});
    return true;
}

/* Does the next thing for one channel. Returns true when it is to be looked at again in the next sync. */
static bool sync_one(struct redis_channels *channels, struct redis_channel *channel, bool up, bool telling,
                     const struct redis_channels_ops *ops, void *ctx)
{
    struct bytes name = {channel->name, channel->name_len};
    if (channel->operation != CHANNEL_QUIET)
        return false; /* its answer notes the change again */
    if (channel->wanted == channel->confirmed) {
        if (!channel->wanted) {
            HASH_DEL(channels->by_name, channel); /* NOLINT(clang-analyzer-core.NullDereference): it is in the table */
            free(channel);
        } else if (!channel->told) {
            if (!telling)
                return true;
            channel->told = channel->base.confirmed = true;
            ops->tell(ctx, channel); /* may drop it, which notes the change */
        }
        return false;
    }
    if (!up)
        return true;
    if (channel->wanted)
        return !subscribe(channels, channel, ops, ctx);
    channel->operation = CHANNEL_UNSUBSCRIBING;
    ops->unsubscribe(ctx, name);
    return false;
}

void redis_channels_sync(struct redis_channels *channels, bool up, bool telling, const struct redis_channel *pinned,
                         const struct redis_channels_ops *ops, void *ctx)
{
    /* The list is taken first: what the callbacks change goes onto a new one, for the next sync. */
    struct redis_channel *channel = channels->changed;
    channels->changed = NULL;
    while (channel) {
        struct redis_channel *next = channel->next_changed;
        channel->changed = false;
        if (channel == pinned || sync_one(channels, channel, up, telling, ops, ctx))
            note_change(channels, channel);
        channel = next;
    }
}
