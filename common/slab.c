/* slab.c -- see slab.h.
 *
 * A slab is SLAB_BYTES of mapped memory, aligned to as much, so that a record's slab is found by masking its address.
 */
#include "slab.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "xalloc.h"

enum { SLAB_BYTES = 64 * 1024, ALIGNMENT = 16 };

struct slab {
    struct slab *next, *before; /* in pool->partly */
    void *free;                 /* list of free records, each holding the address of the next */
    uint32_t used, fresh;       /* records in use; records never used yet begin at this one */
};

enum { HEAD_BYTES = (sizeof(struct slab) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };

void slab_pool_init(struct slab_pool *pool, size_t size)
{
    size_t record = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    assert(record <= SLAB_BYTES - HEAD_BYTES);
    *pool = (struct slab_pool){.record = record, .per_slab = (uint32_t)((SLAB_BYTES - HEAD_BYTES) / record)};
}

void slab_pool_close(struct slab_pool *pool)
{
    assert(pool->partly == pool->empty && (!pool->empty || !pool->empty->next));
    if (pool->empty)
        munmap(pool->empty, SLAB_BYTES);
}

static void list(struct slab_pool *pool, struct slab *slab)
{
    slab->before = NULL;
    slab->next = pool->partly;
    if (slab->next)
        slab->next->before = slab;
    pool->partly = slab;
}

static void unlist(struct slab_pool *pool, struct slab *slab)
{
    if (slab->before)
        slab->before->next = slab->next;
    else
        pool->partly = slab->next;
    if (slab->next)
        slab->next->before = slab->before;
}

/* Maps SLAB_BYTES at a multiple of SLAB_BYTES. Not aligned_alloc: its header would touch a page more for each slab. */
static void *map_aligned(void)
{
    char *memory = mmap(NULL, 2 * (size_t)SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        xalloc_failed(2 * (size_t)SLAB_BYTES);
    size_t before = -(uintptr_t)memory & (SLAB_BYTES - 1);
    if (before)
        munmap(memory, before);
    munmap(memory + before + SLAB_BYTES, SLAB_BYTES - before);
    return memory + before;
}

static struct slab *slab_new(struct slab_pool *pool)
{
    struct slab *slab = map_aligned();
    *slab = (struct slab){.free = NULL};
    list(pool, slab);
    return slab;
}

void *slab_alloc(struct slab_pool *pool)
{
    struct slab *slab = pool->partly ? pool->partly : slab_new(pool);
    void *record = slab->free;
    if (record)
        memcpy(&slab->free, record, sizeof slab->free);
    else
        record = (char *)slab + HEAD_BYTES + slab->fresh++ * pool->record;
    if (slab == pool->empty)
        pool->empty = NULL;
    if (++slab->used == pool->per_slab)
        unlist(pool, slab);
    return memset(record, 0, pool->record);
}

void slab_free(struct slab_pool *pool, void *record)
{
    struct slab *slab = (struct slab *)((uintptr_t)record & ~(uintptr_t)(SLAB_BYTES - 1));
    if (slab->used == pool->per_slab)
        list(pool, slab);
    memcpy(record, &slab->free, sizeof slab->free);
    slab->free = record;
    if (--slab->used)
        return;
    if (!pool->empty) {
        pool->empty = slab;
        return;
    }
    unlist(pool, slab);
    munmap(slab, SLAB_BYTES);
}
