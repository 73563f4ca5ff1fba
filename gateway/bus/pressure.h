/* pressure.h -- how hard what waits for the bus presses on those who publish.
 *
 * Two marks, so that it does not flutter: pressed above the high one (1 MiB towards Redis, 8 MiB of another worker's
 * inbox), flowing again below the low one, half of it; pressed for 2 s: refusing. Owned by: the buses. Thread: the
 * worker's. */
#ifndef PLENUM_GATEWAY_BUS_PRESSURE_H
#define PLENUM_GATEWAY_BUS_PRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus.h"

enum { PRESSURE_REFUSE_AFTER_MS = 2000 };

struct pressure {
    size_t high, low; /* bytes: above high it is pressed, until below low */
    enum bus_pressure now;
    uint64_t since_ms; /* when it became pressed */
};

/* Takes the bytes that wait now. Returns true when the level has changed. */
bool pressure_update(struct pressure *pressure, size_t waiting, uint64_t now_ms);

#endif
