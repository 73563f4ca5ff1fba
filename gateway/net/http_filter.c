/* http_filter.c -- see http_filter.h. */
#include "http_filter.h"

#include "tokens.h"

enum http_filter_state http_filter(enum http_filter_state state, uint8_t byte)
{
    if (byte == 0x7f || (byte < ' ' && byte != '\r' && byte != '\n' && byte != '\t'))
        return FILTER_BAD;
    switch (state) {
    case FILTER_BEFORE:
        return byte == '\r' ? FILTER_BEFORE_CR : byte > ' ' ? FILTER_REQUEST : FILTER_BAD;
    case FILTER_BEFORE_CR:
        return byte == '\n' ? FILTER_BEFORE : FILTER_BAD;
    case FILTER_REQUEST:
        return byte == '\r' ? FILTER_CR : byte == ' ' ? FILTER_SPACE : byte > ' ' ? FILTER_REQUEST : FILTER_BAD;
    case FILTER_SPACE:
        return byte > ' ' ? FILTER_REQUEST : FILTER_BAD;
    case FILTER_CR:
        return byte == '\n' ? FILTER_START : FILTER_BAD;
    case FILTER_START:
        return byte == '\r' ? FILTER_END_CR : token_char((char)byte) ? FILTER_NAME : FILTER_BAD;
    case FILTER_NAME:
        return byte == ':' ? FILTER_VALUE : token_char((char)byte) ? FILTER_NAME : FILTER_BAD;
    case FILTER_VALUE:
        return byte == '\r' ? FILTER_CR : byte != '\n' ? FILTER_VALUE : FILTER_BAD;
    case FILTER_END_CR:
        return byte == '\n' ? FILTER_END : FILTER_BAD;
    default:
        return FILTER_BAD;
    }
}
