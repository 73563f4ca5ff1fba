/* publishes_test.c -- an ack stands where the own message does in the member's stream, whatever is answered, repeated,
 * lost or late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_town.h"

static struct town town;
static struct guest ann, bob; /* on two workers */
static struct worker *home;
static struct log_bus *bus;
static struct fake_room *room;

static void enter(const char *name)
{
    guest_init(&ann, home, "ann");
    guest_init(&bob, &town.workers[1], "bob");
    guest_join(&ann, name);
    guest_join(&bob, name);
    town_pass(&town, 2);
    forget_heard(&ann);
    forget_heard(&bob);
    room = &town.redis.rooms[0];
}

static int set_up(void **state)
{
    town_init(&town, 2, 1, &(struct room_rule){.log = {1000, 1 << 20, 600}});
    assert_null(rules_add(town.rules, "live-* log=0"));
    home = &town.workers[0];
    bus = &home->bus;
    enter(*state ? *state : "lobby");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_close(&ann);
    guest_close(&bob);
    town_empty(&town);
    return 0;
}

static void say(const char *text)
{
    fake_say(&town.redis, room, text, 1000);
}

/* Another millisecond: what is said then has another time. */
static void tick(void)
{
    town_advance(&town, 1);
}

static void sweep(int times)
{
    for (; times; times--) {
        town_advance(&town, 100);
        rooms_sweep(&home->rooms);
    }
    flush_run(&home->world.flush);
}

/* ---- order */

static void an_ack_stands_at_its_messages_place(void **state)
{
    (void)state;
    say("1");
    guest_say(&ann, 0, "2", "", 7);
    log_bus_execute(bus);
    say("3");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 1\na 7 2\nm lobby 3 3\n");
    assert_heard(&bob, "m lobby 1 1\nm lobby 2 2\nm lobby 3 3\n");
}

static void an_answer_that_comes_before_the_own_copy_waits_for_it(void **state)
{
    (void)state;
    say("1");
    guest_say(&ann, 0, "2", "", 7);
    log_bus_answer_all(bus);
    flush_run(&home->world.flush);
    assert_heard(&ann, "");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 1\na 7 2\n");
}

static void acks_come_in_the_order_of_publishing(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        guest_say(&ann, 0, "x", i % 2 ? "" : "key", i); /* 4 is a duplicate of 2 */
    town_settle(&town);
    assert_heard(&ann, "a 1 1\na 2 2\na 3 3\na 4 2\na 5 4\n");
}

static void an_own_message_that_is_read_from_the_log_is_acked_at_its_place(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    log_bus_answer_all(bus);
    log_bus_drop(bus, 0);
    say("2");
    town_settle(&town);
    assert_heard(&ann, "a 7 1\nm lobby 2 2\n");
}

/* ---- duplicates */

static void a_duplicate_is_acked_when_its_original_has_passed(void **state)
{
    (void)state;
    guest_say(&bob, 0, "1", "key", 1);
    log_bus_execute(&town.workers[1].bus);
    guest_say(&ann, 0, "1", "key", 7);
    log_bus_answer_all(bus);
    flush_run(&home->world.flush);
    assert_heard(&ann, ""); /* it has not seen 1 */
    say("2");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 1\na 7 1\nm lobby 2 2\n");
}

static void one_whose_original_has_passed_long_ago_is_acked_at_once(void **state)
{
    (void)state;
    guest_say(&bob, 0, "1", "key", 1);
    log_bus_execute(&town.workers[1].bus);
    say("2");
    town_settle(&town);
    forget_heard(&ann);
    guest_say(&ann, 0, "1", "key", 7);
    town_settle(&town);
    assert_heard(&ann, "a 7 1\n");
    assert_int_equal(room->count, 2);
}

static void a_duplicate_of_one_who_is_behind_waits_for_it_and_makes_nobody_deaf(void **state)
{
    static char filler[300 << 10];
    (void)state;
    guest_say(&bob, 0, "1", "key", 1);
    log_bus_execute(&town.workers[1].bus);
    say("2");
    town_settle(&town);
    guest_leave(&ann, 0);
    memset(filler, 'x', sizeof filler);
    ann.peer.room = 0;
    send_text(&ann, (struct bytes){filler, sizeof filler});
    guest_resume(&ann, "lobby", "e1", 0);
    town_pass(&town, 1);
    assert_int_equal(guest_state(&ann, 0), MEMBER_CATCHING);
    guest_say(&ann, 0, "1", "key", 7);
    town_pass(&town, 50);
    assert_int_equal(bus->deaf, 0);
    ann.peer.hear = NULL;
    forget_heard(&ann);
    peer_unblock(&home->world, &ann.peer, SIZE_MAX);
    while (ann.peer.outlet.box)
        flush_outlet(&home->world.flush, &ann.peer.outlet);
    town_pass(&town, 1);
    const char *end = "m lobby 1 1\na 7 1\nm lobby 2 2\n";
    const char *other = "m lobby 1 1\nm lobby 2 2\na 7 1\n";
    const char *got = (const char *)ann.peer.got + ann.peer.len - strlen(end);
    assert_true(strcmp(got, end) == 0 || strcmp(got, other) == 0);
    forget_heard(&ann);
}

