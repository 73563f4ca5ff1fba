/* redis_reaper_test.c -- dead gateways in a real redis-server: what they leave behind is written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/presence_event.h"
#include "gateway/bus/redis_bus.h"
#include "support/redis_parts.h"

enum { GATEWAY_A = 0x0a0a0a0a, GATEWAY_B = 0x0b0b0b0b, PAUSE_MS = 30000, SILENT_MS = 15000 };

/* ---- time: the workers' clock can be put forward ---- */

static uint64_t ahead_ms;

static uint64_t shifted_monotonic_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(clock_system()) + ahead_ms * 1000000;
}

static int64_t shifted_wall_ms(void *ctx)
{
    (void)ctx;
    return clock_wall_ms(clock_system());
}

static const struct clock shifted = {shifted_monotonic_ns, shifted_wall_ms, NULL};

/* ---- helpers ---- */

static long long server_ms(void)
{
    redisReply *reply = redisCommand(client, "TIME");
    long long ms = atoll(reply->element[0]->str) * 1000 + atoll(reply->element[1]->str) / 1000;
    freeReplyObject(reply);
    return ms;
}

static void beat(const char *gateway, long long ago_ms)
{
    redis_do(client, "ZADD plenum:gws %lld %s", server_ms() - ago_ms, gateway);
}

/* What a gateway leaves in a room: so many listed members, numbered from 1, and some that are not listed. */
static void leave_behind(const char *gateway, const char *room, int members, int unlisted)
{
    redis_do(client, "SADD plenum:gw:%s:rooms %s", gateway, room);
    for (int i = 1; i <= members; i++)
        redis_do(client, "HSET plenum:{%s}:m:%s %s%08x {}", room, gateway, gateway, i);
    redis_do(client, "HSET plenum:{%s}:gws %s %d", room, gateway, members + unlisted);
    redis_do(client, "HSET plenum:{%s}:meta epoch some pv 7 b:%s x", room, gateway);
}

/* Has all workers think that they were connected long ago. */
static void let_pauses_pass(void)
{
    ahead_ms += PAUSE_MS;
}

static bool is_gone(const char *gateway)
{
    return redis_integer(client, "EXISTS plenum:gw:%s:rooms plenum:gw:%s", gateway, gateway) == 0 &&
           redis_integer(client, "ZRANK plenum:gws %s", gateway) < 0;
}

/* A beat has to be looked at for a while: time goes by quickly. */
static void until_gone(struct bus_world *world, const char *gateway)
{
    for (int i = 0; i < 200 && !is_gone(gateway); i++) {
        world_run_for(world, 50);
        ahead_ms += 1000;
    }
    assert_true(is_gone(gateway));
}

static char *next_event(redisContext *watch, struct presence_event *event)
{
    char *text = redis_heard(watch);
    if (!text)
        return NULL;
    struct envelope envelope;
    assert_int_equal(envelope_decode(bytes_of(text), &envelope), ENVELOPE_OK);
    assert_true(presence_event_read(&envelope, event));
    return text;
}

/* The watcher heard one event, with so many leaves of members of the dead gateway, each once, and nothing else. */
static void expect_one_event(redisContext *watch, uint32_t gateway, uint64_t pv, size_t leaves)
{
    struct presence_event event = {0};
    struct presence_change change;
    uint64_t seen = 0;
    char *text = next_event(watch, &event);
    assert_non_null(text);
    assert_int_equal(event.gateway, gateway);
    assert_int_equal(event.pv, pv);
    assert_int_equal(event.members, 0);
    while (presence_event_next(&event, &change)) {
        assert_int_equal(change.op, PRESENCE_LEAVE);
        assert_int_equal(change.member >> 32, gateway);
        assert_true(bytes_equal(change.value, BYTES("lost")));
        uint64_t bit = UINT64_C(1) << (change.member & 63);
        assert_int_equal(seen & bit, 0);
        seen |= bit;
        leaves--;
    }
    assert_int_equal(event.rest.len, 0);
    assert_int_equal(leaves, 0);
    free(text);
    text = redis_heard(watch);
    assert_null(text);
    redisFree(watch);
}

/* ---- reaping ---- */

