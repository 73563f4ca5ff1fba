/* relay.c -- see relay.h. */
#include "relay.h"

#include "message_frame.h"

static struct relay *relay_of(struct session *session)
{
    return (struct relay *)session->protocol; /* its first field */
}

static void on_open(struct session *session, const struct session_request *request)
{
    struct relay *relay = relay_of(session);
    const struct relay_encoding *encoding = request->deflate ? &relay->deflated : &relay->plain;
    session->member = (struct member){.target.outlet = request->outlet, .kind = MEMBER_PLAIN};
    if (room_join(relay->rooms, &session->member, request->room, &encoding->base, request->echo))
        relay->protocol.host->accept(session);
}

static void on_message(struct session *session, bool text, struct bytes payload)
{
    struct relay *relay = relay_of(session);
    struct saying saying = {.kind = text ? ENVELOPE_TEXT : ENVELOPE_BINARY, .payload = payload};
    if (!room_publish(relay->rooms, &session->member, &saying))
        relay->protocol.host->close(session, 1013, "overloaded, try again later");
}

static void on_close(struct session *session)
{
    room_leave(relay_of(session)->rooms, &session->member, "left");
}

/* ---- what the rooms tell */

static void close_with(struct member *member, int code, const char *reason)
{
    struct session *session = session_of_member(member);
    session->protocol->host->close(session, code, reason);
}

static void on_in(void *ctx, struct member *member, const struct joined *joined)
{
    (void)ctx, (void)joined;
    struct session *session = session_of_member(member);
    session->protocol->host->accept(session);
}

/* Before the handshake was answered: the connection makes a 503 of it, or a 403 of 4403. */
static void on_refused(void *ctx, struct member *member, enum join_refusal refusal)
{
    (void)ctx;
    static const char *const reasons[] = {
        [JOIN_LOCKED] = "The room is locked.",
        [JOIN_BANNED] = "You are banned from this room.",
        [JOIN_FULL] = "The room is full.",
        [JOIN_UNAVAILABLE] = "The room cannot be joined now.",
    };
    close_with(member, refusal == JOIN_UNAVAILABLE || refusal == JOIN_FULL ? 1013 : 4403, reasons[refusal]);
}

static void on_publish_failed(void *ctx, struct member *member, uint64_t request, enum bus_failure failure)
{
    (void)ctx, (void)request;
    close_with(member, 1013,
               failure == BUS_UNCERTAIN ? "a message may not have been delivered" : "a message was not delivered");
}

static void on_kicked(void *ctx, struct member *member, const char *reason)
{
    (void)ctx;
    close_with(member, 4403, reason);
}

/* It has no acks and gets no signals. */
const struct member_events relay_member_events = {
    .on_in = on_in,
    .on_refused = on_refused,
    .on_publish_failed = on_publish_failed,
    .on_kicked = on_kicked,
};

/* ---- encoding: a frame is the payload behind a head */

static bool carries(const struct envelope *envelope)
{
    return envelope->kind == ENVELOPE_TEXT || envelope->kind == ENVELOPE_BINARY || envelope->kind == ENVELOPE_JSON;
}

static struct deflater *deflater_of(const struct encoding *encoding)
{
    return ((const struct relay_encoding *)encoding)->deflater; /* NULL: plain */
}

static size_t bound(const struct encoding *encoding, const struct envelope *envelope)
{
    return carries(envelope) ? message_frame_bound(deflater_of(encoding), envelope->payload.len) : 0;
}

static size_t encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    enum frame_opcode opcode = envelope->kind == ENVELOPE_BINARY ? FRAME_BINARY : FRAME_TEXT;
    return message_frame(deflater_of(encoding), opcode, envelope->payload, out);
}

void relay_init(struct relay *relay, const struct session_host *host, struct rooms *rooms, struct deflater *deflater)
{
    *relay = (struct relay){
        .protocol = {.on_open = on_open, .on_message = on_message, .on_close = on_close, .host = host},
        .rooms = rooms,
        .plain = {.base = {.name = "relay", .bound = bound, .encode = encode}},
        .deflated = {.base = {.name = "relay, deflated", .bound = bound, .encode = encode}, .deflater = deflater},
    };
}
