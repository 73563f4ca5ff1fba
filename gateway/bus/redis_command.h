/* redis_command.h -- a command as it goes over the wire: *<arguments>, then each with its length.
 *
 * By hand, as hiredis prints every length with sprintf, and a batch for the log has up to 140 arguments: three times
 * the price of what is written here. Pure. */
#ifndef PLENUM_GATEWAY_BUS_REDIS_COMMAND_H
#define PLENUM_GATEWAY_BUS_REDIS_COMMAND_H

#include "../../common/bytes.h"

/* What an argument, or the count of them, takes at most beside its own bytes: '$', 20 digits, two line ends. */
enum { COMMAND_OVERHEAD = 25 };

/* Each writes at `at`, where there is room, and returns what is behind it. */
char *redis_command_count(char *at, size_t arguments);
char *redis_command_argument(char *at, struct bytes argument);
/* The two parts of an argument whose bytes the caller writes itself: length first, end behind them. */
char *redis_command_length(char *at, size_t len);
char *redis_command_end(char *at);

/* A whole command, the caller's to free(); its length in out_len. lens may be NULL for terminated arguments. */
char *redis_command_new(int argc, const char **argv, const size_t *lens, size_t *out_len);

#endif