/* ---- failures */

static void a_failure_is_told(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    log_bus_fail(bus, BUS_UNAVAILABLE, false);
    guest_say(&ann, 0, "2", "", 8);
    log_bus_fail(bus, BUS_REFUSED, false);
    town_settle(&town);
    assert_heard(&ann, "f 7 unavailable\nf 8 refused\n");
    assert_int_equal(room->count, 0);
}

static void the_late_copy_of_an_uncertain_one_is_no_ack_of_the_next(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    tick();
    guest_say(&ann, 0, "2", "", 8);
    log_bus_fail(bus, BUS_UNCERTAIN, true);
    log_bus_live(bus); /* its copy, before the next one has been executed */
    log_bus_fail(bus, BUS_UNAVAILABLE, false);
    town_settle(&town);
    assert_heard(&ann, "f 7 uncertain\nf 8 unavailable\n");
    assert_heard(&bob, "m lobby 1 1\n");
}

static void the_copy_of_an_earlier_stay_is_no_ack_of_this_one(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    guest_leave(&ann, 0);
    guest_join(&ann, "lobby");
    rooms_sweep(&home->rooms);
    tick();
    guest_say(&ann, 0, "2", "", 8);
    town_settle(&town);
    assert_heard(&ann, "J lobby e1 0 0 0 1 []\na 8 2\n");
}

static void an_uncertain_one_that_is_repeated_with_its_key_is_one_message(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "key", 7);
    log_bus_fail(bus, BUS_UNCERTAIN, true);
    tick();
    guest_say(&ann, 0, "1", "key", 8);
    town_settle(&town);
    assert_heard(&ann, "f 7 uncertain\na 8 1\n");
    assert_int_equal(room->count, 1);
}

static void what_came_by_before_its_failure_was_told_is_acked_once(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    log_bus_execute(bus);
    log_bus_live(bus);
    log_bus_fail(bus, BUS_UNCERTAIN, false);
    town_settle(&town);
    assert_heard(&ann, "a 7 1\n");
}

static void who_leaves_with_publishes_on_their_way_is_told_nothing_more(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    guest_say(&ann, 0, "2", "", 8);
    guest_say(&ann, 0, "3", "", 9);
    log_bus_answer(bus);
    guest_leave(&ann, 0);
    log_bus_fail(bus, BUS_UNCERTAIN, false);
    town_settle(&town);
    assert_heard(&ann, "");
    assert_heard(&bob, "m lobby 1 1\nm lobby 2 3\n");
}

/* ---- losses and epochs */

static void a_copy_that_does_not_come_within_a_second_makes_the_bus_deaf(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    log_bus_answer_all(bus);
    log_bus_drop(bus, 0);
    sweep(10);
    assert_int_equal(bus->deaf, 0);
    sweep(2);
    assert_true(bus->deaf > 0);
    log_bus_lose_channels(bus, NULL);
    town_settle(&town);
    assert_heard(&ann, "a 7 1\n");
}

static void an_ack_of_a_log_that_began_anew_waits_for_that_epoch(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        say("x");
    town_settle(&town);
    forget_heard(&ann);
    fake_wipe(room);
    say("1");
    guest_say(&ann, 0, "2", "", 7);
    log_bus_answer_all(bus); /* number 2, which is less than what ann has seen */
    flush_run(&home->world.flush);
    assert_heard(&ann, "");
    town_settle(&town);
    assert_heard(&ann, "e lobby e2 0 1\nm lobby 1 1\na 7 2\n");
}

static void an_answer_of_another_epoch_makes_the_log_be_located(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "key", 7);
    town_settle(&town);
    fake_failover(room, 0);
    fake_fence(&town.redis, room, (struct bytes){NULL, 0}, 0);
    guest_say(&ann, 0, "1", "key", 8); /* answered in e2, with nothing to be heard of it */
    town_settle(&town);
    town_pass(&town, 2);
    assert_heard(&ann, "a 7 1\ne lobby e2 1048577 0\na 8 1\n");
    assert_int_equal(bus->deaf, 0);
}

