/* redis_commander.h -- the worker's command connection: publishes, and all other commands, in one line.
 *
 * A publish waits at most 2 s to be sent and then 2 s for its answer. When the connection is lost, what was sent and
 * not answered has failed as uncertain, and what was not sent stays in line. Answers that come after a failure was told
 * are matched to their command and thrown away. Knows how hard the bytes press that wait to be published, those that
 * redis_log still holds included. Owned by: redis_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_COMMANDER_H
#define PLENUM_GATEWAY_BUS_REDIS_COMMANDER_H

#include "../../common/redis_link.h"
#include "pressure.h"
#include "redis_pending.h"

struct redis_commander_events {
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, enum redis_loss reason);
    /* A publish's end, one of the two; not told for a ticket of NULL. */
    void (*on_published)(void *ctx, void *ticket);
    void (*on_publish_failed)(void *ctx, void *ticket, enum bus_failure failure);
    void (*on_pressure)(void *ctx, enum bus_pressure pressure);
    void (*on_closed)(void *ctx);
};

struct redis_commander {
    struct redis_link link;
    struct redis_link_options link_options;
    const struct env *env;
    struct pending_ring unsent, unanswered;
    struct pending_ring lost; /* asks that came without a connection: their end is told with the next flush */
    size_t publish_bytes;     /* charged: of publishes whose end is not told */
    uint32_t publishes;       /* their number */
    struct pressure pressure;
    uint64_t refusal_logged_ms; /* 0: never */
    char not_primary[64];       /* an error that says so came: the connection goes at the end of that answer */
    const struct redis_commander_events *events; /* constant, with ctx given back in each call */
    void *ctx;
};

/* Begins to connect. Arguments are borrowed for the commander's life; options is copied, but for what it points to. */
void redis_commander_init(struct redis_commander *commander, const struct env *env,
                          const struct redis_link_options *options, const struct redis_commander_events *events,
                          void *ctx);
/* Ends it; on_closed comes later, and nothing else. */
void redis_commander_close(struct redis_commander *commander);

/* Queues a message; its bytes are copied. Its end never comes from inside. */
void redis_commander_publish(struct redis_commander *commander, struct bytes channel, struct bytes message,
                             void *ticket);

/* Queues another command; only while up, and forgotten when the connection is lost. on_answer may be NULL: the answer
 * is for nobody. */
void redis_commander_call(struct redis_commander *commander, int argc, const char **argv, redis_answer_fn on_answer,
                          void *ctx);

/* Queues a command whose end is told in every case: REDIS_UNANSWERED (within a turn or two) also when the connection is
 * lost before the answer, or is not up now, or 2 s pass; an answer that comes later is thrown away. lens may be NULL
 * for terminated arguments. Nothing is told any more after redis_commander_close. */
void redis_commander_ask(struct redis_commander *commander, int argc, const char **argv, const size_t *lens,
                         const struct redis_ask_events *events, void *ctx, uint64_t tag);

/* The same for a command that is already in its wire form (redis_command.h); takes it, to be freed by free(). */
void redis_commander_ask_ready(struct redis_commander *commander, char *command, size_t len,
                               const struct redis_ask_events *events, void *ctx, uint64_t tag);

/* A publish that goes another way than redis_commander_publish begins to wait, and waits no longer: one account for
 * all that presses. on_pressure may come from inside, of the second one not before the next answer or tick. */
void redis_commander_charge(struct redis_commander *commander, size_t bytes);
void redis_commander_discharge(struct redis_commander *commander, size_t bytes);

/* Sends what is queued, as far as the kernel takes it; tells the ends of asks that found no connection. */
void redis_commander_flush(struct redis_commander *commander);

/* Looks at the deadlines; a few times a second. */
void redis_commander_tick(struct redis_commander *commander, uint64_t now_ms);

#endif
