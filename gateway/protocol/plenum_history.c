/* plenum_history.c -- reading parts of rooms' logs for plenum.v1 clients; see plenum.h.
 *
 * A part may be megabytes, so that a client has few readings under way, and none begins while much waits for it. The
 * others stand in line. */
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "plenum_client.h"

enum {
    SPANS = REQUEST_HISTORY_MAX + 1, /* one more than is asked for shows whether there are more */
    AT_ONCE = 2,                     /* readings of a client that are under way */
    WAITING_MAX = 1000,              /* ... and in line */
    OUTBOX_ENOUGH = 1 << 20          /* bytes that wait for a client: nothing more is read for it */
};

/* Where an entry stands in the text of all. */
struct span {
    size_t from, to;
};

/* A reading that is under way or in line. */
struct plenum_history {
    struct plenum *plenum;
    struct plenum_client *client;      /* NULL: it has gone, and the end is still to come */
    struct plenum_history *next, **at; /* plenum->histories; in line: next is the client's */
    struct log_range range;            /* of one more than the limit */
    uint64_t request;
    struct span *spans; /* SPANS of them once it is under way */
    struct json_text entries;
    uint32_t count;
    uint8_t room_len;
    char room[];
};

static void history_free(struct plenum_history *history)
{
    json_text_free(&history->entries);
    free(history->spans);
    free(history);
}

static void unlink_history(struct plenum_history *history)
{
    *history->at = history->next;
    if (history->next)
        history->next->at = history->at;
}

void plenum_forget_histories(struct plenum_client *client)
{
    for (struct plenum_history *history = client->plenum->histories; history; history = history->next) {
        if (history->client == client)
            history->client = NULL;
    }
    while (client->line) {
        struct plenum_history *history = client->line;
        client->line = history->next;
        history_free(history);
    }
}

void plenum_free_histories(struct plenum *plenum)
{
    struct plenum_history *history = plenum->histories;
    plenum->histories = NULL;
    while (history) {
        struct plenum_history *next = history->next;
        history_free(history);
        history = next;
    }
}

/* ---- the answer */

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
    history->spans[history->count++] = (struct span){from, entries->len};
}

static void send_messages(const struct plenum_history *history)
{
    struct json_text text = {0};
    uint32_t limit = history->range.limit - 1, count = history->count < limit ? history->count : limit;
    plenum_reply(&text, "messages", history->request);
    plenum_room(&text, (struct bytes){history->room, history->room_len});
    json_literal(&text, ",\"messages\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct span *span = &history->spans[history->range.backwards ? count - 1 - i : i];
        if (i)
            json_literal(&text, ",");
        json_raw(&text, (struct bytes){history->entries.data + span->from, span->to - span->from});
    }
    json_literal(&text, history->count > limit ? "],\"more\":true}" : "],\"more\":false}");
    plenum_send(history->client, &text);
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct plenum_history *history = ctx;
    struct plenum_client *client = history->client;
    (void)tag;
    if (client && result == BUS_OK)
        send_messages(history);
    else if (client)
        plenum_fail(client, history->request, "unavailable", "The log cannot be read now.");
    unlink_history(history);
    history_free(history);
    if (!client)
        return;
    client->readings--;
    plenum_go_on_reading(client);
}

/* ---- one after the other */

static void begin(struct plenum_client *client, struct plenum_history *history)
{
    static const struct bus_ask_events events = {.on_end = on_end, .on_entry = on_entry};
    struct plenum *plenum = client->plenum;
    history->spans = xmalloc(SPANS * sizeof *history->spans);
    history->next = plenum->histories;
    history->at = &plenum->histories;
    if (history->next)
        history->next->at = &history->next;
    plenum->histories = history;
    client->readings++;
    struct bytes room = {history->room, history->room_len};
    bus_read(plenum->rooms->bus, room, &history->range, &(struct bus_ask){&events, history, 0});
}

void plenum_go_on_reading(struct plenum_client *client)
{
    while (client->line && client->readings < AT_ONCE) {
        if (client->outlet->box && client->outlet->box->bytes > OUTBOX_ENOUGH)
            return; /* until it has drained */
        struct plenum_history *history = client->line;
        client->line = history->next;
        client->in_line--;
        if (!client->line)
            client->line_end = &client->line;
        begin(client, history);
    }
}

static struct log_range range_of(const struct request *request)
{
    uint64_t offset = request->offset ? request->offset : 1; /* nothing is before either; and 0 would mean no end */
    return (struct log_range){.after = request->direction == HISTORY_AFTER ? request->offset : 0,
                              .before = request->direction == HISTORY_BEFORE ? offset : 0,
                              .limit = request->limit + 1,
                              .backwards = request->direction != HISTORY_AFTER};
}

void plenum_read_history(struct plenum_client *client, const struct request *request)
{
    if (!plenum_membership(client, request))
        return;
    if (client->in_line == WAITING_MAX) {
        plenum_refuse(client, request->id, "unavailable", "Too many readings are under way: wait for their answers.");
        return;
    }
    struct plenum_history *history = xcalloc(1, sizeof *history + request->room.len);
    history->plenum = client->plenum;
    history->client = client;
    history->request = request->id;
    history->range = range_of(request);
    history->room_len = (uint8_t)request->room.len;
    memcpy(history->room, request->room.data, request->room.len);
    if (!client->line)
        client->line_end = &client->line;
    *client->line_end = history;
    client->line_end = &history->next;
    client->in_line++;
    plenum_go_on_reading(client);
}
