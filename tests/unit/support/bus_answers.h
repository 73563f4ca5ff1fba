/* bus_answers.h -- what a bus answers to asks, written down.
 *
 * Each world_... function here asks, and returns the record of the answer: wait for its ends to become 1. Records
 * belong to the world and live until world_close. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_BUS_ANSWERS_H
#define PLENUM_TESTS_UNIT_SUPPORT_BUS_ANSWERS_H

#include "bus_world.h"

/* An entry, a gateway, a member or a field. */
struct answer_row {
    enum { ROW_ENTRY, ROW_GATEWAY, ROW_MEMBER, ROW_FIELD } kind;
    uint64_t number; /* seq, gateway or member */
    uint64_t count;  /* the gateway's members */
    char *name;      /* the field's; terminated copies */
    char *value;     /* the field's, the member's, or the entry's envelope */
    size_t len;      /* of value */
};

struct answer {
    struct bus_ask ask;
    struct bus_worker *worker;
    size_t ends, positions;
    enum bus_result result;
    struct {
        char epoch[EPOCH_MAX + 1], prev[EPOCH_MAX + 1];
        uint64_t seq, base, prevtop, pv;
        bool known;
    } position; /* the last one */
    struct answer_row *rows;
    size_t count, cap;
    /* For tests that act from inside: called at the end, when set. */
    void (*on_end)(struct answer *answer);
    struct answer *next;
};

enum { ANSWER_TAG = 4711 };

static struct answer *answer_of(void *ctx, uint64_t tag)
{
    struct answer *answer = ctx;
    world_require(tag == ANSWER_TAG && answer->ends == 0 && answer->worker->bus && !answer->worker->inside_call);
    return answer;
}

static struct answer_row *answer_row_add(struct answer *answer, int kind, uint64_t number, struct bytes value)
{
    if (answer->count == answer->cap) {
        answer->cap = answer->cap ? answer->cap * 2 : 16;
        answer->rows = xrealloc(answer->rows, answer->cap * sizeof *answer->rows);
    }
    struct answer_row *row = &answer->rows[answer->count++];
    *row = (struct answer_row){.number = number, .value = xstrndup(value.data, value.len), .len = value.len};
    row->kind = kind;
    return row;
}

static void answer_on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct answer *answer = answer_of(ctx, tag);
    answer->ends++;
    answer->result = result;
    if (answer->on_end)
        answer->on_end(answer);
}

static void answer_on_position(void *ctx, uint64_t tag, const struct bus_position *position)
{
    struct answer *answer = answer_of(ctx, tag);
    world_require(answer->count == 0); /* it comes first */
    answer->positions++;
    world_copy_epoch(answer->position.epoch, position->epoch);
    world_copy_epoch(answer->position.prev, position->prev);
    answer->position.seq = position->seq;
    answer->position.base = position->base;
    answer->position.prevtop = position->prevtop;
    answer->position.pv = position->pv;
    answer->position.known = position->known;
}

static void answer_on_entry(void *ctx, uint64_t tag, uint64_t seq, struct bytes envelope)
{
    answer_row_add(answer_of(ctx, tag), ROW_ENTRY, seq, envelope);
}

static void answer_on_gateway(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members)
{
    answer_row_add(answer_of(ctx, tag), ROW_GATEWAY, gateway, BYTES(""))->count = members;
}

static void answer_on_member(void *ctx, uint64_t tag, uint64_t member, struct bytes value)
{
    answer_row_add(answer_of(ctx, tag), ROW_MEMBER, member, value);
}

static void answer_on_field(void *ctx, uint64_t tag, struct bytes name, struct bytes value)
{
    answer_row_add(answer_of(ctx, tag), ROW_FIELD, 0, value)->name = xstrndup(name.data, name.len);
}

static const struct bus_ask_events answer_events = {
    .on_end = answer_on_end,
    .on_position = answer_on_position,
    .on_entry = answer_on_entry,
    .on_gateway = answer_on_gateway,
    .on_member = answer_on_member,
    .on_field = answer_on_field,
};

static void world_free_answers(struct bus_world *world)
{
    while (world->answers) {
        struct answer *answer = world->answers;
        world->answers = answer->next;
        for (size_t i = 0; i < answer->count; i++) {
            free(answer->rows[i].name);
            free(answer->rows[i].value);
        }
        free(answer->rows);
        free(answer);
    }
}

/* ---- asking ---- */

