/* rules.h -- what is kept of a room and who may be in it, by patterns of room names.
 *
 *     --room-rule 'live-* log=0 presence=off members=200'
 *
 * A pattern matches the whole name, with * for any run of characters and ? for any one. The first rule that matches
 * holds; what it does not say, and rooms that none matches, have the general settings (--log-size, --log-bytes,
 * --log-ttl). Constant after the start. Owned by: config. Called by: room, admin. */
#ifndef PLENUM_GATEWAY_ROOM_RULES_H
#define PLENUM_GATEWAY_ROOM_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "../bus/bus.h"

enum { RULE_TEXT_MAX = 512 };

struct room_rule {
    struct log_rule log; /* log=N (messages, 0: none), log-bytes=N, log-ttl=S */
    bool presence;       /* presence=on|off */
    bool media;          /* media=on|off */
    uint32_t members;    /* members=N per gateway at most; 0: any number */
};

struct rules;

/* fallback is copied. */
struct rules *rules_new(const struct room_rule *fallback);
void rules_free(struct rules *rules);

/* Adds a rule behind the others. Returns NULL, or what is wrong in words (a constant). */
const char *rules_add(struct rules *rules, const char *text) __attribute__((warn_unused_result));

/* Never NULL; lives as long as the rules. */
const struct room_rule *rules_find(const struct rules *rules, struct bytes room);

/* A number that two gateways share when their rules are the same: 8 hex digits for plenum:gw:<gw>. */
uint32_t rules_digest(const struct rules *rules);

#endif
