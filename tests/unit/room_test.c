/* room_test.c -- who is in which room, from the join to the linger time, and what of the bus reaches whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_house.h"

/* ---- joining */

static void a_member_is_in_when_the_bus_has_confirmed_its_room(void **state)
{
    struct house *house = *state;
    struct person ann;
    person_init(&ann);
    assert_false(join(house, &ann, "lobby"));
    assert_int_equal(ann.member.state, MEMBER_JOINING);
    assert_int_equal(ann.in, 0);
    confirm(house, "lobby");
    assert_int_equal(ann.member.state, MEMBER_IN);
    assert_int_equal(ann.in, 1);
    go_home(house, &ann, 1);
}

static void a_join_to_a_confirmed_room_is_done_at_once(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    person_init(&people[1]);
    assert_true(join(house, &people[1], "lobby"));
    assert_int_equal(people[1].member.state, MEMBER_IN);
    assert_int_equal(people[1].in, 0); /* it was told by the return value */
    assert_int_equal(house->bus.subscribes, 1);
    go_home(house, people, 2);
}

static void all_who_wait_are_let_in_once_each(void **state)
{
    struct house *house = *state;
    enum { COUNT = 9 };
    struct person people[COUNT];
    for (int i = 0; i < COUNT; i++) {
        person_init(&people[i]);
        assert_false(join(house, &people[i], "lobby"));
    }
    assert_int_equal(house->bus.subscribes, 1);
    confirm(house, "lobby");
    bring(house, "lobby", "welcome");
    end_turn(house);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(people[i].in, 1);
        assert_got(&people[i], "<welcome>");
    }
    go_home(house, people, COUNT);
}

static void who_leaves_while_joining_is_not_let_in_and_the_others_are(void **state)
{
    struct house *house = *state;
    enum { COUNT = 4 };
    for (int gone = 0; gone < 1 << COUNT; gone++) {
        char room[16];
        snprintf(room, sizeof room, "room-%d", gone);
        struct person people[COUNT];
        for (int i = 0; i < COUNT; i++) {
            person_init(&people[i]);
            assert_false(join(house, &people[i], room));
        }
        for (int i = 0; i < COUNT; i++)
            if (gone >> i & 1)
                leave(house, &people[i]);
        confirm(house, room);
        bring(house, room, "hello");
        end_turn(house);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(people[i].in, gone >> i & 1 ? 0 : 1);
            assert_got(&people[i], gone >> i & 1 ? "" : "<hello>");
        }
        go_home(house, people, COUNT); /* leaving twice does nothing */
    }
}

static struct person *others;

static void all_others_leave(struct house *house, struct member *member)
{
    for (int i = 0; i < 3; i++)
        if (&others[i].member != member)
            leave(house, &others[i]);
}

static void one_who_is_let_in_may_make_others_leave_who_still_wait(void **state)
{
    struct house *house = *state;
    struct person people[3];
    others = people;
    for (int i = 0; i < 3; i++) {
        person_init(&people[i]);
        join(house, &people[i], "lobby");
    }
    house->on_in = all_others_leave;
    confirm(house, "lobby");
    assert_int_equal(people[0].in + people[1].in + people[2].in, 1);
    assert_int_equal(world_gauge(&house->world, GAUGE_MEMBERS), 1);
    go_home(house, people, 3);
}

static void it_leaves_at_once(struct house *house, struct member *member)
{
    room_leave(&house->rooms, member, "left");
}

static void one_who_is_let_in_may_leave_at_once(void **state)
{
    struct house *house = *state;
    struct person people[3];
    for (int i = 0; i < 3; i++) {
        person_init(&people[i]);
        join(house, &people[i], "lobby");
    }
    house->on_in = it_leaves_at_once;
    confirm(house, "lobby");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(people[i].in, 1);
        assert_int_equal(people[i].member.state, MEMBER_OUT);
    }
    go_home(house, people, 3);
}

static void what_comes_before_the_confirmation_is_not_for_those_who_wait(void **state)
{
    struct house *house = *state;
    struct person ann;
    person_init(&ann);
    join(house, &ann, "lobby");
    bring(house, "lobby", "early");
    confirm(house, "lobby");
    bring(house, "lobby", "late");
    end_turn(house);
    assert_got(&ann, "<late>");
    go_home(house, &ann, 1);
}

