/* redis_bus_test.c -- the bus through a real redis-server: the bus contract, then what happens when the server dies,
 * hangs, refuses, cuts connections off or does not deliver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/redis_bus.h"
#include "support/bus_contract_world.h"
#include "support/redis_process.h"

static struct redis_process redis;
static struct redis_bus_options options;

static void set_url(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    redis_url_free(&options.url);
    assert_null(redis_url_parse(text, &options.url));
}

static void contract_bus_open(struct bus_worker *worker)
{
    worker->bus = redis_bus_new(&worker->world->env, &options, &worker->counters, &world_bus_events, worker);
}

#include "bus_admin_contract.h"
#include "bus_contract.h"
#include "bus_log_contract.h"
#include "bus_presence_contract.h"

static uint64_t counted(const struct bus_worker *worker, enum counter which)
{
    return counter_get(&worker->counters, which);
}

static void wait_until_up(struct bus_world *world)
{
    world_until(world, counted(&world->workers[0], GAUGE_BUS_UP) && counted(&world->workers[1], GAUGE_BUS_UP));
}

/* Both are in the lobby: what one says now reaches the other. */
static void expect_delivery(struct bus_world *world)
{
    static int number;
    char text[32];
    snprintf(text, sizeof text, "delivery %d", number++);
    wait_until_up(world);
    world_publish(&world->workers[1], "lobby", text, 9);
    world_until(world, world_last_is(&world->workers[0], text));
}

/* ---- outages ---- */

static void a_killed_server_is_found_again_and_rooms_are_resubscribed(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    redis_process_kill(&redis);
    world_until(world, !channels[0]->confirmed && !channels[1]->confirmed);
    assert_int_equal(world->workers[0].lost, 1);
    assert_int_equal(world->workers[1].lost, 1);
    assert_int_equal(counted(&world->workers[0], GAUGE_BUS_UP), 0);
    redis_process_run(&redis, NULL);
    world_until(world, channels[0]->confirmed && channels[1]->confirmed);
    expect_delivery(world);
    assert_int_equal(world->workers[0].confirmed, 2); /* told again: who joined meanwhile waits for it */
    assert_int_equal(counted(&world->workers[0], COUNT_REDIS_LOST_EOF), 2);
    assert_int_equal(counted(&world->workers[0], COUNT_REDIS_CONNECTS), 4);
}

static void a_publish_during_an_outage_waits_or_fails_as_unavailable(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    redis_process_kill(&redis);
    world_until(world, !channels[0]->confirmed);
    world_publish(&world->workers[1], "lobby", "too early", 4);
    assert_false(bus_idle(world->workers[1].bus));
    world_until(world, world->workers[1].failed == 1);
    assert_int_equal(world->workers[1].told[world->workers[1].told_count - 1].why, BUS_UNAVAILABLE);
    assert_int_equal(world->workers[1].told[world->workers[1].told_count - 1].member, 4);
    assert_true(bus_idle(world->workers[1].bus));
    assert_int_equal(counted(&world->workers[1], COUNT_BUS_FAILED_UNAVAILABLE), 1);

    world_publish(&world->workers[1], "lobby", "in time", 5);
    redis_process_run(&redis, NULL);
    world_until(world, bus_idle(world->workers[1].bus));
    assert_int_equal(world->workers[1].failed, 1);
    world_until(world, channels[0]->confirmed);
    expect_delivery(world);
}

static void a_hung_server_makes_publishes_uncertain_and_is_left(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    kill(redis.pid, SIGSTOP);
    uint64_t begin = clock_ms(clock_system());
    world_publish(publisher, "lobby", "into the void", 4);
    world_until(world, publisher->failed == 1);
    assert_true(clock_ms(clock_system()) - begin < 3500);
    assert_int_equal(publisher->told[publisher->told_count - 1].why, BUS_UNCERTAIN);
    world_until(world, counted(publisher, COUNT_REDIS_LOST_TIMEOUT) == 2);
    assert_true(clock_ms(clock_system()) - begin < 4500);
    world_run_for(world, 2500); /* the next attempt connects, and must not count as up */
    assert_int_equal(counted(publisher, GAUGE_BUS_UP), 0);
    kill(redis.pid, SIGCONT);
    world_until(world, channels[0]->confirmed);
    expect_delivery(world);
    assert_int_equal(publisher->failed, 1); /* told once */
}

