/* percent.h -- percent-encoding and -decoding (RFC 3986, section 2.1), for paths, URLs and envelopes. Pure. */
#ifndef PLENUM_COMMON_PERCENT_H
#define PLENUM_COMMON_PERCENT_H

#include <sys/types.h>

#include "bytes.h"

/* Decodes into out. Returns the length of the whole decoded text, of which at most size bytes were written, or -1 where
 * a
 * '%' does not begin two hex digits. */
ssize_t percent_decode(struct bytes text, char *out, size_t size);

/* Encodes all but the unreserved characters (section 2.3). Returns the length, at most 3 * text.len; what does not fit
 * size is not written. */
size_t percent_encode(struct bytes text, char *out, size_t size);

#endif
