/* local_report.h -- a gateway's report as fields of text, under the names that they have in Redis too (redis_beat.c).
 *
 * Owned by: local_hub, one for each worker. Written by: local_bus. Read by: local_asks. Thread: any, under the hub's
 * lock once it stands in the hub. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_REPORT_H
#define PLENUM_GATEWAY_BUS_LOCAL_REPORT_H

#include "gateway_report.h"
#include "local_answers.h"

/* Writes the fields into an empty buffer. Rates are of the time since the report before, elapsed_ms; 0: there was none.
 */
void local_report_write(struct local_buffer *out, const struct gateway_report *report,
                        const struct gateway_report *before, uint64_t elapsed_ms);

/* Answers with each field. */
void local_report_answer(const struct local_buffer *report, const struct bus_ask *ask, struct local_answers *answers);

#endif
