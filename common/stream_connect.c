/* stream_connect.c -- see stream_connect.h and stream.h. */
#include "stream_connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "xalloc.h"

/* One address being tried. It has a poll handle of its own, since a closed handle stays in use until its callback,
 * while the next address is tried at once. */
struct attempt {
    uv_poll_t poll;
    struct stream_connect *owner;
    int fd;
};

struct stream_connect {
    struct stream *stream;
    uv_loop_t *loop;
    uv_timer_t later; /* brings an outcome that is known at once out of the caller's stack; its close frees this */
    uv_getaddrinfo_t lookup;
    bool looking_up;
    struct addrinfo *addresses, *next; /* of the name; next: still to be tried */
    struct attempt *attempt;
    int status; /* why the last address failed */
    bool abandoned;
};

static void try_next(struct stream_connect *link);

static void on_freed(uv_handle_t *timer)
{
    struct stream_connect *link = timer->data;
    struct stream *stream = link->stream;
    bool abandoned = link->abandoned;
    uv_freeaddrinfo(link->addresses);
    free(link);
    if (abandoned)
        stream->events->on_close(stream);
}

static void release(struct stream_connect *link)
{
    uv_close((uv_handle_t *)&link->later, on_freed);
}

static void finish(struct stream_connect *link, int status)
{
    struct stream *stream = link->stream;
    if (status == 0) { /* else it stays, as the handle that the stream's close goes through */
        stream->connect = NULL;
        release(link);
    }
    stream->events->on_connect(stream, status);
}

static void on_later(uv_timer_t *timer)
{
    struct stream_connect *link = timer->data;
    finish(link, link->status);
}

static void fail_later(struct stream_connect *link, int status)
{
    link->status = status;
    uv_timer_start(&link->later, on_later, 0, 0);
}

static struct stream_connect *connect_new(struct stream *stream, uv_loop_t *loop, const struct stream_events *events)
{
    struct stream_connect *link = xcalloc(1, sizeof *link);
    link->stream = stream;
    link->loop = loop;
    uv_timer_init(loop, &link->later);
    link->later.data = link;
    stream->events = events;
    stream->connect = link;
    stream->flags = 0;
    return link;
}

static void on_attempt_closed(uv_handle_t *poll)
{
    free(poll); /* the attempt's first field */
}

/* Ends the attempt and returns its descriptor, which is then the caller's. */
static int take_descriptor(struct stream_connect *link)
{
    struct attempt *attempt = link->attempt;
    int fd = attempt->fd;
    link->attempt = NULL;
    uv_close((uv_handle_t *)&attempt->poll, on_attempt_closed);
    return fd;
}

static void on_attempt(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events; /* the socket itself says more */
    struct stream_connect *link = ((struct attempt *)poll)->owner;
    int fd = take_descriptor(link);
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error) {
        close(fd);
        link->status = uv_translate_sys_error(error);
        try_next(link);
        return;
    }
    finish(link, stream_adopt(link->stream, link->loop, fd));
}

/* Begins to connect to one address. Returns 0, and on_attempt will say how it ended, or a UV_ error. */
static int begin(struct stream_connect *link, const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int on = 1;
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, address, len) < 0 && errno != EINPROGRESS) {
        int status = uv_translate_sys_error(errno);
        close(fd);
        return status;
    }
    struct attempt *attempt = xcalloc(1, sizeof *attempt);
    attempt->owner = link;
    attempt->fd = fd;
    uv_poll_init_socket(link->loop, &attempt->poll, fd); /* cannot fail for a fresh socket */
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_attempt);
    link->attempt = attempt;
    return 0;
}

static void try_next(struct stream_connect *link)
{
    while (link->next) {
        struct addrinfo *address = link->next;
        link->next = address->ai_next;
        link->status = begin(link, address->ai_addr, address->ai_addrlen);
        if (link->status == 0)
            return;
    }
    finish(link, link->status);
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
    struct stream_connect *link = lookup->data;
    link->looking_up = false;
    link->addresses = addresses;
    link->next = addresses;
    if (link->abandoned)
        release(link);
    else if (status < 0)
        finish(link, status);
    else
        try_next(link);
}

void stream_connect_tcp(struct stream *stream, uv_loop_t *loop, const char *host, int port,
                        const struct stream_events *events)
{
    struct stream_connect *link = connect_new(stream, loop, events);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    link->lookup.data = link;
    int status = uv_getaddrinfo(loop, &link->lookup, on_lookup, host, service, &hints);
    if (status < 0)
        fail_later(link, status);
    else
        link->looking_up = true;
}

void stream_connect_unix(struct stream *stream, uv_loop_t *loop, const char *path, const struct stream_events *events)
{
    struct stream_connect *link = connect_new(stream, loop, events);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fail_later(link, UV_ENAMETOOLONG);
        return;
    }
    memcpy(address.sun_path, path, strlen(path));
    int status = begin(link, (struct sockaddr *)&address, sizeof address);
    if (status < 0)
        fail_later(link, status);
}

void stream_connect_abandon(struct stream *stream)
{
    struct stream_connect *link = stream->connect;
    stream->connect = NULL;
    link->abandoned = true;
    if (link->attempt)
        close(take_descriptor(link));
    if (link->looking_up)
        uv_cancel((uv_req_t *)&link->lookup); /* on_lookup comes in any case, and releases */
    else
        release(link);
}
