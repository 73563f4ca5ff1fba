/* bus.h -- what carries messages between workers.
 *
 * One interface, two implementations that pass the same contract tests (tests/unit/bus_contract.h): local_bus, one hub
 * in the process, and redis_bus. A worker has one bus; everything happens on the worker's thread.
 *
 * The contract:
 *   - on_confirmed(channel) comes once per bus_subscribe, never from inside the call. From then on every message that
 *     anyone publishes to that room reaches on_message, in the one order that the bus gives to the room, the worker's
 * own messages included. Messages may come before it too.
 *   - Publishes are gathered; bus_flush, called once per turn, sends them off together. A publish that fails is told
 *     once by on_publish_failed; one that succeeds is not told (its own copy comes back by on_message).
 *   - A lost connection is the bus's own business: it reconnects and resubscribes; nobody above is told to do it again.
 *
 * Owned by: worker. Called by: room, worker. */
#ifndef PLENUM_GATEWAY_BUS_BUS_H
#define PLENUM_GATEWAY_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/bytes.h"
#include "../../common/envelope.h"

struct bus;

/* A room's subscription. Owned by the bus; the subscriber borrows it until bus_unsubscribe. */
struct bus_channel {
    void *subscriber; /* what the room layer hung on it; NULL after bus_unsubscribe */
    bool confirmed;   /* the bus brings its messages now; false again while a lost connection is not back */
};

enum bus_failure {
    BUS_UNAVAILABLE, /* it was never sent: 2 s without a connection */
    BUS_UNCERTAIN,   /* it was sent, and no answer came: it may or may not have reached the others */
    BUS_REFUSED      /* the server said no (-NOPERM, -READONLY, -OOM ...); logged */
};

/* How much is waiting to be taken by the bus. */
enum bus_pressure {
    BUS_FLOWING,
    BUS_PRESSED, /* much is unsent or unanswered (Redis: 1 MiB): do not read from clients that publish */
    BUS_REFUSING /* pressed for 2 s: refuse what they publish (1013) */
};

struct bus_events {
    void (*on_confirmed)(void *ctx, struct bus_channel *channel);
    /* bytes: an envelope or an admin's plain text, valid during the call. channel->subscriber is never NULL here. */
    void (*on_message)(void *ctx, struct bus_channel *channel, struct bytes message);
    void (*on_publish_failed)(void *ctx, uint64_t member, enum bus_failure failure);
    void (*on_pressure)(void *ctx, enum bus_pressure pressure);
};

struct bus_ops {
    struct bus_channel *(*subscribe)(struct bus *bus, struct bytes room, void *subscriber);
    void (*unsubscribe)(struct bus *bus, struct bus_channel *channel);
    void (*publish)(struct bus *bus, struct bytes room, const struct envelope *envelope);
    void (*flush)(struct bus *bus);
    bool (*idle)(const struct bus *bus);
    bool (*behind)(const struct bus *bus); /* NULL: never */
    void (*close)(struct bus *bus, void (*on_closed)(void *ctx), void *ctx);
};

/* Both implementations begin with this. */
struct bus {
    const struct bus_ops *ops;
    const struct bus_events *events; /* constant, with ctx given back in each call */
    void *ctx;
    uint32_t gateway; /* this worker's gateway id; the upper half of its members' ids */
};

/* Wants the room's messages. The channel is the caller's to keep until bus_unsubscribe. One subscription per room and
 * worker; room is a valid room name and copied. */
static inline struct bus_channel *bus_subscribe(struct bus *bus, struct bytes room, void *subscriber)
{
    return bus->ops->subscribe(bus, room, subscriber);
}

/* No longer wants them. channel is dead for the caller; no callback names it again. */
static inline void bus_unsubscribe(struct bus *bus, struct bus_channel *channel)
{
    bus->ops->unsubscribe(bus, channel);
}

/* Queues a message; envelope (with its payload) is copied before the call returns. envelope->member is named when it
 * fails. room need not be subscribed here. */
static inline void bus_publish(struct bus *bus, struct bytes room, const struct envelope *envelope)
{
    bus->ops->publish(bus, room, envelope);
}

/* Sends off what the turn gathered. */
static inline void bus_flush(struct bus *bus)
{
    bus->ops->flush(bus);
}

/* True when nothing published here is unsent or unanswered: a draining worker waits for it. */
static inline bool bus_idle(const struct bus *bus)
{
    return bus->ops->idle(bus);
}

/* True when the bus had more for this worker in this turn than it took: then take that before anything new from
 * clients. Else a worker that publishes faster than it reads makes Redis cut its subscriber off (32 MiB). Asked once a
 * turn. */
static inline bool bus_behind(const struct bus *bus)
{
    return bus->ops->behind && bus->ops->behind(bus);
}

/* Ends it; on_closed is called once, later, when its memory is gone. Channels are dead from this call on. */
static inline void bus_close(struct bus *bus, void (*on_closed)(void *ctx), void *ctx)
{
    bus->ops->close(bus, on_closed, ctx);
}

#endif