static void a_late_answer_after_the_deadline_is_for_nobody(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    world_run_for(world, 1000); /* so that no PING is due before the publish's deadline has passed */
    kill(redis.pid, SIGSTOP);
    for (int i = 0; i < 10; i++)
        world_publish(publisher, "lobby", "late", 4);
    world_until(world, publisher->failed == 10);
    kill(redis.pid, SIGCONT);
    world_until(world, counted(publisher, GAUGE_BUS_UP));
    world_until(world, channels[0]->confirmed && channels[1]->confirmed);
    world_publish(publisher, "lobby", "in order", 4);
    world_until(world, bus_idle(publisher->bus));
    assert_int_equal(publisher->failed, 10);
    world_until(world, world_last_is(publisher, "in order"));
}

/* More than the kernel takes from us while the server does not read: some is sent, one is cut in two, the rest waits.
 */
static void what_was_not_sent_survives_the_loss_of_the_connection(void **state)
{
    enum { MESSAGES = 20, SIZE = 100000 };
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    kill(redis.pid, SIGSTOP);
    char *payload = xcalloc(1, SIZE);
    for (uint64_t i = 1; i <= MESSAGES; i++)
        world_publish_bytes(publisher, "lobby", (struct bytes){payload, SIZE}, i);
    free(payload);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    redis_process_kill(&redis);
    redis_process_run(&redis, NULL);
    world_until(world, bus_idle(publisher->bus));
    wait_until_up(world);

    /* Each has failed as uncertain or was published to the new server, in order, and none both. */
    assert_in_range(publisher->failed, 1, MESSAGES - 1);
    uint64_t next = 1;
    for (size_t i = 0; i < publisher->told_count; i++) {
        if (publisher->told[i].kind != TOLD_FAILED)
            continue;
        assert_int_equal(publisher->told[i].why, BUS_UNCERTAIN);
        assert_int_equal(publisher->told[i].member, next++);
    }
    redisContext *client = redis_process_connect(&redis);
    redisReply *reply = redisCommand(client, "INFO commandstats");
    const char *calls = strstr(reply->str, "cmdstat_publish:calls=");
    assert_non_null(calls);
    assert_int_equal(atoi(calls + strlen("cmdstat_publish:calls=")), MESSAGES - publisher->failed);
    freeReplyObject(reply);
    redisFree(client);
}

static void cut_off_subscribers_come_back(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    redisContext *client = redis_process_connect(&redis);
    for (int round = 0; round < 5; round++) {
        /* Two, as each worker has one; in a later round the last one's may not be back. */
        assert_true(redis_process_integer(client, "CLIENT KILL TYPE pubsub") >= 0);
        world_until(world, counted(&world->workers[0], COUNT_REDIS_LOST_EOF) > (uint64_t)round);
        world_until(world, channels[0]->confirmed && channels[1]->confirmed);
        expect_delivery(world);
    }
    assert_int_equal(world->workers[0].failed, 0);
    redisFree(client);
}

static void a_cut_off_commander_fails_what_is_unanswered_and_comes_back(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    redisContext *client = redis_process_connect(&redis);
    assert_true(redis_process_integer(client, "CLIENT KILL TYPE normal SKIPME yes") >= 2);
    world_until(world, counted(&world->workers[1], COUNT_REDIS_LOST_EOF) >= 1);
    expect_delivery(world);
    redisFree(client);
}

static void a_bus_that_does_not_deliver_is_found_deaf(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    wait_until_up(world);
    world_until(world, counted(worker, COUNT_REDIS_PROBES) > 0);
    world_run_for(world, 2600);
    assert_int_equal(counted(worker, COUNT_REDIS_LOST_DEAF), 0); /* it is quiet, but delivers */

    redisContext *client = redis_process_connect(&redis);
    freeReplyObject(redisCommand(client, "ACL SETUSER default -publish")); /* both connections stay healthy */
    world_until(world, counted(worker, COUNT_REDIS_LOST_DEAF) == 2);
    freeReplyObject(redisCommand(client, "ACL SETUSER default +publish"));
    wait_until_up(world);
    redisFree(client);
}

