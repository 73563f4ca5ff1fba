/* listener.h -- a listening socket on a loop.
 *
 * Each worker has its own on the same port (SO_REUSEPORT), so that the kernel spreads the clients and there is one
 * accept queue per worker. A reserve descriptor survives EMFILE: it is given up to take one client more, tell him 503,
 * and take the reserve back; so the queue drains and the loop does not spin. Owned by: worker, main. */
#ifndef PLENUM_GATEWAY_NET_LISTENER_H
#define PLENUM_GATEWAY_NET_LISTENER_H

#include "../config.h"
#include "server.h"

struct listener {
    struct server *server;
    uv_poll_t poll;
    uv_timer_t rest; /* after an accept that failed even with the reserve */
    int fd, reserve;
    bool open;
};

/* Binds and listens. address->port 0 becomes the port that the system chose. shared: other listeners of this process
 * have the same port (SO_REUSEPORT); the first of them must have found it free. Returns 0 or a UV_ error. */
int listener_open(struct listener *listener, struct server *server, struct config_address *address, bool shared)
    __attribute__((warn_unused_result));

/* Is the port free? A shared listener would join a port that another process shares, without a word. Returns 0 or a UV_
 * error, as listener_open does. */
int listener_probe(const struct config_address *address) __attribute__((warn_unused_result));

/* Accepts what is queued, then stops listening. listener's memory is in use until the loop has run its close callbacks.
 * May be called twice. */
void listener_close(struct listener *listener);

#endif
