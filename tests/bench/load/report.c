/* report.c -- what came out: see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

/* What both forms of the report say, worked out once. CPU is in us: per delivery, and Redis's per published message. */
struct summary {
    struct losses losses;
    uint64_t published, deliveries;
    double published_per_s, deliveries_per_s;
    double cpu_us, user_us, sys_us, cores, redis_us, own_us;
    double p50_ms, p99_ms, p999_ms, max_ms;
    double connects_per_s, bytes_per_connection;
};

static double over(double amount, double by)
{
    return by > 0 ? amount / by : 0;
}

static void summarize_cpu(struct summary *s, const struct options *options, const struct results *results)
{
    struct procstat_cpu servers = groups_cpu_used(&options->groups, false);
    struct procstat_cpu redis = groups_cpu_used(&options->groups, true);
    double deliveries = (double)s->deliveries;

    if (options->connect_only)
        return;
    s->cpu_us = over(servers.total * 1e6, deliveries);
    s->user_us = over(servers.user * 1e6, deliveries);
    s->sys_us = over(servers.sys * 1e6, deliveries);
    s->cores = over(servers.total, results->seconds);
    s->redis_us = over(redis.total * 1e6, (double)s->published);
    s->own_us = over(results->own_cpu * 1e6, deliveries);
}

static struct summary summarize(const struct swarm *swarm, const struct results *results)
{
    const struct options *options = swarm->env.options;
    const struct accounting *accounting = swarm->env.accounting;
    const struct histogram *latency = &accounting->latency;
    struct procstat_memory before = groups_memory_of_servers(&options->groups, GROUPS_BEFORE);
    struct procstat_memory after = groups_memory_of_servers(&options->groups, GROUPS_CONNECTED);
    struct summary s = {.losses = swarm_losses(swarm),
                        .published = accounting->measured_sent,
                        .deliveries = accounting->measured_delivered};

    s.published_per_s = over((double)s.published, results->seconds);
    s.deliveries_per_s = over((double)s.deliveries, results->seconds);
    s.p50_ms = (double)histogram_quantile(latency, .5) / 1e6;
    s.p99_ms = (double)histogram_quantile(latency, .99) / 1e6;
    s.p999_ms = (double)histogram_quantile(latency, .999) / 1e6;
    s.max_ms = (double)latency->max / 1e6;
    s.connects_per_s = over(results->connected, results->connect_seconds);
    s.bytes_per_connection = over((double)(after.pss_kb - before.pss_kb) * 1024, results->connected);
    summarize_cpu(&s, options, results);
    return s;
}

static void print_string(const char *text)
{
    putchar('"');
    for (const char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            printf("\\u%04x", *c);
        else
            putchar(*c);
    putchar('"');
}

static void print_setting(const struct options *options, const struct accounting *accounting)
{
    printf("\"label\":");
    print_string(options->label);
    printf(",\"dialect\":\"%s\",\"rooms\":%d,\"members\":%d,\"publishers\":%d,\"size\":%d,\"rate\":%.3f,\"window\":%d,"
           "\"burst\":%d",
           options->dialect->name, options->rooms, options->members, accounting->publisher_count, options->size,
           options->rate, options->window, options->burst);
}

static void print_traffic(const struct swarm *swarm, const struct summary *s, const struct results *results)
{
    const struct connection_env *env = &swarm->env;

    printf(",\"connected\":%d,\"failed\":%d,\"dropped\":%d,\"connect_per_s\":%.0f,\"connect_cpu_us\":%.1f",
           results->connected, env->failed, env->dropped, s->connects_per_s,
           over(results->connect_cpu * 1e6, results->connected));
    printf(",\"seconds\":%.2f,\"published\":%" PRIu64 ",\"published_per_s\":%.1f,\"deliveries\":%" PRIu64
           ",\"deliveries_per_s\":%.0f",
           results->seconds, s->published, s->published_per_s, s->deliveries, s->deliveries_per_s);
    printf(",\"lost\":%" PRIu64 ",\"dup\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"foreign\":%" PRIu64
           ",\"malformed\":%" PRIu64 ",\"post_errors\":%" PRIu64 ",\"window_resets\":%" PRIu64,
           s->losses.lost, s->losses.duplicated, s->losses.reordered, env->accounting->foreign, env->malformed,
           env->post_errors, results->window_resets);
}

static void print_cost(const struct summary *s, const struct results *results)
{
    printf(",\"cpu_us_per_delivery\":%.4f,\"user_us\":%.4f,\"sys_us\":%.4f,\"server_cores\":%.3f,"
           "\"redis_us_per_publish\":%.2f,\"generator_us_per_delivery\":%.3f",
           s->cpu_us, s->user_us, s->sys_us, s->cores, s->redis_us, s->own_us);
    printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"late_max_ms\":%.3f", s->p50_ms,
           s->p99_ms, s->p999_ms, s->max_ms, (double)results->late_max_ns / 1e6);
}

