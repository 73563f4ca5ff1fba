/* process_metrics.h -- the figures every Prometheus client has for its process: memory, descriptors, CPU, start.
 *
 * Called by: metrics.c. Reads /proc/self; what cannot be read is left out. */
#ifndef PLENUM_GATEWAY_ADMIN_PROCESS_METRICS_H
#define PLENUM_GATEWAY_ADMIN_PROCESS_METRICS_H

#include <stdio.h>

void process_metrics_write(FILE *out);

#endif
