/* local_hub.h -- what the local buses of a process share: who listens to which room, and an inbox for each worker.
 *
 * Everything in here is guarded by the hub's lock, the program's only one; it is held for look-ups and copies, never
 * during a callback. What a worker keeps for itself is in local_bus.c.
 * Owned by: the process. Called by: local_bus. Thread: any. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_HUB_H
#define PLENUM_GATEWAY_BUS_LOCAL_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "../../common/bytes.h"
#include "bus.h"
#include "local_bus.h"

enum {
    INBOX_MAX = 64 << 20, /* bytes: a worker that is so far behind gets no more; the publishers are told */
};

/* A run of bytes that grows. */
struct local_buffer {
    char *data;
    size_t len, cap;
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

/* A worker, as the hub knows it. */
struct local_post {
    uv_async_t wake;           /* tells the worker of an inbox that is no longer empty */
    struct local_buffer inbox; /* of items, see local_item */
    uint32_t gateway;
    struct local_post *next;
};

/* In an inbox: this, then len bytes, filled up to a multiple of its alignment. */
struct local_item {
    struct local_channel *channel;
    size_t len;
};

/* Makes room for more bytes and returns where they go. */
char *local_buffer_add(struct local_buffer *buffer, size_t len);
/* Empties it; one that has grown large gives its memory back. */
void local_buffer_clear(struct local_buffer *buffer);

static inline size_t local_padded(size_t len)
{
    return (len + sizeof(struct local_item) - 1) & ~(sizeof(struct local_item) - 1);
}

/* Adds a worker; post->wake is initialized. Gives it a gateway id that no other has, starting from a random one. */
void local_hub_add(struct local_hub *hub, struct local_post *post, uint32_t gateway);
/* Removes it: from here on its handle is not touched, so it may be closed. Its channels have left before. */
void local_hub_remove(struct local_hub *hub, struct local_post *post);

/* The channel gets the messages of the room of that name that are published from here on; and none from here on. */
void local_hub_join(struct local_hub *hub, struct local_channel *channel, struct bytes name);
void local_hub_leave(struct local_hub *hub, struct local_channel *channel);

void local_hub_lock(struct local_hub *hub);
void local_hub_unlock(struct local_hub *hub);

/* Under the lock: copies a message to the inboxes of all who listen, and wakes those that were asleep, but for self.
 * Returns false, with nothing done, when one of them is full. fullest grows to the longest inbox that was met. */
bool local_hub_send(struct local_hub *hub, const struct local_post *self, struct bytes name, struct bytes message,
                    size_t *fullest) __attribute__((warn_unused_result));

/* Gives the worker its inbox and takes an empty one for it. */
void local_hub_collect(struct local_hub *hub, struct local_post *post, struct local_buffer *empty);

/* The longest inbox of the others. */
size_t local_hub_fullest(struct local_hub *hub, const struct local_post *self);

#endif
