/* connection_ws.c -- an open WebSocket: reading its frames and handing its messages to the protocol. */
#include "../protocol/frame.h"
#include "connection.h"

/* Fails the connection: after a broken frame nothing that follows can be understood. */
static void fail(struct connection *connection, int code)
{
    static const char *const reasons[] = {
        [1002 - 1002] = "protocol error", [1007 - 1002] = "invalid data", [1009 - 1002] = "message too big"};
    connection_free_reader(connection);
    if (connection->state == CONNECTION_CLOSING) {
        connection_peer_closed(connection, code);
        return;
    }
    connection->flags |= CONNECTION_LAST_BYTES;
    connection_close(connection, code, reasons[code - 1002]);
}

/* What came of reading. */
static void after_feed(struct connection *connection, int result)
{
    struct server *server = connection->server;
    switch (result) {
    case READER_PARTIAL:
        if (!reader_deadline(connection->reader))
            reader_set_deadline(connection->reader, server_deadline(server, server->limits.message_ms));
        break;
    case READER_PAUSED:
        stream_read_stop(&connection->stream);
        server_park(server, connection);
        break;
    case READER_BOUNDARY:
    case READER_STOPPED:
        connection_free_reader(connection);
        break;
    default:
        fail(connection, result);
    }
}

static void borrow_reader(struct connection *connection)
{
    const struct protocol *protocol = connection->session.protocol; /* NULL: it has been closed already */
    connection->reader = reader_borrow(&connection->server->readers);
    if (protocol)
        reader_set_slack(connection->reader, protocol->slack);
}

void connection_feed(struct connection *connection, struct bytes input)
{
    struct server *server = connection->server;
    if (!connection->reader)
        borrow_reader(connection);
    server->feed_input = 0;
    after_feed(connection, reader_feed(&server->readers, connection->reader, input,
                                       connection->flags & CONNECTION_DEFLATE, connection));
}

void connection_feed_parked(struct connection *connection)
{
    struct server *server = connection->server;
    if (connection->flags & (CONNECTION_ENDING | CONNECTION_LAST_BYTES)) {
        connection_free_reader(connection); /* all has been said: what is left is not looked at */
    } else {
        server->feed_input = 0;
        connection_renew(connection); /* it was we who did not read */
        after_feed(connection, reader_feed_parked(&server->readers, connection->reader,
                                                  connection->flags & CONNECTION_DEFLATE, connection));
    }
    if (!(connection->flags & (CONNECTION_PARKED | CONNECTION_PAUSED)))
        stream_read_start(&connection->stream);
}

void connection_read_frames(struct connection *connection)
{
    struct server *server = connection->server;
    if (connection->state == CONNECTION_OPEN && server->paused) {
        connection->flags |= CONNECTION_PAUSED;
        stream_read_stop(&connection->stream);
        return;
    }
    if (server->held || server->turn_input > TURN_INPUT_MAX) {
        connection_renew(connection); /* it is we who do not read; it is reported again in the next turn */
        return;
    }
    ssize_t n = stream_read(&connection->stream, server->read_buffer, READ_SIZE);
    if (n == UV_EAGAIN)
        return;
    if (n <= 0) {
        connection_drop(connection, n == 0 ? "ended without a close frame" : "broken");
        return;
    }
    if (connection->flags & (CONNECTION_ENDING | CONNECTION_LAST_BYTES))
        return; /* read and discarded */
    if (connection->state == CONNECTION_OPEN) {
        connection->flags &= (uint8_t)~CONNECTION_PINGED;
        connection->deadline = server_deadline(server, server->limits.ping_ms);
    }
    connection_feed(connection, (struct bytes){(char *)server->read_buffer, (size_t)n});
}

/* ---- what the reader finds */

/* Whether to read on. */
static bool still_open(const struct connection *connection)
{
    return !(connection->flags & CONNECTION_ENDING);
}

static bool on_message(void *ctx, bool text, struct bytes payload)
{
    struct connection *connection = ctx;
    if (connection->state != CONNECTION_OPEN)
        return true; /* after our close frame: nobody hears it, but the peer's close may be behind it */
    counter_add(connection->server->counters, COUNT_MESSAGES_IN, 1);
    counter_add(connection->server->counters, COUNT_BYTES_IN, payload.len);
    connection->session.protocol->on_message(&connection->session, text, payload);
    return still_open(connection);
}

static bool on_ping(void *ctx, struct bytes payload)
{
    struct connection *connection = ctx;
    struct server *server = connection->server;
    if (connection->state != CONNECTION_OPEN)
        return true;
    counter_add(server->counters, COUNT_PINGS_IN, 1);
    struct block *pong = block_new(server->counters, FRAME_HEAD_MAX + payload.len);
    pong->len = (uint32_t)frame_head(pong->data, FRAME_PONG, false, payload.len);
    memcpy(pong->data + pong->len, payload.data, payload.len);
    pong->len += (uint32_t)payload.len;
    connection_send(connection, pong);
    return still_open(connection);
}

static bool on_pong(void *ctx, struct bytes payload)
{
    (void)payload; /* any sign of life will do: reading it has moved the deadline already */
    struct connection *connection = ctx;
    counter_add(connection->server->counters, COUNT_PONGS_IN, 1);
    return still_open(connection);
}

static bool on_close(void *ctx, int code, struct bytes reason)
{
    (void)reason;
    connection_peer_closed(ctx, code);
    return false;
}

static bool pause_reading(void *ctx)
{
    const struct server *server = ((struct connection *)ctx)->server;
    return server->feed_input > FEED_INPUT_MAX || server->turn_input > TURN_INPUT_MAX;
}

static void spend(void *ctx, size_t bytes)
{
    struct server *server = ((struct connection *)ctx)->server;
    server->feed_input += bytes;
    server->turn_input += bytes;
}

const struct websocket_events connection_frame_events = {on_message, on_ping, on_pong, on_close, pause_reading, spend};
