/* pace.c -- when messages are sent: see pace.h. */
#include "pace.h"

#include "../common/tool.h"

enum { CATCH_UP_MAX = 4096, QUEUED_MAX = 1 << 20 };

static const uint64_t poll_ns = 20000000u, closed_window_ns = 1000000000u;

/* Sends what is due and returns when the next is. k counts the bursts since start; publishers take turns. */
static uint64_t send_due(struct pace *pace, uint64_t start, uint64_t *k, uint64_t now)
{
    struct swarm *swarm = pace->publisher->swarm;
    const struct options *options = swarm->env.options;
    int count = swarm->env.accounting->publisher_count;
    double interval_ns = 1e9 * options->burst / (options->rate * count);
    uint64_t due;

    for (int sent = 0; (due = start + (uint64_t)((double)*k * interval_ns)) <= now && sent < CATCH_UP_MAX; sent++) {
        int index = (int)((*k)++ % (uint64_t)count);
        if (now - due > pace->late_max_ns)
            pace->late_max_ns = now - due;
        for (int b = 0; b < options->burst; b++)
            publisher_queue(pace->publisher, index);
        connection_flush(&swarm->env, swarm->publishers[index]);
    }
    return due;
}

/* Fills windows up, each once half of it is free: so that a batch is a batch. */
static void send_windows(struct pace *pace)
{
    struct swarm *swarm = pace->publisher->swarm;
    struct accounting *accounting = swarm->env.accounting;
    uint64_t window = (uint64_t)swarm->env.options->window;

    for (int p = 0; p < accounting->publisher_count; p++) {
        struct connection *c = swarm->publishers[p];
        uint64_t unfinished = accounting_unfinished(accounting, p);
        if (unfinished > window / 2 || c->out.len > QUEUED_MAX)
            continue;
        for (; unfinished < window; unfinished++)
            publisher_queue(pace->publisher, p);
        connection_flush(&swarm->env, c);
    }
}

/* When something was lost no window opens again by itself. */
static void reopen_windows(struct pace *pace, uint64_t *delivered, uint64_t *moved_at, uint64_t now)
{
    struct accounting *accounting = pace->publisher->swarm->env.accounting;

    if (accounting->delivered == *delivered && now - *moved_at > closed_window_ns) {
        accounting_forgive(accounting);
        pace->window_resets++;
        *moved_at = now;
    } else if (accounting->delivered != *delivered) {
        *delivered = accounting->delivered;
        *moved_at = now;
    }
}

static void drain(struct pace *pace)
{
    struct swarm *swarm = pace->publisher->swarm;
    struct accounting *accounting = swarm->env.accounting;
    uint64_t patience = (uint64_t)(swarm->env.options->drain * 1e9), delivered = accounting->delivered;
    uint64_t now = now_ns(), moved_at = now;

    while (accounting->delivered < accounting->expected && now - moved_at <= patience) {
        swarm_poll(swarm, now + poll_ns);
        now = now_ns();
        progress_tick(pace->progress, "draining", swarm->env.ready, accounting, now);
        if (accounting->delivered != delivered) {
            delivered = accounting->delivered;
            moved_at = now;
        }
    }
}

double pace_run(struct pace *pace, double seconds, const char *doing)
{
    struct swarm *swarm = pace->publisher->swarm;
    struct accounting *accounting = swarm->env.accounting;
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), burst = 0;
    uint64_t delivered = accounting->delivered, moved_at = start;

    for (uint64_t now = start; now < end; now = now_ns()) {
        progress_tick(pace->progress, doing, swarm->env.ready, accounting, now);
        if (swarm->env.options->rate > 0) {
            uint64_t due = send_due(pace, start, &burst, now);
            swarm_poll(swarm, due < end ? due : end);
        } else {
            send_windows(pace);
            swarm_poll(swarm, now + poll_ns);
            reopen_windows(pace, &delivered, &moved_at, now);
        }
    }
    double spent = (double)(now_ns() - start) / 1e9;
    drain(pace);
    return spent;
}
