/* redis_log.c -- see redis_log.h. */
#include "redis_log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/ablation.h"
#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "log_line.h"
#include "redis_command.h"
#include "redis_position.h"

enum {
    DEADLINE_MS = 2000, /* to be sent, and again for the answer */
    SPARE_LINES = 64,
    HEAD_MAX = 8 * NAME_BUFFER, /* the arguments before the messages: five names, and ten short ones */
    HEAD_ARGUMENTS = 17,
    ENVELOPE_FRONT = 40, /* "p1 <seq> <epoch> ", which the script puts before each message */
    LOADS_MAX = 3        /* a server that never knows the script will not let us load it */
};

#define META_TTL_MS  "86400000" /* longer than any log lives */
#define KEY_WINDOW_S "60"

/* ---- lines ---- */

static struct log_line *line_new(struct redis_log *log)
{
    struct log_line *line = log->spare;
    if (!line)
        return xcalloc(1, sizeof *line);
    log->spare = line->next;
    log->spares--;
    return line;
}

static struct log_line *line_of(struct redis_log *log, struct bytes room)
{
    struct log_line *line;
    unsigned hash = (unsigned)siphash13(log->hash_key, room.data, room.len);
    HASH_FIND_BYHASHVALUE(hh, log->by_room, room.data, room.len, hash, line);
    if (line)
        return line;
    line = line_new(log);
    line->log = log;
    line->next = NULL;
    line->room_len = (uint8_t)room.len;
    memcpy(line->room, room.data, room.len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, log->by_room, line->room, room.len, hash, line);
    return line;
}

static void make_ready(struct log_line *line)
{
    struct redis_log *log = line->log;
    if (line->ready)
        return;
    line->ready = true;
    line->next = NULL;
    if (log->ready)
        log->last_ready->next = line;
    else
        log->ready = line;
    log->last_ready = line;
}

/* Something has ended: what is next for the line? */
static void line_go_on(struct log_line *line)
{
    struct redis_log *log = line->log;
    if (line->batch.number) {
        if (!line->batch.asked)
            make_ready(line);
    } else if (line->count > 0) {
        make_ready(line);
    } else if (line->asks == 0 && !line->ready) {
        HASH_DEL(log->by_room, line); /* NOLINT(clang-analyzer-core.NullDereference): it is in the table */
        if (log->spares == SPARE_LINES) {
            log_line_close(line);
            free(line);
            return;
        }
        line->next = log->spare;
        log->spare = line;
        log->spares++;
    }
}

/* ---- telling ---- */

static void tell_published(struct log_line *line, struct bytes epoch, uint64_t seq, bool duplicate)
{
    struct redis_log *log = line->log;
    struct log_message message = *log_line_at(line, line->batch.told++); /* publishing from inside moves them */
    redis_commander_discharge(log->common->commander, message.size);
    log->events->on_published(log->ctx, message.ticket, epoch, seq, duplicate);
}

static void tell_failed(struct redis_log *log, struct log_message message, enum bus_failure failure)
{
    redis_commander_discharge(log->common->commander, message.size);
    log->events->on_publish_failed(log->ctx, message.ticket, failure);
}

/* Ends the batch; what was not told of it has failed. */
static void end_batch(struct log_line *line, enum bus_failure failure)
{
    while (line->batch.told < line->batch.count)
        tell_failed(line->log, *log_line_at(line, line->batch.told++), failure);
    log_line_drop(line, line->batch.count);
}

/* ---- answers ---- */

static struct bytes next_word(struct bytes *text)
{
    const char *space = text->len ? memchr(text->data, ' ', text->len) : NULL;
    struct bytes word = {text->data, space ? (size_t)(space - text->data) : text->len};
    size_t used = word.len + (space ? 1 : 0);
    *text = (struct bytes){text->data + used, text->len - used};
    return word;
}

/* "<epoch> <gen> <seq>[d] ...". Stops where it is not that; the messages without an answer are uncertain then. */
static void read_results(struct log_line *line, struct bytes text)
{
    struct redis_common *common = line->log->common;
    struct bytes epoch = next_word(&text);
    struct bytes gen = next_word(&text);
    if (epoch.len == 0 || epoch.len > EPOCH_MAX || gen.len == 0)
        return;
    if (!line->batch.repeated) /* else it may be an old answer, and an old gen */
        common->on_gen(common->ctx, gen);
    while (line->batch.told < line->batch.count) {
        struct bytes word = next_word(&text);
        bool duplicate = word.len > 0 && word.data[word.len - 1] == 'd';
        uint64_t seq;
        if (!redis_number_read((struct bytes){word.data, word.len - duplicate}, &seq))
            return;
        tell_published(line, epoch, seq, duplicate);
    }
}

