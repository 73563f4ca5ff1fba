/* bus_contract_world.h -- what the parts of the bus contract share: two workers on one loop, around each test.
 *
 * A test program that includes a part of the contract defines contract_bus_open before or behind it. Its bus is given
 * contract_report. Every test has rooms of its own names, since a server may still know those of the test before. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_BUS_CONTRACT_WORLD_H
#define PLENUM_TESTS_UNIT_SUPPORT_BUS_CONTRACT_WORLD_H

#include "bus_answers.h"
#include "gateway/bus/gateway_report.h"

/* Gives the worker a bus. */
static void contract_bus_open(struct bus_worker *worker);

static inline void contract_report(void *ctx, struct gateway_report *out)
{
    (void)ctx;
    *out = (struct gateway_report){.pod = "pod-1",
                                   .address = "127.0.0.1:8000",
                                   .version = "test",
                                   .state = "up",
                                   .connections = 3,
                                   .rooms = 2,
                                   .members = 4,
                                   .started_ms = 1700000000000};
}

static inline int contract_set_up(void **state)
{
    struct bus_world *world = xmalloc(sizeof *world);
    world_init(world);
    for (int i = 0; i < 2; i++)
        contract_bus_open(world_worker(world));
    *state = world;
    return 0;
}

static inline int contract_tear_down(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* Both buses can be asked. */
static inline void both_are_up(struct bus_world *world)
{
    for (int i = 0; i < 2; i++)
        world_until(world, counter_get(&world->workers[i].counters, GAUGE_BUS_UP) == 1);
}

/* Both workers in the room, confirmed. */
static inline void both_join(struct bus_world *world, const char *room, struct bus_channel *channels[2])
{
    size_t before[2] = {world->workers[0].confirmed, world->workers[1].confirmed};
    for (int i = 0; i < 2; i++)
        channels[i] = world_subscribe(&world->workers[i], room, &world->workers[i]);
    for (int i = 0; i < 2; i++)
        world_until(world, world->workers[i].confirmed == before[i] + 1);
    both_are_up(world);
}

#define CONTRACT_TEST(name) cmocka_unit_test_setup_teardown(name, contract_set_up, contract_tear_down)

#endif
