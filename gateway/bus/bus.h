/* bus.h -- what carries messages between workers, keeps the rooms' logs, and knows who is where.
 *
 * One interface, two implementations that pass the same contract tests (tests/unit/bus_*_contract.h): local_bus, one
 * hub in the process, and redis_bus. A worker has one bus; everything happens on the worker's thread. Scripts, names
 * and orders: the README ("What stands in Redis").
 *
 * The contract:
 *   - on_confirmed(channel) comes once per bus_subscribe, and once more whenever the subscription was lost and is back;
 *     never from inside a call. From then on every message that anyone publishes to that room reaches on_message, in
 * the one order that the bus gives to the room, the worker's own messages included. Messages may come before it too.
 * What was published while the subscription was lost has to be read from the log (bus_locate, bus_read).
 *   - Publishes are gathered; bus_flush, called once per turn, sends them off together. Each ends in exactly one of
 *     on_published and on_publish_failed, in the order in which a room's publishes were made.
 *   - A room's messages with a log are numbered 1, 2, 3 ... within an epoch; the bus retries what it is not sure of
 * under the same batch number, so that nothing is there twice.
 *   - An ask (struct bus_ask) ends in exactly one on_end, never from inside the call. When the connection is away or is
 *     lost before the answer came, that is BUS_LOST: ask again.
 *   - A lost connection is the bus's own business: it reconnects and resubscribes; nobody above is told to do it again.
 *   - After bus_close nothing is told any more.
 *
 * Owned by: worker. Called by: room, admin, worker. */
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

/* How much of a room's messages is kept. */
struct log_rule {
    uint32_t size;  /* messages; 0: no log */
    uint32_t bytes; /* about so many at most */
    uint32_t ttl_s; /* after the last message */
};

/* A message to be published; everything is borrowed for the call. */
struct bus_publish {
    struct bytes room;               /* need not be subscribed here */
    const struct log_rule *log;      /* NULL, or of size 0: no log: seq and epoch stay empty, the key is ignored */
    const struct envelope *envelope; /* seq and epoch are the bus's to fill in */
    void *ticket;                    /* named when it is done or has failed; NULL: nobody wants to know */
};

enum { EPOCH_MAX = 32 };

/* Where a room's log stands. */
struct bus_position {
    struct bytes epoch; /* 1 to EPOCH_MAX printing characters; empty (bus_peek only): there is none */
    uint64_t seq;       /* the last message's number, or the epoch's base */
    uint64_t base;      /* the number after which this epoch began: its messages are base + 1, base + 2 ... */
    struct bytes prev;  /* the epoch before it, empty when there was none; its last known number: */
    uint64_t prevtop;
    uint64_t pv; /* presence version: one more with each presence event */
    bool known;  /* bus_presence: this gateway had members in there before */
    /* bus_peek: what stands there of this worker's members, all and the listed ones; counted: it was looked up. */
    bool counted;
    uint64_t own, own_listed;
};

enum bus_result {
    BUS_OK,
    BUS_LOST,   /* no answer: the connection is away or was lost */
    BUS_DENIED, /* the server refuses it; logged */
    BUS_NOBODY  /* bus_signal: that gateway is not there */
};

/* Who asks; copied. ctx must live until on_end. Callbacks that an ask does not use may be NULL; on_end never is. */
struct bus_ask {
    const struct bus_ask_events *events; /* constant */
    void *ctx;
    uint64_t tag; /* the asker's own, given back */
};

/* Bytes are valid during the call only. */
struct bus_ask_events {
    void (*on_end)(void *ctx, uint64_t tag, enum bus_result result);
    void (*on_position)(void *ctx, uint64_t tag, const struct bus_position *position);
    void (*on_entry)(void *ctx, uint64_t tag, uint64_t seq, struct bytes envelope);
    void (*on_gateway)(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members);
    void (*on_member)(void *ctx, uint64_t tag, uint64_t member, struct bytes value);
    void (*on_field)(void *ctx, uint64_t tag, struct bytes name, struct bytes value);
};

/* Which part of a log: seq in (after, before), before 0: no end. backwards: the last ones, told from the newest on. */
struct log_range {
    uint64_t after, before;
    uint32_t limit;
    bool backwards;
};

enum presence_op { PRESENCE_JOIN = 'j', PRESENCE_UPDATE = 'u', PRESENCE_LEAVE = 'l' };

