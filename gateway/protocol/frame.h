/* frame.h -- the head of a frame that we send, and which close codes may travel (RFC 6455, sections 5.2 and 7.4).
 *
 * Frames that a server sends carry no mask, so head and payload are the same bytes for everybody. */
#ifndef PLENUM_GATEWAY_PROTOCOL_FRAME_H
#define PLENUM_GATEWAY_PROTOCOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_opcode {
    FRAME_CONTINUATION = 0x0,
    FRAME_TEXT = 0x1,
    FRAME_BINARY = 0x2,
    FRAME_CLOSE = 0x8,
    FRAME_PING = 0x9,
    FRAME_PONG = 0xA
};

enum {
    FRAME_HEAD_MAX = 10,      /* of an unmasked frame */
    FRAME_RSV1 = 0x40,        /* in the first byte: compressed (RFC 7692, section 6) */
    CONTROL_PAYLOAD_MAX = 125 /* RFC 6455, section 5.5 */
};

/* Writes the head of a final frame, in its shortest form, and returns its length. compressed sets RSV1. */
size_t frame_head(uint8_t out[FRAME_HEAD_MAX], enum frame_opcode opcode, bool compressed, size_t payload_len);

/* Bytes of the whole frame, head and payload, that begins at frame: one of ours, made by frame_head. */
size_t frame_size(const uint8_t *frame);

/* True for a status code that an endpoint may send in a close frame: 1000 to 1003, 1007 to 1014, 3000 to 4999. */
bool close_code_valid(int code);

#endif
