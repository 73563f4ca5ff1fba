/* admin_rooms_test.c -- what admins do to members and rooms: kicks, bans, locks, marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_town.h"

static struct town town;
static struct guest ann, bob;
static struct worker *home;
static struct log_bus *bus;
static struct fake_room *lobby;

static int set_up(void **state)
{
    (void)state;
    town_init(&town, 1, 1, &(struct room_rule){.log = {1000, 1 << 20, 600}, .presence = true});
    home = &town.workers[0];
    bus = &home->bus;
    guest_init(&ann, home, "ann");
    guest_init(&bob, home, "bob");
    guest_join(&ann, "lobby");
    guest_join(&bob, "lobby");
    town_pass(&town, 3);
    forget_heard(&ann);
    forget_heard(&bob);
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

static const struct whom user_bob = {.user = {"bob", 3}}, everyone = {0};

static void ban(const char *what, const char *until)
{
    int at = town.redis.ban_count++;
    snprintf(town.redis.bans[at], sizeof town.redis.bans[at], "%s", what);
    snprintf(town.redis.bans_until[at], sizeof town.redis.bans_until[at], "%s", until);
    rooms_bans_changed(&home->rooms);
}

/* ---- kicks */

static void one_is_put_out_by_its_name_and_the_others_are_told(void **state)
{
    (void)state;
    assert_int_equal(rooms_kick(&home->rooms, BYTES("hall"), &user_bob, "kicked"), 0);
    assert_int_equal(rooms_kick(&home->rooms, BYTES("lobby"), &user_bob, "kicked"), 1);
    town_pass(&town, 2);
    assert_heard(&bob, "k lobby kicked\n");
    assert_heard(&ann, "- lobby a000000100000002 kicked\n");
    assert_int_equal(rooms_count(&home->rooms, BYTES("lobby")), 1);
}

static void one_is_put_out_by_its_id_in_all_rooms(void **state)
{
    (void)state;
    guest_join_with(&bob, 1, "hall", NULL, 0, "{}");
    town_pass(&town, 3);
    forget_heard(&bob);
    assert_int_equal(rooms_kick(&home->rooms, (struct bytes){NULL, 0}, &(struct whom){.member = bob.id}, "kicked"), 2);
    town_pass(&town, 2);
    const char *heard = (const char *)bob.peer.got;
    assert_non_null(strstr(heard, "k lobby kicked\n"));
    assert_non_null(strstr(heard, "k hall kicked\n"));
    forget_heard(&bob);
    forget_heard(&ann);
}

static void all_are_put_out_when_the_room_is_ended(void **state)
{
    (void)state;
    assert_int_equal(rooms_kick(&home->rooms, BYTES("lobby"), &everyone, "ended"), 2);
    town_pass(&town, 2);
    assert_heard(&ann, "k lobby ended\n");
    assert_heard(&bob, "k lobby ended\n");
}

static void who_waits_to_be_let_in_or_is_behind_is_put_out_too(void **state)
{
    static char filler[300 << 10];
    (void)state;
    guest_leave(&bob, 0);
    town_pass(&town, 2);
    fake_say(&town.redis, lobby, "1", 1000);
    town_settle(&town);
    forget_heard(&ann);
    guest_join(&bob, "lobby");
    assert_int_equal(rooms_kick(&home->rooms, BYTES("lobby"), &user_bob, "kicked"), 1);
    assert_heard(&bob, "k lobby kicked\n");
    memset(filler, 'x', sizeof filler);
    bob.peer.room = 0;
    send_text(&bob, (struct bytes){filler, sizeof filler});
    guest_resume(&bob, "lobby", "e1", 0);
    town_pass(&town, 3);
    assert_int_equal(guest_state(&bob, 0), MEMBER_CATCHING);
    assert_int_equal(rooms_kick(&home->rooms, BYTES("lobby"), &user_bob, "kicked"), 1);
    assert_int_equal(guest_state(&bob, 0), MEMBER_OUT);
    forget_heard(&ann);
}

/* ---- bans */

static void who_is_banned_is_put_out_and_not_let_in_again(void **state)
{
    (void)state;
    ban("lobby bob", "0");
    town_pass(&town, 2);
    assert_heard(&bob, "k lobby banned\n");
    guest_join(&bob, "lobby");
    town_pass(&town, 2);
    assert_heard(&bob, "r lobby banned\n");
    guest_join(&bob, "hall"); /* another room */
    town_pass(&town, 2);
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
    forget_heard(&bob);
    forget_heard(&ann);
}

