/* procstat.c -- CPU and memory of other processes: see procstat.h. */
#include "procstat.h"

#include <dirent.h>
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

static double thread_seconds(pid_t pid, const char *thread)
{
    char path[64];
    double ns = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", (int)pid, thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lf", &ns) != 1)
        ns = 0;
    fclose(file);
    return ns / 1e9;
}

static double exact_seconds(pid_t pid)
{
    char path[32];
    double sum = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (!threads)
        return 0;
    for (const struct dirent *entry; (entry = readdir(threads));)
        if (*entry->d_name != '.')
            sum += thread_seconds(pid, entry->d_name);
    closedir(threads);
    return sum;
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
    double exact = exact_seconds(pid);
    return (struct procstat_cpu){.user = (double)user / tick,
                                 .sys = (double)sys / tick,
                                 .total = exact > 0 ? exact : (double)(user + sys) / tick};
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
