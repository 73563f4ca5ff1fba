/* local_bus_test.c -- the bus inside one process: the bus contract, then workers on threads of their own, a worker that
 * does not keep up, one that goes, and what time does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/local_bus.h"
#include "gateway/bus/local_hub.h"
#include "support/bus_contract_world.h"

static struct local_hub *hub;

static void contract_bus_open(struct bus_worker *worker)
{
    worker->bus =
        local_bus_new(hub, &worker->world->env, &worker->counters, contract_report, &world_bus_events, worker);
}

#include "bus_admin_contract.h"
#include "bus_contract.h"
#include "bus_log_contract.h"
#include "bus_presence_contract.h"

/* ---- threads ---- */

enum { THREADS = 4, PER_THREAD = 3000, ALL_MESSAGES = THREADS * PER_THREAD };

struct thread {
    uv_thread_t id;
    uv_barrier_t *barrier;
    struct bus_world world;
    int index;
};

static void run_worker(void *ctx)
{
    struct thread *thread = ctx;
    struct bus_world *world = &thread->world;
    world_init(world);
    struct bus_worker *worker = world_worker(world);
    contract_bus_open(worker);
    int other;
    world_subscribe(worker, "lobby", worker);
    while (worker->confirmed < 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_barrier_wait(thread->barrier);

    struct bus_channel *flicker = NULL;
    for (int i = 0; i < PER_THREAD; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        world_publish(worker, "lobby", text, (uint64_t)thread->index + 1);
        if (i % 10 == 0) { /* a room that comes and goes, on all threads */
            if (flicker)
                bus_unsubscribe(worker->bus, flicker);
            flicker = i % 20 == 0 ? world_subscribe(worker, "flicker", &other) : NULL;
            world_publish(worker, "flicker", "noise", 1);
        }
        if (i % 7 == 0)
            uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    uint64_t deadline = clock_ms(clock_system()) + WORLD_DEADLINE_MS;
    while (world_heard(worker, worker) < ALL_MESSAGES && clock_ms(clock_system()) < deadline)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_barrier_wait(thread->barrier);
}

static void threads_hear_everything_in_one_order(void **state)
{
    (void)state;
    static struct thread threads[THREADS];
    uv_barrier_t barrier;
    uv_barrier_init(&barrier, THREADS);
    for (int i = 0; i < THREADS; i++) {
        threads[i].index = i;
        threads[i].barrier = &barrier;
        assert_int_equal(uv_thread_create(&threads[i].id, run_worker, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i].id);
    uv_barrier_destroy(&barrier);

    size_t at[THREADS] = {0};
    for (size_t i = 0; i < ALL_MESSAGES; i++) {
        const struct told *first = NULL;
        for (int t = 0; t < THREADS; t++) {
            struct bus_worker *worker = &threads[t].world.workers[0];
            while (at[t] < worker->told_count &&
                   (worker->told[at[t]].kind != TOLD_MESSAGE || worker->told[at[t]].subscriber != worker))
                at[t]++;
            assert_true(at[t] < worker->told_count);
            const struct told *told = &worker->told[at[t]++];
            if (!first)
                first = told;
            assert_int_equal(told->member, first->member);
            assert_string_equal(told->payload, first->payload);
        }
    }
    for (int i = 0; i < THREADS; i++)
        world_close(&threads[i].world);
}

enum { LOG_MESSAGES = 600, LOG_KEYS = 100 };

/* Half of what it says has no key; of the other half, each is said on all threads. It comes and goes as a member, and
 * asks all the while. */
static void run_logging_worker(void *ctx)
{
    struct thread *thread = ctx;
    struct bus_world *world = &thread->world;
    world_init(world);
    struct bus_worker *worker = world_worker(world);
    contract_bus_open(worker);
    world_subscribe(worker, "logged", worker);
    while (worker->confirmed < 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_barrier_wait(thread->barrier);

    uint64_t member = (uint64_t)worker->bus->gateway << 32 | 1;
    for (int i = 0; i < LOG_MESSAGES; i++) {
        char text[24];
        snprintf(text, sizeof text, "key-%d", i % LOG_KEYS);
        world_publish_with(worker, "logged", bytes_of(text), (uint64_t)i + 1, &world_log, i % 2 ? text : NULL);
        struct presence_change change = {i % 10 == 0 ? PRESENCE_JOIN : PRESENCE_LEAVE, member, BYTES("{}")};
        if (i % 5 == 0)
            world_presence(worker, &(struct presence_batch){.room = BYTES("logged"), .changes = &change, .count = 1});
        if (i % 20 == 0)
            world_read(worker, "logged", (struct log_range){.after = (uint64_t)i, .limit = 10});
        if (i % 30 == 0)
            world_members(worker, "logged");
        if (i % 50 == 0)
            world_list_gateways(worker);
        if (i % 3 == 0)
            uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    uint64_t deadline = clock_ms(clock_system()) + WORLD_DEADLINE_MS;
    size_t all = THREADS * LOG_MESSAGES / 2 + LOG_KEYS / 2;
    while ((worker->messages < all || worker->published < LOG_MESSAGES) && clock_ms(clock_system()) < deadline)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_barrier_wait(thread->barrier);
}

static void threads_share_one_log_and_one_presence(void **state)
{
    (void)state;
    static struct thread threads[THREADS];
    uv_barrier_t barrier;
    uv_barrier_init(&barrier, THREADS);
    for (int i = 0; i < THREADS; i++) {
        threads[i].index = i;
        threads[i].barrier = &barrier;
        assert_int_equal(uv_thread_create(&threads[i].id, run_logging_worker, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i].id);
    uv_barrier_destroy(&barrier);

    size_t firsts = 0;
    for (int t = 0; t < THREADS; t++) {
        struct bus_worker *worker = &threads[t].world.workers[0];
        assert_int_equal(worker->published, LOG_MESSAGES);
        uint64_t seq = 0, pv = 0;
        for (size_t i = 0; i < worker->told_count; i++) {
            const struct told *told = &worker->told[i];
            if (told->kind == TOLD_MESSAGE)
                assert_int_equal(told->seq, ++seq);
            if (told->kind == TOLD_PRESENCE)
                assert_int_equal(strtoull(told->payload, NULL, 10), ++pv);
            firsts += told->kind == TOLD_PUBLISHED && !told->duplicate;
        }
        assert_int_equal(seq, THREADS * LOG_MESSAGES / 2 + LOG_KEYS / 2);
    }
    assert_int_equal(firsts, THREADS * LOG_MESSAGES / 2 + LOG_KEYS / 2);
    for (int i = 0; i < THREADS; i++)
        world_close(&threads[i].world);
}

/* ---- a worker that does not read ---- */

static bool pressed_to(const struct bus_worker *worker, enum bus_pressure pressure)
{
    for (size_t i = worker->told_count; i-- > 0;) {
        if (worker->told[i].kind == TOLD_PRESSURE)
            return worker->told[i].pressure == pressure;
    }
    return false;
}

static void a_worker_that_does_not_read_presses_the_publishers_and_then_gets_no_more(void **state)
{
    (void)state;
    static struct bus_world reader_world, world;
    world_init(&reader_world);
    world_init(&world);
    struct bus_worker *reader = world_worker(&reader_world);
    struct bus_worker *publisher = world_worker(&world);
    contract_bus_open(reader);
    contract_bus_open(publisher);
    world_subscribe(reader, "lobby", reader);

    size_t len = 1 << 20;
    char *payload = xcalloc(1, len);
    size_t sent = 0;
    for (; sent < 9; sent++) {
        world_publish_bytes(publisher, "lobby", (struct bytes){payload, len}, sent + 1);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    assert_true(pressed_to(publisher, BUS_PRESSED));
    world_until(&world, pressed_to(publisher, BUS_REFUSING));
    for (; publisher->failed == 0 && sent < 100; sent++) {
        world_publish_bytes(publisher, "lobby", (struct bytes){payload, len}, sent + 1);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(publisher->failed, 1); /* told, not dropped silently */
    assert_int_equal(counter_get(&publisher->counters, COUNT_BUS_FAILED_UNAVAILABLE), 1);

    world_until(&reader_world, reader->messages == sent - 1);
    world_until(&world, pressed_to(publisher, BUS_FLOWING));
    world_publish(publisher, "lobby", "again", 1);
    world_until(&world, bus_idle(publisher->bus));
    world_until(&reader_world, reader->messages == sent);
    free(payload);
    world_close(&reader_world);
    world_close(&world);
}

/* A refused message is in nobody's inbox and not in the log either: the numbers have no hole. */
static void a_full_inbox_refuses_before_anything_is_kept(void **state)
{
    (void)state;
    static struct bus_world reader_world, world;
    world_init(&reader_world);
    world_init(&world);
    struct bus_worker *reader = world_worker(&reader_world);
    struct bus_worker *publisher = world_worker(&world);
    contract_bus_open(reader);
    contract_bus_open(publisher);
    world_subscribe(reader, "full", reader);
    world_subscribe(publisher, "full", publisher);

    size_t len = 1 << 20;
    char *payload = xcalloc(1, len);
    while (publisher->failed == 0 && publisher->published < 200) {
        world_publish_with(publisher, "full", (struct bytes){payload, len}, 7, &world_log, "the key");
        world_publish_with(publisher, "full", (struct bytes){payload, len}, 1, &world_log, NULL);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    free(payload);
    assert_int_equal(publisher->failed, 1);
    uint64_t last = world_told(publisher, TOLD_MESSAGE, publisher->messages - 1)->seq;
    assert_int_equal(last, publisher->messages);
    struct answer *answer = world_peek(publisher, "full");
    answer_wait(answer);
    assert_int_equal(answer->position.seq, last);

    struct presence_change change = {PRESENCE_JOIN, (uint64_t)publisher->bus->gateway << 32 | 1, BYTES("{}")};
    struct presence_batch batch = {.room = BYTES("full"), .changes = &change, .count = 1};
    answer = world_presence(publisher, &batch);
    world_until(&world, answer->ends == 1);
    assert_int_equal(answer->result, BUS_LOST);
    answer = world_counts(publisher, "full");
    answer_wait(answer);
    assert_int_equal(answer->count, 0);
    answer = world_signal(publisher, reader->bus->gateway, BYTES("hello"));
    world_until(&world, answer->ends == 1);
    assert_int_equal(answer->result, BUS_LOST);

    world_until(&reader_world, reader->messages == last);
    world_publish_logged(publisher, "full", "again", 2);
    answer_wait(world_presence(publisher, &batch));
    world_until(&reader_world, reader->messages == last + 1 && reader->presences == 1);
    assert_int_equal(world_message(reader, last)->seq, last + 1);
    world_close(&reader_world);
    world_close(&world);
}

/* ---- a worker that goes ---- */

static void who_goes_takes_its_members_along(void **state)
{
    enum { MEMBERS = 300 }; /* more than one event names */
    struct bus_world *world = *state;
    struct bus_worker *a = &world->workers[0], *b = &world->workers[1];
    struct bus_channel *channels[2];
    both_join(world, "going", channels);
    static struct presence_change changes[MEMBERS];
    for (uint32_t i = 0; i < MEMBERS; i++)
        changes[i] = join_of(a, i + 1, "{}");
    tell(a, "going", changes, MEMBERS, (struct presence_batch){.first = true, .unlisted = 5});
    join_one(b, "going", 1, "{}", true);
    tell(a, "going-quietly", changes, 2, (struct presence_batch){.first = true, .quiet = true});
    world_until(world, event_of(b, b->presences - 1, NULL).gateway == b->bus->gateway);
    size_t before = b->presences;
    uint32_t gateway = a->bus->gateway;
    bus_close(a->bus, world_on_bus_closed, a);
    world_until(world, b->presences == before + 2);
    uint64_t pv = event_of(b, before - 1, NULL).pv;
    uint32_t lost = 0;
    for (size_t i = before; i < b->presences; i++) {
        struct presence_event event = event_of(b, i, NULL);
        struct presence_change change;
        assert_int_equal(event.pv, ++pv);
        assert_int_equal(event.gateway, gateway);
        for (; presence_event_next(&event, &change); lost++) {
            assert_int_equal(change.op, PRESENCE_LEAVE);
            assert_true(bytes_equal(change.value, BYTES("lost")));
        }
        assert_int_equal(event.members, MEMBERS - lost);
    }
    assert_int_equal(lost, MEMBERS);
    struct answer *answer = members_of(b, "going");
    assert_int_equal(answer_rows(answer, ROW_GATEWAY), 1);
    assert_int_equal(answer_rows(answer, ROW_MEMBER), 1);
    answer = members_of(b, "going-quietly");
    assert_int_equal(answer->count, 0);
    assert_int_equal(answer->position.pv, 2);
}

/* ---- time ---- */

static uint64_t hands_ns;

static uint64_t read_hands(void *ctx)
{
    (void)ctx;
    return hands_ns;
}

static int64_t read_wall(void *ctx)
{
    (void)ctx;
    return 1700000000000;
}

static void a_log_outlives_its_last_subscriber_and_its_numbers_go_on(void **state)
{
    (void)state;
    static const struct clock clock = {.monotonic_ns = read_hands, .wall_ms = read_wall};
    struct local_hub *others = hub;
    hub = local_hub_new(); /* its time is this test's */
    hands_ns = UINT64_C(1000) * 1000000000;
    static struct bus_world world;
    world_init(&world);
    world.env.clock = &clock;
    struct bus_worker *worker = world_worker(&world);
    contract_bus_open(worker);
    struct bus_channel *channel = world_subscribe(worker, "lives", worker);
    fill_log(worker, "lives", 3);
    bus_unsubscribe(worker->bus, channel);
    char epoch[EPOCH_MAX + 1];
    snprintf(epoch, sizeof epoch, "%s", published_as(worker, 1)->epoch);

    hands_ns += (world_log.ttl_s - 1) * UINT64_C(1000000000);
    struct answer *answer = world_read(worker, "lives", (struct log_range){.limit = 10});
    answer_wait(answer);
    assert_int_equal(answer->count, 3);
    hands_ns += UINT64_C(1000000000);
    answer = world_read(worker, "lives", (struct log_range){.limit = 10});
    answer_wait(answer);
    assert_int_equal(answer->count, 0);

    hands_ns += 23 * 3600 * UINT64_C(1000000000);
    answer = world_locate(worker, "lives", epoch, 3);
    answer_wait(answer);
    assert_string_equal(answer->position.epoch, epoch);
    assert_int_equal(answer->position.seq, 3);
    world_publish_logged(worker, "lives", "later", 9);
    world_until(&world, worker->published == 4);
    assert_int_equal(published_as(worker, 9)->seq, 4);

    hands_ns += 3600 * UINT64_C(1000000000);
    world_until(&world, hub->rooms.asleep == 1);
    hands_ns += 24 * 3600 * UINT64_C(1000000000); /* the record goes too: the next one is another log */
    world_until(&world, !hub->rooms.table);
    world_publish_logged(worker, "lives", "much later", 10);
    world_until(&world, worker->published == 5);
    assert_string_not_equal(published_as(worker, 10)->epoch, epoch);
    world_close(&world);
    local_hub_free(hub);
    hub = others;
}

static int hub_open(void **state)
{
    (void)state;
    hub = local_hub_new();
    return 0;
}

static int hub_close(void **state)
{
    (void)state;
    local_hub_free(hub);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_TESTS,
        CONTRACT_LOG_TESTS,
        CONTRACT_PRESENCE_TESTS,
        CONTRACT_ADMIN_TESTS,
        cmocka_unit_test(threads_hear_everything_in_one_order),
        cmocka_unit_test(threads_share_one_log_and_one_presence),
        cmocka_unit_test(a_worker_that_does_not_read_presses_the_publishers_and_then_gets_no_more),
        cmocka_unit_test(a_full_inbox_refuses_before_anything_is_kept),
        CONTRACT_TEST(who_goes_takes_its_members_along),
        cmocka_unit_test(a_log_outlives_its_last_subscriber_and_its_numbers_go_on),
    };
    return cmocka_run_group_tests(tests, hub_open, hub_close);
}
