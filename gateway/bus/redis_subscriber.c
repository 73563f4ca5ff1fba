/* redis_subscriber.c -- see redis_subscriber.h. */
#include "redis_subscriber.h"

#include <stdlib.h>

#include "../../common/xalloc.h"

enum {
    BATCH_CHANNELS = 512, /* a command: enough to save work, short enough for the server to serve others between */
    DENIAL_LOG_EVERY_MS = 1000
};

/* One command in the making: the verb, then names that the channel table owns. */
struct batch {
    const char *argv[1 + BATCH_CHANNELS];
    size_t lens[1 + BATCH_CHANNELS];
    int argc;
};

struct subscribe_batches {
    struct batch subscribe, unsubscribe;
};

/* ---- towards the server ---- */

static void batch_send(struct redis_subscriber *subscriber, struct batch *batch)
{
    if (batch->argc > 1)
        redis_link_command(&subscriber->link, batch->argc, batch->argv, batch->lens);
    batch->argc = 1;
}

static void batch_add(struct redis_subscriber *subscriber, struct batch *batch, struct bytes name)
{
    batch->argv[batch->argc] = name.data;
    batch->lens[batch->argc] = name.len;
    if (++batch->argc > BATCH_CHANNELS)
        batch_send(subscriber, batch);
}

static void ask_subscribe(void *ctx, struct bytes name)
{
    struct redis_subscriber *subscriber = ctx;
    batch_add(subscriber, &subscriber->batches->subscribe, name);
}

static void ask_unsubscribe(void *ctx, struct bytes name)
{
    struct redis_subscriber *subscriber = ctx;
    batch_add(subscriber, &subscriber->batches->unsubscribe, name);
}

static void tell_confirmed(void *ctx, struct redis_channel *channel)
{
    struct redis_subscriber *subscriber = ctx;
    subscriber->events->on_confirmed(subscriber->ctx, channel);
}

static void send_wants(struct redis_subscriber *subscriber)
{
    static const struct redis_channels_ops ops = {ask_subscribe, ask_unsubscribe, tell_confirmed};
    redis_channels_sync(&subscriber->channels, redis_link_up(&subscriber->link), subscriber->telling,
                        subscriber->current, &ops, subscriber);
    batch_send(subscriber, &subscriber->batches->subscribe);
    batch_send(subscriber, &subscriber->batches->unsubscribe);
}

void redis_subscriber_flush(struct redis_subscriber *subscriber)
{
    /* While it is down, every wanted channel stands in the list of changes: not to be walked each turn. */
    if (!redis_link_up(&subscriber->link))
        return;
    if (subscriber->channels.changed)
        send_wants(subscriber);
    redis_link_flush(&subscriber->link);
}

void redis_subscriber_tick(struct redis_subscriber *subscriber)
{
    if (!redis_link_up(&subscriber->link))
        send_wants(subscriber);
}

void redis_subscriber_start_telling(struct redis_subscriber *subscriber)
{
    subscriber->telling = true;
}

/* ---- from the server ---- */

static void on_channel(void *ctx, struct bytes name)
{
    struct redis_subscriber *subscriber = ctx;
    subscriber->current = redis_channels_find(&subscriber->channels, name);
}

static void on_payload(void *ctx, struct bytes payload)
{
    struct redis_subscriber *subscriber = ctx;
    struct redis_channel *channel = subscriber->current;
    subscriber->current = NULL;
    if (channel && channel->wanted)
        subscriber->events->on_message(subscriber->ctx, channel, payload);
}

static void on_subscribed(void *ctx, struct bytes name)
{
    struct redis_subscriber *subscriber = ctx;
    struct redis_channel *channel = redis_channels_find(&subscriber->channels, name);
    if (channel)
        redis_channels_confirmed(&subscriber->channels, channel);
}

static void tell_lost(void *ctx, struct redis_channel *channel)
{
    struct redis_subscriber *subscriber = ctx;
    subscriber->events->on_lost(subscriber->ctx, channel);
}

static void on_unsubscribed(void *ctx, struct bytes name)
{
    struct redis_subscriber *subscriber = ctx;
    struct redis_channel *channel = redis_channels_find(&subscriber->channels, name);
    if (channel)
        redis_channels_gone(&subscriber->channels, channel, tell_lost, subscriber);
}

static void on_denied(void *ctx, struct bytes error)
{
    struct redis_subscriber *subscriber = ctx;
    const struct redis_channel *channel = redis_channels_refused(&subscriber->channels);
    if (!channel)
        return; /* one of several: they are asked for one by one now */
    const struct env *env = subscriber->link.env;
    uint64_t now = clock_ms(env->clock);
    if (subscriber->denial_logged_ms && now - subscriber->denial_logged_ms < DENIAL_LOG_EVERY_MS)
        return;
    subscriber->denial_logged_ms = now ? now : 1;
    log_event(env->log, LOG_WARN, "redis refuses a channel",
              log_bytes("channel", (struct bytes){channel->name, channel->name_len}), log_bytes("error", error));
}

static void on_up(void *ctx)
{
    struct redis_subscriber *subscriber = ctx;
    subscriber->events->on_up(subscriber->ctx);
}

static void on_down(void *ctx, enum redis_loss reason)
{
    struct redis_subscriber *subscriber = ctx;
    subscriber->current = NULL;
    redis_channels_lost(&subscriber->channels, tell_lost, subscriber);
    subscriber->events->on_down(subscriber->ctx, reason);
}

static void on_link_closed(void *ctx)
{
    struct redis_subscriber *subscriber = ctx;
    redis_channels_close(&subscriber->channels);
    free(subscriber->batches);
    subscriber->events->on_closed(subscriber->ctx);
}

/* ---- life ---- */

static const struct redis_link_events link_events = {
    .on_up = on_up,
    .on_down = on_down,
    .pubsub =
        {
            .on_channel = on_channel,
            .on_payload = on_payload,
            .on_subscribed = on_subscribed,
            .on_unsubscribed = on_unsubscribed,
            .on_denied = on_denied,
        },
    .on_closed = on_link_closed,
};

static struct subscribe_batches *batches_new(void)
{
    struct subscribe_batches *batches = xcalloc(1, sizeof *batches);
    batches->subscribe.argv[0] = "SUBSCRIBE";
    batches->subscribe.lens[0] = strlen("SUBSCRIBE");
    batches->subscribe.argc = 1;
    batches->unsubscribe.argv[0] = "UNSUBSCRIBE";
    batches->unsubscribe.lens[0] = strlen("UNSUBSCRIBE");
    batches->unsubscribe.argc = 1;
    return batches;
}

void redis_subscriber_init(struct redis_subscriber *subscriber, const struct env *env,
                           const struct redis_link_options *options, const struct redis_subscriber_events *events,
                           void *ctx)
{
    *subscriber = (struct redis_subscriber){.events = events, .ctx = ctx, .link_options = *options};
    subscriber->batches = batches_new();
    redis_channels_init(&subscriber->channels, env->random);
    redis_link_init(&subscriber->link, env, &subscriber->link_options, &link_events, subscriber);
}

void redis_subscriber_close(struct redis_subscriber *subscriber)
{
    redis_link_close(&subscriber->link);
}
