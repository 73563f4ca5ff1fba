/* connection_http.c -- a connection's handshake: reading its request, answering it, becoming a WebSocket. */
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "problem.h"

enum { RESPONSE_HEAD_MAX = 1024 };

/* Refuses what no site has to look at. Returns true when it did. */
static bool turned_down(struct connection *connection)
{
    const struct http_request *request = &connection->handshake->request;
    if (connection->flags & CONNECTION_OVER_LIMIT) {
        counter_add(connection->server->counters, COUNT_DROP_FULL, 1);
        connection_refuse(connection, 503, "Retry-After: 5\r\n", "This gateway is full.");
        return true;
    }
    int status = request_check(request);
    if (status)
        connection_refuse(connection, status, NULL, "There must be exactly one well-formed Host header.");
    return status != 0;
}

static const char *explain(const struct http_request *request)
{
    switch (request->status) {
    case 413:
        return request->max_body ? "The body is too large." : "Requests with a body are not taken here.";
    case 414:
        return "The request target is too long.";
    case 431:
        return "The request's headers are too large.";
    case 501:
        return "The only transfer coding known here is chunked.";
    case 505:
        return "Only HTTP/1.1 is spoken here.";
    default:
        return "This is not a well-formed HTTP/1.1 request.";
    }
}

/* Tells a client that waits for it to go on (RFC 9110, section 10.1.1); curl does, above 1 MiB. */
static void say_continue(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct block *block = block_new(connection->server->counters, sizeof line);
    memcpy(block->data, line, sizeof line - 1);
    block->len = sizeof line - 1;
    connection_send(connection, block);
}

/* Goes on with a head behind which a body comes: the site may refuse it before it has been read. */
static enum http_result begin_body(struct connection *connection)
{
    struct server *server = connection->server;
    struct http_request *request = &connection->handshake->request;
    size_t max = turned_down(connection) ? 0 : server->site->take_body(server->site_ctx, connection, request);
    if (!max)
        return HTTP_MORE;                                                        /* it has been answered */
    connection->deadline = server_deadline(server, server->limits.handshake_ms); /* as long as the head had */
    enum http_result result = http_begin_body(request, max);
    if (result == HTTP_MORE && request->raw_body == 0 && http_expects_continue(request))
        say_continue(connection);
    return result;
}

void connection_read_http(struct connection *connection)
{
    struct server *server = connection->server;
    ssize_t n = stream_read(&connection->stream, server->read_buffer, READ_SIZE);
    if (n == UV_EAGAIN)
        return;
    if (n <= 0) {
        connection_drop(connection, "ended in its handshake");
        return;
    }
    struct http_request *request = &connection->handshake->request;
    struct bytes input = {(char *)server->read_buffer, (size_t)n};
    enum http_result result = request->max_body ? http_feed_body(request, input) : http_feed(request, input);
    if (result == HTTP_BODY)
        result = begin_body(connection);
    if (result == HTTP_REFUSED)
        connection_refuse(connection, request->status, NULL, explain(request));
    else if (result == HTTP_COMPLETE && !turned_down(connection))
        server->site->on_request(server->site_ctx, connection, request);
}

static uint32_t response_head(const struct http_response *response, char out[RESPONSE_HEAD_MAX])
{
    char about_body[256] = "";
    if (response->status != 204) /* RFC 9110, section 8.6: none with it */
        snprintf(about_body, sizeof about_body, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                 response->content_type ? response->content_type : "text/plain; charset=utf-8", response->body.len);
    int len = snprintf(out, RESPONSE_HEAD_MAX, "HTTP/1.1 %d %s\r\n%s%sConnection: close\r\n\r\n", response->status,
                       http_phrase(response->status), about_body, response->headers ? response->headers : "");
    return (uint32_t)(len < RESPONSE_HEAD_MAX ? len : RESPONSE_HEAD_MAX - 1);
}

