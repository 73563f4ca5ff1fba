/* log_line.c -- see log_line.h. */
#include "log_line.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "redis_command.h"

enum {
    FIRST_MESSAGES = 16,
    FIRST_TEXT = 4096,
    TEXT_KEEP = 64 << 10 /* a larger buffer is freed when it is empty */
};

/* ---- room for more ---- */

static void make_room_for_message(struct log_line *line)
{
    if (line->first + line->count < line->cap)
        return;
    if (line->first > 0 && line->first >= line->count) {
        memmove(line->messages, log_line_at(line, 0), line->count * sizeof *line->messages);
        line->first = 0;
        return;
    }
    line->cap = line->cap ? line->cap * 2 : FIRST_MESSAGES;
    line->messages = xrealloc(line->messages, line->cap * sizeof *line->messages);
}

static void make_room_for_text(struct log_line *line, size_t need)
{
    if (line->text_cap - line->text_len >= need)
        return;
    size_t held = line->text_len - line->text_at;
    if (line->text_at >= held && line->text_cap - held >= need) {
        if (held)
            memmove(line->text, line->text + line->text_at, held);
        line->text_at = 0;
        line->text_len = held;
        return;
    }
    size_t cap = line->text_cap ? line->text_cap : FIRST_TEXT;
    while (cap - line->text_len < need)
        cap *= 2;
    line->text = xrealloc(line->text, cap);
    line->text_cap = cap;
}

/* ---- the queue ---- */

void log_line_push(struct log_line *line, const struct envelope *envelope, void *ticket, uint64_t now_ms)
{
    char head[ENVELOPE_HEADER_MAX];
    size_t head_len = envelope_encode_tail(head, envelope);
    size_t payload_len = envelope->payload.len;
    make_room_for_message(line);
    make_room_for_text(line, (size_t)2 * COMMAND_OVERHEAD + envelope->key.len + head_len + payload_len);

    char *begin = line->text + line->text_len;
    char *at = redis_command_argument(begin, envelope->key);
    at = redis_command_length(at, head_len + payload_len);
    memcpy(at, head, head_len);
    at += head_len;
    if (payload_len)
        memcpy(at, envelope->payload.data, payload_len);
    at = redis_command_end(at + payload_len);

    *log_line_at(line, line->count++) = (struct log_message){ticket, now_ms, (uint32_t)(at - begin)};
    line->text_len += (size_t)(at - begin);
}

void log_line_begin_batch(struct log_line *line, uint64_t number, uint32_t gateway, uint64_t now_ms)
{
    assert(line->count > 0 && line->batch.number == 0);
    struct log_batch batch = {.number = number, .gateway = gateway, .sent_ms = now_ms};
    while (batch.count < line->count && batch.count < BATCH_MESSAGES) {
        uint32_t size = log_line_at(line, batch.count)->size;
        if (batch.count > 0 && batch.size + size > BATCH_BYTES)
            break;
        batch.count++;
        batch.size += size;
        if (size > batch.largest)
            batch.largest = size;
    }
    line->batch = batch;
}

struct bytes log_line_batch_text(const struct log_line *line)
{
    return (struct bytes){line->text + line->text_at, line->batch.size};
}

void log_line_drop(struct log_line *line, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        line->text_at += log_line_at(line, i)->size;
    line->first += count;
    line->count -= count;
    line->batch = (struct log_batch){0};
    if (line->count > 0)
        return;
    line->first = 0;
    line->text_at = line->text_len = 0;
    if (line->text_cap > TEXT_KEEP) {
        free(line->text);
        line->text = NULL;
        line->text_cap = 0;
    }
}

void log_line_close(struct log_line *line)
{
    free(line->messages);
    free(line->text);
}