static void who_joins_in_the_middle_of_a_turn_gets_what_comes_after(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    bring(house, "lobby", "before");
    enter(house, &people[1], "lobby");
    bring(house, "lobby", "after");
    end_turn(house);
    assert_got(&people[0], "<before><after>");
    assert_got(&people[1], "<after>");
    go_home(house, people, 2);
}

static void a_lost_subscription_makes_new_joins_wait_for_the_next_confirmation(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    channel_of(house, "lobby")->confirmed = false;
    person_init(&people[1]);
    assert_false(join(house, &people[1], "lobby"));
    assert_int_equal(people[1].in, 0);
    assert_int_equal(people[0].member.state, MEMBER_IN);
    bring(house, "lobby", "first");
    confirm(house, "lobby");
    assert_int_equal(people[0].in, 1); /* not let in a second time */
    assert_int_equal(people[1].in, 1);
    bring(house, "lobby", "second");
    end_turn(house);
    assert_got(&people[0], "<first><second>");
    assert_got(&people[1], "<second>");
    assert_int_equal(house->bus.subscribes, 1);
    go_home(house, people, 2);
}

static void each_presence_has_an_id_of_its_own_that_carries_the_gateways(void **state)
{
    struct house *house = *state;
    enum { COUNT = 100 };
    static struct person people[COUNT];
    uint64_t ids[2 * COUNT];
    for (int i = 0; i < 2 * COUNT; i++) {
        struct person *person = &people[i % COUNT];
        if (i >= COUNT) { /* again: a new presence */
            leave(house, person);
            peer_close(&house->world, &person->peer);
        }
        enter(house, person, i % 3 ? "lobby" : "hall");
        ids[i] = person->member.target.id;
        assert_int_equal(ids[i] >> 32, GATEWAY);
        assert_int_not_equal((uint32_t)ids[i], 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
    }
    go_home(house, people, COUNT);
}

static void a_name_is_copied_and_compared_as_a_whole(void **state)
{
    struct house *house = *state;
    struct person people[3];
    char name[] = "lobby";
    for (int i = 0; i < 3; i++)
        person_init(&people[i]);
    room_join(&house->rooms, &people[0].member, bytes_of(name), &angle_encoding, false);
    memset(name, 'x', sizeof name - 1);
    join(house, &people[1], "lobb");
    join(house, &people[2], "lobby2");
    assert_int_equal(house->bus.subscribes, 3);
    confirm(house, "lobby");
    assert_int_equal(people[0].in, 1);
    assert_int_equal(people[1].in + people[2].in, 0);
    say(house, &people[0], "x");
    assert_string_equal(house->bus.published[0].room, "lobby");
    go_home(house, people, 3);
}

/* ---- leaving and lingering */

static void an_empty_room_stays_subscribed_for_the_linger_time(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    leave(house, &people[0]);
    world_advance_ms(&house->world, 10 * LINGER_MS);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 0); /* somebody is in */
    leave(house, &people[1]);
    sweep(house);
    world_advance_ms(&house->world, LINGER_MS - 1);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 0);
    world_advance_ms(&house->world, 1);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 1);
    assert_null(channel_of(house, "lobby"));
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 1);
    enter(house, &people[0], "lobby"); /* a new room, a new subscription */
    assert_int_equal(house->bus.subscribes, 2);
    go_home(house, people, 2);
}

static void who_comes_back_in_the_linger_time_is_in_at_once_and_the_room_stays(void **state)
{
    struct house *house = *state;
    struct person ann;
    enter(house, &ann, "lobby");
    leave(house, &ann);
    world_advance_ms(&house->world, LINGER_MS - 1);
    sweep(house);
    come_back(house, &ann, "lobby");
    assert_int_equal(house->bus.subscribes, 1);
    world_advance_ms(&house->world, 10 * LINGER_MS);
    sweep(house);
    bring(house, "lobby", "still here");
    end_turn(house);
    assert_got(&ann, "<still here>");
    leave(house, &ann); /* and the time begins anew */
    world_advance_ms(&house->world, LINGER_MS - 1);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 0);
    world_advance_ms(&house->world, 1);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 1);
    go_home(house, &ann, 1);
}

