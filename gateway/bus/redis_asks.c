/* redis_asks.c -- see redis_asks.h. */
#include "redis_asks.h"

#include <stdlib.h>

#include "../../common/xalloc.h"

enum { REFUSAL_LOG_EVERY_MS = 1000 };

void *redis_ask_begin(struct redis_asks *asks, size_t size, const struct bus_ask *ask)
{
    struct redis_asked *asked = xcalloc(1, size);
    asked->asks = asks;
    asked->result = BUS_OK;
    if (ask)
        asked->ask = *ask;
    asked->next = asks->first;
    if (asks->first)
        asks->first->prev = asked;
    asks->first = asked;
    return asked;
}

const struct bus_ask_events *redis_ask_events_of(const struct redis_asked *asked)
{
    return asked->asks->muted ? NULL : asked->ask.events;
}

void redis_ask_end(struct redis_asked *asked, enum bus_result result)
{
    if (asked->next)
        asked->next->prev = asked->prev;
    if (asked->prev)
        asked->prev->next = asked->next;
    else
        asked->asks->first = asked->next;

    /* Freed first: who is told may ask again. */
    const struct bus_ask_events *events = redis_ask_events_of(asked);
    struct bus_ask ask = asked->ask;
    free(asked);
    if (events)
        events->on_end(ask.ctx, ask.tag, result);
}

void redis_ask_command(struct redis_asked *asked, int argc, const char **argv, const size_t *lens,
                       const struct redis_ask_events *events, uint64_t tag)
{
    asked->pending++;
    redis_commander_ask(asked->asks->common->commander, argc, argv, lens, events, asked, tag);
}

void redis_ask_on_end(void *ctx, uint64_t tag, enum redis_end end)
{
    (void)tag;
    struct redis_asked *asked = ctx;
    if (asked->result == BUS_OK)
        asked->result = redis_result_of(end);
    if (--asked->pending == 0)
        redis_ask_end(asked, asked->result);
}

void redis_asks_mute(struct redis_asks *asks)
{
    asks->muted = true;
}

void redis_asks_close(struct redis_asks *asks)
{
    while (asks->first) {
        struct redis_asked *next = asks->first->next;
        free(asks->first);
        asks->first = next;
    }
}

enum bus_result redis_result_of(enum redis_end end)
{
    switch (end) {
    case REDIS_ANSWERED:
        return BUS_OK;
    case REDIS_REFUSED:
        return BUS_DENIED;
    case REDIS_UNANSWERED:
        break;
    }
    return BUS_LOST;
}

void redis_log_refusal(struct redis_common *common, const char *what, struct bytes error)
{
    uint64_t now = clock_ms(common->env->clock);
    if (common->refusal_logged_ms && now - common->refusal_logged_ms < REFUSAL_LOG_EVERY_MS)
        return;
    common->refusal_logged_ms = now ? now : 1;
    log_event(common->env->log, LOG_ERROR, "redis refuses", log_text("what", what), log_bytes("error", error));
}

bool redis_refused(struct redis_common *common, const char *what, const struct resp_value *value)
{
    if (value->type != RESP_ERROR)
        return false;
    redis_log_refusal(common, what, value->text);
    return true;
}
