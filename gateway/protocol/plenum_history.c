/* plenum_history.c -- reading a part of a room's log for a plenum.v1 client; see plenum.h. */
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "plenum_client.h"

enum { SPANS = REQUEST_HISTORY_MAX + 1 }; /* one more than is asked for shows whether there are more */

/* A reading that is under way. */
struct plenum_history {
    struct plenum *plenum;
    struct plenum_client *client;      /* NULL: it has gone */
    struct plenum_history *next, **at; /* plenum->histories */
    uint64_t request;
    uint32_t limit;
    bool backwards;
    struct json_text entries; /* one behind the other, as they came */
    uint32_t count;
    struct {
        size_t from, to;
    } spans[SPANS]; /* of entries */
    uint8_t room_len;
    char room[];
};

static void history_free(struct plenum_history *history)
{
    *history->at = history->next;
    if (history->next)
        history->next->at = history->at;
    json_text_free(&history->entries);
    free(history);
}

void plenum_forget_histories(struct plenum_client *client)
{
    for (struct plenum_history *history = client->plenum->histories; history; history = history->next) {
        if (history->client == client)
            history->client = NULL; /* its end will come */
    }
}

void plenum_free_histories(struct plenum *plenum)
{
    while (plenum->histories)
        history_free(plenum->histories);
}

static void on_entry(void *ctx, uint64_t tag, uint64_t seq, struct bytes message)
{
    struct plenum_history *history = ctx;
    struct envelope envelope;
    (void)tag, (void)seq;
    if (history->count == SPANS || envelope_decode(message, &envelope) != ENVELOPE_OK)
        return;
    size_t bound = plenum_entry_bound(&envelope);
    if (bound == 0)
        return;
    struct json_text *entries = &history->entries;
    if (entries->len + bound > entries->cap) {
        entries->cap = 2 * (entries->len + bound);
        entries->data = xrealloc(entries->data, entries->cap);
    }
    size_t from = entries->len;
    entries->len += plenum_entry_write(&envelope, entries->data + from);
    history->spans[history->count].from = from;
    history->spans[history->count++].to = entries->len;
}

static void send_messages(const struct plenum_history *history)
{
    struct json_text text = {0};
    uint32_t count = history->count < history->limit ? history->count : history->limit;
    plenum_reply(&text, "messages", history->request);
    plenum_room(&text, (struct bytes){history->room, history->room_len});
    json_literal(&text, ",\"messages\":[");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = history->backwards ? count - 1 - i : i;
        if (i)
            json_literal(&text, ",");
        size_t from = history->spans[at].from, to = history->spans[at].to;
        json_raw(&text, (struct bytes){history->entries.data + from, to - from});
    }
    json_literal(&text, history->count > history->limit ? "],\"more\":true}" : "],\"more\":false}");
    plenum_send(history->client, &text);
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct plenum_history *history = ctx;
    (void)tag;
    if (history->client && result == BUS_OK)
        send_messages(history);
    else if (history->client)
        plenum_refuse(history->client, history->request, "unavailable", "The log cannot be read now.");
    history_free(history);
}

void plenum_read_history(struct plenum_client *client, const struct request *request)
{
    static const struct bus_ask_events events = {.on_end = on_end, .on_entry = on_entry};
    struct plenum *plenum = client->plenum;
    if (!plenum_membership(client, request))
        return;
    struct plenum_history *history = xcalloc(1, sizeof *history + request->room.len);
    history->plenum = plenum;
    history->client = client;
    history->request = request->id;
    history->limit = request->limit;
    history->backwards = request->direction != HISTORY_AFTER;
    history->room_len = (uint8_t)request->room.len;
    memcpy(history->room, request->room.data, request->room.len);
    history->next = plenum->histories;
    history->at = &plenum->histories;
    if (history->next)
        history->next->at = &history->next;
    plenum->histories = history;
    uint64_t offset = request->offset ? request->offset : 1; /* nothing is before either; and 0 would mean no end */
    struct log_range range = {.after = request->direction == HISTORY_AFTER ? request->offset : 0,
                              .before = request->direction == HISTORY_BEFORE ? offset : 0,
                              .limit = request->limit + 1,
                              .backwards = history->backwards};
    bus_read(plenum->rooms->bus, request->room, &range, &(struct bus_ask){&events, history, 0});
}
