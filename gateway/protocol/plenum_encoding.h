/* plenum_encoding.h -- messages and notices as plenum.v1 text frames, plain or deflated.
 *
 * The frame of a message is its publisher's JSON between constant words: nothing is parsed. Called by: audiences
 * (through struct encoding) and plenum, for what one client gets by itself. */
#ifndef PLENUM_GATEWAY_PROTOCOL_PLENUM_ENCODING_H
#define PLENUM_GATEWAY_PROTOCOL_PLENUM_ENCODING_H

#include "../delivery/encoding.h"
#include "deflate.h"

struct plenum_encoding {
    struct encoding base;      /* first */
    struct deflater *deflater; /* NULL: plain */
};

void plenum_encoding_init(struct plenum_encoding *encoding, struct deflater *deflater);

/* One element of the `messages` of a history: {"offset":...,"from":...,"user":...,"data":...,"time":...}, without a
 * frame around it. bound is 0 for what is no message. */
size_t plenum_entry_bound(const struct envelope *envelope);
size_t plenum_entry_write(const struct envelope *envelope, char *out);

#endif
