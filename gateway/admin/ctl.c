/* ctl.c -- see ctl.h. */
#include "ctl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "../counters.h"
#include "ctl_parse.h"

enum { ANSWER_MAX = 512, FIELD_MAX = ROOM_NAME_MAX + 1 + CTL_USER_MAX };

/* A command that has written a hash and waits for the bus to say so. */
struct ctl_job {
    struct ctl *ctl;
    struct ctl_command command;
    struct ctl_job *next, **at; /* ctl->jobs */
};

void ctl_init(struct ctl *ctl, struct rooms *rooms, void (*drain)(void *ctx, double over_s), void *ctx)
{
    *ctl = (struct ctl){.rooms = rooms, .drain = drain, .ctx = ctx};
}

static void job_free(struct ctl_job *job)
{
    *job->at = job->next;
    if (job->next)
        job->next->at = job->at;
    free(job);
}

void ctl_close(struct ctl *ctl)
{
    for (struct ctl_job *job = ctl->jobs, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    ctl->jobs = NULL;
}

/* ---- answers */

static void answer(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "<gateway> " and what stands in format. */
static void answer(struct ctl *ctl, const char *format, ...)
{
    char text[ANSWER_MAX];
    va_list arguments;
    int head = snprintf(text, sizeof text, "%08" PRIx32 " ", ctl->rooms->bus->gateway);
    va_start(arguments, format);
    int len = head + vsnprintf(text + head, sizeof text - (size_t)head, format, arguments);
    va_end(arguments);
    bus_answer(ctl->rooms->bus, (struct bytes){text, len < ANSWER_MAX ? (size_t)len : ANSWER_MAX - 1});
}

/* "<gateway> <verb> room=<room> " and what was done. */
static void answer_done(struct ctl *ctl, const struct ctl_command *command, const char *what, uint32_t count)
{
    char figure[16] = "";
    if (what[strlen(what) - 1] == '=')
        snprintf(figure, sizeof figure, "%" PRIu32, count);
    answer(ctl, "%s room=%.*s %s%s", ctl_verb_name(command->verb), (int)command->room_len, command->room, what, figure);
}

/* ---- commands that are done at once */

/* Nobody in particular (end) is everyone. */
static struct whom whom_of(const struct ctl_command *command)
{
    struct whom whom = {.member = command->member};
    if (command->user_len)
        whom.user = ctl_user(command);
    return whom;
}

static uint32_t kick(struct ctl *ctl, const struct ctl_command *command, const char *reason)
{
    struct whom whom = whom_of(command);
    return rooms_kick(ctl->rooms, ctl_room(command), &whom, reason);
}

static void mute(struct ctl *ctl, const struct ctl_command *command)
{
    struct whom whom = whom_of(command);
    bool muted = command->verb == CTL_MUTE;
    uint32_t changed = rooms_mute(ctl->rooms, ctl_room(command), &whom, muted);
    answer_done(ctl, command, muted ? "muted=" : "unmuted=", changed);
}

static void count(struct ctl *ctl, const struct ctl_command *command)
{
    if (command->room_len)
        answer_done(ctl, command, "members=", rooms_count(ctl->rooms, ctl_room(command)));
    else
        answer(ctl, "count members=%" PRIu64 " rooms=%" PRIu64, counter_get(ctl->rooms->counters, GAUGE_MEMBERS),
               counter_get(ctl->rooms->counters, GAUGE_ROOMS));
}

static void drain(struct ctl *ctl, const struct ctl_command *command)
{
    answer(ctl, "drain draining");
    ctl->drain(ctl->ctx, (double)command->seconds);
}

/* ---- commands that write a hash first */

static void on_written(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct ctl_job *job = ctx;
    struct ctl *ctl = job->ctl;
    const struct ctl_command *command = &job->command;
    uint32_t kicked = 0;
    if (command->verb == CTL_LOCK || command->verb == CTL_UNLOCK)
        rooms_state_changed(ctl->rooms, ctl_room(command));
    else
        rooms_bans_changed(ctl->rooms);
    if (command->verb == CTL_BAN)
        kicked = kick(ctl, command, "banned");
    if (result != BUS_OK)
        answer(ctl, "error %s room=%.*s could not be written: Redis %s; kicked=%" PRIu32, ctl_verb_name(command->verb),
               (int)command->room_len, command->room, result == BUS_LOST ? "does not answer" : "refuses it", kicked);
    else
        answer_done(ctl, command, command->verb == CTL_BAN ? "kicked=" : "done", kicked);
    job_free(job);
}

/* The value of a ban: until when, in ms; 0: for good. */
static size_t until_of(struct ctl *ctl, const struct ctl_command *command, char out[24])
{
    int64_t until = command->seconds < 0 ? 0 : clock_wall_ms(ctl->rooms->env->clock) + command->seconds * 1000;
    return (size_t)snprintf(out, 24, "%" PRId64, until);
}

static void write_hash(struct ctl *ctl, const struct ctl_command *command)
{
    static const struct bus_ask_events events = {.on_end = on_written};
    struct ctl_job *job = xmalloc(sizeof *job);
    *job = (struct ctl_job){.ctl = ctl, .command = *command, .next = ctl->jobs, .at = &ctl->jobs};
    if (ctl->jobs)
        ctl->jobs->at = &job->next;
    ctl->jobs = job;

    struct bus_ask ask = {&events, job, 0};
    struct bytes room = ctl_room(command), user = ctl_user(command), value = {"", 0};
    char field[FIELD_MAX], until[24];
    if (command->verb == CTL_LOCK || command->verb == CTL_UNLOCK) {
        value = command->verb == CTL_LOCK ? BYTES("1") : value;
        bus_hash_write(ctl->rooms->bus, BUS_STATE, room, BYTES("lock"), value, &ask);
        return;
    }
    if (command->verb == CTL_BAN)
        value = (struct bytes){until, until_of(ctl, command, until)};
    memcpy(field, room.data, room.len);
    field[room.len] = ' ';
    memcpy(field + room.len + 1, user.data, user.len);
    bus_hash_write(ctl->rooms->bus, BUS_BANS, room, (struct bytes){field, room.len + 1 + user.len}, value, &ask);
}

void ctl_run(struct ctl *ctl, struct bytes line)
{
    struct ctl_command command;
    const char *wrong = ctl_parse(line, &command);
    if (wrong) {
        answer(ctl, "error %s", wrong);
        return;
    }
    switch (command.verb) {
    case CTL_KICK:
        answer_done(ctl, &command, "kicked=", kick(ctl, &command, "kicked"));
        break;
    case CTL_END:
        answer_done(ctl, &command, "kicked=", kick(ctl, &command, "ended"));
        break;
    case CTL_MUTE:
    case CTL_UNMUTE:
        mute(ctl, &command);
        break;
    case CTL_COUNT:
        count(ctl, &command);
        break;
    case CTL_DRAIN:
        drain(ctl, &command);
        break;
    default:
        write_hash(ctl, &command);
    }
}
