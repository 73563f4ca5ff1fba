/* websocket.c -- see websocket.h. */
#include "websocket.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#include "../../common/utf8.h"
#include "../../common/xalloc.h"
#include "../protocol/frame.h"

enum {
    CLIENT_HEAD_MAX = 14,    /* 2 + 8 for the length + 4 for the mask */
    SPARE_MAX = 64,          /* readers kept for the next borrower */
    BUFFER_KEEP = 64 * 1024, /* bytes of a reader's buffer that is kept with it */
    BUFFER_FIRST = 1024,
    WSLAY_CONTEXT = 4272, /* bytes on the heap */
    PIECE_COST = 64,      /* what a frame costs besides its bytes */
    PING_COST = 512,      /* ... when it has to be answered by a send */
    CLOSE_PROTOCOL = 1002,
    CLOSE_BAD_DATA = 1007,
    CLOSE_TOO_BIG = 1009
};

struct reader {
    wslay_frame_context_ptr wslay;
    struct reader *next; /* spare */

    /* the frame being read */
    uint8_t head[CLIENT_HEAD_MAX];
    uint8_t head_len;      /* bytes of it that have come */
    uint8_t head_fed;      /* of them given to wslay */
    uint64_t payload_left; /* bytes not given to wslay yet */
    struct bytes input;    /* what may be given to it now */

    /* the message being read */
    uint8_t opcode; /* of its first frame; 0: none is under way */
    bool compressed;
    uint8_t *buffer;
    size_t len, cap;
    size_t utf8_checked; /* bytes of the buffer known to be whole characters of good text */

    uint8_t control[CONTROL_PAYLOAD_MAX]; /* a control frame that came in pieces */
    uint8_t control_len;
    uint32_t deadline;
    uint32_t slack; /* bytes that a message may have beyond max_message */

    char *parked; /* input for another turn, or NULL */
    size_t parked_len;
    size_t cost;    /* of the piece being read, see spend */
    size_t charged; /* bytes of readers->held that are this one's */
};

/* wslay asks for bytes: the head first, then the payload, never what is behind the frame. */
static ssize_t give_bytes(uint8_t *out, size_t room, int flags, void *user_data)
{
    (void)flags;
    struct reader *reader = user_data;
    size_t n = reader->head_len - reader->head_fed;
    if (n) { /* whole heads only, and room is 4 KiB: it fits */
        memcpy(out, reader->head + reader->head_fed, n);
        reader->head_fed = reader->head_len;
        return (ssize_t)n;
    }
    n = reader->input.len < reader->payload_left ? reader->input.len : (size_t)reader->payload_left;
    if (n > room)
        n = room;
    if (n == 0)
        return -1;
    memcpy(out, reader->input.data, n);
    reader->input.data += n;
    reader->input.len -= n;
    reader->payload_left -= n;
    return (ssize_t)n;
}

static struct reader *reader_new(void)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give_bytes};
    struct reader *reader = xcalloc(1, sizeof *reader);
    if (wslay_frame_context_init(&reader->wslay, &callbacks, reader) != 0)
        abort(); /* only for want of memory, as in xalloc */
    return reader;
}

/* Brings the account of what is held up to date. */
static void charge(struct readers *readers, struct reader *reader, size_t bytes)
{
    readers->held += bytes - reader->charged;
    reader->charged = bytes;
}

static void reader_free(struct reader *reader)
{
    free(reader->parked);
    wslay_frame_context_free(reader->wslay);
    free(reader->buffer);
    free(reader);
}

void readers_init(struct readers *readers, const struct websocket_events *events, struct deflater *deflater,
                  size_t max_message)
{
    *readers = (struct readers){.events = events, .deflater = deflater, .max_message = max_message};
}

void readers_close(struct readers *readers)
{
    while (readers->spare) {
        struct reader *reader = readers->spare;
        readers->spare = reader->next;
        reader_free(reader);
    }
}

struct reader *reader_borrow(struct readers *readers)
{
    struct reader *reader = readers->spare;
    if (reader) {
        readers->spare = reader->next;
        readers->spare_count--;
    } else {
        reader = reader_new();
    }
    charge(readers, reader, reader_held(reader));
    return reader;
}

