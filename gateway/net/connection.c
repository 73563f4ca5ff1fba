/* connection.c -- the life of a connection; see connection.h. */
#include "connection.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "../../common/xalloc.h"
#include "../protocol/frame.h"

enum {
    LINGER_MS = 1000,   /* for the peer to close after we have shut down */
    SLICE_WEIGHT = 4096 /* bytes that a slice may hold besides its own: a copy's block that is not full */
};

/* ---- the stream's events */

static struct connection *of(struct stream *stream)
{
    return (struct connection *)stream; /* its first field */
}

/* Reads away what comes after all has been said. */
static void discard_input(struct connection *connection)
{
    ssize_t n = stream_read(&connection->stream, connection->server->read_buffer, READ_SIZE);
    if (n == 0 || (n < 0 && n != UV_EAGAIN))
        connection_drop(connection, "ended");
}

static void on_readable(struct stream *stream)
{
    struct connection *connection = of(stream);
    switch (connection->state) {
    case CONNECTION_HANDSHAKE:
        connection_read_http(connection);
        break;
    case CONNECTION_OPEN:
    case CONNECTION_CLOSING:
        connection_read_frames(connection);
        break;
    default:
        discard_input(connection);
    }
}

/* All has been said and given to the kernel. */
static void shut_down(struct connection *connection)
{
    connection->state = CONNECTION_LINGER;
    connection->deadline = server_deadline(connection->server, LINGER_MS);
    stream_shutdown(&connection->stream);
    stream_read_start(&connection->stream);
}

void connection_finish(struct connection *connection)
{
    connection->flags |= CONNECTION_LAST_BYTES;
    if (!connection->outlet.box && connection->state != CONNECTION_LINGER)
        shut_down(connection);
}

static void on_writable(struct stream *stream)
{
    struct connection *connection = of(stream);
    size_t waiting = connection->outlet.box ? connection->outlet.box->bytes : 0;
    if (waiting)
        flush_outlet(connection->server->flush, &connection->outlet);
    if (connection->outlet.box) {
        if (connection->state == CONNECTION_CLOSING && connection->outlet.box->bytes < waiting) /* it takes its time */
            connection->deadline = server_deadline(connection->server, connection->server->limits.close_ms);
        return;
    }
    stream_want_write(stream, false);
    if (connection->flags & CONNECTION_LAST_BYTES && connection->state != CONNECTION_LINGER)
        shut_down(connection);
    else if (connection->state == CONNECTION_OPEN && connection->session.protocol->on_drained)
        connection->session.protocol->on_drained(&connection->session);
}

static void on_closed(struct stream *stream)
{
    struct connection *connection = of(stream);
    slab_free(&connection->server->records, connection);
}

static const struct stream_events stream_events = {
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_close = on_closed,
};

void connection_new(struct server *server, int fd, bool over_limit)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* the flush coalesces by design, not by Nagle */
    struct connection *connection = slab_alloc(&server->records);
    int status = stream_init(&connection->stream, server->env->loop, fd, &stream_events);
    if (status < 0) {
        log_event(server->env->log, LOG_WARN, "a socket could not be watched", log_text("error", uv_strerror(status)));
        slab_free(&server->records, connection);
        return;
    }
    connection->server = server;
    connection->handshake = xcalloc(1, sizeof *connection->handshake);
    http_init(&connection->handshake->request, server->limits.max_head);
    connection->handshake->request.takes_bodies = server->site->take_body != NULL;
    connection->state = CONNECTION_HANDSHAKE;
    connection->deadline = server_deadline(server, server->limits.handshake_ms);
    if (over_limit)
        connection->flags |= CONNECTION_OVER_LIMIT;
    server_add(server, connection);
    counter_add(server->counters, GAUGE_HANDSHAKES, 1);
    stream_read_start(&connection->stream);
}

/* ---- sending */

void connection_send(struct connection *connection, struct block *block)
{
    flush_send(connection->server->flush, &connection->outlet, block);
    block_unref(block);
}

/* Sends the last bytes that this connection will ever be sent. */
void connection_send_last(struct connection *connection, struct block *block)
{
    connection->outlet.closed = false; /* it may be closed to everything else already */
    connection_send(connection, block);
    connection->outlet.closed = true;
}

static ssize_t sink_write(struct outlet *outlet, const struct iovec *pieces, int count)
{
    return stream_write(&connection_of_outlet(outlet)->stream, pieces, count);
}

static void sink_blocked(struct outlet *outlet)
{
    stream_want_write(&connection_of_outlet(outlet)->stream, true);
}

static void sink_trouble(struct outlet *outlet, enum outlet_trouble trouble)
{
    struct connection *connection = connection_of_outlet(outlet);
    struct counters *counters = connection->server->counters;
    switch (trouble) {
    case OUTLET_BROKEN:
        connection_drop(connection, "broken");
        break;
    case OUTLET_FULL:
        counter_add(counters, COUNT_DROP_OUTBOX_FULL, 1);
        connection_close(connection, 1013, "too slow: too much is waiting");
        break;
    case OUTLET_SLOW:
        counter_add(counters, COUNT_DROP_OUTBOX_SLOW, 1);
        connection_close(connection, 1013, "too slow: for too long");
        break;
    }
}

