/* redis_subscriber.h -- the worker's subscribing connection: brings the wanted channels to the server and the messages
 * back.
 *
 * The connection does nothing but SUBSCRIBE, UNSUBSCRIBE and PING, and is never paused: a server that cannot get rid of
 * its messages closes it. After a loss everything wanted is subscribed again.
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_SUBSCRIBER_H
#define PLENUM_GATEWAY_BUS_REDIS_SUBSCRIBER_H

#include "../../common/redis_link.h"
#include "redis_channels.h"

struct redis_subscriber_events {
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, enum redis_loss reason);
    void (*on_confirmed)(void *ctx, struct redis_channel *channel);
    void (*on_lost)(void *ctx, struct redis_channel *channel); /* a confirmed one; on_confirmed follows some time */
    void (*on_message)(void *ctx, struct redis_channel *channel, struct bytes message); /* of wanted channels only */
    void (*on_closed)(void *ctx);
};

struct redis_subscriber {
    struct redis_link link;
    struct redis_link_options link_options;
    struct redis_channels channels;
    struct redis_channel *current;     /* of the message that is being read: pinned until its payload is there */
    bool telling;                      /* confirmations may be told */
    uint64_t denial_logged_ms;         /* when the log was told last that a channel is refused */
    struct subscribe_batches *batches; /* the commands that a sync puts together */
    const struct redis_subscriber_events *events; /* constant, with ctx given back in each call */
    void *ctx;
};

/* Begins to connect. Arguments are borrowed for the subscriber's life; options is copied, but for what it points to. */
void redis_subscriber_init(struct redis_subscriber *subscriber, const struct env *env,
                           const struct redis_link_options *options, const struct redis_subscriber_events *events,
                           void *ctx);
/* Ends it; on_closed comes later, and nothing else. */
void redis_subscriber_close(struct redis_subscriber *subscriber);

/* From now on confirmations are told; before, they wait. */
void redis_subscriber_start_telling(struct redis_subscriber *subscriber);

/* Brings what changed in subscriber->channels to the server; tells confirmations that are due. */
void redis_subscriber_flush(struct redis_subscriber *subscriber);
/* Frees what nobody wants any more while there is no connection; a few times a second. */
void redis_subscriber_tick(struct redis_subscriber *subscriber);

#endif
