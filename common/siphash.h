/* siphash.h -- a keyed hash for tables whose keys come from strangers.
 *
 * Room names are chosen by clients: with a fixed hash, somebody could fill one bucket and make every look-up a walk.
 * SipHash-1-3 is the variant that Rust, Python and Ruby use for this. The key is drawn once per table from env->random.
 * Not a MAC: one compression round suffices against flooding, not against forgery. Thread: any. */
#ifndef PLENUM_COMMON_SIPHASH_H
#define PLENUM_COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const uint64_t key[2], const void *data, size_t len);

#endif
