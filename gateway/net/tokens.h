/* tokens.h -- reading the lists of tokens that HTTP headers are made of (RFC 7230, sections 3.2.6 and 7). */
#ifndef PLENUM_GATEWAY_NET_TOKENS_H
#define PLENUM_GATEWAY_NET_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/bytes.h"

/* A place in a header's value. Each call skips the white space around what it reads. */
struct token_reader {
    const char *at, *end;
};

/* True for a tchar (RFC 7230, section 3.2.6). */
bool token_char(char c);

/* Reads a token (RFC 7230: one or more tchar). */
bool token_read(struct token_reader *reader, struct bytes *token);

/* Reads a token or a quoted string whose content is a token (RFC 6455, section 9.1). text gets the unquoted, terminated
 * content, or stays empty when it does not fit size. */
bool token_read_value(struct token_reader *reader, char *text, size_t size);

/* Skips c when it is next. */
bool token_accept(struct token_reader *reader, char c);

/* True when the next thing is a ',' or the end: an empty element of a list. */
bool token_skip_empty(struct token_reader *reader);

bool token_at_end(struct token_reader *reader);

/* True when the comma-separated list contains the token; case is ignored. */
bool token_list_contains(struct bytes list, struct bytes token);

#endif
