/* redis_commander.h -- the worker's command connection: publishes, and the few other commands.
 *
 * A publish waits at most 2 s to be sent and then 2 s for its answer. When the connection is lost, what was sent and
 * not answered has failed as uncertain, and what was not sent stays in line. Answers that come after a failure was told
 * are matched to their command and thrown away. Knows how hard the waiting bytes press. Owned by: redis_bus, which
 * embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_COMMANDER_H
#define PLENUM_GATEWAY_BUS_REDIS_COMMANDER_H

#include "../../common/redis_link.h"
#include "pressure.h"
#include "redis_pending.h"

struct redis_commander_events {
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, enum redis_loss reason);
    void (*on_publish_failed)(void *ctx, uint64_t member, enum bus_failure failure);
    void (*on_pressure)(void *ctx, enum bus_pressure pressure);
    void (*on_closed)(void *ctx);
};

struct redis_commander {
    struct redis_link link;
    struct redis_link_options link_options;
    const struct env *env;
    struct pending_ring unsent, unanswered;
    size_t publish_bytes; /* of publishes in both that are not told as failed */
    uint32_t publishes;   /* their number */
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

/* Queues a message; its bytes are copied. member is named when it fails; on_publish_failed never comes from inside. */
void redis_commander_publish(struct redis_commander *commander, struct bytes channel, struct bytes message,
                             uint64_t member);

/* Queues another command; only while up, and forgotten when the connection is lost. on_answer may be NULL: the answer
 * is for nobody. */
void redis_commander_call(struct redis_commander *commander, int argc, const char **argv, redis_answer_fn on_answer,
                          void *ctx);

/* Sends what is queued, as far as the kernel takes it. */
void redis_commander_flush(struct redis_commander *commander);

/* Looks at the deadlines; a few times a second. */
void redis_commander_tick(struct redis_commander *commander, uint64_t now_ms);

#endif
