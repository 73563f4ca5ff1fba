/* extensions.h -- the negotiation of permessage-deflate (RFC 6455, section 9; RFC 7692, sections 5 and 7.1).
 *
 * We share compressed frames among all who negotiated them, so the server compresses without context takeover and with
 * one window size, 15 bits; an offer that forbids that is declined, and the next one is looked at. Client context
 * takeover is always switched off, so that an idle connection owns no window. Pure functions. */
#ifndef PLENUM_GATEWAY_NET_EXTENSIONS_H
#define PLENUM_GATEWAY_NET_EXTENSIONS_H

#include <stdbool.h>

#include "../../common/bytes.h"

enum extensions_result {
    EXTENSIONS_NONE,     /* nothing that we can accept: go on without */
    EXTENSIONS_DEFLATE,  /* permessage-deflate as answered */
    EXTENSIONS_MALFORMED /* not the RFC's grammar: 400 */
};

struct deflate_answer {
    bool echo_window; /* the offer named server_max_window_bits=15, so the answer has to as well */
};

/* Reads the value of Sec-WebSocket-Extensions (several headers joined by commas) and picks the first acceptable offer.
 */
enum extensions_result extensions_negotiate(struct bytes header, struct deflate_answer *answer)
    __attribute__((warn_unused_result));

/* The value to answer with: a constant. */
const char *extensions_answer(const struct deflate_answer *answer);

#endif
