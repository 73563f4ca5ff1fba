/* template.h -- fills a dialect's texts in.
 *
 *   %r  room's name           %c  the same as Pusher's channel: "private-" before it when there is a secret
 *   %p  payload               %a  Pusher's ,"auth":"KEY:SIGNATURE" of that channel; nothing without a secret
 *   %i  a fresh request id    %k  Pusher's application key
 *   %m  member's number       %%  a percent sign
 *
 * Called by: dialogue, connection, publisher. Pure but for the counter of request ids that it is handed. */
#ifndef PLENUM_BENCH_TEMPLATE_H
#define PLENUM_BENCH_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

struct template_values {
    const char *room_prefix; /* a room's name is this and its number */
    int room, member;
    const char *payload;
    size_t payload_len;
    uint64_t *next_id;
    const char *key, *secret; /* Pusher's; secret may be NULL */
    const char *socket_id;    /* Pusher's, from its greeting; NULL before */
};

/* Writes the text to out with a NUL behind; returns its length. Dies when cap is too small. */
size_t template_expand(const char *template, const struct template_values *values, char *out, size_t cap);

#endif
