/* bus_contract.h -- what every bus promises (see gateway/bus/bus.h), as tests: subscriptions and publishes without a
 * log.
 *
 * Included by local_bus_test.c and redis_bus_test.c, which define contract_bus_open (see support/bus_contract_world.h)
 * and add CONTRACT_TESTS to their list. The other parts of the contract: bus_log_contract.h, bus_presence_contract.h,
 * bus_admin_contract.h. */
#ifndef PLENUM_TESTS_UNIT_BUS_CONTRACT_H
#define PLENUM_TESTS_UNIT_BUS_CONTRACT_H

#include "support/bus_contract_world.h"

static void a_subscription_is_confirmed_once_and_never_from_inside(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    int room;
    struct bus_channel *channel = world_subscribe(worker, "lobby", &room);
    assert_ptr_equal(channel->subscriber, &room);
    assert_int_equal(worker->confirmed, 0);
    world_until(world, worker->confirmed > 0);
    world_run_for(world, 100);
    assert_int_equal(worker->confirmed, 1);
    assert_true(channel->confirmed);
}

static void the_own_copy_comes_back_once(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    world_publish(&world->workers[0], "lobby", "hello", 77);
    world_until(world, world->workers[0].messages && world->workers[1].messages);
    world_run_for(world, 50);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world->workers[i].messages, 1);
        assert_string_equal(world_message(&world->workers[i], 0)->payload, "hello");
        assert_int_equal(world_message(&world->workers[i], 0)->member, 77);
    }
}

static void all_workers_hear_one_order(void **state)
{
    enum { ROUNDS = 200, PER_TURN = 5, ALL = 2 * ROUNDS * PER_TURN };
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2 * PER_TURN; i++) {
            char text[32];
            snprintf(text, sizeof text, "%d", round * PER_TURN + i / 2);
            world_publish(&world->workers[i % 2], "lobby", text, (uint64_t)(1 + i % 2));
        }
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    world_until(world, world->workers[0].messages == ALL && world->workers[1].messages == ALL);

    int next[3] = {0};
    for (size_t i = 0; i < ALL; i++) {
        const struct told *mine = world_message(&world->workers[0], i);
        const struct told *other = world_message(&world->workers[1], i);
        assert_int_equal(mine->member, other->member);
        assert_string_equal(mine->payload, other->payload);
        assert_int_equal(atoi(mine->payload), next[mine->member]++); /* each publisher's own order is kept */
    }
}

static void rooms_do_not_mix(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    int a, b;
    world_subscribe(worker, "a", &a);
    world_subscribe(worker, "b", &b);
    world_until(world, worker->confirmed == 2);
    world_publish(&world->workers[1], "b", "for b", 1);
    world_publish(&world->workers[1], "a", "for a", 1);
    world_publish(&world->workers[1], "ab", "for nobody", 1);
    world_until(world, worker->messages == 2);
    world_run_for(world, 50);
    assert_int_equal(world_heard(worker, &a), 1);
    assert_int_equal(world_heard(worker, &b), 1);
}

static void a_room_that_nobody_wants_takes_messages(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    world_publish(worker, "empty", "hello", 1);
    world_until(world, bus_idle(worker->bus));
    assert_int_equal(worker->failed, 0);
    assert_int_equal(worker->messages, 0);
}

