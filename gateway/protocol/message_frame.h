/* message_frame.h -- a message as one whole frame, deflated where that makes it smaller.
 *
 * What the encodings of all protocols end with. Thread: the worker's, as it is the deflater's. */
#ifndef PLENUM_GATEWAY_PROTOCOL_MESSAGE_FRAME_H
#define PLENUM_GATEWAY_PROTOCOL_MESSAGE_FRAME_H

#include "deflate.h"
#include "frame.h"

/* The most that message_frame writes for a payload of up to len bytes. deflater is NULL where frames are plain. */
size_t message_frame_bound(struct deflater *deflater, size_t len);

/* Writes the frame and returns its length. payload is outside of what is written to. */
size_t message_frame(struct deflater *deflater, enum frame_opcode opcode, struct bytes payload, uint8_t *out);

#endif
