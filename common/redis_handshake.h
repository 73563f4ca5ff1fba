/* redis_handshake.h -- the first words on a Redis connection: login, database, name, identity, and is it ready.
 *
 * All commands are sent together, the last of them PING: it is what a server that is still loading, or a replica that
 * lost its primary, answers with an error, while it would take a PUBLISH and deliver it to nobody.
 * Owned by: redis_link. Knows no socket. Thread: its owner's. */
#ifndef PLENUM_COMMON_REDIS_HANDSHAKE_H
#define PLENUM_COMMON_REDIS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "resp.h"

enum { REDIS_RUN_ID_MAX = 40, REDIS_REPLID_MAX = 40 };

enum redis_handshake_state {
    HANDSHAKE_GOING_ON,
    HANDSHAKE_DONE,
    HANDSHAKE_NOT_YET, /* loading, or without its primary: try again soon */
    HANDSHAKE_REFUSED  /* wrong password, no permission, ...: try again seldom */
};

struct redis_handshake {
    enum redis_handshake_state state;
    bool has_auth, has_select;
    int step;
    char run_id[REDIS_RUN_ID_MAX + 1]; /* empty: the server did not tell */
    char replid[REDIS_REPLID_MAX + 1]; /* the primary's master_replid; empty: the server did not tell */
    char error[96];                    /* the last error answer, for the log; never with a password in it */
};

struct redis_handshake_options {
    const char *user, *password; /* NULL: none */
    int db;
    const char *client_name; /* what CLIENT LIST shows */
};

/* Begins anew. Returns the commands to send, the caller's to free(), and their length in out_len. */
char *redis_handshake_begin(struct redis_handshake *handshake, const struct redis_handshake_options *options,
                            size_t *out_len);

/* Take the values of the answers and the ends of them. state says what has come of it. */
void redis_handshake_value(struct redis_handshake *handshake, const struct resp_value *value);
void redis_handshake_end(struct redis_handshake *handshake);

/* The value of a field in INFO's answer, or empty. */
struct bytes redis_info_field(struct bytes info, const char *field);

/* True for an error that says "not this server, not now": -LOADING, -MASTERDOWN, -READONLY and the like. */
bool redis_error_is_not_primary(struct bytes error);

/* True for -NOPERM. */
bool redis_error_is_no_permission(struct bytes error);

/* True for an error that waiting will not mend: -WRONGPASS, -NOAUTH, -NOPERM. */
bool redis_error_is_denied(struct bytes error);

#endif
