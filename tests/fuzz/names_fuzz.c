/* names_fuzz.c -- any bytes as a room's name: what is taken is what the rule says, and makes a channel that fits and
 * holds no brace of its own. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes name = {(const char *)data, size};
    char channel[NAME_BUFFER];
    if (prefix_valid(name))
        require(name_gateway_inbox(channel, name, UINT32_MAX) < NAME_BUFFER);
    if (!room_name_valid(name))
        return 0;
    size_t len = name_room_channel(channel, BYTES("plenum"), name);
    require(size <= ROOM_NAME_MAX && len < NAME_BUFFER && strlen(channel) == len);
    require(strchr(channel, '{') == strrchr(channel, '{') && strchr(channel, '}') == channel + len - 1);
    return 0;
}
