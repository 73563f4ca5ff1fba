/* redis_presence_test.c -- presence in a real redis-server, beyond what every bus promises (bus_presence_contract.h):
 * what stands there and for how long, large batches, and what is told again after a loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/presence_event.h"
#include "support/redis_parts.h"

enum { GATEWAY_A = 0x0a0a0a0a, GATEWAY_B = 0x0b0b0b0b };

/* ---- helpers ---- */

static uint64_t member_of(const struct bus_worker *worker, uint32_t nth)
{
    return (uint64_t)worker->bus->gateway << 32 | nth;
}

static struct presence_change join_of(const struct bus_worker *worker, uint32_t nth, const char *value)
{
    return (struct presence_change){PRESENCE_JOIN, member_of(worker, nth), bytes_of(value)};
}

static struct presence_change leave_of(const struct bus_worker *worker, uint32_t nth)
{
    return (struct presence_change){PRESENCE_LEAVE, member_of(worker, nth), BYTES("left")};
}

static struct answer *tell(struct bus_worker *worker, const struct presence_change *changes, uint32_t count,
                           struct presence_batch batch)
{
    batch.room = BYTES("lobby");
    batch.changes = changes;
    batch.count = count;
    struct answer *answer = world_presence(worker, &batch);
    world_until(worker->world, answer->ends == 1);
    return answer;
}

static struct answer *join_one(struct bus_worker *worker, uint32_t nth)
{
    struct presence_change change = join_of(worker, nth, "{\"n\":1}");
    struct answer *answer = tell(worker, &change, 1, (struct presence_batch){.first = true});
    assert_int_equal(answer->result, BUS_OK);
    return answer;
}

/* The next event that a plain client has heard; its text, the caller's to free, holds its bytes. */
static char *next_event(redisContext *watch, struct presence_event *event)
{
    char *text = redis_heard(watch);
    assert_non_null(text);
    struct envelope envelope;
    assert_int_equal(envelope_decode(bytes_of(text), &envelope), ENVELOPE_OK);
    assert_true(presence_event_read(&envelope, event));
    return text;
}

static size_t changes_in(struct presence_event *event, enum presence_op op)
{
    struct presence_change change;
    size_t count = 0;
    while (presence_event_next(event, &change))
        count += change.op == op;
    assert_int_equal(event->rest.len, 0);
    return count;
}

static void expect_silence(redisContext *watch)
{
    char *text = redis_heard(watch);
    assert_null(text);
}

/* ---- what stands there ---- */

static void what_was_told_stands_under_its_names(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    struct presence_change changes[] = {join_of(a, 1, "{\"n\":1}"), join_of(a, 2, "{\"n\":2}")};
    tell(a, changes, 2, (struct presence_batch){.first = true, .unlisted = 5});
    char *text = redis_text(client, "HGET plenum:{lobby}:m:0a0a0a0a 0a0a0a0a00000002");
    assert_string_equal(text, "{\"n\":2}");
    free(text);
    text = redis_text(client, "HGET plenum:{lobby}:gws 0a0a0a0a");
    assert_string_equal(text, "7");
    free(text);
    assert_int_equal(redis_integer(client, "SISMEMBER plenum:gw:0a0a0a0a:rooms lobby"), 1);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:m:0a0a0a0a"), 3500000, 3600000);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:gws"), 3500000, 3600000);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:meta"), 3500000, 3600000); /* nothing was said */

    changes[0] = leave_of(a, 1);
    changes[1] = leave_of(a, 2);
    tell(a, changes, 2, (struct presence_batch){.last = true});
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws plenum:{lobby}:m:0a0a0a0a"), 0);
    world_until(a->world, redis_integer(client, "EXISTS plenum:gw:0a0a0a0a:rooms") == 0);
}

static void renewing_renews_both_hashes(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    join_one(a, 1);
    redis_do(client, "PEXPIRE plenum:{lobby}:gws 5000");
    redis_do(client, "PEXPIRE plenum:{lobby}:m:0a0a0a0a 5000");
    struct answer *answer = tell(a, NULL, 0, (struct presence_batch){0});
    assert_true(answer->position.known);
    assert_int_equal(answer->position.pv, 1);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:m:0a0a0a0a"), 3500000, 3600000);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:gws"), 3500000, 3600000);
}

