/* message_frame.c -- see message_frame.h. */
#include "message_frame.h"

size_t message_frame_bound(struct deflater *deflater, size_t len)
{
    if (!deflater || len < DEFLATE_SMALLEST)
        return FRAME_HEAD_MAX + len;
    return FRAME_HEAD_MAX + deflater_bound(deflater, len);
}

static size_t plain_frame(enum frame_opcode opcode, struct bytes payload, uint8_t *out)
{
    size_t head = frame_head(out, opcode, false, payload.len);
    if (payload.len)
        memcpy(out + head, payload.data, payload.len);
    return head + payload.len;
}

size_t message_frame(struct deflater *deflater, enum frame_opcode opcode, struct bytes payload, uint8_t *out)
{
    if (!deflater || payload.len < DEFLATE_SMALLEST)
        return plain_frame(opcode, payload, out);
    uint8_t *deflated = out + FRAME_HEAD_MAX; /* its length, and so the head's, is known afterwards */
    size_t len = deflater_compress(deflater, payload, deflated);
    if (len >= payload.len)
        return plain_frame(opcode, payload, out);
    size_t head = frame_head(out, opcode, true, len);
    memmove(out + head, deflated, len);
    return head + len;
}
