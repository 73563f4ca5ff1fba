/* procstat.c -- CPU and memory of other processes: see procstat.h. */
#include "procstat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool procstat_exists(pid_t pid)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return pid > 0 && access(path, F_OK) == 0;
}

struct procstat_cpu procstat_cpu(pid_t pid)
{
    char path[32], text[1024];
    unsigned long user = 0, sys = 0;
    double tick = (double)sysconf(_SC_CLK_TCK);

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return (struct procstat_cpu){0};
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    /* The name in parentheses may hold anything, so fields are counted from the last ')'. */
    const char *after = strrchr(text, ')');
    if (after)
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    return (struct procstat_cpu){.user = (double)user / tick, .sys = (double)sys / tick};
}

static long field_kb(pid_t pid, const char *name, const char *field)
{
    char path[64], line[256];
    size_t n = strlen(field);
    long kb = 0;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    while (!kb && fgets(line, sizeof line, file))
        if (!strncmp(line, field, n))
            kb = atol(line + n);
    fclose(file);
    return kb;
}

struct procstat_memory procstat_memory(pid_t pid)
{
    return (struct procstat_memory){.rss_kb = field_kb(pid, "status", "VmRSS:"),
                                    .pss_kb = field_kb(pid, "smaps_rollup", "Pss:")};
}
