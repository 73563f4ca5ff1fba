/* redis_log.h -- appends to the rooms' logs: append.lua, a batch at a time.
 *
 * A room has at most one batch of this worker under way; what comes meanwhile forms the next one (256 messages, 256
 * KiB). So a repeat after a lost connection is always of the room's last batch of this worker, and the script knows
 * that one by its number: retries are safe and in order. A message waits 2 s at most to be sent and then 2 s for the
 * answer. A batch whose time is up is never sent again.
 *
 * Why nothing is there twice, also when a batch was given up: its bytes may still lie in a connection (a hung server
 * reads them later). On the same connection they come before every later batch, and are then simply late. On one that
 * was lost they may come after a later batch of the same room has overwritten the remembered number; but numbers only
 * grow, and the script refuses what is older than the last it has seen. A number belongs to the worker's life, and goes
 * with the gateway id that it was first sent with.
 *
 * Where the server comes back without its tail, a repeat is appended anew, and whoever had heard it hears it again, in
 * the new epoch. That is not done with a batch of which a message came by here: it is known to have stood in the log,
 * so that the script is asked for the answer alone, and where that is lost what was not heard is uncertain.
 *
 * Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_LOG_H
#define PLENUM_GATEWAY_BUS_REDIS_LOG_H

#include "redis_asks.h"

struct log_line;

/* Each publish ends in one of the two, in the room's order, never from inside a call but redis_log_tick. */
struct redis_log_events {
    void (*on_published)(void *ctx, void *ticket, struct bytes epoch, uint64_t seq, bool duplicate);
    void (*on_publish_failed)(void *ctx, void *ticket, enum bus_failure failure);
    bool (*has_come)(void *ctx, void *ticket); /* the message came by; NULL: nobody knows */
};

struct redis_log {
    struct redis_common *common;
    struct log_line *by_room;            /* the rooms for which something is queued or under way */
    struct log_line *ready, *last_ready; /* those of them that have something to send, in order */
    struct log_line *spare;              /* lines for rooms to come */
    int spares;
    bool scripts_lost;                     /* a NOSCRIPT came: they are loaded before the next batch */
    uint64_t hash_key[2];                  /* room names come from strangers */
    uint64_t life;                         /* of this worker: part of each batch's number */
    uint64_t batches;                      /* the last number given out */
    const struct redis_log_events *events; /* constant, with ctx given back in each call */
    void *ctx;
};

/* Arguments are borrowed for the log's life. */
void redis_log_init(struct redis_log *log, struct redis_common *common, const struct redis_log_events *events,
                    void *ctx);
/* After redis_commander_close: frees what was not told. */
void redis_log_close(struct redis_log *log);

/* Queues a message; it is copied. rule->size is not 0. Returns how many bytes of it go over the wire. */
size_t redis_log_publish(struct redis_log *log, struct bytes room, const struct log_rule *rule,
                         const struct envelope *envelope, void *ticket);

/* Gives the commander each room's next batch, while it is up; once a turn, before redis_commander_flush. */
void redis_log_flush(struct redis_log *log);

/* Looks at the deadlines; a few times a second, before redis_commander_tick. */
void redis_log_tick(struct redis_log *log, uint64_t now_ms);

#endif
