/* presence_test.c -- all members see the same list, told of each change once, whatever events or answers are lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_town.h"

enum { MANY = 520 };

static struct town town;
static struct guest ann, bob; /* ann on worker 0, bob on worker 1 */
static struct worker *home, *away;
static struct log_bus *bus;
static struct fake_room *lobby;

#define ANN "a000000100000001"
#define BOB "a000000200000001"

static int set_up(void **state)
{
    (void)state;
    town_init(&town, 2, 1, &(struct room_rule){.log = {1000, 1 << 20, 600}, .presence = true});
    home = &town.workers[0];
    away = &town.workers[1];
    bus = &home->bus;
    guest_init(&ann, home, "ann");
    guest_init(&bob, away, "bob");
    guest_join(&ann, "lobby");
    town_pass(&town, 2);
    assert_heard(&ann, "J lobby e1 0 0 0 1 [{\"member\":\"" ANN "\",\"since\":1}]\n");
    lobby = &town.redis.rooms[0];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_close(&ann);
    guest_close(&bob);
    town_pass(&town, 80);
    assert_int_equal(fake_listed(lobby, bus->base.gateway) + fake_listed(lobby, away->bus.base.gateway), 0);
    assert_null(home->rooms.by_name);
    town_close(&town);
    return 0;
}

static void join_bob(void)
{
    guest_join(&bob, "lobby");
    town_pass(&town, 2);
    assert_heard(&ann, "+ lobby " BOB " {\"since\":1}\n");
    assert_heard(&bob,
                 "J lobby e1 0 0 0 2 [{\"member\":\"" ANN "\",\"since\":1},{\"member\":\"" BOB "\",\"since\":1}]\n");
}

static void update(struct guest *guest, const char *value)
{
    room_update(&guest->worker->rooms, &guest->seats[0].participant, xstrndup(value, strlen(value)));
}

/* Somebody on a gateway that is not one of ours. */
static void stranger(char op, uint32_t number, const char *value)
{
    struct presence_change change = {(enum presence_op)op, UINT64_C(0xee00000000000000) | number, bytes_of(value)};
    fake_presence(&town.redis, lobby, 0xee000000, &change, 1, 0, false);
}

static const struct roster *roster(void)
{
    return &rooms_find(&home->rooms, BYTES("lobby"))->presence->roster;
}

/* ---- telling */

static void comings_changes_and_goings_are_told_to_the_others(void **state)
{
    (void)state;
    join_bob();
    update(&bob, "{\"since\":2}");
    town_pass(&town, 2);
    assert_heard(&ann, "= lobby " BOB " {\"since\":2}\n");
    guest_leave(&bob, 0);
    town_pass(&town, 2);
    assert_heard(&ann, "- lobby " BOB " left\n");
    assert_heard(&bob, "");
}

static void who_goes_before_its_coming_was_told_is_never_heard_of(void **state)
{
    (void)state;
    guest_join(&bob, "lobby");
    for (int i = 0; i < 3; i++) {
        worker_settle(away);
        rooms_sweep(&away->rooms);
    }
    assert_true(bob.seats[0].participant.told);
    guest_leave(&bob, 0);
    town_pass(&town, 5);
    assert_heard(&ann, "");
    assert_heard(&bob, "");
}

static void who_is_in_has_been_told_of_before(void **state)
{
    (void)state;
    guest_join(&bob, "lobby");
    for (int i = 0; i < 5; i++) {
        rooms_sweep(&away->rooms);
        worker_tell_presence(away);
        log_bus_subscribe(&away->bus);
        log_bus_confirm(&away->bus);
        log_bus_answer_all(&away->bus); /* but its own event does not come */
    }
    assert_int_equal(lobby->present_count, 2);
    assert_int_equal(guest_state(&bob, 0), MEMBER_JOINING);
    assert_heard(&bob, "");
    town_pass(&town, 2);
    assert_int_equal(guest_state(&bob, 0), MEMBER_IN);
    forget_heard(&bob);
    forget_heard(&ann);
}

static void a_batch_that_went_unanswered_is_told_again_and_heard_once(void **state)
{
    (void)state;
    join_bob();
    for (int executed = 0; executed < 2; executed++) {
        update(&bob, executed ? "{\"since\":3}" : "{\"since\":2}");
        town_advance(&town, 100);
        worker_tell_presence(away);
        log_bus_fail(&away->bus, BUS_UNAVAILABLE, executed);
        town_pass(&town, 5);
        assert_heard(&ann, executed ? "= lobby " BOB " {\"since\":3}\n" : "= lobby " BOB " {\"since\":2}\n");
    }
}

static void what_changes_twice_in_a_while_is_told_once(void **state)
{
    (void)state;
    join_bob();
    town_advance(&town, 100);
    update(&bob, "{\"since\":2}");
    update(&bob, "{\"since\":3}");
    town_pass(&town, 2);
    assert_heard(&ann, "= lobby " BOB " {\"since\":3}\n");
}

