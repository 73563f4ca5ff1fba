/* local_bus_test.c -- the bus inside one process: the bus contract, then workers on threads of their own, and a worker
 * that does not keep up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bus/local_bus.h"
#include "support/bus_world.h"

static struct local_hub *hub;

static void contract_bus_open(struct bus_worker *worker)
{
    worker->bus = local_bus_new(hub, &worker->world->env, &worker->counters, &world_bus_events, worker);
}

#include "bus_contract.h"

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
        cmocka_unit_test(threads_hear_everything_in_one_order),
        cmocka_unit_test(a_worker_that_does_not_read_presses_the_publishers_and_then_gets_no_more),
    };
    return cmocka_run_group_tests(tests, hub_open, hub_close);
}
