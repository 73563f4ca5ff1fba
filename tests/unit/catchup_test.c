/* catchup_test.c -- who comes back with a position is sent what it missed, then what comes, with nothing between them
 * missing or twice, however slowly it reads and whatever the room goes through meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_town.h"

enum { FILL = 300 << 10 };

static struct town town;
static struct guest ann, bob; /* ann keeps the room of worker 0 open */
static struct worker *home;
static struct log_bus *bus;
static struct fake_room *lobby;

static int set_up(void **state)
{
    (void)state;
    town_init(&town, 2, 1, &(struct room_rule){.log = {1000, 1 << 20, 600}});
    home = &town.workers[0];
    bus = &home->bus;
    guest_init(&ann, home, "ann");
    guest_init(&bob, home, "bob");
    guest_join(&ann, "lobby");
    town_pass(&town, 2);
    lobby = &town.redis.rooms[0];
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

static void say(int from, int to)
{
    for (int i = from; i <= to; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        fake_say(&town.redis, lobby, text, 1000);
    }
}

/* bob comes with a position, and is let in with the next sweep. */
static void come_back(const char *epoch, uint64_t offset)
{
    guest_resume(&bob, "lobby", epoch, offset);
    rooms_sweep(&home->rooms);
}

/* Its socket takes nothing, and more waits for it than it is read for. */
static void block_up(struct guest *guest)
{
    static char filler[FILL];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\n';
    guest->peer.room = 0;
    send_text(guest, (struct bytes){filler, sizeof filler});
}

/* All of it arrives; the filler is forgotten. */
static void unblock(struct guest *guest)
{
    peer_unblock(&guest->worker->world, &guest->peer, SIZE_MAX);
    while (guest->peer.outlet.box)
        flush_outlet(&guest->worker->world.flush, &guest->peer.outlet);
    room_pump(&guest->worker->rooms, &guest->seats[0].participant);
    if (guest->peer.len >= FILL && guest->peer.got[0] == 'x') {
        memmove(guest->peer.got, guest->peer.got + FILL, guest->peer.len - FILL + 1);
        guest->peer.len -= FILL;
    }
}

/* Messages from..to, behind the head; offset is that much more than the text. */
static void assert_heard_run(struct guest *guest, const char *head, int from, int to, uint64_t more)
{
    struct json_text text = {0};
    json_literal(&text, head);
    for (int i = from; i <= to; i++) {
        char line[64];
        snprintf(line, sizeof line, "m lobby %" PRIu64 " %d\n", (uint64_t)i + more, i);
        json_literal(&text, line);
    }
    json_raw(&text, (struct bytes){"", 1});
    assert_heard(guest, text.data);
    json_text_free(&text);
}

/* ---- positions */

static void a_position_in_the_epoch_is_taken_up(void **state)
{
    (void)state;
    say(1, 5);
    town_settle(&town);
    come_back("e1", 2);
    town_settle(&town);
    say(6, 6);
    town_settle(&town);
    assert_heard_run(&bob, "J lobby e1 5 1 0 2 []\n", 3, 6, 0);
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
}

static void history_is_what_is_asked_for_and_no_more_than_there_is(void **state)
{
    (void)state;
    say(1, 5);
    town_settle(&town);
    guest_join_with(&bob, 0, "lobby", NULL, 2, "{}");
    town_pass(&town, 1);
    assert_heard_run(&bob, "J lobby e1 5 0 0 2 []\n", 4, 5, 0);
    guest_leave(&bob, 0);
    guest_join_with(&bob, 0, "lobby", NULL, 256, "{}");
    town_pass(&town, 1);
    assert_heard_run(&bob, "J lobby e1 5 0 0 2 []\n", 1, 5, 0);
}

static void a_position_in_the_epoch_before_is_taken_up_and_may_have_lost_something(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    fake_failover(lobby, 0);
    say(4, 5);
    town_settle(&town);
    come_back("e1", 2);
    town_settle(&town);
    assert_heard(&bob, "J lobby e2 1048581 1 1 2 []\nm lobby 3 3\nm lobby 1048580 4\nm lobby 1048581 5\n");
}

static void a_position_behind_the_end_of_the_epoch_before_is_not(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    fake_failover(lobby, 1);
    say(4, 4);
    town_settle(&town);
    come_back("e1", 3);
    town_settle(&town);
    assert_heard(&bob, "J lobby e2 1048579 0 0 2 []\n");
}

static void an_unknown_epoch_makes_the_log_be_located_once_and_starts_over(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    uint32_t before = bus->asked[FAKE_LOCATE];
    come_back("e77", 3);
    town_settle(&town);
    assert_heard(&bob, "J lobby e1 3 0 0 2 []\n");
    assert_int_equal(bus->asked[FAKE_LOCATE], before + 1);
}

static void an_epoch_that_only_another_worker_has_heard_of_is_located(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    fake_failover(lobby, 0);
    say(4, 5); /* on its way to this worker */
    come_back("e2", 1048580);
    town_settle(&town);
    assert_heard(&bob, "J lobby e2 1048581 1 0 2 []\nm lobby 1048581 5\n");
}

static void who_is_ahead_of_the_worker_waits_until_it_has_caught_up(void **state)
{
    (void)state;
    say(1, 3);
    come_back("e1", 2); /* heard on another worker; this one has heard nothing yet */
    log_bus_answer(bus);
    assert_heard(&bob, "");
    town_settle(&town);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\nm lobby 3 3\n");
}

static void a_claim_that_cannot_be_starts_over_and_begins_no_epoch(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    come_back("e1", 1000);
    town_settle(&town);
    assert_heard(&bob, "J lobby e1 3 0 0 2 []\n");
    assert_int_equal(lobby->epoch_count, 1);
}

/* ---- ring and pages */

static void what_the_ring_has_is_not_read_from_the_log(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    uint32_t before = bus->asked[FAKE_READ];
    come_back("e1", 344);
    town_settle(&town);
    assert_int_equal(bus->asked[FAKE_READ], before);
    assert_heard_run(&bob, "J lobby e1 600 1 0 2 []\n", 345, 600, 0);
}

static void what_lies_before_it_is_read_page_by_page(void **state)
{
    (void)state;
    say(1, 900);
    town_settle(&town);
    come_back("e1", 0);
    town_settle(&town);
    assert_heard_run(&bob, "J lobby e1 900 1 0 2 []\n", 1, 900, 0);
}

static void what_the_log_has_no_more_is_said_first(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    fake_trim_to(lobby, 100);
    come_back("e1", 10);
    town_settle(&town);
    assert_heard_run(&bob, "J lobby e1 600 1 0 2 []\ng lobby 11 100\n", 101, 600, 0);
}

static void a_page_of_nothing_but_entries_that_are_no_messages_is_read_past(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    for (int i = 0; i < 300; i++)
        lobby->messages[i].data[0] = 'q';
    come_back("e1", 0);
    town_settle(&town);
    const char *end = strchr((const char *)bob.peer.got, '\n') + 1;
    assert_memory_equal(end, "g lobby 1 256\ng lobby 257 300\nm lobby 301 301\n", 46);
    bob.peer.len = 0;
    say(601, 601);
    town_settle(&town);
    assert_heard(&bob, "m lobby 601 601\n");
}

static void a_page_that_was_lost_is_asked_for_again(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    come_back("e1", 0);
    log_bus_execute(bus);
    log_bus_reply(bus, 7); /* a part of it came */
    log_bus_lose_commands(bus);
    town_pass(&town, 2);
    assert_heard_run(&bob, "J lobby e1 600 1 0 2 []\n", 1, 600, 0);
}

static void messages_that_come_between_the_pieces_of_a_page_stand_behind_it(void **state)
{
    (void)state;
    say(1, 300);
    town_settle(&town);
    come_back("e1", 0);
    log_bus_execute(bus);
    for (int i = 301; i <= 360; i++) {
        log_bus_reply(bus, 5);
        say(i, i);
        log_bus_live_all(bus);
        room_pump(&home->rooms, &bob.seats[0].participant);
    }
    town_settle(&town);
    assert_heard_run(&bob, "J lobby e1 300 1 0 2 []\n", 1, 360, 0);
}

/* ---- slow ones */

static void who_reads_slowly_is_read_no_more_than_its_outbox_holds(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 0);
    town_settle(&town);
    assert_int_equal(guest_state(&bob, 0), MEMBER_CATCHING);
    assert_true(bob.peer.outlet.box->bytes < FILL + 200);
    say(601, 700);
    town_pass(&town, 5);
    assert_true(bob.peer.outlet.box->bytes < FILL + 200);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard_run(&bob, "J lobby e1 600 1 0 2 []\n", 1, 700, 0);
}