struct presence_change {
    enum presence_op op;
    uint64_t member;
    struct bytes value; /* join, update: the member's JSON; leave: the reason, a plain word */
};

/* This worker's changes in one room. */
struct presence_batch {
    struct bytes room;
    struct bytes epoch; /* the position that this worker has delivered, as in bus_locate; empty and 0: none */
    uint64_t seq;
    const struct presence_change *changes;
    uint32_t count;
    uint64_t unlisted; /* members here that are counted and not listed, after the changes */
    bool first;        /* nothing was told of this room before, or it was forgotten */
    bool last;         /* after it this worker has nobody in there, listed or not */
    bool quiet;        /* the room is too big to tell everybody */
};

/* Small hashes that outlive gateways and that admins may read and write. */
enum bus_hash {
    BUS_STATE, /* of a room: lock, host ...; fields and values are texts */
    BUS_BANS   /* of all rooms (room is ignored): "<room> <user>" -> until, ms; 0: for good */
};

struct bus_events {
    void (*on_confirmed)(void *ctx, struct bus_channel *channel);
    /* The channel's messages have stopped coming; on_confirmed follows when they do again. */
    void (*on_channel_lost)(void *ctx, struct bus_channel *channel);
    /* bytes: an envelope or an admin's plain text, valid during the call. channel->subscriber is never NULL here. */
    void (*on_message)(void *ctx, struct bus_channel *channel, struct bytes message);
    /* seq: its place in the log, 0 without one. duplicate: its key was seen before; seq is that message's, and no copy
     * of this one comes. epoch: of the log at that time. */
    void (*on_published)(void *ctx, void *ticket, struct bytes epoch, uint64_t seq, bool duplicate);
    void (*on_publish_failed)(void *ctx, void *ticket, enum bus_failure failure);
    void (*on_pressure)(void *ctx, enum bus_pressure pressure);
    /* Whether what was published under the ticket came by as a message; NULL: nobody knows. Changes nothing. */
    bool (*has_come)(void *ctx, void *ticket);
    /* Something for one of this worker's members (bus_signal). */
    void (*on_signal)(void *ctx, struct bytes message);
    /* An admin's line, to all gateways or to this one: plenum:ctl, plenum:ctl:<gw>. */
    void (*on_command)(void *ctx, struct bytes line);
    /* The others think that this gateway is dead, or it has a new id: everything that it told of presence is gone. */
    void (*on_forgotten)(void *ctx);
};

struct bus_ops {
    struct bus_channel *(*subscribe)(struct bus *bus, struct bytes room, void *subscriber);
    void (*unsubscribe)(struct bus *bus, struct bus_channel *channel);
    void (*publish)(struct bus *bus, const struct bus_publish *publish);
    void (*flush)(struct bus *bus);
    bool (*idle)(const struct bus *bus);
    bool (*behind)(const struct bus *bus); /* NULL: never */
    void (*deaf)(struct bus *bus);         /* NULL: cannot be */
    void (*close)(struct bus *bus, void (*on_closed)(void *ctx), void *ctx);

