/* percent.h -- percent-decoding (RFC 3986, section 2.1), for paths and URLs. Pure. */
#ifndef PLENUM_COMMON_PERCENT_H
#define PLENUM_COMMON_PERCENT_H

#include <sys/types.h>

#include "bytes.h"

/* Decodes into out. Returns the length of the whole decoded text, of which at most size bytes were written, or -1 where
 * a
 * '%' does not begin two hex digits. */
ssize_t percent_decode(struct bytes text, char *out, size_t size);

#endif
