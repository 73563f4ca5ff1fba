/* redis_pubsub.h -- what a subscribed connection says, told from the values of its replies.
 *
 * A message's channel and payload may come in two feeds of the reader, and the channel's bytes die in between: so the
 * channel is told as soon as it is read, and whoever is called resolves it then and keeps what it found for the
 * payload. Owned by: redis_link. Knows no socket and no table of channels. Thread: its owner's. */
#ifndef PLENUM_COMMON_REDIS_PUBSUB_H
#define PLENUM_COMMON_REDIS_PUBSUB_H

#include "bytes.h"
#include "resp.h"

struct redis_pubsub_events {
    void (*on_channel)(void *ctx, struct bytes channel);      /* the next payload belongs to it */
    void (*on_payload)(void *ctx, struct bytes payload);      /* follows each on_channel, unless the link goes down */
    void (*on_subscribed)(void *ctx, struct bytes channel);   /* the server has confirmed it */
    void (*on_unsubscribed)(void *ctx, struct bytes channel); /* likewise, or the server took it away */
    void (*on_denied)(void *ctx, struct bytes error);         /* -NOPERM to a SUBSCRIBE: none of its channels was */
};

struct redis_pubsub {
    enum {
        PUBSUB_OTHER,
        PUBSUB_MESSAGE, /* its channel comes next */
        PUBSUB_PAYLOAD, /* its channel was told */
        PUBSUB_SUBSCRIBE,
        PUBSUB_UNSUBSCRIBE,
        PUBSUB_PONG
    } kind; /* of the reply that is being read */
};

enum redis_pubsub_result {
    PUBSUB_TOLD,    /* the events' business */
    PUBSUB_IS_PONG, /* value is the nonce of a PING's answer, which has two shapes */
    PUBSUB_IS_ERROR /* value is an error */
};

/* Takes the next value of the connection's replies, and tells what it means. */
enum redis_pubsub_result redis_pubsub_value(struct redis_pubsub *pubsub, const struct resp_value *value,
                                            const struct redis_pubsub_events *events, void *ctx);

#endif
