/* utf8.c -- see utf8.h. */
#include "utf8.h"

#include <stdint.h>

enum { INVALID = 0, TRUNCATED = -1 };

static bool between(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

/* The length in bytes of the character at the beginning of at; INVALID, or TRUNCATED when the text ends in what could
 * still become one. The table is RFC 3629, section 4: only the second byte's range depends on the first. */
static int character_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    unsigned char low = 0x80, high = 0xbf;
    int length;
    if (first < 0x80)
        return 1;
    if (between(first, 0xc2, 0xdf)) {
        length = 2;
    } else if (between(first, 0xe0, 0xef)) {
        length = 3;
        if (first == 0xe0)
            low = 0xa0; /* below: an overlong form */
        if (first == 0xed)
            high = 0x9f; /* above: a surrogate */
    } else if (between(first, 0xf0, 0xf4)) {
        length = 4;
        if (first == 0xf0)
            low = 0x90; /* below: an overlong form */
        if (first == 0xf4)
            high = 0x8f; /* above: beyond U+10FFFF */
    } else {
        return INVALID;
    }

    for (int i = 1; i < length; i++) {
        if ((size_t)i == left)
            return TRUNCATED;
        if (!between(at[i], low, high))
            return INVALID;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

/* Skips whole characters. Returns where it stopped: len, or the place of what is INVALID or TRUNCATED, told in why. */
static size_t skip_characters(struct bytes text, int *why)
{
    const unsigned char *data = (const unsigned char *)text.data;
    size_t i = 0;
    while (i < text.len) {
        if (text.len - i >= 8) {
            uint64_t word;
            memcpy(&word, data + i, sizeof word);
            if (!(word & 0x8080808080808080)) {
                i += 8;
                continue;
            }
        }
        int length = character_length(data + i, text.len - i);
        if (length <= 0) {
            *why = length;
            return i;
        }
        i += (size_t)length;
    }
    return i;
}

bool utf8_valid(struct bytes text)
{
    int why = INVALID;
    return skip_characters(text, &why) == text.len;
}

bool utf8_valid_so_far(struct bytes text)
{
    int why = INVALID;
    return skip_characters(text, &why) == text.len || why == TRUNCATED;
}