static void a_member_that_comes_and_goes_in_one_batch_leaves_nothing(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    redisContext *watch = redis_watch(&redis, "plenum:{lobby}");
    struct presence_change changes[] = {join_of(a, 1, "{\"n\":1}"), leave_of(a, 1), join_of(a, 1, "{\"n\":2}"),
                                        leave_of(a, 1)};
    tell(a, changes, 4, (struct presence_batch){.first = true, .last = true});
    struct presence_event event;
    char *text = next_event(watch, &event);
    assert_int_equal(event.members, 0);
    free(text);
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws plenum:{lobby}:m:0a0a0a0a"), 0);
    assert_int_equal(redis_integer(client, "EXISTS plenum:gw:0a0a0a0a:rooms"), 0);
    redisFree(watch);
}

/* JSON may have line ends between its values; an event has a line for each change. */
static void a_line_end_in_json_does_not_end_the_line(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    redisContext *watch = redis_watch(&redis, "plenum:{lobby}");
    struct presence_change changes[] = {join_of(a, 1, "{\n\"n\":1\n}"), join_of(a, 2, "{}")};
    tell(a, changes, 2, (struct presence_batch){.first = true});
    struct presence_event event;
    struct presence_change change;
    char *text = next_event(watch, &event);
    assert_true(presence_event_next(&event, &change));
    assert_true(bytes_equal(change.value, BYTES("{ \"n\":1 }")));
    assert_int_equal(changes_in(&event, PRESENCE_JOIN), 1);
    free(text);
    redisFree(watch);
}

/* ---- large batches ---- */

/* A thousand members are told in parts: by their number, and by their bytes. */
static void a_thousand_changes_are_told_in_parts(void **state)
{
    enum { CHANGES = 1000, SIZE = 1200 };
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    redisContext *watch = redis_watch(&redis, "plenum:{lobby}");
    char *value = xcalloc(1, SIZE + 1);
    memset(value, 'x', SIZE);
    memcpy(value, "{\"n\":\"", 6);
    memcpy(value + SIZE - 2, "\"}", 2);
    static struct presence_change changes[CHANGES];
    for (uint32_t i = 0; i < CHANGES; i++)
        changes[i] = join_of(a, i + 1, i < CHANGES / 2 ? "{}" : value);
    struct answer *answer = tell(a, changes, CHANGES, (struct presence_batch){.first = true, .unlisted = 3});
    assert_int_equal(answer->result, BUS_OK);
    assert_int_equal(answer->positions, 1);
    assert_false(answer->position.known); /* as before the first part */

    size_t told = 0;
    struct presence_event event;
    for (uint64_t pv = 1; told < CHANGES; pv++) {
        char *text = next_event(watch, &event);
        assert_int_equal(event.pv, pv);
        assert_true(strlen(text) < 160 << 10);
        size_t joins = changes_in(&event, PRESENCE_JOIN);
        assert_in_range(joins, 1, 256);
        told += joins;
        assert_int_equal(event.members, told + 3);
        free(text);
    }
    assert_int_equal(told, CHANGES);
    assert_int_equal(answer->position.pv, event.pv);

    answer = world_members(&world->workers[1], "lobby");
    answer_wait(answer);
    assert_int_equal(answer_rows(answer, ROW_MEMBER), CHANGES);
    assert_int_equal(answer_members_of(answer, GATEWAY_A), CHANGES + 3);
    for (uint32_t i = 0; i < CHANGES; i++)
        changes[i] = leave_of(a, i + 1);
    tell(a, changes, CHANGES, (struct presence_batch){.last = true});
    world_until(world, redis_integer(client, "EXISTS plenum:{lobby}:gws plenum:gw:0a0a0a0a:rooms") == 0);
    free(value);
    redisFree(watch);
}

/* ---- losses ---- */

