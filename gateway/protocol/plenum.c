/* plenum.c -- connections that speak plenum.v1; see plenum.h. */
#include "plenum.h"

#include <stdlib.h>

#include "../../common/xalloc.h"
#include "frame.h"
#include "plenum_client.h"

enum {
    ERRORS_AT_ONCE = 100, /* that a client may make before it counts as a flood, */
    ERRORS_PER_S = 10     /* ... and how soon they are forgiven */
};

/* ---- saying something */

void plenum_send(struct plenum_client *client, struct json_text *text)
{
    struct block *block = block_new(client->plenum->counters, FRAME_HEAD_MAX + text->len);
    block->len = (uint32_t)frame_head(block->data, FRAME_TEXT, false, text->len);
    memcpy(block->data + block->len, text->data, text->len);
    block->len += (uint32_t)text->len;
    flush_send(client->plenum->rooms->flush, client->outlet, block);
    block_unref(block);
    json_text_free(text);
}

void plenum_reply(struct json_text *text, const char *type, uint64_t id)
{
    json_literal(text, "{\"type\":\"");
    json_literal(text, type);
    json_literal(text, "\",\"id\":");
    json_uint(text, id);
}

void plenum_room(struct json_text *text, struct bytes room)
{
    json_literal(text, ",\"room\":");
    json_string(text, room);
}

static void send_error(struct plenum_client *client, bool has_id, uint64_t id, const char *code, const char *message)
{
    struct json_text text = {0};
    if (has_id)
        plenum_reply(&text, "error", id);
    else
        json_literal(&text, "{\"type\":\"error\"");
    json_literal(&text, ",\"code\":");
    json_string(&text, bytes_of(code));
    json_literal(&text, ",\"message\":");
    json_string(&text, bytes_of(message));
    json_literal(&text, "}");
    counter_add(client->plenum->counters, COUNT_REQUEST_ERRORS, 1);
    plenum_send(client, &text);
}

/* Counts an error. False: they are a flood, and the connection ends. */
static bool may_err(struct plenum_client *client)
{
    uint64_t now = clock_ms(client->plenum->env->clock);
    client->errors_left += (double)(now - client->errors_ms) * ERRORS_PER_S / 1000;
    client->errors_ms = now;
    if (client->errors_left > ERRORS_AT_ONCE)
        client->errors_left = ERRORS_AT_ONCE;
    client->errors_left -= 1;
    if (client->errors_left >= 0)
        return true;
    client->session->protocol->host->close(client->session, 4429, "too many errors");
    return false;
}

static void refuse_request(struct plenum_client *client, const struct request *request, const char *code,
                           const char *message)
{
    if (may_err(client))
        send_error(client, request->has_id, request->id, code, message);
}

void plenum_refuse(struct plenum_client *client, uint64_t id, const char *code, const char *message)
{
    if (may_err(client))
        send_error(client, true, id, code, message);
}

void plenum_fail(struct plenum_client *client, uint64_t id, const char *code, const char *message)
{
    send_error(client, true, id, code, message);
}

/* ---- what concerns no room */

static void send_drain(struct plenum_client *client)
{
    uint64_t now = clock_ms(client->plenum->env->clock), end = client->plenum->drain_end_ms;
    struct json_text text = {0};
    json_literal(&text, "{\"type\":\"drain\",\"after_ms\":");
    json_uint(&text, end > now ? end - now : 0);
    json_literal(&text, "}");
    plenum_send(client, &text);
}

static void write_limits(struct json_text *text, const struct plenum_limits *limits)
{
    const struct {
        const char *name;
        uint32_t value;
    } fields[] = {
        {"{\"message\":", limits->message}, {",\"info\":", REQUEST_INFO_MAX}, {",\"name\":", REQUEST_NAME_MAX},
        {",\"key\":", REQUEST_KEY_MAX},     {",\"rooms\":", limits->rooms},   {",\"history\":", REQUEST_HISTORY_MAX},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_literal(text, fields[i].name);
        json_uint(text, fields[i].value);
    }
    json_literal(text, "}");
}

static void hello(struct plenum_client *client, const struct request *request)
{
    struct plenum *plenum = client->plenum;
    client->id = rooms_new_id(plenum->rooms);
    if (request->has_name)
        client->name = xstrndup(request->name.data, request->name.len);
    struct json_text text = {0};
    json_literal(&text, "{\"type\":\"welcome\"");
    if (request->has_id) {
        json_literal(&text, ",\"id\":");
        json_uint(&text, request->id);
    }
    json_literal(&text, ",\"member\":");
    json_member(&text, client->id);
    json_literal(&text, ",\"gateway\":");
    json_gateway(&text, (uint32_t)(client->id >> 32));
    json_literal(&text, ",\"limits\":");
    write_limits(&text, &plenum->limits);
    json_literal(&text, ",\"ping_ms\":");
    json_uint(&text, plenum->limits.ping_ms);
    json_literal(&text, ",\"time\":");
    json_uint(&text, (uint64_t)clock_wall_ms(plenum->env->clock));
    json_literal(&text, ",\"rooms\":[]}");
    plenum_send(client, &text);
    if (plenum->drain_end_ms)
        send_drain(client);
}

