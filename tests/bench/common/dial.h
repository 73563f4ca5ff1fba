/* dial.h -- many TCP connections to servers on the loopback.
 *
 * One source address has about 28,000 ports towards one server; connections are spread over 127.0.0.2, 127.0.0.3 ...,
 * 9,000 each, so that ports in TIME_WAIT from the run before do not stand in the way.
 * Called by: load's connections, idle. */
#ifndef PLENUM_BENCH_DIAL_H
#define PLENUM_BENCH_DIAL_H

#include <netinet/in.h>

/* Reads "[127.x.x.x:]PORT"; dies on anything else: the tools load nobody else's machine. */
struct sockaddr_in dial_address(const char *text);

/* Starts the index-th connection: non-blocking, TCP_NODELAY. Returns the descriptor; success shows as writability.
 * Dies when the machine has no descriptor or address left. */
int dial(const struct sockaddr_in *target, int index);

/* The outcome of a dial once the descriptor is ready: 0 or an errno. */
int dial_error(int fd);

#endif
