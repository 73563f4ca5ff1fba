/* plenum_encoding.c -- see plenum_encoding.h.
 *
 * Written by hand into the block's memory, once per message and encoding: no allocation, no format strings. Each put_
 * function writes at a place and returns the place behind. A frame's head stands before its text and its length is
 * known afterwards, so the text is written behind room for the longest head and moved up to the real one. */
#include "plenum_encoding.h"

#include <openssl/evp.h>

#include "../../common/json_text.h"
#include "../../common/percent.h"
#include "../../common/utf8.h"
#include "message_frame.h"

enum {
    MEMBER_DIGITS = 16,
    USER_MAX = 192,    /* bytes of a name that are looked at: as many as may stand percent-encoded in an envelope */
    ESCAPED_MAX = 6,   /* bytes that one byte of a string may become */
    ENTRY_WORDS = 128, /* what an entry is besides payload and names: its keys, two numbers, a member (102 bytes) */
    FRAME_WORDS = 32,  /* what a message is besides its entry and its room (27 bytes) */
    NOTICE_WORDS = 128 /* what a notice is besides its strings and its value: 83 bytes, those of an epoch, at most */
};

/* ---- pieces */

static char *put(char *at, struct bytes text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *at++ = digits[--count];
    return at;
}

static char *put_member(char *at, uint64_t member)
{
    for (int shift = 4 * (MEMBER_DIGITS - 1); shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[member >> shift & 15];
    return at;
}

/* A string from the bus, between its quotes: what is no UTF-8 would break the client's connection, and is left out. */
static char *put_string(char *at, struct bytes text)
{
    return utf8_valid(text) ? at + json_escape(text, at) : at;
}

/* ---- messages */

/* Behind the member's digits stands the name that it had, percent-encoded. */
static char *put_user(char *at, struct bytes from)
{
    char name[USER_MAX];
    if (from.len <= MEMBER_DIGITS + 1 || from.data[MEMBER_DIGITS] != '/')
        return at;
    struct bytes encoded = {from.data + MEMBER_DIGITS + 1, from.len - MEMBER_DIGITS - 1};
    ssize_t len = percent_decode(encoded, name, sizeof name);
    if (len <= 0 || len > USER_MAX || !utf8_valid((struct bytes){name, (size_t)len}))
        return at;
    at = put(at, BYTES(",\"user\":\""));
    at += json_escape((struct bytes){name, (size_t)len}, at);
    *at++ = '"';
    return at;
}

static size_t data_bound(const struct envelope *envelope)
{
    switch (envelope->kind) {
    case ENVELOPE_JSON:
        return envelope->payload.len;
    case ENVELOPE_TEXT:
        return json_escaped_bound(envelope->payload);
    case ENVELOPE_BINARY:
        return sizeof "{\"base64\":\"\"}" + (envelope->payload.len + 2) / 3 * 4;
    default:
        return 0;
    }
}

static char *put_data(char *at, const struct envelope *envelope)
{
    struct bytes payload = envelope->payload;
    switch (envelope->kind) {
    case ENVELOPE_TEXT:
        *at++ = '"';
        at += json_escape(payload, at);
        *at++ = '"';
        return at;
    case ENVELOPE_BINARY:
        at = put(at, BYTES("{\"base64\":\""));
        at += EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)payload.data, (int)payload.len);
        return put(at, BYTES("\"}"));
    default:
        return put(at, payload);
    }
}

/* An entry behind its opening brace: it ends a message as well. */
static char *put_entry(char *at, const struct envelope *envelope)
{
    at = put(at, BYTES("\"offset\":"));
    at = put_number(at, envelope->seq);
    at = put(at, BYTES(",\"from\":\""));
    at = envelope->member ? put_member(at, envelope->member) : put_string(at, envelope->from);
    *at++ = '"';
    if (envelope->member)
        at = put_user(at, envelope->from);
    at = put(at, BYTES(",\"data\":"));
    at = put_data(at, envelope);
    at = put(at, BYTES(",\"time\":"));
    at = put_number(at, envelope->time_ms > 0 ? (uint64_t)envelope->time_ms : 0);
    *at++ = '}';
    return at;
}

size_t plenum_entry_bound(const struct envelope *envelope)
{
    bool carried =
        envelope->kind == ENVELOPE_TEXT || envelope->kind == ENVELOPE_BINARY || envelope->kind == ENVELOPE_JSON;
    return carried ? ENTRY_WORDS + ESCAPED_MAX * envelope->from.len + data_bound(envelope) : 0;
}

size_t plenum_entry_write(const struct envelope *envelope, char *out)
{
    *out = '{';
    return (size_t)(put_entry(out + 1, envelope) - out);
}

/* ---- notices */

static char *put_begin(char *at, struct bytes type, struct bytes room)
{
    at = put(at, BYTES("{\"type\":\""));
    at = put(at, type);
    at = put(at, BYTES("\",\"room\":\""));
    at = put(at, room); /* no character of a room's name needs an escape */
    *at++ = '"';
    return at;
}

static char *put_member_field(char *at, uint64_t member)
{
    at = put(at, BYTES(",\"member\":\""));
    at = put_member(at, member);
    *at++ = '"';
    return at;
}

static char *put_number_field(char *at, struct bytes key, uint64_t number)
{
    return put_number(put(at, key), number);
}

/* The members of an object that stands in memory, and the closing brace: the rest of the object that is being written.
 * It may come from another gateway, so white space is no surprise. */
