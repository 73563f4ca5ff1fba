/* delivery_world.h -- what delivery needs around it, in a test's hands: a clock that moves when it is looked at, peers
 * whose sockets take as many bytes as the test lets them, and random numbers that can be repeated.
 *
 * A peer is the far end of an outlet and remembers what arrived there and what it was told. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_DELIVERY_WORLD_H
#define PLENUM_TESTS_UNIT_SUPPORT_DELIVERY_WORLD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/random.h"
#include "common/xalloc.h"
#include "gateway/delivery/flush.h"

struct world {
    struct clock clock;
    uint64_t now_ns;
    uint64_t tick_ns; /* the clock goes on by it whenever it is looked at */
    struct counters counters;
    struct flush flush;
};

struct peer {
    struct outlet outlet; /* first: the sink finds the peer by it */
    size_t room;          /* bytes that its socket takes before it says UV_EAGAIN; SIZE_MAX: any number */
    size_t most;          /* ... of them at once; 0: any number */
    int error;            /* a UV_ code that every write fails with; 0: none */
    uint8_t *got;
    size_t len, cap;
    int writes, blocked;    /* calls of the sink */
    int broken, full, slow; /* troubles told */
    /* Hears what arrives in place of got, when set. */
    void (*hear)(struct peer *peer, const uint8_t *data, size_t len);
};

static inline uint64_t world_monotonic_ns(void *ctx)
{
    struct world *world = ctx;
    uint64_t now = world->now_ns;
    world->now_ns += world->tick_ns;
    return now;
}

static inline int64_t world_wall_ms(void *ctx)
{
    struct world *world = ctx;
    return (int64_t)(1700000000000 + world->now_ns / 1000000);
}

static inline void peer_hear(struct peer *peer, const uint8_t *data, size_t len)
{
    if (peer->hear) {
        peer->hear(peer, data, len);
        return;
    }
    if (peer->len + len + 1 > peer->cap) {
        peer->cap = 2 * (peer->len + len + 1);
        peer->got = xrealloc(peer->got, peer->cap);
    }
    memcpy(peer->got + peer->len, data, len);
    peer->len += len;
    peer->got[peer->len] = '\0';
}

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline ssize_t peer_write(struct outlet *outlet, const struct iovec *pieces, int count)
{
    struct peer *peer = (struct peer *)outlet;
    peer->writes++;
    if (peer->error)
        return peer->error;
    size_t left = peer->most ? smaller(peer->room, peer->most) : peer->room;
    size_t taken = 0;
    for (int i = 0; i < count && left; i++) {
        size_t n = smaller(left, pieces[i].iov_len);
        peer_hear(peer, pieces[i].iov_base, n);
        taken += n;
        left -= n;
    }
    if (peer->room != SIZE_MAX)
        peer->room -= taken;
    return taken ? (ssize_t)taken : UV_EAGAIN;
}

static inline void peer_blocked(struct outlet *outlet)
{
    ((struct peer *)outlet)->blocked++;
}

static inline void peer_trouble(struct outlet *outlet, enum outlet_trouble trouble)
{
    struct peer *peer = (struct peer *)outlet;
    peer->broken += trouble == OUTLET_BROKEN;
    peer->full += trouble == OUTLET_FULL;
    peer->slow += trouble == OUTLET_SLOW;
}

static inline void world_init(struct world *world, const struct flush_limits *limits)
{
    static const struct sink sink = {peer_write, peer_blocked, peer_trouble};
    memset(world, 0, sizeof *world);
    world->clock = (struct clock){world_monotonic_ns, world_wall_ms, world};
    world->now_ns = 1000000000;
    flush_init(&world->flush, &sink, &world->clock, &world->counters, limits);
}

static inline void world_advance_ms(struct world *world, uint64_t ms)
{
    world->now_ns += ms * 1000000;
}

static inline uint64_t world_gauge(const struct world *world, enum counter which)
{
    return counter_get(&world->counters, which);
}

/* The socket can take this many bytes more, as uv_poll tells. */
static inline void peer_unblock(struct world *world, struct peer *peer, size_t bytes)
{
    peer->room = bytes;
    if (peer->outlet.box)
        flush_outlet(&world->flush, &peer->outlet);
}

static inline void peer_close(struct world *world, struct peer *peer)
{
    flush_discard(&world->flush, &peer->outlet);
    free(peer->got);
    peer->got = NULL;
    peer->len = peer->cap = 0;
}

/* ---- an encoding whose frames people can read: <payload>. Presence is not for such clients. */

static inline size_t angle_bound(const struct encoding *encoding, const struct envelope *envelope)
{
    (void)encoding;
    return envelope->kind == ENVELOPE_PRESENCE ? 0 : envelope->payload.len + 2;
}

static inline size_t angle_encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    (void)encoding;
    out[0] = '<';
    memcpy(out + 1, envelope->payload.data, envelope->payload.len);
    out[1 + envelope->payload.len] = '>';
    return envelope->payload.len + 2;
}

static const struct encoding angle_encoding = {.name = "angle", .bound = angle_bound, .encode = angle_encode};

/* ---- repeatable random numbers: splitmix64 */

struct dice {
    uint64_t state;
};

static inline uint64_t dice_u64(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* A number from 0 to bound - 1. */
static inline uint32_t dice_below(struct dice *dice, uint32_t bound)
{
    return (uint32_t)((dice_u64(dice) >> 32) * bound >> 32);
}

static inline bool dice_percent(struct dice *dice, uint32_t percent)
{
    return dice_below(dice, 100) < percent;
}

/* One that no other run had, to be printed. */
static inline uint64_t dice_fresh_seed(void)
{
    uint64_t seed;
    random_system()->fill(random_system()->ctx, &seed, sizeof seed);
    return seed;
}

#endif
