/* bus_admin_contract.h -- what every bus promises of signals, commands, hashes and lists (see gateway/bus/bus.h), as
 * tests.
 *
 * Included by the tests of both buses, which define contract_bus_open (see support/bus_contract_world.h; its bus
 * reports contract_report) and add CONTRACT_ADMIN_TESTS to their list. */
#ifndef PLENUM_TESTS_UNIT_BUS_ADMIN_CONTRACT_H
#define PLENUM_TESTS_UNIT_BUS_ADMIN_CONTRACT_H

#include "support/bus_contract_world.h"

/* Waits until each worker can be reached: its own inbox may be subscribed a little later than its bus is up. */
static void both_are_reachable(struct bus_world *world)
{
    both_are_up(world);
    for (int i = 0; i < 2; i++) {
        struct bus_worker *worker = &world->workers[i];
        struct answer *answer;
        do {
            answer = world_signal(worker, worker->bus->gateway, BYTES("are you there?"));
            world_until(world, answer->ends == 1);
            if (answer->result == BUS_OK)
                break;
            world_run_for(world, 20);
        } while (answer->result == BUS_NOBODY);
        world_until(world, worker->signals == 1);
    }
    for (int tries = 0; tries < 100 && !(world->workers[0].commands && world->workers[1].commands); tries++) {
        world_command(&world->workers[0], 0, "are you there?");
        world_run_for(world, 50);
    }
    world_run_for(world, 100);
    for (int i = 0; i < 2; i++)
        world_forget(&world->workers[i]);
}

static uint32_t unused_gateway(const struct bus_world *world)
{
    uint32_t gateway = 1;
    while (gateway == world->workers[0].bus->gateway || gateway == world->workers[1].bus->gateway)
        gateway++;
    return gateway;
}

/* ---- signals ---- */

static void a_signal_reaches_its_worker_and_nobody_else(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_reachable(world);
    for (int i = 0; i < 3; i++) {
        char text[24];
        snprintf(text, sizeof text, "to b %d", i);
        answer_wait(world_signal(a, b->bus->gateway, bytes_of(text)));
    }
    world_until(world, b->signals == 3);
    for (size_t i = 0; i < 3; i++) {
        char text[24];
        snprintf(text, sizeof text, "to b %d", (int)i);
        assert_string_equal(world_told(b, TOLD_SIGNAL, i)->payload, text);
    }
    answer_wait(world_signal(a, a->bus->gateway, BYTES("to myself")));
    world_until(world, a->signals == 1);
    assert_string_equal(world_told(a, TOLD_SIGNAL, 0)->payload, "to myself");
    world_run_for(world, 50);
    assert_int_equal(a->signals, 1);
    assert_int_equal(b->signals, 3);
}

static void signals_are_any_bytes(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_reachable(world);
    char every[256];
    for (int i = 0; i < 256; i++)
        every[i] = (char)i;
    size_t len = 200 << 10;
    char *large = xmalloc(len);
    memset(large, 'x', len);
    struct bytes messages[] = {{every, 256}, BYTES("p1 0 - t - - 0 x"), BYTES("signal "), {large, len}};
    for (size_t i = 0; i < 4; i++)
        answer_wait(world_signal(a, b->bus->gateway, messages[i]));
    world_until(world, b->signals == 4);
    for (size_t i = 0; i < 4; i++) {
        const struct told *told = world_told(b, TOLD_SIGNAL, i);
        assert_true(bytes_equal((struct bytes){told->payload, told->len}, messages[i]));
    }
    free(large);
}

static void a_signal_to_nobody_is_told(void **state)
{
    struct bus_world *world = *state;
    both_are_reachable(world);
    struct answer *answer = world_signal(&world->workers[0], unused_gateway(world), BYTES("hello?"));
    world_until(world, answer->ends == 1);
    assert_int_equal(answer->result, BUS_NOBODY);
}

/* ---- commands ---- */

static void a_command_to_all_reaches_all(void **state)
{
    struct bus_world *world = *state;
    both_are_reachable(world);
    answer_wait(world_command(&world->workers[0], 0, "kick room=lobby user=alice"));
    for (int i = 0; i < 2; i++) {
        struct bus_worker *worker = &world->workers[i];
        world_until(world, worker->commands == 1);
        assert_string_equal(world_told(worker, TOLD_COMMAND, 0)->payload, "kick room=lobby user=alice");
        bus_answer(worker->bus, BYTES("kick room=lobby user=alice members=1")); /* harms nobody */
    }
    world_run_for(world, 50);
    for (int i = 0; i < 2; i++)
        assert_int_equal(world->workers[i].told_count, 1);
}

static void a_command_to_one_reaches_only_that(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_reachable(world);
    answer_wait(world_command(a, b->bus->gateway, "drain over=60"));
    world_until(world, b->commands == 1);
    answer_wait(world_command(b, b->bus->gateway, "to myself"));
    world_until(world, b->commands == 2);
    assert_string_equal(world_told(b, TOLD_COMMAND, 0)->payload, "drain over=60");
    assert_string_equal(world_told(b, TOLD_COMMAND, 1)->payload, "to myself");
    world_run_for(world, 50);
    assert_int_equal(a->commands, 0);
}