static void a_bus_that_is_said_to_be_deaf_replaces_its_subscriber(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    int other;
    world_subscribe(worker, "team", &other);
    world_until(world, worker->confirmed == 2);
    bus_deaf(worker->bus);
    assert_int_equal(worker->lost, 0); /* never from inside */
    world_until(world, worker->confirmed == 4);
    assert_int_equal(worker->lost, 2);
    assert_int_equal(counted(worker, COUNT_REDIS_LOST_DEAF), 1);
    assert_int_equal(world->workers[1].lost, 0);
    expect_delivery(world);
}

/* ---- who the server lets in ---- */

static void log_into(struct bus_world *world, int fds[2])
{
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    world->log = (struct log){.fd = fds[1], .level = LOG_INFO, .format = LOG_TEXT, .clock = clock_system()};
}

/* What was logged since the last time. */
static const char *read_log(int fd)
{
    static char text[65536];
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    assert_null(strstr(text, "wrongsecret"));
    assert_null(strstr(text, "s3cret"));
    return text;
}

static int times(const char *text, const char *phrase)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, phrase)); at++)
        count++;
    return count;
}

/* Everything that a gateway does on a server is done once. */
static void expect_all_rights(struct bus_worker *worker)
{
    world_publish_with(worker, "rights", BYTES("x"), 77, &world_log, "key");
    world_until(worker->world,
                worker->published > 0 && world_told(worker, TOLD_PUBLISHED, worker->published - 1)->seq == 1);
    struct presence_change change = {PRESENCE_JOIN, (uint64_t)worker->bus->gateway << 32 | 1, BYTES("{}")};
    struct presence_batch batch = {.room = BYTES("rights"), .changes = &change, .count = 1, .first = true};
    answer_wait(world_presence(worker, &batch));
    answer_wait(world_locate(worker, "rights", "", 0));
    answer_wait(world_peek(worker, "rights"));
    answer_wait(world_read(worker, "rights", (struct log_range){.limit = 10}));
    answer_wait(world_members(worker, "rights"));
    answer_wait(world_signal(worker, worker->bus->gateway, BYTES("to me")));
    answer_wait(world_command(worker, 0, "nothing"));
    answer_wait(world_hash_write(worker, BUS_STATE, "rights", "lock", "1"));
    answer_wait(world_hash_read(worker, BUS_BANS, "rights"));
    answer_wait(world_list_rooms(worker));
    answer_wait(world_list_gateways(worker));
}

static void a_user_with_a_password_gets_in(void **state)
{
    (void)state;
    redisContext *client = redis_process_connect(&redis);
    freeReplyObject(redisCommand(client,
                                 "ACL SETUSER gateway on >s3cret:%%40 ~plenum:* &plenum:* -@all +@connection "
                                 "+subscribe +unsubscribe +publish +@read +@write -@dangerous +evalsha +script|load "
                                 "+info +time +pubsub|channels +pubsub|numsub"));
    set_url("redis://gateway:s3cret%%3A%%2540@127.0.0.1:%d/3", redis.port);
    struct bus_world world;
    int fds[2];
    world_init(&world);
    log_into(&world, fds);
    contract_bus_open(world_worker(&world));
    contract_bus_open(world_worker(&world));
    struct bus_channel *channels[2];
    both_join(&world, "lobby", channels);
    expect_delivery(&world);
    expect_all_rights(&world.workers[0]);
    const char *text = read_log(fds[0]);
    assert_int_equal(times(text, "redis connected"), 4);
    assert_int_equal(times(text, "refuses"), 0);
    world_close(&world);
    close(fds[0]);
    close(fds[1]);
    freeReplyObject(redisCommand(client, "ACL DELUSER gateway"));
    redisFree(client);
    set_url("redis+unix://%s", redis.socket);
}

