/* groups.c -- the processes of the servers under test: see groups.h. */
#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/tool.h"

void groups_add(struct groups *groups, const char *text)
{
    const char *colon = strchr(text, ':');

    if (!colon || groups->count == GROUPS_MAX)
        die("--pid NAME:PID[,PID...], at most %d times", GROUPS_MAX);
    struct group *group = &groups->list[groups->count++];
    snprintf(group->name, sizeof group->name, "%.*s", (int)(colon - text), text);
    group->redis = !strncmp(group->name, "redis", 5);
    for (const char *p = colon; p && group->count < GROUP_PIDS_MAX; p = strchr(p + 1, ',')) {
        pid_t pid = (pid_t)atoi(p + 1);
        if (!procstat_exists(pid))
            die("no process %d", (int)pid);
        group->pids[group->count++] = pid;
    }
}

static struct procstat_cpu cpu_now(const struct group *group)
{
    struct procstat_cpu sum = {0};

    for (int i = 0; i < group->count; i++) {
        struct procstat_cpu one = procstat_cpu(group->pids[i]);
        sum.user += one.user;
        sum.sys += one.sys;
        sum.total += one.total;
    }
    return sum;
}

void groups_cpu_begin(struct groups *groups)
{
    for (int g = 0; g < groups->count; g++)
        groups->list[g].begin = cpu_now(&groups->list[g]);
}

void groups_cpu_end(struct groups *groups)
{
    for (int g = 0; g < groups->count; g++) {
        struct group *group = &groups->list[g];
        struct procstat_cpu now = cpu_now(group);
        group->used.user = now.user - group->begin.user;
        group->used.sys = now.sys - group->begin.sys;
        group->used.total = now.total - group->begin.total;
    }
}

void groups_memory(struct groups *groups, enum groups_moment moment)
{
    for (int g = 0; g < groups->count; g++) {
        struct procstat_memory *sum = &groups->list[g].memory[moment];
        *sum = (struct procstat_memory){0};
        for (int i = 0; i < groups->list[g].count; i++) {
            struct procstat_memory one = procstat_memory(groups->list[g].pids[i]);
            sum->rss_kb += one.rss_kb;
            sum->pss_kb += one.pss_kb;
        }
    }
}

struct procstat_cpu groups_cpu_used(const struct groups *groups, bool redis)
{
    struct procstat_cpu sum = {0};

    for (int g = 0; g < groups->count; g++)
        if (groups->list[g].redis == redis) {
            sum.user += groups->list[g].used.user;
            sum.sys += groups->list[g].used.sys;
            sum.total += groups->list[g].used.total;
        }
    return sum;
}

struct procstat_memory groups_memory_of_servers(const struct groups *groups, enum groups_moment moment)
{
    struct procstat_memory sum = {0};

    for (int g = 0; g < groups->count; g++)
        if (!groups->list[g].redis) {
            sum.rss_kb += groups->list[g].memory[moment].rss_kb;
            sum.pss_kb += groups->list[g].memory[moment].pss_kb;
        }
    return sum;
}