static void the_dead_are_removed_and_the_room_is_told(void **state)
{
    struct bus_world *world = *state;
    redisContext *watch = redis_watch(&redis, "plenum:{lobby}");
    leave_behind("deadbeef", "lobby", 3, 2);
    redis_do(client, "HSET plenum:gw:deadbeef pod x");
    beat("deadbeef", SILENT_MS + 1000);
    let_pauses_pass();
    until_gone(world, "deadbeef");
    expect_one_event(watch, 0xdeadbeef, 8, 3);
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws plenum:{lobby}:m:deadbeef"), 0);
    assert_int_equal(redis_integer(client, "HEXISTS plenum:{lobby}:meta b:deadbeef"), 0);
    assert_in_range(redis_integer(client, "PTTL plenum:{lobby}:meta"), 86000000, 86400000);
}

static void who_was_only_counted_is_told_too(void **state)
{
    struct bus_world *world = *state;
    redisContext *watch = redis_watch(&redis, "plenum:{lobby}");
    leave_behind("deadbeef", "lobby", 0, 4);
    beat("deadbeef", SILENT_MS + 1000);
    let_pauses_pass();
    until_gone(world, "deadbeef");
    expect_one_event(watch, 0xdeadbeef, 8, 0);
}

static void two_reapers_at_once_tell_each_once(void **state)
{
    enum { ROOMS = 200 };
    struct bus_world *world = *state;
    parts_open(world_worker(world), &redis, GATEWAY_B);
    parts_until_up(world);
    redisContext *watch = redis_process_connect(&redis);
    for (int i = 0; i < ROOMS; i++) {
        char room[24];
        snprintf(room, sizeof room, "room-%d", i);
        leave_behind("deadbeef", room, 2, 0);
        redis_do(watch, "SUBSCRIBE plenum:{%s}", room);
    }
    redisSetTimeout(watch, (struct timeval){.tv_usec = 300000});
    beat("deadbeef", SILENT_MS + 1000);
    let_pauses_pass();
    until_gone(world, "deadbeef");
    world_run_for(world, 300);
    size_t events = 0;
    struct presence_event event = {0};
    for (char *text; (text = next_event(watch, &event)) != NULL; events++) {
        assert_int_equal(event.pv, 8);
        free(text);
    }
    assert_int_equal(events, ROOMS);
    redisFree(watch);
}

static void the_living_and_oneself_are_left_alone(void **state)
{
    struct bus_world *world = *state;
    leave_behind("deadbeef", "lobby", 1, 0);
    leave_behind("0a0a0a0a", "lobby", 1, 0);
    leave_behind("abababab", "lobby", 1, 0);
    beat("deadbeef", SILENT_MS - 10000);
    beat("0a0a0a0a", 150000);
    redis_do(client, "ZADD plenum:gws 99999999999999 abababab 12.5 cdcdcdcd 1 nonsense");
    let_pauses_pass();
    ahead_ms += 3000;
    world_run_for(world, 500);
    assert_int_equal(redis_integer(client, "HLEN plenum:{lobby}:gws"), 3);
    assert_int_equal(redis_integer(client, "ZCARD plenum:gws"), 5);
}

static void several_dead_are_removed_one_after_the_other(void **state)
{
    struct bus_world *world = *state;
    static const char *const gateways[] = {"dead0001", "dead0002", "dead0003", "dead0004"};
    for (int i = 0; i < 4; i++) {
        leave_behind(gateways[i], "lobby", 2, 0);
        beat(gateways[i], SILENT_MS + 1000);
    }
    let_pauses_pass();
    for (int look = 0; look < 2; look++) {
        world_run_for(world, 300);
        ahead_ms += 3000;
    }
    uint64_t begin = clock_ms(clock_system());
    for (int i = 0; i < 4; i++)
        world_until(world, is_gone(gateways[i]));
    assert_true(clock_ms(clock_system()) - begin < 2500); /* not one in each poll */
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws"), 0);
}

static void who_said_goodbye_with_members_left_is_reaped_at_once(void **state)
{
    struct bus_world *world = *state;
    leave_behind("deadbeef", "lobby", 1, 0);
    redis_do(client, "ZADD plenum:gws 0 deadbeef");
    let_pauses_pass();
    until_gone(world, "deadbeef");
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws"), 0);
}

