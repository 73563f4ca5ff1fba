/* connection.h -- one socket of the load: dials, upgrades, joins, then reads deliveries and sends what publishers
 * queue.
 *
 * Owned by: swarm, in one array; a connection never moves. A connection is DIALLING, UPGRADING, OPENING (the dialect's
 * dialogue), READY or DEAD. A publisher that uses HTTP POST is READY as soon as it is connected. */
#ifndef PLENUM_BENCH_CONNECTION_H
#define PLENUM_BENCH_CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../common/buffer.h"
#include "accounting.h"
#include "dialogue.h"
#include "options.h"
#include "template.h"

/* What all connections share. */
struct connection_env {
    const struct options *options;
    struct accounting *accounting;
    int epoll_fd;
    char *read_buffer; /* CONNECTION_READ_SIZE bytes, used within one event */
    uint32_t mask;     /* the last masking key */
    uint64_t next_id;  /* of requests */

    int opening, ready;  /* connections before and in READY */
    int failed, dropped; /* connections that died before and in READY */
    uint64_t malformed, post_errors;
};

enum { CONNECTION_READ_SIZE = 256 * 1024 };

struct connection {
    int fd;
    enum { CONNECTION_DEAD, CONNECTION_DIALLING, CONNECTION_UPGRADING, CONNECTION_OPENING, CONNECTION_READY } phase;
    bool post;       /* speaks HTTP, not WebSocket */
    bool want_write; /* EPOLLOUT is asked for */
    bool stalled;    /* no longer reads */
    int room, member;
    struct sockaddr_in target;
    const char *path; /* template of the upgrade target */
    struct dialogue dialogue;
    struct buffer in, out; /* an unfinished frame; what the kernel did not take */
    struct receiver receiver;
};

/* Dials; index spreads the source addresses. */
void connection_open(struct connection_env *env, struct connection *c, int index);

/* epoll has something to say. */
void connection_on_event(struct connection_env *env, struct connection *c, uint32_t events);

/* Stops reading for good. */
void connection_stall(struct connection_env *env, struct connection *c);

/* Drops it without a word, in whatever phase it is. */
void connection_close(struct connection *c);

/* Queues a masked frame; connection_flush sends. */
void connection_queue(struct connection_env *env, struct connection *c, int opcode, const void *payload, size_t n);

/* Sends what is queued as far as the kernel takes it; the rest goes when it can. */
void connection_flush(struct connection_env *env, struct connection *c);

/* The values that a template has for this connection, without a payload. */
struct template_values connection_values(struct connection_env *env, const struct connection *c);

#endif