static void a_wrong_password_is_said_once_and_never_shown(void **state)
{
    (void)state;
    set_url("redis://nobody:wrongsecret@127.0.0.1:%d", redis.port);
    struct bus_world world;
    int fds[2];
    world_init(&world);
    log_into(&world, fds);
    contract_bus_open(world_worker(&world));
    world_run_for(&world, 2500);
    assert_int_equal(times(read_log(fds[0]), "check user and password"),
                     2); /* one for each connection, none for a retry */
    assert_int_equal(counter_get(&world.workers[0].counters, GAUGE_BUS_UP), 0);
    world_close(&world);
    close(fds[0]);
    close(fds[1]);
    set_url("redis+unix://%s", redis.socket);
}

static void a_refused_publish_is_told_as_refused(void **state)
{
    struct bus_world *world = *state;
    wait_until_up(world);
    redisContext *client = redis_process_connect(&redis);
    struct bus_worker *worker = &world->workers[0];
    freeReplyObject(redisCommand(client, "ACL SETUSER default -publish"));
    world_publish(worker, "lobby", "no", 3);
    world_until(world, worker->failed == 1);
    assert_int_equal(worker->told[0].why, BUS_REFUSED);
    assert_int_equal(worker->told[0].member, 3);
    freeReplyObject(redisCommand(client, "ACL SETUSER default +publish"));
    world_publish(worker, "lobby", "yes", 3);
    world_until(world, bus_idle(worker->bus));
    assert_int_equal(worker->failed, 1);
    redisFree(client);
}

static void a_room_that_the_server_forbids_costs_the_others_nothing(void **state)
{
    struct bus_world *world = *state;
    wait_until_up(world);
    redisContext *client = redis_process_connect(&redis);
    struct bus_worker *worker = &world->workers[0];
    freeReplyObject(redisCommand(
        client, "ACL SETUSER default resetchannels &plenum:{lobby} &plenum:{team* &plenum:{gw:* &plenum:ctl*"));
    world_run_for(world, 100); /* the server cuts off who had more */
    wait_until_up(world);
    uint64_t lost = counted(worker, COUNT_REDIS_LOST_ERROR);
    int subscribers[4];
    struct bus_channel *lobby = world_subscribe(worker, "lobby", &subscribers[0]); /* in one command with the next */
    struct bus_channel *evil = world_subscribe(worker, "evil", &subscribers[1]);
    struct bus_channel *team = world_subscribe(worker, "team1", &subscribers[2]);
    world_until(world, lobby->confirmed && team->confirmed);
    struct bus_channel *later = world_subscribe(worker, "team2", &subscribers[3]);
    world_until(world, later->confirmed);
    assert_false(evil->confirmed);
    assert_int_equal(counted(worker, COUNT_REDIS_LOST_ERROR), lost);
    world_publish(worker, "team1", "heard", 3);
    world_until(world, world_last_is(worker, "heard"));
    bus_unsubscribe(worker->bus, evil);
    freeReplyObject(redisCommand(client, "ACL SETUSER default allchannels"));
    evil = world_subscribe(worker, "evil", &subscribers[1]); /* who asks anew is asked for anew */
    world_until(world, evil->confirmed);
    redisFree(client);
}

static void a_read_only_server_is_left_until_it_is_primary(void **state)
{
    struct bus_world *world = *state;
    wait_until_up(world);
    redisContext *client = redis_process_connect(&redis);
    struct bus_worker *worker = &world->workers[0];
    /* A replica of nothing: the next beat is answered by -READONLY. */
    freeReplyObject(redisCommand(client, "REPLICAOF 127.0.0.1 1"));
    world_until(world, counted(worker, COUNT_REDIS_LOST_ERROR) > 0);
    world_run_for(world, 500);
    assert_int_equal(counted(worker, GAUGE_BUS_UP), 0);
    assert_true(counted(worker, COUNT_REDIS_CONNECTS) < 30); /* with backoff */
    freeReplyObject(redisCommand(client, "REPLICAOF NO ONE"));
    wait_until_up(world);
    redisFree(client);
}

/* ---- the gateway's entry ---- */

