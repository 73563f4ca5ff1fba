/* flush_test.c -- from the audiences to the sockets: what does not fit waits, who is too slow is reported, and no
 * audience holds up the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/delivery_world.h"

enum {
    HARD = 1000,
    SOFT = 100,
    SOFT_MS = 2000,
    BUDGET_NS = 1000,
    TARGETS_PER_LOOK = 16, /* flush.c's */
    OPEN_LIMIT = 1 << 20   /* flush.c's */
};

static const struct flush_limits limits = {
    .hard_bytes = HARD, .soft_bytes = SOFT, .soft_ms = SOFT_MS, .budget_ns = BUDGET_NS};
static const struct flush_limits roomy = {
    .hard_bytes = 64 << 20, .soft_bytes = 32 << 20, .soft_ms = SOFT_MS, .budget_ns = BUDGET_NS};

/* A member of the test: a peer and its target. */
struct guest {
    struct peer peer;
    struct target target;
};

static void guest_init(struct guest *guest, uint64_t id)
{
    *guest = (struct guest){.peer.room = SIZE_MAX, .target.id = id};
    guest->target.outlet = &guest->peer.outlet;
}

static void join(struct audience *audience, struct guest *guest)
{
    audience_add(audience, &guest->target);
}

static struct audience *audience_of(struct world *world, struct guest *guests, uint32_t count, uint64_t first_id)
{
    struct audience *audience = audience_new(&angle_encoding, &world->counters);
    for (uint32_t i = 0; i < count; i++) {
        guest_init(&guests[i], first_id + i);
        join(audience, &guests[i]);
    }
    return audience;
}

static void say(struct world *world, struct audience *audience, const char *text, uint64_t except)
{
    struct envelope envelope = {.kind = ENVELOPE_TEXT, .payload = {text, strlen(text)}};
    assert_true(audience_append(audience, &envelope, except));
    flush_queue(&world->flush, audience);
}

static void say_bytes(struct world *world, struct audience *audience, size_t len)
{
    char *text = xmalloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    say(world, audience, text, 0);
    free(text);
}

static void flush_all(struct world *world)
{
    world->tick_ns = 0;
    assert_false(flush_run(&world->flush));
}

/* A run in which the budget is over as soon as the clock is looked at. */
static bool flush_hurried(struct world *world)
{
    world->tick_ns = BUDGET_NS + 1;
    bool more = flush_run(&world->flush);
    world->tick_ns = 0;
    return more;
}

static void assert_got(const struct guest *guest, const char *text)
{
    assert_string_equal(guest->peer.len ? (const char *)guest->peer.got : "", text);
}

static uint32_t count_served(const struct guest *guests, uint32_t count)
{
    uint32_t served = 0;
    for (uint32_t i = 0; i < count; i++)
        served += guests[i].peer.len > 0;
    return served;
}

/* All go; nothing may be left anywhere. */
static void dissolve(struct world *world, struct audience *audience)
{
    while (audience->count) {
        struct target *target = audience->targets[0];
        audience_remove(target);
        peer_close(world, (struct peer *)target->outlet);
    }
    flush_forget(&world->flush, audience);
    audience_free(audience);
}

static void assert_nothing_is_left(struct world *world)
{
    assert_null(world->flush.first);
    assert_null(world->flush.last);
    assert_int_equal(world_gauge(world, GAUGE_OUTBOX_BYTES), 0);
    assert_int_equal(world_gauge(world, GAUGE_BLOCK_BYTES), 0);
}

/* ---- sending and waiting */

