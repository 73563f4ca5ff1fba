/* redis_admin_test.c -- signals, commands, hashes and lists in a real redis-server, beyond what every bus promises
 * (bus_admin_contract.h): what stands there, what admins write by hand, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/redis_parts.h"

enum { GATEWAY_A = 0x0a0a0a0a };

/* ---- helpers ---- */

static struct bus_worker *worker_of(void **state)
{
    return &((struct bus_world *)*state)->workers[0];
}

/* Waits for the end, whatever it is. */
static enum bus_result end_of(struct answer *answer)
{
    world_until(answer->worker->world, answer->ends == 1);
    return answer->result;
}

static void expect_heard(redisContext *watch, const char *expected)
{
    char *text = redis_heard(watch);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- signals, commands, answers ---- */

static void a_signal_goes_to_the_gateways_inbox_with_a_mark(void **state)
{
    struct bus_worker *a = worker_of(state);
    assert_int_equal(end_of(world_signal(a, 0x0b0b0b0b, BYTES("hello"))), BUS_NOBODY);
    redisContext *watch = redis_watch(&redis, "plenum:{gw:0b0b0b0b}:in");
    redisContext *other = redis_watch(&redis, "plenum:{gw:0c0c0c0c}:in");
    assert_int_equal(end_of(world_signal(a, 0x0b0b0b0b, BYTES("hello"))), BUS_OK);
    assert_int_equal(end_of(world_signal(a, 0x0b0b0b0b, BYTES(""))), BUS_OK);
    expect_heard(watch, "signal hello");
    expect_heard(watch, "signal ");
    assert_null(redis_heard(other));
    redisFree(other);
    redisFree(watch);
}

static void a_signal_is_told_from_a_probe(void **state)
{
    (void)state;
    struct bytes signal;
    assert_true(redis_admin_signal_read(BYTES("signal probe 1"), &signal));
    assert_true(bytes_equal(signal, BYTES("probe 1")));
    assert_true(redis_admin_signal_read(BYTES("signal "), &signal));
    assert_int_equal(signal.len, 0);
    assert_false(redis_admin_signal_read(BYTES("probe 0123456789abcdef"), &signal));
    assert_false(redis_admin_signal_read(BYTES("signal"), &signal));
    assert_false(redis_admin_signal_read(BYTES(""), &signal));
}

static void commands_and_answers_have_their_channels(void **state)
{
    struct bus_worker *a = worker_of(state);
    assert_int_equal(end_of(world_command(a, 0, "drain")), BUS_NOBODY);
    redisContext *all = redis_watch(&redis, "plenum:ctl");
    redisContext *one = redis_watch(&redis, "plenum:ctl:0b0b0b0b");
    redisContext *answers = redis_watch(&redis, "plenum:ctl:ack");
    assert_int_equal(end_of(world_command(a, 0, "kick room=lobby user=alice")), BUS_OK);
    assert_int_equal(end_of(world_command(a, 0x0b0b0b0b, "drain over=60")), BUS_OK);
    assert_int_equal(end_of(world_command(a, 0x0c0c0c0c, "drain over=60")), BUS_NOBODY);
    bus_answer(a->bus, BYTES("kicked 1"));
    world_run_for(a->world, 50);
    expect_heard(all, "kick room=lobby user=alice");
    expect_heard(one, "drain over=60");
    expect_heard(answers, "kicked 1");
    redisFree(all);
    redisFree(one);
    redisFree(answers);
}

/* ---- hashes ---- */

static void a_rooms_state_lives_a_day_longer_than_it_is_read(void **state)
{
    struct bus_worker *a = worker_of(state);
    assert_int_equal(end_of(world_hash_write(a, BUS_STATE, "lobby", "lock", "1")), BUS_OK);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:state"), 86000000, 86400000);
    redis_do(client, "PERSIST plenum:{lobby}:state");
    assert_int_equal(end_of(world_hash_read(a, BUS_STATE, "lobby")), BUS_OK);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:state"), 86000000, 86400000);
}

static void bans_do_not_expire_as_a_whole(void **state)
{
    struct bus_worker *a = worker_of(state);
    assert_int_equal(end_of(world_hash_write(a, BUS_BANS, "", "lobby alice", "0")), BUS_OK);
    assert_int_equal(end_of(world_hash_read(a, BUS_BANS, "")), BUS_OK);
    assert_int_equal(redis_integer(client, "PTTL plenum:bans"), -1);
    assert_int_equal(redis_integer(client, "HEXISTS plenum:bans %s", "lobby alice"), 1);
}

static void what_admins_write_by_hand_is_read(void **state)
{
    struct bus_worker *a = worker_of(state);
    char *long_field = xcalloc(1, 2000);
    memset(long_field, 'f', 1999);
    redis_do(client, "HSET plenum:{lobby}:state host 0a0a0a0a00000001 %s x empty %s", long_field, "");
    free(long_field);
    struct answer *answer = world_hash_read(a, BUS_STATE, "lobby");
    assert_int_equal(end_of(answer), BUS_OK);
    assert_int_equal(answer->count, 2); /* a field of that length is not ours */
    assert_string_equal(answer_field(answer, "host"), "0a0a0a0a00000001");
    assert_string_equal(answer_field(answer, "empty"), "");
}

static void what_the_server_refuses_is_denied(void **state)
{
    struct bus_worker *a = worker_of(state);
    redis_do(client, "SET plenum:{lobby}:state text");
    assert_int_equal(end_of(world_hash_read(a, BUS_STATE, "lobby")), BUS_DENIED);
    assert_int_equal(end_of(world_hash_write(a, BUS_STATE, "lobby", "lock", "1")), BUS_DENIED);
    redis_do(client, "ACL SETUSER default -publish -pubsub -zrange");
    assert_int_equal(end_of(world_signal(a, GATEWAY_A, BYTES("x"))), BUS_DENIED);
    assert_int_equal(end_of(world_list_rooms(a)), BUS_DENIED);
    assert_int_equal(end_of(world_list_gateways(a)), BUS_DENIED);
    redis_do(client, "ACL SETUSER default +publish +pubsub +zrange");
    assert_int_equal(end_of(world_list_rooms(a)), BUS_OK);
}

static void without_a_connection_every_ask_is_lost(void **state)
{
    struct bus_worker *a = worker_of(state);
    redis_process_kill(&redis);
    struct answer *answers[] = {
        world_signal(a, GATEWAY_A, BYTES("x")),
        world_command(a, 0, "x"),
        world_hash_read(a, BUS_STATE, "lobby"),
        world_hash_write(a, BUS_STATE, "lobby", "lock", "1"),
        world_hash_write(a, BUS_BANS, "", "lock", ""),
        world_list_rooms(a),
        world_list_gateways(a),
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_int_equal(end_of(answers[i]), BUS_LOST);
    redis_process_run(&redis, NULL);
    redisFree(client);
    client = redis_process_connect(&redis);
}

/* ---- lists ---- */

static void only_rooms_are_listed(void **state)
{
    enum { ROOMS = 300 };
    struct bus_worker *a = worker_of(state);
    static const char *const others[] = {"plenum:{lobby}:voice", "plenum:{gw:0b0b0b0b}:in", "plenum:{}",
                                         "plenum:{a}:{b}",       "plenum:{no room}",        "plenum:ctl",
                                         "other:{lobby}",        "plenum:{lobby}:video:x.1"};
    redisContext *watch = redis_process_connect(&redis);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        redis_do(watch, "SUBSCRIBE %s", others[i]);
    for (int i = 0; i < ROOMS; i++)
        redis_do(watch, "SUBSCRIBE plenum:{room-%d}", i);
    redisContext *second = redis_watch(&redis, "plenum:{room-7}");

    struct answer *answer = world_list_rooms(a);
    assert_int_equal(end_of(answer), BUS_OK);
    assert_int_equal(answer->count, ROOMS);
    for (int i = 0; i < ROOMS; i++) {
        char room[24];
        snprintf(room, sizeof room, "room-%d", i);
        assert_string_equal(answer_field(answer, room), i == 7 ? "2" : "1");
    }
    redisFree(watch);
    redisFree(second);
    for (int i = 0; i < 100 && (i == 0 || answer->count); i++) {
        answer = world_list_rooms(a);
        assert_int_equal(end_of(answer), BUS_OK);
    }
    assert_int_equal(answer->count, 0);
}

static void living_gateways_are_listed_with_their_fields(void **state)
{
    struct bus_worker *a = worker_of(state);
    redis_do(client, "ZADD plenum:gws 1 0b0b0b0b 2 0c0c0c0c 3 0d0d0d0d 4 nonsense");
    redis_do(client, "HSET plenum:gw:0b0b0b0b claim 123 pod pod-1 state up");
    redis_do(client, "HSET plenum:gw:0d0d0d0d pod pod-2 state draining");
    struct answer *answer = world_list_gateways(a);
    assert_int_equal(end_of(answer), BUS_OK);
    assert_int_equal(answer_rows(answer, ROW_GATEWAY), 2); /* the hash of the third one has expired */
    assert_int_equal(answer_members_of(answer, 0x0b0b0b0b), 0);
    assert_int_equal(answer_members_of(answer, 0x0d0d0d0d), 0);
    assert_int_equal(answer_rows(answer, ROW_FIELD), 4); /* the claim is no report */
    assert_int_equal(answer->rows[0].kind, ROW_GATEWAY);
    assert_int_equal(answer->rows[0].number, 0x0b0b0b0b);
    assert_int_equal(answer->rows[3].number, 0x0d0d0d0d);
    assert_string_equal(answer_field(answer, "pod"), "pod-1");
}

/* ---- */

static int set_up(void **state)
{
    redis_do(client, "FLUSHALL");
    struct bus_world *world = xmalloc(sizeof *world);
    world_init(world);
    parts_open(world_worker(world), &redis, GATEWAY_A);
    parts_until_up(world);
    *state = world;
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signal_goes_to_the_gateways_inbox_with_a_mark),
        TEST(a_signal_is_told_from_a_probe),
        TEST(commands_and_answers_have_their_channels),
        TEST(a_rooms_state_lives_a_day_longer_than_it_is_read),
        TEST(bans_do_not_expire_as_a_whole),
        TEST(what_admins_write_by_hand_is_read),
        TEST(what_the_server_refuses_is_denied),
        TEST(without_a_connection_every_ask_is_lost),
        TEST(only_rooms_are_listed),
        TEST(living_gateways_are_listed_with_their_fields),
    };
    return cmocka_run_group_tests(tests, redis_open, redis_end);
}
