/* slab.h -- records of one size, many to a piece of memory.
 *
 * For what there are tens of thousands of: no header per record, and no holes where short-lived memory lay between
 * them. * Empty slabs go back to the system, but for one that is kept for the next record. Owned by: who made it; one
 * thread. */
#ifndef PLENUM_COMMON_SLAB_H
#define PLENUM_COMMON_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab;

struct slab_pool {
    size_t record;       /* bytes, a multiple of 16 */
    uint32_t per_slab;   /* records in one slab */
    struct slab *partly; /* list of slabs with a free record */
    struct slab *empty;  /* one of them that is kept though it is empty, or NULL */
};

/* Records of at least size bytes, aligned to 16. */
void slab_pool_init(struct slab_pool *pool, size_t size);
/* All records are freed. */
void slab_pool_close(struct slab_pool *pool);

/* A zeroed record. */
void *slab_alloc(struct slab_pool *pool);
void slab_free(struct slab_pool *pool, void *record);

#endif
