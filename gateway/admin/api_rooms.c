/* api_rooms.c -- GET /api/rooms: the open rooms, and how many are in them. */
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "api_call.h"

struct listed {
    char *name;
    uint64_t gateways, members;
};

/* The first `limit` names in their order. Of the others it only matters that there are some: Redis tells all the names
 * there are, a million perhaps, in no order. */
struct api_listing {
    struct listed *rooms;
    uint32_t count;
    bool more;
};

void api_listing_free(struct api_listing *listing)
{
    if (!listing)
        return;
    for (uint32_t i = 0; i < listing->count; i++)
        free(listing->rooms[i].name);
    free(listing->rooms);
    free(listing);
}

/* Where the name is or belongs. */
static uint32_t place_of(const struct api_listing *listing, const char *name)
{
    uint32_t low = 0, high = listing->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (strcmp(listing->rooms[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct api_listing *listing, uint32_t limit, const char *name, uint64_t gateways)
{
    uint32_t at = place_of(listing, name);
    if (at < listing->count && !strcmp(listing->rooms[at].name, name))
        return;
    if (listing->count == limit) {
        listing->more = true;
        if (at == limit)
            return;
        free(listing->rooms[--listing->count].name);
    }
    memmove(&listing->rooms[at + 1], &listing->rooms[at], (listing->count - at) * sizeof *listing->rooms);
    listing->rooms[at] = (struct listed){.name = xstrdup(name), .gateways = gateways};
    listing->count++;
}

static uint64_t number_of(struct bytes text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    return number;
}

static void on_room(void *ctx, uint64_t tag, struct bytes name, struct bytes value)
{
    (void)tag;
    struct api_call *call = ctx;
    struct bytes prefix = api_room(&call->route);
    if (!room_name_valid(name) || name.len < prefix.len || memcmp(name.data, prefix.data, prefix.len) != 0)
        return;
    char text[ROOM_NAME_MAX + 1];
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    insert(call->listing, call->route.limit, text, number_of(value));
}

static void on_count(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members)
{
    (void)gateway;
    struct api_call *call = ctx;
    call->listing->rooms[tag].members += members;
}

static void finish(struct api_call *call)
{
    struct json_text *text = &call->text;
    json_literal(text, "{\"rooms\":[");
    for (uint32_t i = 0; i < call->listing->count; i++) {
        const struct listed *room = &call->listing->rooms[i];
        json_literal(text, i ? ",{\"room\":" : "{\"room\":");
        json_string(text, bytes_of(room->name));
        json_literal(text, ",\"gateways\":");
        json_uint(text, room->gateways);
        json_literal(text, ",\"members\":");
        json_uint(text, room->members);
        json_literal(text, "}");
    }
    json_literal(text, call->listing->more ? "],\"more\":true}\n" : "],\"more\":false}\n");
    if (!call->status)
        call->status = 200;
    task_end(&call->task);
}

static void on_counted(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct api_call *call = ctx;
    api_note(call, result);
    if (--call->asks == 0)
        finish(call);
}

/* All names are there: now how many are in each. */
static void on_listed(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    static const struct bus_ask_events events = {.on_end = on_counted, .on_gateway = on_count};
    struct api_call *call = ctx;
    api_note(call, result);
    call->asks = call->status ? 0 : call->listing->count;
    if (call->asks == 0)
        finish(call);
    else
        for (uint32_t i = 0, count = call->asks; i < count; i++)
            bus_counts(call->rooms->bus, bytes_of(call->listing->rooms[i].name), &(struct bus_ask){&events, call, i});
}

void api_run_rooms(struct task *task, void *ctx)
{
    static const struct bus_ask_events events = {.on_end = on_listed, .on_field = on_room};
    struct api_call *call = api_call_of(task);
    call->rooms = ctx;
    call->listing = xcalloc(1, sizeof *call->listing);
    call->listing->rooms = xcalloc(call->route.limit + 1, sizeof *call->listing->rooms);
    bus_list_rooms(call->rooms->bus, &(struct bus_ask){&events, call, 0});
}