static void report_nothing(void *ctx, struct gateway_report *out)
{
    (void)ctx;
    *out = (struct gateway_report){.pod = "", .address = "", .version = "", .state = "up"};
}

/* A whole bus, whose farewell is the other half of it. */
static void a_farewell_with_members_left_asks_to_be_reaped(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = world_worker(world);
    struct redis_bus_options options = {.prefix = "plenum", .report = report_nothing};
    char url[128];
    snprintf(url, sizeof url, "redis+unix://%s", redis.socket);
    assert_null(redis_url_parse(url, &options.url));
    worker->bus = redis_bus_new(&world->env, &options, &worker->counters, &world_bus_events, worker);
    world_until(world, counter_get(&worker->counters, GAUGE_BUS_UP) == 1);
    char gateway[12];
    snprintf(gateway, sizeof gateway, "%08x", worker->bus->gateway);
    struct presence_batch batch = {.room = BYTES("lobby"), .unlisted = 3, .first = true};
    answer_wait(world_presence(worker, &batch));
    world_until(world, redis_integer(client, "ZRANK plenum:gws %s", gateway) == 0);
    bus_close(worker->bus, world_on_bus_closed, worker);
    world_until(world, !worker->bus);
    redis_url_free(&options.url);
    assert_int_equal(redis_integer(client, "EXISTS plenum:gw:%s", gateway), 0);
    assert_int_equal(redis_integer(client, "SCARD plenum:gw:%s:rooms", gateway), 1);
    assert_int_equal(redis_integer(client, "ZCOUNT plenum:gws 0 0"), 1);
    let_pauses_pass();
    world_until(world, is_gone(gateway));
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws"), 0);
}

/* ---- order ---- */

/* The rooms served here are told before any other, however many those are. */
static void own_rooms_come_first(void **state)
{
    enum { ROOMS = 1000, OWN = 3 };
    static const char *const own[OWN] = {"own-1", "own-2", "own-3"};
    struct bus_world *world = *state;
    struct redis_parts *parts = worker_parts(&world->workers[0]);
    redisContext *watch = redis_process_connect(&redis);
    redis_do(watch, "PSUBSCRIBE plenum:{*}");
    redisSetTimeout(watch, (struct timeval){.tv_usec = 300000});
    for (int i = 0; i < ROOMS; i++) {
        char room[24];
        snprintf(room, sizeof room, "other-%d", i);
        leave_behind("deadbeef", room, 1, 0);
    }
    for (int i = 0; i < OWN; i++) {
        char name[NAME_BUFFER];
        size_t len = name_room_channel(name, BYTES("plenum"), bytes_of(own[i]));
        redis_channels_want(&parts->channels, (struct bytes){name, len}, world);
        leave_behind("deadbeef", own[i], 1, 0);
    }
    beat("deadbeef", SILENT_MS + 1000);
    let_pauses_pass();
    until_gone(world, "deadbeef");
    for (int i = 0; i < ROOMS + OWN; i++) {
        void *answer = NULL;
        assert_int_equal(redisGetReply(watch, &answer), REDIS_OK);
        redisReply *reply = answer;
        assert_int_equal(strncmp(reply->element[2]->str, "plenum:{own-", 12) == 0, i < OWN);
        freeReplyObject(reply);
    }
    redisFree(watch);
}

static void another_finishes_what_one_has_begun(void **state)
{
    enum { ROOMS = 3000 };
    struct bus_world *world = *state;
    for (int i = 0; i < ROOMS; i++) {
        char room[24];
        snprintf(room, sizeof room, "room-%d", i);
        leave_behind("deadbeef", room, 1, 0);
    }
    beat("deadbeef", SILENT_MS + 1000);
    let_pauses_pass();
    world_until(world, redis_integer(client, "SCARD plenum:gw:deadbeef:rooms") < ROOMS);
    bus_close(world->workers[0].bus, world_on_bus_closed, &world->workers[0]); /* in the middle, without a word */
    world_until(world, !world->workers[0].bus);
    assert_in_range(redis_integer(client, "SCARD plenum:gw:deadbeef:rooms"), 1, ROOMS - 1);
    assert_false(is_gone("deadbeef"));

    parts_open(&world->workers[0], &redis, GATEWAY_B);
    parts_until_up(world);
    let_pauses_pass();
    until_gone(world, "deadbeef");
    redisReply *left = redisCommand(client, "KEYS plenum:{*}:gws");
    assert_int_equal(left->elements, 0);
    freeReplyObject(left);
    left = redisCommand(client, "KEYS plenum:{*}:m:*");
    assert_int_equal(left->elements, 0);
    freeReplyObject(left);
}

