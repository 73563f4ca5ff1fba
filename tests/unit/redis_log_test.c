/* redis_log_test.c -- the rooms' logs in a real redis-server, when things go wrong: answers lost, servers killed, hung,
 * emptied, set back, refused. What every bus promises of a log stands in bus_log_contract.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/redis_bus.h"
#include "gateway/bus/redis_scripts.h"
#include "support/bus_contract_world.h"
#include "support/redis_process.h"
#include "support/redis_proxy.h"

static struct redis_process redis;
static struct redis_proxy proxy;
static redisContext *client; /* sees what the bus did */
static struct redis_bus_options options;

static void contract_bus_open(struct bus_worker *worker)
{
    worker->bus = redis_bus_new(&worker->world->env, &options, &worker->counters, &world_bus_events, worker);
}

/* ---- what tests do ---- */

static void set_url(const char *path)
{
    char text[256];
    snprintf(text, sizeof text, "redis+unix://%s", path);
    redis_url_free(&options.url);
    assert_null(redis_url_parse(text, &options.url));
}

/* Runs a command whose answer does not matter. */
__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(client, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

static long long ask_number(const char *command)
{
    return redis_process_integer(client, command);
}

static void publish_numbers(struct bus_worker *worker, const char *room, int from, int to)
{
    static const struct log_rule all = {.size = 20000, .bytes = 64 << 20, .ttl_s = 600};
    for (int i = from; i <= to; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        world_publish_with(worker, room, bytes_of(text), (uint64_t)i, &all, NULL);
    }
}

/* One entry of the stream, as the server has it. */
struct entry {
    uint64_t seq;
    char epoch[EPOCH_MAX + 1];
    int number; /* the payload */
};

/* All entries of the room's log, in their order. */
static size_t read_entries(const char *room, struct entry *entries, size_t max)
{
    redisReply *reply = redisCommand(client, "XRANGE plenum:{%s}:hist - +", room);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_in_range(reply->elements, 0, max);
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *value = reply->element[i]->element[1]->element[1];
        struct envelope envelope;
        assert_int_equal(envelope_decode((struct bytes){value->str, value->len}, &envelope), ENVELOPE_OK);
        entries[i].seq = envelope.seq;
        assert_int_equal(strtoull(reply->element[i]->element[0]->str, NULL, 10), envelope.seq);
        world_copy_epoch(entries[i].epoch, envelope.epoch);
        char text[16];
        snprintf(text, sizeof text, "%.*s", (int)envelope.payload.len, envelope.payload.data);
        entries[i].number = atoi(text);
    }
    size_t count = reply->elements;
    freeReplyObject(reply);
    return count;
}

/* The log holds 1 to count, each once and in order; how many epochs there are is returned. */
static int expect_all_once(const char *room, int count)
{
    static struct entry entries[5000];
    assert_int_equal(read_entries(room, entries, 5000), count);
    int epochs = 1;
    for (int i = 0; i < count; i++) {
        assert_int_equal(entries[i].number, i + 1);
        epochs += i > 0 && strcmp(entries[i].epoch, entries[i - 1].epoch) != 0;
    }
    return epochs;
}

/* The ends that the worker was told are those of 1 to count, in order. */
static void expect_ends_in_order(const struct bus_worker *worker, int count)
{
    uint64_t next = 1;
    for (size_t i = 0; i < worker->told_count; i++) {
        if (worker->told[i].kind == TOLD_PUBLISHED || worker->told[i].kind == TOLD_FAILED)
            assert_int_equal(worker->told[i].member, next++);
    }
    assert_int_equal(next, count + 1);
}

static void restart(const char *const *extra)
{
    redis_process_run(&redis, extra);
    redisFree(client);
    client = redis_process_connect(&redis);
}

/* ---- once ---- */

