/* aside_test.c -- what stands for one alone in a batch: an ack in place of the own message, a reply behind what the
 * audience holds; everybody else gets the batch as if it were not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/delivery_world.h"

enum { GUESTS = 40 };

struct guest {
    struct peer peer; /* first */
    struct target target;
};

static struct world world;
static struct audience *audience;
static struct guest guests[GUESTS];

static size_t notice_bound(const struct encoding *encoding, const struct notice *notice)
{
    (void)encoding;
    return notice->value.len;
}

static size_t notice_encode(const struct encoding *encoding, const struct notice *notice, uint8_t *out)
{
    (void)encoding;
    memcpy(out, notice->value.data, notice->value.len);
    return notice->value.len;
}

static const struct encoding encoding = {"test", angle_bound, angle_encode, notice_bound, notice_encode};

static void join(uint32_t i)
{
    guests[i].target = (struct target){.outlet = &guests[i].peer.outlet, .id = i + 1};
    audience_add(audience, &guests[i].target);
}

static int set_up(void **state)
{
    static const struct flush_limits limits = {
        .hard_bytes = 1 << 20, .soft_bytes = 1 << 20, .soft_ms = 1000, .budget_ns = 1000};
    (void)state;
    world_init(&world, &limits);
    audience = audience_new(&encoding, &world.counters);
    for (uint32_t i = 0; i < GUESTS; i++)
        guests[i] = (struct guest){.peer.room = SIZE_MAX};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world.tick_ns = 0;
    flush_run(&world.flush);
    while (audience->count)
        audience_remove(audience->targets[0]);
    audience_free(audience);
    for (uint32_t i = 0; i < GUESTS; i++)
        peer_close(&world, &guests[i].peer);
    assert_int_equal(world_gauge(&world, GAUGE_BLOCK_BYTES), 0);
    assert_int_equal(world_gauge(&world, GAUGE_OUTBOX_BYTES), 0);
    return 0;
}

static void say(const char *text, uint64_t sender, const char *instead)
{
    struct envelope envelope = {.kind = ENVELOPE_TEXT, .payload = bytes_of(text)};
    assert_true(audience_append_instead(audience, &envelope, sender, bytes_of(instead)));
    flush_queue(&world.flush, audience);
}

static void note(const char *text, uint64_t except)
{
    assert_true(audience_notice(audience, &(struct notice){.value = bytes_of(text)}, except));
    flush_queue(&world.flush, audience);
}

static bool aside(uint32_t i, const char *text)
{
    bool taken = audience_aside(&guests[i].target, bytes_of(text));
    if (taken)
        flush_queue(&world.flush, audience);
    return taken;
}

static void assert_got(uint32_t i, const char *text)
{
    assert_string_equal(guests[i].peer.len ? (const char *)guests[i].peer.got : "", text);
}

static void an_ack_stands_where_the_own_message_does(void **state)
{
    (void)state;
    join(0);
    join(1);
    say("a", 2, "(1)");
    say("b", 1, "(2)");
    say("c", 0, "");
    say("d", 1, "");
    say("e", 1, "(3)");
    flush_run(&world.flush);
    assert_got(0, "<a>(2)<c>(3)");
    assert_got(1, "(1)<b><c><d><e>");
    assert_int_equal(world_gauge(&world, COUNT_DELIVERIES), 2 + 4); /* acks are none */
}

static void a_notice_is_for_all_but_the_one_it_is_about_and_is_no_delivery(void **state)
{
    (void)state;
    join(0);
    join(1);
    say("a", 0, "");
    note("+1", 1);
    note("+2", 0);
    flush_run(&world.flush);
    assert_got(0, "<a>+2");
    assert_got(1, "<a>+1+2");
    assert_int_equal(world_gauge(&world, COUNT_DELIVERIES), 2);
}

