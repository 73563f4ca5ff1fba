/* envelope.h -- a message as it stands on the bus.
 *
 *     p1 <seq> <epoch> <kind> <key> <from> <ts_ms> <payload to the end>
 *
 * Exactly seven spaces end the header; an empty value is '-'. Readable in `redis-cli SUBSCRIBE`, binary-safe in the
 * payload. What does not begin with "p1 " is an admin's plain PUBLISH. Nothing here allocates or copies a payload. */
#ifndef PLENUM_COMMON_ENVELOPE_H
#define PLENUM_COMMON_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum envelope_kind {
    ENVELOPE_TEXT = 't',
    ENVELOPE_BINARY = 'b',
    ENVELOPE_JSON = 'd', /* valid JSON: the publishing gateway checked it */
    ENVELOPE_PRESENCE = 'p',
    ENVELOPE_SYSTEM = 's'
};

struct envelope {
    uint64_t seq;       /* place in the room's log; 0: not in a log */
    struct bytes epoch; /* empty for '-', like key and from */
    enum envelope_kind kind;
    struct bytes key;  /* the publisher's idempotency key */
    struct bytes from; /* 16 hex digits of the member id, maybe with /user behind; "admin" for a plain PUBLISH */
    uint64_t member;   /* the member id in from; 0: no member sent it */
    int64_t time_ms;   /* wall clock of the publishing gateway; 0 for a plain PUBLISH */
    struct bytes payload;
    struct bytes room; /* not part of the bytes: set by who delivers it, for the encodings */
};

enum envelope_result {
    ENVELOPE_OK,
    ENVELOPE_UNKNOWN_VERSION, /* "p<digits> " of another version: count it and drop it */
    ENVELOPE_MALFORMED        /* "p1 " with a broken header: count it and drop it */
};

enum { ENVELOPE_HEADER_MAX = 384 }; /* longest header that envelope_encode_header writes */

/* Reads an envelope in place: the fields point into message. A plain PUBLISH comes back as ENVELOPE_OK with from
 * "admin", seq 0, kind text where it is valid UTF-8 and binary where it is not. A 't' or 'd' whose payload is not valid
 * UTF-8 comes back as binary, as a browser would have to fail its connection over it. */
enum envelope_result envelope_decode(struct bytes message, struct envelope *out) __attribute__((warn_unused_result));

/* Writes the header, up to and with its last space, and returns its length. When from is empty and member is not 0, the
 * member's 16 hex digits are written. The payload is the caller's to put behind it.
 * epoch, key and from together fit the buffer: they are bounded where they come in (epoch 32, key 64, from 17 + 192).
 */
size_t envelope_encode_header(char out[ENVELOPE_HEADER_MAX], const struct envelope *envelope);

/* The same without "p1 <seq> <epoch> ": what stands behind it in a log, before a number is given to it. */
size_t envelope_encode_tail(char out[ENVELOPE_HEADER_MAX], const struct envelope *envelope);

#endif