static void a_lost_answer_makes_no_second_message(void **state)
{
    enum { CUTS = 20, PER_CUT = 100 };
    (void)state;
    set_url(proxy.path);
    struct bus_world *world;
    contract_set_up((void **)&world);
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    for (int i = 0; i < CUTS; i++) {
        atomic_store(&proxy.cuts, 1);
        publish_numbers(publisher, "cut", i * PER_CUT + 1, (i + 1) * PER_CUT);
        world_until(world, publisher->published + publisher->failed == (size_t)(i + 1) * PER_CUT);
    }
    assert_int_equal(publisher->failed, 0);
    assert_true(counter_get(&publisher->counters, COUNT_REDIS_LOST_EOF) >= CUTS / 2); /* some cuts hit the other */
    expect_ends_in_order(publisher, CUTS * PER_CUT);
    assert_int_equal(expect_all_once("cut", CUTS * PER_CUT), 1);
    /* And what the publisher was told is where they are. */
    static struct entry entries[CUTS * PER_CUT];
    read_entries("cut", entries, CUTS * PER_CUT);
    for (size_t i = 0; i < CUTS * PER_CUT; i++)
        assert_int_equal(world_told(publisher, TOLD_PUBLISHED, i)->seq, entries[i].seq);
    contract_tear_down((void **)&world);
    set_url(redis.socket);
}

