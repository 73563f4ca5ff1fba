/* redis_channels.h -- which channels are wanted, and which the server has confirmed.
 *
 * Kept per channel, with at most one operation of a channel in flight: never as a queue of expected replies, since an
 * unsubscribe that the server does by itself cannot be told from an answer. A channel whose wish and truth differ
 * stands in the list of changes, which redis_channels_sync works off once per turn. Owned by: redis_subscriber. Knows
 * no connection. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_CHANNELS_H
#define PLENUM_GATEWAY_BUS_REDIS_CHANNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/bytes.h"
#include "../../common/random.h"
#include "bus.h"
#include "uthash.h"

struct redis_channel {
    struct bus_channel base;            /* first: what the subscriber holds */
    struct redis_channel *next_changed; /* in the list of changes */
    UT_hash_handle hh;
    enum { CHANNEL_QUIET, CHANNEL_SUBSCRIBING, CHANNEL_UNSUBSCRIBING } operation; /* in flight */
    bool wanted;
    bool confirmed; /* by the server, on this connection */
    bool told;      /* the subscriber knows that it is confirmed; told again after a loss */
    bool losing;    /* it is to be told that it was lost */
    bool changed;   /* stands in the list of changes */
    bool alone;     /* a command that named it was refused: ask for it by itself */
    bool denied;    /* it was refused by itself: not asked for again on this connection */
    uint16_t name_len;
    char name[]; /* of the channel on the server, terminated */
};

struct redis_channels {
    struct redis_channel *by_name;
    struct redis_channel *changed;
    uint64_t hash_key[2];         /* names come from strangers */
    uint32_t subscribing;         /* channels with a SUBSCRIBE in flight */
    struct redis_channel *asking; /* the one that is asked for by itself; no other SUBSCRIBE is in flight then */
};

/* What redis_channels_sync asks for. Names are borrowed for the call. */
struct redis_channels_ops {
    void (*subscribe)(void *ctx, struct bytes name);
    void (*unsubscribe)(void *ctx, struct bytes name);
    void (*tell)(void *ctx, struct redis_channel *channel); /* on_confirmed is due */
};

void redis_channels_init(struct redis_channels *channels, const struct random *random);
void redis_channels_close(struct redis_channels *channels);

struct redis_channel *redis_channels_find(const struct redis_channels *channels, struct bytes name);

/* Wants the channel of that name, which may be known from an earlier time. subscriber is not NULL. */
struct redis_channel *redis_channels_want(struct redis_channels *channels, struct bytes name, void *subscriber);
/* No longer wants it. The memory goes in a later sync, never in here. */
void redis_channels_drop(struct redis_channels *channels, struct redis_channel *channel);

/* Is told a channel whose messages have stopped, of those whose confirmation was told. May want and drop channels. */
typedef void (*redis_channel_lost_fn)(void *ctx, struct redis_channel *channel);

/* The server says so. */
void redis_channels_confirmed(struct redis_channels *channels, struct redis_channel *channel);
void redis_channels_gone(struct redis_channels *channels, struct redis_channel *channel, redis_channel_lost_fn on_lost,
                         void *ctx);
/* The server refuses a SUBSCRIBE (-NOPERM), without a word which and over what channel. What was in flight is asked for
 * again, one by one, so that a room that somebody may not join costs the others nothing. Returns the channel when it is
 * known: it was asked for by itself. Else NULL. */
struct redis_channel *redis_channels_refused(struct redis_channels *channels);
/* The connection was lost, and everything confirmed with it: nothing is confirmed any more when the first one is told.
 */
void redis_channels_lost(struct redis_channels *channels, redis_channel_lost_fn on_lost, void *ctx);

/* Works off the changes: asks for what is wanted and not there, and the reverse (only while up), tells the
 * confirmations that are due (only while telling), and frees what nobody wants, but for pinned. */
void redis_channels_sync(struct redis_channels *channels, bool up, bool telling, const struct redis_channel *pinned,
                         const struct redis_channels_ops *ops, void *ctx);

#endif