const struct sink connection_sink = {sink_write, sink_blocked, sink_trouble};

/* ---- ending */

void connection_free_handshake(struct connection *connection, struct handshake *handshake)
{
    http_free(&handshake->request);
    free(handshake);
    counter_sub(connection->server->counters, GAUGE_HANDSHAKES, 1);
}

void connection_free_reader(struct connection *connection)
{
    if (connection->reader)
        reader_return(&connection->server->readers, connection->reader);
    connection->reader = NULL;
}

void connection_close(struct connection *connection, int code, const char *reason)
{
    if (connection->state >= CONNECTION_CLOSING || connection->flags & CONNECTION_ENDING)
        return;
    connection->close_code = (uint16_t)code;
    server_end_later(connection->server, connection, reason);
}

void connection_drop(struct connection *connection, const char *reason)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    connection->flags |= CONNECTION_DROP;
    connection->outlet.closed = true;
    if (!(connection->flags & CONNECTION_ENDING))
        server_end_later(connection->server, connection, reason);
}

static void leave_rooms(struct connection *connection)
{
    if (connection->session.protocol)
        connection->session.protocol->on_close(&connection->session);
    connection->session.protocol = NULL;
}

static void count_close(struct connection *connection)
{
    struct counters *counters = connection->server->counters;
    counter_sub(counters, GAUGE_CONNECTIONS, 1);
    counter_add(counters, connection->close_code ? counter_of_close(connection->close_code) : COUNT_CLOSE_NONE, 1);
}

/* Closes the socket now and lets go of everything; the record itself goes in on_closed. */
static void destroy(struct connection *connection)
{
    connection->outlet.closed = true;
    connection->close_code = 0; /* no close frame went out */
    if (connection->state == CONNECTION_OPEN)
        count_close(connection);
    if (connection->flags & CONNECTION_PARKED)
        server_unpark(connection->server, connection);
    leave_rooms(connection);
    if (connection->state <= CONNECTION_JOINING)
        connection_free_handshake(connection, connection->handshake);
    else
        connection_free_reader(connection);
    flush_discard(connection->server->flush, &connection->outlet);
    server_remove(connection->server, connection);
    connection->state = CONNECTION_CLOSED;
    stream_close(&connection->stream);
}

static struct block *close_frame(const struct connection *connection, const char *reason)
{
    struct bytes text = bytes_of(reason);
    bool empty = connection->close_code == 1005; /* the peer's had none: answer alike */
    size_t len = empty ? 0 : 2 + (text.len > CONTROL_PAYLOAD_MAX - 2 ? CONTROL_PAYLOAD_MAX - 2 : text.len);
    struct block *block = block_new(connection->server->counters, FRAME_HEAD_MAX + CONTROL_PAYLOAD_MAX);
    block->len = (uint32_t)frame_head(block->data, FRAME_CLOSE, false, len);
    if (empty)
        return block;
    block->data[block->len++] = (uint8_t)(connection->close_code >> 8);
    block->data[block->len++] = (uint8_t)connection->close_code;
    memcpy(block->data + block->len, text.data, len - 2);
    block->len += (uint32_t)len - 2;
    return block;
}

/* For outbox_trim. The 101 reply is in an outbox too; no frame of ours has its first byte. */
static size_t size_of_frame(const uint8_t *frame)
{
    return frame[0] == 'H' ? 0 : frame_size(frame);
}

/* Says goodbye: our close frame, then the peer's is awaited unless it has come (or cannot be understood). */
static void say_close(struct connection *connection, const char *reason)
{
    struct server *server = connection->server;
    bool ours = !(connection->flags & CONNECTION_LAST_BYTES) || *reason; /* not an answer to the peer's */
    if (ours && connection->close_code != 1012)
        server_log_refusal(server, connection, "connection closed", connection->close_code, reason);
    count_close(connection);
    connection->state = CONNECTION_CLOSING; /* from here on its code stands */
    leave_rooms(connection);
    bool peer_closed = !ours;
    if (connection->close_code == 1013 || peer_closed) /* let the close frame be the next thing that it gets */
        flush_trim(server->flush, &connection->outlet, size_of_frame);
    connection->deadline = server_deadline(server, server->limits.close_ms);
    connection->flags &= (uint8_t)~CONNECTION_PAUSED;
    if (connection->flags & CONNECTION_PARKED)
        server_unpark(server, connection);
    stream_read_start(&connection->stream);
    bool deaf = connection->flags & CONNECTION_LAST_BYTES || connection->reader;
    connection_free_reader(
        connection); /* an unfinished message is let go of; the peer's close cannot be told from it */
    connection_send_last(connection, close_frame(connection, reason));
    if (deaf)
        connection_finish(connection);
}

