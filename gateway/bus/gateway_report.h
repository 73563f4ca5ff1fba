/* gateway_report.h -- what a gateway says of itself to the others: what bus_list_gateways tells, and what redis-cli
 * shows of it (plenum:gw:<gw>).
 *
 * Filled in by the worker when its bus asks, on the worker's thread. */
#ifndef PLENUM_GATEWAY_BUS_GATEWAY_REPORT_H
#define PLENUM_GATEWAY_BUS_GATEWAY_REPORT_H

#include <stdint.h>

/* Filled in every 3 s. */
struct gateway_report {
    const char *pod;     /* host name */
    const char *address; /* public address */
    const char *version;
    const char *state; /* up, draining */
    uint64_t connections, rooms, members;
    uint64_t messages_in, messages_out; /* totals; the bus makes rates of them */
    int64_t started_ms;                 /* wall clock */
};

/* ctx is the bus's; out is zeroed, every text to be set, and borrowed until the next turn. */
typedef void (*gateway_report_fn)(void *ctx, struct gateway_report *out);

#endif
