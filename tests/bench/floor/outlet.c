/* outlet.c -- the way out to each client: see outlet.h. */
#include "outlet.h"

#include <sys/epoll.h>
#include <sys/socket.h>

static void watch(struct outlets *outlets, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    epoll_ctl(outlets->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

void outlet_keep(struct outlets *outlets, int fd, const char *data, size_t n)
{
    if (!outlet_blocked(outlets, fd))
        watch(outlets, fd, EPOLLIN | EPOLLOUT);
    buffer_append(&outlets->backlog[fd], data, n);
}

void outlet_put(struct outlets *outlets, int fd, const char *data, size_t n)
{
    ssize_t sent = 0;

    if (!outlet_blocked(outlets, fd))
        sent = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < n)
        outlet_keep(outlets, fd, data + sent, n - (size_t)sent);
}

void outlet_put_pieces(struct outlets *outlets, int fd, const struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    ssize_t sent = 0;

    if (!outlet_blocked(outlets, fd))
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    size_t done = sent > 0 ? (size_t)sent : 0;
    for (int i = 0; i < count; i++) {
        size_t skip = done < pieces[i].iov_len ? done : pieces[i].iov_len;
        done -= skip;
        if (skip < pieces[i].iov_len)
            outlet_keep(outlets, fd, (char *)pieces[i].iov_base + skip, pieces[i].iov_len - skip);
    }
}

void outlet_drain(struct outlets *outlets, int fd)
{
    struct buffer *backlog = &outlets->backlog[fd];

    if (!backlog->len)
        return;
    ssize_t n = send(fd, backlog->data, backlog->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0)
        return;
    buffer_consume(backlog, (size_t)n);
    if (!backlog->len) {
        buffer_release(backlog);
        watch(outlets, fd, EPOLLIN);
    }
}

void outlet_forget(struct outlets *outlets, int fd)
{
    buffer_release(&outlets->backlog[fd]);
}
