/* ring.h -- the sends of a turn, handed to the kernel in one io_uring_enter().
 *
 * By the system calls themselves: the floor should measure the kernel, not a library. Called by: room, main. */
#ifndef PLENUM_BENCH_RING_H
#define PLENUM_BENCH_RING_H

#include <linux/io_uring.h>
#include <stdint.h>

#include "outlet.h"

enum { RING_ENTRIES = 4096 };

/* A send that the kernel has. The bytes must stay until ring_submit returns. */
struct ring_send {
    int fd;
    uint32_t len;
    const char *data;
};

struct ring {
    int fd;
    struct outlets *outlets; /* where the rest of short sends goes */
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    unsigned queued;
    struct ring_send sends[RING_ENTRIES];
};

/* Dies when the kernel has no io_uring for us. */
void ring_open(struct ring *ring, struct outlets *outlets);

/* Queues one send; submits by itself when the ring is full. */
void ring_put(struct ring *ring, int fd, const char *data, size_t n);

/* Hands all that is queued to the kernel and waits until it is done. */
void ring_submit(struct ring *ring);

#endif