static void a_gateway_stands_in_redis_while_it_lives(void **state)
{
    (void)state;
    struct bus_world world;
    world_init(&world);
    struct bus_worker *worker = world_worker(&world);
    contract_bus_open(worker);
    world_until(&world, counted(worker, GAUGE_BUS_UP));
    redisContext *client = redis_process_connect(&redis);
    char command[128];
    snprintf(command, sizeof command, "HEXISTS plenum:gw:%08x connections", worker->bus->gateway);
    world_until(&world, redis_process_integer(client, command) == 1);
    snprintf(command, sizeof command, "PTTL plenum:gw:%08x", worker->bus->gateway);
    assert_in_range(redis_process_integer(client, command), 1000, 15000);
    assert_int_equal(redis_process_integer(client, "ZCARD plenum:gws"), 1);
    redisReply *reply = redisCommand(client, "HGET plenum:gw:%08x pod", worker->bus->gateway);
    assert_string_equal(reply->str, "pod-1");
    freeReplyObject(reply);

    snprintf(command, sizeof command, "EXISTS plenum:gw:%08x", worker->bus->gateway);
    world_close(&world);
    assert_int_equal(redis_process_integer(client, command), 0);
    assert_int_equal(redis_process_integer(client, "ZCARD plenum:gws"), 0);
    redisFree(client);
}

static void repeatable_fill(void *ctx, void *buffer, size_t len)
{
    uint64_t *seed = ctx;
    unsigned char *out = buffer;
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        out[i] = (unsigned char)(*seed >> 56);
    }
}

static void a_gateway_id_that_is_taken_is_changed(void **state)
{
    (void)state;
    redisContext *client = redis_process_connect(&redis);
    struct bus_world world;
    world_init(&world);
    uint64_t seed = 7;
    struct random random = {repeatable_fill, &seed};
    world.env.random = &random;
    struct bus_worker *worker = world_worker(&world);

    uint64_t same_seed = 7;
    uint32_t taken = random_u32(&(struct random){repeatable_fill, &same_seed});
    freeReplyObject(redisCommand(client, "HSET plenum:gw:%08x claim somebody", taken));
    contract_bus_open(worker);
    assert_int_equal(worker->bus->gateway, taken);
    world_subscribe(worker, "lobby", worker);
    world_until(&world, worker->confirmed == 1);
    assert_int_not_equal(worker->bus->gateway, taken); /* before anybody is let in */
    world_close(&world);
    freeReplyObject(redisCommand(client, "DEL plenum:gw:%08x", taken));
    redisFree(client);
}

static void wait_for_beats(redisContext *client, struct bus_world *world)
{
    world_until(world, redis_process_integer(client, "ZCARD plenum:gws") == 2);
}

static void a_gateway_that_was_forgotten_hears_of_it_once(void **state)
{
    struct bus_world *world = *state;
    wait_until_up(world);
    redisContext *client = redis_process_connect(&redis);
    wait_for_beats(client, world);
    freeReplyObject(redisCommand(client, "FLUSHALL")); /* with the connections as they are */
    for (int i = 0; i < 2; i++)
        world_until(world, world->workers[i].forgotten == 1);
    redisFree(client);

    redis_process_kill(&redis); /* and comes back empty */
    redis_process_run(&redis, NULL);
    for (int i = 0; i < 2; i++)
        world_until(world, world->workers[i].forgotten == 2);
    world_run_for(world, 3500);
    assert_int_equal(world->workers[0].forgotten, 2);

    client = redis_process_connect(&redis); /* a short loss is not noticed by anybody */
    assert_true(redis_process_integer(client, "CLIENT KILL TYPE normal SKIPME yes") >= 2);
    world_run_for(world, 3500);
    wait_until_up(world);
    assert_int_equal(world->workers[0].forgotten, 2);
    redisFree(client);
}

static void a_gateway_that_lost_its_id_has_another_and_is_forgotten(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    wait_until_up(world);
    redisContext *client = redis_process_connect(&redis);
    uint32_t before = worker->bus->gateway;
    freeReplyObject(redisCommand(client, "HSET plenum:gw:%08x claim somebody", before));
    assert_true(redis_process_integer(client, "CLIENT KILL TYPE normal SKIPME yes") >= 2);
    world_until(world, worker->forgotten == 1);
    assert_int_not_equal(worker->bus->gateway, before);
    assert_int_equal(world->workers[1].forgotten, 0);
    wait_until_up(world);
    struct answer *answer; /* its new channels are open */
    do {
        answer = world_signal(&world->workers[1], worker->bus->gateway, BYTES("hello"));
        world_until(world, answer->ends == 1);
    } while (answer->result == BUS_NOBODY);
    world_until(world, worker->signals == 1);
    freeReplyObject(redisCommand(client, "DEL plenum:gw:%08x", before));
    redisFree(client);
}

