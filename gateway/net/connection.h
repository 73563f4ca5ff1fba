/* connection.h -- a client's socket, from accept to the freeing of its memory.
 *
 *     HANDSHAKE  its request is read and answered; a plain request goes on to LINGER
 *     JOINING    the protocol is getting it into its room, or the site its answer; nothing is read
 *     OPEN       a WebSocket
 *     CLOSING    our close frame is out or on its way; the peer's is awaited
 *     LINGER     all has been said: shut down, waiting for the peer's end, so that no RST eats our last bytes
 *     CLOSED     the socket is gone; the memory goes in the stream's close callback
 *
 * connection_close may be called from anywhere and twice: it is carried out at the end of the turn. An idle open
 * connection is this record and nothing else. Files: connection.c (life), connection_http.c (HANDSHAKE), and
 * connection_ws.c (OPEN). */
#ifndef PLENUM_GATEWAY_NET_CONNECTION_H
#define PLENUM_GATEWAY_NET_CONNECTION_H

#include "../../common/stream.h"
#include "../protocol/protocol.h"
#include "server.h"
#include "upgrade.h"

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_JOINING,
    CONNECTION_OPEN,
    CONNECTION_CLOSING,
    CONNECTION_LINGER,
    CONNECTION_CLOSED
};

enum connection_flag {
    CONNECTION_DEFLATE = 1,     /* permessage-deflate was negotiated */
    CONNECTION_PINGED = 2,      /* our ping is unanswered */
    CONNECTION_PAUSED = 4,      /* not read because of the bus's pressure */
    CONNECTION_ENDING = 8,      /* in the server's list of endings */
    CONNECTION_DROP = 16,       /* ... to be dropped without another word */
    CONNECTION_LAST_BYTES = 32, /* shut down when the outbox is empty */
    CONNECTION_OVER_LIMIT = 64, /* taken only to be told 503 */
    CONNECTION_PARKED = 128     /* its reader has input for another turn; nothing is read meanwhile */
};

/* What a connection needs until it is upgraded. */
struct handshake {
    struct http_request request;
    struct upgrade upgrade;
};

struct connection {
    struct stream stream; /* first */
    struct outlet outlet;
    struct session session;
    struct server *server;
    union {
        struct handshake *handshake; /* HANDSHAKE, JOINING */
        struct reader *reader;       /* from OPEN on: borrowed while a message is under way, else NULL */
    };
    uint32_t index;      /* in the server's table */
    uint32_t deadline;   /* tick; what it means depends on the state */
    uint16_t close_code; /* of the end; 0: none yet */
    uint8_t state;       /* enum connection_state */
    uint8_t flags;       /* enum connection_flag */
};

/* Takes an accepted socket. Closes fd when it cannot. */
void connection_new(struct server *server, int fd, bool over_limit);

struct http_response {
    int status;
    const char *content_type; /* NULL: plain text */
    const char *headers;      /* further ones, each ended by CRLF, or NULL */
    struct bytes body;        /* borrowed for the call */
    bool head_only;           /* the request was a HEAD */
};

/* Answers a plain request, or refuses an upgrade; the connection ends after it. HANDSHAKE and JOINING only. With 204
 * there is no body. */
void connection_respond(struct connection *connection, const struct http_response *response);

/* A short answer that explains itself: the status and one sentence. headers as above. */
void connection_refuse(struct connection *connection, int status, const char *headers, const char *why);

/* Makes it a WebSocket of that protocol, or refuses with the status that RFC 6455 wants. HANDSHAKE only. */
void connection_upgrade(struct connection *connection, const struct protocol *protocol, struct bytes room, bool echo);

/* The answer comes later: nothing is read meanwhile. After ms it is refused with 503. protocol: only its on_close is
 * called, when the connection is answered or has gone; it lives until then. HANDSHAKE only. */
void connection_defer(struct connection *connection, const struct protocol *protocol, uint32_t ms);

/* Ends it at the end of the turn, with a close frame of that code where it is a WebSocket. reason: a constant. */
void connection_close(struct connection *connection, int code, const char *reason);

/* Ends it at the end of the turn, without another word. */
void connection_drop(struct connection *connection, const char *reason);

/* Called by server.c. */
void connection_end(struct connection *connection, const char *reason);
void connection_sweep(struct connection *connection);
void connection_resume(struct connection *connection);
void connection_feed_parked(struct connection *connection);
void connection_renew(struct connection *connection);
/* Bytes of memory that it holds: what waits for it, and an unfinished message. */
size_t connection_weight(const struct connection *connection);

/* Between the three files. */
void connection_read_http(struct connection *connection);
void connection_read_frames(struct connection *connection);
void connection_feed(struct connection *connection, struct bytes input);
void connection_send(struct connection *connection, struct block *block);
void connection_send_last(struct connection *connection, struct block *block);
void connection_free_handshake(struct connection *connection, struct handshake *handshake);
void connection_free_reader(struct connection *connection);
void connection_now_open(struct connection *connection);
void connection_peer_closed(struct connection *connection, int code);
/* All has been said: shut down as soon as it is given to the kernel. */
void connection_finish(struct connection *connection);
extern const struct websocket_events connection_frame_events;

/* What connections offer to the protocols and to the delivery. */
extern const struct session_host connection_host;
extern const struct sink connection_sink;

static inline struct connection *connection_of_session(struct session *session)
{
    return (struct connection *)((char *)session - offsetof(struct connection, session));
}

static inline struct connection *connection_of_outlet(struct outlet *outlet)
{
    return (struct connection *)((char *)outlet - offsetof(struct connection, outlet));
}

#endif
