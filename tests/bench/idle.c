/* idle.c -- what an idle connection costs a gateway in memory.
 *
 *   idle --port PORT --pid PID [--connections 9000] [--path /rooms/idle] [--json]
 *
 * Opens so many WebSocket connections into one room, waits until all are upgraded and the process's resident memory
 * has stood still for a second, and divides what it grew by: RSS, since PSS also changes when others on the machine
 * begin or cease to share a library. The first connection is opened alone, and what the others added is told too: the
 * rest is what all share, such as pages of code that the first handshake maps. The kernel's socket buffers are not the
 * process's and not counted. Connections stay silent but for pongs. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/dial.h"
#include "common/frame.h"
#include "common/procstat.h"
#include "common/tool.h"
#include "common/upgrade.h"

enum { AT_ONCE = 200, EVENTS = 256, MAX_CONNECTIONS = 18000, STILL_POLLS = 5, POLL_MS = 200, PATIENCE_S = 30 };

/* A connection: dialling until its request is sent, then waiting for the 101, then quiet. */
struct quiet {
    int fd;
    enum { DIALLING, UPGRADING, OPEN, GONE } phase;
    struct buffer in;
};

struct idle {
    struct sockaddr_in target;
    const char *path;
    pid_t pid;
    int wanted;
    bool json;

    int epoll_fd;
    struct quiet *list;
    int started, open, gone;
    uint32_t mask;
};

static void lose(struct idle *idle, struct quiet *c, const char *why)
{
    if (idle->gone++ < 3)
        fprintf(stderr, "idle: connection lost: %s\n", why);
    idle->open -= c->phase == OPEN;
    c->phase = GONE;
    buffer_release(&c->in);
    close(c->fd);
}

