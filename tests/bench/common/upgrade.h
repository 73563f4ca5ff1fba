/* upgrade.h -- the handshake of a measuring client, RFC 6455 section 4.1: the request, and the check of the answer.
 *
 * Every connection sends the same key (the RFC's own example), so the answer is a constant and costs no SHA-1.
 * Called by: load's connections, idle; floor answers with the constant. Pure functions. */
#ifndef PLENUM_BENCH_UPGRADE_H
#define PLENUM_BENCH_UPGRADE_H

#include <stddef.h>

#define UPGRADE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

struct upgrade_answer {
    enum { UPGRADE_PARTIAL, UPGRADE_DONE, UPGRADE_REFUSED } status;
    size_t used;  /* UPGRADE_DONE: bytes of the head; frames may follow */
    char why[80]; /* UPGRADE_REFUSED: what was wrong, for people */
};

/* Writes the request; protocol may be NULL. Returns its length; dies when it does not fit. */
size_t upgrade_request(char *out, size_t cap, const char *path, const char *host, const char *protocol);

/* Reads what has come of the answer so far. */
struct upgrade_answer upgrade_read(const char *data, size_t n);

#endif
