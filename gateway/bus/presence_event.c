/* presence_event.c -- see presence_event.h. What a script wrote may lack the last newline; a head alone tells a number
 * of members. */
#include "presence_event.h"

#include <stdbool.h>

enum { GATEWAY_DIGITS = 8, MEMBER_DIGITS = 16 };

/* Reads hex digits as the gateways write them, in small letters, and exactly so many. */
static bool read_hex(struct bytes text, size_t digits, uint64_t *out)
{
    if (text.len != digits)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

static bool read_decimal(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return text.len > 0;
}

/* Cuts off what stands before the separator, or all of it where there is none. */
static struct bytes cut(struct bytes *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    struct bytes part = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    size_t taken = part.len + (end != NULL);
    if (taken) {
        rest->data += taken;
        rest->len -= taken;
    }
    return part;
}

bool presence_event_read(const struct envelope *envelope, struct presence_event *event)
{
    uint64_t gateway;
    if (envelope->kind != ENVELOPE_PRESENCE || !read_hex(envelope->from, GATEWAY_DIGITS, &gateway))
        return false;
    struct bytes rest = envelope->payload;
    struct bytes head = cut(&rest, '\n');
    struct bytes pv = cut(&head, ' ');
    if (!read_decimal(pv, &event->pv) || !read_decimal(head, &event->members))
        return false;
    event->gateway = (uint32_t)gateway;
    event->rest = rest;
    return true;
}

bool presence_event_next(struct presence_event *event, struct presence_change *change)
{
    struct bytes rest = event->rest;
    struct bytes line = cut(&rest, '\n');
    struct bytes op = cut(&line, ' ');
    struct bytes member = cut(&line, ' ');
    if (op.len != 1 || !memchr("jul", op.data[0], 3) || !read_hex(member, MEMBER_DIGITS, &change->member))
        return false;
    change->op = (enum presence_op)op.data[0];
    change->value = line;
    event->rest = rest;
    return true;
}
