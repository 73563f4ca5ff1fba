/* local_answers.c -- see local_answers.h. */
#include "local_answers.h"

#include <stdlib.h>

enum kind {
    ANSWER_END,
    ANSWER_POSITION,
    ANSWER_ENTRY,
    ANSWER_GATEWAY,
    ANSWER_MEMBER,
    ANSWER_FIELD,
    ANSWER_PUBLISHED,
    ANSWER_FAILED
};

/* In the list: this, then the two runs of bytes. */
struct answer {
    struct bus_ask ask;
    enum kind kind;
    uint32_t name_len, value_len;
    uint64_t number, count; /* as the kind has it */
    void *ticket;
};

/* The value of a position. */
struct position {
    char epoch[EPOCH_DIGITS], prev[EPOCH_DIGITS];
    struct bus_position base; /* its texts to be pointed at the two above */
};

static const struct bytes nothing = {NULL, 0};

static void add(struct local_answers *answers, struct answer answer, struct bytes name, struct bytes value)
{
    answer.name_len = (uint32_t)name.len;
    answer.value_len = (uint32_t)value.len;
    char *at = local_buffer_add(&answers->list, sizeof answer + name.len + value.len);
    memcpy(at, &answer, sizeof answer);
    at += sizeof answer;
    if (name.len)
        memcpy(at, name.data, name.len);
    if (value.len)
        memcpy(at + name.len, value.data, value.len);
}

void local_answers_end(struct local_answers *answers, const struct bus_ask *ask, enum bus_result result)
{
    add(answers, (struct answer){.ask = *ask, .kind = ANSWER_END, .number = result}, nothing, nothing);
}

void local_answers_position(struct local_answers *answers, const struct bus_ask *ask, const struct local_room *room,
                            bool known)
{
    struct position position = {.base = {.known = known}};
    if (room) {
        const struct local_log *log = &room->log;
        local_log_epoch_name(log->epoch, position.epoch);
        local_log_epoch_name(log->prev, position.prev);
        position.base.epoch.len = log->epoch ? EPOCH_DIGITS : 0;
        position.base.prev.len = log->prev ? EPOCH_DIGITS : 0;
        position.base.seq = log->seq;
        position.base.base = log->base;
        position.base.prevtop = log->prevtop;
        position.base.pv = room->pv;
    }
    add(answers, (struct answer){.ask = *ask, .kind = ANSWER_POSITION}, nothing,
        (struct bytes){(const char *)&position, sizeof position});
}

void local_answers_entry(struct local_answers *answers, const struct bus_ask *ask, uint64_t seq, struct bytes envelope)
{
    add(answers, (struct answer){.ask = *ask, .kind = ANSWER_ENTRY, .number = seq}, nothing, envelope);
}

void local_answers_gateway(struct local_answers *answers, const struct bus_ask *ask, uint32_t gateway, uint64_t members)
{
    add(answers, (struct answer){.ask = *ask, .kind = ANSWER_GATEWAY, .number = gateway, .count = members}, nothing,
        nothing);
}

void local_answers_member(struct local_answers *answers, const struct bus_ask *ask, uint64_t member, struct bytes value)
{
    add(answers, (struct answer){.ask = *ask, .kind = ANSWER_MEMBER, .number = member}, nothing, value);
}

void local_answers_field(struct local_answers *answers, const struct bus_ask *ask, struct bytes name,
                         struct bytes value)
{
    add(answers, (struct answer){.ask = *ask, .kind = ANSWER_FIELD}, name, value);
}

void local_answers_published(struct local_answers *answers, void *ticket, uint64_t epoch, uint64_t seq, bool duplicate)
{
    char name[EPOCH_DIGITS];
    local_log_epoch_name(epoch, name);
    add(answers, (struct answer){.kind = ANSWER_PUBLISHED, .number = seq, .count = duplicate, .ticket = ticket},
        nothing, (struct bytes){name, epoch ? sizeof name : 0});
}

void local_answers_failed(struct local_answers *answers, void *ticket, enum bus_failure failure)
{
    add(answers, (struct answer){.kind = ANSWER_FAILED, .number = failure, .ticket = ticket}, nothing, nothing);
}

/* ---- telling ---- */

static void tell_position(const struct bus_ask *ask, struct bytes value)
{
    struct position position;
    memcpy(&position, value.data, sizeof position);
    position.base.epoch.data = position.epoch;
    position.base.prev.data = position.prev;
    ask->events->on_position(ask->ctx, ask->tag, &position.base);
}

/* An asker leaves out what it has no use for. */
static void tell_asker(const struct answer *answer, struct bytes name, struct bytes value)
{
    const struct bus_ask *ask = &answer->ask;
    const struct bus_ask_events *events = ask->events;
    if (answer->kind == ANSWER_END)
        events->on_end(ask->ctx, ask->tag, (enum bus_result)answer->number);
    else if (answer->kind == ANSWER_POSITION && events->on_position)
        tell_position(ask, value);
    else if (answer->kind == ANSWER_ENTRY && events->on_entry)
        events->on_entry(ask->ctx, ask->tag, answer->number, value);
    else if (answer->kind == ANSWER_GATEWAY && events->on_gateway)
        events->on_gateway(ask->ctx, ask->tag, (uint32_t)answer->number, answer->count);
    else if (answer->kind == ANSWER_MEMBER && events->on_member)
        events->on_member(ask->ctx, ask->tag, answer->number, value);
    else if (answer->kind == ANSWER_FIELD && events->on_field)
        events->on_field(ask->ctx, ask->tag, name, value);
}

static void tell(const struct answer *answer, const struct bus *bus)
{
    struct bytes name = {(const char *)(answer + 1), answer->name_len};
    struct bytes value = {name.data + name.len, answer->value_len};
    if (answer->kind == ANSWER_PUBLISHED)
        bus->events->on_published(bus->ctx, answer->ticket, value, answer->number, answer->count != 0);
    else if (answer->kind == ANSWER_FAILED)
        bus->events->on_publish_failed(bus->ctx, answer->ticket, (enum bus_failure)answer->number);
    else
        tell_asker(answer, name, value);
}

void local_answers_tell(struct local_answers *answers, const struct bus *bus, const bool *closed)
{
    struct local_buffer telling = answers->list;
    answers->list = answers->telling;
    answers->telling = telling;
    for (size_t at = 0; at < telling.len && !*closed;) {
        const struct answer *answer = (const struct answer *)(telling.data + at);
        tell(answer, bus);
        at += local_padded(sizeof *answer + answer->name_len + answer->value_len);
    }
    local_buffer_clear(&answers->telling);
}

void local_answers_close(struct local_answers *answers)
{
    free(answers->list.data);
    free(answers->telling.data);
    *answers = (struct local_answers){0};
}
