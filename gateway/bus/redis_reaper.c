/* redis_reaper.c -- see redis_reaper.h. */
#include "redis_reaper.h"

#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "redis_position.h"

enum {
    POLL_EVERY_MS = 3000,
    SILENT_MS = 15000, /* five beats */
    PAUSE_MS = 30000,  /* time for all gateways to find a server that came back, and to beat */
    WATCHED_MS = 6000  /* two looks */
};

/* ---- who is silent? ---- */

static void on_time_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_reaper *reaper = ctx;
    uint64_t number;
    if (redis_refused(reaper->common, "TIME", value) || value->depth != 1 || !redis_number_read(value->text, &number))
        return;
    if (value->index == 0)
        reaper->server_ms = number * 1000;
    else
        reaper->server_ms += number / 1000;
}

/* A score as the beats write it. What an admin wrote otherwise (a fraction, a date to come) is no beat long ago. */
static bool silent_since(const struct redis_reaper *reaper, struct bytes score, uint64_t *beat_ms)
{
    return redis_number_read(score, beat_ms) && reaper->server_ms > *beat_ms &&
           reaper->server_ms - *beat_ms >= SILENT_MS;
}

/* Keeps what was seen of a gateway. True when its beat has been the same for long enough. Gateways are few: a walk. */
static bool watched(struct redis_reaper *reaper, uint64_t gateway, uint64_t beat_ms)
{
    uint64_t since_ms = reaper->poll_ms;
    for (uint32_t i = 0; i < reaper->before_count; i++) {
        if (reaper->before[i].gateway == gateway && reaper->before[i].beat_ms == beat_ms)
            since_ms = reaper->before[i].since_ms;
    }
    if (reaper->now_count == reaper->now_cap) {
        reaper->now_cap = reaper->now_cap ? 2 * reaper->now_cap : 16;
        reaper->now = xrealloc(reaper->now, reaper->now_cap * sizeof *reaper->now);
    }
    reaper->now[reaper->now_count++] = (struct reaper_beat){gateway, beat_ms, since_ms};
    return reaper->poll_ms - since_ms >= WATCHED_MS;
}

/* In turn a gateway and its last beat, the oldest first. */
static void on_beat_value(void *ctx, uint64_t tag, const struct resp_value *value)
{
    (void)tag;
    struct redis_reaper *reaper = ctx;
    if (redis_refused(reaper->common, "the gateways' beats", value) || value->depth != 1)
        return;
    if (value->index % 2 == 0) {
        reaper->seen_valid = redis_id_read(value->text, GATEWAY_ID_DIGITS, &reaper->seen);
        return;
    }
    uint64_t beat_ms = 0;
    if (!reaper->seen_valid || reaper->seen == reaper->common->gateway)
        return;
    bool silent = silent_since(reaper, value->text, &beat_ms);
    bool old = watched(reaper, reaper->seen, beat_ms) && silent;
    if (!old || reaper->silent || reaper->seen == reaper->shunned)
        return;
    reaper->silent = (uint32_t)reaper->seen;
    reaper->beat_ms = beat_ms;
}

static void on_poll_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)tag;
    struct redis_reaper *reaper = ctx;
    if (end != REDIS_ANSWERED)
        reaper->silent = 0;
    if (--reaper->polls > 0)
        return;
    reaper->shunned = 0;
    if (reaper->silent && reaper->up && !reaper->pausing)
        redis_reaping_begin(&reaper->reaping, reaper->silent, reaper->beat_ms);
}

static void poll(struct redis_reaper *reaper)
{
    static const struct redis_ask_events time_events = {.on_value = on_time_value, .on_end = on_poll_end};
    static const struct redis_ask_events beat_events = {.on_value = on_beat_value, .on_end = on_poll_end};
    struct redis_commander *commander = reaper->common->commander;
    uint64_t now_ms = clock_ms(reaper->common->env->clock);
    reaper->poll_ms = now_ms ? now_ms : 1;
    reaper->silent = 0;
    reaper->server_ms = 0;
    reaper->polls = 2;
    free(reaper->before);
    reaper->before = reaper->now;
    reaper->before_count = reaper->now_count;
    reaper->now = NULL;
    reaper->now_count = reaper->now_cap = 0;
    char key[NAME_BUFFER];
    name_gateways(key, reaper->common->prefix);
    redis_commander_ask(commander, 1, (const char *[]){"TIME"}, NULL, &time_events, reaper, 0);
    redis_commander_ask(commander, 5, (const char *[]){"ZRANGE", key, "0", "-1", "WITHSCORES"}, NULL, &beat_events,
                        reaper, 0);
}

/* A machine that dies takes several gateways with it: after one the next. */
static void on_reaped(void *ctx, enum reaping_end end)
{
    struct redis_reaper *reaper = ctx;
    if (end == REAPING_DENIED)
        reaper->shunned = reaper->reaping.gateway;
    if (end == REAPING_DONE)
        reaper->poll_ms = 0;
}

/* ---- life ---- */

void redis_reaper_init(struct redis_reaper *reaper, struct redis_common *common, const struct redis_channels *channels)
{
    *reaper = (struct redis_reaper){.common = common};
    redis_reaping_init(&reaper->reaping, common, channels, on_reaped, reaper);
}

void redis_reaper_close(struct redis_reaper *reaper)
{
    redis_reaping_close(&reaper->reaping);
    free(reaper->before);
    free(reaper->now);
}

void redis_reaper_pause(struct redis_reaper *reaper)
{
    reaper->pausing = true;
    reaper->paused_ms = clock_ms(reaper->common->env->clock);
    redis_reaping_stop(&reaper->reaping);
}

void redis_reaper_up(struct redis_reaper *reaper, bool at_once)
{
    reaper->up = true;
    if (!at_once)
        redis_reaper_pause(reaper);
}

void redis_reaper_down(struct redis_reaper *reaper)
{
    reaper->up = false;
    redis_reaping_stop(&reaper->reaping);
}

void redis_reaper_tick(struct redis_reaper *reaper, uint64_t now_ms)
{
    if (reaper->pausing && now_ms - reaper->paused_ms >= PAUSE_MS) {
        reaper->pausing = false;
        reaper->poll_ms = 0;
    }
    if (!reaper->up || reaper->pausing || reaper->polls > 0 || redis_reaping_busy(&reaper->reaping))
        return;
    if (reaper->poll_ms == 0 || now_ms - reaper->poll_ms >= POLL_EVERY_MS)
        poll(reaper);
}
