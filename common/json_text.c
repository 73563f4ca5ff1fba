/* json_text.c -- see json_text.h. */
#include "json_text.h"

#include <stdlib.h>

#include "json_scan.h"
#include "xalloc.h"

enum { SMALLEST = 256, MEMBER_DIGITS = 16, GATEWAY_DIGITS = 8 };

/* ---- escaping */

/* The second character of a short escape, 0 where there is none. */
static char short_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static size_t plain_len(struct bytes string, size_t from)
{
    return json_plain_len((struct bytes){string.data + from, string.len - from});
}

/* Counted, not six times the length: what an encoding asks for is charged to its block. */
size_t json_escaped_bound(struct bytes string)
{
    size_t bound = string.len + 2; /* the quotes */
    for (size_t i = 0; i < string.len; i++) {
        i += plain_len(string, i);
        if (i < string.len)
            bound += short_escape(string.data[i]) ? 1 : 5;
    }
    return bound;
}

static char *put_escape(char *at, char c)
{
    char letter = short_escape(c);
    *at++ = '\\';
    if (letter) {
        *at++ = letter;
        return at;
    }
    memcpy(at, "u00", 3);
    at[3] = (char)('0' + (c >> 4)); /* only controls come here: 00 to 1f */
    at[4] = "0123456789abcdef"[c & 15];
    return at + 5;
}

size_t json_escape(struct bytes string, char *out)
{
    char *at = out;
    for (size_t i = 0; i < string.len; i++) {
        size_t plain = plain_len(string, i);
        memcpy(at, string.data + i, plain);
        at += plain;
        i += plain;
        if (i < string.len)
            at = put_escape(at, string.data[i]);
    }
    return (size_t)(at - out);
}

/* ---- the growing text */

void json_text_free(struct json_text *text)
{
    free(text->data);
    *text = (struct json_text){0};
}

/* Where the next bytes go: there is room for so many. */
static char *reserve(struct json_text *text, size_t more)
{
    if (text->cap - text->len < more) {
        size_t cap = text->cap ? 2 * text->cap : SMALLEST;
        text->cap = cap - text->len < more ? text->len + more : cap;
        text->data = xrealloc(text->data, text->cap);
    }
    return text->data + text->len;
}

void json_raw(struct json_text *text, struct bytes json)
{
    if (json.len == 0)
        return;
    memcpy(reserve(text, json.len), json.data, json.len);
    text->len += json.len;
}

void json_literal(struct json_text *text, const char *json)
{
    json_raw(text, bytes_of(json));
}

void json_string(struct json_text *text, struct bytes string)
{
    char *out = reserve(text, json_escaped_bound(string));
    size_t len = json_escape(string, out + 1);
    out[0] = out[len + 1] = '"';
    text->len += len + 2;
}

void json_uint(struct json_text *text, uint64_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    json_raw(text, (struct bytes){digits + at, sizeof digits - at});
}

static void put_hex(struct json_text *text, uint64_t number, size_t digits)
{
    char *out = reserve(text, digits + 2);
    out[0] = out[digits + 1] = '"';
    for (size_t i = digits; i > 0; i--, number >>= 4)
        out[i] = "0123456789abcdef"[number & 15];
    text->len += digits + 2;
}

void json_member(struct json_text *text, uint64_t member)
{
    put_hex(text, member, MEMBER_DIGITS);
}

void json_gateway(struct json_text *text, uint32_t gateway)
{
    put_hex(text, gateway, GATEWAY_DIGITS);
}
