/* percent.c -- see percent.h. */
#include "percent.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

ssize_t percent_decode(struct bytes text, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++, len++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
            if (low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (len < size)
            out[len] = c;
    }
    return (ssize_t)len;
}