static struct answer *sent_inside;

static void signal_from_inside(struct bus_worker *worker, struct bus_channel *channel, const struct envelope *envelope)
{
    (void)channel;
    if (!sent_inside && bytes_equal(envelope->payload, BYTES("go")))
        sent_inside = world_signal(worker, worker->bus->gateway, BYTES("from inside"));
}

static void signals_may_be_sent_from_inside(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    both_are_reachable(world);
    sent_inside = NULL;
    world_subscribe(worker, "signal-inside", worker);
    world_until(world, worker->confirmed == 1);
    worker->on_message = signal_from_inside;
    world_publish(worker, "signal-inside", "go", 1);
    world_until(world, sent_inside != NULL);
    answer_wait(sent_inside);
    world_until(world, worker->signals == 1);
}

/* ---- hashes ---- */

static void write_field(struct bus_worker *worker, enum bus_hash hash, const char *room, const char *field,
                        const char *value)
{
    answer_wait(world_hash_write(worker, hash, room, field, value));
}

static struct answer *read_hash(struct bus_worker *worker, enum bus_hash hash, const char *room)
{
    struct answer *answer = world_hash_read(worker, hash, room);
    answer_wait(answer);
    return answer;
}

static void a_rooms_state_is_written_read_and_removed(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_up(world);
    assert_int_equal(read_hash(a, BUS_STATE, "state")->count, 0);
    write_field(a, BUS_STATE, "state", "lock", "1");
    write_field(b, BUS_STATE, "state", "host", "0a1b2c3d00000001");
    write_field(a, BUS_STATE, "state", "lock", "some text, with \"spaces\"");
    for (int i = 0; i < 2; i++) {
        struct answer *answer = read_hash(&world->workers[i], BUS_STATE, "state");
        assert_int_equal(answer->count, 2);
        assert_string_equal(answer_field(answer, "lock"), "some text, with \"spaces\"");
        assert_string_equal(answer_field(answer, "host"), "0a1b2c3d00000001");
    }
    assert_int_equal(read_hash(a, BUS_STATE, "another-state")->count, 0);
    write_field(b, BUS_STATE, "state", "lock", "");
    struct answer *answer = read_hash(a, BUS_STATE, "state");
    assert_int_equal(answer->count, 1);
    assert_null(answer_field(answer, "lock"));
    write_field(b, BUS_STATE, "state", "host", "");
    write_field(b, BUS_STATE, "state", "never was there", "");
    assert_int_equal(read_hash(a, BUS_STATE, "state")->count, 0);
}

static void bans_are_of_all_rooms(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    both_are_up(world);
    write_field(a, BUS_BANS, "", "lobby alice", "0");
    write_field(a, BUS_BANS, "whatever", "ban-room bob", "1700000000000");
    struct answer *answer = read_hash(b, BUS_BANS, "another");
    assert_string_equal(answer_field(answer, "lobby alice"), "0");
    assert_string_equal(answer_field(answer, "ban-room bob"), "1700000000000");
    write_field(b, BUS_BANS, "", "lobby alice", "");
    write_field(b, BUS_BANS, "", "ban-room bob", "");
    answer = read_hash(a, BUS_BANS, "");
    assert_null(answer_field(answer, "lobby alice"));
    assert_null(answer_field(answer, "ban-room bob"));
}

static void a_hash_of_many_fields_is_read_whole(void **state)
{
    enum { FIELDS = 300 };
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    both_are_up(world);
    struct answer *last = NULL;
    for (int i = 0; i < FIELDS; i++) {
        char field[24], value[24];
        snprintf(field, sizeof field, "field-%d", i);
        snprintf(value, sizeof value, "%d", i * i);
        last = world_hash_write(a, BUS_STATE, "many-fields", field, value);
    }
    answer_wait(last);
    struct answer *answer = read_hash(&world->workers[1], BUS_STATE, "many-fields");
    assert_int_equal(answer->count, FIELDS);
    for (int i = 0; i < FIELDS; i++) {
        char field[24];
        snprintf(field, sizeof field, "field-%d", i);
        assert_int_equal(atoi(answer_field(answer, field)), i * i);
    }
}

/* ---- lists ---- */

