/* main.c -- the load generator: opens rooms x members connections, publishes, and accounts for each delivery.
 *
 * The order of a run: connect all, wait, read memory, warm up, measure, drain, report. One thread, one epoll: on a
 * machine of few cores the meter must not take what the server needs. */
#include <signal.h>

#include "../common/tool.h"
#include "pace.h"
#include "report.h"

static void connect_all(struct swarm *swarm, struct groups *groups, struct progress *progress, struct results *results)
{
    groups_memory(groups, GROUPS_BEFORE);
    groups_cpu_begin(groups);
    results->connect_seconds = swarm_open(swarm, progress);
    groups_cpu_end(groups);
    struct procstat_cpu used = groups_cpu_used(groups, false);
    results->connect_cpu = used.total;
    results->connected = swarm->env.ready;
    for (uint64_t end = now_ns() + (uint64_t)(swarm->env.options->idle * 1e9); now_ns() < end;)
        swarm_poll(swarm, end);
    groups_memory(groups, GROUPS_CONNECTED);
}

static void measure(struct swarm *swarm, struct groups *groups, struct progress *progress, struct results *results)
{
    const struct options *options = swarm->env.options;
    struct accounting *accounting = swarm->env.accounting;
    struct publisher publisher;
    struct pace pace = {.publisher = &publisher, .progress = progress};

    publisher_init(&publisher, swarm);
    if (options->warmup > 0)
        pace_run(&pace, options->warmup, "warming up");
    pace.late_max_ns = 0;
    accounting->measuring = true;
    double own = own_cpu_seconds();
    groups_cpu_begin(groups);
    results->seconds = pace_run(&pace, options->seconds, "measuring");
    groups_cpu_end(groups);
    results->own_cpu = own_cpu_seconds() - own;
    accounting->measuring = false;
    publisher_close(&publisher);
    results->late_max_ns = pace.late_max_ns;
    results->window_resets = pace.window_resets;
}

int main(int argc, char **argv)
{
    static struct accounting accounting; /* static for its size: the histogram */
    struct options options;
    struct swarm swarm;
    struct progress progress;
    struct results results = {0};

    options_parse(&options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    accounting_init(&accounting, options.rooms, options_publishers_per_room(&options), options.echo);
    swarm_init(&swarm, &options, &accounting);
    progress_init(&progress, options.label, !options.quiet);

    connect_all(&swarm, &options.groups, &progress, &results);
    swarm_settle(&swarm);
    if (!options.connect_only && results.connected)
        measure(&swarm, &options.groups, &progress, &results);
    groups_memory(&options.groups, GROUPS_AFTER);

    progress_end(&progress);
    report_json(&swarm, &results);
    if (!options.quiet)
        report_text(&swarm, &results);
    bool good = !swarm.env.failed && results.connected;
    swarm_close(&swarm);
    accounting_close(&accounting);
    return good ? 0 : 1;
}