static char *put_rest(char *at, struct bytes object)
{
    const char *end = object.data + object.len;
    const char *brace = object.len ? memchr(object.data, '{', object.len) : NULL;
    const char *first = brace ? brace + 1 : end;
    while (first < end && (*first == ' ' || *first == '\n' || *first == '\r' || *first == '\t'))
        first++;
    if (first == end || *first == '}')
        return put(at, BYTES("}"));
    *at++ = ',';
    return put(at, (struct bytes){first, (size_t)(end - first)});
}

static char *put_present(char *at, struct bytes type, const struct notice *notice)
{
    at = put_begin(at, type, notice->room);
    at = put_member_field(at, notice->member);
    return put_rest(at, notice->value);
}

static char *put_left(char *at, const struct notice *notice)
{
    at = put_begin(at, BYTES("member_left"), notice->room);
    at = put_member_field(at, notice->member);
    at = put(at, BYTES(",\"reason\":\""));
    at = put_string(at, notice->reason);
    return put(at, BYTES("\"}"));
}

static char *put_members(char *at, const struct notice *notice)
{
    at = put_begin(at, BYTES("members"), notice->room);
    at = put(at, BYTES(",\"members\":"));
    at = put(at, notice->value);
    at = put_number_field(at, BYTES(",\"count\":"), notice->count);
    return put(at, BYTES("}"));
}

static char *put_count(char *at, const struct notice *notice)
{
    at = put_begin(at, BYTES("count"), notice->room);
    at = put_number_field(at, BYTES(",\"count\":"), notice->count);
    return put(at, BYTES("}"));
}

static char *put_gap(char *at, const struct notice *notice)
{
    at = put_begin(at, BYTES("gap"), notice->room);
    at = put_number_field(at, BYTES(",\"from\":"), notice->from);
    at = put_number_field(at, BYTES(",\"to\":"), notice->to);
    return put(at, BYTES("}"));
}

static char *put_epoch(char *at, const struct notice *notice)
{
    at = put_begin(at, BYTES("epoch"), notice->room);
    at = put(at, BYTES(",\"epoch\":\""));
    at = put_string(at, notice->epoch);
    at = put_number_field(at, BYTES("\",\"offset\":"), notice->from);
    return put(at, notice->lossy ? BYTES(",\"lossy\":true}") : BYTES(",\"lossy\":\"maybe\"}"));
}

static char *put_notice(char *at, const struct notice *notice)
{
    switch (notice->kind) {
    case NOTICE_JOINED:
        return put_present(at, BYTES("member_joined"), notice);
    case NOTICE_UPDATED:
        return put_present(at, BYTES("member_updated"), notice);
    case NOTICE_LEFT:
        return put_left(at, notice);
    case NOTICE_MEMBERS:
        return put_members(at, notice);
    case NOTICE_COUNT:
        return put_count(at, notice);
    case NOTICE_GAP:
        return put_gap(at, notice);
    case NOTICE_EPOCH:
        return put_epoch(at, notice);
    }
    return at;
}

/* ---- frames */

static struct deflater *deflater_of(const struct encoding *encoding)
{
    return ((const struct plenum_encoding *)encoding)->deflater;
}

/* Of a text of up to len bytes. What is deflated stands behind the text before it takes its place. */
static size_t frame_bound(struct deflater *deflater, size_t len)
{
    bool deflated = deflater && len >= DEFLATE_SMALLEST;
    return FRAME_HEAD_MAX + len + (deflated ? message_frame_bound(deflater, len) : 0);
}

/* Makes a frame of the text that stands at out + FRAME_HEAD_MAX. */
static size_t frame_text(struct deflater *deflater, uint8_t *out, const char *end)
{
    char *text = (char *)out + FRAME_HEAD_MAX;
    size_t len = (size_t)(end - text);
    if (deflater && len >= DEFLATE_SMALLEST) {
        uint8_t *frame = (uint8_t *)text + len;
        size_t frame_len = message_frame(deflater, FRAME_TEXT, (struct bytes){text, len}, frame);
        memmove(out, frame, frame_len);
        return frame_len;
    }
    size_t head = frame_head(out, FRAME_TEXT, false, len);
    memmove(out + head, text, len);
    return head + len;
}

static size_t bound(const struct encoding *encoding, const struct envelope *envelope)
{
    size_t entry = plenum_entry_bound(envelope);
    return entry ? frame_bound(deflater_of(encoding), FRAME_WORDS + envelope->room.len + entry) : 0;
}

static size_t encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    char *at = put_begin((char *)out + FRAME_HEAD_MAX, BYTES("message"), envelope->room);
    *at++ = ',';
    return frame_text(deflater_of(encoding), out, put_entry(at, envelope));
}

static size_t notice_bound(const struct encoding *encoding, const struct notice *notice)
{
    size_t strings = notice->reason.len + notice->epoch.len;
    size_t len = NOTICE_WORDS + notice->room.len + notice->value.len + ESCAPED_MAX * strings;
    return frame_bound(deflater_of(encoding), len);
}

static size_t notice_encode(const struct encoding *encoding, const struct notice *notice, uint8_t *out)
{
    return frame_text(deflater_of(encoding), out, put_notice((char *)out + FRAME_HEAD_MAX, notice));
}

void plenum_encoding_init(struct plenum_encoding *encoding, struct deflater *deflater)
{
    *encoding = (struct plenum_encoding){
        .base = {.name = deflater ? "plenum.v1, deflated" : "plenum.v1",
                 .bound = bound,
                 .encode = encode,
                 .notice_bound = notice_bound,
                 .notice_encode = notice_encode},
        .deflater = deflater,
    };
}