void reader_return(struct readers *readers, struct reader *reader)
{
    charge(readers, reader, 0);
    bool clean = reader->head_len == 0 && reader->opcode == 0; /* else wslay is in the middle of something */
    if (!clean || readers->spare_count == SPARE_MAX) {
        reader_free(reader);
        return;
    }
    if (reader->cap > BUFFER_KEEP) {
        free(reader->buffer);
        reader->buffer = NULL;
        reader->cap = 0;
    }
    free(reader->parked);
    reader->parked = NULL;
    reader->parked_len = 0;
    reader->deadline = 0;
    reader->slack = 0;
    reader->next = readers->spare;
    readers->spare = reader;
    readers->spare_count++;
}

/* ---- heads */

static bool is_control(uint8_t opcode)
{
    return opcode & 8;
}

/* Bytes that the head has in all, known from its second byte on. */
static uint8_t head_size(const struct reader *reader)
{
    uint8_t length = reader->head[1] & 127;
    return (uint8_t)(2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + 4);
}

/* Judges the first two bytes: opcode, order, reserved bits, mask. Returns 0 or a close code. */
static int check_start(const struct reader *reader, bool deflate)
{
    uint8_t first = reader->head[0], opcode = first & 15;
    bool masked = reader->head[1] & 128, rsv1 = first & FRAME_RSV1;
    if (!masked || first & 0x30)
        return CLOSE_PROTOCOL;
    if (is_control(opcode)) /* wslay refuses those that are too long or fragmented */
        return opcode > FRAME_PONG || rsv1 ? CLOSE_PROTOCOL : 0;
    if (opcode == FRAME_CONTINUATION)
        return reader->opcode == 0 || rsv1 ? CLOSE_PROTOCOL : 0;
    if (opcode > FRAME_BINARY || reader->opcode != 0)
        return CLOSE_PROTOCOL;
    return rsv1 && !deflate ? CLOSE_PROTOCOL : 0;
}

static uint64_t announced_length(const struct reader *reader)
{
    uint8_t length = reader->head[1] & 127;
    if (length < 126)
        return length;
    uint64_t value = 0;
    for (int i = 0; i < (length == 126 ? 2 : 8); i++)
        value = value << 8 | reader->head[2 + i];
    return value;
}

/* The most payload that a message may have on the wire. Deflate with its fixed code makes noise an eighth longer. */
static size_t wire_limit(const struct readers *readers, const struct reader *reader, bool compressed)
{
    size_t limit = readers->max_message + reader->slack;
    return compressed ? limit + limit / 8 + 64 : limit;
}

/* Judges a complete head: its length, before any of the payload is waited for. Returns 0 or a close code. */
static int check_length(const struct readers *readers, struct reader *reader)
{
    uint8_t opcode = reader->head[0] & 15;
    reader->payload_left = announced_length(reader);
    if (reader->payload_left >> 63)
        return CLOSE_PROTOCOL;
    if (is_control(opcode))
        return 0;
    bool compressed = opcode == FRAME_CONTINUATION ? reader->compressed : reader->head[0] & FRAME_RSV1;
    size_t limit = wire_limit(readers, reader, compressed);
    return reader->payload_left > limit || reader->len + reader->payload_left > limit ? CLOSE_TOO_BIG : 0;
}

/* Collects the head from the input. Returns READER_BOUNDARY when it is complete and good, READER_PARTIAL, or a close
 * code as soon as one is due. */
static int read_head(const struct readers *readers, struct reader *reader, bool deflate)
{
    while (reader->head_len < 2 || reader->head_len < head_size(reader)) {
        if (reader->input.len == 0)
            return READER_PARTIAL;
        reader->head[reader->head_len++] = (uint8_t)*reader->input.data++;
        reader->input.len--;
        if (reader->head_len == 2) {
            int code = check_start(reader, deflate);
            if (code)
                return code;
        }
    }
    return reader->head_fed == 0 ? check_length(readers, reader) : READER_BOUNDARY;
}

