/* numbered_frame.h -- frames that tell which message they are, for tests that look at each byte of a stream.
 *
 * A frame is its message's number (4 bytes), the length of its body (2), its channel, a check, and then a body that
 * follows from the number. A reading takes a stream in pieces of any size and knows how many frames of each channel it
 * has begun. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_NUMBERED_FRAME_H
#define PLENUM_TESTS_UNIT_SUPPORT_NUMBERED_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "gateway/delivery/encoding.h"

enum { FRAME_HEAD = 8, FRAME_BODY_MAX = 4000, FRAME_CHANNELS = 8 };

/* Also what an envelope has as its payload for numbered_encoding. */
struct message {
    uint32_t number;
    uint16_t len; /* of the body */
    uint8_t channel;
};

/* What a body has from its byte `at` on: the lower bytes of number + at and those behind it. */
static inline const uint8_t *message_body(const struct message *message, uint32_t at)
{
    static uint8_t ascending[256 + FRAME_BODY_MAX]; /* 0, 1, ..., 255, 0, ... */
    if (!ascending[1])
        for (uint32_t i = 0; i < sizeof ascending; i++)
            ascending[i] = (uint8_t)i;
    return ascending + (uint8_t)(message->number + at);
}

static inline uint8_t frame_check(const uint8_t *head)
{
    return (uint8_t)(head[0] ^ head[1] ^ head[2] ^ head[3] ^ head[4] ^ head[5] ^ head[6] ^ 0xa5);
}

static inline size_t frame_write(const struct message *message, uint8_t *out)
{
    memcpy(out, &message->number, 4);
    memcpy(out + 4, &message->len, 2);
    out[6] = message->channel;
    out[7] = frame_check(out);
    memcpy(out + FRAME_HEAD, message_body(message, 0), message->len);
    return FRAME_HEAD + message->len;
}

/* ---- as an encoding; presence is not for its clients */

static inline size_t numbered_bound(const struct encoding *encoding, const struct envelope *envelope)
{
    (void)encoding;
    if (envelope->kind == ENVELOPE_PRESENCE)
        return 0;
    const struct message *message = (const void *)envelope->payload.data;
    return FRAME_HEAD + message->len + message->number % 50; /* it is a bound, not the length */
}

static inline size_t numbered_encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    (void)encoding;
    return frame_write((const void *)envelope->payload.data, out);
}

/* A notice has its message as its value. */
static inline size_t numbered_notice_bound(const struct encoding *encoding, const struct notice *notice)
{
    (void)encoding;
    const struct message *message = (const void *)notice->value.data;
    return FRAME_HEAD + message->len + message->number % 50;
}

static inline size_t numbered_notice_encode(const struct encoding *encoding, const struct notice *notice, uint8_t *out)
{
    (void)encoding;
    return frame_write((const void *)notice->value.data, out);
}

static const struct encoding numbered_encoding = {.name = "numbered",
                                                  .bound = numbered_bound,
                                                  .encode = numbered_encode,
                                                  .notice_bound = numbered_notice_bound,
                                                  .notice_encode = numbered_notice_encode};

/* ---- reading */

struct reading {
    uint8_t head[FRAME_HEAD];
    uint32_t have; /* bytes of the head; 0: between two frames */
    uint32_t at;   /* bytes of the body */
    struct message message;
    uint32_t frames[FRAME_CHANNELS];
};

static inline bool reading_see_head(struct reading *reading)
{
    struct message *message = &reading->message;
    memcpy(&message->number, reading->head, 4);
    memcpy(&message->len, reading->head + 4, 2);
    message->channel = reading->head[6];
    reading->at = 0;
    return reading->head[7] == frame_check(reading->head) && message->channel < FRAME_CHANNELS;
}

/* Takes the next bytes of the stream. comes_next is asked for each frame whether it is the one that has to come; it is
 * the reading->frames[message->channel]th of its channel. Returns false when it says no, or a byte is wrong. */
static inline bool reading_take(struct reading *reading, const uint8_t *data, size_t len,
                                bool (*comes_next)(const void *ctx, const struct message *message, uint32_t place),
                                const void *ctx)
{
    const struct message *message = &reading->message;
    while (len) {
        if (reading->have < FRAME_HEAD) {
            reading->head[reading->have++] = *data++;
            len--;
            if (reading->have < FRAME_HEAD)
                continue;
            if (!reading_see_head(reading) || !comes_next(ctx, message, reading->frames[message->channel]++))
                return false;
        }
        uint32_t left = message->len - reading->at, n = len < left ? (uint32_t)len : left;
        if (memcmp(data, message_body(message, reading->at), n) != 0)
            return false;
        data += n;
        len -= n;
        reading->at += n;
        if (reading->at == message->len)
            reading->have = 0;
    }
    return true;
}

#endif