static void one_whose_epoch_has_come_and_gone_is_uncertain(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    log_bus_execute(bus);
    fake_wipe(room);
    say("x");
    fake_wipe(room);
    say("y");
    log_bus_lose_channels(bus, NULL);
    town_settle(&town);
    town_pass(&town, 3);
    assert_int_equal(bus->deaf, 0);
    assert_non_null(strstr((const char *)ann.peer.got, "e lobby e3 0 1\nm lobby 1 y\n"));
    assert_true(strstr((const char *)ann.peer.got, "f 7 uncertain\n") || strstr((const char *)ann.peer.got, "a 7 1\n"));
    forget_heard(&ann);
}

/* ---- without a log */

static void without_a_log_the_ack_comes_with_the_own_copy_and_says_0(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    log_bus_answer_all(bus);
    flush_run(&home->world.flush);
    assert_heard(&ann, "");
    town_settle(&town);
    assert_heard(&ann, "a 7 0\n");
    assert_heard(&bob, "m live-1 0 1\n");
}

static void what_was_answered_is_acked_when_the_subscription_is_lost(void **state)
{
    (void)state;
    guest_say(&ann, 0, "1", "", 7);
    guest_say(&ann, 0, "2", "", 8);
    log_bus_answer(bus);
    log_bus_lose_channels(bus, NULL);
    flush_run(&home->world.flush);
    assert_heard(&ann, "a 7 0\n");
    log_bus_answer(bus); /* while it is lost */
    town_settle(&town);
    assert_heard(&ann, "a 8 0\n");
    assert_int_equal(bus->deaf, 0);
}

static void a_slow_one_without_a_log_is_in_at_once_and_gets_no_own_copy(void **state)
{
    static char filler[300 << 10];
    (void)state;
    guest_leave(&ann, 0);
    memset(filler, 'x', sizeof filler);
    ann.peer.room = 0;
    send_text(&ann, (struct bytes){filler, sizeof filler});
    guest_join(&ann, "live-1");
    town_pass(&town, 1);
    guest_say(&ann, 0, "1", "", 7);
    town_pass(&town, 1);
    ann.peer.room = SIZE_MAX;
    while (ann.peer.outlet.box)
        flush_outlet(&home->world.flush, &ann.peer.outlet);
    assert_string_equal((const char *)ann.peer.got + sizeof filler, "J live-1 - 0 0 0 1 []\na 7 0\n");
    forget_heard(&ann);
}

#define publish_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define unlogged_case(name)                                                                                            \
    {                                                                                                                  \
#name, name, set_up, tear_down, "live-1"                                                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        publish_case(an_ack_stands_at_its_messages_place),
        publish_case(an_answer_that_comes_before_the_own_copy_waits_for_it),
        publish_case(acks_come_in_the_order_of_publishing),
        publish_case(an_own_message_that_is_read_from_the_log_is_acked_at_its_place),
        publish_case(a_duplicate_is_acked_when_its_original_has_passed),
        publish_case(one_whose_original_has_passed_long_ago_is_acked_at_once),
        publish_case(a_duplicate_of_one_who_is_behind_waits_for_it_and_makes_nobody_deaf),
        publish_case(a_failure_is_told),
        publish_case(the_late_copy_of_an_uncertain_one_is_no_ack_of_the_next),
        publish_case(the_copy_of_an_earlier_stay_is_no_ack_of_this_one),
        publish_case(an_uncertain_one_that_is_repeated_with_its_key_is_one_message),
        publish_case(what_came_by_before_its_failure_was_told_is_acked_once),
        publish_case(who_leaves_with_publishes_on_their_way_is_told_nothing_more),
        publish_case(a_copy_that_does_not_come_within_a_second_makes_the_bus_deaf),
        publish_case(an_ack_of_a_log_that_began_anew_waits_for_that_epoch),
        publish_case(an_answer_of_another_epoch_makes_the_log_be_located),
        publish_case(one_whose_epoch_has_come_and_gone_is_uncertain),
        unlogged_case(without_a_log_the_ack_comes_with_the_own_copy_and_says_0),
        unlogged_case(what_was_answered_is_acked_when_the_subscription_is_lost),
        unlogged_case(a_slow_one_without_a_log_is_in_at_once_and_gets_no_own_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