/* A room whose only member left while joining lingers as well; the confirmation finds nobody. */
static void a_room_that_nobody_waits_for_any_more_lingers_too(void **state)
{
    struct house *house = *state;
    struct person ann;
    person_init(&ann);
    join(house, &ann, "lobby");
    leave(house, &ann);
    confirm(house, "lobby");
    assert_int_equal(ann.in, 0);
    bring(house, "lobby", "nobody hears this");
    assert_int_equal(world_gauge(&house->world, GAUGE_BLOCK_BYTES), 0);
    world_advance_ms(&house->world, LINGER_MS);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 1);
    go_home(house, &ann, 1);
}

static void rooms_go_in_the_order_in_which_they_became_empty(void **state)
{
    struct house *house = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    struct person people[4];
    for (int i = 0; i < 4; i++)
        enter(house, &people[i], names[i]);
    for (int i = 3; i >= 0; i--) { /* d, c, b, a, a second apart */
        leave(house, &people[i]);
        world_advance_ms(&house->world, 1000);
    }
    come_back(house, &people[2], "c"); /* out of the middle of the list */
    world_advance_ms(&house->world, LINGER_MS - 4000);
    sweep(house);
    assert_null(channel_of(house, "d"));
    assert_int_equal(house->bus.unsubscribes, 1);
    come_back(house, &people[0], "a"); /* its last */
    come_back(house, &people[1], "b"); /* its only one */
    leave(house, &people[2]);
    world_advance_ms(&house->world, LINGER_MS);
    sweep(house);
    assert_null(channel_of(house, "c"));
    assert_int_equal(house->bus.unsubscribes, 2);
    go_home(house, people, 4);
    world_advance_ms(&house->world, LINGER_MS);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 4);
}

static void a_room_that_comes_back_leaves_the_other_empty_ones_to_their_time(void **state)
{
    struct house *house = *state;
    static const char *const names[] = {"a", "b", "c"};
    for (int back = 0; back < 3; back++) {
        struct person people[4];
        for (int i = 0; i < 3; i++)
            enter(house, &people[i], names[i]);
        for (int i = 0; i < 3; i++)
            leave(house, &people[i]);
        come_back(house, &people[back], names[back]);
        enter(house, &people[3], "later");
        leave(house, &people[3]);
        world_advance_ms(&house->world, LINGER_MS);
        sweep(house);
        for (int i = 0; i < 3; i++)
            assert_int_equal(channel_of(house, names[i]) != NULL, i == back);
        assert_null(channel_of(house, "later"));
        go_home(house, people, 4);
        world_advance_ms(&house->world, LINGER_MS);
        sweep(house);
    }
}

static void who_leaves_gets_what_the_room_got_before(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    bring(house, "lobby", "before");
    leave(house, &people[0]);
    assert_got(&people[0], "<before>");
    bring(house, "lobby", "after");
    end_turn(house);
    assert_got(&people[0], "<before>");
    assert_got(&people[1], "<before><after>");
    go_home(house, people, 2);
}

/* Its outbox looks into the batch that the others' messages still go into. */
static void one_who_leaves_blocked_holds_nothing_that_the_turn_still_needs(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    people[0].peer.room = 0;
    bring(house, "lobby", "before");
    leave(house, &people[0]);
    char expected[64 * 12 + 16] = "<before>";
    for (int i = 0; i < 64; i++) { /* more than the block had room for */
        bring(house, "lobby", "0123456789");
        strcat(expected, "<0123456789>");
    }
    end_turn(house);
    peer_unblock(&house->world, &people[0].peer, SIZE_MAX);
    assert_got(&people[0], "<before>");
    assert_got(&people[1], expected);
    go_home(house, people, 2);
}

static void a_room_may_go_before_its_last_messages_were_flushed(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "hall");
    bring(house, "lobby", "last words");
    bring(house, "hall", "hello");
    leave(house, &people[0]);
    world_advance_ms(&house->world, LINGER_MS);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, 1);
    end_turn(house);
    assert_got(&people[0], "<last words>");
    assert_got(&people[1], "<hello>");
    go_home(house, people, 2);
}

