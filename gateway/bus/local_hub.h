/* local_hub.h -- what the local buses of a process share: who listens to which room, what the rooms hold, and an inbox
 * for each worker.
 *
 * Everything in here is guarded by the hub's lock, the program's only one; it is held for look-ups and copies, never
 * during a callback. What a worker keeps for itself is in local_bus.c. All functions but those of life are called under
 * the lock.
 * Owned by: the process. Called by: local_bus, local_asks, local_presence. Thread: any. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_HUB_H
#define PLENUM_GATEWAY_BUS_LOCAL_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "../../common/bytes.h"
#include "bus.h"
#include "local_answers.h"
#include "local_buffer.h"
#include "local_bus.h"
#include "local_rooms.h"

enum {
    INBOX_MAX = 64 << 20, /* bytes: a worker that is so far behind gets no more; the publishers are told */
};

/* A worker's subscription. Named by pointer in inbox items, so it lives until the inbox has been read past them. */
struct local_channel {
    struct bus_channel base; /* first: what the subscriber holds */
    struct local_post *post;
    struct local_room *room; /* NULL after local_hub_leave; like place, the hub's */
    uint32_t place;          /* in the room's list */
    bool listed;             /* in the worker's list of channels; these four are the worker's own */
    struct local_channel *next, *previous;
    struct local_channel *next_confirm, *next_dead;
};

/* A worker: what the hub knows of it, and what it needs to ask the hub. A local bus begins with it. */
struct local_post {
    struct bus base; /* first */
    struct local_hub *hub;
    const struct env *env;
    struct local_answers answers; /* what the hub has answered and was not told yet; these four are the worker's own */
    uv_async_t wake;              /* tells the worker of an inbox that is no longer empty, or of an answer */
    struct local_buffer inbox;    /* of items, see local_item */
    size_t met;                   /* the longest inbox of another's that it put something into lately */
    struct local_presence *presence; /* the rooms that it has members in */
    struct local_buffer report;      /* what it says of itself, see local_report.h */
    struct local_post *next;
};

enum local_item_kind { LOCAL_MESSAGE, LOCAL_SIGNAL, LOCAL_COMMAND };

/* In an inbox: this, then len bytes, filled up to a multiple of 16. */
struct local_item {
    struct local_channel *channel; /* a message's; else NULL */
    uint32_t len;
    enum local_item_kind kind;
};

struct local_hub {
    uv_mutex_t lock;
    struct local_rooms rooms;
    struct local_post *posts;
    struct local_hash bans; /* BUS_BANS */
    size_t full;            /* inboxes longer than INBOX_MAX: while there is none, nobody looks for one */
};

/* Takes the lock, and tells the hub the time by that clock. */
void local_hub_lock(struct local_hub *hub, const struct clock *clock);
void local_hub_unlock(struct local_hub *hub);

/* The same around what a worker asks: in the end it is woken, to be told. */
struct local_post *local_ask_begin(struct bus *bus);
void local_ask_end(struct local_post *post, const struct bus_ask *ask, enum bus_result result);

/* ---- workers ---- */

/* Adds a worker; post->wake is initialized. Gives it a gateway id that no other has, starting from a random one. */
void local_hub_add(struct local_hub *hub, struct local_post *post, uint32_t gateway);
/* Removes it: from here on its handle is not touched, so it may be closed. Its channels and members have left before.
 */
void local_hub_remove(struct local_hub *hub, struct local_post *post);
/* The worker with that id, or NULL. They are as many as the process has threads. */
struct local_post *local_hub_post(const struct local_hub *hub, uint32_t gateway);

/* Gives the worker its inbox and takes an empty one for it. */
void local_hub_collect(struct local_hub *hub, struct local_post *post, struct local_buffer *empty);
/* The longest inbox of the others. */
size_t local_hub_fullest(const struct local_hub *hub, const struct local_post *self);

/* Puts something into a worker's inbox, head and body behind one another, and wakes the worker when it was asleep, but
 * not self, which comes by itself. */
void local_hub_put(struct local_hub *hub, struct local_post *self, struct local_post *post, struct local_item item,
                   struct bytes head, struct bytes body);

/* ---- subscriptions and messages ---- */

/* The channel gets the messages of the room of that name that are published from here on; and none from here on. */
void local_hub_join(struct local_hub *hub, struct local_channel *channel, struct bytes name);
void local_hub_leave(struct local_hub *hub, struct local_channel *channel);

/* What stands before an envelope's tail where no number is given. */
#define LOCAL_UNLOGGED_HEAD "p1 0 - "

/* True when one of those who listen has a full inbox: then nothing can be said in the room. */
bool local_hub_full(const struct local_hub *hub, const struct local_room *room);
/* Copies a message, head and body, to the inboxes of all who listen. */
void local_hub_tell(struct local_hub *hub, struct local_post *self, struct local_room *room, struct bytes head,
                    struct bytes body);

struct local_publish {
    struct bytes room;
    struct bytes key;     /* empty: none */
    struct bytes tail;    /* the envelope behind its epoch */
    struct log_rule rule; /* of size 0: no log */
};

struct local_published {
    uint64_t seq, epoch; /* 0 without a log */
    bool duplicate;
};

/* Gives the message its number, keeps it, and tells those who listen. Returns false, with nothing done, when one of
 * them has a full inbox. */
bool local_hub_publish(struct local_hub *hub, struct local_post *self, const struct local_publish *publish,
                       struct local_published *out) __attribute__((warn_unused_result));

#endif
