/* json_scan.h -- is this text JSON, and where do the members of an object stand?
 *
 * A strict scanner of RFC 8259: it takes what a browser's JSON.parse takes and nothing else, with one limit more, the
 * depth. Nothing is unescaped, copied or allocated, and nothing recurses. Any bytes are safe; inside of strings only
 * what JSON forbids is looked for, so that a text is valid UTF-8 if it was so before.
 * Pure. Called by: json_text, protocol. */
#ifndef PLENUM_COMMON_JSON_SCAN_H
#define PLENUM_COMMON_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

enum { JSON_DEPTH_MAX = 128 }; /* arrays and objects inside of each other; what is deeper is refused */

/* True when the whole text is one JSON value, with or without white space around it. */
bool json_valid(struct bytes text) __attribute__((warn_unused_result));

/* Told of each member of an object, in their order; a key may come twice (for JSON.parse the last one counts).
 * key: what stands between its quotes, escapes as they are. value: one JSON value, without white space around it. */
typedef void (*json_member_fn)(void *ctx, struct bytes key, struct bytes value);

/* True when the whole text is one JSON object. Members are told of while it is read: when it turns out to be broken,
 * those before the fault have been. */
bool json_scan_object(struct bytes text, json_member_fn on_member, void *ctx) __attribute__((warn_unused_result));

/* True when a key, or a string between its quotes, means this word, which is ASCII: `d\u0061ta` is "data" as well. */
bool json_string_is(struct bytes string, const char *word);

/* How many bytes at the beginning of text stand for themselves inside of a JSON string: those before the first quote,
 * backslash or control character. */
size_t json_plain_len(struct bytes text);

#endif