static void a_killed_server_that_keeps_its_log_has_each_message_once(void **state)
{
    enum { KILLS = 3, PER_KILL = 100 };
    static const char *const always[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    redis_process_kill(&redis);
    restart(always);
    both_are_up(world);
    for (int i = 0; i < KILLS; i++) {
        for (int turn = 0; turn < PER_KILL; turn++) {
            publish_numbers(publisher, "killed", i * PER_KILL + turn + 1, i * PER_KILL + turn + 1);
            world_run_for(world, 2);
            if (turn == PER_KILL / 2) {
                redis_process_kill(&redis);
                restart(always);
            }
        }
        world_until(world, publisher->published + publisher->failed == (size_t)(i + 1) * PER_KILL);
    }
    assert_int_equal(publisher->failed, 0);
    expect_ends_in_order(publisher, KILLS * PER_KILL);
    assert_int_equal(expect_all_once("killed", KILLS * PER_KILL), KILLS + 1); /* it may always have been a tail less */
    redis_process_kill(&redis);
    restart(NULL);
}

/* What a connection that is gone brings to the server at last, when later batches are long there. */
static void an_old_batch_is_not_carried_out_after_a_later_one(void **state)
{
    (void)state;
    static const char *const answers[] = {"first", "second"};
    redisReply *first = NULL;
    for (int number = 5; number <= 6; number++) {
        redisReply *reply = redisCommand(
            client, "EVAL %s 5 {s}:meta {s}:hist {s} {s}:mid:0 {s}:mid:1 PUBLISH 10 60000 60000 60 - e1 gw ab.%d %b %s",
            redis_script_texts[SCRIPT_APPEND].data, number, "", (size_t)0, answers[number - 5]);
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        if (number == 5)
            first = reply;
        else
            freeReplyObject(reply);
    }
    assert_non_null(first);
    redisReply *stale = redisCommand(
        client, "EVAL %s 5 {s}:meta {s}:hist {s} {s}:mid:0 {s}:mid:1 PUBLISH 10 60000 60000 60 - e1 gw ab.5 %b first",
        redis_script_texts[SCRIPT_APPEND].data, "", (size_t)0);
    assert_int_equal(stale->type, REDIS_REPLY_ERROR);
    assert_memory_equal(stale->str, "STALE", 5);
    assert_int_equal(ask_number("XLEN {s}:hist"), 2);
    /* Another life of the same gateway begins its numbers anew. */
    redisReply *other = redisCommand(
        client, "EVAL %s 5 {s}:meta {s}:hist {s} {s}:mid:0 {s}:mid:1 PUBLISH 10 60000 60000 60 - e1 gw cd.1 %b third",
        redis_script_texts[SCRIPT_APPEND].data, "", (size_t)0);
    assert_int_equal(other->type, REDIS_REPLY_STRING);
    assert_int_equal(ask_number("XLEN {s}:hist"), 3);
    freeReplyObject(first);
    freeReplyObject(stale);
    freeReplyObject(other);
}

static void a_server_that_forgot_the_scripts_is_told_them_again(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    for (int i = 0; i < 200; i++) {
        if (i % 20 == 0)
            run("SCRIPT FLUSH");
        publish_numbers(publisher, "forgot", i + 1, i + 1);
        world_run_for(world, 2);
    }
    world_until(world, publisher->published == 200);
    assert_int_equal(expect_all_once("forgot", 200), 1);
    run("SCRIPT FLUSH");
    answer_wait(world_locate(publisher, "forgot", "", 0));
    assert_int_equal(publisher->failed, 0);
}

/* ---- deadlines ---- */

static void without_a_server_a_message_becomes_unavailable_and_a_later_one_waits(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    redis_process_kill(&redis);
    world_run_for(world, 50);
    uint64_t begin = clock_ms(clock_system());
    publish_numbers(publisher, "away", 1, 70);
    assert_false(bus_idle(publisher->bus));
    world_run_for(world, 1200);
    publish_numbers(publisher, "away", 71, 80);
    world_until(world, publisher->failed == 70);
    assert_in_range(clock_ms(clock_system()) - begin, 1900, 2700);
    for (size_t i = 0; i < 70; i++)
        assert_int_equal(world_told(publisher, TOLD_FAILED, i)->why, BUS_UNAVAILABLE);
    restart(NULL);
    world_until(world, publisher->published == 10);
    assert_true(bus_idle(publisher->bus));
    expect_ends_in_order(publisher, 80);
    assert_int_equal(ask_number("XLEN plenum:{away}:hist"), 10);
    assert_int_equal(counter_get(&publisher->counters, COUNT_BUS_FAILED_UNAVAILABLE), 70);
}

static void a_hung_server_makes_the_batch_uncertain_and_what_waits_behind_it_unavailable(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    publish_numbers(publisher, "hung", 1, 1);
    world_until(world, publisher->published == 1);
    kill(redis.pid, SIGSTOP);
    publish_numbers(publisher, "hung", 2, 65); /* one batch */
    uv_run(&world->loop, UV_RUN_NOWAIT);
    publish_numbers(publisher, "hung", 66, 70); /* behind it */
    world_until(world, publisher->failed == 69);
    kill(redis.pid, SIGCONT);
    for (size_t i = 0; i < 69; i++)
        assert_int_equal(world_told(publisher, TOLD_FAILED, i)->why, i < 64 ? BUS_UNCERTAIN : BUS_UNAVAILABLE);
    both_are_up(world);
    publish_numbers(publisher, "hung", 71, 71);
    world_until(world, publisher->published == 2);
    expect_ends_in_order(publisher, 71);

    /* The uncertain ones came to it, once; the others never. */
    static struct entry entries[100];
    assert_int_equal(read_entries("hung", entries, 100), 66);
    for (int i = 0; i < 65; i++)
        assert_int_equal(entries[i].number, i + 1);
    assert_int_equal(entries[65].number, 71);
}

static void questions_without_an_answer_are_lost(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    both_are_up(world);
    kill(redis.pid, SIGSTOP);
    struct answer *asked[] = {world_locate(worker, "q", "", 0), world_peek(worker, "q"),
                              world_read(worker, "q", (struct log_range){.limit = 10})};
    for (size_t i = 0; i < 3; i++) {
        world_until(world, asked[i]->ends == 1);
        assert_int_equal(asked[i]->result, BUS_LOST);
    }
    redis_process_kill(&redis);
    world_run_for(world, 50);
    struct answer *away = world_peek(worker, "q");
    world_until(world, away->ends == 1);
    assert_int_equal(away->result, BUS_LOST);
    restart(NULL);
    both_are_up(world);
    answer_wait(world_peek(worker, "q"));
}

/* ---- refusals ---- */

static void expect_refused(struct bus_world *world, const char *room, uint64_t ticket)
{
    struct bus_worker *publisher = &world->workers[0];
    size_t before = publisher->failed;
    world_publish_logged(publisher, room, "no", ticket);
    world_until(world, publisher->failed == before + 1);
    const struct told *told = world_told(publisher, TOLD_FAILED, before);
    assert_int_equal(told->why, BUS_REFUSED);
    assert_int_equal(told->member, ticket);
    assert_true(bus_idle(publisher->bus));
}

static void what_the_server_refuses_is_told_as_refused(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    run("SET plenum:{typed}:hist x");
    expect_refused(world, "typed", 1);
    run("SET plenum:{typed2}:meta x");
    expect_refused(world, "typed2", 2);
    run("CONFIG SET maxmemory 1");
    expect_refused(world, "full", 3);
    run("CONFIG SET maxmemory 0");
    assert_int_equal(ask_number("XLEN plenum:{full}:hist"), 0); /* nothing half done */
    run("ACL SETUSER default -evalsha");
    expect_refused(world, "denied", 4);
    struct answer *asked = world_locate(publisher, "denied", "", 0);
    world_until(world, asked->ends == 1);
    assert_int_equal(asked->result, BUS_DENIED);
    run("ACL SETUSER default +evalsha");
    run("ACL SETUSER default -script|load");
    run("SCRIPT FLUSH");
    expect_refused(world, "unloaded", 5);
    run("ACL SETUSER default +script|load");
    for (int i = 0; i < 5; i++)
        publish_numbers(publisher, "full", i + 1, i + 1);
    world_until(world, publisher->published == 5); /* and all is well again */
}

static void without_info_the_fence_is_off(void **state)
{
    (void)state;
    run("ACL SETUSER default -info");
    struct bus_world *world;
    contract_set_up((void **)&world);
    both_are_up(world);
    publish_numbers(&world->workers[0], "noinfo", 1, 3);
    world_until(world, world->workers[0].published == 3);
    redisReply *reply = redisCommand(client, "HGET plenum:{noinfo}:meta gen");
    assert_string_equal(reply->str, "-");
    freeReplyObject(reply);
    answer_wait(world_locate(&world->workers[1], "noinfo", "", 0));
    contract_tear_down((void **)&world);
    run("ACL SETUSER default +info");
}

/* ---- batches ---- */

static long long script_calls(void)
{
    redisReply *reply = redisCommand(client, "INFO commandstats");
    const char *calls = strstr(reply->str, "cmdstat_evalsha:calls=");
    long long count = calls ? atoll(calls + strlen("cmdstat_evalsha:calls=")) : 0;
    freeReplyObject(reply);
    return count;
}

static void what_waits_goes_in_large_batches(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    long long before = script_calls();
    publish_numbers(publisher, "many", 1, 640);
    world_until(world, publisher->published == 640);
    assert_int_equal(script_calls() - before, 3); /* of 256 at most */
    expect_all_once("many", 640);

    /* Large ones: 256 KiB at most, but a larger one goes alone. */
    before = script_calls();
    char *payload = xcalloc(1, 300000);
    for (uint64_t i = 1; i <= 8; i++)
        world_publish_with(publisher, "large", (struct bytes){payload, i == 5 ? 300000 : 100000}, i, &world_log, NULL);
    free(payload);
    world_until(world, publisher->published == 648);
    assert_int_equal(script_calls() - before, 5); /* 2, 2, 1, 2, 1 */
    assert_int_equal(publisher->failed, 0);
}

static void log_publishes_press_like_others(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    char *payload = xcalloc(1, 100000);
    for (uint64_t i = 1; i <= 20; i++)
        world_publish_with(publisher, "press", (struct bytes){payload, 100000}, i, &world_log, NULL);
    free(payload);
    assert_int_equal(world_told(publisher, TOLD_PRESSURE, 0)->pressure, BUS_PRESSED);
    world_until(world, bus_idle(publisher->bus));
    assert_int_equal(world_told(publisher, TOLD_PRESSURE, 1)->pressure, BUS_FLOWING);
    assert_int_equal(publisher->published, 20);
    world_until(world, counter_get(&publisher->counters, GAUGE_BUS_PENDING_BYTES) == 0);
}

static void publish_from_inside(struct bus_worker *worker, struct bus_channel *channel, const struct envelope *envelope)
{
    (void)channel;
    if (envelope->seq < 300)
        publish_numbers(worker, "inside", (int)envelope->seq + 1, (int)envelope->seq + 1);
}

static void who_hears_may_publish(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *worker = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "inside", channels);
    worker->on_message = publish_from_inside;
    publish_numbers(worker, "inside", 1, 1);
    world_until(world, worker->messages == 300 && worker->published == 300);
    expect_all_once("inside", 300);
}

