/* problem.h -- why a request was refused, for programs (RFC 9457).
 *
 *     {"type":"about:blank","title":"Not Found","status":404,"code":"no_member","detail":"..."}
 *
 * code is our own extension, where a status can have several reasons: an interface, unlike the words of detail.
 * Pure. Called by: connection, the HTTP API. */
#ifndef PLENUM_GATEWAY_NET_PROBLEM_H
#define PLENUM_GATEWAY_NET_PROBLEM_H

#include "../../common/json_text.h"

#define PROBLEM_TYPE "application/problem+json"

/* code may be NULL; detail is one sentence. */
void problem_write(struct json_text *text, int status, const char *code, const char *detail);

#endif