/* ---- messages */

static void append(struct reader *reader, const uint8_t *data, size_t len)
{
    if (len == 0) /* an empty fragment: there may be no buffer yet */
        return;
    if (reader->len + len > reader->cap) {
        size_t cap = reader->cap ? 2 * reader->cap : BUFFER_FIRST;
        reader->cap = cap < reader->len + len ? reader->len + len : cap;
        reader->buffer = xrealloc(reader->buffer, reader->cap);
    }
    memcpy(reader->buffer + reader->len, data, len);
    reader->len += len;
}

/* Looks at the text that has come since the last look, so that bad text fails at once (RFC 6455, section 8.1). */
static bool text_good_so_far(struct reader *reader)
{
    if (reader->len == reader->utf8_checked) /* nothing has come, and there may be no buffer yet */
        return true;
    struct bytes fresh = {(const char *)reader->buffer + reader->utf8_checked, reader->len - reader->utf8_checked};
    if (!utf8_valid_so_far(fresh))
        return false;
    size_t end = reader->len; /* look again from the last character that may be unfinished */
    while (end > reader->utf8_checked && reader->len - end < 3 && (reader->buffer[end - 1] & 0xC0) == 0x80)
        end--;
    if (end > reader->utf8_checked && reader->buffer[end - 1] >= 0xC0)
        end--;
    reader->utf8_checked = end;
    return true;
}

static int deliver(struct readers *readers, struct reader *reader, struct bytes payload, void *ctx)
{
    bool text = reader->opcode == FRAME_TEXT;
    if (reader->compressed) {
        enum inflate_result result = deflater_inflate(readers->deflater, payload, &payload);
        if (result != INFLATE_OK)
            return result == INFLATE_TOO_BIG ? CLOSE_TOO_BIG : CLOSE_BAD_DATA;
        if (payload.len > readers->max_message + reader->slack)
            return CLOSE_TOO_BIG;
        reader->cost += payload.len;
    }
    size_t good = reader->utf8_checked;
    if (text && payload.len > good && !utf8_valid((struct bytes){payload.data + good, payload.len - good}))
        return CLOSE_BAD_DATA;
    reader->opcode = 0;
    reader->len = 0;
    reader->utf8_checked = 0;
    return readers->events->on_message(ctx, text, payload) ? 0 : READER_STOPPED;
}

/* A piece of a data frame, unmasked. Returns 0, READER_STOPPED or a close code. */
static int on_data(struct readers *readers, struct reader *reader, const struct wslay_frame_iocb *piece, void *ctx)
{
    bool frame_ends = reader->payload_left == 0;
    if (piece->opcode != FRAME_CONTINUATION && reader->opcode == 0) {
        reader->opcode = piece->opcode;
        reader->compressed = piece->rsv & WSLAY_RSV1_BIT;
        reader->len = 0;
        if (frame_ends && piece->fin) /* the common case: all of it in one piece, no copy */
            return deliver(readers, reader, (struct bytes){(const char *)piece->data, piece->data_length}, ctx);
    }
    append(reader, piece->data, piece->data_length);
    if (frame_ends && piece->fin)
        return deliver(readers, reader, (struct bytes){(const char *)reader->buffer, reader->len}, ctx);
    if (reader->opcode == FRAME_TEXT && !reader->compressed && !text_good_so_far(reader))
        return CLOSE_BAD_DATA;
    return 0;
}

static int on_close_frame(struct readers *readers, struct bytes payload, void *ctx)
{
    if (payload.len == 0)
        return readers->events->on_close(ctx, 1005, payload) ? 0 : READER_STOPPED;
    if (payload.len == 1)
        return CLOSE_PROTOCOL;
    int code = (uint8_t)payload.data[0] << 8 | (uint8_t)payload.data[1];
    struct bytes reason = {payload.data + 2, payload.len - 2};
    if (!close_code_valid(code))
        return CLOSE_PROTOCOL;
    if (!utf8_valid(reason))
        return CLOSE_BAD_DATA;
    return readers->events->on_close(ctx, code, reason) ? 0 : READER_STOPPED;
}

