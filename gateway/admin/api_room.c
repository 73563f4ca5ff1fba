/* api_room.c -- GET /api/rooms/{room}: where its log stands, who is in it, and whether it is locked. */
#include "../../common/json_scan.h"
#include "../../common/utf8.h"
#include "api_call.h"

static void on_position(void *ctx, uint64_t tag, const struct bus_position *position)
{
    (void)tag;
    struct api_call *call = ctx;
    size_t len = position->epoch.len <= EPOCH_MAX ? position->epoch.len : 0;
    if (len)
        memcpy(call->epoch, position->epoch.data, len);
    call->epoch[len] = '\0';
    call->offset = position->seq;
}

static void on_gateway(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members)
{
    (void)tag;
    struct api_call *call = ctx;
    if (call->gateways.len)
        json_literal(&call->gateways, ",");
    json_gateway(&call->gateways, gateway);
    json_literal(&call->gateways, ":");
    json_uint(&call->gateways, members);
    call->count += members;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.len && strchr(" \t\r\n", text.data[0]))
        text = (struct bytes){text.data + 1, text.len - 1};
    while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
        text.len--;
    return text;
}

/* What stands between the braces of an object; empty when it is none: an admin can write anything into Redis. */
static struct bytes inside_of(struct bytes object)
{
    if (!utf8_valid(object) || !json_valid(object))
        return (struct bytes){"", 0};
    object = trimmed(object);
    if (object.data[0] != '{')
        return (struct bytes){"", 0};
    return trimmed((struct bytes){object.data + 1, object.len - 2});
}

static void on_member(void *ctx, uint64_t tag, uint64_t member, struct bytes value)
{
    (void)tag;
    struct api_call *call = ctx;
    struct bytes rest = inside_of(value);
    json_literal(&call->members, call->members.len ? ",{\"member\":" : "{\"member\":");
    json_member(&call->members, member);
    json_literal(&call->members, ",\"gateway\":");
    json_gateway(&call->members, (uint32_t)(member >> 32));
    if (rest.len)
        json_literal(&call->members, ",");
    json_raw(&call->members, rest);
    json_literal(&call->members, "}");
}

static void on_state(void *ctx, uint64_t tag, struct bytes name, struct bytes value)
{
    (void)tag;
    struct api_call *call = ctx;
    if (bytes_equal(name, BYTES("lock"))) /* as lock.c reads it */
        call->locked = value.len && !bytes_equal(value, BYTES("0"));
}

static void write_answer(struct api_call *call)
{
    struct json_text *text = &call->text;
    json_literal(text, "{\"room\":");
    json_string(text, api_room(&call->route));
    json_literal(text, ",\"members\":[");
    json_raw(text, json_text_bytes(&call->members));
    json_literal(text, "],\"count\":");
    json_uint(text, call->count);
    json_literal(text, ",\"epoch\":");
    if (*call->epoch)
        json_string(text, bytes_of(call->epoch));
    else
        json_literal(text, "null");
    json_literal(text, ",\"offset\":");
    json_uint(text, *call->epoch ? call->offset : 0);
    json_literal(text, call->locked ? ",\"locked\":true" : ",\"locked\":false");
    json_literal(text, ",\"gateways\":{");
    json_raw(text, json_text_bytes(&call->gateways));
    json_literal(text, "}}\n");
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct api_call *call = ctx;
    api_note(call, result);
    if (--call->asks)
        return;
    if (!*call->epoch && call->count == 0 && call->members.len == 0 && !call->locked)
        api_fail(call, 404, "no_room", "Nobody is in this room, and nothing of it is kept.");
    if (!call->status) {
        call->status = 200;
        write_answer(call);
    }
    task_end(&call->task);
}

void api_run_room(struct task *task, void *ctx)
{
    static const struct bus_ask_events position = {.on_end = on_end, .on_position = on_position};
    static const struct bus_ask_events members = {.on_end = on_end, .on_gateway = on_gateway, .on_member = on_member};
    static const struct bus_ask_events state = {.on_end = on_end, .on_field = on_state};
    struct api_call *call = api_call_of(task);
    struct rooms *rooms = ctx;
    struct bytes room = api_room(&call->route);
    call->asks = 3;
    bus_peek(rooms->bus, room, &(struct bus_ask){&position, call, 0});
    bus_members(rooms->bus, room, &(struct bus_ask){&members, call, 0});
    bus_hash_read(rooms->bus, BUS_STATE, room, &(struct bus_ask){&state, call, 0});
}