static void a_ban_that_has_ended_bans_nobody(void **state)
{
    (void)state;
    ban("lobby bob", "1600000000000");
    ban("lobbybob", "0");
    ban(" bob", "0");
    town_pass(&town, 2);
    assert_heard(&bob, "");
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
}

static void bans_are_read_again_when_they_change_while_they_are_read(void **state)
{
    (void)state;
    rooms_bans_changed(&home->rooms);
    log_bus_execute(bus); /* read, before the next one */
    ban("lobby bob", "0");
    town_pass(&town, 2);
    assert_heard(&bob, "k lobby banned\n");
    forget_heard(&ann);
}

static void bans_are_read_every_10_s(void **state)
{
    (void)state;
    snprintf(town.redis.bans[0], sizeof town.redis.bans[0], "lobby bob");
    snprintf(town.redis.bans_until[0], sizeof town.redis.bans_until[0], "0");
    town.redis.ban_count = 1;
    town_pass(&town, 101);
    assert_heard(&bob, "k lobby banned\n");
    forget_heard(&ann);
}

/* ---- locks */

static void a_locked_room_lets_nobody_in_and_puts_nobody_out(void **state)
{
    (void)state;
    lobby->locked = true;
    rooms_state_changed(&home->rooms, BYTES("lobby"));
    town_settle(&town);
    assert_int_equal(guest_state(&ann, 0), MEMBER_IN);
    guest_leave(&bob, 0);
    guest_join(&bob, "lobby");
    town_pass(&town, 2);
    assert_heard(&bob, "r lobby locked\n");
    lobby->locked = false;
    rooms_state_changed(&home->rooms, BYTES("lobby"));
    guest_join(&bob, "lobby");
    town_pass(&town, 3);
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
    forget_heard(&bob);
    forget_heard(&ann);
}

static void a_lock_that_is_set_while_the_state_is_read_holds(void **state)
{
    (void)state;
    guest_leave(&bob, 0);
    rooms_state_changed(&home->rooms, BYTES("lobby"));
    log_bus_execute(bus); /* read, unlocked */
    worker_tell_presence(home);
    lobby->locked = true;
    rooms_state_changed(&home->rooms, BYTES("lobby"));
    guest_join(&bob, "lobby");
    town_pass(&town, 3);
    assert_heard(&bob, "r lobby locked\n");
    forget_heard(&ann);
}

static void a_lock_is_found_within_10_s_without_a_command(void **state)
{
    (void)state;
    lobby->locked = true;
    guest_leave(&bob, 0);
    town_pass(&town, 101);
    guest_join(&bob, "lobby");
    town_pass(&town, 2);
    assert_heard(&bob, "r lobby locked\n");
    forget_heard(&ann);
}

static void a_state_that_cannot_be_read_lets_nobody_in_until_it_is(void **state)
{
    (void)state;
    guest_leave(&bob, 0);
    town_pass(&town, 101);
    guest_join(&bob, "lobby");
    rooms_sweep(&home->rooms);
    log_bus_lose_commands(bus);
    rooms_sweep(&home->rooms);
    assert_int_equal(guest_state(&bob, 0), MEMBER_JOINING);
    town_pass(&town, 3);
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
    forget_heard(&bob);
    forget_heard(&ann);
}

static void who_cannot_be_let_in_within_2_s_is_refused(void **state)
{
    (void)state;
    guest_leave(&bob, 0);
    log_bus_lose_channels(bus, NULL);
    guest_join(&bob, "lobby");
    for (int i = 0; i < 19; i++) {
        town_advance(&town, 100);
        rooms_sweep(&home->rooms);
    }
    assert_heard(&bob, "");
    town_advance(&town, 100);
    rooms_sweep(&home->rooms);
    assert_heard(&bob, "r lobby unavailable\n");
    forget_heard(&ann);
}

#define admin_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        admin_case(one_is_put_out_by_its_name_and_the_others_are_told),
        admin_case(one_is_put_out_by_its_id_in_all_rooms),
        admin_case(all_are_put_out_when_the_room_is_ended),
        admin_case(who_waits_to_be_let_in_or_is_behind_is_put_out_too),
        admin_case(who_is_banned_is_put_out_and_not_let_in_again),
        admin_case(a_ban_that_has_ended_bans_nobody),
        admin_case(bans_are_read_again_when_they_change_while_they_are_read),
        admin_case(bans_are_read_every_10_s),
        admin_case(a_locked_room_lets_nobody_in_and_puts_nobody_out),
        admin_case(a_lock_that_is_set_while_the_state_is_read_holds),
        admin_case(a_lock_is_found_within_10_s_without_a_command),
        admin_case(a_state_that_cannot_be_read_lets_nobody_in_until_it_is),
        admin_case(who_cannot_be_let_in_within_2_s_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
