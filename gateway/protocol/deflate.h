/* deflate.h -- compressing and inflating messages (RFC 7692, section 7.2).
 *
 * One compressor and one inflater per worker, reset for each message: neither side keeps a context, so every compressed
 * frame can be shared and an idle connection owns no zlib state. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_PROTOCOL_DEFLATE_H
#define PLENUM_GATEWAY_PROTOCOL_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/bytes.h"

struct deflater;

enum { DEFLATE_SMALLEST = 256 }; /* bytes: below it a message is sent as it is; the gain would not pay for the work */

/* max_message: the most that a message may inflate to, in bytes. */
struct deflater *deflater_new(size_t max_message);
void deflater_free(struct deflater *deflater);

/* The most that deflater_compress writes for len bytes. */
size_t deflater_bound(struct deflater *deflater, size_t len);

/* Writes the compressed payload of one message to out (of deflater_bound bytes) and returns its length. */
size_t deflater_compress(struct deflater *deflater, struct bytes message, uint8_t *out);

enum inflate_result {
    INFLATE_OK,
    INFLATE_BROKEN, /* not a deflate stream, or cut short: 1007 */
    INFLATE_TOO_BIG /* more than max_message: 1009; no memory was taken for it */
};

/* Inflates one message's payload. out points into memory of the deflater, valid until its next call. */
enum inflate_result deflater_inflate(struct deflater *deflater, struct bytes payload, struct bytes *out)
    __attribute__((warn_unused_result));

#endif
