/* redis_proxy.h -- stands between the bus and a redis-server, and loses answers.
 *
 * A thread that copies bytes both ways between unix sockets. When it is told to cut, the next connection that sends an
 * EVALSHA is cut off once the server has answered it: the command was carried out, and nobody is told. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_REDIS_PROXY_H
#define PLENUM_TESTS_UNIT_SUPPORT_REDIS_PROXY_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "redis_process.h"

enum { PROXY_PAIRS = 16 };

struct proxy_pair {
    int client, server; /* 0: this place is free */
    bool doomed;
};

struct redis_proxy {
    char path[96];
    const char *server_path;
    int listener;
    int stop[2]; /* a pipe */
    pthread_t thread;
    atomic_int cuts; /* still to be made */
    struct proxy_pair pairs[PROXY_PAIRS];
};

static inline int proxy_unix_socket(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        abort();
    return fd;
}

static inline void proxy_accept(struct redis_proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    struct sockaddr_un address;
    int server = proxy_unix_socket(proxy->server_path, &address);
    for (int i = 0; i < PROXY_PAIRS; i++) {
        struct proxy_pair *pair = &proxy->pairs[i];
        if (pair->client)
            continue;
        if (connect(server, (struct sockaddr *)&address, sizeof address) < 0)
            break;
        *pair = (struct proxy_pair){client, server, false};
        return;
    }
    close(client);
    close(server);
}

static inline void proxy_end(struct proxy_pair *pair)
{
    close(pair->client);
    close(pair->server);
    *pair = (struct proxy_pair){0};
}

static inline void proxy_write(int fd, const char *data, size_t len)
{
    for (ssize_t n; len > 0; data += n, len -= (size_t)n) {
        n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
    }
}

static inline void proxy_copy(struct redis_proxy *proxy, struct proxy_pair *pair, bool from_client)
{
    static char buffer[64 << 10]; /* the thread's own */
    ssize_t n = read(from_client ? pair->client : pair->server, buffer, sizeof buffer);
    if (n <= 0 || (!from_client && pair->doomed)) {
        proxy_end(pair);
        return;
    }
    if (from_client && atomic_load(&proxy->cuts) > 0 && memmem(buffer, (size_t)n, "EVALSHA", 7)) {
        atomic_fetch_sub(&proxy->cuts, 1);
        pair->doomed = true;
    }
    proxy_write(from_client ? pair->server : pair->client, buffer, (size_t)n);
}

static inline void *proxy_run(void *arg)
{
    struct redis_proxy *proxy = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * PROXY_PAIRS] = {{proxy->stop[0], POLLIN, 0}, {proxy->listener, POLLIN, 0}};
        for (int i = 0; i < PROXY_PAIRS; i++) {
            const struct proxy_pair *pair = &proxy->pairs[i];
            fds[2 + 2 * i] = (struct pollfd){pair->client ? pair->client : -1, POLLIN, 0};
            fds[3 + 2 * i] = (struct pollfd){pair->client ? pair->server : -1, POLLIN, 0};
        }
        poll(fds, 2 + 2 * PROXY_PAIRS, -1);
        if (fds[0].revents)
            break;
        for (int i = 0; i < 2 * PROXY_PAIRS; i++) {
            struct proxy_pair *pair = &proxy->pairs[i / 2];
            if (fds[2 + i].revents && pair->client)
                proxy_copy(proxy, pair, i % 2 == 0);
        }
        if (fds[1].revents)
            proxy_accept(proxy);
    }
    for (int i = 0; i < PROXY_PAIRS; i++) {
        if (proxy->pairs[i].client)
            proxy_end(&proxy->pairs[i]);
    }
    return NULL;
}

static inline void redis_proxy_open(struct redis_proxy *proxy, const struct redis_process *redis)
{
    memset(proxy, 0, sizeof *proxy);
    snprintf(proxy->path, sizeof proxy->path, "%s/proxy.sock", redis->directory);
    proxy->server_path = redis->socket;
    struct sockaddr_un address;
    proxy->listener = proxy_unix_socket(proxy->path, &address);
    if (bind(proxy->listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(proxy->listener, 16) < 0 ||
        pipe2(proxy->stop, O_CLOEXEC) < 0 || pthread_create(&proxy->thread, NULL, proxy_run, proxy) != 0)
        abort();
}

static inline void redis_proxy_close(struct redis_proxy *proxy)
{
    close(proxy->stop[1]);
    pthread_join(proxy->thread, NULL);
    close(proxy->stop[0]);
    close(proxy->listener);
    unlink(proxy->path);
}

#endif