static void after_a_flush_the_gateway_is_not_known(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    struct answer *before = join_one(a, 1);
    redis_do(client, "FLUSHALL");
    struct answer *answer = tell(a, NULL, 0, (struct presence_batch){0});
    assert_int_equal(answer->result, BUS_OK);
    assert_false(answer->position.known);
    assert_string_not_equal(answer->position.epoch, before->position.epoch);
    join_one(a, 1);
    assert_true(tell(a, NULL, 0, (struct presence_batch){0})->position.known);
    assert_int_equal(redis_integer(client, "SISMEMBER plenum:gw:0a0a0a0a:rooms lobby"), 1);
}

static void a_script_that_was_forgotten_is_loaded_again(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    redis_do(client, "SCRIPT FLUSH");
    join_one(a, 1);
    redis_do(client, "SCRIPT FLUSH");
    struct presence_change change = leave_of(a, 1);
    struct answer *answer = tell(a, &change, 1, (struct presence_batch){.last = true});
    assert_int_equal(answer->result, BUS_OK);
    assert_int_equal(answer->positions, 1);
    assert_int_equal(answer->position.pv, 2);
    world_until(a->world, redis_integer(client, "EXISTS plenum:gw:0a0a0a0a:rooms") == 0);
}

static void what_the_server_refuses_is_told_and_the_room_stays_listed(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    join_one(a, 1);
    redis_do(client, "ACL SETUSER default -evalsha");
    struct presence_change change = leave_of(a, 1);
    struct answer *answer = tell(a, &change, 1, (struct presence_batch){.last = true});
    assert_int_equal(answer->result, BUS_DENIED);
    assert_int_equal(answer->positions, 0);
    redis_do(client, "ACL SETUSER default +evalsha");
    world_until(a->world, redis_integer(client, "SISMEMBER plenum:gw:0a0a0a0a:rooms lobby") == 1);
    assert_int_equal(tell(a, &change, 1, (struct presence_batch){.last = true})->result, BUS_OK);
}

static void without_a_connection_every_ask_is_lost(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    redis_process_kill(&redis);
    struct presence_change change = join_of(a, 1, "{}");
    struct presence_batch batch = {.room = BYTES("lobby"), .changes = &change, .count = 1, .first = true};
    struct answer *answers[] = {world_presence(a, &batch), world_members(a, "lobby"), world_counts(a, "lobby")};
    for (int i = 0; i < 3; i++) {
        world_until(world, answers[i]->ends == 1);
        assert_int_equal(answers[i]->result, BUS_LOST);
    }
    world_until(world, !redis_link_up(&worker_parts(a)->commander.link));
    struct answer *answer = world_counts(a, "lobby"); /* now that it is known to be away */
    world_until(world, answer->ends == 1);
    assert_int_equal(answer->result, BUS_LOST);
    redis_process_run(&redis, NULL);
    redisFree(client);
    client = redis_process_connect(&redis);
    parts_until_up(world);
    join_one(a, 1);
}

/* What was told without an answer is told again, and the room hears it once. */
static void telling_again_after_a_loss_is_no_news(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    redisContext *watch = redis_watch(&redis, "plenum:{lobby}");
    struct presence_change changes[] = {join_of(a, 1, "{\"n\":1}"), join_of(a, 2, "{\"n\":2}")};
    struct presence_batch batch = {.room = BYTES("lobby"), .changes = changes, .count = 2, .first = true};
    kill(redis.pid, SIGSTOP);
    struct answer *lost = world_presence(a, &batch); /* carried out later than anybody waits */
    world_until(world, lost->ends == 1);
    assert_int_equal(lost->result, BUS_LOST);
    kill(redis.pid, SIGCONT);
    world_until(world, redis_integer(client, "EXISTS plenum:{lobby}:gws") == 1);
    parts_until_up(world);
    struct answer *again = tell(a, changes, 2, (struct presence_batch){.first = true});
    assert_int_equal(again->position.pv, 1);
    struct presence_event event;
    char *text = next_event(watch, &event);
    assert_int_equal(changes_in(&event, PRESENCE_JOIN), 2);
    free(text);
    expect_silence(watch);
    redisFree(watch);
}

/* ---- what others write ---- */

