/* local_table.h -- uthash for tables of which there are tens of thousands, most of them with one entry: they begin with
 * four buckets instead of 32, 64 bytes instead of 512. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_TABLE_H
#define PLENUM_GATEWAY_BUS_LOCAL_TABLE_H

#include "uthash.h"

#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS      4U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 2U

#endif
