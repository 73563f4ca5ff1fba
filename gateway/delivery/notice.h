/* notice.h -- what a room tells its members besides messages: who came and went, and what became of its log.
 *
 * Made by room, written by the encodings of those protocols that have a word for it. Everything is borrowed for the
 * call. */
#ifndef PLENUM_GATEWAY_DELIVERY_NOTICE_H
#define PLENUM_GATEWAY_DELIVERY_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/bytes.h"

enum notice_kind {
    NOTICE_JOINED,  /* member, value */
    NOTICE_UPDATED, /* member, value */
    NOTICE_LEFT,    /* member, reason */
    NOTICE_MEMBERS, /* value: the JSON array of all members, count */
    NOTICE_COUNT,   /* count */
    NOTICE_GAP,     /* from, to: offsets that were missed, both included */
    NOTICE_EPOCH    /* epoch, from: the offset after which it goes on, lossy */
};

struct notice {
    enum notice_kind kind;
    struct bytes room;
    uint64_t member;
    struct bytes value;  /* a JSON object, valid, with no "member" in it: {"name":...,"info":...,"since":...} */
    struct bytes reason; /* plain word: left, lost, kicked */
    uint64_t count;
    uint64_t from, to;
    struct bytes epoch;
    bool lossy; /* true: it does not follow on the old epoch; false: it does, and "maybe" something was lost */
};

#endif
