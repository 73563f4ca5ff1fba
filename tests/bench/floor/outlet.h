/* outlet.h -- the way out to each client: straight into its socket, or behind what the kernel did not take before.
 *
 * Clients are named by descriptor. Called by: room, ring, client. */
#ifndef PLENUM_BENCH_OUTLET_H
#define PLENUM_BENCH_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "../common/buffer.h"

enum { OUTLET_MAX_FD = 20000 };

struct outlets {
    int epoll_fd;
    struct buffer backlog[OUTLET_MAX_FD]; /* what is still unsent, by descriptor */
};

/* Whether the client must wait its turn: new bytes go behind its backlog. */
static inline bool outlet_blocked(const struct outlets *outlets, int fd)
{
    return outlets->backlog[fd].len > 0;
}

/* Sends now what the kernel takes, keeps the rest. */
void outlet_put(struct outlets *outlets, int fd, const char *data, size_t n);

/* The same for pieces that do not lie together. */
void outlet_put_pieces(struct outlets *outlets, int fd, const struct iovec *pieces, int count);

/* Keeps bytes for later. */
void outlet_keep(struct outlets *outlets, int fd, const char *data, size_t n);

/* The socket takes bytes again. */
void outlet_drain(struct outlets *outlets, int fd);

/* The client is gone. */
void outlet_forget(struct outlets *outlets, int fd);

#endif
