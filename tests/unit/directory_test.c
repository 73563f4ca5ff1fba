/* directory_test.c -- members are found by their ids, and only those who are in; through growth, gaps and shrinking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/room/directory.h"
#include "gateway/room/room.h"
#include "support/delivery_world.h"

enum { GATEWAY_A = 0x1234, GATEWAY_B = 0xffffffff };

static uint64_t id_of(uint32_t gateway, uint32_t number)
{
    return (uint64_t)gateway << 32 | number;
}

static void add(struct directory *directory, struct member *member, uint64_t id)
{
    *member = (struct member){.target.id = id};
    directory_add(directory, member);
}

static void an_empty_directory_finds_nobody(void **state)
{
    (void)state;
    struct directory directory;
    directory_init(&directory);
    assert_null(directory_find(&directory, 0, NULL));
    assert_null(directory_find(&directory, id_of(GATEWAY_A, 1), NULL));
    directory_close(&directory);
}

static void a_member_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct directory directory;
    directory_init(&directory);
    struct member member;
    add(&directory, &member, id_of(GATEWAY_A, 1));
    assert_ptr_equal(directory_find(&directory, member.target.id, NULL), &member);
    directory_remove(&directory, &member);
    assert_null(directory_find(&directory, member.target.id, NULL));
    directory_close(&directory);
}

static void ids_with_the_same_lower_half_are_told_apart(void **state)
{
    (void)state;
    struct directory directory;
    directory_init(&directory);
    struct member a, b;
    add(&directory, &a, id_of(GATEWAY_A, 7));
    assert_null(directory_find(&directory, id_of(GATEWAY_B, 7), NULL)); /* another gateway's member */
    add(&directory, &b, id_of(GATEWAY_B, 7));
    assert_ptr_equal(directory_find(&directory, a.target.id, NULL), &a);
    assert_ptr_equal(directory_find(&directory, b.target.id, NULL), &b);
    directory_remove(&directory, &a);
    assert_null(directory_find(&directory, a.target.id, NULL));
    assert_ptr_equal(directory_find(&directory, b.target.id, NULL), &b);
    directory_remove(&directory, &b);
    directory_close(&directory);
}

/* Chains that begin in the table's last slots go on in its first; whoever of them goes, and in whatever order, the
 * others stay in reach. */
static void a_chain_around_the_end_of_the_table_survives_each_order_of_removal(void **state)
{
    (void)state;
    enum { MEMBERS = 6 };
    static const uint32_t homes[MEMBERS] = {14, 14, 15, 15, 0, 1}; /* of 16 slots */
    struct dice dice = {7};
    for (int round = 0; round < 1000; round++) {
        struct directory directory;
        directory_init(&directory);
        struct member members[MEMBERS];
        bool in[MEMBERS];
        for (uint32_t i = 0; i < MEMBERS; i++) {
            add(&directory, &members[i], id_of(GATEWAY_A, homes[i] + 16 * i));
            in[i] = true;
        }
        assert_int_equal(directory.cap, 16); /* or the homes above are not what this is about */
        for (uint32_t left = MEMBERS; left; left--) {
            uint32_t gone = dice_below(&dice, MEMBERS);
            while (!in[gone])
                gone = (gone + 1) % MEMBERS;
            directory_remove(&directory, &members[gone]);
            in[gone] = false;
            for (uint32_t i = 0; i < MEMBERS; i++)
                assert_ptr_equal(directory_find(&directory, members[i].target.id, NULL), in[i] ? &members[i] : NULL);
        }
        directory_close(&directory);
    }
}

static void it_shrinks_when_the_crowd_has_left(void **state)
{
    (void)state;
    enum { CROWD = 20000 };
    static struct member members[CROWD];
    struct directory directory;
    directory_init(&directory);
    for (uint32_t i = 0; i < CROWD; i++) {
        add(&directory, &members[i], id_of(GATEWAY_A, i + 1));
        assert_true(4 * directory.count <= 3 * directory.cap);
    }
    uint32_t largest = directory.cap;
    assert_true(largest <= 4 * CROWD);
    for (uint32_t i = 10; i < CROWD; i++)
        directory_remove(&directory, &members[i]);
    assert_true(directory.cap < largest / 100);
    for (uint32_t i = 0; i < CROWD; i++)
        assert_ptr_equal(directory_find(&directory, members[i].target.id, NULL), i < 10 ? &members[i] : NULL);
    for (uint32_t i = 0; i < 10; i++)
        directory_remove(&directory, &members[i]);
    assert_int_equal(directory.count, 0);
    directory_close(&directory);
}

/* ---- against a list of who is in */

