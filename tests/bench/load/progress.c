/* progress.c -- a line on stderr once a second: see progress.h. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../common/tool.h"

enum { EVERY_NS = 1000000000 };

void progress_init(struct progress *progress, const char *label, bool on)
{
    uint64_t now = now_ns();

    *progress = (struct progress){
        .on = on, .terminal = isatty(2), .label = *label ? label : "load", .begun_ns = now, .last_ns = now};
}

void progress_tick(struct progress *progress, const char *doing, int connected, const struct accounting *accounting,
                   uint64_t now)
{
    double seconds = (double)(now - progress->last_ns) / 1e9;

    if (!progress->on || now - progress->last_ns < EVERY_NS)
        return;
    fprintf(stderr, "%s%s: %3.0f s  %-10s %d connected, %.0f messages/s, %.0f deliveries/s, %" PRIu64 " on their way%s",
            progress->terminal ? "\r\033[K" : "", progress->label, (double)(now - progress->begun_ns) / 1e9, doing,
            connected, (double)(accounting->sent - progress->last_sent) / seconds,
            (double)(accounting->delivered - progress->last_delivered) / seconds,
            accounting->expected > accounting->delivered ? accounting->expected - accounting->delivered : 0,
            progress->terminal ? "" : "\n");
    progress->last_ns = now;
    progress->last_sent = accounting->sent;
    progress->last_delivered = accounting->delivered;
}

void progress_end(struct progress *progress)
{
    if (progress->on && progress->terminal)
        fputs("\r\033[K", stderr);
    progress->on = false;
}
