/* json_text.h -- JSON put together by hand, in one growing piece of memory.
 *
 * For replies and for values that others read: names and short texts are escaped, ready JSON is taken as it is. Written
 * for speed of reading, not of running: the broadcast path does not come here. Called by: protocol, room, admin. */
#ifndef PLENUM_COMMON_JSON_TEXT_H
#define PLENUM_COMMON_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct json_text {
    char *data; /* len of cap; not terminated */
    size_t len, cap;
};

void json_text_free(struct json_text *text);
static inline struct bytes json_text_bytes(const struct json_text *text)
{
    return (struct bytes){text->data, text->len};
}

void json_raw(struct json_text *text, struct bytes json);
void json_literal(struct json_text *text, const char *json);
void json_string(struct json_text *text, struct bytes string); /* with quotes; string is valid UTF-8 */
void json_uint(struct json_text *text, uint64_t number);
void json_member(struct json_text *text, uint64_t member);   /* "0a1b2c3d00000001" with quotes */
void json_gateway(struct json_text *text, uint32_t gateway); /* "0a1b2c3d" with quotes */

/* Bytes that json_string may need at most, and the escaping itself, without quotes, for who has a buffer of his own. */
size_t json_escaped_bound(struct bytes string);
size_t json_escape(struct bytes string, char *out);

#endif
