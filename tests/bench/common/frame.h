/* frame.h -- WebSocket frames as bytes, RFC 6455 section 5.2: heads read and written, payloads masked and unmasked.
 *
 * No fragments and no extensions: the measuring programs neither send nor ask for them. Pure functions. */
#ifndef PLENUM_BENCH_FRAME_H
#define PLENUM_BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum { FRAME_TEXT = 1, FRAME_BINARY = 2, FRAME_CLOSE = 8, FRAME_PING = 9, FRAME_PONG = 10, FRAME_HEAD_MAX = 14 };

struct frame_head {
    uint8_t opcode;
    bool masked;
    uint8_t mask[4];   /* when masked */
    size_t head_len;   /* bytes before the payload, masking key included */
    uint64_t body_len; /* bytes of payload */
};

/* Reads a head. false: it is not all there yet. */
bool frame_head_read(const void *data, size_t n, struct frame_head *head);

/* Writes an unmasked head, as servers send it, to at least 10 bytes; returns its length. */
size_t frame_head_write(uint8_t *out, int opcode, size_t body_len);

/* Appends a client's frame, masked with the four bytes of mask. */
void frame_append_masked(struct buffer *buffer, int opcode, const void *payload, size_t n, uint32_t mask);

/* Applies a masking key in place, 8 bytes at a time: masks and unmasks. */
void frame_mask(void *payload, size_t n, const uint8_t mask[4]);

#endif
