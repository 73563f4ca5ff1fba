/* redis_asks.h -- what the bus was asked and has not answered yet, and what all who ask the server need.
 *
 * A bus_ask may take several commands. Each is one record: begun with redis_ask_begin, with commands by
 * redis_ask_command, and ended by redis_ask_end, once, never from inside the call that asked (the commander's promise).
 * From redis_asks_mute on (bus_close) nobody is told; redis_asks_close frees what is left, once the commander's
 * on_closed has come. Owned by: redis_presence, redis_admin, each its own list. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_ASKS_H
#define PLENUM_GATEWAY_BUS_REDIS_ASKS_H

#include "../../common/env.h"
#include "bus.h"
#include "redis_commander.h"
#include "redis_scripts.h"

enum { GEN_MAX = 16 };

/* Filled in by redis_bus, which keeps gateway and gen true; borrowed by the parts. */
struct redis_common {
    const struct env *env;
    struct redis_commander *commander;
    const struct redis_scripts *scripts;
    struct bytes prefix;
    uint32_t gateway;      /* this worker's id, once it is claimed */
    char gen[GEN_MAX + 1]; /* the primary's generation as far as it is known; "-": not at all */
    /* A script's answer named another gen: take it over, and let reaping pause. */
    void (*on_gen)(void *ctx, struct bytes gen);
    void *ctx;
    uint64_t refusal_logged_ms; /* 0: never */
};

/* The records of one owner. Zero but for common, which is borrowed. */
struct redis_asks {
    struct redis_common *common;
    struct redis_asked *first;
    bool muted;
};

/* Begins every record. */
struct redis_asked {
    struct redis_asks *asks;
    struct redis_asked *prev, *next;
    struct bus_ask ask; /* whose; without events: nobody's */
    uint32_t pending;   /* commands that have not ended */
    enum bus_result result;
};

/* Makes a zeroed record of that size (one allocation, all there is of it) and lists it. ask may be NULL. */
void *redis_ask_begin(struct redis_asks *asks, size_t size, const struct bus_ask *ask) __attribute__((returns_nonnull));

/* Takes the record off the list, tells its end, and frees it. */
void redis_ask_end(struct redis_asked *asked, enum bus_result result);

/* redis_commander_ask for the record, which is what events get as ctx. */
void redis_ask_command(struct redis_asked *asked, int argc, const char **argv, const size_t *lens,
                       const struct redis_ask_events *events, uint64_t tag);

/* An on_end for those commands: with the last one the record ends, with BUS_OK or what the first failure was. */
void redis_ask_on_end(void *ctx, uint64_t tag, enum redis_end end);

/* What is to be told besides the end; NULL when nobody wants to know. */
const struct bus_ask_events *redis_ask_events_of(const struct redis_asked *asked);

void redis_asks_mute(struct redis_asks *asks);
void redis_asks_close(struct redis_asks *asks);

/* The end of a command in the words of the bus. */
enum bus_result redis_result_of(enum redis_end end);

/* Logs that the server refuses something, at most once a second. */
void redis_log_refusal(struct redis_common *common, const char *what, struct bytes error);

/* True when the value is an error; then it is logged. */
bool redis_refused(struct redis_common *common, const char *what, const struct resp_value *value);

#endif
