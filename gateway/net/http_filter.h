/* http_filter.h -- which bytes may stand where in a request head (RFC 9112, sections 2.2, 3 and 5).
 *
 * Stands in front of llhttp, which is more tolerant than a server behind a balancer should be: two parsers that
 * disagree about where a request ends are what smuggling lives on. Refused: bare CR and bare LF, control characters,
 * folded headers, white space before the first header, tabs or more than one space in the request line, header
 * names that are empty or no token (so no space before the colon). A byte at a time. */
#ifndef PLENUM_GATEWAY_NET_HTTP_FILTER_H
#define PLENUM_GATEWAY_NET_HTTP_FILTER_H

#include <stdint.h>

enum http_filter_state {
    FILTER_BEFORE, /* before the request line; blank lines are passed over */
    FILTER_BEFORE_CR,
    FILTER_REQUEST, /* in the request line */
    FILTER_SPACE,   /* ... behind a space */
    FILTER_CR,      /* a line's CR: its LF must follow */
    FILTER_START,   /* at the start of a header line */
    FILTER_NAME,    /* in a header's name */
    FILTER_VALUE,   /* behind its colon */
    FILTER_END_CR,  /* the CR of the blank line that ends the head */
    FILTER_END,     /* the head is complete */
    FILTER_BAD
};

/* The state after one more byte. FILTER_END and FILTER_BAD are final. */
enum http_filter_state http_filter(enum http_filter_state state, uint8_t byte);

#endif
