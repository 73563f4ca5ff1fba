/* server.c -- see server.h. */
#include "server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/xalloc.h"
#include "connection.h"

enum {
    REFUSALS_MAX = 64,     /* sockets beyond the limit that are taken to be told 503 */
    LOG_LINES_MAX = 20,    /* of refusals in a second */
    SHED_LEAST = 64 * 1024 /* bytes: who holds less is not closed for want of memory */
};

void server_init(struct server *server, const struct env *env, struct counters *counters, struct flush *flush,
                 const struct server_limits *limits, struct deflater *deflater, const struct site *site, void *site_ctx)
{
    *server = (struct server){.env = env, .counters = counters, .flush = flush, .limits = *limits};
    server->site = site;
    server->site_ctx = site_ctx;
    server->start_ms = clock_ms(env->clock);
    server->read_buffer = xmalloc(READ_SIZE);
    slab_pool_init(&server->records, sizeof(struct connection));
    readers_init(&server->readers, &connection_frame_events, deflater, limits->max_message);
}

void server_close(struct server *server)
{
    assert(server->count == 0 && server->ending_count == 0);
    readers_close(&server->readers);
    slab_pool_close(&server->records);
    free(server->read_buffer);
    free(server->table);
    free(server->endings);
    free(server->parked);
}

/* ---- the table */

void server_add(struct server *server, struct connection *connection)
{
    if (server->count == server->cap) {
        server->cap = server->cap ? server->cap + server->cap / 2 : 64;
        server->table = xrealloc(server->table, server->cap * sizeof(struct connection *));
    }
    atomic_fetch_add_explicit(server->limits.total, 1, memory_order_relaxed);
    connection->index = server->count;
    server->table[server->count++] = connection;
}

void server_remove(struct server *server, struct connection *connection)
{
    atomic_fetch_sub_explicit(server->limits.total, 1, memory_order_relaxed);
    struct connection *last = server->table[--server->count];
    server->table[connection->index] = last;
    last->index = connection->index;
}