    void (*locate)(struct bus *bus, struct bytes room, struct bytes epoch, uint64_t seq, const struct bus_ask *ask);
    void (*peek)(struct bus *bus, struct bytes room, const struct bus_ask *ask);
    void (*read)(struct bus *bus, struct bytes room, const struct log_range *range, const struct bus_ask *ask);
    void (*presence)(struct bus *bus, const struct presence_batch *batch, const struct bus_ask *ask);
    void (*members)(struct bus *bus, struct bytes room, const struct bus_ask *ask);
    void (*counts)(struct bus *bus, struct bytes room, const struct bus_ask *ask);
    void (*signal)(struct bus *bus, uint32_t gateway, struct bytes message, const struct bus_ask *ask);
    void (*command)(struct bus *bus, uint32_t gateway, struct bytes line, const struct bus_ask *ask);
    void (*answer)(struct bus *bus, struct bytes line);
    void (*hash_read)(struct bus *bus, enum bus_hash hash, struct bytes room, const struct bus_ask *ask);
    void (*hash_write)(struct bus *bus, enum bus_hash hash, struct bytes room, struct bytes field, struct bytes value,
                       const struct bus_ask *ask);
    void (*list_rooms)(struct bus *bus, const struct bus_ask *ask);
    void (*list_gateways)(struct bus *bus, const struct bus_ask *ask);
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

/* Queues a message; it is copied before the call returns. on_published or on_publish_failed come later. */
static inline void bus_publish(struct bus *bus, const struct bus_publish *publish)
{
    bus->ops->publish(bus, publish);
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

/* What was published has not come back within a second: the subscription is replaced. on_channel_lost and on_confirmed
 * follow for all channels. */
static inline void bus_deaf(struct bus *bus)
{
    if (bus->ops->deaf)
        bus->ops->deaf(bus);
}

/* Where the room's log stands. Begins a log where there is none, and a new epoch where the server may have lost a tail,
 * or where epoch is the log's own and it ends before seq: this worker has delivered more than it holds. epoch and seq:
 * what this worker has delivered, or empty and 0; never a client's claim. Ends with one on_position before on_end. */
static inline void bus_locate(struct bus *bus, struct bytes room, struct bytes epoch, uint64_t seq,
                              const struct bus_ask *ask)
{
    bus->ops->locate(bus, room, epoch, seq, ask);
}

/* The same without changing anything: cheap, for the regular check. */
static inline void bus_peek(struct bus *bus, struct bytes room, const struct bus_ask *ask)
{
    bus->ops->peek(bus, room, ask);
}

/* Reads a part of the log: on_entry for each, in the order that range says. */
static inline void bus_read(struct bus *bus, struct bytes room, const struct log_range *range,
                            const struct bus_ask *ask)
{
    bus->ops->read(bus, room, range, ask);
}

/* Applies this worker's joins, leaves and updates in a room, and tells the room (an envelope of kind 'p', seq 0, see
 * presence_event.h), all or nothing. Copied. One on_position before on_end. With no changes it renews the life time of
 * what was told. BUS_LOST: it may have been applied; say it again, that does no harm. */
static inline void bus_presence(struct bus *bus, const struct presence_batch *batch, const struct bus_ask *ask)
{
    bus->ops->presence(bus, batch, ask);
}

/* Who is in the room, everywhere. First one on_position (epoch and pv are valid, read before the members: apply events
 * with a larger pv on top), then on_gateway for each gateway that has members there (listed or not), and on_member for
 * each listed one. */
static inline void bus_members(struct bus *bus, struct bytes room, const struct bus_ask *ask)
{
    bus->ops->members(bus, room, ask);
}

/* The same without the members: on_gateway only. */
static inline void bus_counts(struct bus *bus, struct bytes room, const struct bus_ask *ask)
{
    bus->ops->counts(bus, room, ask);
}

/* Sends something to one worker, whose on_signal gets it; also to oneself. BUS_NOBODY: there is no such gateway. */
static inline void bus_signal(struct bus *bus, uint32_t gateway, struct bytes message, const struct bus_ask *ask)
{
    bus->ops->signal(bus, gateway, message, ask);
}

/* Gives a command line to all gateways (gateway 0; this one included) or to one: their on_command. */
static inline void bus_command(struct bus *bus, uint32_t gateway, struct bytes line, const struct bus_ask *ask)
{
    bus->ops->command(bus, gateway, line, ask);
}

/* Says what came of a command, for whoever listens to plenum:ctl:ack. */
static inline void bus_answer(struct bus *bus, struct bytes line)
{
    bus->ops->answer(bus, line);
}

/* Reads a hash: on_field for each. Writes one field; an empty value removes it. */
static inline void bus_hash_read(struct bus *bus, enum bus_hash hash, struct bytes room, const struct bus_ask *ask)
{
    bus->ops->hash_read(bus, hash, room, ask);
}

static inline void bus_hash_write(struct bus *bus, enum bus_hash hash, struct bytes room, struct bytes field,
                                  struct bytes value, const struct bus_ask *ask)
{
    bus->ops->hash_write(bus, hash, room, field, value, ask);
}

/* The rooms that are open somewhere: on_field(room, number of gateways). */
static inline void bus_list_rooms(struct bus *bus, const struct bus_ask *ask)
{
    bus->ops->list_rooms(bus, ask);
}

/* The living gateways: for each on_gateway (members 0), then on_field for each thing that it reports (pod, address
 * ...).
 */
static inline void bus_list_gateways(struct bus *bus, const struct bus_ask *ask)
{
    bus->ops->list_gateways(bus, ask);
}

/* Ends it; on_closed is called once, later, when its memory is gone. Channels are dead from this call on. */
static inline void bus_close(struct bus *bus, void (*on_closed)(void *ctx), void *ctx)
{
    bus->ops->close(bus, on_closed, ctx);
}

#endif