static void ping(struct plenum_client *client, const struct request *request)
{
    struct json_text text = {0};
    plenum_reply(&text, "pong", request->id);
    if (request->has_time) {
        json_literal(&text, ",\"time\":");
        json_raw(&text, request->time);
    }
    json_literal(&text, ",\"server_time\":");
    json_uint(&text, (uint64_t)clock_wall_ms(client->plenum->env->clock));
    json_literal(&text, "}");
    plenum_send(client, &text);
}

static void carry_out(struct plenum_client *client, const struct request *request)
{
    static void (*const handlers[])(struct plenum_client * client, const struct request *request) = {
        [REQUEST_JOIN] = plenum_join,
        [REQUEST_LEAVE] = plenum_leave,
        [REQUEST_PUBLISH] = plenum_publish,
        [REQUEST_HISTORY] = plenum_read_history,
        [REQUEST_SIGNAL] = plenum_signal,
        [REQUEST_UPDATE] = plenum_update,
        [REQUEST_PING] = ping,
    };
    if (request->type == REQUEST_HELLO) {
        if (client->id)
            refuse_request(client, request, "hello_again", "There was a hello before.");
        else
            hello(client, request);
    } else if (!client->id) {
        refuse_request(client, request, "hello_first", "The first message of a connection is a hello.");
    } else if (request->type == REQUEST_UNSUPPORTED) {
        refuse_request(client, request, "not_supported", request->what);
    } else {
        handlers[request->type](client, request);
    }
}

/* ---- the protocol's table */

static struct plenum *plenum_of(const struct session *session)
{
    return (struct plenum *)session->protocol; /* its first field */
}

static void on_open(struct session *session, const struct session_request *request)
{
    struct plenum *plenum = plenum_of(session);
    struct plenum_client *client = xcalloc(1, sizeof *client);
    *client = (struct plenum_client){.plenum = plenum,
                                     .session = session,
                                     .outlet = request->outlet,
                                     .next = plenum->clients,
                                     .at = &plenum->clients,
                                     .deflate = request->deflate,
                                     .errors_left = ERRORS_AT_ONCE,
                                     .errors_ms = clock_ms(plenum->env->clock)};
    if (client->next)
        client->next->at = &client->next;
    plenum->clients = client;
    session->client = client;
    plenum->protocol.host->accept(session);
}

static void on_message(struct session *session, bool text, struct bytes payload)
{
    struct plenum_client *client = session->client;
    struct request request = {0};
    if (!text) {
        refuse_request(client, &request, "not_supported", "Media are not supported yet.");
        return;
    }
    const struct request_error *error = request_parse(payload, &request);
    if (error)
        refuse_request(client, &request, error->code, error->message);
    else
        carry_out(client, &request);
    request_free(&request);
}

static void on_close(struct session *session)
{
    struct plenum_client *client = session->client;
    plenum_leave_all(client);
    plenum_forget_histories(client);
    *client->at = client->next;
    if (client->next)
        client->next->at = client->at;
    free(client->name);
    free(client);
    session->client = NULL;
}

static void on_drained(struct session *session)
{
    struct plenum_client *client = session->client;
    plenum_pump_all(client);
    plenum_go_on_reading(client);
}

/* ---- life */

void plenum_drain(struct plenum *plenum, uint32_t after_ms)
{
    plenum->drain_end_ms = clock_ms(plenum->env->clock) + after_ms;
    for (struct plenum_client *client = plenum->clients; client; client = client->next) {
        if (client->id)
            send_drain(client);
    }
}

void plenum_init(struct plenum *plenum, const struct session_host *host, struct rooms *rooms, struct deflater *deflater,
                 const struct plenum_limits *limits)
{
    *plenum = (struct plenum){
        .protocol = {.subprotocol = "plenum.v1",
                     .slack = SLACK_MAX,
                     .leaves_by_itself = true,
                     .on_open = on_open,
                     .on_message = on_message,
                     .on_close = on_close,
                     .on_drained = on_drained,
                     .host = host},
        .rooms = rooms,
        .env = rooms->env,
        .counters = rooms->counters,
        .limits = *limits,
    };
    plenum_encoding_init(&plenum->plain, NULL);
    plenum_encoding_init(&plenum->deflated, deflater);
}

void plenum_close(struct plenum *plenum)
{
    plenum_free_histories(plenum);
}