void connection_respond(struct connection *connection, const struct http_response *response)
{
    struct server *server = connection->server;
    connection->outlet.closed = true; /* a room that it is just leaving has no frames for it */
    if (connection->state == CONNECTION_JOINING)
        connection->session.protocol->on_close(&connection->session);
    connection->session.protocol = NULL;
    struct block *block = block_new(server->counters, RESPONSE_HEAD_MAX + response->body.len);
    block->len = response_head(response, (char *)block->data);
    if (!response->head_only && response->body.len) {
        memcpy(block->data + block->len, response->body.data, response->body.len);
        block->len += (uint32_t)response->body.len;
    }
    counter_add(server->counters, counter_of_status(response->status), 1);
    connection_free_handshake(connection, connection->handshake);
    connection->reader = NULL; /* shares its place with the handshake */
    connection->state = CONNECTION_CLOSING;
    connection->deadline = server_deadline(server, server->limits.close_ms);
    connection_send_last(connection, block);
    connection_finish(connection);
}

void connection_refuse(struct connection *connection, int status, const char *headers, const char *why)
{
    struct json_text problem = {0};
    char plain[256];
    int len = snprintf(plain, sizeof plain, "%d %s\n%s\n", status, http_phrase(status), why);
    struct http_response response = {.status = status, .headers = headers, .body = {plain, (size_t)len}};
    if (connection->server->site->problems) {
        problem_write(&problem, status, NULL, why);
        response.content_type = PROBLEM_TYPE;
        response.body = json_text_bytes(&problem);
    }
    const struct http_request *request = &connection->handshake->request;
    response.head_only = request->complete && http_method(request) == HTTP_HEAD;
    server_log_refusal(connection->server, connection, "request refused", status, why);
    connection_respond(connection, &response);
    json_text_free(&problem);
}

void connection_defer(struct connection *connection, const struct protocol *protocol, uint32_t ms)
{
    connection->state = CONNECTION_JOINING;
    connection->deadline = server_deadline(connection->server, ms);
    connection->session.protocol = protocol;
    stream_read_stop(&connection->stream);
}

void connection_upgrade(struct connection *connection, const struct protocol *protocol, struct bytes room, bool echo)
{
    struct server *server = connection->server;
    struct handshake *handshake = connection->handshake;
    int status = upgrade_check(&handshake->request, server->limits.compression, &handshake->upgrade);
    if (status != 101) {
        connection_refuse(connection, status,
                          status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : NULL,
                          status == 426 ? "Only WebSocket version 13 is spoken here."
                                        : "This is not a well-formed WebSocket handshake (RFC 6455, section 4.2.1).");
        return;
    }
    if (protocol->subprotocol && !upgrade_offers(&handshake->request, protocol->subprotocol)) {
        connection_refuse(connection, 400, NULL, "Sec-WebSocket-Protocol does not offer the subprotocol of this path.");
        return;
    }
    if (handshake->upgrade.deflate)
        connection->flags |= CONNECTION_DEFLATE;
    connection->state = CONNECTION_JOINING;
    connection->deadline = server_deadline(server, JOIN_MS);
    connection->session.protocol = protocol;
    stream_read_stop(&connection->stream);
    struct session_request request = {
        .room = room, .echo = echo, .deflate = handshake->upgrade.deflate, .outlet = &connection->outlet};
    protocol->on_open(&connection->session, &request);
}

/* The protocol is ready: 101, and then what the client sent behind its request. */
void connection_now_open(struct connection *connection)
{
    struct server *server = connection->server;
    struct handshake *handshake = connection->handshake;
    if (connection->state != CONNECTION_JOINING || connection->flags & CONNECTION_ENDING)
        return; /* it is being refused */
    struct block *block = block_new(server->counters, 512);
    block->len = (uint32_t)upgrade_reply(&handshake->upgrade, connection->session.protocol->subprotocol,
                                         (char *)block->data, 512);
    connection_send(connection, block);
    counter_add(server->counters, GAUGE_CONNECTIONS, 1);
    counter_add(server->counters, COUNT_UPGRADES, 1);
    if (connection->flags & CONNECTION_DEFLATE)
        counter_add(server->counters, COUNT_UPGRADES_DEFLATE, 1);
    connection->state = CONNECTION_OPEN;
    connection->deadline = server_deadline(server, server->limits.ping_ms);
    stream_read_start(&connection->stream);
    connection->reader = NULL; /* shares its place with the handshake */
    struct bytes rest = http_rest(&handshake->request);
    if (rest.len)
        connection_feed(connection, rest);
    connection_free_handshake(connection, handshake);
}
