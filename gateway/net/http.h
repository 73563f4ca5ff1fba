/* http.h -- reading one HTTP/1.1 request head (RFC 9112), strictly.
 *
 * llhttp parses; in front of it stands a filter for what it would let pass and what smuggling is made of: bare CR or
 * LF, control characters, folded headers, more than one space in the request line. A request with a body is refused.
 * The head is collected in one buffer, which the handshake frees after the upgrade; names and values are borrowed from
 * it. Thread: the loop's. Called by: connection. */
#ifndef PLENUM_GATEWAY_NET_HTTP_H
#define PLENUM_GATEWAY_NET_HTTP_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/bytes.h"
#include "http_filter.h"

enum {
    HTTP_TARGET_MAX = 4096, /* bytes of the request target: more is 414 */
    HTTP_HEADERS_MAX = 100  /* header fields: more is 431 */
};

/* A run of the buffer, by place: the buffer may move while it grows. */
struct http_span {
    uint32_t at, len;
};

struct http_field {
    struct http_span name, value;
};

struct http_request {
    llhttp_t parser;
    char *buffer; /* the head so far, then, once complete, what came behind it */
    size_t len, cap;
    size_t head_len; /* of the complete head, with its blank line */
    size_t max_head; /* bytes: more is 431 */
    struct http_span target;
    struct http_field *fields;
    uint16_t field_count, field_cap;
    enum http_filter_state filter;
    bool complete;
    int status; /* of the refusal, once there is one */
};

void http_init(struct http_request *request, size_t max_head);
void http_free(struct http_request *request);

enum http_result { HTTP_MORE, HTTP_COMPLETE, HTTP_REFUSED /* answer request->status and close */ };

/* Reads on. Bytes behind the head are kept: http_rest. Not to be called again once it was complete or refused. */
enum http_result http_feed(struct http_request *request, struct bytes input) __attribute__((warn_unused_result));

llhttp_method_t http_method(const struct http_request *request);
/* The target as it was sent, in its origin form: the authority of an absolute one is cut off. */
struct bytes http_target(const struct http_request *request);

/* How many fields of that name there are (case is ignored), and the value of the first (empty when there is none). */
int http_header(const struct http_request *request, const char *name, struct bytes *value);

/* All values of that name joined by ", ", for headers that are lists (RFC 9110, section 5.3). Writes at most size bytes
 * and returns the length, or -1 when they do not fit. */
int http_header_list(const struct http_request *request, const char *name, char *out, size_t size);

/* What came behind the head. */
struct bytes http_rest(const struct http_request *request);

/* The standard phrase for a status. */
const char *http_phrase(int status);

#endif