/* ---- epochs ---- */

static void an_emptied_server_begins_a_new_epoch(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    publish_numbers(publisher, "emptied", 1, 5);
    world_until(world, publisher->published == 5);
    struct told before = *world_told(publisher, TOLD_PUBLISHED, 4);
    run("FLUSHALL");
    publish_numbers(publisher, "emptied", 6, 10);
    world_until(world, publisher->published == 10);
    struct told after = *world_told(publisher, TOLD_PUBLISHED, 9);
    assert_string_not_equal(before.epoch, after.epoch);
    assert_string_equal(after.epoch, world_told(publisher, TOLD_PUBLISHED, 5)->epoch);

    /* Who located first goes on above what was delivered. */
    run("FLUSHALL");
    struct answer *answer = world_locate(publisher, "emptied", after.epoch, 5000);
    answer_wait(answer);
    assert_string_not_equal(answer->position.epoch, after.epoch);
    assert_int_equal(answer->position.seq, 5000 + (1 << 20));
    assert_int_equal(answer->position.base, answer->position.seq);
    assert_string_equal(answer->position.prev, "");
}

static void entries_without_a_meta_block_no_room(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    both_are_up(world);
    for (int by_locate = 0; by_locate < 2; by_locate++) {
        size_t before = publisher->published;
        publish_numbers(publisher, "evicted", 1, 5);
        world_until(world, publisher->published == before + 5);
        uint64_t top = world_told(publisher, TOLD_PUBLISHED, before + 4)->seq;
        run("DEL plenum:{evicted}:meta");
        if (by_locate) {
            struct answer *answer = world_locate(publisher, "evicted", "", 0);
            answer_wait(answer);
            assert_int_equal(answer->position.base, top + (1 << 20));
        }
        publish_numbers(publisher, "evicted", 6, 6);
        world_until(world, publisher->published == before + 6);
        assert_int_equal(world_told(publisher, TOLD_PUBLISHED, before + 5)->seq, top + (1 << 20) + 1);
    }
}

