/* redis_beat.c -- see redis_beat.h. */
#include "redis_beat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/names.h"

enum { BEAT_EVERY_MS = 3000 };
#define LIFETIME_MS "15000"

static struct bytes prefix_of(const struct redis_beat *beat)
{
    return bytes_of(beat->options->prefix);
}

static void call(struct redis_beat *beat, int argc, const char **argv, redis_answer_fn on_answer)
{
    redis_commander_call(beat->commander, argc, argv, on_answer, beat);
}

/* ---- claim ---- */

static void claim(struct redis_beat *beat);
static void on_time(void *ctx, const struct resp_value *value);

static uint32_t random_gateway(const struct redis_beat *beat)
{
    uint32_t gateway;
    do
        gateway = random_u32(beat->env->random);
    while (gateway == 0); /* a member id of 0 means nobody */
    return gateway;
}

static void on_claim_answer(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    if (value->type != RESP_ERROR)
        return;
    log_event(beat->env->log, LOG_ERROR, "redis refuses the gateway's entry", log_bytes("error", value->text));
    redis_link_drop(&beat->commander->link, REDIS_LOST_ERROR, "NOPERM for the gateway's entry");
}

static void on_entry(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    beat->entry_new = value->type == RESP_INTEGER && value->number == 1;
    on_claim_answer(ctx, value);
}

static void tell_claimed(struct redis_beat *beat)
{
    bool forgotten = beat->held && (beat->entry_new || beat->changed || beat->held != beat->gateway);
    beat->claimed = true;
    beat->held = beat->gateway;
    beat->beat_ms = clock_ms(beat->env->clock); /* the first one has just been sent */
    beat->beaten = beat->beaten && !forgotten;
    beat->events->on_claimed(beat->ctx);
    if (forgotten)
        beat->events->on_forgotten(beat->ctx);
}

static void on_claimant(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    if (value->type == RESP_ERROR) {
        on_claim_answer(ctx, value);
        return;
    }
    if (value->type != RESP_STRING || !bytes_equal(value->text, bytes_of(beat->nonce))) {
        uint32_t taken = beat->gateway;
        beat->gateway = random_gateway(beat);
        char old[12], new[12];
        snprintf(old, sizeof old, "%08" PRIx32, taken);
        snprintf(new, sizeof new, "%08" PRIx32, beat->gateway);
        log_event(beat->env->log, LOG_WARN, "gateway id was taken", log_text("taken", old), log_text("gateway", new));
        claim(beat);
        return;
    }
    beat->owned = true;
    call(beat, 1, (const char *[]){"TIME"}, on_time);
}

/* HSETNX is the claim; whose it is, HGET tells. They travel together. After a reconnect the id is still ours, or
 * expired and ours again. No MULTI: the rights that a gateway is given need not have it. */
static void claim(struct redis_beat *beat)
{
    char key[NAME_BUFFER];
    name_gateway(key, prefix_of(beat), beat->gateway);
    call(beat, 4, (const char *[]){"HSETNX", key, "claim", beat->nonce}, on_entry);
    call(beat, 3, (const char *[]){"PEXPIRE", key, LIFETIME_MS}, on_claim_answer);
    call(beat, 3, (const char *[]){"HGET", key, "claim"}, on_claimant);
}

/* ---- beat ---- */

static void on_beat_answer(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    if (value->type != RESP_ERROR || beat->complained)
        return;
    beat->complained = true;
    log_event(beat->env->log, LOG_WARN, "redis refuses the gateway's beat", log_bytes("error", value->text));
}

/* A beat that is new in plenum:gws and is not the first: somebody has taken ours out, or all is gone. */
static void on_beat_stands(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    on_beat_answer(ctx, value);
    if (value->type != RESP_INTEGER)
        return;
    bool forgotten = beat->beaten && value->number == 1;
    beat->beaten = true;
    if (forgotten && beat->claimed)
        beat->events->on_forgotten(beat->ctx);
}

static void on_info(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    struct bytes replid = {NULL, 0};
    if (value->type == RESP_STRING)
        replid = redis_info_field(value->text, "master_replid");
    beat->events->on_gen(beat->ctx, replid);
}

typedef char number_text[24];

static const char *print_number(number_text out, uint64_t value)
{
    snprintf(out, sizeof(number_text), "%" PRIu64, value);
    return out;
}

static uint64_t rate(uint64_t total, uint64_t before, uint64_t elapsed_ms)
{
    return elapsed_ms && total > before ? (total - before) * 1000 / elapsed_ms : 0;
}

