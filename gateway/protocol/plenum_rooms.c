/* plenum_rooms.c -- what a plenum.v1 client does in rooms, and what they tell it; see plenum.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/percent.h"
#include "../../common/xalloc.h"
#include "frame.h"
#include "plenum_client.h"

enum { MEMBER_DIGITS = 16, FROM_MAX = MEMBER_DIGITS + 1 + 3 * REQUEST_NAME_MAX + 1 };

static struct membership *membership_of(struct member *member)
{
    return (struct membership *)member; /* the participant, and its member, stand first */
}

/* ---- what others see */

/* {"name":...,"info":...,"since":...}; the caller frees it. */
static char *presence_value(const struct membership *membership, struct bytes info)
{
    struct json_text text = {0};
    json_literal(&text, "{");
    if (membership->user) {
        json_literal(&text, "\"name\":");
        json_string(&text, bytes_of(membership->user));
        json_literal(&text, ",");
    }
    if (info.len) {
        json_literal(&text, "\"info\":");
        json_raw(&text, info);
        json_literal(&text, ",");
    }
    json_literal(&text, "\"since\":");
    json_uint(&text, membership->since_ms);
    json_raw(&text, (struct bytes){"}", 2}); /* with the terminator */
    return text.data;
}

static void set_user(struct membership *membership, const char *user, size_t len)
{
    free(membership->user);
    free(membership->from);
    membership->user = len ? xstrndup(user, len) : NULL;
    char from[FROM_MAX];
    int at = snprintf(from, sizeof from, "%016" PRIx64, membership->client->id);
    if (len) {
        from[at++] = '/';
        at += (int)percent_encode((struct bytes){user, len}, from + at, sizeof from - (size_t)at);
    }
    membership->from = xstrndup(from, (size_t)at);
    membership->participant.from = bytes_of(membership->from);
    membership->participant.user = len ? bytes_of(membership->user) : (struct bytes){NULL, 0};
}

/* ---- memberships */

static struct membership *find(const struct plenum_client *client, struct bytes room)
{
    struct membership *membership;
    HASH_FIND(hh, client->by_room, room.data, room.len, membership);
    return membership;
}

static struct membership *membership_new(struct plenum_client *client, const struct request *request)
{
    struct membership *membership = xcalloc(1, sizeof *membership + request->room.len);
    membership->client = client;
    membership->join_id = request->id;
    membership->since_ms = (uint64_t)clock_wall_ms(client->plenum->env->clock);
    membership->room_len = (uint8_t)request->room.len;
    memcpy(membership->room, request->room.data, request->room.len);
    const char *name = client->name ? client->name : "";
    set_user(membership, request->has_name ? request->name.data : name,
             request->has_name ? request->name.len : strlen(name));

    struct participant *participant = &membership->participant;
    participant->member.kind = MEMBER_PARTICIPANT;
    participant->member.target.id = client->id;
    participant->member.target.outlet = client->outlet;
    participant->value = presence_value(membership, request->has_info ? request->info : (struct bytes){NULL, 0});
    participant->history = request->history;
    if (request->has_resume) {
        memcpy(participant->resume.epoch, request->epoch.data, request->epoch.len);
        participant->resume.offset = request->offset;
    }
    HASH_ADD_KEYPTR(hh, client->by_room, membership->room, membership->room_len, membership);
    client->rooms++;
    return membership;
}

/* It is out of the room already. */
static void membership_free(struct membership *membership)
{
    struct plenum_client *client = membership->client;
    HASH_DEL(client->by_room, membership); /* NOLINT(clang-analyzer-core.NullDereference): it is in the table */
    client->rooms--;
    free(membership->participant.value); /* where the room never took it */
    free(membership->user);
    free(membership->from);
    free(membership);
}

void plenum_leave_all(struct plenum_client *client)
{
    while (client->by_room) {
        struct membership *membership = client->by_room;
        room_leave(client->plenum->rooms, &membership->participant.member, "left");
        membership_free(membership);
    }
}

void plenum_pump_all(struct plenum_client *client)
{
    for (struct membership *at = client->by_room, *next; at; at = next) {
        next = at->hh.next;
        room_pump(client->plenum->rooms, &at->participant);
    }
}

