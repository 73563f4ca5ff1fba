/* dial.c -- many TCP connections to servers on the loopback: see dial.h. */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tool.h"

enum { PER_SOURCE = 9000, FIRST_SOURCE = 0x7f000002 };

struct sockaddr_in dial_address(const char *text)
{
    char host[64] = "127.0.0.1";
    const char *colon = strrchr(text, ':');
    int port = atoi(colon ? colon + 1 : text);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (port < 1 || port > 65535 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        ntohl(address.sin_addr.s_addr) >> 24 != 127)
        die("'%s' is no [127.x.x.x:]PORT", text);
    return address;
}

int dial(const struct sockaddr_in *target, int index)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket: %s", strerror(errno));
    source.sin_addr.s_addr = htonl((uint32_t)FIRST_SOURCE + (uint32_t)(index / PER_SOURCE));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        die("bind: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)target, sizeof *target) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    return fd;
}

int dial_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}
