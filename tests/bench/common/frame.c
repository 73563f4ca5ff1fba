/* frame.c -- WebSocket frames as bytes: see frame.h. */
#include "frame.h"

#include <string.h>

static uint64_t big_endian(const uint8_t *bytes, int n)
{
    uint64_t value = 0;

    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

bool frame_head_read(const void *data, size_t n, struct frame_head *head)
{
    const uint8_t *f = data;
    size_t extra;

    if (n < 2)
        return false;
    head->opcode = f[0] & 15;
    head->masked = f[1] & 0x80;
    head->body_len = f[1] & 0x7f;
    extra = head->body_len == 126 ? 2 : head->body_len == 127 ? 8 : 0;
    head->head_len = 2 + extra + (head->masked ? 4 : 0);
    if (n < head->head_len)
        return false;
    if (extra)
        head->body_len = big_endian(f + 2, (int)extra);
    if (head->masked)
        memcpy(head->mask, f + 2 + extra, 4);
    return true;
}

size_t frame_head_write(uint8_t *out, int opcode, size_t body_len)
{
    int extra = body_len < 126 ? 0 : body_len < 65536 ? 2 : 8;

    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = extra == 0 ? (uint8_t)body_len : extra == 2 ? 126 : 127;
    for (int i = 0; i < extra; i++)
        out[2 + i] = (uint8_t)((uint64_t)body_len >> (8 * (extra - 1 - i)));
    return 2 + (size_t)extra;
}

void frame_mask(void *payload, size_t n, const uint8_t mask[4])
{
    uint8_t *p = payload;
    uint64_t wide, word;
    size_t i = 0;

    memcpy(&wide, mask, 4);
    memcpy((uint8_t *)&wide + 4, mask, 4);
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        word ^= wide;
        memcpy(p + i, &word, 8);
    }
    for (; i < n; i++)
        p[i] ^= mask[i & 3];
}

void frame_append_masked(struct buffer *buffer, int opcode, const void *payload, size_t n, uint32_t mask)
{
    uint8_t head[FRAME_HEAD_MAX], key[4];
    size_t head_len = frame_head_write(head, opcode, n);

    memcpy(key, &mask, 4);
    head[1] |= 0x80;
    memcpy(head + head_len, key, 4);
    buffer_append(buffer, head, head_len + 4);
    buffer_append(buffer, payload, n);
    frame_mask(buffer->data + buffer->len - n, n, key);
}
