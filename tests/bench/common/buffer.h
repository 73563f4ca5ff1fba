/* buffer.h -- bytes that grow at the end: what is still to be sent, or the beginning of what has not come whole.
 *
 * Empty buffers own no memory once released, so that thousands of quiet connections cost nothing.
 * Owned by: whoever embeds it. Thread: the owner's. */
#ifndef PLENUM_BENCH_BUFFER_H
#define PLENUM_BENCH_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data;
    size_t len, cap; /* bytes */
};

/* Copies n bytes to the end. */
void buffer_append(struct buffer *buffer, const void *data, size_t n);

/* Removes the first n bytes. */
void buffer_consume(struct buffer *buffer, size_t n);

/* Gives the memory back; the buffer is empty and may be used again. */
void buffer_release(struct buffer *buffer);

#endif