void server_turn_away(struct server *server, int fd)
{
    static const char reply[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
                                "Connection: close\r\n\r\n";
    (void)!send(fd, reply, sizeof reply - 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* best effort: the socket goes anyway */
    close(fd);
    counter_add(server->counters, COUNT_DROP_FULL, 1);
    counter_add(server->counters, COUNT_HTTP_503, 1);
}

void server_accept(struct server *server, int fd)
{
    counter_add(server->counters, COUNT_ACCEPTED, 1);
    uint32_t total = atomic_load_explicit(server->limits.total, memory_order_relaxed);
    if (total >= server->limits.max_connections + REFUSALS_MAX)
        server_turn_away(server, fd);
    else
        connection_new(server, fd, total >= server->limits.max_connections);
}

/* ---- endings */

void server_end_later(struct server *server, struct connection *connection, const char *reason)
{
    connection->flags |= CONNECTION_ENDING;
    if (server->ending_count == server->ending_cap) {
        server->ending_cap = server->ending_cap ? 2 * server->ending_cap : 64;
        server->endings = xrealloc(server->endings, server->ending_cap * sizeof *server->endings);
    }
    server->endings[server->ending_count++] = (struct ending){connection, reason};
}

void server_end_turn(struct server *server)
{
    for (uint32_t i = 0; i < server->ending_count; i++) { /* the list may grow meanwhile */
        struct ending ending = server->endings[i];
        connection_end(ending.connection, ending.reason);
    }
    server->ending_count = 0;
    server->turn_input = 0;
}

/* ---- input for another turn */

void server_park(struct server *server, struct connection *connection)
{
    if (server->parked_count == server->parked_cap) {
        server->parked_cap = server->parked_cap ? 2 * server->parked_cap : 16;
        server->parked = xrealloc(server->parked, server->parked_cap * sizeof(struct connection *));
    }
    server->parked[server->parked_count++] = connection;
    connection->flags |= CONNECTION_PARKED;
}

void server_unpark(struct server *server, struct connection *connection)
{
    uint32_t at = 0;
    while (server->parked[at] != connection)
        at++;
    server->parked_count--;
    memmove(&server->parked[at], &server->parked[at + 1], (server->parked_count - at) * sizeof(struct connection *));
    connection->flags &= (uint8_t)~CONNECTION_PARKED;
}

void server_feed_parked(struct server *server)
{
    bool open = server->was_open;
    server->was_open = !server->paused && !server->held;
    if (!open || !server->was_open)
        return;
    /* Each once at the most: who has still more goes to the end of the list. */
    uint32_t count = server->parked_count;
    for (uint32_t i = 0; i < count && server_has_input(server); i++) {
        if (i > 0 && server->turn_input > TURN_INPUT_MAX)
            break; /* but one has its turn, however much was read before */
        struct connection *connection = server->parked[0];
        server_unpark(server, connection);
        connection_feed_parked(connection);
    }
    server->was_open = !server->paused;
}

/* ---- what concerns all */

/* Who is on the way out and still holds much goes at once. Returns true when there was one. */
static bool shed_closing(struct server *server)
{
    bool any = false;
    for (uint32_t i = 0; i < server->count; i++) {
        struct connection *connection = server->table[i];
        if (connection->state < CONNECTION_CLOSING || connection_weight(connection) < SHED_LEAST)
            continue;
        stream_set_abort(&connection->stream);
        connection_drop(connection, "it held too much while it closed");
        any = true;
    }
    return any;
}

/* Closes those who hold the most, until that makes up for `excess` bytes. Those who hold little are never the ones. */
static void shed_open(struct server *server, size_t excess)
{
    size_t most = SHED_LEAST;
    for (uint32_t i = 0; i < server->count; i++) {
        size_t weight = connection_weight(server->table[i]);
        most = weight > most ? weight : most;
    }
    size_t closed = 0;
    for (uint32_t i = 0; i < server->count && closed < excess; i++) {
        struct connection *connection = server->table[i];
        size_t weight = connection_weight(connection);
        if (connection->state != CONNECTION_OPEN || connection->flags & CONNECTION_ENDING || weight < SHED_LEAST ||
            weight < most / 2)
            continue;
        closed += weight;
        counter_add(server->counters, COUNT_DROP_MEMORY, 1);
        connection_close(connection, 1013, "too much memory is held by slow clients");
    }
}

static void shed(struct server *server)
{
    uint64_t held = counter_get(server->counters, GAUGE_BLOCK_BYTES) + server->readers.held;
    if (held > server->limits.memory && !shed_closing(server))
        shed_open(server, held - server->limits.memory / 2);
}

static void log_suppressed(struct server *server, uint64_t second)
{
    if (second == server->log_second)
        return;
    if (server->log_suppressed)
        log_event(server->env->log, LOG_INFO, "more clients were refused", log_int("lines", server->log_suppressed));
    server->log_second = second;
    server->log_this_second = server->log_suppressed = 0;
}

void server_sweep(struct server *server)
{
    uint64_t now = clock_ms(server->env->clock);
    server->tick = (uint32_t)((now - server->start_ms) / SERVER_TICK_MS);
    log_suppressed(server, now / 1000);
    counter_set(server->counters, GAUGE_READER_BYTES, server->readers.held);
    uint32_t slice = server->count / SERVER_SLICES + 1;
    for (uint32_t i = 0; i < slice && server->count; i++) {
        if (server->sweep_at >= server->count)
            server->sweep_at = 0;
        connection_sweep(server->table[server->sweep_at++]);
    }
    shed(server);
}

void server_pause(struct server *server, bool paused)
{
    server->paused = paused;
    for (uint32_t i = 0; !paused && i < server->count; i++)
        connection_resume(server->table[i]);
}

void server_hurry_handshakes(struct server *server)
{
    uint32_t soon = server_deadline(server, 1000);
    for (uint32_t i = 0; i < server->count; i++) {
        struct connection *connection = server->table[i];
        if (connection->state == CONNECTION_HANDSHAKE && (int32_t)(connection->deadline - soon) > 0)
            connection->deadline = soon;
    }
}

uint32_t server_close_some(struct server *server, uint32_t limit, bool all, int code, const char *reason)
{
    uint32_t closed = 0;
    for (uint32_t i = 0; i < server->count && closed < limit; i++) {
        struct connection *connection = server->table[i];
        if (connection->state != CONNECTION_OPEN || connection->flags & CONNECTION_ENDING)
            continue;
        if (!all && connection->session.protocol->leaves_by_itself)
            continue;
        connection_close(connection, code, reason);
        closed++;
    }
    return closed;
}

void server_abort(struct server *server)
{
    for (uint32_t i = 0; i < server->count; i++)
        connection_drop(server->table[i], "the gateway ends");
    server_end_turn(server);
}

/* The peer's address, or "?" when the socket is gone already. */
static void peer_text(const struct connection *connection, char out[64])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t len = sizeof address;
    snprintf(out, 64, "?");
    if (getpeername(stream_fd(&connection->stream), &address.any, &len) < 0)
        return;
    char host[INET6_ADDRSTRLEN] = "?";
    bool v4 = address.any.sa_family == AF_INET;
    uv_inet_ntop(address.any.sa_family, v4 ? (void *)&address.v4.sin_addr : (void *)&address.v6.sin6_addr, host,
                 sizeof host);
    snprintf(out, 64, v4 ? "%s:%d" : "[%s]:%d", host, ntohs(v4 ? address.v4.sin_port : address.v6.sin6_port));
}

void server_log_refusal(struct server *server, const struct connection *connection, const char *message, int code,
                        const char *reason)
{
    log_suppressed(server, clock_ms(server->env->clock) / 1000);
    if (server->log_this_second++ >= LOG_LINES_MAX) {
        server->log_suppressed++;
        return;
    }
    char peer[64];
    peer_text(connection, peer);
    log_event(server->env->log, LOG_INFO, message, log_int("code", code), log_text("reason", reason),
              log_text("peer", peer));
}
