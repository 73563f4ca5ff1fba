/* follow_test.c -- a room's messages come in the order of its log, each once, whatever happens to what brings them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_town.h"

static struct town town;
static struct guest ann;
static struct log_bus *bus;
static struct fake_room *lobby;

/* ann alone in the lobby; what she has heard is forgotten. The room has no presence: it is the log that matters. */
static int set_up(void **state)
{
    (void)state;
    town_init(&town, 1, 1, &(struct room_rule){.log = {1000, 1 << 20, 600}});
    bus = &town.workers[0].bus;
    guest_init(&ann, &town.workers[0], "ann");
    guest_join(&ann, "lobby");
    town_pass(&town, 2);
    assert_heard(&ann, "J lobby e1 0 0 0 1 []\n");
    lobby = &town.redis.rooms[0];
    assert_string_equal(lobby->name, "lobby");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_close(&ann);
    town_pass(&town, 80);
    assert_null(town.workers[0].rooms.by_name);
    town_close(&town);
    return 0;
}

static void say(const char *text)
{
    fake_say(&town.redis, lobby, text, 1000);
}

static const struct follow *follow(void)
{
    return &rooms_find(&town.workers[0].rooms, BYTES("lobby"))->follow;
}

/* ---- order */

static void messages_come_in_order_and_once(void **state)
{
    (void)state;
    say("a");
    say("b");
    log_bus_double(bus, 0);
    log_bus_double(bus, 1);
    say("c");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\nm lobby 3 c\n");
    assert_int_equal(world_gauge(&town.workers[0].world, COUNT_LOG_REPEATED), 2);
}

static void a_missing_message_is_read_from_the_log_before_the_next_one_is_passed_on(void **state)
{
    (void)state;
    say("a");
    say("b");
    say("c");
    log_bus_drop(bus, 1);
    log_bus_live_all(bus);
    flush_run(&town.workers[0].world.flush);
    assert_heard(&ann, "m lobby 1 a\n");
    town_settle(&town);
    assert_heard(&ann, "m lobby 2 b\nm lobby 3 c\n");
}

static void what_comes_while_the_log_is_read_waits_and_is_passed_on_once(void **state)
{
    (void)state;
    say("a");
    log_bus_drop(bus, 0);
    say("b");
    log_bus_live(bus); /* a gap: the log is located */
    say("c");
    log_bus_answer(bus); /* the reading is asked for */
    say("d");
    log_bus_live_all(bus);
    flush_run(&town.workers[0].world.flush);
    assert_heard(&ann, "");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\nm lobby 3 c\nm lobby 4 d\n");
}

static void a_last_message_that_was_lost_is_found_by_the_regular_check(void **state)
{
    (void)state;
    say("a");
    say("b");
    log_bus_drop(bus, 1);
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\n");
    town_pass(&town, 125);
    assert_heard(&ann, "m lobby 2 b\n");
}

static void a_check_that_the_messages_overtake_asks_for_nothing(void **state)
{
    (void)state;
    say("a");
    town_settle(&town);
    town_advance(&town, 11000);
    rooms_sweep(&town.workers[0].rooms);
    assert_int_equal(bus->asked[FAKE_PEEK], 1);
    say("b");
    log_bus_answer_all(bus); /* it says 2, and 2 is on its way */
    town_settle(&town);
    town_pass(&town, 20);
    assert_int_equal(bus->asked[FAKE_LOCATE], 1);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\n");
}

/* ---- losses */

static void what_was_said_while_the_subscription_was_lost_is_read(void **state)
{
    (void)state;
    say("a");
    say("b");
    log_bus_live(bus);
    log_bus_lose_channels(bus, NULL);
    say("c");
    flush_run(&town.workers[0].world.flush);
    assert_heard(&ann, "m lobby 1 a\n");
    town_settle(&town);
    assert_heard(&ann, "m lobby 2 b\nm lobby 3 c\n");
}

static void answers_from_before_a_loss_are_for_nobody(void **state)
{
    (void)state;
    say("a");
    log_bus_lose_channels(bus, NULL);
    log_bus_subscribe(bus);
    log_bus_confirm(bus);
    log_bus_answer(bus); /* located; the reading is on its way */
    log_bus_execute(bus);
    log_bus_lose_channels(bus, NULL);
    say("b");
    log_bus_reply(bus, UINT32_MAX); /* "a", which is not passed on by this */
    flush_run(&town.workers[0].world.flush);
    assert_heard(&ann, "");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\n");
}

