/* frame.c -- see frame.h. */
#include "frame.h"

size_t frame_head(uint8_t out[FRAME_HEAD_MAX], enum frame_opcode opcode, bool compressed, size_t payload_len)
{
    out[0] = (uint8_t)(0x80 | (compressed ? FRAME_RSV1 : 0) | opcode);
    if (payload_len < 126) {
        out[1] = (uint8_t)payload_len;
        return 2;
    }
    if (payload_len < 65536) {
        out[1] = 126;
        out[2] = (uint8_t)(payload_len >> 8);
        out[3] = (uint8_t)payload_len;
        return 4;
    }
    out[1] = 127;
    for (int i = 0; i < 8; i++)
        out[2 + i] = (uint8_t)((uint64_t)payload_len >> (56 - 8 * i));
    return 10;
}

size_t frame_size(const uint8_t *frame)
{
    if (frame[1] < 126)
        return 2 + frame[1];
    if (frame[1] == 126)
        return 4 + ((size_t)frame[2] << 8 | frame[3]);
    size_t len = 0;
    for (int i = 0; i < 8; i++)
        len = len << 8 | frame[2 + i];
    return 10 + len;
}

bool close_code_valid(int code)
{
    if (code >= 1000 && code <= 1014)
        return code != 1004 && code != 1005 && code != 1006;
    return code >= 3000 && code <= 4999;
}
