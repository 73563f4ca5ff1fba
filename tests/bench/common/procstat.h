/* procstat.h -- CPU and memory of other processes, as /proc tells them.
 *
 * User and system time come in clock ticks, of 10 ms usually; their sum is also known to the nanosecond, from the
 * scheduler's account of each thread, where the kernel keeps one (CONFIG_SCHED_INFO). PSS counts a page shared by n
 * processes as 1/n, so that the sum over workers is fair.
 * Called by: load and idle. */
#ifndef PLENUM_BENCH_PROCSTAT_H
#define PLENUM_BENCH_PROCSTAT_H

#include <stdbool.h>
#include <sys/types.h>

struct procstat_cpu {
    double user, sys; /* seconds, in ticks */
    double total;     /* seconds, of the threads that still live; user + sys where the kernel knows no better */
};

struct procstat_memory {
    long rss_kb, pss_kb;
};

bool procstat_exists(pid_t pid);

/* Zero for a process that is gone. */
struct procstat_cpu procstat_cpu(pid_t pid);
struct procstat_memory procstat_memory(pid_t pid);

#endif
