/* pressure.c -- see pressure.h. */
#include "pressure.h"

static enum bus_pressure next_level(struct pressure *pressure, size_t waiting, uint64_t now_ms)
{
    if (pressure->now == BUS_FLOWING) {
        if (waiting <= pressure->high)
            return BUS_FLOWING;
        pressure->since_ms = now_ms;
        return BUS_PRESSED;
    }
    if (waiting < pressure->low)
        return BUS_FLOWING;
    return now_ms - pressure->since_ms >= PRESSURE_REFUSE_AFTER_MS ? BUS_REFUSING : BUS_PRESSED;
}

bool pressure_update(struct pressure *pressure, size_t waiting, uint64_t now_ms)
{
    enum bus_pressure before = pressure->now;
    pressure->now = next_level(pressure, waiting, now_ms);
    return pressure->now != before;
}
