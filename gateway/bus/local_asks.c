/* local_asks.c -- see local_asks.h. */
#include "local_asks.h"

#include <inttypes.h>
#include <stdio.h>

#include "local_hub.h"
#include "local_report.h"

/* ---- the log ---- */

void local_asks_locate(struct bus *bus, struct bytes name, struct bytes epoch, uint64_t seq, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    struct local_room *room = local_rooms_get(&self->hub->rooms, name);
    local_log_fence(&room->log, self->env->random, epoch, seq);
    local_answers_position(&self->answers, ask, room, false);
    local_rooms_settle(&self->hub->rooms, room);
    local_ask_end(self, ask, BUS_OK);
}

void local_asks_peek(struct bus *bus, struct bytes name, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    const struct local_room *room = local_rooms_find(&self->hub->rooms, name);
    local_answers_position(&self->answers, ask, room, false);
    local_ask_end(self, ask, BUS_OK);
}

void local_asks_read(struct bus *bus, struct bytes name, const struct log_range *range, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    const struct local_room *room = local_rooms_find(&self->hub->rooms, name);
    if (room) {
        const struct local_log *log = &room->log;
        uint32_t first = local_log_place_after(log, range->after);
        uint32_t end = range->before ? local_log_place_after(log, range->before - 1) : log->count;
        uint32_t count = end > first ? end - first : 0;
        if (count > range->limit)
            count = range->limit;
        for (uint32_t i = 0; i < count; i++) {
            const struct log_entry *entry = local_log_at(log, range->backwards ? end - 1 - i : first + i);
            local_answers_entry(&self->answers, ask, entry->seq, (struct bytes){entry->envelope, entry->len});
        }
    }
    local_ask_end(self, ask, BUS_OK);
}

/* ---- signals and commands ---- */

void local_asks_signal(struct bus *bus, uint32_t gateway, struct bytes message, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    struct local_post *post = local_hub_post(self->hub, gateway);
    enum bus_result result = !post ? BUS_NOBODY : post->inbox.len > INBOX_MAX ? BUS_LOST : BUS_OK;
    if (result == BUS_OK)
        local_hub_put(self->hub, self, post, (struct local_item){NULL, 0, LOCAL_SIGNAL}, (struct bytes){NULL, 0},
                      message);
    local_ask_end(self, ask, result);
}

/* Admins' lines are few and short: a full inbox takes them too. */
void local_asks_command(struct bus *bus, uint32_t gateway, struct bytes line, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    bool heard = false;
    for (struct local_post *post = self->hub->posts; post; post = post->next) {
        if (gateway && post->base.gateway != gateway)
            continue;
        local_hub_put(self->hub, self, post, (struct local_item){NULL, 0, LOCAL_COMMAND}, (struct bytes){NULL, 0},
                      line);
        heard = true;
    }
    local_ask_end(self, ask, heard ? BUS_OK : BUS_NOBODY);
}

/* ---- hashes ---- */

struct teller {
    const struct bus_ask *ask;
    struct local_answers *answers;
};

static void tell_field(void *ctx, struct bytes name, struct bytes value)
{
    struct teller *teller = ctx;
    local_answers_field(teller->answers, teller->ask, name, value);
}

void local_asks_hash_read(struct bus *bus, enum bus_hash hash, struct bytes name, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    const struct local_room *room = hash == BUS_STATE ? local_rooms_find(&self->hub->rooms, name) : NULL;
    const struct local_hash *fields = hash == BUS_BANS ? &self->hub->bans : room ? &room->state : NULL;
    if (fields)
        local_hash_each(fields, tell_field, &(struct teller){ask, &self->answers});
    local_ask_end(self, ask, BUS_OK);
}

void local_asks_hash_write(struct bus *bus, enum bus_hash hash, struct bytes name, struct bytes field,
                           struct bytes value, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    if (hash == BUS_BANS) {
        local_hash_write(&self->hub->bans, self->hub->rooms.hash_key, field, value);
    } else {
        struct local_room *room = local_rooms_get(&self->hub->rooms, name);
        local_hash_write(&room->state, self->hub->rooms.hash_key, field, value);
        local_rooms_settle(&self->hub->rooms, room);
    }
    local_ask_end(self, ask, BUS_OK);
}

/* ---- lists ---- */

void local_asks_rooms(struct bus *bus, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    for (const struct local_room *room = self->hub->rooms.table; room; room = room->hh.next) {
        if (room->count == 0)
            continue;
        char count[12];
        snprintf(count, sizeof count, "%" PRIu32, room->count);
        local_answers_field(&self->answers, ask, local_room_name(room), bytes_of(count));
    }
    local_ask_end(self, ask, BUS_OK);
}

void local_asks_gateways(struct bus *bus, const struct bus_ask *ask)
{
    struct local_post *self = local_ask_begin(bus);
    for (const struct local_post *post = self->hub->posts; post; post = post->next) {
        local_answers_gateway(&self->answers, ask, post->base.gateway, 0);
        local_report_answer(&post->report, ask, &self->answers);
    }
    local_ask_end(self, ask, BUS_OK);
}
