/* metrics.h -- the counters as Prometheus reads them (text format 0.0.4).
 *
 * Called by: the admin listener, for GET /metrics. Thread: any; counters are read while their workers count on, so the
 * figures of one page are each right but not of one instant. */
#ifndef PLENUM_GATEWAY_ADMIN_METRICS_H
#define PLENUM_GATEWAY_ADMIN_METRICS_H

#include <stddef.h>
#include <stdio.h>

#include "../counters.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Renders the workers' counters, added up, and the process's own figures. workers is borrowed for the call. Returns the
 * text, terminated, and its length; the caller frees it. */
char *metrics_render(const struct counters *const *workers, int count, size_t *len);

/* Begins a family of the page. type is "counter", "gauge" or "histogram"; help is one line without backslashes. */
void metric_head(FILE *out, const char *name, const char *type, const char *help);

#endif
