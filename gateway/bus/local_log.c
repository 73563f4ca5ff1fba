/* local_log.c -- see local_log.h. */
#include "local_log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "local_table.h"

/* A new epoch's numbers begin so far above what may have been given out. */
static const uint64_t epoch_step = 1 << 20;

enum { DROP_AT_ONCE = 5000 }; /* keys: about a millisecond */

struct log_key {
    UT_hash_handle hh; /* in the order of their coming */
    uint64_t seq;
    uint64_t born_ms;
    char text[];
};

/* ---- epochs ---- */

void local_log_epoch_name(uint64_t epoch, char out[EPOCH_DIGITS])
{
    for (int i = 0; i < EPOCH_DIGITS; i++)
        out[i] = "0123456789abcdef"[epoch >> (4 * (EPOCH_DIGITS - 1 - i)) & 15];
}

static bool is_named(const struct local_log *log, struct bytes epoch)
{
    char name[EPOCH_DIGITS];
    local_log_epoch_name(log->epoch, name);
    return bytes_equal(epoch, (struct bytes){name, sizeof name});
}

static uint64_t draw_epoch(const struct random *random)
{
    uint64_t epoch;
    do
        epoch = random_u64(random);
    while (epoch == 0);
    return epoch;
}

void local_log_fence(struct local_log *log, const struct random *random, struct bytes epoch, uint64_t seq)
{
    bool ahead = log->epoch && seq > log->seq && is_named(log, epoch);
    if (log->epoch && !ahead)
        return;
    if (log->epoch || seq > 0) { /* somebody knows numbers of an epoch before this one */
        log->prev = log->epoch;
        log->prevtop = log->seq;
        log->seq = (seq > log->seq ? seq : log->seq) + epoch_step;
    }
    log->epoch = draw_epoch(random);
    log->base = log->seq;
}

/* ---- entries ---- */

static void drop_oldest(struct local_log *log)
{
    struct log_entry *oldest = log->ring[log->head];
    log->head = (log->head + 1) & (log->cap - 1);
    log->count--;
    log->bytes -= oldest->len;
    if (log->total)
        *log->total -= oldest->len;
    free(oldest);
}

static void drop_entries(struct local_log *log)
{
    while (log->count)
        drop_oldest(log);
    free(log->ring);
    log->ring = NULL;
    log->head = log->cap = 0;
}

static void grow(struct local_log *log)
{
    uint32_t cap = log->cap ? log->cap * 2 : 1;
    struct log_entry **ring = xmalloc(cap * sizeof(struct log_entry *)); /* NOLINT: pointers */
    for (uint32_t i = 0; i < log->count; i++)
        ring[i] = log->ring[(log->head + i) & (log->cap - 1)];
    free(log->ring);
    log->ring = ring;
    log->head = 0;
    log->cap = cap;
}

/* "p1 <seq> <epoch> ": what envelope_encode_tail leaves out. */
static size_t write_head(const struct local_log *log, char *out, size_t room)
{
    int len = snprintf(out, room, "p1 %" PRIu64 " %016" PRIx64 " ", log->seq, log->epoch);
    assert(len > 0 && (size_t)len < room);
    return (size_t)len;
}

const struct log_entry *local_log_append(struct local_log *log, const struct log_rule *rule, struct bytes tail,
                                         uint64_t now_ms)
{
    assert(log->epoch);
    log->seq++;
    char head[48];
    size_t head_len = write_head(log, head, sizeof head);
    struct log_entry *entry = xmalloc(sizeof *entry + head_len + tail.len);
    entry->seq = log->seq;
    entry->len = (uint32_t)(head_len + tail.len);
    memcpy(entry->envelope, head, head_len);
    memcpy(entry->envelope + head_len, tail.data, tail.len);

    log->bytes += entry->len;
    if (log->total)
        *log->total += entry->len;
    bool scarce = log->total && *log->total > LOGS_TOTAL_MAX;
    while (log->count && (log->count >= rule->size || log->bytes > rule->bytes || scarce))
        drop_oldest(log);
    if (log->count == log->cap)
        grow(log);
    log->ring[(log->head + log->count++) & (log->cap - 1)] = entry;
    log->expires_ms = scarce ? now_ms : now_ms + rule->ttl_s * UINT64_C(1000);
    return entry;
}

uint32_t local_log_place_after(const struct local_log *log, uint64_t seq)
{
    uint32_t low = 0, high = log->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (local_log_at(log, middle)->seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- keys ---- */

static struct log_key *find_key(const struct local_log *log, const uint64_t hash_key[2], struct bytes key)
{
    struct log_key *found;
    unsigned hash = (unsigned)siphash13(hash_key, key.data, key.len);
    HASH_FIND_BYHASHVALUE(hh, log->keys, key.data, key.len, hash, found);
    return found;
}

static void drop_key(struct local_log *log, struct log_key *key)
{
    HASH_DEL(log->keys, key);
    free(key);
}

static bool key_lives(const struct log_key *key, uint64_t now_ms)
{
    return now_ms < key->born_ms + LOG_KEY_LIFE_MS;
}

/* Some of them: a room that has been loud with keys and falls silent must not hold the lock for long. */
static void drop_old_keys(struct local_log *log, uint64_t now_ms)
{
    for (int i = 0; i < DROP_AT_ONCE && log->keys && !key_lives(log->keys, now_ms); i++)
        drop_key(log, log->keys);
}

uint64_t local_log_seen(const struct local_log *log, const uint64_t hash_key[2], struct bytes key, uint64_t now_ms)
{
    const struct log_key *found = find_key(log, hash_key, key);
    return found && key_lives(found, now_ms) ? found->seq : 0;
}

void local_log_remember(struct local_log *log, const uint64_t hash_key[2], struct bytes key, uint64_t now_ms)
{
    drop_old_keys(log, now_ms);
    struct log_key *old = find_key(log, hash_key, key);
    if (old)
        drop_key(log, old);
    struct log_key *added = xmalloc(sizeof *added + key.len);
    added->seq = log->seq;
    added->born_ms = now_ms;
    memcpy(added->text, key.data, key.len);
    unsigned hash = (unsigned)siphash13(hash_key, key.data, key.len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, log->keys, added->text, key.len, hash, added);
}

/* ---- life ---- */

uint64_t local_log_expire(struct local_log *log, uint64_t now_ms)
{
    if (log->count && log->expires_ms <= now_ms)
        drop_entries(log);
    drop_old_keys(log, now_ms);
    uint64_t next = log->count ? log->expires_ms : 0;
    uint64_t key = log->keys ? log->keys->born_ms + LOG_KEY_LIFE_MS : 0;
    return key && (!next || key < next) ? key : next;
}

void local_log_close(struct local_log *log)
{
    drop_entries(log);
    while (log->keys)
        drop_key(log, log->keys);
}
