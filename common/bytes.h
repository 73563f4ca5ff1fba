/* bytes.h -- a borrowed run of bytes.
 *
 * The one way in which text and payloads are passed between modules: a pointer and a length, not terminated, not owned.
 */
#ifndef PLENUM_COMMON_BYTES_H
#define PLENUM_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *data;
    size_t len;
};

/* The bytes of a string literal, without its terminator. */
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