static void what_a_socket_takes_at_once_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[2];
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, guests, 2, 1);
    say(&world, audience, "a", 0);
    say(&world, audience, "b", 0);
    assert_int_equal(guests[0].peer.writes, 0); /* not before the turn's end */
    flush_all(&world);
    for (int i = 0; i < 2; i++) {
        assert_got(&guests[i], "<a><b>");
        assert_int_equal(guests[i].peer.writes, 1); /* a turn's messages with one send */
        assert_null(guests[i].peer.outlet.box);
    }
    assert_int_equal(world_gauge(&world, GAUGE_BLOCK_BYTES), 0);
    assert_int_equal(world_gauge(&world, COUNT_DELIVERIES), 4);
    assert_int_equal(world_gauge(&world, COUNT_BYTES_OUT), 12);
    flush_all(&world); /* nothing to do */
    assert_int_equal(guests[0].peer.writes, 1);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void the_rest_of_a_partial_write_goes_out_before_what_came_later(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 4;
    say(&world, audience, "first", 0);
    flush_all(&world);
    assert_got(&guest, "<fir");
    assert_int_equal(guest.peer.blocked, 1);
    assert_int_equal(world_gauge(&world, GAUGE_OUTBOX_BYTES), 3);
    guest.peer.room = SIZE_MAX; /* though it could take more again, order comes first */
    say(&world, audience, "second", 0);
    flush_all(&world);
    assert_got(&guest, "<fir");
    assert_int_equal(guest.peer.writes, 1);
    assert_int_equal(guest.peer.blocked, 1); /* it was told */
    peer_unblock(&world, &guest.peer, SIZE_MAX);
    assert_got(&guest, "<first><second>");
    assert_null(guest.peer.outlet.box);
    assert_int_equal(world_gauge(&world, GAUGE_OUTBOX_BYTES), 0);
    assert_int_equal(world_gauge(&world, COUNT_BYTES_OUT), strlen("<first><second>"));
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void a_blocked_socket_gets_it_byte_by_byte_if_need_be(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 0;
    say(&world, audience, "one", 0);
    say(&world, audience, "mine", 1);
    say(&world, audience, "two", 0);
    flush_all(&world);
    assert_int_equal(guest.peer.outlet.box->count, 2);
    for (size_t sent = 1; guest.peer.outlet.box; sent++) {
        peer_unblock(&world, &guest.peer, 1);
        assert_int_equal(guest.peer.len, sent);
    }
    assert_got(&guest, "<one><two>");
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void one_who_is_blocked_holds_up_nobody(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[3];
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, guests, 3, 1);
    guests[1].peer.room = 0;
    say(&world, audience, "a", 0);
    flush_all(&world);
    say(&world, audience, "b", 0);
    flush_all(&world);
    assert_got(&guests[0], "<a><b>");
    assert_got(&guests[1], "");
    assert_got(&guests[2], "<a><b>");
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void one_who_catches_up_with_much_leaves_the_turn_to_others(void **state)
{
    (void)state;
    enum { MUCH = 5 << 20 };
    struct world world;
    struct guest guest;
    world_init(&world, &roomy);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 0;
    say_bytes(&world, audience, MUCH);
    flush_all(&world);
    guest.peer.most = 100000; /* as much as a kernel takes at once */
    int turns = 0;
    for (; guest.peer.outlet.box; turns++) {
        size_t before = guest.peer.len;
        peer_unblock(&world, &guest.peer, SIZE_MAX);
        assert_true(guest.peer.len > before);
        assert_true(guest.peer.len - before <= (1 << 20) + 100000);
    }
    assert_int_equal(guest.peer.len, MUCH + 2);
    assert_int_equal(turns, 5);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static struct block *reply(struct world *world, const char *text)
{
    struct block *block = block_new(&world->counters, strlen(text));
    block->len = (uint32_t)strlen(text);
    memcpy(block->data, text, block->len);
    return block;
}

static void a_reply_goes_behind_what_waits(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    struct block *block = reply(&world, "[pong]");
    flush_send(&world.flush, &guest.peer.outlet, block);
    assert_got(&guest, "[pong]"); /* at once */
    guest.peer.room = 0;
    say(&world, audience, "a", 0);
    flush_all(&world);
    flush_send(&world.flush, &guest.peer.outlet, block);
    assert_int_equal(guest.peer.outlet.box->bytes, strlen("<a>[pong]"));
    block_unref(block); /* the caller's own; the outbox has its */
    peer_unblock(&world, &guest.peer, SIZE_MAX);
    assert_got(&guest, "[pong]<a>[pong]");
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void what_waits_can_be_dropped(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 3;
    say(&world, audience, "hello", 0);
    flush_all(&world);
    flush_discard(&world.flush, &guest.peer.outlet);
    assert_null(guest.peer.outlet.box);
    assert_int_equal(world_gauge(&world, GAUGE_OUTBOX_BYTES), 0);
    assert_int_equal(world_gauge(&world, GAUGE_BLOCK_BYTES), 0);
    flush_discard(&world.flush, &guest.peer.outlet); /* nothing waits: nothing happens */
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

/* As outbox_trim wants it, for frames without a '>' inside: <...> */
static size_t angle_size(const uint8_t *frame)
{
    size_t len = 1;
    while (frame[0] == '<' && frame[len - 1] != '>')
        len++;
    return frame[0] == '<' ? len : 0;
}

static void what_waits_can_be_trimmed_to_the_rest_of_a_frame(void **state)
{
    (void)state;
    static const char *const got[] = {"[bye]",      "<one>[bye]", "<one>[bye]",     "<one>[bye]",
                                      "<one>[bye]", "<one>[bye]", "<one><two>[bye]"};
    for (size_t room = 0; room < sizeof got / sizeof *got; room++) {
        struct world world;
        struct guest guests[2];
        world_init(&world, &limits);
        struct audience *audience = audience_of(&world, guests, 2, 1);
        guests[0].peer.room = room;
        say(&world, audience, "one", 0);
        say(&world, audience, "two", 0);
        flush_all(&world);
        say(&world, audience, "three", 0); /* in another block */
        flush_all(&world);
        flush_trim(&world.flush, &guests[0].peer.outlet, angle_size);
        size_t rest = room % 5 ? 5 - room % 5 : 0;
        assert_int_equal(world_gauge(&world, GAUGE_OUTBOX_BYTES), rest);
        if (rest)
            assert_int_equal(guests[0].peer.outlet.box->bytes, rest);
        else
            assert_null(guests[0].peer.outlet.box);                   /* an empty one is no use to anybody */
        flush_trim(&world.flush, &guests[0].peer.outlet, angle_size); /* nothing more to drop */
        assert_int_equal(world_gauge(&world, GAUGE_OUTBOX_BYTES), rest);
        guests[0].peer.room = rest ? 0 : SIZE_MAX;
        struct block *block = reply(&world, "[bye]");
        flush_send(&world.flush, &guests[0].peer.outlet, block);
        block_unref(block);
        peer_unblock(&world, &guests[0].peer, SIZE_MAX);
        assert_got(&guests[0], got[room]);
        assert_got(&guests[1], "<one><two><three>");
        dissolve(&world, audience);
        assert_nothing_is_left(&world);
    }
}

/* ---- trouble */

static void a_broken_socket_is_reported_once_and_gets_nothing_more(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[2];
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, guests, 2, 1);
    guests[0].peer.error = UV_EPIPE;
    say(&world, audience, "a", 0);
    flush_all(&world);
    assert_int_equal(guests[0].peer.broken, 1);
    assert_true(guests[0].peer.outlet.closed);
    assert_null(guests[0].peer.outlet.box);
    say(&world, audience, "b", 0);
    flush_all(&world);
    struct block *block = reply(&world, "[pong]");
    flush_send(&world.flush, &guests[0].peer.outlet, block);
    block_unref(block);
    flush_settle(&world.flush, &guests[0].target);
    assert_int_equal(guests[0].peer.broken, 1);
    assert_int_equal(guests[0].peer.writes, 1);
    assert_got(&guests[1], "<a><b>");
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void a_socket_that_breaks_while_it_catches_up_is_reported_too(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 0;
    say(&world, audience, "a", 0);
    flush_all(&world);
    guest.peer.error = UV_ECONNRESET;
    flush_outlet(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.broken, 1);
    assert_true(guest.peer.outlet.closed);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void above_the_hard_limit_is_full_once_and_nothing_is_sent_after(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[2];
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, guests, 2, 1);
    guests[0].peer.room = 0;
    say_bytes(&world, audience, HARD - 2);
    flush_all(&world);
    assert_int_equal(guests[0].peer.outlet.box->bytes, HARD);
    assert_int_equal(guests[0].peer.full, 0); /* up to the limit */
    say(&world, audience, "", 0);
    flush_all(&world);
    assert_int_equal(guests[0].peer.full, 1);
    assert_true(guests[0].peer.outlet.closed);
    size_t waiting = guests[0].peer.outlet.box->bytes;
    say(&world, audience, "more", 0);
    flush_all(&world);
    struct block *block = reply(&world, "[pong]");
    flush_send(&world.flush, &guests[0].peer.outlet, block);
    block_unref(block);
    world_advance_ms(&world, 2 * SOFT_MS);
    flush_check_slow(&world.flush, &guests[0].peer.outlet);
    assert_int_equal(guests[0].peer.outlet.box->bytes, waiting);
    assert_int_equal(guests[0].peer.full, 1);
    assert_int_equal(guests[0].peer.slow, 0);
    assert_int_equal(guests[1].peer.len, HARD + strlen("<><more>"));
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void above_the_soft_limit_is_borne_for_some_seconds(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 0;
    flush_check_slow(&world.flush, &guest.peer.outlet); /* nothing waits */
    say_bytes(&world, audience, SOFT - 2);
    flush_all(&world);
    world_advance_ms(&world, 10 * SOFT_MS);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.slow, 0); /* at the limit, for however long */
    say(&world, audience, "", 0);
    flush_all(&world);
    world_advance_ms(&world, SOFT_MS);
    say(&world, audience, "", 0); /* being deeper in it does not begin it anew */
    flush_all(&world);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.slow, 0);
    world_advance_ms(&world, 1);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.slow, 1);
    assert_true(guest.peer.outlet.closed);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void who_comes_below_the_soft_limit_has_the_seconds_anew(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    guest.peer.room = 0;
    say_bytes(&world, audience, SOFT);
    flush_all(&world);
    world_advance_ms(&world, SOFT_MS);
    peer_unblock(&world, &guest.peer, 1); /* still one too much: the time goes on */
    assert_int_not_equal(guest.peer.outlet.box->soft_since_ms, 0);
    peer_unblock(&world, &guest.peer, 1);
    world_advance_ms(&world, SOFT_MS);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.slow, 0);
    say_bytes(&world, audience, 1);
    flush_all(&world);
    world_advance_ms(&world, SOFT_MS);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.slow, 0);
    world_advance_ms(&world, 1);
    flush_check_slow(&world.flush, &guest.peer.outlet);
    assert_int_equal(guest.peer.slow, 1);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

/* ---- budget and fairness */

enum { BIG = 100 };

static void an_interrupted_big_audience_goes_behind_the_others(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    struct guest small[2];
    world_init(&world, &limits);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    struct audience *first = audience_of(&world, &small[0], 1, 1000);
    struct audience *second = audience_of(&world, &small[1], 1, 2000);
    say(&world, crowd, "a", 0);
    say(&world, first, "b", 0);
    say(&world, second, "c", 0);
    assert_true(flush_hurried(&world));
    uint32_t served = count_served(big, BIG);
    assert_in_range(served, 1, TARGETS_PER_LOOK);
    assert_int_equal(world_gauge(&world, COUNT_FLUSH_INTERRUPTED), 1);
    assert_true(flush_hurried(&world));
    assert_got(&small[0], "<b>");
    assert_true(flush_hurried(&world));
    assert_got(&small[1], "<c>");
    assert_int_equal(count_served(big, BIG), served); /* its turn comes now */
    flush_all(&world);
    for (uint32_t i = 0; i < BIG; i++)
        assert_got(&big[i], "<a>");
    dissolve(&world, crowd);
    dissolve(&world, first);
    dissolve(&world, second);
    assert_nothing_is_left(&world);
}

static void each_run_gets_on_however_small_the_budget(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    world_init(&world, &limits);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    say(&world, crowd, "a", 0);
    uint32_t served = 0;
    while (flush_hurried(&world)) {
        uint32_t now = count_served(big, BIG);
        assert_true(now > served);
        served = now;
    }
    assert_int_equal(count_served(big, BIG), BIG);
    for (uint32_t i = 0; i < BIG; i++)
        assert_got(&big[i], "<a>");
    dissolve(&world, crowd);
    assert_nothing_is_left(&world);
}

static void an_audience_whose_open_batch_is_above_its_limit_is_flushed_whatever_the_budget_says(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    world_init(&world, &roomy);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    say(&world, crowd, "a", 0);
    assert_true(flush_hurried(&world));
    say_bytes(&world, crowd, OPEN_LIMIT - 3);
    assert_true(flush_hurried(&world)); /* a byte below it */
    assert_true(count_served(big, BIG) < BIG);
    say(&world, crowd, "", 0);
    flush_hurried(&world);
    assert_int_equal(count_served(big, BIG), BIG);
    flush_all(&world);
    for (uint32_t i = 0; i < BIG; i++)
        assert_int_equal(big[i].peer.len, strlen("<a>") + OPEN_LIMIT - 1 + strlen("<>"));
    dissolve(&world, crowd);
    assert_nothing_is_left(&world);
}

static void what_is_said_during_a_flush_goes_out_after_it(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    world_init(&world, &limits);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    say(&world, crowd, "a", 0);
    assert_true(flush_hurried(&world));
    say(&world, crowd, "b", big[BIG - 1].target.id); /* not yet served: its skip must not count for "a" */
    say(&world, crowd, "c", 0);
    flush_all(&world);
    for (uint32_t i = 0; i < BIG; i++)
        assert_got(&big[i], i == BIG - 1 ? "<a><c>" : "<a><b><c>");
    dissolve(&world, crowd);
    assert_nothing_is_left(&world);
}

/* ---- joins and leaves in the middle of a flush */

static void a_member_that_joins_in_the_middle_of_a_flush_gets_only_what_came_after(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    struct guest late, later;
    world_init(&world, &limits);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    guest_init(&late, 1000);
    guest_init(&later, 1001);
    say(&world, crowd, "a", 0);
    assert_true(flush_hurried(&world));
    join(crowd, &late);
    say(&world, crowd, "b", 0);
    join(crowd, &later);
    say(&world, crowd, "c", 0);
    flush_all(&world);
    assert_got(&late, "<b><c>");
    assert_got(&later, "<c>");
    for (uint32_t i = 0; i < BIG; i++)
        assert_got(&big[i], "<a><b><c>");
    dissolve(&world, crowd);
    assert_nothing_is_left(&world);
}

static void a_member_that_leaves_in_the_middle_of_a_flush_takes_nobodys_turn(void **state)
{
    (void)state;
    for (uint32_t leaver = 0; leaver < BIG; leaver++) {
        struct world world;
        static struct guest big[BIG];
        world_init(&world, &limits);
        struct audience *crowd = audience_of(&world, big, BIG, 1);
        say(&world, crowd, "a", 0);
        assert_true(flush_hurried(&world));
        flush_settle(&world.flush, &big[leaver].target);
        audience_remove(&big[leaver].target);
        assert_got(&big[leaver], "<a>");
        say(&world, crowd, "b", 0);
        flush_all(&world);
        for (uint32_t i = 0; i < BIG; i++)
            assert_got(&big[i], i == leaver ? "<a>" : "<a><b>");
        peer_close(&world, &big[leaver].peer);
        dissolve(&world, crowd);
        assert_nothing_is_left(&world);
    }
}

static void a_flush_whose_members_have_all_left_comes_to_an_end(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    world_init(&world, &limits);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    say(&world, crowd, "a", 0);
    assert_true(flush_hurried(&world));
    for (uint32_t i = 0; i < BIG; i++) {
        audience_remove(&big[i].target);
        peer_close(&world, &big[i].peer);
    }
    flush_all(&world);
    assert_int_equal(world_gauge(&world, GAUGE_BLOCK_BYTES), 0);
    dissolve(&world, crowd);
    assert_nothing_is_left(&world);
}

static void settling_gives_what_the_turn_has_brought_so_far(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[3];
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, guests, 2, 1);
    guest_init(&guests[2], 3);
    say(&world, audience, "a", 0);
    say(&world, audience, "b", 2);
    join(audience, &guests[2]);
    say(&world, audience, "c", 0);
    say(&world, audience, "d", 3);
    flush_settle(&world.flush, &guests[2].target);
    assert_got(&guests[2], "<c>");
    audience_remove(&guests[2].target);
    flush_settle(&world.flush, &guests[1].target);
    assert_got(&guests[1], "<a><c><d>");
    audience_remove(&guests[1].target);
    say(&world, audience, "e", 0);
    flush_all(&world);
    assert_got(&guests[0], "<a><b><c><d><e>");
    assert_got(&guests[1], "<a><c><d>");
    assert_got(&guests[2], "<c>");
    peer_close(&world, &guests[1].peer);
    peer_close(&world, &guests[2].peer);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

/* Its outbox looks into the open batch, which goes on to grow for those who stay. */
static void settling_one_who_is_blocked_does_not_hold_the_open_batch(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[2];
    world_init(&world, &roomy);
    struct audience *audience = audience_of(&world, guests, 2, 1);
    guests[0].peer.room = 2;
    say(&world, audience, "before", 0);
    flush_settle(&world.flush, &guests[0].target);
    audience_remove(&guests[0].target);
    for (int i = 0; i < 10; i++)
        say_bytes(&world, audience, 1000);
    flush_all(&world);
    peer_unblock(&world, &guests[0].peer, SIZE_MAX);
    assert_got(&guests[0], "<before>");
    assert_int_equal(guests[1].peer.len, strlen("<before>") + 10 * 1002);
    peer_close(&world, &guests[0].peer);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void settling_in_the_middle_of_a_flush_gives_both_batches_once(void **state)
{
    (void)state;
    struct world world;
    static struct guest big[BIG];
    struct guest late;
    world_init(&world, &limits);
    struct audience *crowd = audience_of(&world, big, BIG, 1);
    guest_init(&late, 1000);
    say(&world, crowd, "a", 0);
    assert_true(flush_hurried(&world));
    join(crowd, &late);
    say(&world, crowd, "b", 0);
    struct target *served = crowd->targets[0], *due = crowd->targets[crowd->cursor], *joined = &late.target;
    struct target *const leavers[] = {served, due, joined};
    for (int i = 0; i < 3; i++) {
        flush_settle(&world.flush, leavers[i]);
        audience_remove(leavers[i]);
        struct peer *peer = (struct peer *)leavers[i]->outlet;
        assert_string_equal(peer->got, leavers[i] == joined ? "<b>" : "<a><b>");
        peer_close(&world, peer);
    }
    flush_all(&world);
    assert_null(late.peer.got);
    dissolve(&world, crowd);
    assert_nothing_is_left(&world);
}

/* ---- who skips what */

static void a_sender_of_more_messages_than_one_send_has_pieces_gets_what_is_between_them(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    static const struct {
        size_t room, most;
    } sockets[] = {{SIZE_MAX, 0}, {0, 0}, {250, 0}, {257, 0}, {SIZE_MAX, 7}, {1, 0}};
    for (size_t s = 0; s < sizeof sockets / sizeof *sockets; s++) {
        struct world world;
        struct guest guests[2];
        world_init(&world, &roomy);
        struct audience *audience = audience_of(&world, guests, 2, 1);
        guests[0].peer.room = sockets[s].room;
        guests[0].peer.most = sockets[s].most;
        static char expected[2][16 * ROUNDS];
        size_t len[2] = {0, 0};
        for (int i = 0; i < ROUNDS; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", i);
            say(&world, audience, text, i % 2 ? 1 : 0);
            for (int g = i % 2; g < 2; g++)
                len[g] += (size_t)sprintf(expected[g] + len[g], "<%d>", i);
        }
        flush_all(&world);
        guests[0].peer.most = 0;
        if (guests[0].peer.outlet.box)
            peer_unblock(&world, &guests[0].peer, SIZE_MAX);
        assert_got(&guests[0], expected[0]);
        assert_got(&guests[1], expected[1]);
        assert_int_equal(world_gauge(&world, COUNT_DELIVERIES), ROUNDS + ROUNDS / 2);
        dissolve(&world, audience);
        assert_nothing_is_left(&world);
    }
}

static void such_a_sender_whose_socket_breaks_in_between_is_reported_once(void **state)
{
    (void)state;
    struct world world;
    struct guest guest;
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, &guest, 1, 1);
    for (int i = 0; i < 300; i++)
        say(&world, audience, "x", i % 2);
    guest.peer.error = UV_EPIPE;
    flush_all(&world);
    assert_int_equal(guest.peer.broken, 1);
    assert_int_equal(guest.peer.writes, 1);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void a_member_of_whom_alone_everything_came_is_sent_nothing(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[2];
    world_init(&world, &limits);
    struct audience *audience = audience_of(&world, guests, 2, 1);
    for (int i = 0; i < 100; i++)
        say(&world, audience, "", 1);
    flush_all(&world);
    assert_int_equal(guests[0].peer.writes, 0);
    assert_int_equal(guests[1].peer.len, 200);
    assert_int_equal(world_gauge(&world, COUNT_DELIVERIES), 100);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

static void ids_that_are_equal_modulo_64_skip_only_their_own(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct world world;
    struct guest guests[COUNT];
    world_init(&world, &limits);
    struct audience *audience = audience_new(&angle_encoding, &world.counters);
    for (uint32_t i = 0; i < COUNT; i++) {
        guest_init(&guests[i], 3 + 64 * i);
        join(audience, &guests[i]);
    }
    say(&world, audience, "a", guests[1].target.id);
    say(&world, audience, "b", guests[3].target.id);
    say(&world, audience, "c", guests[1].target.id);
    flush_all(&world);
    static const char *const expected[COUNT] = {"<a><b><c>", "<b>", "<a><b><c>", "<a><c>", "<a><b><c>"};
    for (int i = 0; i < COUNT; i++)
        assert_got(&guests[i], expected[i]);
    dissolve(&world, audience);
    assert_nothing_is_left(&world);
}

/* ---- the queue */

static void an_audience_is_queued_once_however_much_is_said(void **state)
{
    (void)state;
    struct world world;
    struct guest guests[2];
    world_init(&world, &limits);
    struct audience *first = audience_of(&world, &guests[0], 1, 1);
    struct audience *second = audience_of(&world, &guests[1], 1, 2);
    say(&world, first, "a", 0);
    say(&world, second, "b", 0);
    say(&world, first, "c", 0);
    assert_ptr_equal(world.flush.first, first);
    assert_ptr_equal(world.flush.last, second);
    flush_all(&world);
    assert_false(first->queued || second->queued);
    assert_got(&guests[0], "<a><c>");
    assert_got(&guests[1], "<b>");
    dissolve(&world, first);
    dissolve(&world, second);
    assert_nothing_is_left(&world);
}

static void a_forgotten_audience_leaves_the_others_queued(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    for (uint32_t forgotten = 0; forgotten < 1 << COUNT; forgotten++) {
        struct world world;
        struct guest guests[COUNT + 1];
        struct audience *audiences[COUNT + 1];
        world_init(&world, &limits);
        for (uint32_t i = 0; i <= COUNT; i++)
            audiences[i] = audience_of(&world, &guests[i], 1, i + 1);
        for (uint32_t i = 0; i < COUNT; i++)
            say(&world, audiences[i], "a", 0);
        for (uint32_t i = 0; i < COUNT; i++)
            if (forgotten >> i & 1)
                flush_forget(&world.flush, audiences[i]);
        flush_forget(&world.flush, audiences[COUNT]); /* it is not queued */
        say(&world, audiences[COUNT], "last", 0);     /* the end of the queue is where it has to be */
        flush_all(&world);
        for (uint32_t i = 0; i < COUNT; i++)
            assert_got(&guests[i], forgotten >> i & 1 ? "" : "<a>");
        assert_got(&guests[COUNT], "<last>");
        for (uint32_t i = 0; i <= COUNT; i++)
            dissolve(&world, audiences[i]);
        assert_nothing_is_left(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_socket_takes_at_once_leaves_nothing_behind),
        cmocka_unit_test(the_rest_of_a_partial_write_goes_out_before_what_came_later),
        cmocka_unit_test(a_blocked_socket_gets_it_byte_by_byte_if_need_be),
        cmocka_unit_test(one_who_is_blocked_holds_up_nobody),
        cmocka_unit_test(one_who_catches_up_with_much_leaves_the_turn_to_others),
        cmocka_unit_test(a_reply_goes_behind_what_waits),
        cmocka_unit_test(what_waits_can_be_dropped),
        cmocka_unit_test(what_waits_can_be_trimmed_to_the_rest_of_a_frame),
        cmocka_unit_test(a_broken_socket_is_reported_once_and_gets_nothing_more),
        cmocka_unit_test(a_socket_that_breaks_while_it_catches_up_is_reported_too),
        cmocka_unit_test(above_the_hard_limit_is_full_once_and_nothing_is_sent_after),
        cmocka_unit_test(above_the_soft_limit_is_borne_for_some_seconds),
        cmocka_unit_test(who_comes_below_the_soft_limit_has_the_seconds_anew),
        cmocka_unit_test(an_interrupted_big_audience_goes_behind_the_others),
        cmocka_unit_test(each_run_gets_on_however_small_the_budget),
        cmocka_unit_test(an_audience_whose_open_batch_is_above_its_limit_is_flushed_whatever_the_budget_says),
        cmocka_unit_test(what_is_said_during_a_flush_goes_out_after_it),
        cmocka_unit_test(a_member_that_joins_in_the_middle_of_a_flush_gets_only_what_came_after),
        cmocka_unit_test(a_member_that_leaves_in_the_middle_of_a_flush_takes_nobodys_turn),
        cmocka_unit_test(a_flush_whose_members_have_all_left_comes_to_an_end),
        cmocka_unit_test(settling_gives_what_the_turn_has_brought_so_far),
        cmocka_unit_test(settling_one_who_is_blocked_does_not_hold_the_open_batch),
        cmocka_unit_test(settling_in_the_middle_of_a_flush_gives_both_batches_once),
        cmocka_unit_test(a_sender_of_more_messages_than_one_send_has_pieces_gets_what_is_between_them),
        cmocka_unit_test(such_a_sender_whose_socket_breaks_in_between_is_reported_once),
        cmocka_unit_test(a_member_of_whom_alone_everything_came_is_sent_nothing),
        cmocka_unit_test(ids_that_are_equal_modulo_64_skip_only_their_own),
        cmocka_unit_test(an_audience_is_queued_once_however_much_is_said),
        cmocka_unit_test(a_forgotten_audience_leaves_the_others_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
