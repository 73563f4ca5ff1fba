/* groups.h -- the processes of the servers under test, in named groups, and what they use.
 *
 * Groups whose name begins with "redis" are summed apart: what is compared is the servers'.
 * Owned by: options (which --pid fills it). Called by: main, report. */
#ifndef PLENUM_BENCH_GROUPS_H
#define PLENUM_BENCH_GROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "../common/procstat.h"

enum { GROUPS_MAX = 16, GROUP_PIDS_MAX = 32 };

/* The moments at which memory is read. */
enum groups_moment { GROUPS_BEFORE, GROUPS_CONNECTED, GROUPS_AFTER, GROUPS_MOMENTS };

struct group {
    char name[24];
    bool redis;
    pid_t pids[GROUP_PIDS_MAX];
    int count;
    struct procstat_cpu begin, used; /* used: between begin and end */
    struct procstat_memory memory[GROUPS_MOMENTS];
};

struct groups {
    struct group list[GROUPS_MAX];
    int count;
};

/* Adds "NAME:PID[,PID...]"; dies when it is malformed or a process is not there. */
void groups_add(struct groups *groups, const char *text);

void groups_cpu_begin(struct groups *groups);
void groups_cpu_end(struct groups *groups);
void groups_memory(struct groups *groups, enum groups_moment moment);

/* Sums: of redis-servers, or of all others. */
struct procstat_cpu groups_cpu_used(const struct groups *groups, bool redis);
struct procstat_memory groups_memory_of_servers(const struct groups *groups, enum groups_moment moment);

#endif