static void rooms_and_members_are_counted_while_somebody_is_there(void **state)
{
    struct house *house = *state;
    struct person people[3];
    const struct world *world = &house->world;
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    enter(house, &people[2], "hall");
    assert_int_equal(world_gauge(world, GAUGE_ROOMS), 2);
    assert_int_equal(world_gauge(world, GAUGE_MEMBERS), 3);
    leave(house, &people[2]);
    assert_int_equal(world_gauge(world, GAUGE_ROOMS), 1); /* the lingering one has no members */
    assert_int_equal(world_gauge(world, GAUGE_MEMBERS), 2);
    assert_true(join(house, &people[2], "hall"));
    assert_int_equal(world_gauge(world, GAUGE_ROOMS), 2);
    go_home(house, people, 3);
    assert_int_equal(world_gauge(world, GAUGE_ROOMS), 0);
    world_advance_ms(&house->world, LINGER_MS);
    sweep(house);
    assert_int_equal(world_gauge(world, GAUGE_ROOMS), 0);
    assert_int_equal(world_gauge(world, GAUGE_MEMBERS), 0);
}

/* ---- messages */

static void what_a_member_says_is_published_with_its_name_on_it(void **state)
{
    struct house *house = *state;
    struct person ann;
    enter(house, &ann, "lobby");
    say(house, &ann, "hello");
    struct saying saying = {.kind = ENVELOPE_BINARY, .payload = {"\0\1", 2}};
    assert_true(room_publish(&house->rooms, &ann.member, &saying));
    assert_int_equal(house->bus.publishes, 2);
    static const char payloads[2][6] = {"hello", "\0\1"};
    for (int i = 0; i < 2; i++) {
        struct envelope envelope;
        struct bytes message = {house->bus.published[i].message, house->bus.published[i].len};
        assert_string_equal(house->bus.published[i].room, "lobby");
        assert_int_equal(envelope_decode(message, &envelope), ENVELOPE_OK);
        assert_int_equal(envelope.member, ann.member.target.id);
        assert_int_equal(envelope.kind, i ? ENVELOPE_BINARY : ENVELOPE_TEXT);
        assert_int_equal(envelope.time_ms, clock_wall_ms(house->env.clock));
        assert_int_equal(envelope.payload.len, i ? 2 : 5);
        assert_memory_equal(envelope.payload.data, payloads[i], envelope.payload.len);
    }
    go_home(house, &ann, 1);
}

static void a_message_reaches_all_members_but_its_sender(void **state)
{
    struct house *house = *state;
    struct person people[3];
    for (int i = 0; i < 3; i++)
        enter(house, &people[i], "lobby");
    say(house, &people[0], "from 0");
    say(house, &people[1], "from 1");
    end_turn(house);
    assert_got(&people[0], "<from 1>");
    assert_got(&people[1], "<from 0>");
    assert_got(&people[2], "<from 0><from 1>");
    go_home(house, people, 3);
}

static void a_sender_with_echo_gets_its_own_message_too(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    person_init(&people[1]);
    assert_true(room_join(&house->rooms, &people[1].member, bytes_of("lobby"), &angle_encoding, true));
    say(house, &people[0], "plain");
    say(house, &people[1], "echoed");
    end_turn(house);
    assert_got(&people[0], "<echoed>");
    assert_got(&people[1], "<plain><echoed>");
    go_home(house, people, 2);
}

static size_t shout(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    size_t len = angle_encode(encoding, envelope, out);
    for (size_t i = 0; i < len; i++)
        if (out[i] >= 'a' && out[i] <= 'z')
            out[i] = (uint8_t)(out[i] - 'a' + 'A');
    return len;
}

static void members_with_different_encodings_share_a_room(void **state)
{
    struct house *house = *state;
    static const struct encoding loud = {.name = "loud", .bound = angle_bound, .encode = shout};
    struct person people[4];
    for (int i = 0; i < 4; i++) {
        person_init(&people[i]);
        room_join(&house->rooms, &people[i].member, bytes_of("lobby"), i % 2 ? &loud : &angle_encoding, false);
    }
    confirm(house, "lobby");
    say(house, &people[0], "zero");
    say(house, &people[1], "one");
    end_turn(house);
    assert_got(&people[0], "<one>");
    assert_got(&people[1], "<ZERO>");
    assert_got(&people[2], "<zero><one>");
    assert_got(&people[3], "<ZERO><ONE>");
    go_home(house, people, 4);
}

