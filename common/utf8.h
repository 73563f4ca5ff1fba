/* utf8.h -- is this valid UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF)?
 *
 * Skips over ASCII eight bytes at a time: most chat is ASCII, and the byte-wise automaton was the dearest part of
 * reading a message (260 ns for 128 bytes against 16). */
#ifndef PLENUM_COMMON_UTF8_H
#define PLENUM_COMMON_UTF8_H

#include <stdbool.h>

#include "bytes.h"

bool utf8_valid(struct bytes text);

/* True when text could still become valid if more bytes followed: whole characters, then at most the valid beginning
 * of one. For failing a message at its first bad byte instead of at its end. */
bool utf8_valid_so_far(struct bytes text);

#endif