static void open_rooms_are_listed_with_their_gateways(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "listed-by-two", channels);
    struct bus_channel *one = world_subscribe(&world->workers[1], "listed-by-one", world);
    world_until(world, one->confirmed);
    world_publish(&world->workers[0], "listed-by-nobody", "hello", 1);
    for (int i = 0; i < 2; i++) {
        struct answer *answer = world_list_rooms(&world->workers[i]);
        answer_wait(answer);
        assert_string_equal(answer_field(answer, "listed-by-two"), "2");
        assert_string_equal(answer_field(answer, "listed-by-one"), "1");
        assert_null(answer_field(answer, "listed-by-nobody"));
    }
    bus_unsubscribe(world->workers[1].bus, one);
    bus_unsubscribe(world->workers[0].bus, channels[0]);
    world_run_for(world, 100);
    struct answer *answer = world_list_rooms(&world->workers[0]);
    answer_wait(answer);
    assert_string_equal(answer_field(answer, "listed-by-two"), "1");
    assert_null(answer_field(answer, "listed-by-one"));
}

/* The rows of the answer from that gateway's own on: its index, or -1. */
static int place_of(const struct answer *answer, uint32_t gateway)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->rows[i].kind == ROW_GATEWAY && answer->rows[i].number == gateway)
            return (int)i;
    }
    return -1;
}

static const char *field_at(const struct answer *answer, int place, const char *name)
{
    for (size_t i = (size_t)place + 1; i < answer->count && answer->rows[i].kind == ROW_FIELD; i++) {
        if (strcmp(answer->rows[i].name, name) == 0)
            return answer->rows[i].value;
    }
    return NULL;
}

/* Has a gateway been listed with what it reports? */
static bool reported(const struct answer *answer, uint32_t gateway)
{
    int place = place_of(answer, gateway);
    return place >= 0 && field_at(answer, place, "pod");
}

static void gateways_are_listed_with_what_they_report(void **state)
{
    struct bus_world *world = *state;
    both_are_up(world);
    struct answer *answer;
    for (int tries = 0; tries < 100; tries++) { /* the first report may take a moment */
        answer = world_list_gateways(&world->workers[0]);
        answer_wait(answer);
        if (reported(answer, world->workers[0].bus->gateway) && reported(answer, world->workers[1].bus->gateway))
            break;
        world_run_for(world, 100);
    }
    static const char *const fields[][2] = {
        {"pod", "pod-1"},     {"address", "127.0.0.1:8000"},
        {"version", "test"},  {"state", "up"},
        {"connections", "3"}, {"rooms", "2"},
        {"members", "4"},     {"in_per_s", "0"},
        {"out_per_s", "0"},   {"started", "1700000000000"},
    };
    for (int i = 0; i < 2; i++) {
        int place = place_of(answer, world->workers[i].bus->gateway);
        assert_true(place >= 0);
        assert_int_equal(answer->rows[place].count, 0);
        for (size_t nth = 0; nth < sizeof fields / sizeof *fields; nth++) {
            const char *value = field_at(answer, place, fields[nth][0]);
            assert_non_null(value);
            assert_string_equal(value, fields[nth][1]);
        }
    }
    uint32_t gone = world->workers[1].bus->gateway;
    bus_close(world->workers[1].bus, world_on_bus_closed, &world->workers[1]);
    world_until(world, !world->workers[1].bus);
    world_run_for(world, 100);
    answer = world_list_gateways(&world->workers[0]);
    answer_wait(answer);
    assert_true(place_of(answer, gone) < 0);
    assert_true(place_of(answer, world->workers[0].bus->gateway) >= 0);
}

static void closing_amid_admin_asks_tells_nothing_more(void **state)
{
    enum { ASKS = 6 };
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    both_are_reachable(world);
    struct answer *answers[ASKS] = {
        world_signal(a, a->bus->gateway, BYTES("to myself")),
        world_command(a, 0, "to all"),
        world_hash_write(a, BUS_STATE, "admin-closing", "lock", "1"),
        world_hash_read(a, BUS_STATE, "admin-closing"),
        world_list_rooms(a),
        world_list_gateways(a),
    };
    bus_close(a->bus, world_on_bus_closed, a);
    world_until(world, !a->bus);
    world_run_for(world, 50);
    assert_int_equal(a->told_count, 0);
    for (int i = 0; i < ASKS; i++)
        assert_int_equal(answers[i]->ends, 0);
}

#define CONTRACT_ADMIN_TESTS                                                                                           \
    CONTRACT_TEST(a_signal_reaches_its_worker_and_nobody_else), CONTRACT_TEST(signals_are_any_bytes),                  \
        CONTRACT_TEST(a_signal_to_nobody_is_told), CONTRACT_TEST(a_command_to_all_reaches_all),                        \
        CONTRACT_TEST(a_command_to_one_reaches_only_that), CONTRACT_TEST(signals_may_be_sent_from_inside),             \
        CONTRACT_TEST(a_rooms_state_is_written_read_and_removed), CONTRACT_TEST(bans_are_of_all_rooms),                \
        CONTRACT_TEST(a_hash_of_many_fields_is_read_whole), CONTRACT_TEST(open_rooms_are_listed_with_their_gateways),  \
        CONTRACT_TEST(gateways_are_listed_with_what_they_report),                                                      \
        CONTRACT_TEST(closing_amid_admin_asks_tells_nothing_more)

#endif
