/* main.c -- the floor: the least that a single-threaded broadcast server can do, to compare others with.
 *
 *   floor PORT send    one send() per receiver and message, as soon as the message is read
 *   floor PORT turn    the frames of a loop turn wait per room; one send() per receiver and turn
 *   floor PORT uring   as turn, but the sends of a turn are handed to the kernel in one io_uring_enter()
 *
 * Port 0 lets the system choose. When it listens, a line {"msg":"listening","public":"127.0.0.1:PORT"} goes to stderr,
 * as a gateway would say it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/tool.h"
#include "client.h"

enum { EVENTS = 1024, BACKLOG = 4096 };

struct floor {
    int epoll_fd, listener;
    struct outlets outlets;
    struct ring ring;
    struct rooms rooms;
    struct clients clients;
};

static void watch(struct floor *floor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(floor->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void listen_on(struct floor *floor, int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int on = 1;

    floor->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(floor->listener, (struct sockaddr *)&address, sizeof address) || listen(floor->listener, BACKLOG))
        die("listen: %s", strerror(errno));
    getsockname(floor->listener, (struct sockaddr *)&address, &len);
    watch(floor, floor->listener);
    fprintf(stderr, "{\"msg\":\"listening\",\"public\":\"127.0.0.1:%d\"}\n", ntohs(address.sin_port));
}

static void accept_all(struct floor *floor)
{
    int fd, on = 1;

    while ((fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= OUTLET_MAX_FD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        client_open(&floor->clients, fd);
        watch(floor, fd);
    }
}

static void turn(struct floor *floor)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(floor->epoll_fd, events, EVENTS, -1);

    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        if (fd == floor->listener) {
            accept_all(floor);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            outlet_drain(&floor->outlets, fd);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            client_read(&floor->clients, fd);
    }
    rooms_end_turn(&floor->rooms);
}

static bool read_mode(const char *text, enum room_mode *mode)
{
    static const char *const names[] = {[ROOM_SEND] = "send", [ROOM_TURN] = "turn", [ROOM_URING] = "uring"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) {
            *mode = (enum room_mode)i;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    static struct floor floor; /* static for its size */

    if (argc != 3 || !read_mode(argv[2], &floor.rooms.mode)) {
        fprintf(stderr, "floor PORT send|turn|uring\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    descriptors_raise();
    floor.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    floor.outlets.epoll_fd = floor.epoll_fd;
    floor.rooms.outlets = floor.clients.outlets = &floor.outlets;
    floor.rooms.ring = &floor.ring;
    floor.clients.rooms = &floor.rooms;
    if (floor.rooms.mode == ROOM_URING)
        ring_open(&floor.ring, &floor.outlets);
    listen_on(&floor, atoi(argv[1]));
    for (;;)
        turn(&floor);
}
