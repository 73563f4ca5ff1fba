/* swarm.c -- all connections of a run: see swarm.h. */
#include "swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/tool.h"

enum { OPENING_AT_ONCE = 200, EVENTS = 512, SPARE_DESCRIPTORS = 64 };

static const uint64_t stuck_ns = 20000000000u, opening_poll_ns = 50000000u;

static int publisher_connections(const struct options *options)
{
    if (options->members_publish || !options->publishers)
        return 0;
    return options->post_path ? options->post_connections : options->rooms * options->publishers;
}

static void lay_out_member(struct swarm *swarm, int i)
{
    const struct options *options = swarm->env.options;
    struct connection *c = &swarm->connections[i];
    int room = i % options->rooms, member = i / options->rooms;
    int own = member < options->members_publish ? i : -1;

    *c = (struct connection){.room = room,
                             .member = member,
                             .path = options->path,
                             .target = options->targets[member % options->target_count],
                             .dialogue.joins = true};
    accounting_add_receiver(swarm->env.accounting, &c->receiver, room, own, true);
    if (own >= 0)
        swarm->publishers[own] = c;
}

/* The k-th connection that only publishers use. Over HTTP the publishers share a few. */
static void lay_out_publisher(struct swarm *swarm, int k)
{
    const struct options *options = swarm->env.options;
    struct accounting *accounting = swarm->env.accounting;
    struct connection *c = &swarm->connections[swarm->members + k];
    bool post = options->post_path, joins = !post && !options->publishers_only_send;
    int shared = swarm->count - swarm->members;

    *c = (struct connection){.room = k % options->rooms,
                             .post = post,
                             .path = options->publish_path ? options->publish_path : options->path,
                             .target = options->publish_target,
                             .dialogue.joins = joins};
    accounting_add_receiver(accounting, &c->receiver, c->room, k, joins);
    for (int p = k; p < accounting->publisher_count; p += shared)
        swarm->publishers[p] = c;
}

void swarm_init(struct swarm *swarm, const struct options *options, struct accounting *accounting)
{
    long limit = descriptors_raise();

    *swarm = (struct swarm){.members = options->rooms * options->members,
                            .env = {.options = options,
                                    .accounting = accounting,
                                    .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                    .read_buffer = tool_calloc(1, CONNECTION_READ_SIZE),
                                    .mask = 0x9e3779b9,
                                    .next_id = 10}};
    swarm->count = swarm->members + publisher_connections(options);
    if (swarm->count + SPARE_DESCRIPTORS > limit)
        die("%d connections do not fit into %ld descriptors", swarm->count, limit);
    swarm->connections = tool_calloc((size_t)swarm->count, sizeof *swarm->connections);
    swarm->publishers = tool_calloc((size_t)accounting->publisher_count, sizeof(struct connection *));
    for (int i = 0; i < swarm->members; i++)
        lay_out_member(swarm, i);
    for (int k = 0; k < swarm->count - swarm->members; k++)
        lay_out_publisher(swarm, k);
}

void swarm_close(struct swarm *swarm)
{
    for (int i = 0; i < swarm->count; i++) {
        connection_close(&swarm->connections[i]);
        accounting_remove_receiver(&swarm->connections[i].receiver);
    }
    close(swarm->env.epoll_fd);
    free(swarm->env.read_buffer);
    free(swarm->connections);
    free((void *)swarm->publishers);
}

void swarm_poll(struct swarm *swarm, uint64_t until_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {0};
    uint64_t now = now_ns();

    if (until_ns > now) {
        wait.tv_sec = (time_t)((until_ns - now) / 1000000000u);
        wait.tv_nsec = (long)((until_ns - now) % 1000000000u);
    }
    int n = epoll_pwait2(swarm->env.epoll_fd, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->phase != CONNECTION_DEAD)
            connection_on_event(&swarm->env, c, events[i].events);
    }
}

double swarm_open(struct swarm *swarm, struct progress *progress)
{
    struct connection_env *env = &swarm->env;
    uint64_t begun = now_ns(), moved_at = begun;

    for (int next = 0, settled = 0; settled < swarm->count;) {
        for (; next < swarm->count && env->opening < OPENING_AT_ONCE; next++)
            connection_open(env, &swarm->connections[next], next);
        uint64_t now = now_ns();
        swarm_poll(swarm, now + opening_poll_ns);
        progress_tick(progress, "opening", env->ready, env->accounting, now);
        if (env->ready + env->failed + env->dropped != settled) {
            settled = env->ready + env->failed + env->dropped;
            moved_at = now_ns();
        } else if (now - moved_at > stuck_ns && now > moved_at) {
            fprintf(stderr, "load: stuck with %d ready, %d failed, %d opening\n", env->ready, env->failed,
                    env->opening);
            break;
        }
    }
    return (double)(moved_at - begun) / 1e9;
}

void swarm_settle(struct swarm *swarm)
{
    int stall = swarm->env.options->stall;

    for (int i = swarm->members - 1; i >= 0 && i >= swarm->members - stall; i--) {
        connection_stall(&swarm->env, &swarm->connections[i]);
        swarm->connections[i].receiver.listens = false;
    }
    for (int i = 0; i < swarm->count; i++)
        accounting_expect(swarm->env.accounting, &swarm->connections[i].receiver);
}

struct losses swarm_losses(const struct swarm *swarm)
{
    struct losses sum = {0};

    for (int i = 0; i < swarm->count; i++)
        accounting_sum(swarm->env.accounting, &swarm->connections[i].receiver, &sum);
    return sum;
}