static void asks_that_were_lost_are_asked_again(void **state)
{
    (void)state;
    say("a");
    log_bus_lose_channels(bus, NULL);
    log_bus_subscribe(bus);
    log_bus_confirm(bus);
    log_bus_lose_commands(bus);
    assert_null(bus->commands);
    town_advance(&town, 100);
    rooms_sweep(&town.workers[0].rooms);
    log_bus_answer(bus);
    log_bus_execute(bus);
    log_bus_reply(bus, 1); /* a part of the page came */
    log_bus_lose_commands(bus);
    say("b");
    town_pass(&town, 2);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\n");
}

static void what_is_too_much_to_be_held_is_read_again(void **state)
{
    (void)state;
    static char large[1500];
    say("a");
    log_bus_drop(bus, 0);
    say("b");
    log_bus_live(bus);
    log_bus_execute(bus);
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 900; i++) /* more than 1 MiB */
        say(large);
    log_bus_live_all(bus);
    town_settle(&town);
    assert_int_equal(follow()->state, FOLLOW_LIVE);
    assert_int_equal(follow()->seq, 902);
    uint64_t next = 1;
    for (const char *at = (const char *)ann.peer.got; at; next++) {
        unsigned long long offset;
        assert_int_equal(sscanf(at, "m lobby %llu", &offset), 1);
        assert_int_equal(offset, next);
        at = strchr(at, '\n');
        at = at && at[1] ? at + 1 : NULL;
    }
    assert_int_equal(next, 903);
    forget_heard(&ann);
}

/* ---- gaps */

static void what_the_log_no_longer_has_is_said(void **state)
{
    (void)state;
    log_bus_lose_channels(bus, NULL);
    for (int i = 0; i < 5; i++)
        say("x");
    fake_trim_to(lobby, 3);
    town_settle(&town);
    assert_heard(&ann, "g lobby 1 3\nm lobby 4 x\nm lobby 5 x\n");
    log_bus_lose_channels(bus, NULL);
    say("y");
    fake_trim_to(lobby, lobby->count);
    town_settle(&town);
    assert_heard(&ann, "g lobby 6 6\n");
}

static void a_message_that_is_too_big_is_a_gap(void **state)
{
    (void)state;
    town.workers[0].rooms.max_message = 3;
    say("abcd");
    say("b");
    town_settle(&town);
    assert_heard(&ann, "g lobby 1 1\nm lobby 2 b\n");
}

static void one_that_is_read_from_the_log_is_a_gap_too(void **state)
{
    (void)state;
    town.workers[0].rooms.max_message = 3;
    log_bus_lose_channels(bus, NULL);
    say("a");
    say("abcd");
    say("b");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\ng lobby 2 2\nm lobby 3 b\n");
    struct guest bob;
    guest_init(&bob, &town.workers[0], "bob");
    guest_resume(&bob, "lobby", "e1", 0); /* the ring has 3 only: the rest is read for it */
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\nm lobby 1 a\ng lobby 2 2\nm lobby 3 b\n");
    guest_close(&bob);
}

/* Somebody wrote into the log by hand. */
static void spoil(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        lobby->messages[i].data[0] = 'q';
}

static void an_entry_that_is_no_message_is_a_gap(void **state)
{
    (void)state;
    log_bus_lose_channels(bus, NULL);
    say("a");
    say("b");
    say("c");
    spoil(1, 2);
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\ng lobby 2 2\nm lobby 3 c\n");
}

static void a_whole_page_of_them_is_read_past(void **state)
{
    (void)state;
    log_bus_lose_channels(bus, NULL);
    for (int i = 0; i < 600; i++)
        say("x");
    spoil(0, 599);
    for (int i = 0; i < 10; i++)
        worker_settle(&town.workers[0]);
    assert_heard(&ann, "g lobby 1 599\nm lobby 600 x\n");
}

/* ---- epochs */

static void a_new_epoch_that_follows_on_the_old_one_is_said_after_what_is_left_of_that(void **state)
{
    (void)state;
    say("a");
    town_settle(&town);
    log_bus_lose_channels(bus, NULL);
    say("b");
    fake_failover(lobby, 0);
    say("c");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\ne lobby e2 1048578 0\nm lobby 1048579 c\n");
}

