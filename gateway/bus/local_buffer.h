/* local_buffer.h -- a run of bytes that grows: inboxes, what is to be sent, what is to be told.
 *
 * What is put in begins at multiples of 16, so that structures can stand in it.
 * Owned by: local_bus, local_hub. Thread: whoever holds it. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_BUFFER_H
#define PLENUM_GATEWAY_BUS_LOCAL_BUFFER_H

#include <stddef.h>

struct local_buffer {
    char *data;
    size_t len, cap;
};

enum { LOCAL_ALIGN = 16 };

static inline size_t local_padded(size_t len)
{
    return (len + LOCAL_ALIGN - 1) & ~(size_t)(LOCAL_ALIGN - 1);
}

/* Makes room for more bytes, filled up to a multiple of 16, and returns where they go. */
char *local_buffer_add(struct local_buffer *buffer, size_t len);
/* Empties it; one that has grown large gives its memory back. */
void local_buffer_clear(struct local_buffer *buffer);

#endif