static void the_muted_mark_is_seen_by_the_others(void **state)
{
    (void)state;
    join_bob();
    assert_int_equal(rooms_mute(&away->rooms, BYTES("lobby"), &(struct whom){.user = BYTES("bob")}, true), 1);
    assert_int_equal(rooms_mute(&away->rooms, BYTES("lobby"), &(struct whom){.user = BYTES("bob")}, true), 0);
    town_pass(&town, 2);
    assert_heard(&ann, "= lobby " BOB " {\"muted\":true,\"since\":1}\n");
    update(&bob, "{}");
    town_pass(&town, 2);
    assert_heard(&ann, "= lobby " BOB " {\"muted\":true}\n");
    rooms_mute(&away->rooms, (struct bytes){NULL, 0}, &(struct whom){.member = bob.id}, false);
    town_pass(&town, 2);
    assert_heard(&ann, "= lobby " BOB " {}\n");
}

/* ---- coming back */

static void who_leaves_and_comes_back_at_once_is_not_told_of_itself(void **state)
{
    (void)state;
    join_bob();
    town_advance(&town, 100);
    guest_leave(&bob, 0);
    worker_tell_presence(away); /* its leaving is on its way */
    guest_join(&bob, "lobby");
    town_pass(&town, 5);
    assert_non_null(bob.peer.got);
    assert_null(strstr((const char *)bob.peer.got, "- lobby " BOB));
    forget_heard(&bob);
    assert_int_equal(lobby->present_count, 2);
    forget_heard(&ann);
}

static void who_was_taken_for_dead_is_announced_again(void **state)
{
    (void)state;
    join_bob();
    fake_reap(&town.redis, lobby, away->bus.base.gateway);
    town_settle(&town);
    assert_heard(&ann, "- lobby " BOB " lost\n");
    rooms_bus_events.on_forgotten(&away->rooms);
    town_pass(&town, 3);
    assert_heard(&ann, "+ lobby " BOB " {\"since\":1}\n");
    assert_heard(&bob, "");
}

static void a_gateway_that_was_forgotten_finds_out_with_its_next_change(void **state)
{
    (void)state;
    join_bob();
    fake_reap(&town.redis, lobby, away->bus.base.gateway);
    town_settle(&town);
    forget_heard(&ann);
    struct guest eve;
    guest_init(&eve, away, "eve");
    guest_join(&eve, "lobby");
    town_pass(&town, 5);
    assert_int_equal(lobby->present_count, 3);
    assert_true(fake_present(lobby, bob.id) != NULL);
    forget_heard(&ann);
    guest_close(&eve);
    town_pass(&town, 3);
    forget_heard(&ann);
    forget_heard(&bob);
}

/* ---- knowing */

static void events_that_come_twice_are_heard_once(void **state)
{
    (void)state;
    stranger('j', 1, "{}");
    log_bus_double(bus, 0);
    town_settle(&town);
    assert_heard(&ann, "+ lobby ee00000000000001 {}\n");
}

static void a_missing_event_makes_the_list_be_read_and_the_difference_be_told(void **state)
{
    (void)state;
    stranger('j', 1, "{}");
    stranger('j', 2, "{}");
    stranger('j', 3, "{}");
    town_settle(&town);
    forget_heard(&ann);
    stranger('l', 1, "left");
    stranger('u', 2, "{\"x\":1}");
    stranger('j', 4, "{}");
    log_bus_drop(bus, 0);
    log_bus_drop(bus, 0);
    town_settle(&town);
    assert_heard(&ann,
                 "- lobby ee00000000000001 left\n= lobby ee00000000000002 {\"x\":1}\n+ lobby ee00000000000004 {}\n");
}

static void events_that_come_while_the_list_is_read_are_applied_on_top_of_it(void **state)
{
    (void)state;
    stranger('j', 1, "{}");
    log_bus_drop(bus, 0);
    stranger('j', 2, "{}");
    log_bus_live_all(bus); /* a gap: it is read */
    stranger('j', 3, "{}");
    log_bus_live_all(bus);
    log_bus_execute(bus); /* with 1, 2 and 3 */
    stranger('l', 1, "left");
    stranger('j', 4, "{}");
    log_bus_live_all(bus);
    town_settle(&town);
    struct json_text all = {0};
    json_raw(&all, (struct bytes){(const char *)ann.peer.got, ann.peer.len + 1});
    for (int i = 1; i <= 4; i++) {
        char line[64];
        snprintf(line, sizeof line, "+ lobby ee0000000000000%d {}\n", i);
        assert_non_null(strstr(all.data, line));
    }
    assert_non_null(strstr(all.data, "- lobby ee00000000000001 left\n"));
    json_text_free(&all);
    forget_heard(&ann);
    assert_int_equal(roster()->pv, lobby->pv);
}

