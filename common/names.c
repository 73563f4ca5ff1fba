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

size_t name_gateway_rooms(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:gw:%08x:rooms", (int)prefix.len, prefix.data, gateway);
}

size_t name_bans(char out[NAME_BUFFER], struct bytes prefix)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:bans", (int)prefix.len, prefix.data);
}

size_t name_control(char out[NAME_BUFFER], struct bytes prefix)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:ctl", (int)prefix.len, prefix.data);
}

size_t name_control_of(char out[NAME_BUFFER], struct bytes prefix, uint32_t gateway)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:ctl:%08x", (int)prefix.len, prefix.data, gateway);
}

size_t name_control_answers(char out[NAME_BUFFER], struct bytes prefix)
{
    return (size_t)snprintf(out, NAME_BUFFER, "%.*s:ctl:ack", (int)prefix.len, prefix.data);
}

size_t name_room_key(char out[NAME_BUFFER], struct bytes prefix, struct bytes room, enum room_key key)
{
    static const char *const suffixes[] = {
        [ROOM_HISTORY] = ":hist",   [ROOM_META] = ":meta",    [ROOM_KEYS_EVEN] = ":mid:0",
        [ROOM_KEYS_ODD] = ":mid:1", [ROOM_GATEWAYS] = ":gws", [ROOM_STATE] = ":state",
    };
    size_t len = name_room_channel(out, prefix, room);
    size_t suffix_len = strlen(suffixes[key]);
    memcpy(out + len, suffixes[key], suffix_len + 1);
    return len + suffix_len;
}

size_t name_room_members(char out[NAME_BUFFER], struct bytes prefix, struct bytes room, uint32_t gateway)
{
    size_t len = name_room_channel(out, prefix, room);
    return len + (size_t)snprintf(out + len, NAME_BUFFER - len, ":m:%08x", gateway);
}
