/* names.c -- see names.h. */
#include "names.h"

#include <stdio.h>

enum { CHAR_ROOM = 1, CHAR_PREFIX = 2 };

/* Which names a byte may stand in. Never '{' or '}': they would move the hash tag of a cluster's slot. */
static int char_class(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return CHAR_ROOM | CHAR_PREFIX;
    switch (c) {
    case '_':
    case '.':
    case ':':
    case '-':
        return CHAR_ROOM | CHAR_PREFIX;
    case '=':
    case '@':
    case ',':
    case ';':
        return CHAR_ROOM;
    default:
        return 0;
    }
}

static bool all_of(struct bytes name, int class)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!(char_class((unsigned char)name.data[i]) & class))
            return false;
    }
    return true;
}

bool room_name_valid(struct bytes name)
{
    return name.len > 0 && name.len <= ROOM_NAME_MAX && name.data[0] != '@' && all_of(name, CHAR_ROOM);
}

bool prefix_valid(struct bytes prefix)
{
    return prefix.len > 0 && prefix.len <= PREFIX_MAX && all_of(prefix, CHAR_PREFIX);
}

/* By hand, as it is done for every message that is published. */
size_t name_room_channel(char out[NAME_BUFFER], struct bytes prefix, struct bytes room)
{
    char *at = out;
    memcpy(at, prefix.data, prefix.len);
    at += prefix.len;
    *at++ = ':';
    *at++ = '{';
    memcpy(at, room.data, room.len);
    at += room.len;
    *at++ = '}';
    *at = '\0';
    return (size_t)(at - out);
}

size_t name_gateway_inbox(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:{gw:%08x}:in", (int)prefix.len, prefix.data, gateway);
}

size_t name_gateways(char out[NAME_BUFFER], struct bytes prefix)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:gws", (int)prefix.len, prefix.data);
}

size_t name_gateway(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:gw:%08x", (int)prefix.len, prefix.data, gateway);
}