/* ---- when it must not ---- */

static void nobody_is_reaped_soon_after_a_connect(void **state)
{
    struct bus_world *world = *state;
    leave_behind("deadbeef", "lobby", 1, 0);
    beat("deadbeef", SILENT_MS + 1000);
    ahead_ms += PAUSE_MS - 5000;
    world_run_for(world, 500);
    assert_false(is_gone("deadbeef"));
    redis_do(client, "CLIENT KILL TYPE normal SKIPME yes"); /* and it begins anew */
    world_until(world, !redis_link_up(&worker_parts(&world->workers[0])->commander.link));
    parts_until_up(world);
    ahead_ms += PAUSE_MS - 5000;
    world_run_for(world, 500);
    assert_false(is_gone("deadbeef"));
    ahead_ms += 5000;
    until_gone(world, "deadbeef");
}

/* A process that starts cannot know for how long there was no server: whoever lives beats meanwhile. */
static void a_beat_is_old_only_when_it_was_looked_at_for_a_while(void **state)
{
    struct bus_world *world = *state;
    struct redis_reaper *reaper = &worker_parts(&world->workers[0])->reaper;
    leave_behind("deadbeef", "lobby", 1, 0);
    leave_behind("deadbee1", "lobby", 1, 0);
    beat("deadbeef", SILENT_MS + 1000);
    beat("deadbee1", SILENT_MS + 2000);
    redis_reaper_down(reaper);
    *reaper = (struct redis_reaper){.common = reaper->common, .reaping = reaper->reaping};
    redis_reaper_up(reaper, true); /* as a new process does that found its server at once */
    world_run_for(world, 300);
    ahead_ms += 3000;
    world_run_for(world, 300);
    assert_false(is_gone("deadbeef") || is_gone("deadbee1"));
    beat("deadbee1", 0); /* it was there all the time */
    ahead_ms += 3000;
    world_until(world, is_gone("deadbeef"));
    world_run_for(world, 300);
    assert_false(is_gone("deadbee1"));
}

static void a_new_generation_lets_it_pause(void **state)
{
    struct bus_world *world = *state;
    let_pauses_pass();
    world_run_for(world, 100);
    redis_reaper_pause(&worker_parts(&world->workers[0])->reaper);
    leave_behind("deadbeef", "lobby", 1, 0);
    beat("deadbeef", SILENT_MS + 1000);
    ahead_ms += PAUSE_MS - 5000;
    world_run_for(world, 500);
    assert_false(is_gone("deadbeef"));
    ahead_ms += 5000;
    until_gone(world, "deadbeef");
}

/* It was only slow: its members that are left stay, and it finds out about the others by its next beat. */
static void who_beats_again_is_spared(void **state)
{
    enum { ROOMS = 3000 };
    struct bus_world *world = *state;
    for (int i = 0; i < ROOMS; i++) {
        char room[24];
        snprintf(room, sizeof room, "room-%d", i);
        leave_behind("deadbeef", room, 1, 0);
    }
    beat("deadbeef", SILENT_MS + 1000);
    let_pauses_pass();
    world_until(world, redis_integer(client, "SCARD plenum:gw:deadbeef:rooms") < ROOMS);
    beat("deadbeef", 0);
    world_until(world, !redis_reaping_busy(&worker_parts(&world->workers[0])->reaper.reaping));
    world_run_for(world, 200);
    assert_in_range(redis_integer(client, "SCARD plenum:gw:deadbeef:rooms"), 1, ROOMS - 1);
    assert_int_equal(redis_integer(client, "ZADD plenum:gws 1 deadbeef"), 1); /* new: it has been forgotten */
}

