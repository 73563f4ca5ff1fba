/* listener.c -- see listener.h. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,       /* the kernel takes the smaller of this and net.core.somaxconn */
    ACCEPTS_A_TURN = 128, /* then others have their turn; the poll is level-triggered */
    REST_MS = 100
};

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_one(const struct listener *listener)
{
    int fd;
    do
        fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return fd;
}

static void on_rested(uv_timer_t *timer);
static void on_connection(uv_poll_t *poll, int status, int events);

/* No descriptor is left, and the reserve has not helped: look again a little later instead of spinning. */
static void rest(struct listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->rest, on_rested, REST_MS, 0);
}

static void on_rested(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    if (listener->reserve < 0)
        listener->reserve = open_reserve();
    uv_poll_start(&listener->poll, UV_READABLE, on_connection);
}

/* Takes one client with the reserve descriptor and turns him away. Returns false when that failed too. */
static bool turn_one_away(struct listener *listener)
{
    counter_add(listener->server->counters, COUNT_ACCEPT_ERRORS, 1);
    if (listener->reserve < 0)
        return false;
    close(listener->reserve);
    int fd = accept_one(listener);
    if (fd >= 0)
        server_turn_away(listener->server, fd);
    listener->reserve = open_reserve();
    return fd >= 0 && listener->reserve >= 0;
}

static bool out_of_descriptors(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_some(struct listener *listener, int limit)
{
    for (int i = 0; i < limit; i++) {
        int fd = accept_one(listener);
        if (fd >= 0) {
            server_accept(listener->server, fd);
            continue;
        }
        if (!out_of_descriptors(errno))
            return; /* EAGAIN: the queue is empty */
        if (!turn_one_away(listener)) {
            rest(listener);
            return;
        }
    }
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    accept_some(poll->data, ACCEPTS_A_TURN);
}

/* Fills in a socket address; the host is an address, never a name. */
static int make_address(const struct config_address *address, struct sockaddr_storage *out)
{
    int status = uv_ip4_addr(address->host, address->port, (struct sockaddr_in *)out);
    return status < 0 ? uv_ip6_addr(address->host, address->port, (struct sockaddr_in6 *)out) : status;
}

/* Makes a socket on the address. Returns it, or a UV_ error. */
static int bound_socket(const struct config_address *address, bool shared)
{
    struct sockaddr_storage storage = {0};
    int on = 1, status = make_address(address, &storage);
    if (status < 0)
        return status;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    socklen_t len = storage.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) || /* libuv: not before 1.49 */
        bind(fd, (const struct sockaddr *)&storage, len) < 0) {
        status = uv_translate_sys_error(errno);
        close(fd);
        return status;
    }
    return fd;
}

int listener_probe(const struct config_address *address)
{
    int fd = bound_socket(address, false);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static void read_port(int fd, struct config_address *address)
{
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.v6 = {0}};
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
        address->port = ntohs(bound.v4.sin_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
}

int listener_open(struct listener *listener, struct server *server, struct config_address *address, bool shared)
{
    *listener = (struct listener){.server = server, .fd = -1, .reserve = -1};
    int fd = bound_socket(address, shared);
    if (fd < 0)
        return fd;
    int status = listen(fd, BACKLOG) < 0 ? uv_translate_sys_error(errno) : 0;
    if (status == 0)
        status = uv_poll_init_socket(server->env->loop, &listener->poll, fd);
    if (status < 0) {
        close(fd);
        return status;
    }
    read_port(fd, address);
    listener->fd = fd;
    listener->reserve = open_reserve();
    listener->open = true;
    listener->poll.data = listener->rest.data = listener;
    uv_timer_init(server->env->loop, &listener->rest);
    uv_poll_start(&listener->poll, UV_READABLE, on_connection);
    return 0;
}

void listener_close(struct listener *listener)
{
    if (!listener->open)
        return;
    listener->open = false;
    accept_some(listener, BACKLOG); /* they were promised a connection: closing now would reset them */
    uv_close((uv_handle_t *)&listener->poll, NULL);
    uv_close((uv_handle_t *)&listener->rest, NULL);
    close(listener->fd);
    if (listener->reserve >= 0)
        close(listener->reserve);
}
