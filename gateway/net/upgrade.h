/* upgrade.h -- is this request a proper WebSocket handshake, and what is the answer (RFC 6455, section 4.2)?
 *
 * Pure functions over a complete request. Called by: connection. */
#ifndef PLENUM_GATEWAY_NET_UPGRADE_H
#define PLENUM_GATEWAY_NET_UPGRADE_H

#include <stdbool.h>

#include "extensions.h"
#include "http.h"

enum { UPGRADE_ACCEPT_LEN = 28 };

struct upgrade {
    char accept[UPGRADE_ACCEPT_LEN + 1]; /* Sec-WebSocket-Accept */
    bool deflate;                        /* permessage-deflate, answered by */
    struct deflate_answer answer;
};

/* True when the client asks for a WebSocket at all: without it the request is plain HTTP. */
bool upgrade_wanted(const struct http_request *request);

/* Checks the handshake. Returns 101 and fills in upgrade, or the status to refuse with: 400, or 426 for a version other
 * than 13. compression: offer permessage-deflate. */
int upgrade_check(const struct http_request *request, bool compression, struct upgrade *upgrade)
    __attribute__((warn_unused_result));

/* True when the client offers that subprotocol (RFC 6455, section 11.3.4). */
bool upgrade_offers(const struct http_request *request, const char *subprotocol);

/* Checks what every request must have: one well-formed Host (RFC 9112, section 3.2). Returns 0 or 400. */
int request_check(const struct http_request *request) __attribute__((warn_unused_result));

/* Computes the RFC's own example (section 1.3). False: this build or its libcrypto cannot shake hands. Done once at the
 * start, it also loads what libcrypto would otherwise load for the first client. */
bool upgrade_self_test(void);

/* Writes the 101 reply's head and returns its length; subprotocol may be NULL. size: 512 is enough. */
int upgrade_reply(const struct upgrade *upgrade, const char *subprotocol, char *out, int size);

#endif