/* A piece of a control frame, unmasked. Returns 0, READER_STOPPED or a close code. */
static int on_control(struct readers *readers, struct reader *reader, const struct wslay_frame_iocb *piece, void *ctx)
{
    memcpy(reader->control + reader->control_len, piece->data, piece->data_length);
    reader->control_len += (uint8_t)piece->data_length;
    if (reader->payload_left)
        return 0;
    struct bytes payload = {(const char *)reader->control, reader->control_len};
    reader->control_len = 0;
    bool go_on;
    switch (piece->opcode) {
    case FRAME_CLOSE:
        return on_close_frame(readers, payload, ctx);
    case FRAME_PING:
        go_on = readers->events->on_ping(ctx, payload);
        break;
    default:
        go_on = readers->events->on_pong(ctx, payload);
    }
    return go_on ? 0 : READER_STOPPED;
}

static void park(struct reader *reader)
{
    reader->parked_len = reader->input.len;
    reader->parked = xmalloc(reader->parked_len);
    memcpy(reader->parked, reader->input.data, reader->parked_len);
}

/* Reads one piece: what is there of a head, or of a frame behind it. Returns 0 to go on, READER_PARTIAL when more input
 * is needed, READER_STOPPED or a close code. */
static int read_piece(struct readers *readers, struct reader *reader, bool deflate, void *ctx)
{
    int result = read_head(readers, reader, deflate);
    if (result != 0)
        return result;
    struct wslay_frame_iocb piece;
    ssize_t n = wslay_frame_recv(reader->wslay, &piece);
    if (n == WSLAY_ERR_WANT_READ)
        return READER_PARTIAL;
    if (n < 0) /* lengths that are not minimal, control frames that are too long or fragmented */
        return CLOSE_PROTOCOL;
    if (reader->payload_left == 0)
        reader->head_len = reader->head_fed = 0;
    reader->cost = piece.data_length + (piece.opcode == FRAME_PING ? PING_COST : PIECE_COST);
    result =
        is_control(piece.opcode) ? on_control(readers, reader, &piece, ctx) : on_data(readers, reader, &piece, ctx);
    if (result == 0 && reader->head_len == 0 && reader->opcode == 0)
        reader->deadline = 0; /* what comes next is a new message, with a time of its own */
    return result;
}

static int read_input(struct readers *readers, struct reader *reader, bool deflate, void *ctx)
{
    for (;;) {
        reader->cost = 0;
        int result = read_piece(readers, reader, deflate, ctx);
        if (result == READER_PARTIAL)
            return reader->head_len || reader->opcode ? READER_PARTIAL : READER_BOUNDARY;
        if (readers->events->spend)
            readers->events->spend(ctx, reader->cost);
        if (result != 0)
            return result;
        if (reader->input.len && readers->events->pause && readers->events->pause(ctx)) {
            park(reader);
            return READER_PAUSED;
        }
    }
}

int reader_feed(struct readers *readers, struct reader *reader, struct bytes input, bool deflate, void *ctx)
{
    reader->input = input;
    int result = read_input(readers, reader, deflate, ctx);
    charge(readers, reader, reader_held(reader));
    return result;
}

int reader_feed_parked(struct readers *readers, struct reader *reader, bool deflate, void *ctx)
{
    char *parked = reader->parked;
    struct bytes input = {parked, reader->parked_len};
    reader->parked = NULL;
    reader->parked_len = 0;
    int result = reader_feed(readers, reader, input, deflate, ctx);
    free(parked);
    return result;
}

size_t reader_held(const struct reader *reader)
{
    return sizeof *reader + WSLAY_CONTEXT + reader->cap + reader->parked_len;
}

void reader_set_slack(struct reader *reader, uint32_t bytes)
{
    reader->slack = bytes;
}

void reader_set_deadline(struct reader *reader, uint32_t deadline)
{
    reader->deadline = deadline;
}

uint32_t reader_deadline(const struct reader *reader)
{
    return reader->deadline;
}
