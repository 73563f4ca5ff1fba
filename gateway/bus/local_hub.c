/* local_hub.c -- see local_hub.h. */
#include "local_hub.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/random.h"
#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "uthash.h"

enum { BUFFER_FIRST = 4096, BUFFER_KEEP = 64 << 10 };

struct local_room {
    UT_hash_handle hh;
    struct local_channel **channels; /* count of cap */
    uint32_t count, cap;
    char name[];
};

struct local_hub {
    uv_mutex_t lock;
    struct local_room *rooms;
    struct local_post *posts;
    uint64_t hash_key[2]; /* names come from strangers */
    size_t full;          /* inboxes longer than INBOX_MAX: while there is none, nobody looks for one */
};

/* ---- buffers ---- */

char *local_buffer_add(struct local_buffer *buffer, size_t len)
{
    if (buffer->len + len > buffer->cap) {
        size_t cap = buffer->cap ? buffer->cap : BUFFER_FIRST;
        while (cap < buffer->len + len)
            cap *= 2;
        buffer->data = xrealloc(buffer->data, cap);
        buffer->cap = cap;
    }
    char *at = buffer->data + buffer->len;
    buffer->len += len;
    return at;
}

void local_buffer_clear(struct local_buffer *buffer)
{
    buffer->len = 0;
    if (buffer->cap <= BUFFER_KEEP)
        return;
    free(buffer->data);
    *buffer = (struct local_buffer){0};
}

/* ---- life ---- */

struct local_hub *local_hub_new(void)
{
    struct local_hub *hub = xcalloc(1, sizeof *hub);
    if (uv_mutex_init(&hub->lock) < 0)
        abort(); /* out of memory, and nothing else */
    hub->hash_key[0] = random_u64(random_system());
    hub->hash_key[1] = random_u64(random_system());
    return hub;
}

void local_hub_free(struct local_hub *hub)
{
    assert(!hub->posts && !hub->rooms);
    uv_mutex_destroy(&hub->lock);
    free(hub);
}

void local_hub_lock(struct local_hub *hub)
{
    uv_mutex_lock(&hub->lock);
}

void local_hub_unlock(struct local_hub *hub)
{
    uv_mutex_unlock(&hub->lock);
}

/* ---- workers ---- */

static bool gateway_taken(const struct local_hub *hub, uint32_t gateway)
{
    for (const struct local_post *post = hub->posts; post; post = post->next) {
        if (post->gateway == gateway)
            return true;
    }
    return gateway == 0; /* a member id of 0 means nobody */
}

void local_hub_add(struct local_hub *hub, struct local_post *post, uint32_t gateway)
{
    local_hub_lock(hub);
    while (gateway_taken(hub, gateway))
        gateway++;
    post->gateway = gateway;
    post->next = hub->posts;
    hub->posts = post;
    local_hub_unlock(hub);
}

void local_hub_remove(struct local_hub *hub, struct local_post *post)
{
    local_hub_lock(hub);
    struct local_post **at = &hub->posts;
    while (*at != post)
        at = &(*at)->next;
    *at = post->next;
    if (post->inbox.len > INBOX_MAX)
        hub->full--;
    free(post->inbox.data);
    post->inbox = (struct local_buffer){0};
    local_hub_unlock(hub);
}

size_t local_hub_fullest(struct local_hub *hub, const struct local_post *self)
{
    size_t fullest = 0;
    local_hub_lock(hub);
    for (const struct local_post *post = hub->posts; post; post = post->next) {
        if (post != self && post->inbox.len > fullest)
            fullest = post->inbox.len;
    }
    local_hub_unlock(hub);
    return fullest;
}

void local_hub_collect(struct local_hub *hub, struct local_post *post, struct local_buffer *empty)
{
    local_hub_lock(hub);
    struct local_buffer full = post->inbox;
    if (full.len > INBOX_MAX)
        hub->full--;
    post->inbox = *empty;
    *empty = full;
    local_hub_unlock(hub);
}

/* ---- rooms ---- */

static unsigned hash_of(const struct local_hub *hub, struct bytes name)
{
    return (unsigned)siphash13(hub->hash_key, name.data, name.len);
}

static struct local_room *find(const struct local_hub *hub, struct bytes name)
{
    struct local_room *room;
    HASH_FIND_BYHASHVALUE(hh, hub->rooms, name.data, name.len, hash_of(hub, name), room);
    return room;
}

static struct local_room *room_new(struct local_hub *hub, struct bytes name)
{
    struct local_room *room = xcalloc(1, sizeof *room + name.len);
    memcpy(room->name, name.data, name.len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, hub->rooms, room->name, name.len, hash_of(hub, name), room);
    return room;
}

void local_hub_join(struct local_hub *hub, struct local_channel *channel, struct bytes name)
{
    local_hub_lock(hub);
    struct local_room *room = find(hub, name);
    if (!room)
        room = room_new(hub, name);
    if (room->count == room->cap) {
        room->cap = room->cap ? room->cap * 2 : 1;
        room->channels = xrealloc(room->channels, room->cap * sizeof(struct local_channel *)); /* NOLINT: pointers */
    }
    channel->room = room;
    channel->place = room->count;
    room->channels[room->count++] = channel;
    local_hub_unlock(hub);
}

void local_hub_leave(struct local_hub *hub, struct local_channel *channel)
{
    local_hub_lock(hub);
    struct local_room *room = channel->room;
    struct local_channel *last = room->channels[--room->count];
    room->channels[channel->place] = last;
    last->place = channel->place;
    channel->room = NULL;
    if (room->count == 0) {
        HASH_DEL(hub->rooms, room);
        free(room->channels);
        free(room);
    }
    local_hub_unlock(hub);
}

/* ---- messages ---- */

static bool anyone_full(const struct local_room *room)
{
    for (uint32_t i = 0; i < room->count; i++) {
        if (room->channels[i]->post->inbox.len > INBOX_MAX)
            return true;
    }
    return false;
}

static void put(struct local_buffer *inbox, struct local_channel *channel, struct bytes message)
{
    char *at = local_buffer_add(inbox, sizeof(struct local_item) + local_padded(message.len));
    *(struct local_item *)at = (struct local_item){channel, message.len};
    memcpy(at + sizeof(struct local_item), message.data, message.len);
}

bool local_hub_send(struct local_hub *hub, const struct local_post *self, struct bytes name, struct bytes message,
                    size_t *fullest)
{
    struct local_room *room = find(hub, name);
    if (!room)
        return true;
    if (hub->full && anyone_full(room))
        return false;
    for (uint32_t i = 0; i < room->count; i++) {
        struct local_post *post = room->channels[i]->post;
        size_t before = post->inbox.len;
        put(&post->inbox, room->channels[i], message);
        if (before <= INBOX_MAX && post->inbox.len > INBOX_MAX)
            hub->full++;
        if (post == self)
            continue;
        if (before == 0) /* else it has been woken, and has not come yet */
            uv_async_send(&post->wake);
        if (post->inbox.len > *fullest)
            *fullest = post->inbox.len;
    }
    return true;
}
