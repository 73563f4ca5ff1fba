/* redis_scripts.h -- the Lua scripts of the Redis bus, by the hashes that EVALSHA wants.
 *
 * The texts are gateway/bus/scripts/<name>.lua, embedded at build time. Every command connection begins with a SCRIPT
 * LOAD of each; a server that has forgotten them (SCRIPT FLUSH, failover) says NOSCRIPT, and they are loaded again.
 * Owned by: redis_bus. Called by: redis_log, redis_presence, redis_reaper. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_SCRIPTS_H
#define PLENUM_GATEWAY_BUS_REDIS_SCRIPTS_H

#include <stdbool.h>

#include "redis_commander.h"

enum redis_script { SCRIPT_APPEND, SCRIPT_PRESENCE, SCRIPT_REAP, SCRIPTS };

enum { SCRIPT_SHA_LEN = 40 };

/* The texts; made by scripts/embed.cmake. */
extern const struct bytes redis_script_texts[SCRIPTS];

struct redis_scripts {
    char sha[SCRIPTS][SCRIPT_SHA_LEN + 1];
};

/* Computes the hashes (SHA-1, by libcrypto). */
void redis_scripts_init(struct redis_scripts *scripts);

/* Queues SCRIPT LOAD for all of them: first thing on each command connection, and after a NOSCRIPT. A refusal is
 * logged; who calls a script then is told NOSCRIPT again. */
void redis_scripts_load(const struct redis_scripts *scripts, struct redis_commander *commander);

/* True when the answer says that the script is not there: load, and ask again. */
bool redis_scripts_forgotten(const struct resp_value *value);

#endif