/* The server comes back as it was some messages ago. */
static void a_server_without_its_tail_begins_a_new_epoch(void **state)
{
    struct bus_world *world = *state;
    struct bus_worker *publisher = &world->workers[0];
    struct bus_channel *channels[2];
    both_join(world, "tail", channels);
    publish_numbers(publisher, "tail", 1, 10);
    publish_numbers(publisher, "tail2", 11, 20);
    world_until(world, publisher->published == 20);
    run("SAVE");
    publish_numbers(publisher, "tail", 21, 30);
    publish_numbers(publisher, "tail2", 31, 40);
    world_until(world, publisher->published == 40);
    char epoch[EPOCH_MAX + 1];
    snprintf(epoch, sizeof epoch, "%s", world_told(publisher, TOLD_PUBLISHED, 0)->epoch);
    redis_process_kill(&redis);
    publish_numbers(publisher, "tail", 41, 41); /* waits for it */
    restart(NULL);
    world_until(world, publisher->published == 41);
    const struct told *told = world_told(publisher, TOLD_PUBLISHED, 40);
    assert_string_not_equal(told->epoch, epoch);
    assert_int_equal(told->seq, 10 + (1 << 20) + 1);
    struct answer *answer = world_peek(publisher, "tail");
    answer_wait(answer);
    assert_string_equal(answer->position.prev, epoch);
    assert_int_equal(answer->position.prevtop, 10);
    assert_int_equal(answer->position.base, 10 + (1 << 20));

    /* The other room is looked at before anybody speaks: the same, above what this worker has delivered. */
    char epoch2[EPOCH_MAX + 1];
    strcpy(epoch2, world_told(publisher, TOLD_PUBLISHED, 10)->epoch);
    struct answer *located = world_locate(publisher, "tail2", epoch2, 20);
    answer_wait(located);
    assert_string_not_equal(located->position.epoch, epoch2);
    assert_string_equal(located->position.prev, epoch2);
    assert_int_equal(located->position.prevtop, 10);
    assert_int_equal(located->position.base, 20 + (1 << 20));
}

