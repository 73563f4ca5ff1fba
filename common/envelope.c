/* envelope.c -- see envelope.h. */
#include "envelope.h"

#include <assert.h>

#include "utf8.h"

enum { MEMBER_DIGITS = 16 };

/* ---- decode ---- */

/* Takes the bytes up to the next space off rest. False when there is no space, or nothing before it. */
static bool next_field(struct bytes *rest, struct bytes *field)
{
    const char *space = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    if (!space || space == rest->data)
        return false;
    *field = (struct bytes){rest->data, (size_t)(space - rest->data)};
    rest->data = space + 1;
    rest->len -= field->len + 1;
    return true;
}

static struct bytes without_dash(struct bytes field)
{
    return bytes_equal(field, BYTES("-")) ? (struct bytes){NULL, 0} : field;
}

/* Reads a decimal number of digits only, at most max. */
static bool parse_number(struct bytes field, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < field.len; i++) {
        unsigned digit = (unsigned)(unsigned char)field.data[i] - '0';
        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return field.len > 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* The member id at the beginning of from, or 0 when from names no member ("admin", another service). */
static uint64_t parse_member(struct bytes from)
{
    if (from.len < MEMBER_DIGITS || (from.len > MEMBER_DIGITS && from.data[MEMBER_DIGITS] != '/'))
        return 0;
    uint64_t member = 0;
    for (int i = 0; i < MEMBER_DIGITS; i++) {
        int digit = hex_digit(from.data[i]);
        if (digit < 0)
            return 0;
        member = member << 4 | (uint64_t)digit;
    }
    return member;
}

static bool parse_kind(struct bytes field, enum envelope_kind *out)
{
    if (field.len != 1 || !memchr("tbdps", field.data[0], 5))
        return false;
    *out = (enum envelope_kind)field.data[0];
    return true;
}

/* True when message begins with 'p', digits and a space: an envelope of some version. */
static bool has_version(struct bytes message)
{
    size_t i = 1;
    while (i < message.len && message.data[i] >= '0' && message.data[i] <= '9')
        i++;
    return message.len > 0 && message.data[0] == 'p' && i > 1 && i < message.len && message.data[i] == ' ';
}

static void decode_plain(struct bytes message, struct envelope *out)
{
    *out = (struct envelope){
        .kind = utf8_valid(message) ? ENVELOPE_TEXT : ENVELOPE_BINARY,
        .from = BYTES("admin"),
        .payload = message,
    };
}

enum envelope_result envelope_decode(struct bytes message, struct envelope *out)
{
    if (!has_version(message)) {
        decode_plain(message, out);
        return ENVELOPE_OK;
    }
    if (message.data[1] != '1' || message.data[2] != ' ')
        return ENVELOPE_UNKNOWN_VERSION;

    struct bytes rest = message;
    struct bytes version, seq, epoch, kind, key, from, time;
    if (!next_field(&rest, &version) || !next_field(&rest, &seq) || !next_field(&rest, &epoch) ||
        !next_field(&rest, &kind) || !next_field(&rest, &key) || !next_field(&rest, &from) || !next_field(&rest, &time))
        return ENVELOPE_MALFORMED;

    uint64_t time_ms;
    if (!parse_number(seq, UINT64_MAX, &out->seq) || !parse_kind(kind, &out->kind) ||
        !parse_number(time, INT64_MAX, &time_ms))
        return ENVELOPE_MALFORMED;
    out->epoch = without_dash(epoch);
    out->key = without_dash(key);
    out->from = without_dash(from);
    out->member = parse_member(from);
    out->time_ms = (int64_t)time_ms;
    out->payload = rest;
    if ((out->kind == ENVELOPE_TEXT || out->kind == ENVELOPE_JSON) && !utf8_valid(rest))
        out->kind = ENVELOPE_BINARY;
    return ENVELOPE_OK;
}

/* ---- encode ---- */

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count)
        *at++ = digits[--count];
    return at;
}

static char *put_field(char *at, struct bytes value)
{
    if (value.len == 0)
        value = BYTES("-");
    memcpy(at, value.data, value.len);
    return at + value.len;
}

static char *put_member(char *at, uint64_t member)
{
    for (int shift = 4 * (MEMBER_DIGITS - 1); shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[member >> shift & 15];
    return at;
}

static char *put_tail(char *at, const struct envelope *envelope)
{
    *at++ = (char)envelope->kind;
    *at++ = ' ';
    at = put_field(at, envelope->key);
    *at++ = ' ';
    at = envelope->from.len == 0 && envelope->member ? put_member(at, envelope->member) : put_field(at, envelope->from);
    *at++ = ' ';
    at = put_number(at, envelope->time_ms > 0 ? (uint64_t)envelope->time_ms : 0);
    *at++ = ' ';
    return at;
}

static void check_fits(const struct envelope *envelope)
{
    /* "p1", two numbers of 20 digits, the kind and seven spaces take 50; a member's digits 16 more. */
    assert(envelope->epoch.len + envelope->key.len + envelope->from.len <= ENVELOPE_HEADER_MAX - 70);
    (void)envelope;
}

size_t envelope_encode_header(char out[ENVELOPE_HEADER_MAX], const struct envelope *envelope)
{
    check_fits(envelope);
    char *at = put_field(out, BYTES("p1"));
    *at++ = ' ';
    at = put_number(at, envelope->seq);
    *at++ = ' ';
    at = put_field(at, envelope->epoch);
    *at++ = ' ';
    return (size_t)(put_tail(at, envelope) - out);
}

size_t envelope_encode_tail(char out[ENVELOPE_HEADER_MAX], const struct envelope *envelope)
{
    check_fits(envelope);
    return (size_t)(put_tail(out, envelope) - out);
}
