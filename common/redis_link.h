/* redis_link.h -- one Redis connection, kept up.
 *
 * Connects, logs in, and tells "up"; finds out when the server hangs (a stopped Redis still completes a TCP connect, so
 * only a PING with a deadline shows it); tells "down" and connects again: at once, then after 50 ms, doubling up to 1
 * s, with jitter. Commands are gathered in one buffer and written once per turn; answers come value by value. A
 * commander's answers come in the order of its commands. A subscriber only does SUBSCRIBE, UNSUBSCRIBE and PING.
 *
 * Owned by: the Redis bus's commander and subscriber, which embed it. Thread: the loop's.
 * Life: redis_link_init, then redis_link_close once; on_closed is called later, and then the memory may go. */
#ifndef PLENUM_COMMON_REDIS_LINK_H
#define PLENUM_COMMON_REDIS_LINK_H

#include "env.h"
#include "redis_handshake.h"
#include "redis_pubsub.h"
#include "resp.h"
#include "stream.h"

struct redis_link;

enum redis_loss {
    REDIS_LOST_EOF,     /* the server closed */
    REDIS_LOST_ERROR,   /* the socket, the protocol, or an answer that says "not this server" */
    REDIS_LOST_TIMEOUT, /* silent for 2 s after a PING */
    REDIS_LOST_DEAF     /* the owner found out that it does not deliver */
};

struct redis_link_options {
    const char *role; /* "commander" or "subscriber", for the log */
    const char *host; /* or a unix socket's path below */
    int port;
    const char *path;
    struct redis_handshake_options login;
};

struct redis_link_events {
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, enum redis_loss reason);          /* once after each on_up, but for redis_link_close */
    void (*on_value)(void *ctx, const struct resp_value *value); /* a commander's: NULL makes it a subscriber */
    void (*on_reply)(void *ctx);                                 /* a commander's: the reply is whole */
    struct redis_pubsub_events pubsub;                           /* a subscriber's */
    void (*on_closed)(void *ctx);
};

enum redis_link_state {
    LINK_WAITING,    /* for the next attempt */
    LINK_CONNECTING, /* and logging in */
    LINK_UP,
    LINK_ENDING, /* its stream is closing */
    LINK_CLOSED  /* for good */
};

struct redis_link {
    const struct env *env;
    const struct redis_link_options *options;
    const struct redis_link_events *events; /* constant, with ctx given back in each call */
    void *ctx;

    enum redis_link_state state;
    struct stream stream; /* alive from LINK_CONNECTING to the end of LINK_ENDING */
    uv_timer_t timer;     /* to the next attempt, to the login's deadline, or each second while up */
    int open_handles;     /* whose close callbacks are to come */

    char *out; /* what is to be written; out_at: how much of it the kernel has taken */
    size_t out_len, out_at, out_cap;
    uint64_t appended, written; /* bytes since the connection began */

    struct resp resp;
    struct redis_pubsub pubsub;
    struct redis_handshake handshake;

    uint64_t commands, replies; /* a commander's, since the login */
    bool pinged;                /* a PING is unanswered */
    uint64_t ping_place;        /* a commander's: which reply is the PING's */
    char ping_nonce[17];
    bool behind; /* the last reading ended with its budget: there is more */
    bool heard;  /* bytes came since the last tick */
    int silent;  /* ticks without any while pinged */

    bool end_expected;         /* the owner has said goodbye: the server's closing is no loss */
    unsigned attempts;         /* since it was last well: chooses the wait before the next */
    bool denied;               /* the last attempt failed over a password or a permission */
    uint64_t complained_at_ms; /* when the log was told that it is not up, and over what */
    char complaint[128];
};

/* Begins to connect. env, options and events are borrowed for the link's life. */
void redis_link_init(struct redis_link *link, const struct env *env, const struct redis_link_options *options,
                     const struct redis_link_events *events, void *ctx);

/* Ends it. No other callback comes after this call but on_closed. */
void redis_link_close(struct redis_link *link);

static inline bool redis_link_up(const struct redis_link *link)
{
    return link->state == LINK_UP;
}

/* The server's run_id; empty when it is not up or the server does not tell. */
const char *redis_link_run_id(const struct redis_link *link);

/* The primary's master_replid when it came up; empty as above. */
const char *redis_link_replid(const struct redis_link *link);

/* Appends a command; only while up. lens may be NULL for terminated arguments. The second one takes it formatted. */
void redis_link_command(struct redis_link *link, int argc, const char **argv, const size_t *lens);
void redis_link_append(struct redis_link *link, const char *command, size_t len);

/* Writes what was appended, as far as the kernel takes it; the rest follows by itself. */
void redis_link_flush(struct redis_link *link);

/* The owner has sent QUIT: the connection's end is told by on_down as any other, but not complained about. */
static inline void redis_link_expect_end(struct redis_link *link)
{
    link->end_expected = true;
}

/* Bytes appended that the kernel has not taken. */
static inline size_t redis_link_unwritten(const struct redis_link *link)
{
    return link->out_len - link->out_at;
}

/* Ends this connection; on_down is called from inside when it was up. Then the link connects again. May be called from
 * inside a callback, of whose reply nothing more is told then. detail is for the log; when it is the server's error
 * that denies something, the next attempt comes after a second. */
void redis_link_drop(struct redis_link *link, enum redis_loss reason, const char *detail);

#endif
