/* json_scan.c -- see json_scan.h.
 *
 * Each skip_ function takes where its part begins and where the text ends, and returns what is behind the part, or NULL
 * when it is none. */
#include "json_scan.h"

#include <stdint.h>

/* ---- strings */

/* True when no byte of the word is a control character, a quote or a backslash: the classic test whether any byte is
 * less than n, three times; it may not tell which byte, only whether. */
static bool word_is_plain(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t control = (word - ones * 0x20) & ~word;
    return !((control | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs);
}

size_t json_plain_len(struct bytes text)
{
    size_t i = 0;
    while (text.len - i >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        if (!word_is_plain(word))
            break;
        i += sizeof word;
    }
    while (i < text.len && (unsigned char)text.data[i] >= 0x20 && text.data[i] != '"' && text.data[i] != '\\')
        i++;
    return i;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* From behind the backslash. Half of a surrogate pair may stand alone, as it may for JSON.parse. */
static const char *skip_escape(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at != 'u')
        return memchr("\"\\/bfnrt", *at, 8) ? at + 1 : NULL;
    if (end - at < 5)
        return NULL;
    for (int i = 1; i <= 4; i++) {
        if (hex_digit(at[i]) < 0)
            return NULL;
    }
    return at + 5;
}

static const char *skip_string(const char *at, const char *end)
{
    if (at == end || *at++ != '"')
        return NULL;
    while (at) {
        at += json_plain_len((struct bytes){at, (size_t)(end - at)});
        if (at == end)
            return NULL;
        if (*at == '"')
            return at + 1;
        at = *at == '\\' ? skip_escape(at + 1, end) : NULL;
    }
    return NULL;
}

/* ---- the other scalars */

static const char *skip_white(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static const char *skip_digits(const char *at, const char *end)
{
    const char *begin = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > begin ? at : NULL;
}

static const char *skip_number(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : skip_digits(at, end);
    if (at && at < end && *at == '.')
        at = skip_digits(at + 1, end);
    if (at && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = skip_digits(at, end);
    }
    return at;
}

static const char *skip_word(const char *at, const char *end, struct bytes word)
{
    bool same = (size_t)(end - at) >= word.len && memcmp(at, word.data, word.len) == 0;
    return same ? at + word.len : NULL;
}

static const char *skip_scalar(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    switch (*at) {
    case '"':
        return skip_string(at, end);
    case 't':
        return skip_word(at, end, BYTES("true"));
    case 'f':
        return skip_word(at, end, BYTES("false"));
    case 'n':
        return skip_word(at, end, BYTES("null"));
    default:
        return skip_number(at, end);
    }
}

/* ---- values of any kind */

/* What has been opened, outermost first: the bracket that closes each. */
struct nesting {
    char closers[JSON_DEPTH_MAX];
    size_t depth;
};

/* From behind a key to where its value begins. */
static const char *skip_colon(const char *at, const char *end)
{
    at = skip_white(at, end);
    return at < end && *at == ':' ? skip_white(at + 1, end) : NULL;
}

static const char *skip_key(const char *at, const char *end)
{
    at = skip_string(at, end);
    return at ? skip_colon(at, end) : NULL;
}

/* From the beginning of a value on to the end of the first one that is complete: a scalar or an empty pair of
 * brackets. */
static const char *skip_into(const char *at, const char *end, struct nesting *nesting)
{
    while (at && at < end && (*at == '{' || *at == '[')) {
        if (nesting->depth == JSON_DEPTH_MAX)
            return NULL;
        char closer = *at == '{' ? '}' : ']';
        at = skip_white(at + 1, end);
        if (at < end && *at == closer)
            return at + 1;
        nesting->closers[nesting->depth++] = closer;
        if (closer == '}')
            at = skip_key(at, end);
    }
    return at ? skip_scalar(at, end) : NULL;
}

/* From behind a complete value on to the beginning of the next in the same brackets, or, with the depth that it began
 * with, behind the last bracket. */
static const char *skip_onward(const char *at, const char *end, struct nesting *nesting, size_t depth)
{
    while (nesting->depth > depth) {
        char closer = nesting->closers[nesting->depth - 1];
        at = skip_white(at, end);
        if (at < end && *at == ',') {
            at = skip_white(at + 1, end);
            return closer == '}' ? skip_key(at, end) : at;
        }
        if (at == end || *at != closer)
            return NULL;
        at++;
        nesting->depth--;
    }
    return at;
}

/* From the first byte of a value to behind its last. */
static const char *skip_value(const char *at, const char *end, size_t depth)
{
    struct nesting nesting;
    nesting.depth = depth; /* the brackets outside are the caller's */
    do {
        at = skip_into(at, end, &nesting);
        if (at)
            at = skip_onward(at, end, &nesting, depth);
    } while (at && nesting.depth > depth);
    return at;
}

bool json_valid(struct bytes text)
{
    if (text.len == 0)
        return false;
    const char *end = text.data + text.len;
    const char *at = skip_value(skip_white(text.data, end), end, 0);
    return at && skip_white(at, end) == end;
}

/* One member, from its key's quote to behind its value. */
static const char *scan_member(const char *at, const char *end, json_member_fn on_member, void *ctx)
{
    const char *behind_key = skip_string(at, end);
    const char *value = behind_key ? skip_colon(behind_key, end) : NULL;
    const char *behind = value ? skip_value(value, end, 1) : NULL;
    if (behind)
        on_member(ctx, (struct bytes){at + 1, (size_t)(behind_key - at) - 2},
                  (struct bytes){value, (size_t)(behind - value)});
    return behind;
}

bool json_scan_object(struct bytes text, json_member_fn on_member, void *ctx)
{
    if (text.len == 0)
        return false;
    const char *end = text.data + text.len;
    const char *at = skip_white(text.data, end);
    if (at == end || *at != '{')
        return false;
    at = skip_white(at + 1, end);
    if (at < end && *at == '}')
        return skip_white(at + 1, end) == end;
    for (;;) {
        at = scan_member(at, end, on_member, ctx);
        if (!at)
            return false;
        at = skip_white(at, end);
        if (at < end && *at == '}')
            return skip_white(at + 1, end) == end;
        if (at == end || *at != ',')
            return false;
        at = skip_white(at + 1, end);
    }
}

/* ---- comparing */

/* The UTF-16 unit or the byte that stands at *at, in a string that has been scanned. */
static unsigned next_unit(const char **at)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *begin = *at;
    if (*begin != '\\') {
        *at = begin + 1;
        return (unsigned char)*begin;
    }
    if (begin[1] != 'u') {
        *at = begin + 2;
        const char *letter = strchr(letters, begin[1]);
        return (unsigned char)(letter ? meant[letter - letters] : begin[1]);
    }
    *at = begin + 6;
    unsigned unit = 0;
    for (int i = 2; i < 6; i++)
        unit = unit << 4 | (unsigned)hex_digit(begin[i]);
    return unit;
}

bool json_string_is(struct bytes string, const char *word)
{
    const char *at = string.data, *end = at + string.len;
    while (*word) {
        if (at == end || next_unit(&at) != (unsigned char)*word++)
            return false;
    }
    return at == end;
}
