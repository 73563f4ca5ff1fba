/* local_answers.h -- what the hub has answered and the worker has not told yet.
 *
 * The hub is asked under its lock and answers at once, into this list; local_bus tells it in its next flush, so never
 * from inside the call that asked. Owned by: local_bus, which embeds it. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_LOCAL_ANSWERS_H
#define PLENUM_GATEWAY_BUS_LOCAL_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "local_buffer.h"
#include "local_rooms.h"

struct local_answers {
    struct local_buffer list;    /* to be told */
    struct local_buffer telling; /* empty, but during local_answers_tell */
};

/* Each adds one thing; bytes are copied. */
void local_answers_end(struct local_answers *answers, const struct bus_ask *ask, enum bus_result result);
void local_answers_position(struct local_answers *answers, const struct bus_ask *ask, const struct local_room *room,
                            bool known); /* room NULL: there is none */
void local_answers_entry(struct local_answers *answers, const struct bus_ask *ask, uint64_t seq, struct bytes envelope);
void local_answers_gateway(struct local_answers *answers, const struct bus_ask *ask, uint32_t gateway,
                           uint64_t members);
void local_answers_member(struct local_answers *answers, const struct bus_ask *ask, uint64_t member,
                          struct bytes value);
void local_answers_field(struct local_answers *answers, const struct bus_ask *ask, struct bytes name,
                         struct bytes value);
/* Not to an ask: what became of a publish. epoch 0: it has no log. */
void local_answers_published(struct local_answers *answers, void *ticket, uint64_t epoch, uint64_t seq, bool duplicate);
void local_answers_failed(struct local_answers *answers, void *ticket, enum bus_failure failure);

/* Tells everything that is in the list now, in its order. What the callbacks add is left for the next time; once
 * *closed is true nothing more is told. */
void local_answers_tell(struct local_answers *answers, const struct bus *bus, const bool *closed);

void local_answers_close(struct local_answers *answers);

#endif