static void each_publish_with_a_ticket_is_told_once_and_in_order(void **state)
{
    enum { PUBLISHES = 100 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    for (uint64_t i = 1; i <= PUBLISHES; i++) {
        world_publish(worker, "tickets", "hello", i);
        world_publish(worker, "tickets", "nobody wants to know", 0);
        if (i % 7 == 0)
            uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    world_until(world, worker->published == PUBLISHES);
    world_until(world, bus_idle(worker->bus));
    world_run_for(world, 50);
    assert_int_equal(worker->told_count, PUBLISHES);
    for (size_t i = 0; i < PUBLISHES; i++) {
        const struct told *told = world_told(worker, TOLD_PUBLISHED, i);
        assert_int_equal(told->member, i + 1);
        assert_int_equal(told->seq, 0);
        assert_string_equal(told->epoch, "");
        assert_false(told->duplicate);
    }
}

static void payloads_are_any_bytes(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    char every[256];
    for (int i = 0; i < 256; i++)
        every[i] = (char)i;
    struct bytes payloads[] = {BYTES("\r\n*1\r\n$4\r\nPING\r\n"), {every, 256}, {NULL, 0}, BYTES("p1 1 2 3")};
    for (size_t i = 0; i < 4; i++)
        world_publish_bytes(&world->workers[0], "lobby", payloads[i], 1);
    world_until(world, world->workers[1].messages == 4);
    for (size_t i = 0; i < 4; i++) {
        const struct told *told = world_message(&world->workers[1], i);
        assert_true(bytes_equal((struct bytes){told->payload, told->len}, payloads[i]));
    }
}

static void a_mebibyte_comes_through(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    size_t len = 1 << 20;
    char *payload = xmalloc(len);
    for (size_t i = 0; i < len; i++)
        payload[i] = (char)(i * 7 + i / 251);
    for (int i = 0; i < 5; i++)
        world_publish_bytes(&world->workers[i % 2], "lobby", (struct bytes){payload, len}, 1);
    world_publish(&world->workers[0], "lobby", "after", 1);
    world_until(world, world->workers[0].messages == 6 && world->workers[1].messages == 6);
    for (size_t i = 0, whole = 0; i < 6; i++) {
        const struct told *told = world_message(&world->workers[1], i);
        whole += told->len == len && memcmp(told->payload, payload, len) == 0;
        if (i == 5)
            assert_int_equal(whole, 5);
    }
    free(payload);
}

static void nothing_is_heard_after_unsubscribing(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    world_publish(&world->workers[1], "lobby", "under way", 1);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    bus_unsubscribe(world->workers[0].bus, channels[0]);
    size_t heard = world->workers[0].messages;
    world_publish(&world->workers[1], "lobby", "later", 1);
    world_until(world, world->workers[1].messages == 2);
    world_run_for(world, 50);
    assert_int_equal(world->workers[0].messages, heard);
}

static void leaving_before_the_confirmation_tells_nothing(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    int room;
    for (int flushes = 0; flushes < 2; flushes++) {
        struct bus_channel *channel = world_subscribe(worker, "lobby", &room);
        if (flushes > 0)
            bus_flush(worker->bus); /* it is on its way, or even there */
        size_t confirmed = worker->confirmed;
        bus_unsubscribe(worker->bus, channel);
        world_run_for(world, 50);
        assert_int_equal(worker->confirmed, confirmed);
    }
}

static void coming_back_at_once_is_confirmed_again(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    int first, second, third;
    struct bus_channel *channel = world_subscribe(worker, "lobby", &first);
    world_until(world, worker->confirmed == 1);

    bus_unsubscribe(worker->bus, channel); /* in the same turn */
    channel = world_subscribe(worker, "lobby", &second);
    world_until(world, worker->confirmed == 2);

    bus_unsubscribe(worker->bus, channel); /* while the UNSUBSCRIBE is in flight */
    bus_flush(worker->bus);
    world_subscribe(worker, "lobby", &third);
    world_until(world, worker->confirmed == 3);

    world_publish(&world->workers[1], "lobby", "hello", 1);
    world_until(world, worker->messages == 1);
    assert_int_equal(world_heard(worker, &third), 1);
}

/* Whatever order of comings and goings: what is wanted in the end is heard, and nothing else. */
static void a_storm_of_subscriptions_ends_as_wanted(void **state)
{
    enum { ROOMS = 24, TURNS = 600 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    struct bus_channel *channels[ROOMS] = {NULL};
    char names[ROOMS][24];
    uint32_t random = 12345;
    for (int i = 0; i < ROOMS; i++)
        snprintf(names[i], sizeof names[i], "room-%d", i);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 6; i++) {
            random = random * 1664525 + 1013904223;
            int room = (int)(random >> 16) % ROOMS;
            if (channels[room]) {
                bus_unsubscribe(worker->bus, channels[room]);
                channels[room] = NULL;
            } else {
                channels[room] = world_subscribe(worker, names[room], names[room]);
            }
            world_publish(&world->workers[1], names[room], "noise", 1);
        }
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    size_t wanted = 0;
    for (int i = 0; i < ROOMS; i++) {
        if (channels[i]) {
            world_until(world, channels[i]->confirmed);
            wanted++;
        }
    }
    world_run_for(world, 100);
    world_forget(worker);
    for (int i = 0; i < ROOMS; i++)
        world_publish(&world->workers[1], names[i], "end", 1);
    world_until(world, worker->messages == wanted);
    world_run_for(world, 50);
    assert_int_equal(worker->messages, wanted);
    for (int i = 0; i < ROOMS; i++)
        assert_int_equal(world_heard(worker, names[i]), channels[i] != NULL);
}

static void two_thousand_rooms_are_confirmed(void **state)
{
    enum { ROOMS = 2000 };
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    static char names[ROOMS][24];
    static struct bus_channel *channels[ROOMS];
    for (int i = 0; i < ROOMS; i++) {
        snprintf(names[i], sizeof names[i], "many-%d", i);
        channels[i] = world_subscribe(worker, names[i], names[i]);
    }
    world_until(world, worker->confirmed == ROOMS);
    for (int i = 0; i < ROOMS; i++)
        world_publish(&world->workers[1], names[i], names[i], 1);
    world_until(world, worker->messages == ROOMS);
    for (size_t i = 0; i < ROOMS; i++)
        assert_string_equal(world_message(worker, i)->payload, world_message(worker, i)->subscriber);
    for (int i = 0; i < ROOMS; i++)
        bus_unsubscribe(worker->bus, channels[i]);
    world_publish(&world->workers[1], names[0], "after", 1);
    world_run_for(world, 50);
    assert_int_equal(worker->messages, ROOMS);
}

static struct bus_channel *inner_channel;

/* Answers the first message from inside: leaves the room, comes back, joins another and says something there. */
static void act_from_inside(struct bus_worker *worker, struct bus_channel *channel, const struct envelope *envelope)
{
    if (!bytes_equal(envelope->payload, BYTES("go")))
        return;
    static char again, other;
    bus_unsubscribe(worker->bus, channel);
    inner_channel = world_subscribe(worker, "lobby", &again);
    world_subscribe(worker, "other", &other);
    world_publish(worker, "lobby", "from inside", 5);
}

static void callbacks_may_subscribe_unsubscribe_and_publish(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    world->workers[0].on_message = act_from_inside;
    for (int i = 0; i < 5; i++)
        world_publish(&world->workers[1], "lobby", i == 1 ? "go" : "noise", 1);
    world_until(world, world->workers[1].messages == 6 && world->workers[0].confirmed == 3);
    assert_string_equal(world_message(&world->workers[1], 5)->payload, "from inside");
    world_publish(&world->workers[1], "lobby", "hello again", 1);
    world_publish(&world->workers[1], "other", "last", 1);
    world_until(world, world_last_is(&world->workers[0], "last"));
    assert_true(world_heard(&world->workers[0], inner_channel->subscriber) > 0);
}

static void gateways_have_different_ids(void **state)
{
    struct bus_world *world = *state;
    assert_int_not_equal(world->workers[0].bus->gateway, 0);
    assert_int_not_equal(world->workers[0].bus->gateway, world->workers[1].bus->gateway);
}

static void what_passes_is_counted(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    for (int i = 0; i < 3; i++)
        world_publish(&world->workers[0], "lobby", "hello", 1);
    world_until(world, world->workers[0].messages == 3 && world->workers[1].messages == 3);
    world_until(world, bus_idle(world->workers[0].bus));
    uv_run(&world->loop, UV_RUN_ONCE);
    const struct counters *counters = &world->workers[0].counters;
    assert_int_equal(counter_get(counters, COUNT_BUS_PUBLISHED), 3);
    assert_int_equal(counter_get(counters, COUNT_BUS_RECEIVED), 3);
    assert_int_equal(counter_get(&world->workers[1].counters, COUNT_BUS_RECEIVED), 3);
    assert_int_equal(counter_get(counters, COUNT_BUS_PUBLISH_BYTES), counter_get(counters, COUNT_BUS_RECEIVED_BYTES));
    assert_int_equal(counter_get(counters, GAUGE_BUS_UP), 1);
    assert_int_equal(counter_get(counters, GAUGE_BUS_PENDING_BYTES), 0);
}

static void closing_amid_everything_tells_nothing_more(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    world_subscribe(worker, "unconfirmed", worker);
    for (int i = 0; i < 100; i++)
        world_publish(worker, "lobby", "hello", 1);
    size_t told = worker->told_count;
    bus_close(worker->bus, world_on_bus_closed, worker);
    world_until(world, !worker->bus);
    assert_int_equal(worker->told_count, told);
}

#define CONTRACT_TESTS                                                                                                 \
    CONTRACT_TEST(a_subscription_is_confirmed_once_and_never_from_inside),                                             \
        CONTRACT_TEST(the_own_copy_comes_back_once), CONTRACT_TEST(all_workers_hear_one_order),                        \
        CONTRACT_TEST(rooms_do_not_mix), CONTRACT_TEST(a_room_that_nobody_wants_takes_messages),                       \
        CONTRACT_TEST(each_publish_with_a_ticket_is_told_once_and_in_order), CONTRACT_TEST(payloads_are_any_bytes),    \
        CONTRACT_TEST(a_mebibyte_comes_through), CONTRACT_TEST(nothing_is_heard_after_unsubscribing),                  \
        CONTRACT_TEST(leaving_before_the_confirmation_tells_nothing),                                                  \
        CONTRACT_TEST(coming_back_at_once_is_confirmed_again), CONTRACT_TEST(a_storm_of_subscriptions_ends_as_wanted), \
        CONTRACT_TEST(two_thousand_rooms_are_confirmed),                                                               \
        CONTRACT_TEST(callbacks_may_subscribe_unsubscribe_and_publish), CONTRACT_TEST(gateways_have_different_ids),    \
        CONTRACT_TEST(what_passes_is_counted), CONTRACT_TEST(closing_amid_everything_tells_nothing_more)

#endif
