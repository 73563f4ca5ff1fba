/* plenum_encoding_fuzz.c -- any message and any notice as frames of plenum.v1: within the bound, one text frame,
 * strictly valid JSON and UTF-8, and the same text plain and deflated.
 *
 * The input: eight bytes that choose, then the lengths' worth of room, from, epoch and the rest as payload or value.
 * What the encodings are promised (a room's name, UTF-8 of kind t, JSON of kind d, a value's JSON) is made true first.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../../common/json_scan.h"
#include "../../common/json_text.h"
#include "../../common/names.h"
#include "../../common/utf8.h"
#include "../../gateway/protocol/frame.h"
#include "../../gateway/protocol/plenum_encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHOICES = 8, MAX_TEXT = 1 << 22 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct bytes take(struct bytes *input, size_t len)
{
    struct bytes part = {input->data, len < input->len ? len : input->len};
    input->data += part.len;
    input->len -= part.len;
    return part;
}

/* ---- reading */

static struct deflater *client;

/* The text of a frame; of a deflated one valid until the next. */
static struct bytes text_of_frame(const uint8_t *frame, size_t len)
{
    require(frame_size(frame) == len && (frame[0] & ~FRAME_RSV1) == (0x80 | FRAME_TEXT));
    size_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    struct bytes text = {(const char *)frame + head, len - head};
    if (frame[0] & FRAME_RSV1)
        require(deflater_inflate(client, text, &text) == INFLATE_OK);
    require(json_valid(text) && utf8_valid(text));
    return text;
}

/* Both encodings of a message, or of a notice where there is no message. */
static void check_frames(const struct encoding *const encodings[2], const struct envelope *envelope,
                         const struct notice *notice)
{
    uint8_t *frames[2];
    size_t lens[2];
    for (int i = 0; i < 2; i++) {
        const struct encoding *encoding = encodings[i];
        size_t bound = envelope ? encoding->bound(encoding, envelope) : encoding->notice_bound(encoding, notice);
        require(bound > 0);
        frames[i] = malloc(bound);
        lens[i] = envelope ? encoding->encode(encoding, envelope, frames[i])
                           : encoding->notice_encode(encoding, notice, frames[i]);
        require(lens[i] <= bound);
    }
    struct bytes plain = text_of_frame(frames[0], lens[0]);
    require(bytes_equal(plain, text_of_frame(frames[1], lens[1])));
    free(frames[0]);
    free(frames[1]);
}

static void check_entry(const struct envelope *envelope)
{
    size_t bound = plenum_entry_bound(envelope);
    char *entry = malloc(bound);
    size_t len = plenum_entry_write(envelope, entry);
    require(len <= bound && json_valid((struct bytes){entry, len}));
    free(entry);
}

/* ---- making the promises true */

/* JSON that is still within the scanner's depth when it stands inside of a frame. */
static bool is_value(struct bytes any)
{
    size_t open = 0;
    for (size_t i = 0; i < any.len; i++)
        open += any.data[i] == '[' || any.data[i] == '{';
    return utf8_valid(any) && json_valid(any) && open < JSON_DEPTH_MAX - 2;
}

/* any itself where it is JSON, else as a string, between begin and end. */
static struct bytes make_json(struct json_text *made, const char *begin, struct bytes any, const char *end)
{
    json_literal(made, begin);
    if (is_value(any))
        json_raw(made, any);
    else
        json_string(made, utf8_valid(any) ? any : BYTES("-"));
    json_literal(made, end);
    return json_text_bytes(made);
}

static void check_message(const struct encoding *const encodings[2], struct envelope envelope)
{
    struct json_text made = {0};
    if (envelope.kind == ENVELOPE_TEXT && !utf8_valid(envelope.payload))
        envelope.kind = ENVELOPE_BINARY; /* as envelope_decode has it */
    if (envelope.kind == ENVELOPE_JSON)
        envelope.payload = make_json(&made, "", envelope.payload, "");
    check_frames(encodings, &envelope, NULL);
    check_entry(&envelope);
    json_text_free(&made);
}

static void check_notice(const struct encoding *const encodings[2], struct notice notice, struct bytes any)
{
    struct json_text made = {0};
    if (notice.kind == NOTICE_JOINED || notice.kind == NOTICE_UPDATED)
        notice.value = any.len ? make_json(&made, "\n{ \"info\":", any, "} ") : BYTES("{}");
    if (notice.kind == NOTICE_MEMBERS)
        notice.value = make_json(&made, "[", any, "]");
    check_frames(encodings, NULL, &notice);
    json_text_free(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deflater *deflater;
    static struct plenum_encoding plain, deflated;
    static const uint64_t numbers[] = {0, 1, 1700000000000, INT64_MAX};
    static const enum envelope_kind kinds[] = {ENVELOPE_TEXT, ENVELOPE_BINARY, ENVELOPE_JSON, ENVELOPE_JSON};
    if (!deflater) {
        deflater = deflater_new(MAX_TEXT);
        client = deflater_new(MAX_TEXT);
        plenum_encoding_init(&plain, NULL);
        plenum_encoding_init(&deflated, deflater);
    }
    const struct encoding *const encodings[2] = {&plain.base, &deflated.base};
    if (size < CHOICES)
        return 0;

    struct bytes input = {(const char *)data + CHOICES, size - CHOICES};
    struct bytes room = take(&input, data[1]), from = take(&input, data[2]), epoch = take(&input, data[3]);
    if (!room_name_valid(room))
        room = BYTES("lobby");
    if (data[0] & 1)
        check_message(encodings, (struct envelope){.kind = kinds[data[4] % 4],
                                                   .seq = numbers[data[5] % 4] * 2 + 1,
                                                   .time_ms = (int64_t)numbers[data[6] % 4],
                                                   .member = data[7] % 2 ? UINT64_MAX : 0,
                                                   .from = from,
                                                   .room = room,
                                                   .payload = input});
    else
        check_notice(encodings,
                     (struct notice){.kind = (enum notice_kind)(data[4] % (NOTICE_EPOCH + 1)),
                                     .room = room,
                                     .member = numbers[data[5] % 4],
                                     .reason = from,
                                     .epoch = epoch,
                                     .count = numbers[data[6] % 4],
                                     .from = numbers[data[6] % 4] * 2 + 1,
                                     .to = numbers[data[5] % 4],
                                     .lossy = data[7] % 2},
                     input);
    return 0;
}