static void who_has_missed_nothing_is_in_at_once_however_slow(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 3);
    town_settle(&town);
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
    unblock(&bob);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\n");
}

static void who_comes_back_under_its_id_does_not_get_the_page_of_its_earlier_stay(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    come_back("e1", 0);
    log_bus_execute(bus);
    log_bus_reply(bus, 3);
    guest_leave(&bob, 0);
    assert_heard_run(&bob, "J lobby e1 600 1 0 2 []\n", 1, 3, 0); /* what was gathered for it */
    come_back("e1", 3);
    town_settle(&town);
    assert_heard_run(&bob, "J lobby e1 600 1 0 2 []\n", 4, 600, 0);
}

static void a_gap_that_opens_while_one_is_behind_is_said_to_it_in_its_place(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 1);
    town_settle(&town);
    log_bus_lose_channels(bus, NULL);
    say(4, 8);
    fake_trim_to(lobby, 6);
    town_settle(&town);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\ng lobby 2 6\nm lobby 7 7\nm lobby 8 8\n");
}

/* ---- epochs */

static void an_epoch_that_begins_while_one_is_behind_is_said_in_its_place(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 1);
    town_settle(&town);
    fake_failover(lobby, 0);
    say(4, 4);
    town_settle(&town);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\nm lobby 2 2\nm lobby 3 3\ne lobby e2 1048579 0\nm lobby 1048580 4\n");
}

