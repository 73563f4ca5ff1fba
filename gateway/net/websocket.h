/* websocket.h -- reading a client's frames (RFC 6455, sections 5 and 6.2; RFC 7692, section 6.2).
 *
 * wslay's frame API takes the frames apart and unmasks them; everything that it leaves to its caller is done here:
 * which frames may follow which, masks and reserved bits, sizes, joining of fragments, inflating, UTF-8.
 *
 * A wslay context takes 4.2 KB, so a connection does not own one: it borrows a reader when bytes arrive and gives it
 * back at a message boundary. A reader is fed exactly to the end of each frame, never beyond, so it holds nothing at a
 * boundary. Thread: the worker's. Called by: connection. */
#ifndef PLENUM_GATEWAY_NET_WEBSOCKET_H
#define PLENUM_GATEWAY_NET_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/bytes.h"
#include "../protocol/deflate.h"

struct reader;

/* What a reader finds. Payloads are valid during the call. Each returns false to stop: the connection is closing, what
 * follows is not looked at. */
struct websocket_events {
    bool (*on_message)(void *ctx, bool text, struct bytes payload);
    bool (*on_ping)(void *ctx, struct bytes payload);
    bool (*on_pong)(void *ctx, struct bytes payload);
    bool (*on_close)(void *ctx, int code, struct bytes reason); /* code 1005: the frame had none */
    /* Asked when there is more input: true parks it in the reader, for another turn. NULL: never. */
    bool (*pause)(void *ctx);
    /* Told what each piece of a frame has cost, in bytes: what it brought, what it inflated to, and a bit for itself.
     * Before pause is asked; may be NULL. */
    void (*spend)(void *ctx, size_t bytes);
};

/* The readers of a worker, and what they share. */
struct readers {
    const struct websocket_events *events;
    struct deflater *deflater; /* borrowed */
    size_t max_message;        /* bytes, after inflating; and see reader_set_slack */
    struct reader *spare;      /* not borrowed now */
    int spare_count;
    size_t held; /* bytes of all that are borrowed */
};

void readers_init(struct readers *readers, const struct websocket_events *events, struct deflater *deflater,
                  size_t max_message);
void readers_close(struct readers *readers);

struct reader *reader_borrow(struct readers *readers);
void reader_return(struct readers *readers, struct reader *reader);

/* A protocol's messages may be so many bytes larger than max_message; the deflater is made for the sum. Until the
 * reader is returned. */
void reader_set_slack(struct reader *reader, uint32_t bytes);

/* What came of feeding. */
enum {
    READER_BOUNDARY = 0, /* all was read, and nothing is under way: give the reader back */
    READER_PARTIAL = 1,  /* in the middle of a frame or of a fragmented message */
    READER_STOPPED = 2,  /* a callback said so */
    READER_PAUSED = 3    /* pause said so: go on with reader_feed_parked */
    /* 1002, 1007, 1009: fail the connection with this close code */
};

/* Reads on. deflate: permessage-deflate was negotiated. */
int reader_feed(struct readers *readers, struct reader *reader, struct bytes input, bool deflate, void *ctx)
    __attribute__((warn_unused_result));

/* Goes on with the input that was parked. */
int reader_feed_parked(struct readers *readers, struct reader *reader, bool deflate, void *ctx)
    __attribute__((warn_unused_result));

/* Bytes that the reader holds: its own, those of an unfinished message, parked input. Its connection is charged with
 * it. */
size_t reader_held(const struct reader *reader);

/* For the owner: until when the unfinished message has to be complete (its own unit). 0, not set, whenever a new
 * message begins. */
void reader_set_deadline(struct reader *reader, uint32_t deadline);
uint32_t reader_deadline(const struct reader *reader);

#endif
