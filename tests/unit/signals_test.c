/* signals_test.c -- a signal reaches the one it is for, in the room it was sent in, and its sender hears what came of
 * it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_town.h"

static struct town town;
static struct guest ann, ben, bob; /* ann and ben on worker 0, bob on worker 1 */
static struct worker *home, *away;

#define ANN "a000000100000001"

static void enter(const char *room)
{
    guest_init(&ann, home, "ann");
    guest_init(&ben, home, "ben");
    guest_init(&bob, away, "bob");
    guest_join(&ann, room);
    guest_join(&ben, room);
    guest_join(&bob, room);
    town_pass(&town, 3);
    forget_heard(&ann);
    forget_heard(&ben);
    forget_heard(&bob);
}

static int set_up(void **state)
{
    town_init(&town, 2, 1, &(struct room_rule){.log = {1000, 1 << 20, 600}, .presence = true});
    assert_null(rules_add(town.rules, "dark-* presence=off"));
    home = &town.workers[0];
    away = &town.workers[1];
    enter(*state ? *state : "lobby");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_close(&ann);
    guest_close(&ben);
    guest_close(&bob);
    town_empty(&town);
    return 0;
}

static void signal_to(uint64_t to)
{
    room_signal(&home->rooms, &ann.seats[0].participant, to, BYTES("{\"x\":1}"), 5);
}

static void one_to_a_member_on_this_worker_arrives(void **state)
{
    (void)state;
    signal_to(ben.id);
    town_settle(&town);
    assert_heard(&ben, "s lobby " ANN " {\"x\":1}\n");
    assert_heard(&ann, "S 5 ok\n");
    assert_heard(&bob, "");
}

static void one_to_oneself_arrives(void **state)
{
    (void)state;
    signal_to(ann.id);
    town_settle(&town);
    assert_heard(&ann, "s lobby " ANN " {\"x\":1}\nS 5 ok\n");
}

static void one_to_a_member_on_another_worker_arrives(void **state)
{
    (void)state;
    signal_to(bob.id);
    town_settle(&town);
    assert_heard(&bob, "s lobby " ANN " {\"x\":1}\n");
    assert_heard(&ann, "S 5 ok\n");
    assert_heard(&ben, "");
}

static void one_to_nobody_is_said_to_be_so(void **state)
{
    (void)state;
    signal_to(ann.id + 77); /* here */
    assert_heard(&ann, "S 5 nobody\n");
    signal_to(bob.id + 77); /* there: the list says so at once */
    town_settle(&town);
    assert_heard(&ann, "S 5 nobody\n");
    assert_int_equal(home->bus.asked[FAKE_SIGNAL], 0);
    signal_to(0);
    signal_to(UINT64_MAX);
    town_settle(&town);
    assert_heard(&ann, "S 5 nobody\nS 5 nobody\n");
}

static void without_presence_the_other_gateway_is_asked(void **state)
{
    (void)state;
    signal_to(bob.id);
    town_settle(&town);
    assert_heard(&bob, "s dark-1 " ANN " {\"x\":1}\n");
    assert_heard(&ann, "S 5 ok\n");
    signal_to(UINT64_C(0xee00000000000001));
    town_settle(&town);
    assert_heard(&ann, "S 5 nobody\n");
}

static void one_to_a_member_that_has_left_the_room_is_for_nobody(void **state)
{
    (void)state;
    guest_leave(&bob, 0);
    guest_join(&bob, "hall");
    town_pass(&town, 3);
    forget_heard(&ann);
    forget_heard(&bob);
    signal_to(bob.id);
    town_settle(&town);
    assert_heard(&bob, "");
    assert_heard(&ann, "S 5 nobody\n");
    forget_heard(&ben);
}

static void one_that_was_lost_is_said_to_be_so(void **state)
{
    (void)state;
    signal_to(bob.id);
    log_bus_fail(&home->bus, BUS_UNAVAILABLE, false);
    flush_run(&home->world.flush);
    assert_heard(&ann, "S 5 lost\n");
}

static void who_leaves_with_one_on_its_way_hears_nothing_of_it(void **state)
{
    (void)state;
    signal_to(bob.id);
    guest_leave(&ann, 0);
    town_settle(&town);
    assert_heard(&ann, "");
    assert_heard(&bob, "s lobby " ANN " {\"x\":1}\n- lobby " ANN " left\n");
    forget_heard(&ben);
}

static void its_receiver_has_heard_of_its_sender_before(void **state)
{
    (void)state;
    room_update(&home->rooms, &ann.seats[0].participant, xstrndup("{\"since\":9}", 11));
    signal_to(bob.id); /* it is gathered with others for 50 ms, and told before this one */
    assert_int_equal(home->bus.commands->kind, FAKE_PRESENCE);
    town_pass(&town, 2);
    forget_heard(&ann);
    forget_heard(&ben);
    forget_heard(&bob);
}

static void what_is_no_signal_is_counted_and_dropped(void **state)
{
    static const char *const wrong[] = {"",
                                        "x",
                                        "p1 0 - d - - 0 ",
                                        "p1 0 - d - - 0 a000000100000001",
                                        "p1 0 - d - - 0 a000000100000001 lobby",
                                        "p1 0 - d - - 0 g000000100000001 lobby {}",
                                        "p1 0 - t - - 0 a000000100000001 lobby {}",
                                        "p1 0 - d"};
    (void)state;
    enum { COUNT = sizeof wrong / sizeof wrong[0] };
    for (int i = 0; i < COUNT; i++) {
        char *copy = xstrndup(wrong[i], strlen(wrong[i]));
        rooms_bus_events.on_signal(&home->rooms, (struct bytes){copy, strlen(copy)});
        free(copy);
    }
    assert_int_equal(world_gauge(&home->world, COUNT_BUS_MALFORMED), COUNT);
    rooms_bus_events.on_signal(&home->rooms, BYTES("p1 0 - d - - 0 a000000100000001 nowhere {}"));
    rooms_bus_events.on_signal(&home->rooms, BYTES("p1 0 - d - - 0 a000000100000099 lobby {}"));
    assert_heard(&ann, "");
}

#define signal_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define dark_case(name)                                                                                                \
    {                                                                                                                  \
#name, name, set_up, tear_down, "dark-1"                                                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        signal_case(one_to_a_member_on_this_worker_arrives),
        signal_case(one_to_oneself_arrives),
        signal_case(one_to_a_member_on_another_worker_arrives),
        signal_case(one_to_nobody_is_said_to_be_so),
        dark_case(without_presence_the_other_gateway_is_asked),
        signal_case(one_to_a_member_that_has_left_the_room_is_for_nobody),
        signal_case(one_that_was_lost_is_said_to_be_so),
        signal_case(who_leaves_with_one_on_its_way_hears_nothing_of_it),
        signal_case(its_receiver_has_heard_of_its_sender_before),
        signal_case(what_is_no_signal_is_counted_and_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
