/* tool.h -- what every measuring program needs before it can begin: a way to give up, a clock, descriptors.
 *
 * The tools stand apart from the gateway's own common/ on purpose: what measures must not change with what is measured.
 * Called by: load, floor and idle. Thread: the program's only one. */
#ifndef PLENUM_BENCH_TOOL_H
#define PLENUM_BENCH_TOOL_H

#include <stddef.h>
#include <stdint.h>

/* Says one line on stderr, behind the program's name, and exits with 2. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* CLOCK_MONOTONIC: the same clock in every process of the machine, so a stamp may be read by another one. */
uint64_t now_ns(void);

/* User and system time that this process has used, in seconds. */
double own_cpu_seconds(void);

/* Raises the soft descriptor limit to the hard one, which it returns. */
long descriptors_raise(void);

/* As the standard's, but give up when there is no memory. */
void *tool_calloc(size_t count, size_t size);
void *tool_realloc(void *old, size_t size);

#endif
