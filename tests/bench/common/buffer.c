/* buffer.c -- bytes that grow at the end: see buffer.h. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"

void buffer_append(struct buffer *buffer, const void *data, size_t n)
{
    if (buffer->len + n > buffer->cap) {
        buffer->cap = (buffer->len + n) * 2;
        buffer->data = tool_realloc(buffer->data, buffer->cap);
    }
    if (n)
        memcpy(buffer->data + buffer->len, data, n);
    buffer->len += n;
}

void buffer_consume(struct buffer *buffer, size_t n)
{
    buffer->len -= n;
    if (buffer->len)
        memmove(buffer->data, buffer->data + n, buffer->len);
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