struct membership *plenum_membership(struct plenum_client *client, const struct request *request)
{
    struct membership *membership = find(client, request->room);
    if (membership && membership->joined)
        return membership;
    plenum_refuse(client, request->id, "not_joined", "You are not in this room.");
    return NULL;
}

/* ---- requests */

void plenum_join(struct plenum_client *client, const struct request *request)
{
    struct plenum *plenum = client->plenum;
    if (find(client, request->room)) {
        plenum_refuse(client, request->id, "already_joined", "You are in this room, or about to be.");
        return;
    }
    if (client->rooms >= plenum->limits.rooms) {
        plenum_refuse(client, request->id, "too_many_rooms", "A connection may not be in more rooms.");
        return;
    }
    struct membership *membership = membership_new(client, request);
    const struct encoding *encoding = client->deflate ? &plenum->deflated.base : &plenum->plain.base;
    room_join(plenum->rooms, &membership->participant.member, request->room, encoding, false);
}

void plenum_leave(struct plenum_client *client, const struct request *request)
{
    struct membership *membership = plenum_membership(client, request);
    if (!membership)
        return;
    struct json_text text = {0};
    plenum_reply(&text, "left", request->id);
    plenum_room(&text, request->room);
    json_literal(&text, "}");
    room_abandon(client->plenum->rooms, &membership->participant.member);
    room_leave(client->plenum->rooms, &membership->participant.member, "left");
    membership_free(membership);
    plenum_send(client, &text);
}

void plenum_publish(struct plenum_client *client, const struct request *request)
{
    struct membership *membership = plenum_membership(client, request);
    if (!membership)
        return;
    if (request->data.len > client->plenum->limits.message) {
        plenum_refuse(client, request->id, "too_large", "`data` is larger than the limit for messages.");
        return;
    }
    struct saying saying = {
        .kind = ENVELOPE_JSON, .payload = request->data, .key = request->key, .request = request->id};
    if (!room_publish(client->plenum->rooms, &membership->participant.member, &saying))
        plenum_fail(client, request->id, "unavailable", "The gateway has too much to do.");
}

void plenum_signal(struct plenum_client *client, const struct request *request)
{
    struct membership *membership = plenum_membership(client, request);
    if (membership && request->data.len > client->plenum->limits.message)
        plenum_refuse(client, request->id, "too_large", "`data` is larger than the limit for messages.");
    else if (membership)
        room_signal(client->plenum->rooms, &membership->participant, request->to, request->data, request->id);
}

static void send_ack(struct plenum_client *client, uint64_t id)
{
    struct json_text text = {0};
    plenum_reply(&text, "ack", id);
    json_literal(&text, "}");
    plenum_send(client, &text);
}

void plenum_update(struct plenum_client *client, const struct request *request)
{
    struct membership *membership = plenum_membership(client, request);
    if (!membership)
        return;
    if (request->has_name)
        set_user(membership, request->name.data, request->name.len);
    char *value = presence_value(membership, request->info);
    room_update(client->plenum->rooms, &membership->participant, value);
    send_ack(client, request->id);
}

/* ---- what the rooms tell */

static void on_in(void *ctx, struct member *member, const struct joined *joined)
{
    (void)ctx;
    struct membership *membership = membership_of(member);
    struct plenum_client *client = membership->client;
    membership->joined = true;
    struct json_text text = {0};
    plenum_reply(&text, "joined", membership->join_id);
    plenum_room(&text, joined->room);
    json_literal(&text, ",\"epoch\":");
    json_string(&text, joined->epoch);
    json_literal(&text, ",\"offset\":");
    json_uint(&text, joined->offset);
    json_literal(&text, joined->recovered ? ",\"recovered\":true" : ",\"recovered\":false");
    if (joined->lossy)
        json_literal(&text, ",\"lossy\":\"maybe\"");
    json_literal(&text, ",\"members\":");
    room_write_members(client->plenum->rooms, &membership->participant, &text);
    json_literal(&text, ",\"count\":");
    json_uint(&text, joined->count);
    json_literal(&text, "}");
    plenum_send(client, &text);
}