static void what_was_missed_of_both_epochs_is_said_on_both_sides_of_the_new_one(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 1);
    town_settle(&town);
    fake_failover(lobby, 0);
    say(4, 6);
    town_settle(&town);
    fake_trim_to(lobby, 5);
    log_bus_lose_channels(bus, NULL);
    ring_clear(&rooms_find(&home->rooms, BYTES("lobby"))->follow.ring); /* as if it were long ago */
    town_settle(&town);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\ng lobby 2 3\ne lobby e2 1048579 0\ng lobby 1048580 1048581\n"
                       "m lobby 1048582 6\n");
}

static void a_log_that_begins_anew_is_said_to_have_lost_everything_to_one_who_is_behind(void **state)
{
    (void)state;
    say(1, 3);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 1);
    town_settle(&town);
    fake_wipe(lobby);
    say(4, 4);
    town_settle(&town);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 3 1 0 2 []\ne lobby e2 0 1\nm lobby 1 4\n");
}

static void a_page_of_a_log_that_began_anew_is_not_taken_for_the_old_one(void **state)
{
    (void)state;
    say(1, 600);
    town_settle(&town);
    come_back("e1", 0);
    fake_wipe(lobby);
    say(601, 603); /* the worker has not heard of it when the page is read */
    log_bus_answer(bus);
    flush_run(&home->world.flush);
    assert_heard(&bob, "J lobby e1 600 1 0 2 []\n");
    town_pass(&town, 2);
    assert_heard(&bob, "e lobby e2 0 1\nm lobby 1 601\nm lobby 2 602\nm lobby 3 603\n");
}

/* ---- acks */

static void the_ack_of_one_who_is_behind_stands_at_its_place(void **state)
{
    (void)state;
    say(1, 2);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 1);
    town_settle(&town);
    guest_say(&bob, 0, "3", "", 7);
    log_bus_execute(bus);
    say(4, 4);
    town_settle(&town);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 2 1 0 2 []\nm lobby 2 2\na 7 3\nm lobby 4 4\n");
}

static void the_ack_of_a_message_that_lies_in_a_gap_stands_in_its_place(void **state)
{
    (void)state;
    say(1, 2);
    town_settle(&town);
    block_up(&bob);
    come_back("e1", 1);
    town_settle(&town);
    guest_say(&bob, 0, "3", "", 7);
    town_settle(&town);
    say(4, 400); /* more than the ring holds */
    town_settle(&town);
    fake_trim_to(lobby, 398);
    unblock(&bob);
    town_pass(&town, 2);
    assert_heard(&bob, "J lobby e1 2 1 0 2 []\ng lobby 2 2\na 7 3\ng lobby 4 398\nm lobby 399 399\nm lobby 400 400\n");
}

#define catchup_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        catchup_case(a_position_in_the_epoch_is_taken_up),
        catchup_case(history_is_what_is_asked_for_and_no_more_than_there_is),
        catchup_case(a_position_in_the_epoch_before_is_taken_up_and_may_have_lost_something),
        catchup_case(a_position_behind_the_end_of_the_epoch_before_is_not),
        catchup_case(an_unknown_epoch_makes_the_log_be_located_once_and_starts_over),
        catchup_case(an_epoch_that_only_another_worker_has_heard_of_is_located),
        catchup_case(who_is_ahead_of_the_worker_waits_until_it_has_caught_up),
        catchup_case(a_claim_that_cannot_be_starts_over_and_begins_no_epoch),
        catchup_case(what_the_ring_has_is_not_read_from_the_log),
        catchup_case(what_lies_before_it_is_read_page_by_page),
        catchup_case(what_the_log_has_no_more_is_said_first),
        catchup_case(a_page_of_nothing_but_entries_that_are_no_messages_is_read_past),
        catchup_case(a_page_that_was_lost_is_asked_for_again),
        catchup_case(messages_that_come_between_the_pieces_of_a_page_stand_behind_it),
        catchup_case(who_reads_slowly_is_read_no_more_than_its_outbox_holds),
        catchup_case(who_has_missed_nothing_is_in_at_once_however_slow),
        catchup_case(who_comes_back_under_its_id_does_not_get_the_page_of_its_earlier_stay),
        catchup_case(a_gap_that_opens_while_one_is_behind_is_said_to_it_in_its_place),
        catchup_case(an_epoch_that_begins_while_one_is_behind_is_said_in_its_place),
        catchup_case(what_was_missed_of_both_epochs_is_said_on_both_sides_of_the_new_one),
        catchup_case(a_log_that_begins_anew_is_said_to_have_lost_everything_to_one_who_is_behind),
        catchup_case(a_page_of_a_log_that_began_anew_is_not_taken_for_the_old_one),
        catchup_case(the_ack_of_one_who_is_behind_stands_at_its_place),
        catchup_case(the_ack_of_a_message_that_lies_in_a_gap_stands_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
