/* deflate.c -- see deflate.h. */
#include "deflate.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "../../common/xalloc.h"

struct deflater {
    z_stream out, in;
    uint8_t *inflated; /* of max_message + 1 bytes; made when the first compressed message comes */
    size_t max_message;
};

enum {
    WINDOW_BITS = -15,
    MEMORY_LEVEL = 8,
    LEVEL = 1
}; /* raw; level 1, as the loop that serves everybody does the work */

static const uint8_t TAIL[4] = {0x00, 0x00, 0xff, 0xff}; /* of a sync flush: stripped and put back (7.2.1, 7.2.2) */

struct deflater *deflater_new(size_t max_message)
{
    struct deflater *deflater = xcalloc(1, sizeof *deflater);
    deflater->max_message = max_message;
    int ok = deflateInit2(&deflater->out, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    if (ok == Z_OK)
        ok = inflateInit2(&deflater->in, WINDOW_BITS);
    if (ok != Z_OK)
        abort(); /* only for want of memory, as in xalloc */
    return deflater;
}

void deflater_free(struct deflater *deflater)
{
    if (!deflater)
        return;
    deflateEnd(&deflater->out);
    inflateEnd(&deflater->in);
    free(deflater->inflated);
    free(deflater);
}

size_t deflater_bound(struct deflater *deflater, size_t len)
{
    return deflateBound(&deflater->out, len) + 16; /* the sync flush's own block is not in zlib's bound */
}

size_t deflater_compress(struct deflater *deflater, struct bytes message, uint8_t *out)
{
    z_stream *z = &deflater->out;
    size_t bound = deflater_bound(deflater, message.len);
    deflateReset(z);
    z->next_in = (const Bytef *)message.data;
    z->avail_in = (uInt)message.len;
    z->next_out = out;
    z->avail_out = (uInt)bound;
    int status = deflate(z, Z_SYNC_FLUSH);
    size_t len = bound - z->avail_out;
    assert(status == Z_OK && z->avail_in == 0 && len >= sizeof TAIL);
    (void)status;
    return len - sizeof TAIL;
}

/* Inflates input behind what is there. *at_end: the input ended between two blocks. */
static enum inflate_result run(struct deflater *deflater, const uint8_t *input, size_t len, bool *at_end)
{
    z_stream *z = &deflater->in;
    z->next_in = input;
    z->avail_in = (uInt)len;
    while (z->avail_in) {
        int status = inflate(z, Z_SYNC_FLUSH);
        if (z->avail_out == 0) /* there is room for one byte more than is allowed */
            return INFLATE_TOO_BIG;
        if (status == Z_STREAM_END)
            inflateReset(z); /* a block with BFINAL: others may follow (7.2.3.4) */
        else if (status != Z_OK)
            return INFLATE_BROKEN;
        *at_end = status == Z_STREAM_END || z->data_type & 128;
    }
    return INFLATE_OK;
}

enum inflate_result deflater_inflate(struct deflater *deflater, struct bytes payload, struct bytes *out)
{
    z_stream *z = &deflater->in;
    if (!deflater->inflated)
        deflater->inflated = xmalloc(deflater->max_message + 1);
    inflateReset(z);
    z->next_out = deflater->inflated;
    z->avail_out = (uInt)(deflater->max_message + 1);
    bool at_end = false;
    enum inflate_result result = run(deflater, (const uint8_t *)payload.data, payload.len, &at_end);
    if (result == INFLATE_OK && !at_end)
        result = run(deflater, TAIL, sizeof TAIL, &at_end);
    if (result != INFLATE_OK)
        return result;
    if (!at_end)
        return INFLATE_BROKEN;
    *out = (struct bytes){(const char *)deflater->inflated, (size_t)(z->next_out - deflater->inflated)};
    return INFLATE_OK;
}