static void what_admins_write_there_is_passed_over(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    join_one(a, 1);
    redis_do(client, "HSET plenum:{lobby}:m:0a0a0a0a 0a0a0a0a00000002 hello nonsense {} 0A0A0A0A00000003 {}");
    redis_do(client, "HSET plenum:{lobby}:gws nonsense 4 0c0c0c0c x 0d0d0d0d 0 0e0e0e0e 2");
    struct answer *answer = world_members(a, "lobby");
    answer_wait(answer);
    assert_int_equal(answer_rows(answer, ROW_MEMBER), 1);
    assert_int_equal(answer_rows(answer, ROW_GATEWAY), 2);
    assert_int_equal(answer_members_of(answer, 0x0e0e0e0e), 2); /* it may count without listing */

    redis_do(client, "DEL plenum:{lobby}:gws");
    redis_do(client, "SET plenum:{lobby}:gws text");
    answer = world_counts(a, "lobby");
    world_until(a->world, answer->ends == 1);
    assert_int_equal(answer->result, BUS_DENIED);
    redis_do(client, "DEL plenum:{lobby}:gws");
}

static void a_rooms_meta_may_not_be_there(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    struct answer *answer = world_members(a, "nobody-was-here");
    answer_wait(answer);
    assert_int_equal(answer->positions, 1);
    assert_string_equal(answer->position.epoch, "");
    assert_int_equal(answer->position.pv, 0);
    assert_int_equal(answer->count, 0);
}

/* The script names the server's generation, and the next call has it. */
static void the_generation_is_learned_from_the_answer(void **state)
{
    struct bus_worker *a = &((struct bus_world *)*state)->workers[0];
    join_one(a, 1);
    assert_int_equal(worker_parts(a)->gens, 1);
    assert_int_equal(strlen(worker_parts(a)->common.gen), 16);
    tell(a, NULL, 0, (struct presence_batch){0});
    assert_int_equal(worker_parts(a)->gens, 1);
}

static void closing_amid_a_large_batch_tells_nothing(void **state)
{
    enum { CHANGES = 600 };
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0];
    static struct presence_change changes[CHANGES];
    for (uint32_t i = 0; i < CHANGES; i++)
        changes[i] = join_of(a, i + 1, "{}");
    struct presence_batch batch = {.room = BYTES("lobby"), .changes = changes, .count = CHANGES, .first = true};
    struct answer *answers[] = {world_presence(a, &batch), world_members(a, "lobby"), world_counts(a, "lobby")};
    world_until(world, redis_integer(client, "EXISTS plenum:{lobby}:gws") == 1 || answers[0]->ends);
    size_t ends = answers[0]->ends; /* none, but for a slow machine */
    bus_close(a->bus, world_on_bus_closed, a);
    world_until(world, !a->bus);
    assert_int_equal(answers[0]->ends, ends);
}

/* ---- */

static int set_up(void **state)
{
    redis_do(client, "FLUSHALL");
    struct bus_world *world = xmalloc(sizeof *world);
    world_init(world);
    parts_open(world_worker(world), &redis, GATEWAY_A);
    parts_open(world_worker(world), &redis, GATEWAY_B);
    parts_until_up(world);
    *state = world;
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_told_stands_under_its_names),
        TEST(renewing_renews_both_hashes),
        TEST(a_member_that_comes_and_goes_in_one_batch_leaves_nothing),
        TEST(a_line_end_in_json_does_not_end_the_line),
        TEST(a_thousand_changes_are_told_in_parts),
        TEST(after_a_flush_the_gateway_is_not_known),
        TEST(a_script_that_was_forgotten_is_loaded_again),
        TEST(what_the_server_refuses_is_told_and_the_room_stays_listed),
        TEST(without_a_connection_every_ask_is_lost),
        TEST(telling_again_after_a_loss_is_no_news),
        TEST(what_admins_write_there_is_passed_over),
        TEST(a_rooms_meta_may_not_be_there),
        TEST(the_generation_is_learned_from_the_answer),
        TEST(closing_amid_a_large_batch_tells_nothing),
    };
    return cmocka_run_group_tests(tests, redis_open, redis_end);
}