static void a_message_stays_in_its_room(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "hall");
    say(house, &people[0], "in the lobby");
    bring(house, "hall", "in the hall");
    end_turn(house);
    assert_got(&people[0], "");
    assert_got(&people[1], "<in the hall>");
    go_home(house, people, 2);
}

static void only_the_sender_itself_is_left_out(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "hall");
    char message[128];
    uint32_t lower = (uint32_t)people[0].member.target.id;
    snprintf(message, sizeof message, "p1 0 - t - %08x%08x 1 foreign", GATEWAY + 1, lower); /* another gateway's */
    bring(house, "lobby", message);
    snprintf(message, sizeof message, "p1 0 - t - %08x%08x 1 elsewhere", GATEWAY, lower + 1); /* who is in the hall */
    bring(house, "lobby", message);
    snprintf(message, sizeof message, "p1 0 - t - %08x%08x 1 gone", GATEWAY, lower + 500);
    bring(house, "lobby", message);
    snprintf(message, sizeof message, "p1 0 - t - %08x%08x/ann 1 own", GATEWAY, lower);
    bring(house, "lobby", message);
    end_turn(house);
    assert_got(&people[0], "<foreign><elsewhere><gone>");
    go_home(house, people, 2);
}

static void what_a_member_said_before_it_left_reaches_the_others(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    say(house, &people[0], "goodbye");
    leave(house, &people[0]);
    end_turn(house);
    assert_got(&people[0], "");
    assert_got(&people[1], "<goodbye>");
    go_home(house, people, 2);
}

static void an_admins_plain_text_reaches_everybody(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    bring(house, "lobby", "maintenance at noon");
    bring(house, "lobby", "");
    bring(house, "lobby", "p is for plain");
    end_turn(house);
    for (int i = 0; i < 2; i++)
        assert_got(&people[i], "<maintenance at noon><><p is for plain>");
    go_home(house, people, 2);
}

static void broken_envelopes_and_those_of_other_versions_are_counted_and_dropped(void **state)
{
    struct house *house = *state;
    struct person ann;
    enter(house, &ann, "lobby");
    bring(house, "lobby", "p1 ");
    bring(house, "lobby", "p1 x - t - - 0 bad number");
    bring(house, "lobby", "p1 0 - t - - 0");
    bring(house, "lobby", "p2 0 - t - - 0 from the future");
    bring(house, "lobby", "p12 0");
    bring(house, "lobby", "p1 0 - t - - 0 good");
    end_turn(house);
    assert_got(&ann, "<good>");
    assert_int_equal(world_gauge(&house->world, COUNT_BUS_MALFORMED), 3);
    assert_int_equal(world_gauge(&house->world, COUNT_BUS_UNKNOWN_VERSION), 2);
    go_home(house, &ann, 1);
}

/* An admin's PUBLISH knows no --max-message. */
static void a_message_larger_than_max_message_is_dropped_and_counted(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    house->rooms.max_message = 5;
    bring(house, "lobby", "fits.");
    bring(house, "lobby", "larger");
    bring(house, "lobby", "p1 0 - t - - 0 fits."); /* the payload is what counts */
    bring(house, "lobby", "p1 0 - t - - 0 larger");
    bring(house, "lobby", "");
    end_turn(house);
    assert_int_equal(world_gauge(&house->world, COUNT_BUS_TOO_BIG), 2);
    assert_int_equal(world_gauge(&house->world, COUNT_BUS_MALFORMED), 0);
    for (int i = 0; i < 2; i++)
        assert_got(&people[i], "<fits.><fits.><>");
    go_home(house, people, 2);
}

static void without_max_message_any_size_is_delivered(void **state)
{
    enum { MUCH = 3 << 20 };
    struct house *house = *state;
    struct person ann;
    enter(house, &ann, "lobby");
    assert_int_equal(house->rooms.max_message, 0); /* as rooms_init leaves it */
    char *text = xcalloc(1, MUCH);
    memset(text, 'x', MUCH);
    bring_bytes(house, "lobby", text, MUCH);
    free(text);
    end_turn(house);
    assert_int_equal(ann.peer.len, MUCH + strlen("<>"));
    assert_int_equal(world_gauge(&house->world, COUNT_BUS_TOO_BIG), 0);
    go_home(house, &ann, 1);
}