/* Answers to a batch that was given up are for nobody. */
static bool is_under_way(const struct log_line *line, uint64_t number)
{
    return line->batch.asked && line->batch.number == number;
}

/* The script's word on a batch that was asked for by its number only. */
static bool is_lost(const struct resp_value *value)
{
    static const char word[] = "LOST ";
    return value->type == RESP_ERROR && value->text.len >= sizeof word - 1 &&
           memcmp(value->text.data, word, sizeof word - 1) == 0;
}

static void on_value(void *ctx, uint64_t number, const struct resp_value *value)
{
    struct log_line *line = ctx;
    if (!is_under_way(line, number))
        return;
    line->batch.lost = is_lost(value);
    if (line->batch.lost)
        return; /* it stood there, and is gone: what is not known to have come is uncertain */
    if (value->type == RESP_STRING && value->depth == 0)
        read_results(line, value->text);
    else if (redis_scripts_forgotten(value) && line->batch.loads < LOADS_MAX)
        line->batch.forgotten = line->log->scripts_lost = true;
    else if (value->type == RESP_ERROR)
        redis_log_refusal(line->log->common, "a publish", value->text);
}

static void on_end(void *ctx, uint64_t number, enum redis_end end)
{
    struct log_line *line = ctx;
    line->asks--;
    if (is_under_way(line, number)) {
        line->batch.asked = false;
        if (end == REDIS_ANSWERED || line->batch.lost)
            end_batch(line, BUS_UNCERTAIN);
        else if (line->batch.forgotten)
            line->batch.loads++;
        else if (end == REDIS_REFUSED)
            end_batch(line, BUS_REFUSED);
        line->batch.forgotten = false;
    }
    line_go_on(line);
}

/* ---- sending ---- */

static char *put_text(char *at, const char *text)
{
    return redis_command_argument(at, bytes_of(text));
}

static char *put_number(char *at, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return put_text(at, text);
}

static char *put_names(char *at, const struct redis_common *common, struct bytes room)
{
    static const enum room_key last[] = {ROOM_KEYS_EVEN, ROOM_KEYS_ODD};
    char name[NAME_BUFFER];
    at = redis_command_argument(at, (struct bytes){name, name_room_key(name, common->prefix, room, ROOM_META)});
    at = redis_command_argument(at, (struct bytes){name, name_room_key(name, common->prefix, room, ROOM_HISTORY)});
    at = redis_command_argument(at, (struct bytes){name, name_room_channel(name, common->prefix, room)});
    for (int i = 0; i < 2; i++)
        at = redis_command_argument(at, (struct bytes){name, name_room_key(name, common->prefix, room, last[i])});
    return at;
}

/* How many entries the log is to keep: fewer when the messages are large. */
static uint32_t log_size(const struct log_line *line)
{
    uint32_t size = line->rule.size;
    uint32_t fit = line->rule.bytes / (line->batch.largest + ENVELOPE_FRONT);
    if (fit < size)
        size = fit;
    return size > 0 ? size : 1;
}

/* What stands before the messages. The epoch is there in case that a new one is due: another one with each batch. */
static char *put_head(char *at, const struct log_line *line)
{
    const struct redis_log *log = line->log;
    const struct redis_common *common = log->common;
    const struct log_batch *batch = &line->batch;
    char epoch[24], gateway[12], number[40];
    snprintf(epoch, sizeof epoch, "%016" PRIx64, siphash13(log->hash_key, &batch->number, sizeof batch->number));
    snprintf(gateway, sizeof gateway, "%08" PRIx32, batch->gateway);
    snprintf(number, sizeof number, "%016" PRIx64 ".%" PRIu64, log->life, batch->number);
    at = redis_command_count(at, HEAD_ARGUMENTS + 2 * (size_t)batch->count);
    at = put_text(at, "EVALSHA");
    at = put_text(at, common->scripts->sha[SCRIPT_APPEND]);
    at = put_text(at, "5");
    at = put_names(at, common, (struct bytes){line->room, line->room_len});
    at = put_text(at, batch->came ? "" : "PUBLISH");
    at = put_number(at, log_size(line));
    at = put_number(at, (uint64_t)line->rule.ttl_s * 1000);
    at = put_text(at, META_TTL_MS);
    at = put_text(at, KEY_WINDOW_S);
    at = put_text(at, common->gen);
    at = put_text(at, epoch);
    at = put_text(at, gateway);
    return put_text(at, number);
}