static void a_live_message_of_a_new_epoch_waits_for_the_log(void **state)
{
    (void)state;
    say("a");
    fake_failover(lobby, 0);
    say("b");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\ne lobby e2 1048577 0\nm lobby 1048578 b\n");
    assert_int_equal(follow()->state, FOLLOW_LIVE);
}

static void a_tail_that_was_lost_is_missed_by_nobody_who_did_not_see_it(void **state)
{
    (void)state;
    say("a");
    log_bus_lose_channels(bus, NULL);
    say("b");
    say("c");
    fake_failover(lobby, 2);
    say("d");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\ne lobby e2 1048577 0\nm lobby 1048578 d\n");
}

static void numbers_that_begin_anew_are_another_epoch_that_lost_everything(void **state)
{
    (void)state;
    say("a");
    say("b");
    town_settle(&town);
    forget_heard(&ann);
    fake_wipe(lobby);
    say("c");
    town_settle(&town);
    assert_heard(&ann, "e lobby e2 0 1\nm lobby 1 c\n");
}

static void an_epoch_that_began_while_the_log_was_read_is_not_left_again(void **state)
{
    (void)state;
    say("a");
    town_settle(&town);
    forget_heard(&ann);
    fake_wipe(lobby);
    say("b");
    say("b");
    say("b");
    log_bus_live_all(bus);
    log_bus_answer(bus); /* located in e2 */
    fake_wipe(lobby);
    say("c");
    say("c");
    log_bus_execute(bus); /* reads of e3 */
    town_settle(&town);
    assert_heard(&ann, "e lobby e2 0 1\ne lobby e3 0 1\nm lobby 1 c\nm lobby 2 c\n");
    assert_string_equal(follow()->epoch, "e3");
}

static void a_worker_that_has_delivered_more_than_the_log_holds_begins_a_new_epoch(void **state)
{
    (void)state;
    say("a");
    say("b");
    town_settle(&town);
    forget_heard(&ann);
    fake_failover(lobby, 1);
    lobby->renew_due = false; /* nobody noticed */
    log_bus_lose_channels(bus, NULL);
    town_settle(&town);
    assert_heard(&ann, "e lobby e2 1048578 0\n");
    say("c");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1048579 c\n");
}

static void late_live_copies_of_an_old_epoch_are_dropped(void **state)
{
    (void)state;
    say("a");
    say("b");
    log_bus_double(bus, 0);
    log_bus_live(bus);
    fake_failover(lobby, 0);
    say("c");
    town_settle(&town);
    assert_heard(&ann, "m lobby 1 a\nm lobby 2 b\ne lobby e2 1048578 0\nm lobby 1048579 c\n");
    assert_int_equal(follow()->state, FOLLOW_LIVE);
    assert_null(follow()->held);
}

#define follow_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        follow_case(messages_come_in_order_and_once),
        follow_case(a_missing_message_is_read_from_the_log_before_the_next_one_is_passed_on),
        follow_case(what_comes_while_the_log_is_read_waits_and_is_passed_on_once),
        follow_case(a_last_message_that_was_lost_is_found_by_the_regular_check),
        follow_case(a_check_that_the_messages_overtake_asks_for_nothing),
        follow_case(what_was_said_while_the_subscription_was_lost_is_read),
        follow_case(answers_from_before_a_loss_are_for_nobody),
        follow_case(asks_that_were_lost_are_asked_again),
        follow_case(what_is_too_much_to_be_held_is_read_again),
        follow_case(what_the_log_no_longer_has_is_said),
        follow_case(a_message_that_is_too_big_is_a_gap),
        follow_case(one_that_is_read_from_the_log_is_a_gap_too),
        follow_case(an_entry_that_is_no_message_is_a_gap),
        follow_case(a_whole_page_of_them_is_read_past),
        follow_case(a_new_epoch_that_follows_on_the_old_one_is_said_after_what_is_left_of_that),
        follow_case(a_live_message_of_a_new_epoch_waits_for_the_log),
        follow_case(a_tail_that_was_lost_is_missed_by_nobody_who_did_not_see_it),
        follow_case(numbers_that_begin_anew_are_another_epoch_that_lost_everything),
        follow_case(an_epoch_that_began_while_the_log_was_read_is_not_left_again),
        follow_case(a_worker_that_has_delivered_more_than_the_log_holds_begins_a_new_epoch),
        follow_case(late_live_copies_of_an_old_epoch_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
