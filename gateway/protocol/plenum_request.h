/* plenum_request.h -- what a plenum.v1 client asks for: one text frame read into a struct.
 *
 * The text is first walked by a strict scanner (RFC 8259; cJSON takes things that a browser's JSON.parse refuses),
 * which also finds where `data` and `info` stand: they go on byte for byte and are never parsed. cJSON reads the small
 * rest. Pure. Called by: plenum. Fields and codes: plenum.md. */
#ifndef PLENUM_GATEWAY_PROTOCOL_PLENUM_REQUEST_H
#define PLENUM_GATEWAY_PROTOCOL_PLENUM_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/bytes.h"

enum {
    REQUEST_NAME_MAX = 64, /* bytes */
    REQUEST_KEY_MAX = 64,
    REQUEST_INFO_MAX = 4096,
    REQUEST_HISTORY_MAX = 256,
    REQUEST_HISTORY_DEFAULT = 50,
    REQUEST_EPOCH_MAX = 32
};

enum request_type {
    REQUEST_HELLO,
    REQUEST_JOIN,
    REQUEST_LEAVE,
    REQUEST_PUBLISH,
    REQUEST_HISTORY,
    REQUEST_SIGNAL,
    REQUEST_UPDATE,
    REQUEST_PING,
    REQUEST_UNSUPPORTED /* known, and answered with not_supported: auth, open, close, want, attach */
};

enum history_direction { HISTORY_LAST, HISTORY_BEFORE, HISTORY_AFTER };

/* Borrows from the frame and from `tree`; strings are unescaped and valid UTF-8 without NUL. */
struct request {
    enum request_type type;
    bool has_id;
    uint64_t id;       /* up to 2^53 - 1 */
    struct bytes room; /* a valid room name in all types that have one */
    bool has_name, has_info, has_resume, has_time;
    struct bytes name;
    struct bytes data, info; /* JSON as it stands in the frame */
    struct bytes key;        /* empty: none */
    struct bytes epoch;      /* of resume */
    uint64_t offset;         /* of resume, or of history's before or after */
    uint32_t history;        /* of join: 0 to 256 */
    enum history_direction direction;
    uint32_t limit;    /* of history */
    uint64_t to;       /* of signal: a member id */
    struct bytes time; /* of ping: the number as it stands in the frame */
    const char *what;  /* REQUEST_UNSUPPORTED: "Tokens are not supported yet." or the like */
    void *tree;        /* cJSON's */
};

/* What is wrong: a code of plenum.md and one sentence, both constants or inside the request. */
struct request_error {
    const char *code;
    const char *message;
};

/* Reads a frame. Returns NULL, or what is wrong; has_id and id are right in either case if the text had a usable id.
 * Always ends with request_free. */
const struct request_error *request_parse(struct bytes text, struct request *request)
    __attribute__((warn_unused_result));
void request_free(struct request *request);

#endif