/* A new record; what is asked of the bus until answer_asked must not be answered from inside. */
static inline struct answer *answer_new(struct bus_worker *worker)
{
    struct answer *answer = xcalloc(1, sizeof *answer);
    answer->ask = (struct bus_ask){&answer_events, answer, ANSWER_TAG};
    answer->worker = worker;
    answer->next = worker->world->answers;
    worker->world->answers = answer;
    worker->world->free_answers = world_free_answers;
    worker->inside_call = true;
    return answer;
}

static inline struct answer *answer_asked(struct answer *answer)
{
    answer->worker->inside_call = false;
    return answer;
}

static inline struct answer *world_locate(struct bus_worker *worker, const char *room, const char *epoch, uint64_t seq)
{
    struct answer *answer = answer_new(worker);
    bus_locate(worker->bus, bytes_of(room), bytes_of(epoch), seq, &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_peek(struct bus_worker *worker, const char *room)
{
    struct answer *answer = answer_new(worker);
    bus_peek(worker->bus, bytes_of(room), &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_read(struct bus_worker *worker, const char *room, struct log_range range)
{
    struct answer *answer = answer_new(worker);
    bus_read(worker->bus, bytes_of(room), &range, &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_presence(struct bus_worker *worker, const struct presence_batch *batch)
{
    struct answer *answer = answer_new(worker);
    bus_presence(worker->bus, batch, &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_members(struct bus_worker *worker, const char *room)
{
    struct answer *answer = answer_new(worker);
    bus_members(worker->bus, bytes_of(room), &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_counts(struct bus_worker *worker, const char *room)
{
    struct answer *answer = answer_new(worker);
    bus_counts(worker->bus, bytes_of(room), &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_signal(struct bus_worker *worker, uint32_t gateway, struct bytes message)
{
    struct answer *answer = answer_new(worker);
    bus_signal(worker->bus, gateway, message, &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_command(struct bus_worker *worker, uint32_t gateway, const char *line)
{
    struct answer *answer = answer_new(worker);
    bus_command(worker->bus, gateway, bytes_of(line), &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_hash_read(struct bus_worker *worker, enum bus_hash hash, const char *room)
{
    struct answer *answer = answer_new(worker);
    bus_hash_read(worker->bus, hash, bytes_of(room), &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_hash_write(struct bus_worker *worker, enum bus_hash hash, const char *room,
                                              const char *field, const char *value)
{
    struct answer *answer = answer_new(worker);
    bus_hash_write(worker->bus, hash, bytes_of(room), bytes_of(field), bytes_of(value), &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_list_rooms(struct bus_worker *worker)
{
    struct answer *answer = answer_new(worker);
    bus_list_rooms(worker->bus, &answer->ask);
    return answer_asked(answer);
}

static inline struct answer *world_list_gateways(struct bus_worker *worker)
{
    struct answer *answer = answer_new(worker);
    bus_list_gateways(worker->bus, &answer->ask);
    return answer_asked(answer);
}

/* Waits for the end, which is to be good. */
#define answer_wait(asked)                                                                                             \
    do {                                                                                                               \
        const struct answer *waited = (asked);                                                                         \
        world_until(waited->worker->world, waited->ends == 1);                                                         \
        assert_int_equal(waited->result, BUS_OK);                                                                      \
    } while (0)

/* ---- looking ---- */

/* The nth row (from 0) of that kind, NULL when there are fewer. */
static inline const struct answer_row *answer_row(const struct answer *answer, int kind, size_t nth)
{
    for (size_t i = 0; i < answer->count; i++) {
        if ((int)answer->rows[i].kind == kind && nth-- == 0)
            return &answer->rows[i];
    }
    return NULL;
}

static inline size_t answer_rows(const struct answer *answer, int kind)
{
    size_t rows = 0;
    for (size_t i = 0; i < answer->count; i++)
        rows += (int)answer->rows[i].kind == kind;
    return rows;
}

/* The value of the field, NULL when it is not there. */
static inline const char *answer_field(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->rows[i].kind == ROW_FIELD && strcmp(answer->rows[i].name, name) == 0)
            return answer->rows[i].value;
    }
    return NULL;
}

/* How many members the gateway has, as told; -1: it was not named. */
static inline int64_t answer_members_of(const struct answer *answer, uint32_t gateway)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->rows[i].kind == ROW_GATEWAY && answer->rows[i].number == gateway)
            return (int64_t)answer->rows[i].count;
    }
    return -1;
}

#endif