/* ---- what goes wrong ---- */

static void scripts_that_were_forgotten_are_loaded_again(void **state)
{
    struct bus_world *world = *state;
    leave_behind("deadbeef", "lobby", 1, 0);
    beat("deadbeef", SILENT_MS + 1000);
    redis_do(client, "SCRIPT FLUSH");
    let_pauses_pass();
    until_gone(world, "deadbeef");
    assert_int_equal(redis_integer(client, "EXISTS plenum:{lobby}:gws"), 0);
}

/* A room that cannot be reaped keeps the gateway's entries, and nobody else waits for it. */
static void a_room_that_cannot_be_reaped_holds_up_nobody(void **state)
{
    struct bus_world *world = *state;
    leave_behind("dead0001", "broken", 1, 0);
    redis_do(client, "DEL plenum:{broken}:gws");
    redis_do(client, "SET plenum:{broken}:gws text");
    for (int i = 0; i < 100; i++) {
        char room[24];
        snprintf(room, sizeof room, "room-%d", i);
        leave_behind("dead0001", room, 1, 0);
    }
    redis_do(client, "SADD plenum:gw:dead0001:rooms {no} a\\ room \xff");
    leave_behind("dead0002", "lobby", 1, 0);
    beat("dead0001", SILENT_MS + 2000);
    beat("dead0002", SILENT_MS + 1000);
    let_pauses_pass();
    for (int i = 0; i < 100 && !is_gone("dead0002"); i++) {
        world_run_for(world, 50);
        ahead_ms += 100;
    }
    assert_true(is_gone("dead0002"));
    world_until(world, redis_integer(client, "SCARD plenum:gw:dead0001:rooms") == 1);
    assert_int_equal(redis_integer(client, "SISMEMBER plenum:gw:dead0001:rooms broken"), 1);
    redis_do(client, "DEL plenum:{broken}:gws");
    ahead_ms += 6000;
    until_gone(world, "dead0001");
}

static void without_rights_nothing_is_forgotten(void **state)
{
    struct bus_world *world = *state;
    leave_behind("deadbeef", "lobby", 1, 0);
    beat("deadbeef", SILENT_MS + 1000);
    static const char *const commands[] = {"smembers", "evalsha", "srandmember", "zrange", "time", "zscore"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        redis_do(client, "ACL SETUSER default -%s", commands[i]);
        ahead_ms += PAUSE_MS;
        world_run_for(world, 200);
        redis_do(client, "ACL SETUSER default +%s", commands[i]);
        assert_int_equal(redis_integer(client, "SISMEMBER plenum:gw:deadbeef:rooms lobby"), 1);
        assert_int_equal(redis_integer(client, "ZRANK plenum:gws deadbeef"), 0);
    }
    ahead_ms += 6000;
    until_gone(world, "deadbeef");
}

/* ---- */

static int set_up(void **state)
{
    redis_do(client, "FLUSHALL");
    struct bus_world *world = xmalloc(sizeof *world);
    world_init(world);
    world->env.clock = &shifted;
    parts_open(world_worker(world), &redis, GATEWAY_A);
    parts_until_up(world);
    *state = world;
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_dead_are_removed_and_the_room_is_told),
        TEST(who_was_only_counted_is_told_too),
        TEST(two_reapers_at_once_tell_each_once),
        TEST(the_living_and_oneself_are_left_alone),
        TEST(several_dead_are_removed_one_after_the_other),
        TEST(who_said_goodbye_with_members_left_is_reaped_at_once),
        TEST(a_farewell_with_members_left_asks_to_be_reaped),
        TEST(own_rooms_come_first),
        TEST(another_finishes_what_one_has_begun),
        TEST(nobody_is_reaped_soon_after_a_connect),
        TEST(a_beat_is_old_only_when_it_was_looked_at_for_a_while),
        TEST(a_new_generation_lets_it_pause),
        TEST(who_beats_again_is_spared),
        TEST(scripts_that_were_forgotten_are_loaded_again),
        TEST(a_room_that_cannot_be_reaped_holds_up_nobody),
        TEST(without_rights_nothing_is_forgotten),
    };
    return cmocka_run_group_tests(tests, redis_open, redis_end);
}