/* ---- admins, pressure ---- */

static void an_admins_publish_reaches_the_room(void **state)
{
    struct bus_world *world = *state;
    struct bus_channel *channels[2];
    both_join(world, "lobby", channels);
    redisContext *client = redis_process_connect(&redis);
    redisReply *reply = redisCommand(client, "PUBLISH plenum:{lobby} %s", "restart in 5 min");
    assert_int_equal(reply->integer, 2); /* one connection of each worker */
    freeReplyObject(reply);
    world_until(world, world->workers[0].messages == 1 && world->workers[1].messages == 1);
    assert_string_equal(world_message(&world->workers[0], 0)->payload, "restart in 5 min");
    redisFree(client);
}

static void what_waits_presses_and_flows_again(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    wait_until_up(world);
    char *payload = xcalloc(1, 100000);
    for (int i = 0; i < 20; i++)
        world_publish_bytes(worker, "lobby", (struct bytes){payload, 100000}, 1);
    assert_int_equal(worker->told[worker->told_count - 1].kind, TOLD_PRESSURE);
    assert_int_equal(worker->told[worker->told_count - 1].pressure, BUS_PRESSED);
    world_until(world, bus_idle(worker->bus));
    assert_int_equal(worker->told[worker->told_count - 1].pressure, BUS_FLOWING);
    assert_int_equal(worker->failed, 0);
    free(payload);
}

static int redis_open(void **state)
{
    (void)state;
    redis_process_init(&redis, NULL);
    options.prefix = "plenum";
    options.report = contract_report;
    set_url("redis+unix://%s", redis.socket);
    return 0;
}

static int redis_end(void **state)
{
    (void)state;
    redis_url_free(&options.url);
    redis_process_close(&redis);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_TESTS,
        CONTRACT_LOG_TESTS,
        CONTRACT_PRESENCE_TESTS,
        CONTRACT_ADMIN_TESTS,
        CONTRACT_TEST(a_killed_server_is_found_again_and_rooms_are_resubscribed),
        CONTRACT_TEST(a_publish_during_an_outage_waits_or_fails_as_unavailable),
        CONTRACT_TEST(a_hung_server_makes_publishes_uncertain_and_is_left),
        CONTRACT_TEST(a_late_answer_after_the_deadline_is_for_nobody),
        CONTRACT_TEST(what_was_not_sent_survives_the_loss_of_the_connection),
        CONTRACT_TEST(cut_off_subscribers_come_back),
        CONTRACT_TEST(a_cut_off_commander_fails_what_is_unanswered_and_comes_back),
        CONTRACT_TEST(a_bus_that_does_not_deliver_is_found_deaf),
        CONTRACT_TEST(a_bus_that_is_said_to_be_deaf_replaces_its_subscriber),
        cmocka_unit_test(a_user_with_a_password_gets_in),
        cmocka_unit_test(a_wrong_password_is_said_once_and_never_shown),
        CONTRACT_TEST(a_refused_publish_is_told_as_refused),
        CONTRACT_TEST(a_room_that_the_server_forbids_costs_the_others_nothing),
        CONTRACT_TEST(a_read_only_server_is_left_until_it_is_primary),
        cmocka_unit_test(a_gateway_stands_in_redis_while_it_lives),
        cmocka_unit_test(a_gateway_id_that_is_taken_is_changed),
        CONTRACT_TEST(a_gateway_that_was_forgotten_hears_of_it_once),
        CONTRACT_TEST(a_gateway_that_lost_its_id_has_another_and_is_forgotten),
        CONTRACT_TEST(an_admins_publish_reaches_the_room),
        CONTRACT_TEST(what_waits_presses_and_flows_again),
    };
    return cmocka_run_group_tests(tests, redis_open, redis_end);
}