static void a_kind_that_no_encoding_carries_goes_to_nobody(void **state)
{
    struct house *house = *state;
    struct person ann;
    enter(house, &ann, "lobby");
    bring(house, "lobby", "p1 0 - p - - 5 somebody came");
    assert_null(house->world.flush.first);
    assert_int_equal(house->world.counters.latency_sum_ms, 0);
    go_home(house, &ann, 1);
}

static void the_latency_is_counted_for_each_receiver(void **state)
{
    struct house *house = *state;
    struct person people[3];
    for (int i = 0; i < 3; i++)
        enter(house, &people[i], "lobby");
    say(house, &people[0], "slow");
    world_advance_ms(&house->world, 30);
    end_turn(house);
    bring(house, "lobby", "an admin's has no time");
    end_turn(house);
    uint64_t messages = 0;
    for (int i = 0; i <= LATENCY_BUCKETS; i++)
        messages += house->world.counters.latency[i];
    assert_int_equal(messages, 2);
    assert_int_equal(house->world.counters.latency_sum_ms, 60);
    go_home(house, people, 3);
}

/* ---- what the bus tells */

static void a_failed_publish_is_told_to_its_member_or_to_nobody(void **state)
{
    struct house *house = *state;
    struct person people[2];
    enter(house, &people[0], "lobby");
    enter(house, &people[1], "lobby");
    say(house, &people[0], "one");
    say(house, &people[0], "two");
    fail_first(house, BUS_UNCERTAIN);
    assert_int_equal(people[0].failed, 1);
    assert_int_equal(people[0].why, BUS_UNCERTAIN);
    assert_int_equal(people[1].failed, 0);
    leave(house, &people[0]);
    fail_first(house, BUS_REFUSED);
    assert_int_equal(people[0].failed, 1);
    assert_int_equal(people[1].failed, 0);
    house->bus.publishes = 0;
    go_home(house, people, 2);
}

static void a_bus_that_refuses_takes_nothing_until_it_flows_again(void **state)
{
    struct house *house = *state;
    struct person ann;
    enter(house, &ann, "lobby");
    rooms_bus_events.on_pressure(&house->rooms, BUS_PRESSED);
    say(house, &ann, "still taken");
    rooms_bus_events.on_pressure(&house->rooms, BUS_REFUSING);
    struct saying refused = {.kind = ENVELOPE_TEXT, .payload = BYTES("refused")};
    assert_false(room_publish(&house->rooms, &ann.member, &refused));
    assert_int_equal(house->bus.publishes, 1);
    rooms_bus_events.on_pressure(&house->rooms, BUS_FLOWING);
    say(house, &ann, "taken");
    assert_int_equal(house->bus.publishes, 2);
    assert_int_equal(house->pressures, 3); /* and each was told upwards */
    assert_int_equal(house->pressure, BUS_FLOWING);
    go_home(house, &ann, 1);
}

/* ---- against a list of who is in which room */

