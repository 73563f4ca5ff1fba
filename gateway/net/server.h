/* server.h -- the connections of one loop: accepting them, keeping their deadlines, ending them.
 *
 * A worker has one for the public port, the main thread one for the admin port; what a request means is the site's
 * business. Closes are gathered while the turn runs and carried out at its end (server_end_turn), so that nobody's
 * connection goes away under his feet. Thread: the loop's. Owned by: worker, main. */
#ifndef PLENUM_GATEWAY_NET_SERVER_H
#define PLENUM_GATEWAY_NET_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../common/env.h"
#include "../../common/slab.h"
#include "../delivery/flush.h"
#include "http.h"
#include "websocket.h"

struct connection;

/* Who decides what requests mean. */
struct site {
    /* A complete, well-formed request; ends in connection_respond, connection_upgrade or connection_defer, inside the
     * call. */
    void (*on_request)(void *ctx, struct connection *connection, const struct http_request *request);
    /* The head of a request with a body: how many bytes that may have; on_request follows when it is there. 0: it was
     * answered inside the call. NULL: no bodies are taken. */
    size_t (*take_body)(void *ctx, struct connection *connection, const struct http_request *request);
    bool problems; /* what is refused is explained in JSON (RFC 9457), not in plain text */
};

struct server_limits {
    uint32_t max_connections; /* sockets of the process, those in their handshake included; counted in *total */
    _Atomic uint32_t *total;
    uint32_t max_head;     /* bytes of a request head */
    uint32_t max_message;  /* bytes, after inflating */
    bool compression;      /* offer permessage-deflate */
    uint32_t handshake_ms; /* from accept to a complete request: 408 */
    uint32_t message_ms;   /* for an unfinished frame or fragmented message: 1008 */
    uint32_t ping_ms;      /* of silence before we ping */
    uint32_t pong_ms;      /* of silence after that: 1001 */
    uint32_t close_ms;     /* for the peer to answer our close frame */
    uint64_t memory;       /* bytes of what waits for clients and of unfinished messages: above it the worst go */
};

/* A connection to be ended at the end of the turn. */
struct ending {
    struct connection *connection;
    const char *reason; /* a constant, for the close frame and the log */
};

struct server {
    const struct env *env;
    struct counters *counters;
    struct flush *flush;
    struct server_limits limits;
    const struct site *site;
    void *site_ctx;
    struct readers readers;
    struct slab_pool records; /* of connections */
    uint8_t *read_buffer;     /* one for all: reads are synchronous to the callback */
    struct connection **table;
    uint32_t count, cap;
    uint32_t sweep_at; /* where the next slice of the sweep begins */
    uint32_t tick;     /* now, in units of 100 ms since the start; set by server_sweep */
    uint64_t start_ms;
    struct ending *endings;
    uint32_t ending_count, ending_cap;
    struct connection **parked; /* with input left over from an earlier turn */
    uint32_t parked_count, parked_cap;
    size_t turn_input, feed_input; /* what reading from clients has cost in this turn, in this feed; in bytes */
    bool paused;                   /* clients are not read: the bus is pressed */
    bool was_open;                 /* clients could be read in the last poll: else they come before what is parked */
    bool held;                     /* ... in this turn: the bus has more for us than we took; set by the worker */
    uint64_t log_second;           /* for server_log_refusal */
    uint32_t log_this_second, log_suppressed;
};

enum {
    SERVER_SWEEP_MS = 50, /* call server_sweep so often; */
    SERVER_SLICES = 20,   /* each connection's turn comes once in so many calls */
    SERVER_TICK_MS = 100,
    READ_SIZE = 64 * 1024,     /* bytes of one read; one read per connection and turn */
    JOIN_MS = 2000,            /* for the bus to confirm a room: 503 */
    TURN_INPUT_MAX = 16 << 20, /* bytes read in a turn, whoever sends them: 64 KiB of deflate inflate to 58 MiB */
    FEED_INPUT_MAX = 256 << 10 /* ... by one connection */
};

/* Copies limits; env, counters, flush and deflater are borrowed for the server's life. */
void server_init(struct server *server, const struct env *env, struct counters *counters, struct flush *flush,
                 const struct server_limits *limits, struct deflater *deflater, const struct site *site,
                 void *site_ctx);
/* No connection is left (server->count is 0). */
void server_close(struct server *server);

/* Says 503 to an accepted socket and closes it, without reading a request: the last resort when there is no room. Best
 * effort: what it has sent may make the kernel reset the connection before the 503 is read. */
void server_turn_away(struct server *server, int fd);

/* Takes an accepted, non-blocking socket. */
void server_accept(struct server *server, int fd);

/* Goes on with the input that was too much for an earlier turn. Call it first at the end of a turn, before the bus. */
void server_feed_parked(struct server *server);

/* True when such input waits and may be read: the loop must not sleep. */
static inline bool server_has_input(const struct server *server)
{
    return server->parked_count && !server->paused;
}

/* Carries out the closes that the turn has gathered. Call it last in the turn. */
void server_end_turn(struct server *server);

/* Looks after the deadlines of the next slice of connections, and after the memory that clients hold. */
void server_sweep(struct server *server);

/* Stops and starts reading from open WebSockets; their idle deadlines stand still meanwhile. */
void server_pause(struct server *server, bool paused);

/* From now on a request has a second to be complete: the gateway drains. */
void server_hurry_handshakes(struct server *server);

/* Closes up to `limit` open WebSockets with a code; all: also those whose protocol lets them leave by themselves.
 * Returns how many. For the drain. */
uint32_t server_close_some(struct server *server, uint32_t limit, bool all, int code, const char *reason);

/* Drops everything at once. */
void server_abort(struct server *server);

/* A log line about a client that was refused or sent away, at most 20 a second: strangers must not fill the disk. */
void server_log_refusal(struct server *server, const struct connection *connection, const char *message, int code,
                        const char *reason);

/* For connection.c: the table, and the list of endings. */
void server_add(struct server *server, struct connection *connection);
void server_remove(struct server *server, struct connection *connection);
void server_end_later(struct server *server, struct connection *connection, const char *reason);
void server_park(struct server *server, struct connection *connection);
void server_unpark(struct server *server, struct connection *connection);

/* The tick that is ms from now. */
static inline uint32_t server_deadline(const struct server *server, uint32_t ms)
{
    return server->tick + (ms + SERVER_TICK_MS - 1) / SERVER_TICK_MS;
}

#endif
