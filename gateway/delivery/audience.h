/* audience.h -- the members of a room that share an encoding, and the bytes that wait for them.
 *
 * Messages of a turn are appended to the open batch; the flush seals it and goes over the targets with a cursor. A
 * flush may be interrupted (its time budget) and go on in a later turn, while members join, leave and close, and while
 * the next batch fills: each target still gets exactly the messages that came after it was added and before it was
 * removed.
 *
 * The array of targets is kept in three parts for that: [0, cursor) have had the sealed batch, [cursor, end) still get
 * it, [end, count) joined later and do not. Removing moves at most one target per part: O(1).
 *
 * Owned by: room. Called by: room, flush. Knows no socket, no room name and no protocol. */
#ifndef PLENUM_GATEWAY_DELIVERY_AUDIENCE_H
#define PLENUM_GATEWAY_DELIVERY_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"
#include "encoding.h"
#include "outbox.h"

/* The sending end of a connection, as delivery sees it; several targets may share one. */
struct outlet {
    struct outbox *box; /* NULL: nothing waits */
    bool closed;        /* it is in trouble or has had its last bytes: nothing more goes out */
    uint8_t reading;    /* pages of logs that are on their way to it: the rooms' */
};

/* One member as a receiver. Embedded in the member. */
struct target {
    struct outlet *outlet;
    struct audience *audience; /* the one it is in, or will be in */
    uint64_t id;               /* member id */
    uint32_t index;            /* place in audience->targets */
};

/* A run of bytes of a batch that one target does not get: its own message, or what came before it joined. It may get
 * bytes of its own in their place (the ack of its message, so that it stands where the message does in the order). */
struct skip {
    uint64_t id;
    uint32_t from, to;             /* of the batch's block; may be empty */
    uint32_t aside_from, aside_to; /* of its asides; may be empty */
    uint32_t messages;             /* in that run */
};

struct batch {
    struct block *block;  /* NULL: empty */
    struct block *asides; /* what single targets get in place of runs of block; NULL: nothing */
    struct skip *skips;   /* sorted by id, then from, then aside_from, once sealed */
    uint32_t skip_count, skip_cap;
    uint32_t messages;
    bool sorted;        /* the skips are in the order that batch_skips needs */
    uint64_t skip_mask; /* bit id % 64 is set for each skip: most targets are done with one look */
};

struct audience {
    const struct encoding *encoding;
    struct counters *counters;
    struct target **targets;
    uint32_t count, cap;
    uint32_t cursor, end; /* of the flush of the sealed batch; both 0 when there is none */
    struct batch open, sealed;
    struct audience *next;       /* of the same room; the room's */
    struct audience *next_dirty; /* in the flush's queue; the flush's */
    bool queued;
};

struct audience *audience_new(const struct encoding *encoding, struct counters *counters);
/* No targets are left and it is not queued for a flush (flush_forget). */
void audience_free(struct audience *audience);

/* The target gets what is appended from now on. */
void audience_add(struct audience *audience, struct target *target);

/* The target gets nothing more. What was appended before and not yet flushed is lost to it, unless flush_settle was
 * called first. */
void audience_remove(struct target *target);

/* Encodes a message into the open batch. except: a target that does not get it (its sender), 0 for none. Returns false
 * when this encoding does not carry such messages. The caller queues the audience for the flush. */
bool audience_append(struct audience *audience, const struct envelope *envelope, uint64_t except);

/* The same; except gets the bytes `instead` (whole frames, maybe none) where the others get the message. */
bool audience_append_instead(struct audience *audience, const struct envelope *envelope, uint64_t except,
                             struct bytes instead);

/* A notice for all, but for except. */
bool audience_notice(struct audience *audience, const struct notice *notice, uint64_t except);

/* Where the open batch ends; and: of what was appended from such a place on, one target gets these bytes instead, whole
 * frames. */
uint32_t audience_place(const struct audience *audience);
void audience_instead(struct audience *audience, uint64_t id, uint32_t from, struct bytes instead);

/* Whole frames for one target alone, behind what the audience holds for it. Returns false when it holds nothing for it:
 * then the bytes may be sent at once. Else the caller queues the audience for the flush. */
bool audience_aside(struct target *target, struct bytes bytes) __attribute__((warn_unused_result));

/* The flush's part: makes the open batch the sealed one (there must be none), and empties the sealed one. */
void audience_seal(struct audience *audience);
void audience_sealed_done(struct audience *audience);

/* Brings a batch's skips into the order that batch_skips needs; sealing does it by itself. */
void batch_sort(struct batch *batch);

/* The first skip for id in a sorted batch, or NULL. Those of the same id follow it, in the order of from. */
const struct skip *batch_skips(const struct batch *batch, uint64_t id);

#endif