static void start(struct idle *idle, int index)
{
    struct quiet *c = &idle->list[index];
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};

    c->fd = dial(&idle->target, index);
    if (epoll_ctl(idle->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void request(struct idle *idle, struct quiet *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    char text[1024];
    size_t n = upgrade_request(text, sizeof text, idle->path, "127.0.0.1", NULL);
    int error = dial_error(c->fd);

    if (error || send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) {
        lose(idle, c, strerror(error ? error : errno));
        return;
    }
    c->phase = UPGRADING;
    epoll_ctl(idle->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void answer_pings(struct idle *idle, struct quiet *c)
{
    struct frame_head head;
    struct buffer out = {0};

    while (frame_head_read(c->in.data, c->in.len, &head) && c->in.len >= head.head_len + head.body_len) {
        if (head.opcode == FRAME_PING)
            frame_append_masked(&out, FRAME_PONG, c->in.data + head.head_len, head.body_len, idle->mask++);
        buffer_consume(&c->in, head.head_len + head.body_len);
    }
    if (out.len)
        send(c->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buffer_release(&out);
}

static void hear(struct idle *idle, struct quiet *c)
{
    char data[4096];
    ssize_t n = recv(c->fd, data, sizeof data, MSG_DONTWAIT);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            lose(idle, c, n == 0 ? "end of file" : strerror(errno));
        return;
    }
    buffer_append(&c->in, data, (size_t)n);
    if (c->phase == UPGRADING) {
        struct upgrade_answer answer = upgrade_read(c->in.data, c->in.len);
        if (answer.status == UPGRADE_REFUSED)
            lose(idle, c, answer.why);
        if (answer.status != UPGRADE_DONE)
            return;
        buffer_consume(&c->in, answer.used);
        c->phase = OPEN;
        idle->open++;
    }
    answer_pings(idle, c);
    if (!c->in.len)
        buffer_release(&c->in);
}

static void poll_once(struct idle *idle, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(idle->epoll_fd, events, EVENTS, timeout_ms);

    for (int i = 0; i < n; i++) {
        struct quiet *c = events[i].data.ptr;
        if (c->phase == DIALLING)
            request(idle, c);
        else if (c->phase != GONE)
            hear(idle, c);
    }
}

/* Opens connections until there are so many. */
static void open_until(struct idle *idle, int count)
{
    uint64_t moved_at = now_ns();

    for (int settled = idle->open + idle->gone; settled < count;) {
        while (idle->started < count && idle->started - settled < AT_ONCE)
            start(idle, idle->started++);
        poll_once(idle, 50);
        if (idle->open + idle->gone != settled)
            moved_at = now_ns();
        else if (now_ns() - moved_at > PATIENCE_S * 1000000000ull)
            die("stuck with %d of %d connections open", idle->open, count);
        settled = idle->open + idle->gone;
    }
}

/* Waits until resident memory has been the same for a second. */
static struct procstat_memory settle(struct idle *idle)
{
    struct procstat_memory memory = procstat_memory(idle->pid);
    uint64_t end = now_ns() + PATIENCE_S * 1000000000ull;

    for (int still = 0; still < STILL_POLLS && now_ns() < end;) {
        for (uint64_t wake = now_ns() + POLL_MS * 1000000ull; now_ns() < wake;)
            poll_once(idle, POLL_MS / 4);
        struct procstat_memory now = procstat_memory(idle->pid);
        still = now.rss_kb == memory.rss_kb ? still + 1 : 0;
        memory = now;
    }
    return memory;
}

/* Memory before any connection, with the first, and with all. */
struct readings {
    struct procstat_memory none, first, all;
};

static double bytes_each(long kb, int connections)
{
    return connections > 0 ? (double)kb * 1024 / connections : 0;
}

static void report(const struct idle *idle, const struct readings *m)
{
    double pss = bytes_each(m->all.pss_kb - m->none.pss_kb, idle->open);
    double rss = bytes_each(m->all.rss_kb - m->none.rss_kb, idle->open);
    double beyond_first = bytes_each(m->all.rss_kb - m->first.rss_kb, idle->open - 1);

    fprintf(stderr, "idle: %d connections, %.0f bytes each by RSS, %.0f by PSS; %.0f beyond the first one\n",
            idle->open, rss, pss, beyond_first);
    fprintf(stderr, "idle: RSS %ld kB without any, %ld with one, %ld with all\n", m->none.rss_kb, m->first.rss_kb,
            m->all.rss_kb);
    if (idle->json)
        printf("{\"connections\":%d,\"failed\":%d,\"bytes_per_connection\":%.1f,\"bytes_per_connection_pss\":%.1f,"
               "\"bytes_beyond_first\":%.1f,\"rss_kb\":[%ld,%ld,%ld],\"pss_kb\":[%ld,%ld,%ld]}\n",
               idle->open, idle->gone, rss, pss, beyond_first, m->none.rss_kb, m->first.rss_kb, m->all.rss_kb,
               m->none.pss_kb, m->first.pss_kb, m->all.pss_kb);
}

static void usage(FILE *to)
{
    fprintf(to, "idle --port PORT --pid PID [--connections N] [--path PATH] [--json]\n"
                "  Memory of a gateway's idle connection. N is 9000, at most 18000; PATH is /rooms/idle.\n"
                "  Text on stderr, with --json a line on stdout too. Exit 1 when a connection was lost.\n");
}

static void parse(struct idle *idle, int argc, char **argv)
{
    static const struct option table[] = {{"port", 1, NULL, 'p'}, {"pid", 1, NULL, 'P'},  {"connections", 1, NULL, 'n'},
                                          {"path", 1, NULL, 'u'}, {"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};

    for (int o; (o = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        switch (o) {
        case 'p':
            idle->target = dial_address(optarg);
            break;
        case 'P':
            idle->pid = (pid_t)atoi(optarg);
            break;
        case 'n':
            idle->wanted = atoi(optarg);
            break;
        case 'u':
            idle->path = optarg;
            break;
        case 'j':
            idle->json = true;
            break;
        default:
            usage(o == 'h' ? stdout : stderr);
            exit(o == 'h' ? 0 : 2);
        }
    }
    if (!idle->target.sin_port || !procstat_exists(idle->pid) || idle->wanted < 1 || idle->wanted > MAX_CONNECTIONS)
        die("need --port, --pid of a living process, and 1 to %d --connections", MAX_CONNECTIONS);
}

int main(int argc, char **argv)
{
    struct idle idle = {.path = "/rooms/idle", .wanted = 9000, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    struct readings m;

    parse(&idle, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    descriptors_raise();
    idle.list = tool_calloc((size_t)idle.wanted, sizeof *idle.list);
    m.none = settle(&idle);
    open_until(&idle, 1);
    m.first = settle(&idle);
    open_until(&idle, idle.wanted);
    m.all = settle(&idle);
    report(&idle, &m);
    for (int i = 0; i < idle.wanted; i++)
        buffer_release(&idle.list[i].in);
    free(idle.list);
    return idle.gone > 0;
}
