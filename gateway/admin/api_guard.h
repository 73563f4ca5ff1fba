/* api_guard.h -- who may use the HTTP API.
 *
 * Programs: by a bearer token (RFC 6750) where one is set, else by reaching the port at all, which is on loopback by
 * default. But a browser on that machine reaches it too, on behalf of any page that is open in it. So what a page could
 * send across origins is refused by its Origin header; and without a token also what comes in under a foreign name, as
 * a page's own host may resolve to 127.0.0.1 the second time (DNS rebinding). Pure. Called by: api. */
#ifndef PLENUM_GATEWAY_ADMIN_API_GUARD_H
#define PLENUM_GATEWAY_ADMIN_API_GUARD_H

#include "../net/http.h"

/* Returns 0, or the status to refuse with (401, 403) and in *why a sentence. token: NULL for none. */
int api_guard(const struct http_request *request, const char *token, const char **why)
    __attribute__((warn_unused_result));

#endif