void connection_end(struct connection *connection, const char *reason)
{
    connection->flags &= (uint8_t)~CONNECTION_ENDING;
    if (connection->flags & CONNECTION_DROP)
        destroy(connection);
    else if (connection->state == CONNECTION_OPEN)
        say_close(connection, reason);
    else if (connection->state == CONNECTION_JOINING && connection->close_code == 4403)
        connection_refuse(connection, 403, NULL, reason);
    else if (connection->state == CONNECTION_JOINING)
        connection_refuse(connection, 503, "Retry-After: 1\r\n", reason);
    else if (connection->state == CONNECTION_HANDSHAKE)
        destroy(connection);
}

void connection_peer_closed(struct connection *connection, int code)
{
    if (connection->state == CONNECTION_CLOSING) {
        connection_finish(connection);
        return;
    }
    connection->flags |= CONNECTION_LAST_BYTES; /* the answer is our last word */
    connection_close(connection, code, "");
}

/* ---- deadlines */

static void sweep_open(struct connection *connection)
{
    struct server *server = connection->server;
    flush_check_slow(server->flush, &connection->outlet);
    if (connection->flags & (CONNECTION_PAUSED | CONNECTION_PARKED))
        return; /* it is we who do not read */
    if (connection->reader && (int32_t)(server->tick - reader_deadline(connection->reader)) >= 0) {
        counter_add(server->counters, COUNT_DROP_FRAGMENT, 1);
        connection_close(connection, 1008, "a message was left unfinished");
        return;
    }
    if ((int32_t)(server->tick - connection->deadline) < 0)
        return;
    if (connection->flags & CONNECTION_PINGED) {
        counter_add(server->counters, COUNT_DROP_IDLE, 1);
        connection_close(connection, 1001, "no answer to a ping");
        return;
    }
    connection->flags |= CONNECTION_PINGED;
    connection->deadline = server_deadline(server, server->limits.pong_ms);
    struct block *ping = block_new(server->counters, FRAME_HEAD_MAX);
    ping->len = (uint32_t)frame_head(ping->data, FRAME_PING, false, 0);
    connection_send(connection, ping);
}

void connection_sweep(struct connection *connection)
{
    struct server *server = connection->server;
    if (connection->state == CONNECTION_OPEN) {
        sweep_open(connection);
        return;
    }
    if ((int32_t)(server->tick - connection->deadline) < 0)
        return;
    if (connection->state == CONNECTION_HANDSHAKE) {
        counter_add(server->counters, COUNT_DROP_HANDSHAKE, 1);
        connection_refuse(connection, 408, NULL, "The request took too long.");
    } else if (connection->state == CONNECTION_JOINING) {
        connection_refuse(connection, 503, "Retry-After: 1\r\n", "The room cannot be joined now.");
    } else if (connection->state == CONNECTION_CLOSING && !connection->outlet.box) {
        connection_finish(connection); /* no answer to our close frame: end our half, so that it sees the end */
    } else {
        if (connection->outlet.box) /* it takes nothing: a lingering socket would only hold memory */
            stream_set_abort(&connection->stream);
        connection_drop(connection, "the peer did not close in time");
    }
}

/* Its time begins anew: it was we who did not read. */
void connection_renew(struct connection *connection)
{
    const struct server *server = connection->server;
    if (connection->state != CONNECTION_OPEN)
        return;
    connection->flags &= (uint8_t)~CONNECTION_PINGED;
    connection->deadline = server_deadline(server, server->limits.ping_ms);
    if (connection->reader && reader_deadline(connection->reader))
        reader_set_deadline(connection->reader, server_deadline(server, server->limits.message_ms));
}

void connection_resume(struct connection *connection)
{
    if (!(connection->flags & CONNECTION_PAUSED))
        return;
    connection->flags &= (uint8_t)~CONNECTION_PAUSED;
    connection_renew(connection);
    if (!(connection->flags & CONNECTION_PARKED))
        stream_read_start(&connection->stream);
}

size_t connection_weight(const struct connection *connection)
{
    size_t weight = 0;
    const struct outbox *box = connection->outlet.box;
    if (box) {
        const struct block *first = box->ring[box->head].block; /* it may hold a whole block of its own */
        weight += box->bytes + (first->refs == 1 ? first->cap : 0) + box->count * (size_t)SLICE_WEIGHT;
    }
    if (connection->state >= CONNECTION_OPEN && connection->reader)
        weight += reader_held(connection->reader);
    return weight;
}

/* ---- the protocols' view */

static void host_accept(struct session *session)
{
    connection_now_open(connection_of_session(session));
}

static void host_close(struct session *session, int code, const char *reason)
{
    connection_close(connection_of_session(session), code, reason);
}

const struct session_host connection_host = {host_accept, host_close};