static void a_reply_stands_behind_what_the_turn_has_brought_and_before_what_follows(void **state)
{
    (void)state;
    join(0);
    join(1);
    assert_false(aside(0, "(0)")); /* nothing is held: it may be sent at once */
    say("a", 0, "");
    assert_true(aside(0, "(1)"));
    assert_true(aside(0, "(2)"));
    say("b", 1, "(3)");
    assert_true(aside(0, "(4)"));
    flush_run(&world.flush);
    assert_got(0, "<a>(1)(2)(3)(4)");
    assert_got(1, "<a><b>");
    assert_false(aside(0, "(5)"));
}

static void one_who_has_had_the_sealed_batch_may_be_answered_at_once_and_one_who_has_not_may_not(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GUESTS; i++)
        join(i);
    say("a", 0, "");
    world.tick_ns = 2000;
    assert_true(flush_run(&world.flush)); /* interrupted */
    world.tick_ns = 0;
    assert_got(0, "<a>");
    assert_got(GUESTS - 1, "");
    assert_false(aside(0, "(1)"));
    assert_true(aside(GUESTS - 1, "(2)")); /* a batch of nothing but that */
    assert_true(aside(0, "(3)"));          /* which is there now */
    flush_run(&world.flush);
    assert_got(0, "<a>(3)");
    assert_got(1, "<a>");
    assert_got(GUESTS - 1, "<a>(2)");
}

static void who_comes_back_in_the_same_turn_gets_nothing_of_its_earlier_stay(void **state)
{
    (void)state;
    join(0);
    join(1);
    say("a", 1, "(1)");
    assert_true(aside(0, "(2)"));
    audience_remove(&guests[0].target);
    join(0);
    say("b", 1, "(3)");
    say("c", 0, "");
    flush_run(&world.flush);
    assert_got(0, "(3)<c>");
    assert_got(1, "<a><b><c>");
}

static void who_is_settled_before_it_leaves_gets_it_once_and_in_order(void **state)
{
    (void)state;
    join(0);
    join(1);
    say("a", 1, "(1)");
    say("b", 0, "");
    assert_true(aside(0, "(2)"));
    flush_settle(&world.flush, &guests[0].target);
    assert_got(0, "(1)<b>(2)");
    audience_remove(&guests[0].target);
    join(0);
    say("c", 0, "");
    flush_run(&world.flush);
    assert_got(0, "(1)<b>(2)<c>");
    assert_got(1, "<a><b><c>");
}

static void more_of_them_than_one_send_has_pieces_arrive_in_order_on_a_slow_socket(void **state)
{
    (void)state;
    char expected[4000] = "", text[16];
    join(0);
    guests[0].peer.room = 10;
    guests[0].peer.most = 3;
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "%d", i);
        char ack[16];
        snprintf(ack, sizeof ack, "(%d)", i);
        bool own = i % 3;
        say(text, own, own ? ack : "");
        strcat(expected, own ? ack : "<");
        if (!own)
            strcat(strcat(expected, text), ">");
        if (i % 7 == 0) {
            aside(0, "!");
            strcat(expected, "!");
        }
    }
    flush_run(&world.flush);
    while (guests[0].peer.outlet.box)
        peer_unblock(&world, &guests[0].peer, 100);
    assert_got(0, expected);
}

#define aside_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        aside_case(an_ack_stands_where_the_own_message_does),
        aside_case(a_notice_is_for_all_but_the_one_it_is_about_and_is_no_delivery),
        aside_case(a_reply_stands_behind_what_the_turn_has_brought_and_before_what_follows),
        aside_case(one_who_has_had_the_sealed_batch_may_be_answered_at_once_and_one_who_has_not_may_not),
        aside_case(who_comes_back_in_the_same_turn_gets_nothing_of_its_earlier_stay),
        aside_case(who_is_settled_before_it_leaves_gets_it_once_and_in_order),
        aside_case(more_of_them_than_one_send_has_pieces_arrive_in_order_on_a_slow_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
