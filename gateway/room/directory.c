/* directory.c -- see directory.h. */
#include "directory.h"

#include <stdlib.h>

#include "../../common/xalloc.h"
#include "room.h"

enum { FIRST_CAPACITY = 16 };

static uint32_t home(const struct directory *directory, uint64_t id, const struct room *room)
{
    uint64_t mixed = (uint64_t)(uintptr_t)room * 0x9e3779b97f4a7c15U ^ (uint32_t)id; /* 2^64 / golden ratio */
    return (uint32_t)(mixed * 0xff51afd7ed558ccdU >> 32) & (directory->cap - 1);
}

static uint32_t home_of(const struct directory *directory, const struct member *member)
{
    return home(directory, member->target.id, member->room);
}

static uint32_t next(const struct directory *directory, uint32_t slot)
{
    return (slot + 1) & (directory->cap - 1);
}

void directory_init(struct directory *directory)
{
    *directory = (struct directory){.slots = NULL};
}

void directory_close(struct directory *directory)
{
    free(directory->slots);
}

static void put(struct directory *directory, struct member *member)
{
    uint32_t slot = home_of(directory, member);
    while (directory->slots[slot])
        slot = next(directory, slot);
    directory->slots[slot] = member;
}

static void resize(struct directory *directory, uint32_t cap)
{
    struct directory old = *directory;
    directory->slots = xcalloc(cap, sizeof(struct member *));
    directory->cap = cap;
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.slots[i])
            put(directory, old.slots[i]);
    free(old.slots);
}

void directory_add(struct directory *directory, struct member *member)
{
    if (4 * (directory->count + 1) > 3 * directory->cap)
        resize(directory, directory->cap ? 2 * directory->cap : FIRST_CAPACITY);
    put(directory, member);
    directory->count++;
}

/* Closes the gap by moving back what probed over it (Knuth, volume 3, 6.4, algorithm R): no tombstones. */
static void close_gap(struct directory *directory, uint32_t gap)
{
    for (uint32_t slot = next(directory, gap); directory->slots[slot]; slot = next(directory, slot)) {
        uint32_t wanted = home_of(directory, directory->slots[slot]);
        uint32_t from_wanted = (slot - wanted) & (directory->cap - 1), from_gap = (slot - gap) & (directory->cap - 1);
        if (from_wanted < from_gap)
            continue;
        directory->slots[gap] = directory->slots[slot];
        gap = slot;
    }
    directory->slots[gap] = NULL;
}

void directory_remove(struct directory *directory, struct member *member)
{
    uint32_t slot = home_of(directory, member);
    while (directory->slots[slot] != member)
        slot = next(directory, slot);
    close_gap(directory, slot);
    directory->count--;
    if (directory->cap > FIRST_CAPACITY && directory->count < directory->cap / 8)
        resize(directory, directory->cap / 2);
}

struct member *directory_find(const struct directory *directory, uint64_t id, const struct room *room)
{
    if (directory->count == 0)
        return NULL;
    for (uint32_t slot = home(directory, id, room); directory->slots[slot]; slot = next(directory, slot)) {
        struct member *member = directory->slots[slot];
        if (member->target.id == id && member->room == room)
            return member;
    }
    return NULL;
}
