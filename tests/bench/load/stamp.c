/* stamp.c -- the first 36 bytes of each payload: see stamp.h. */
#include "stamp.h"

#include <endian.h>
#include <string.h>

enum { PUBLISHER_AT = 4, SEQUENCE_AT = 10, SENT_AT = 20 };

static void hex_write(char *out, int digits, uint64_t value)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

/* Reads eight hex digits at once: every delivery is read, millions a second, and digit by digit that costs as much as
 * all else that the generator does for it. */
static uint64_t hex_read8(const char *at)
{
    uint64_t x;

    memcpy(&x, at, 8);
    x = le64toh(x);
    x = (x & 0x0f0f0f0f0f0f0f0f) + 9 * (x >> 6 & 0x0101010101010101); /* one value a byte; letters have bit 6 */
    x = (x << 4 | x >> 8) & 0x00ff00ff00ff00ff;                       /* pairs, the first digit high */
    x = (x << 8 | x >> 16) & 0x0000ffff0000ffff;
    return (x << 16 | x >> 32) & 0xffffffff;
}

void stamp_write(char *out, struct stamp stamp)
{
    memcpy(out, "WSL:", 4);
    hex_write(out + PUBLISHER_AT, 6, stamp.publisher);
    hex_write(out + SEQUENCE_AT, 10, stamp.sequence);
    hex_write(out + SENT_AT, 16, stamp.sent_ns);
}

struct stamp stamp_read(const char *at)
{
    uint64_t words[4];

    for (size_t i = 0; i < 4; i++)
        words[i] = hex_read8(at + PUBLISHER_AT + 8 * i);
    return (struct stamp){.publisher = (uint32_t)(words[0] >> 8),
                          .sequence = (words[0] & 0xff) << 32 | words[1],
                          .sent_ns = words[2] << 32 | words[3]};
}

bool stamp_begins(const char *data, size_t n)
{
    return n >= STAMP_LEN && !memcmp(data, "WSL:", 4);
}

const char *stamp_find(const char *data, size_t n)
{
    const char *at = memmem(data, n, "WSL:", 4);

    return at && stamp_begins(at, n - (size_t)(at - data)) ? at : NULL;
}
