/* encoding.h -- how a kind of client wants its messages: protocol x transport x compression.
 *
 * A message is encoded once per encoding that has members in the room. The protocols make these tables (protocol/), the
 * audience calls them; delivery itself knows no protocol. */
#ifndef PLENUM_GATEWAY_DELIVERY_ENCODING_H
#define PLENUM_GATEWAY_DELIVERY_ENCODING_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/envelope.h"
#include "notice.h"

struct encoding {
    const char *name; /* for people */

    /* Bytes that encode may need at most for this message; 0 when such clients do not get it. */
    size_t (*bound)(const struct encoding *encoding, const struct envelope *envelope);

    /* Writes the message as whole frames into out and returns the bytes used. */
    size_t (*encode)(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out);

    /* The same two for notices. notice_bound may be NULL: such clients get none. */
    size_t (*notice_bound)(const struct encoding *encoding, const struct notice *notice);
    size_t (*notice_encode)(const struct encoding *encoding, const struct notice *notice, uint8_t *out);
};

#endif
