/* local_hub.c -- see local_hub.h. */
#include "local_hub.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/random.h"
#include "../../common/xalloc.h"

/* ---- life ---- */

struct local_hub *local_hub_new(void)
{
    struct local_hub *hub = xcalloc(1, sizeof *hub);
    if (uv_mutex_init(&hub->lock) < 0)
        abort(); /* out of memory, and nothing else */
    local_rooms_init(&hub->rooms);
    return hub;
}

void local_hub_free(struct local_hub *hub)
{
    assert(!hub->posts);
    local_rooms_close(&hub->rooms);
    local_hash_clear(&hub->bans);
    uv_mutex_destroy(&hub->lock);
    free(hub);
}

void local_hub_lock(struct local_hub *hub, const struct clock *clock)
{
    uint64_t now_ms = clock_ms(clock);
    uv_mutex_lock(&hub->lock);
    local_rooms_tell_time(&hub->rooms, now_ms);
}

void local_hub_unlock(struct local_hub *hub)
{
    uv_mutex_unlock(&hub->lock);
}

struct local_post *local_ask_begin(struct bus *bus)
{
    struct local_post *post = (struct local_post *)bus;
    local_hub_lock(post->hub, post->env->clock);
    return post;
}

void local_ask_end(struct local_post *post, const struct bus_ask *ask, enum bus_result result)
{
    local_hub_unlock(post->hub);
    local_answers_end(&post->answers, ask, result);
    uv_async_send(&post->wake);
}

/* ---- workers ---- */

struct local_post *local_hub_post(const struct local_hub *hub, uint32_t gateway)
{
    struct local_post *post = hub->posts;
    while (post && post->base.gateway != gateway)
        post = post->next;
    return post;
}

void local_hub_add(struct local_hub *hub, struct local_post *post, uint32_t gateway)
{
    while (gateway == 0 || local_hub_post(hub, gateway)) /* a member id of 0 means nobody */
        gateway++;
    post->base.gateway = gateway;
    post->next = hub->posts;
    hub->posts = post;
}

void local_hub_remove(struct local_hub *hub, struct local_post *post)
{
    assert(!post->presence);
    struct local_post **at = &hub->posts;
    while (*at != post)
        at = &(*at)->next;
    *at = post->next;
    if (post->inbox.len > INBOX_MAX)
        hub->full--;
    free(post->inbox.data);
    free(post->report.data);
    post->inbox = post->report = (struct local_buffer){0};
}

size_t local_hub_fullest(const struct local_hub *hub, const struct local_post *self)
{
    size_t fullest = 0;
    for (const struct local_post *post = hub->posts; post; post = post->next) {
        if (post != self && post->inbox.len > fullest)
            fullest = post->inbox.len;
    }
    return fullest;
}

void local_hub_collect(struct local_hub *hub, struct local_post *post, struct local_buffer *empty)
{
    struct local_buffer full = post->inbox;
    if (full.len > INBOX_MAX)
        hub->full--;
    post->inbox = *empty;
    *empty = full;
}

void local_hub_put(struct local_hub *hub, struct local_post *self, struct local_post *post, struct local_item item,
                   struct bytes head, struct bytes body)
{
    struct local_buffer *inbox = &post->inbox;
    size_t before = inbox->len;
    item.len = (uint32_t)(head.len + body.len);
    char *at = local_buffer_add(inbox, sizeof item + item.len);
    memcpy(at, &item, sizeof item);
    at += sizeof item;
    if (head.len)
        memcpy(at, head.data, head.len);
    if (body.len)
        memcpy(at + head.len, body.data, body.len);
    if (before <= INBOX_MAX && inbox->len > INBOX_MAX)
        hub->full++;
    if (post == self)
        return;
    if (before == 0) /* else it has been woken, and has not come yet */
        uv_async_send(&post->wake);
    if (inbox->len > self->met)
        self->met = inbox->len;
}

/* ---- subscriptions ---- */

void local_hub_join(struct local_hub *hub, struct local_channel *channel, struct bytes name)
{
    struct local_room *room = local_rooms_get(&hub->rooms, name);
    if (room->count == room->cap) {
        room->cap = room->cap ? room->cap * 2 : 1;
        room->channels = xrealloc(room->channels, room->cap * sizeof(struct local_channel *)); /* NOLINT: pointers */
    }
    channel->room = room;
    channel->place = room->count;
    room->channels[room->count++] = channel;
    local_rooms_settle(&hub->rooms, room);
}

void local_hub_leave(struct local_hub *hub, struct local_channel *channel)
{
    struct local_room *room = channel->room;
    struct local_channel *last = room->channels[--room->count];
    room->channels[channel->place] = last;
    last->place = channel->place;
    channel->room = NULL;
    local_rooms_settle(&hub->rooms, room);
}

/* ---- messages ---- */

bool local_hub_full(const struct local_hub *hub, const struct local_room *room)
{
    for (uint32_t i = 0; hub->full && i < room->count; i++) {
        if (room->channels[i]->post->inbox.len > INBOX_MAX)
            return true;
    }
    return false;
}

void local_hub_tell(struct local_hub *hub, struct local_post *self, struct local_room *room, struct bytes head,
                    struct bytes body)
{
    for (uint32_t i = 0; i < room->count; i++) {
        struct local_channel *channel = room->channels[i];
        local_hub_put(hub, self, channel->post, (struct local_item){channel, 0, LOCAL_MESSAGE}, head, body);
    }
}

static bool publish_unlogged(struct local_hub *hub, struct local_post *self, const struct local_publish *publish)
{
    struct local_room *room = local_rooms_find(&hub->rooms, publish->room);
    if (!room)
        return true; /* nobody listens */
    if (local_hub_full(hub, room))
        return false;
    local_hub_tell(hub, self, room, BYTES(LOCAL_UNLOGGED_HEAD), publish->tail);
    return true;
}

/* Adds the message to the room's log and tells it, or finds that it is there already. */
static bool publish_logged(struct local_hub *hub, struct local_post *self, struct local_room *room,
                           const struct local_publish *publish, struct local_published *out)
{
    const uint64_t *hash_key = hub->rooms.hash_key;
    uint64_t now_ms = hub->rooms.now_ms;
    uint64_t seen = publish->key.len ? local_log_seen(&room->log, hash_key, publish->key, now_ms) : 0;
    if (seen) {
        *out = (struct local_published){.seq = seen, .epoch = room->log.epoch, .duplicate = true};
        return true;
    }
    if (local_hub_full(hub, room))
        return false;
    local_log_fence(&room->log, self->env->random, (struct bytes){NULL, 0}, 0);
    const struct log_entry *entry = local_log_append(&room->log, &publish->rule, publish->tail, now_ms);
    if (publish->key.len)
        local_log_remember(&room->log, hash_key, publish->key, now_ms);
    local_hub_tell(hub, self, room, (struct bytes){entry->envelope, entry->len}, (struct bytes){NULL, 0});
    *out = (struct local_published){.seq = room->log.seq, .epoch = room->log.epoch};
    return true;
}

bool local_hub_publish(struct local_hub *hub, struct local_post *self, const struct local_publish *publish,
                       struct local_published *out)
{
    *out = (struct local_published){0};
    if (publish->rule.size == 0)
        return publish_unlogged(hub, self, publish);
    struct local_room *room = local_rooms_get(&hub->rooms, publish->room);
    bool done = publish_logged(hub, self, room, publish, out);
    local_rooms_settle(&hub->rooms, room);
    return done;
}
