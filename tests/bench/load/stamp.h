/* stamp.h -- the first 36 bytes of each payload: who sent it, as which of its messages, when.
 *
 *   "WSL:" publisher (6 hex) sequence (10 hex) CLOCK_MONOTONIC in ns (16 hex)
 *
 * Plain ASCII without quotes: it passes JSON unchanged, so that one search finds it in any dialect. Pure functions. */
#ifndef PLENUM_BENCH_STAMP_H
#define PLENUM_BENCH_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STAMP_LEN = 36 };

struct stamp {
    uint32_t publisher;
    uint64_t sequence; /* from 1 */
    uint64_t sent_ns;
};

/* Writes STAMP_LEN bytes, no NUL. */
void stamp_write(char *out, struct stamp stamp);

/* Reads STAMP_LEN bytes that begin with the mark. */
struct stamp stamp_read(const char *at);

/* Whether n bytes begin with a stamp. */
bool stamp_begins(const char *data, size_t n);

/* The next stamp in n bytes, or NULL. */
const char *stamp_find(const char *data, size_t n);

#endif
