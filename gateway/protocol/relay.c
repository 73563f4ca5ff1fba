/* relay.c -- see relay.h. */
#include "relay.h"

#include "frame.h"

static struct relay *relay_of(struct session *session)
{
    return (struct relay *)session->protocol; /* its first field */
}

static void on_open(struct session *session, const struct session_request *request)
{
    struct relay *relay = relay_of(session);
    const struct relay_encoding *encoding = request->deflate ? &relay->deflated : &relay->plain;
    if (room_join(relay->rooms, &session->member, request->room, &encoding->base, request->echo))
        relay->protocol.host->accept(session);
}

static void on_message(struct session *session, bool text, struct bytes payload)
{
    struct relay *relay = relay_of(session);
    enum envelope_kind kind = text ? ENVELOPE_TEXT : ENVELOPE_BINARY;
    if (!room_publish(relay->rooms, &session->member, kind, payload))
        relay->protocol.host->close(session, 1013, "overloaded, try again later");
}

static void on_publish_failed(struct session *session, enum bus_failure failure)
{
    const char *reason =
        failure == BUS_UNCERTAIN ? "a message may not have been delivered" : "a message was not delivered";
    session->protocol->host->close(session, 1013, reason);
}

static void on_close(struct session *session)
{
    room_leave(relay_of(session)->rooms, &session->member);
}

/* ---- encoding: a frame is the payload behind a head */

static bool carries(const struct envelope *envelope)
{
    return envelope->kind == ENVELOPE_TEXT || envelope->kind == ENVELOPE_BINARY || envelope->kind == ENVELOPE_JSON;
}

static size_t plain_bound(const struct encoding *encoding, const struct envelope *envelope)
{
    (void)encoding;
    return carries(envelope) ? FRAME_HEAD_MAX + envelope->payload.len : 0;
}

static size_t plain_encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    (void)encoding;
    enum frame_opcode opcode = envelope->kind == ENVELOPE_BINARY ? FRAME_BINARY : FRAME_TEXT;
    size_t head = frame_head(out, opcode, false, envelope->payload.len);
    if (envelope->payload.len)
        memcpy(out + head, envelope->payload.data, envelope->payload.len);
    return head + envelope->payload.len;
}

static size_t deflated_bound(const struct encoding *encoding, const struct envelope *envelope)
{
    const struct relay_encoding *relay = (const struct relay_encoding *)encoding;
    size_t plain = plain_bound(encoding, envelope);
    if (plain == 0 || envelope->payload.len < DEFLATE_SMALLEST)
        return plain;
    return FRAME_HEAD_MAX + deflater_bound(relay->deflater, envelope->payload.len);
}

static size_t deflated_encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    const struct relay_encoding *relay = (const struct relay_encoding *)encoding;
    if (envelope->payload.len < DEFLATE_SMALLEST)
        return plain_encode(encoding, envelope, out);
    uint8_t *payload = out + FRAME_HEAD_MAX; /* its length, and so the head's, is known afterwards */
    size_t len = deflater_compress(relay->deflater, envelope->payload, payload);
    if (len >= envelope->payload.len)
        return plain_encode(encoding, envelope, out);
    enum frame_opcode opcode = envelope->kind == ENVELOPE_BINARY ? FRAME_BINARY : FRAME_TEXT;
    size_t head = frame_head(out, opcode, true, len);
    memmove(out + head, payload, len);
    return head + len;
}

void relay_init(struct relay *relay, const struct session_host *host, struct rooms *rooms, struct deflater *deflater)
{
    *relay = (struct relay){
        .protocol = {.on_open = on_open,
                     .on_message = on_message,
                     .on_publish_failed = on_publish_failed,
                     .on_close = on_close,
                     .host = host},
        .rooms = rooms,
        .plain = {.base = {"relay", plain_bound, plain_encode}},
        .deflated = {.base = {"relay, deflated", deflated_bound, deflated_encode}, .deflater = deflater},
    };
}