static int epochs_in(const char *room)
{
    static struct entry entries[20000];
    size_t count = read_entries(room, entries, 20000);
    int epochs = count > 0;
    for (size_t i = 1; i < count; i++)
        epochs += strcmp(entries[i].epoch, entries[i - 1].epoch) != 0;
    return epochs;
}

static void a_first_replica_is_one_new_epoch(void **state)
{
    struct bus_world *world = *state;
    both_are_up(world);
    struct redis_process replica;
    redis_process_init(&replica, NULL);
    redisContext *other = redis_process_connect(&replica);
    uint64_t begin = clock_ms(clock_system());
    int number = 0;
    for (bool attached = false; clock_ms(clock_system()) - begin < 5000;) {
        number++;
        for (int i = 0; i < 2; i++)
            publish_numbers(&world->workers[i], "replica", number, number);
        world_run_for(world, 2);
        if (!attached && clock_ms(clock_system()) - begin > 500) {
            freeReplyObject(redisCommand(other, "REPLICAOF 127.0.0.1 %d", redis.port));
            attached = true;
        }
    }
    world_until(world, bus_idle(world->workers[0].bus) && bus_idle(world->workers[1].bus));
    assert_int_equal(ask_number("WAIT 1 5000"), 1);
    assert_int_equal(world->workers[0].failed + world->workers[1].failed, 0);
    assert_int_equal(epochs_in("replica"), 2);
    redisFree(other);
    redis_process_close(&replica);
}

/* ---- the end ---- */

static void closing_amid_publishes_sends_what_was_queued(void **state)
{
    (void)state;
    struct bus_world *world;
    contract_set_up((void **)&world);
    both_are_up(world);
    publish_numbers(&world->workers[0], "closing", 1, 10);
    contract_tear_down((void **)&world);
    assert_int_equal(expect_all_once("closing", 10), 1);
}

static int log_open(void **state)
{
    (void)state;
    redis_process_init(&redis, NULL);
    redis_proxy_open(&proxy, &redis);
    client = redis_process_connect(&redis);
    options.prefix = "plenum";
    options.report = contract_report;
    set_url(redis.socket);
    return 0;
}

static int log_end(void **state)
{
    (void)state;
    redis_url_free(&options.url);
    redisFree(client);
    redis_proxy_close(&proxy);
    redis_process_close(&redis);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_answer_makes_no_second_message),
        cmocka_unit_test(an_old_batch_is_not_carried_out_after_a_later_one),
        CONTRACT_TEST(a_server_that_forgot_the_scripts_is_told_them_again),
        CONTRACT_TEST(without_a_server_a_message_becomes_unavailable_and_a_later_one_waits),
        CONTRACT_TEST(a_hung_server_makes_the_batch_uncertain_and_what_waits_behind_it_unavailable),
        CONTRACT_TEST(questions_without_an_answer_are_lost),
        CONTRACT_TEST(what_the_server_refuses_is_told_as_refused),
        cmocka_unit_test(without_info_the_fence_is_off),
        CONTRACT_TEST(what_waits_goes_in_large_batches),
        CONTRACT_TEST(log_publishes_press_like_others),
        CONTRACT_TEST(who_hears_may_publish),
        CONTRACT_TEST(an_emptied_server_begins_a_new_epoch),
        CONTRACT_TEST(entries_without_a_meta_block_no_room),
        CONTRACT_TEST(a_server_without_its_tail_begins_a_new_epoch),
        CONTRACT_TEST(a_first_replica_is_one_new_epoch),
        CONTRACT_TEST(a_killed_server_that_keeps_its_log_has_each_message_once),
        cmocka_unit_test(closing_amid_publishes_sends_what_was_queued),
    };
    return cmocka_run_group_tests(tests, log_open, log_end);
}
