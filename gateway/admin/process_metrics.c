/* process_metrics.c -- see process_metrics.h. */
#include "process_metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics.h"

struct process_times {
    unsigned long long user, system; /* clock ticks */
    unsigned long long start;        /* clock ticks after the machine's boot */
    long long resident;              /* pages */
};

static void write_gauge(FILE *out, const char *name, const char *help, double value)
{
    metric_head(out, name, "gauge", help);
    fprintf(out, "%s %.15g\n", name, value);
}

static bool read_times(struct process_times *times)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return false;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    /* the second field is the program's name in brackets, which may hold spaces and brackets itself */
    const char *rest = strrchr(text, ')');
    return rest &&
           sscanf(rest + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %*u %lld",
                  &times->user, &times->system, &times->start, &times->resident) == 4;
}

/* Seconds since 1970; 0 when unknown. */
static unsigned long long boot_time(void)
{
    unsigned long long seconds = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return 0;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0 && sscanf(line, "btime %llu", &seconds) != 1)
        ;
    free(line);
    fclose(file);
    return seconds;
}

/* Returns -1 when unknown. */
static long open_descriptors(void)
{
    /* since Linux 6.2 the directory's size is their number, which spares walking 100,000 entries */
    struct stat status;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return (long)status.st_size;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return -1;
    long count = -1; /* the directory's own */
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

void process_metrics_write(FILE *out)
{
    struct process_times times;
    if (read_times(&times)) {
        double ticks = (double)sysconf(_SC_CLK_TCK);
        unsigned long long boot = boot_time();
        metric_head(out, "process_cpu_seconds_total", "counter", "User and system CPU time spent in seconds.");
        fprintf(out, "process_cpu_seconds_total %.2f\n", (double)(times.user + times.system) / ticks);
        write_gauge(out, "process_resident_memory_bytes", "Resident memory size in bytes.",
                    (double)times.resident * (double)sysconf(_SC_PAGESIZE));
        if (boot)
            write_gauge(out, "process_start_time_seconds", "Start time since the Unix epoch in seconds.",
                        (double)boot + (double)times.start / ticks);
    }
    long descriptors = open_descriptors();
    if (descriptors >= 0)
        write_gauge(out, "process_open_fds", "Number of open file descriptors.", (double)descriptors);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        write_gauge(out, "process_max_fds", "Maximum number of open file descriptors.", (double)limit.rlim_cur);
}