static void send_batch(struct log_line *line)
{
    static const struct redis_ask_events events = {on_value, on_end};
    struct redis_log *log = line->log;
    if (line->batch.repeated && ablated("fresh-batch"))
        line->batch.number = ++log->batches;
    char head[HEAD_MAX];
    size_t head_len = (size_t)(put_head(head, line) - head);
    assert(head_len <= sizeof head);
    struct bytes text = log_line_batch_text(line);
    char *command = xmalloc(head_len + text.len);
    memcpy(command, head, head_len);
    memcpy(command + head_len, text.data, text.len);
    line->batch.asked = true;
    line->asks++;
    redis_commander_ask_ready(log->common->commander, command, head_len + text.len, &events, line, line->batch.number);
}

/* Has one of them come by as a message? Then they stood in the log, all of them. */
static bool has_come(const struct log_line *line)
{
    const struct redis_log *log = line->log;
    bool come = false;
    for (uint32_t i = 0; log->events->has_come && i < line->batch.count && !come; i++)
        come = log->events->has_come(log->ctx, log_line_at(line, i)->ticket);
    return come;
}

static void send_again(struct log_line *line)
{
    line->batch.repeated = true;
    line->batch.came = !ablated("fresh-batch") && (line->batch.came || has_come(line));
    send_batch(line);
}

void redis_log_flush(struct redis_log *log)
{
    if (!log->ready || !redis_link_up(&log->common->commander->link))
        return;
    if (log->scripts_lost)
        redis_scripts_load(log->common->scripts, log->common->commander);
    log->scripts_lost = false;
    uint64_t now_ms = clock_ms(log->common->env->clock);
    while (log->ready) {
        struct log_line *line = log->ready;
        log->ready = line->next;
        line->ready = false;
        if (line->batch.number) {
            send_again(line);
        } else if (line->count > 0) {
            log_line_begin_batch(line, ++log->batches, log->common->gateway, now_ms);
            send_batch(line);
        } else {
            line_go_on(line);
        }
    }
}

size_t redis_log_publish(struct redis_log *log, struct bytes room, const struct log_rule *rule,
                         const struct envelope *envelope, void *ticket)
{
    struct log_line *line = line_of(log, room);
    line->rule = *rule;
    log_line_push(line, envelope, ticket, clock_ms(log->common->env->clock));
    if (!line->batch.number)
        make_ready(line);
    size_t size = log_line_at(line, line->count - 1)->size;
    redis_commander_charge(log->common->commander, size);
    return size;
}

/* ---- deadlines ---- */

/* Only what waits behind no batch: a room's ends are told in order. */
static void fail_unsent(struct log_line *line, uint64_t now_ms)
{
    while (line->count > 0 && now_ms - log_line_at(line, 0)->queued_ms >= DEADLINE_MS) {
        struct log_message message = *log_line_at(line, 0);
        log_line_drop(line, 1);
        tell_failed(line->log, message, BUS_UNAVAILABLE);
    }
}

void redis_log_tick(struct redis_log *log, uint64_t now_ms)
{
    struct log_line *line, *next;
    HASH_ITER(hh, log->by_room, line, next)
    {
        if (line->batch.number && now_ms - line->batch.sent_ms >= DEADLINE_MS)
            end_batch(line, BUS_UNCERTAIN);
        if (!line->batch.number)
            fail_unsent(line, now_ms);
        line_go_on(line);
    }
}

/* ---- life ---- */

void redis_log_init(struct redis_log *log, struct redis_common *common, const struct redis_log_events *events,
                    void *ctx)
{
    *log = (struct redis_log){.common = common, .events = events, .ctx = ctx};
    log->hash_key[0] = random_u64(common->env->random);
    log->hash_key[1] = random_u64(common->env->random);
    log->life = random_u64(common->env->random);
}

void redis_log_close(struct redis_log *log)
{
    struct log_line *line = log->by_room;
    HASH_CLEAR(hh, log->by_room); /* frees the table, and leaves the lines and their order */
    while (line) {
        struct log_line *next = line->hh.next;
        log_line_close(line);
        free(line);
        line = next;
    }
    while (log->spare) {
        line = log->spare;
        log->spare = line->next;
        log_line_close(line);
        free(line);
    }
}