static void a_last_event_that_was_lost_is_found_by_the_regular_check(void **state)
{
    (void)state;
    stranger('j', 1, "{}");
    stranger('j', 2, "{}");
    log_bus_drop(bus, 1);
    town_settle(&town);
    assert_heard(&ann, "+ lobby ee00000000000001 {}\n");
    town_pass(&town, 125);
    assert_heard(&ann, "+ lobby ee00000000000002 {}\n");
}

static void a_reading_that_was_lost_is_asked_again(void **state)
{
    (void)state;
    log_bus_lose_channels(bus, NULL);
    stranger('j', 1, "{}");
    log_bus_subscribe(bus);
    log_bus_confirm(bus);
    log_bus_lose_commands(bus);
    town_pass(&town, 5);
    assert_heard(&ann, "+ lobby ee00000000000001 {}\n");
}

static void a_value_that_is_no_object_is_left_out(void **state)
{
    (void)state;
    stranger('j', 1, "{\"x\":");
    stranger('j', 2, "7");
    stranger('j', 3, "{}");
    town_settle(&town);
    assert_heard(&ann, "+ lobby ee00000000000003 {}\n");
    assert_int_equal(world_gauge(&home->world, COUNT_BUS_MALFORMED), 2);
}

/* ---- many */

static void crowd(char op, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++)
        stranger(op, i, op == 'l' ? "left" : "{}");
    town_settle(&town);
}

static void above_500_members_are_counted_and_below_450_listed_again(void **state)
{
    (void)state;
    crowd('j', 1, 499);
    assert_int_equal(roster()->state, ROSTER_LISTED);
    forget_heard(&ann);
    crowd('j', 500, 500);
    assert_int_equal(roster()->state, ROSTER_COUNTED);
    const char *heard = (const char *)ann.peer.got;
    assert_non_null(strstr(heard, "# lobby 501\n"));
    forget_heard(&ann);
    crowd('j', 501, MANY);
    assert_heard(&ann, "");
    town_pass(&town, 11);
    assert_heard(&ann, "# lobby 521\n");
    crowd('l', 460, MANY);
    town_pass(&town, 11);
    assert_heard(&ann, "# lobby 460\n"); /* not yet */
    crowd('l', 450, 459);
    town_pass(&town, 12);
    assert_int_equal(roster()->state, ROSTER_LISTED);
    heard = (const char *)ann.peer.got;
    assert_non_null(strstr(heard, "* lobby 450 [{"));
    assert_non_null(strstr(heard, ANN)); /* oneself included */
    forget_heard(&ann);
    crowd('j', 600, 600);
    assert_heard(&ann, "+ lobby ee00000000000258 {}\n");
}

static void who_joins_a_crowd_is_told_how_many(void **state)
{
    (void)state;
    crowd('j', 1, MANY);
    forget_heard(&ann);
    guest_join(&bob, "lobby");
    town_pass(&town, 3);
    assert_heard(&bob, "J lobby e1 0 0 0 522 []\n");
    town_pass(&town, 12);
    forget_heard(&ann);
}

/* The room is left and entered again while a count is on its way. */
static void a_count_of_an_earlier_stay_is_for_nobody(void **state)
{
    (void)state;
    crowd('j', 1, MANY);
    town_advance(&town, 1100);
    rooms_sweep(&home->rooms); /* asks */
    guest_leave(&ann, 0);
    guest_join(&ann, "lobby");
    forget_heard(&ann);
    struct fake_command *counting = bus->commands;
    assert_int_equal(counting->kind, FAKE_COUNTS);
    town_pass(&town, 15);
    const char *heard = (const char *)ann.peer.got;
    assert_null(strstr(heard, "# lobby 1\n"));
    assert_null(strstr(heard, "* lobby"));
    assert_int_equal(roster()->state, ROSTER_COUNTED);
    forget_heard(&ann);
}

#define presence_case(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        presence_case(comings_changes_and_goings_are_told_to_the_others),
        presence_case(who_goes_before_its_coming_was_told_is_never_heard_of),
        presence_case(who_is_in_has_been_told_of_before),
        presence_case(a_batch_that_went_unanswered_is_told_again_and_heard_once),
        presence_case(what_changes_twice_in_a_while_is_told_once),
        presence_case(the_muted_mark_is_seen_by_the_others),
        presence_case(who_leaves_and_comes_back_at_once_is_not_told_of_itself),
        presence_case(who_was_taken_for_dead_is_announced_again),
        presence_case(a_gateway_that_was_forgotten_finds_out_with_its_next_change),
        presence_case(events_that_come_twice_are_heard_once),
        presence_case(a_missing_event_makes_the_list_be_read_and_the_difference_be_told),
        presence_case(events_that_come_while_the_list_is_read_are_applied_on_top_of_it),
        presence_case(a_last_event_that_was_lost_is_found_by_the_regular_check),
        presence_case(a_reading_that_was_lost_is_asked_again),
        presence_case(a_value_that_is_no_object_is_left_out),
        presence_case(above_500_members_are_counted_and_below_450_listed_again),
        presence_case(who_joins_a_crowd_is_told_how_many),
        presence_case(a_count_of_an_earlier_stay_is_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
