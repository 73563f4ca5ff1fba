/* connection_http.c -- a connection's handshake: reading its request, answering it, becoming a WebSocket. */
#include <stdio.h>
#include <string.h>

#include "connection.h"

enum { RESPONSE_HEAD_MAX = 1024 };

static void answer_request(struct connection *connection)
{
    struct server *server = connection->server;
    const struct http_request *request = &connection->handshake->request;
    if (connection->flags & CONNECTION_OVER_LIMIT) {
        counter_add(server->counters, COUNT_DROP_FULL, 1);
        connection_refuse(connection, 503, "Retry-After: 5\r\n", "This gateway is full.");
        return;
    }
    int status = request_check(request);
    if (status) {
        connection_refuse(connection, status, NULL, "There must be exactly one well-formed Host header.");
        return;
    }
    server->site->on_request(server->site_ctx, connection, request);
}

static const char *explain(int status)
{
    switch (status) {
    case 413:
        return "Requests with a body are not taken here.";
    case 414:
        return "The request target is too long.";
    case 431:
        return "The request's headers are too large.";
    case 505:
        return "Only HTTP/1.1 is spoken here.";
    default:
        return "This is not a well-formed HTTP/1.1 request.";
    }
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
    switch (http_feed(request, (struct bytes){(char *)server->read_buffer, (size_t)n})) {
    case HTTP_MORE:
        break;
    case HTTP_COMPLETE:
        answer_request(connection);
        break;
    case HTTP_REFUSED:
        connection_refuse(connection, request->status, NULL, explain(request->status));
        break;
    }
}

void connection_respond(struct connection *connection, const struct http_response *response)
{
    struct server *server = connection->server;
    connection->outlet.closed = true; /* a room that it is just leaving has no frames for it */
    if (connection->state == CONNECTION_JOINING)
        connection->session.protocol->on_close(&connection->session);
    connection->session.protocol = NULL;
    struct block *block = block_new(server->counters, RESPONSE_HEAD_MAX + response->body.len);
    int len = snprintf((char *)block->data, RESPONSE_HEAD_MAX,
                       "HTTP/1.1 %d %s\r\n"
                       "Content-Type: %s\r\n"
                       "Content-Length: %zu\r\n"
                       "%sConnection: close\r\n\r\n",
                       response->status, http_phrase(response->status),
                       response->content_type ? response->content_type : "text/plain; charset=utf-8",
                       response->body.len, response->headers ? response->headers : "");
    block->len = (uint32_t)(len < RESPONSE_HEAD_MAX ? len : RESPONSE_HEAD_MAX - 1);
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
    char body[256];
    int len = snprintf(body, sizeof body, "%d %s\n%s\n", status, http_phrase(status), why);
    const struct http_request *request = &connection->handshake->request;
    bool head_only = request->complete && http_method(request) == HTTP_HEAD;
    server_log_refusal(connection->server, connection, "request refused", status, why);
    connection_respond(connection,
                       &(struct http_response){
                           .status = status, .headers = headers, .body = {body, (size_t)len}, .head_only = head_only});
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
    if (handshake->upgrade.deflate)
        connection->flags |= CONNECTION_DEFLATE;
    connection->state = CONNECTION_JOINING;
    connection->deadline = server_deadline(server, JOIN_MS);
    connection->session.protocol = protocol;
    stream_read_stop(&connection->stream);
    struct session_request request = {.room = room, .echo = echo, .deflate = handshake->upgrade.deflate};
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
