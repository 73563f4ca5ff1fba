/* stream.c -- a descriptor under a uv_poll_t; see stream.h. Connecting is stream_connect.c's. */
#include "stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_connect.h"

static void watch(struct stream *stream);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *stream = (struct stream *)poll; /* poll is its first field */
    if (status < 0) {
        /* The socket has an error, and libuv has stopped watching it: the owner learns which from its next call. */
        if (stream->flags & STREAM_READING)
            stream->events->on_readable(stream);
        else
            stream->events->on_writable(stream);
        if (!(stream->flags & STREAM_CLOSING)) /* there was still something to read before the error */
            watch(stream);
        return;
    }
    if (events & UV_WRITABLE && stream->flags & STREAM_WRITING)
        stream->events->on_writable(stream);
    if (events & UV_READABLE && stream->flags & STREAM_READING)
        stream->events->on_readable(stream);
}

/* Tells libuv what is wanted now. A failure means that the descriptor is not pollable, which stream_adopt has ruled
 * out. */
static void watch(struct stream *stream)
{
    int events = 0;
    if (stream->flags & STREAM_READING)
        events |= UV_READABLE;
    if (stream->flags & STREAM_WRITING)
        events |= UV_WRITABLE;
    if (events)
        uv_poll_start(&stream->poll, events, on_poll);
    else
        uv_poll_stop(&stream->poll);
}

int stream_adopt(struct stream *stream, uv_loop_t *loop, int fd)
{
    int status = uv_poll_init_socket(loop, &stream->poll, fd);
    if (status < 0) {
        close(fd);
        return status;
    }
    stream->flags |= STREAM_OPEN;
    watch(stream);
    return 0;
}

int stream_init(struct stream *stream, uv_loop_t *loop, int fd, const struct stream_events *events)
{
    stream->events = events;
    stream->connect = NULL;
    stream->flags = 0;
    return stream_adopt(stream, loop, fd);
}

static void set_flag(struct stream *stream, uint8_t flag, bool on)
{
    uint8_t flags = on ? stream->flags | flag : stream->flags & (uint8_t)~flag;
    if (flags == stream->flags || stream->flags & STREAM_CLOSING)
        return;
    stream->flags = flags;
    if (flags & STREAM_OPEN)
        watch(stream);
}

void stream_read_start(struct stream *stream)
{
    set_flag(stream, STREAM_READING, true);
}

void stream_read_stop(struct stream *stream)
{
    set_flag(stream, STREAM_READING, false);
}

void stream_want_write(struct stream *stream, bool wanted)
{
    set_flag(stream, STREAM_WRITING, wanted);
}

static ssize_t result(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? UV_EAGAIN : uv_translate_sys_error(errno);
}

ssize_t stream_read(struct stream *stream, void *buffer, size_t cap)
{
    return result(recv(stream_fd(stream), buffer, cap, MSG_DONTWAIT));
}

ssize_t stream_write(struct stream *stream, const struct iovec *pieces, int count)
{
    int fd = stream_fd(stream);
    if (count == 1) /* the common case: a plain send is cheaper than a message header */
        return result(send(fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL));
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return result(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

void stream_shutdown(struct stream *stream)
{
    shutdown(stream_fd(stream), SHUT_WR); /* fails only where the peer is gone already */
}

void stream_set_abort(struct stream *stream)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(stream_fd(stream), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *stream = (struct stream *)handle;
    stream->events->on_close(stream);
}

static void close_handle(struct stream *stream)
{
    int fd = stream_fd(stream);
    stream->flags &= (uint8_t)~STREAM_OPEN;
    uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
    close(fd);
}

void stream_close(struct stream *stream)
{
    if (stream->flags & STREAM_CLOSING)
        return;
    stream->flags |= STREAM_CLOSING;
    if (stream->flags & STREAM_OPEN)
        close_handle(stream);
    else
        stream_connect_abandon(stream);
}

int stream_fd(const struct stream *stream)
{
    uv_os_fd_t fd;
    if (!(stream->flags & STREAM_OPEN) || uv_fileno((const uv_handle_t *)&stream->poll, &fd) < 0)
        return -1;
    return fd;
}
