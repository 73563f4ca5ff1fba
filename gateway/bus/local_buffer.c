/* local_buffer.c -- see local_buffer.h. */
#include "local_buffer.h"

#include <stdlib.h>

#include "../../common/xalloc.h"

enum { BUFFER_FIRST = 4096, BUFFER_KEEP = 64 << 10 };

char *local_buffer_add(struct local_buffer *buffer, size_t len)
{
    len = local_padded(len);
    if (buffer->len + len > buffer->cap) {
        size_t cap = buffer->cap ? buffer->cap : BUFFER_FIRST;
        while (cap < buffer->len + len)
            cap *= 2;
        buffer->data = xrealloc(buffer->data, cap);
        buffer->cap = cap;
    }
    char *at = buffer->data + buffer->len;
    buffer->len += len;
    return at;
}

void local_buffer_clear(struct local_buffer *buffer)
{
    buffer->len = 0;
    if (buffer->cap <= BUFFER_KEEP)
        return;
    free(buffer->data);
    *buffer = (struct local_buffer){0};
}
