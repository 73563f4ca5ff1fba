/* api_body.h -- what a request to the HTTP API says besides its path: the body, and the headers that are about it.
 *
 * Checked before a worker hears of it. Pure. Called by: api. */
#ifndef PLENUM_GATEWAY_ADMIN_API_BODY_H
#define PLENUM_GATEWAY_ADMIN_API_BODY_H

#include "../net/http.h"
#include "api_call.h"

/* Each returns 0 or the status to refuse with, and in *why a sentence. */

/* Reads a message for POST .../messages into the call. */
int api_read_message(const struct http_request *request, struct api_call *call, const char **why)
    __attribute__((warn_unused_result));

/* Reads {"user": "Ada"}, {"member": "0a1b2c3d00000001"}, with "for" or "over", into the call's command, whose verb and
 * room stand in the path. */
int api_read_command(const struct http_request *request, struct api_call *call, const char **why)
    __attribute__((warn_unused_result));

#endif
