/* redis_pubsub.c -- see redis_pubsub.h. */
#include "redis_pubsub.h"

static int kind_of(struct bytes word)
{
    if (bytes_equal(word, BYTES("message")))
        return PUBSUB_MESSAGE;
    if (bytes_equal(word, BYTES("subscribe")))
        return PUBSUB_SUBSCRIBE;
    if (bytes_equal(word, BYTES("unsubscribe")))
        return PUBSUB_UNSUBSCRIBE;
    return bytes_equal(word, BYTES("pong")) ? PUBSUB_PONG : PUBSUB_OTHER;
}

static void on_message_channel(struct redis_pubsub *pubsub, struct bytes channel,
                               const struct redis_pubsub_events *events, void *ctx)
{
    pubsub->kind = PUBSUB_PAYLOAD;
    events->on_channel(ctx, channel);
}

/* Elements: [message, channel, payload], [subscribe, channel, count], [unsubscribe, channel, count], [pong, nonce]. */
static enum redis_pubsub_result on_element(struct redis_pubsub *pubsub, const struct resp_value *value,
                                           const struct redis_pubsub_events *events, void *ctx)
{
    if (value->type != RESP_STRING)
        return PUBSUB_TOLD;
    if (value->index == 0)
        pubsub->kind = kind_of(value->text);
    else if (value->index == 1 && pubsub->kind == PUBSUB_MESSAGE)
        on_message_channel(pubsub, value->text, events, ctx);
    else if (value->index == 2 && pubsub->kind == PUBSUB_PAYLOAD)
        events->on_payload(ctx, value->text);
    else if (value->index == 1 && pubsub->kind == PUBSUB_SUBSCRIBE)
        events->on_subscribed(ctx, value->text);
    else if (value->index == 1 && pubsub->kind == PUBSUB_UNSUBSCRIBE)
        events->on_unsubscribed(ctx, value->text);
    else if (value->index == 1 && pubsub->kind == PUBSUB_PONG)
        return PUBSUB_IS_PONG;
    return PUBSUB_TOLD;
}

enum redis_pubsub_result redis_pubsub_value(struct redis_pubsub *pubsub, const struct resp_value *value,
                                            const struct redis_pubsub_events *events, void *ctx)
{
    if (value->type == RESP_ERROR)
        return PUBSUB_IS_ERROR;
    if (value->depth == 1)
        return on_element(pubsub, value, events, ctx);
    if (value->depth == 0 && value->type == RESP_STRING) /* PING's answer while nothing is subscribed */
        return PUBSUB_IS_PONG;
    pubsub->kind = PUBSUB_OTHER;
    return PUBSUB_TOLD;
}