enum { MODEL_MEMBERS = 600, MODEL_STEPS = 6000, MODEL_LOOKS = 4 };

/* Ids as they come (a counter), or such that many want the same slot, or near the end of the counter. */
static uint64_t model_id(struct dice *dice, uint32_t spread, uint32_t i)
{
    switch (spread) {
    case 0:
        return id_of(GATEWAY_A, i + 1);
    case 1:
        return id_of(GATEWAY_A, i * 64 + dice_below(dice, 3));
    case 2:
        return id_of(GATEWAY_A, UINT32_MAX - i);
    default:
        return id_of(i, (uint32_t)dice_below(dice, 40)); /* many gateways' */
    }
}

static void run_against_a_list(uint64_t seed)
{
    static struct member members[MODEL_MEMBERS];
    static bool in[MODEL_MEMBERS];
    struct dice dice = {seed};
    struct directory directory;
    directory_init(&directory);
    uint32_t spread = dice_below(&dice, 4), count = 0;
    uint32_t size = spread == 3 ? 120 : MODEL_MEMBERS; /* its chains are long */
    for (uint32_t i = 0; i < size; i++) {
        members[i] = (struct member){.target.id = model_id(&dice, spread, i)};
        in[i] = false;
    }
    for (uint32_t step = 0; step < MODEL_STEPS; step++) {
        uint32_t i = dice_below(&dice, size);
        bool filling = step / 1000 % 2 == 0; /* tides, so that it grows and shrinks */
        if (!in[i] && dice_percent(&dice, filling ? 90 : 20)) {
            directory_add(&directory, &members[i]);
            in[i] = true;
            count++;
        } else if (in[i] && dice_percent(&dice, filling ? 20 : 90)) {
            directory_remove(&directory, &members[i]);
            in[i] = false;
            count--;
        }
        assert_int_equal(directory.count, count);
        for (int look = 0; look < MODEL_LOOKS; look++) {
            uint32_t at = dice_below(&dice, size);
            if (directory_find(&directory, members[at].target.id, NULL) != (in[at] ? &members[at] : NULL))
                fail_msg("seed 0x%016llx, step %u: member %u is %s", (unsigned long long)seed, step, at,
                         in[at] ? "not found" : "found though it is out");
        }
    }
    for (uint32_t i = 0; i < size; i++) {
        assert_ptr_equal(directory_find(&directory, members[i].target.id, NULL), in[i] ? &members[i] : NULL);
        if (in[i])
            directory_remove(&directory, &members[i]);
    }
    assert_int_equal(directory.count, 0);
    assert_int_equal(directory.cap, 16); /* as at first */
    directory_close(&directory);
}

static void it_knows_who_is_in_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        run_against_a_list(seed);
    uint64_t fresh = dice_fresh_seed();
    print_message("fresh seed: 0x%016llx\n", (unsigned long long)fresh);
    run_against_a_list(fresh);
}

/* Clients that are all in the same rooms: their ids are numbers in a row, and must not be runs of slots in a row. */
static void many_members_of_many_rooms_make_no_long_chains(void **state)
{
    (void)state;
    enum { ROOMS = 10, CLIENTS = 5000, LONGEST = 1000 };
    struct directory directory;
    directory_init(&directory);
    struct room *rooms[ROOMS];
    struct member *members = calloc((size_t)ROOMS * CLIENTS, sizeof *members);
    for (uint32_t i = 0; i < ROOMS; i++)
        rooms[i] = malloc(700); /* for its address */
    for (uint32_t i = 0; i < ROOMS * CLIENTS; i++) {
        members[i].target.id = id_of(GATEWAY_A, 1 + i / ROOMS);
        members[i].room = rooms[i % ROOMS];
        directory_add(&directory, &members[i]);
    }
    uint32_t longest = 0, run = 0;
    for (uint32_t slot = 0; slot < directory.cap; slot++) {
        run = directory.slots[slot] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, LONGEST);
    for (uint32_t i = 0; i < ROOMS * CLIENTS; i++)
        directory_remove(&directory, &members[i]);
    directory_close(&directory);
    for (uint32_t i = 0; i < ROOMS; i++)
        free(rooms[i]);
    free(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_directory_finds_nobody),
        cmocka_unit_test(a_member_is_found_until_it_is_removed),
        cmocka_unit_test(ids_with_the_same_lower_half_are_told_apart),
        cmocka_unit_test(a_chain_around_the_end_of_the_table_survives_each_order_of_removal),
        cmocka_unit_test(it_shrinks_when_the_crowd_has_left),
        cmocka_unit_test(it_knows_who_is_in_whatever_happens),
        cmocka_unit_test(many_members_of_many_rooms_make_no_long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
