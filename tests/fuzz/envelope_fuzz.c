/* envelope_fuzz.c -- any bytes as a message on the bus: never a crash; what is read is inside the message, and what can
 * be written again is read as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/envelope.h"
#include "../../common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void require_inside(struct bytes part, struct bytes message)
{
    require(part.len == 0 || (part.data >= message.data && part.data + part.len <= message.data + message.len));
}

/* Writes the header again and compares what is read from it. */
static void round_trip(const struct envelope *first)
{
    if (first->epoch.len + first->key.len + first->from.len > ENVELOPE_HEADER_MAX - 70)
        return; /* longer than anything that a gateway writes */
    size_t room = ENVELOPE_HEADER_MAX + first->payload.len;
    char *message = malloc(room);
    size_t len = envelope_encode_header(message, first);
    require(len <= ENVELOPE_HEADER_MAX);
    if (first->payload.len)
        memcpy(message + len, first->payload.data, first->payload.len);
    struct envelope second;
    require(envelope_decode((struct bytes){message, len + first->payload.len}, &second) == ENVELOPE_OK);
    require(second.seq == first->seq && second.kind == first->kind && second.member == first->member);
    require(second.time_ms == first->time_ms && bytes_equal(second.payload, first->payload));
    require(bytes_equal(second.epoch, first->epoch) && bytes_equal(second.key, first->key));
    require(bytes_equal(second.from, first->from));
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes message = {(const char *)data, size};
    struct envelope envelope;
    if (envelope_decode(message, &envelope) != ENVELOPE_OK)
        return 0;
    require_inside(envelope.epoch, message);
    require_inside(envelope.key, message);
    require_inside(envelope.payload, message);
    if (envelope.kind == ENVELOPE_TEXT || envelope.kind == ENVELOPE_JSON)
        require(utf8_valid(envelope.payload));
    require(!utf8_valid(message) || utf8_valid_so_far(message));
    round_trip(&envelope);
    return 0;
}
