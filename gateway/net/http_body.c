/* http_body.c -- the body of a request, with a length or in chunks; see http.h.
 *
 * llhttp goes on where it paused behind the head. There is one request on a connection, so what follows the body is
 * nobody's, and trailers are passed over. */
#include <stdlib.h>
#include <strings.h>

#include "../../common/xalloc.h"
#include "http.h"

enum {
    BODY_FIRST = 4096,
    /* A body in chunks of one byte each takes six on the wire. What wraps its bytes in more (chunk extensions,
     * trailers) is after our time. */
    RAW_PER_BYTE = 8,
    RAW_BESIDES = 16384
};

bool http_expects_continue(const struct http_request *request)
{
    struct bytes value;
    return http_header(request, "expect", &value) == 1 && value.len == 12 &&
           strncasecmp(value.data, "100-continue", 12) == 0;
}

bool http_has_length(const struct http_request *request)
{
    struct bytes ignored;
    return http_header(request, "content-length", &ignored) || http_header(request, "transfer-encoding", &ignored);
}

struct bytes http_body(const struct http_request *request)
{
    return (struct bytes){request->body ? request->body : "", request->body_len};
}

static int refuse(struct http_request *request, int status)
{
    request->status = status;
    return HPE_USER;
}

int http_on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;
    if (len > request->max_body - request->body_len)
        return refuse(request, 413);
    if (request->body_len + len > request->body_cap) {
        size_t cap = request->body_cap ? 2 * request->body_cap : BODY_FIRST;
        request->body_cap = cap < request->body_len + len ? request->body_len + len : cap;
        request->body = xrealloc(request->body, request->body_cap);
    }
    memcpy(request->body + request->body_len, at, len);
    request->body_len += len;
    return 0;
}

int http_on_message_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;
    request->body_done = request->max_body > 0; /* else the head was all there is, and llhttp pauses by itself */
    return request->body_done ? HPE_PAUSED : 0;
}

enum http_result http_feed_body(struct http_request *request, struct bytes input)
{
    size_t room = RAW_PER_BYTE * request->max_body + RAW_BESIDES - request->raw_body;
    size_t fed = input.len < room ? input.len : room; /* no more, so that the outcome does not depend on the cuts */
    request->raw_body += fed;
    llhttp_errno_t error = llhttp_execute(&request->parser, input.data, fed);
    if (request->body_done && !request->status)
        return HTTP_COMPLETE;
    if (!request->status && error != HPE_OK)
        request->status = 400;
    if (!request->status && fed < input.len)
        request->status = 413;
    return request->status ? HTTP_REFUSED : HTTP_MORE;
}

enum http_result http_begin_body(struct http_request *request, size_t max)
{
    request->max_body = max;
    if (request->parser.content_length > max) {
        request->status = 413;
        return HTTP_REFUSED;
    }
    llhttp_resume(&request->parser);
    return http_feed_body(request, http_rest(request));
}
