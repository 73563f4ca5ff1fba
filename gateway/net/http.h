/* http.h -- reading one HTTP/1.1 request (RFC 9112), strictly.
 *
 * llhttp parses; in front of it stands a filter for what it would let pass and what smuggling is made of: bare CR or
 * LF, control characters, folded headers, more than one space in the request line. A request with a body is refused,
 * unless the server takes bodies; then it is read after its head was looked at (http_body.c).
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
    bool complete;     /* the head */
    bool takes_bodies; /* set by who can read them, after http_init */
    int status;        /* of the refusal, once there is one */
    char *body;
    size_t body_len, body_cap;
    size_t max_body; /* bytes: more is 413; 0 until a body is read */
    size_t raw_body; /* bytes read of it so far, with all that chunks are wrapped in */
    bool body_done;
};

void http_init(struct http_request *request, size_t max_head);
void http_free(struct http_request *request);

enum http_result {
    HTTP_MORE,
    HTTP_COMPLETE,
    HTTP_BODY,   /* the head is complete, and a body is to come: look at it, then http_begin_body */
    HTTP_REFUSED /* answer request->status and close */
};

/* Reads on. Bytes behind the head are kept: http_rest. Not to be called again once it gave anything but HTTP_MORE. */
enum http_result http_feed(struct http_request *request, struct bytes input) __attribute__((warn_unused_result));

llhttp_method_t http_method(const struct http_request *request);
/* The target as it was sent, in its origin form: the authority of an absolute one is cut off. */
struct bytes http_target(const struct http_request *request);

/* How many fields of that name there are (case is ignored), and the value of the first (empty when there is none). */
int http_header(const struct http_request *request, const char *name, struct bytes *value);

/* All values of that name joined by ", ", for headers that are lists (RFC 9110, section 5.3). Writes at most size bytes
 * and returns the length, or -1 when they do not fit. */
int http_header_list(const struct http_request *request, const char *name, char *out, size_t size);

/* True when the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1). */
bool http_expects_continue(const struct http_request *request);

/* True when the request says how long its body is, be it of no bytes. */
bool http_has_length(const struct http_request *request);

/* After HTTP_BODY: takes a body of up to max bytes (not 0), beginning with what came behind the head already. Then
 * http_feed_body with what follows. Never HTTP_BODY. */
enum http_result http_begin_body(struct http_request *request, size_t max) __attribute__((warn_unused_result));
enum http_result http_feed_body(struct http_request *request, struct bytes input) __attribute__((warn_unused_result));

/* The body; empty where there is none. */
struct bytes http_body(const struct http_request *request);

/* For llhttp's table in http.c. */
int http_on_body(llhttp_t *parser, const char *at, size_t len);
int http_on_message_complete(llhttp_t *parser);

/* What came behind the head. */
struct bytes http_rest(const struct http_request *request);

/* The standard phrase for a status. */
const char *http_phrase(int status);

#endif