static void print_memory(const struct groups *groups, const struct summary *s)
{
    struct procstat_memory memory[GROUPS_MOMENTS];

    for (enum groups_moment m = 0; m < GROUPS_MOMENTS; m++)
        memory[m] = groups_memory_of_servers(groups, m);
    printf(",\"pss_kb\":[%ld,%ld,%ld],\"rss_kb\":[%ld,%ld,%ld],\"bytes_per_connection\":%.0f", memory[0].pss_kb,
           memory[1].pss_kb, memory[2].pss_kb, memory[0].rss_kb, memory[1].rss_kb, memory[2].rss_kb,
           s->bytes_per_connection);
}

static void print_group(const struct group *group, const struct summary *s)
{
    double total_us = group->used.total * 1e6;

    print_string(group->name);
    printf(":{\"user_s\":%.2f,\"sys_s\":%.2f,\"us_per_delivery\":%.3f,\"us_per_publish\":%.2f,"
           "\"pss_kb\":[%ld,%ld,%ld]}",
           group->used.user, group->used.sys, over(total_us, (double)s->deliveries),
           over(total_us, (double)s->published), group->memory[0].pss_kb, group->memory[1].pss_kb,
           group->memory[2].pss_kb);
}

void report_json(const struct swarm *swarm, const struct results *results)
{
    const struct options *options = swarm->env.options;
    struct summary s = summarize(swarm, results);

    putchar('{');
    print_setting(options, swarm->env.accounting);
    print_traffic(swarm, &s, results);
    print_cost(&s, results);
    print_memory(&options->groups, &s);
    printf(",\"groups\":{");
    for (int g = 0; g < options->groups.count; g++) {
        printf(g ? "," : "");
        print_group(&options->groups.list[g], &s);
    }
    printf("}}\n");
    fflush(stdout);
}

void report_text(const struct swarm *swarm, const struct results *results)
{
    const struct options *options = swarm->env.options;
    struct summary s = summarize(swarm, results);

    fprintf(stderr, "%s: %d connections (%d failed, %d dropped), %.0f connects/s, %.0f B per connection\n",
            *options->label ? options->label : "load", results->connected, swarm->env.failed, swarm->env.dropped,
            s.connects_per_s, s.bytes_per_connection);
    if (options->connect_only)
        return;
    fprintf(stderr,
            "  published   %10.0f /s, deliveries %.0f /s; lost %" PRIu64 ", duplicated %" PRIu64 ", reordered %" PRIu64
            "\n"
            "  server CPU  %10.3f us per delivery (user %.3f, sys %.3f), %.2f cores\n"
            "  redis CPU   %10.2f us per publish; generator %.3f us per delivery\n"
            "  latency     p50 %.3f, p99 %.3f, p99.9 %.3f, max %.3f ms; schedule late by %.3f ms at most\n",
            s.published_per_s, s.deliveries_per_s, s.losses.lost, s.losses.duplicated, s.losses.reordered, s.cpu_us,
            s.user_us, s.sys_us, s.cores, s.redis_us, s.own_us, s.p50_ms, s.p99_ms, s.p999_ms, s.max_ms,
            (double)results->late_max_ns / 1e6);
}
