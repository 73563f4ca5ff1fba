/* ring.c -- the sends of a turn, handed to the kernel at once: see ring.h. */
#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../common/tool.h"

static void *map(int fd, size_t size, off_t what)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

    if (p == MAP_FAILED)
        die("mmap of the ring: %s", strerror(errno));
    return p;
}

static unsigned *at(char *base, uint32_t offset)
{
    return (unsigned *)(void *)(base + offset);
}

void ring_open(struct ring *ring, struct outlets *outlets)
{
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE,
                                .cq_entries = RING_ENTRIES * 2};

    ring->outlets = outlets;
    ring->fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &p);
    if (ring->fd < 0)
        die("io_uring_setup: %s", strerror(errno));
    size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *base = map(ring->fd, sq_size > cq_size ? sq_size : cq_size, IORING_OFF_SQ_RING);
    ring->sqes = map(ring->fd, p.sq_entries * sizeof *ring->sqes, IORING_OFF_SQES);
    ring->sq_tail = at(base, p.sq_off.tail);
    ring->sq_mask = at(base, p.sq_off.ring_mask);
    ring->sq_array = at(base, p.sq_off.array);
    ring->cq_head = at(base, p.cq_off.head);
    ring->cq_tail = at(base, p.cq_off.tail);
    ring->cq_mask = at(base, p.cq_off.ring_mask);
    ring->cqes = (struct io_uring_cqe *)(void *)(base + p.cq_off.cqes);
}

void ring_put(struct ring *ring, int fd, const char *data, size_t n)
{
    if (outlet_blocked(ring->outlets, fd)) {
        outlet_keep(ring->outlets, fd, data, n);
        return;
    }
    unsigned tail = *ring->sq_tail, i = tail & *ring->sq_mask;
    ring->sends[ring->queued] = (struct ring_send){fd, (uint32_t)n, data};
    ring->sqes[i] = (struct io_uring_sqe){.opcode = IORING_OP_SEND,
                                          .fd = fd,
                                          .addr = (uint64_t)(uintptr_t)data,
                                          .len = (uint32_t)n,
                                          .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
                                          .user_data = ring->queued};
    ring->sq_array[i] = i;
    __atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
    if (++ring->queued == RING_ENTRIES)
        ring_submit(ring);
}

/* Takes what is completed; returns how many. What was sent short, or not at all, waits in its outlet. */
static unsigned reap(struct ring *ring)
{
    unsigned head = *ring->cq_head, tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE), count = tail - head;

    for (; head != tail; head++) {
        const struct io_uring_cqe *done = &ring->cqes[head & *ring->cq_mask];
        const struct ring_send *send = &ring->sends[done->user_data];
        uint32_t sent = done->res > 0 ? (uint32_t)done->res : 0;
        if (sent < send->len)
            outlet_keep(ring->outlets, send->fd, send->data + sent, send->len - sent);
    }
    __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
    return count;
}

static long enter(struct ring *ring, unsigned submit, unsigned wait)
{
    long n = syscall(SYS_io_uring_enter, ring->fd, submit, wait, IORING_ENTER_GETEVENTS, NULL, 0);

    if (n < 0 && errno != EINTR)
        die("io_uring_enter: %s", strerror(errno));
    return n > 0 ? n : 0;
}

void ring_submit(struct ring *ring)
{
    unsigned waiting = ring->queued;

    while (ring->queued)
        ring->queued -= (unsigned)enter(ring, ring->queued, waiting);
    while (waiting) {
        waiting -= reap(ring);
        if (waiting)
            enter(ring, 0, waiting);
    }
}