static void send_report(struct redis_beat *beat)
{
    uint64_t now_ms = clock_ms(beat->env->clock);
    uint64_t elapsed_ms = beat->report_ms ? now_ms - beat->report_ms : 0;
    struct gateway_report before = beat->report;
    struct gateway_report report = {0};
    beat->options->report(beat->report_ctx, &report);
    beat->report = report;
    beat->report_ms = now_ms;

    char key[NAME_BUFFER];
    name_gateway(key, prefix_of(beat), beat->gateway);
    number_text connections, rooms, members, in, out, started;
    const char *argv[] = {
        "HSET",        key,
        "pod",         report.pod,
        "address",     report.address,
        "version",     report.version,
        "state",       report.state,
        "connections", print_number(connections, report.connections),
        "rooms",       print_number(rooms, report.rooms),
        "members",     print_number(members, report.members),
        "in_per_s",    print_number(in, rate(report.messages_in, before.messages_in, elapsed_ms)),
        "out_per_s",   print_number(out, rate(report.messages_out, before.messages_out, elapsed_ms)),
        "started",     print_number(started, (uint64_t)report.started_ms),
    };
    call(beat, 4, (const char *[]){"HSETNX", key, "claim", beat->nonce}, on_beat_answer);
    call(beat, sizeof argv / sizeof *argv, argv, on_beat_answer);
    call(beat, 3, (const char *[]){"PEXPIRE", key, LIFETIME_MS}, on_beat_answer);
}

static void send_beat(struct redis_beat *beat, uint64_t redis_ms)
{
    char gateways[NAME_BUFFER];
    name_gateways(gateways, prefix_of(beat));
    char gateway[12];
    snprintf(gateway, sizeof gateway, "%08" PRIx32, beat->gateway);
    number_text score;
    print_number(score, redis_ms);
    call(beat, 4, (const char *[]){"ZADD", gateways, score, gateway}, on_beat_stands);
    send_report(beat);
}

/* Members may come only once the first beat stands before them in the connection: a gateway that is killed without one
 * would be reaped by nobody. */
static void begin(struct redis_beat *beat)
{
    if (beat->owned && !beat->claimed)
        tell_claimed(beat);
}

/* The answer of TIME: seconds, microseconds. Redis' clock, as it is one for all gateways. */
static void on_time(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    if (value->type == RESP_ERROR) {
        on_beat_answer(beat, value);
        begin(beat);
    }
    if (value->type != RESP_STRING || value->depth != 1 || value->text.len >= sizeof beat->seconds)
        return;
    char digits[sizeof beat->seconds];
    snprintf(digits, sizeof digits, "%.*s", (int)value->text.len, value->text.data);
    if (value->index == 0) {
        memcpy(beat->seconds, digits, sizeof digits);
        return;
    }
    send_beat(beat, strtoull(beat->seconds, NULL, 10) * 1000 + strtoull(digits, NULL, 10) / 1000);
    begin(beat);
}

void redis_beat_tick(struct redis_beat *beat, uint64_t now_ms)
{
    if (!beat->claimed || (beat->beat_ms && now_ms - beat->beat_ms < BEAT_EVERY_MS))
        return;
    beat->beat_ms = now_ms ? now_ms : 1;
    call(beat, 1, (const char *[]){"TIME"}, on_time);
    call(beat, 2, (const char *[]){"INFO", "replication"}, on_info);
}

/* ---- life ---- */

void redis_beat_init(struct redis_beat *beat, const struct env *env, const struct redis_bus_options *options,
                     void *report_ctx, struct redis_commander *commander, const struct redis_beat_events *events,
                     void *ctx)
{
    *beat = (struct redis_beat){
        .env = env, .options = options, .report_ctx = report_ctx, .commander = commander, .events = events, .ctx = ctx};
    beat->gateway = random_gateway(beat);
    snprintf(beat->nonce, sizeof beat->nonce, "%016" PRIx64, random_u64(env->random));
}

void redis_beat_up(struct redis_beat *beat, bool changed)
{
    beat->changed = changed;
    beat->complained = false;
    claim(beat);
}

void redis_beat_down(struct redis_beat *beat)
{
    beat->owned = beat->claimed = false;
}

/* The number of rooms in which this gateway still has members told. */
static void on_rooms_left(void *ctx, const struct resp_value *value)
{
    struct redis_beat *beat = ctx;
    char name[NAME_BUFFER];
    char gateway[12];
    snprintf(gateway, sizeof gateway, "%08" PRIx32, beat->gateway);
    name_gateways(name, prefix_of(beat));
    if (value->type == RESP_INTEGER && value->number == 0)
        call(beat, 3, (const char *[]){"ZREM", name, gateway}, NULL);
    else
        call(beat, 4, (const char *[]){"ZADD", name, "0", gateway}, NULL);
    name_gateway(name, prefix_of(beat), beat->gateway);
    call(beat, 2, (const char *[]){"DEL", name}, NULL);
    beat->on_left(beat->ctx);
}

void redis_beat_leave(struct redis_beat *beat, void (*on_left)(void *ctx))
{
    if (!beat->claimed) {
        on_left(beat->ctx);
        return;
    }
    beat->claimed = false;
    beat->on_left = on_left;
    char rooms[NAME_BUFFER];
    name_gateway_rooms(rooms, prefix_of(beat), beat->gateway);
    call(beat, 2, (const char *[]){"SCARD", rooms}, on_rooms_left);
}