static void on_refused(void *ctx, struct member *member, enum join_refusal refusal)
{
    static const struct {
        const char *code, *message;
    } refusals[] = {
        [JOIN_LOCKED] = {"locked", "The room is locked."},
        [JOIN_BANNED] = {"banned", "You are banned from this room."},
        [JOIN_FULL] = {"full", "The room is full."},
        [JOIN_UNAVAILABLE] = {"unavailable", "The room cannot be joined now: try again."},
    };
    (void)ctx;
    struct membership *membership = membership_of(member);
    struct plenum_client *client = membership->client;
    uint64_t id = membership->join_id;
    membership_free(membership);
    if (refusal == JOIN_UNAVAILABLE)
        plenum_fail(client, id, refusals[refusal].code, refusals[refusal].message);
    else
        plenum_refuse(client, id, refusals[refusal].code, refusals[refusal].message);
}

/* {"type":"ack","id":9007199254740991,"offset":18446744073709551615}: less than 126 bytes, so the head has two. */
static size_t write_ack(uint64_t request, uint64_t seq, uint8_t *out)
{
    enum { HEAD = 2 };
    char *text = (char *)out + HEAD;
    int len =
        snprintf(text, ACK_MAX - HEAD, "{\"type\":\"ack\",\"id\":%" PRIu64 ",\"offset\":%" PRIu64 "}", request, seq);
    frame_head(out, FRAME_TEXT, false, (size_t)len);
    return HEAD + (size_t)len;
}

static void on_publish_failed(void *ctx, struct member *member, uint64_t request, enum bus_failure failure)
{
    static const struct {
        const char *code, *message;
    } failures[] = {
        [BUS_UNAVAILABLE] = {"unavailable", "It was not sent: try again."},
        [BUS_UNCERTAIN] = {"uncertain", "It may or may not have been published: repeat it with the same key."},
        [BUS_REFUSED] = {"refused", "The server refuses it."},
    };
    (void)ctx;
    plenum_fail(membership_of(member)->client, request, failures[failure].code, failures[failure].message);
}

static void on_signal(void *ctx, struct member *member, uint64_t from, struct bytes data)
{
    (void)ctx;
    struct membership *membership = membership_of(member);
    struct json_text text = {0};
    json_literal(&text, "{\"type\":\"signal\"");
    plenum_room(&text, membership_room(membership));
    json_literal(&text, ",\"from\":");
    json_member(&text, from);
    json_literal(&text, ",\"data\":");
    json_raw(&text, data);
    json_literal(&text, "}");
    plenum_send(membership->client, &text);
}

static void on_signaled(void *ctx, struct member *member, uint64_t request, enum bus_result result)
{
    (void)ctx;
    struct plenum_client *client = membership_of(member)->client;
    if (result == BUS_OK)
        send_ack(client, request);
    else if (result == BUS_NOBODY)
        plenum_fail(client, request, "not_found", "There is no such member in this room.");
    else
        plenum_fail(client, request, "unavailable", "It may not have arrived.");
}

static void on_kicked(void *ctx, struct member *member, const char *reason)
{
    (void)ctx;
    struct membership *membership = membership_of(member);
    struct plenum_client *client = membership->client;
    uint64_t id = membership->join_id;
    bool joined = membership->joined;
    struct json_text text = {0};
    json_literal(&text, "{\"type\":\"kicked\"");
    plenum_room(&text, membership_room(membership));
    json_literal(&text, ",\"reason\":");
    json_string(&text, bytes_of(reason));
    json_literal(&text, "}");
    membership_free(membership);
    if (joined) {
        plenum_send(client, &text);
        return;
    }
    json_text_free(&text);
    plenum_refuse(client, id, "banned", "You were put out before you were in.");
}

static void on_page(void *ctx, struct member *member)
{
    (void)ctx;
    struct plenum_client *client = membership_of(member)->client;
    if (client->rooms > 1)
        plenum_pump_all(client);
}

const struct member_events plenum_member_events = {
    .on_in = on_in,
    .on_refused = on_refused,
    .write_ack = write_ack,
    .on_publish_failed = on_publish_failed,
    .on_signal = on_signal,
    .on_signaled = on_signaled,
    .on_kicked = on_kicked,
    .on_page = on_page,
};