static void joins_leaves_and_sweeps_in_any_order_keep_everybody_where_they_are(void **state)
{
    struct house *house = *state;
    enum { PEOPLE = 12, ROOMS = 3, STEPS = 20000 };
    static const char *const names[ROOMS] = {"a", "b", "c"};
    static struct person people[PEOPLE];
    int where[PEOPLE];
    size_t heard[PEOPLE] = {0}, members = 0;
    for (int i = 0; i < PEOPLE; i++) {
        person_init(&people[i]);
        where[i] = -1;
    }
    for (int step = 0; step < STEPS; step++) {
        int i = (int)dice_below(&house->dice, PEOPLE), room = (int)dice_below(&house->dice, ROOMS);
        struct bus_channel *channel = channel_of(house, names[room]);
        switch (dice_below(&house->dice, 6)) {
        case 0:
        case 1:
            if (where[i] >= 0) {
                leave(house, &people[i]);
                where[i] = -1;
                members--;
            } else {
                join(house, &people[i], names[room]);
                answer(house); /* the lock may have to be read anew */
                assert_int_equal(people[i].member.state == MEMBER_IN, channel && channel->confirmed);
                where[i] = room;
                members++;
            }
            break;
        case 2:
            if (channel && !channel->confirmed)
                confirm(house, names[room]);
            for (int j = 0; channel && j < PEOPLE; j++)
                assert_true(where[j] != room || people[j].member.state == MEMBER_IN);
            break;
        case 3:
            if (!channel)
                break;
            bring(house, names[room], "x");
            for (int j = 0; j < PEOPLE; j++)
                heard[j] += where[j] == room && people[j].member.state == MEMBER_IN ? 3 : 0;
            break;
        case 4:
            end_turn(house);
            break;
        case 5:
            world_advance_ms(&house->world, dice_below(&house->dice, LINGER_MS));
            sweep(house);
            break;
        }
        assert_int_equal(world_gauge(&house->world, GAUGE_MEMBERS), members);
    }
    end_turn(house);
    for (int i = 0; i < PEOPLE; i++) {
        assert_int_equal(people[i].peer.len, heard[i]);
        assert_true(heard[i] > 100); /* or too little happened */
    }
    assert_true(house->bus.unsubscribes > 20);
    go_home(house, people, PEOPLE);
    world_advance_ms(&house->world, LINGER_MS);
    sweep(house);
    assert_int_equal(house->bus.unsubscribes, house->bus.subscribes);
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_member_is_in_when_the_bus_has_confirmed_its_room),
        ROOM_TEST(a_join_to_a_confirmed_room_is_done_at_once),
        ROOM_TEST(all_who_wait_are_let_in_once_each),
        ROOM_TEST(who_leaves_while_joining_is_not_let_in_and_the_others_are),
        ROOM_TEST(one_who_is_let_in_may_make_others_leave_who_still_wait),
        ROOM_TEST(one_who_is_let_in_may_leave_at_once),
        ROOM_TEST(what_comes_before_the_confirmation_is_not_for_those_who_wait),
        ROOM_TEST(who_joins_in_the_middle_of_a_turn_gets_what_comes_after),
        ROOM_TEST(a_lost_subscription_makes_new_joins_wait_for_the_next_confirmation),
        ROOM_TEST(each_presence_has_an_id_of_its_own_that_carries_the_gateways),
        ROOM_TEST(a_name_is_copied_and_compared_as_a_whole),
        ROOM_TEST(an_empty_room_stays_subscribed_for_the_linger_time),
        ROOM_TEST(who_comes_back_in_the_linger_time_is_in_at_once_and_the_room_stays),
        ROOM_TEST(a_room_that_nobody_waits_for_any_more_lingers_too),
        ROOM_TEST(rooms_go_in_the_order_in_which_they_became_empty),
        ROOM_TEST(a_room_that_comes_back_leaves_the_other_empty_ones_to_their_time),
        ROOM_TEST(who_leaves_gets_what_the_room_got_before),
        ROOM_TEST(one_who_leaves_blocked_holds_nothing_that_the_turn_still_needs),
        ROOM_TEST(a_room_may_go_before_its_last_messages_were_flushed),
        ROOM_TEST(rooms_and_members_are_counted_while_somebody_is_there),
        ROOM_TEST(what_a_member_says_is_published_with_its_name_on_it),
        ROOM_TEST(a_message_reaches_all_members_but_its_sender),
        ROOM_TEST(a_sender_with_echo_gets_its_own_message_too),
        ROOM_TEST(members_with_different_encodings_share_a_room),
        ROOM_TEST(a_message_stays_in_its_room),
        ROOM_TEST(only_the_sender_itself_is_left_out),
        ROOM_TEST(what_a_member_said_before_it_left_reaches_the_others),
        ROOM_TEST(an_admins_plain_text_reaches_everybody),
        ROOM_TEST(broken_envelopes_and_those_of_other_versions_are_counted_and_dropped),
        ROOM_TEST(a_message_larger_than_max_message_is_dropped_and_counted),
        ROOM_TEST(without_max_message_any_size_is_delivered),
        ROOM_TEST(a_kind_that_no_encoding_carries_goes_to_nobody),
        ROOM_TEST(the_latency_is_counted_for_each_receiver),
        ROOM_TEST(a_failed_publish_is_told_to_its_member_or_to_nobody),
        ROOM_TEST(a_bus_that_refuses_takes_nothing_until_it_flows_again),
        ROOM_TEST(joins_leaves_and_sweeps_in_any_order_keep_everybody_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
