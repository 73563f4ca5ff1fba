/* presence_event_fuzz.c -- any bytes as a presence event: never a crash; what is read is inside the payload, and each
 * change that was read can be written and read again as the same. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../gateway/bus/presence_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void require_inside(struct bytes part, struct bytes whole)
{
    require(part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

/* Writes the change as a gateway does, and compares what is read from that. */
static void round_trip(const struct presence_event *event, const struct presence_change *change)
{
    size_t room = change->value.len + 128;
    char *text = malloc(room);
    int head = snprintf(text, room, "%" PRIu64 " %" PRIu64 "\n%c %016" PRIx64 " ", event->pv, event->members,
                        (char)change->op, change->member);
    size_t len = (size_t)head;
    if (change->value.len)
        memcpy(text + len, change->value.data, change->value.len);
    len += change->value.len;
    text[len++] = '\n';
    struct envelope envelope = {.kind = ENVELOPE_PRESENCE, .from = BYTES("0a1b2c3d"), .payload = {text, len}};
    struct presence_event again;
    struct presence_change copy;
    require(presence_event_read(&envelope, &again) && presence_event_next(&again, &copy));
    require(again.pv == event->pv && again.members == event->members && again.gateway == 0x0a1b2c3d);
    require(copy.op == change->op && copy.member == change->member && bytes_equal(copy.value, change->value));
    require(!presence_event_next(&again, &copy) && again.rest.len == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct envelope envelope;
    if (envelope_decode((struct bytes){(const char *)data, size}, &envelope) != ENVELOPE_OK)
        return 0;
    struct presence_event event;
    if (!presence_event_read(&envelope, &event))
        return 0;
    require(envelope.kind == ENVELOPE_PRESENCE);
    require_inside(event.rest, envelope.payload);
    struct presence_change change;
    for (size_t left = event.rest.len; presence_event_next(&event, &change); left = event.rest.len) {
        require(event.rest.len < left);
        require_inside(change.value, envelope.payload);
        require_inside(event.rest, envelope.payload);
        round_trip(&event, &change);
    }
    return 0;
}
