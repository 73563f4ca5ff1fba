/* redis_link.c -- see redis_link.h. */
#include "redis_link.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "xalloc.h"

enum {
    LOGIN_DEADLINE_MS = 2000, /* for connecting and logging in together */
    TICK_MS = 1000,           /* from PING to PING */
    SILENT_TICKS = 2,         /* in ticks, not time: a gateway that was itself stopped must first read what has come */
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 1000,
    COMPLAIN_EVERY_MS = 10000, /* a Redis that stays away must not fill the log */
    READ_SIZE = 32 << 10,
    READ_BUDGET = 256 << 10, /* a turn: then what came is flushed to the clients, and the loop comes back for more */
    OUT_KEEP = 64 << 10      /* a larger buffer is freed when it is empty */
};

static void on_timer(uv_timer_t *timer);

static struct redis_link *link_of(struct stream *stream)
{
    return (struct redis_link *)((char *)stream - offsetof(struct redis_link, stream));
}

static bool is_commander(const struct redis_link *link)
{
    return link->events->on_value != NULL;
}

const char *redis_link_run_id(const struct redis_link *link)
{
    return link->state == LINK_UP ? link->handshake.run_id : "";
}

const char *redis_link_replid(const struct redis_link *link)
{
    return link->state == LINK_UP ? link->handshake.replid : "";
}

/* ---- log ---- */

static void log_up(struct redis_link *link)
{
    bool again = link->complained_at_ms != 0;
    log_event(link->env->log, LOG_INFO, again ? "redis is back" : "redis connected",
              log_text("link", link->options->role),
              log_text("address", link->options->path ? link->options->path : link->options->host),
              log_text("run_id", link->handshake.run_id));
    link->complained_at_ms = 0;
    link->complaint[0] = '\0';
}

/* One line for each new reason, and one in ten seconds for the same. */
static void complain(struct redis_link *link, const char *message, const char *reason)
{
    uint64_t now = clock_ms(link->env->clock);
    bool same = strncmp(link->complaint, reason, sizeof link->complaint - 1) == 0;
    if (link->complained_at_ms && same && now - link->complained_at_ms < COMPLAIN_EVERY_MS)
        return;
    link->complained_at_ms = now ? now : 1;
    snprintf(link->complaint, sizeof link->complaint, "%s", reason);
    log_event(link->env->log, LOG_WARN, message, log_text("link", link->options->role),
              log_text("address", link->options->path ? link->options->path : link->options->host),
              log_text("reason", reason));
}

/* ---- the end of a connection ---- */

static uint64_t next_wait_ms(struct redis_link *link)
{
    if (link->denied)
        return BACKOFF_MAX_MS;
    if (link->attempts == 0)
        return 0;
    unsigned doublings = link->attempts - 1 < 5 ? link->attempts - 1 : 5;
    uint32_t wait = BACKOFF_FIRST_MS << doublings;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    return wait / 2 + random_below(link->env->random, wait / 2 + 1);
}

static void on_stream_close(struct stream *stream);

/* Leaves the connection; the stream's close callback goes on from there. */
static void end_connection(struct redis_link *link)
{
    link->state = LINK_ENDING;
    uv_timer_stop(&link->timer);
    resp_stop(&link->resp);
    link->out_len = link->out_at = 0;
    stream_close(&link->stream);
}

/* An attempt that did not come to LINK_UP. */
static void attempt_failed(struct redis_link *link, const char *reason)
{
    complain(link, "redis is not there", link->handshake.error[0] ? link->handshake.error : reason);
    end_connection(link);
}

static void lose(struct redis_link *link, enum redis_loss reason, const char *detail)
{
    if (link->state == LINK_CONNECTING) {
        attempt_failed(link, detail);
    } else if (link->state == LINK_UP) {
        if (!link->end_expected)
            complain(link, "redis connection lost", detail);
        end_connection(link);
        link->events->on_down(link->ctx, reason);
    }
}

void redis_link_drop(struct redis_link *link, enum redis_loss reason, const char *detail)
{
    if (link->state == LINK_CONNECTING || link->state == LINK_UP)
        link->denied = redis_error_is_denied(bytes_of(detail));
    lose(link, reason, detail);
}

static void lose_over_error(struct redis_link *link, struct bytes text)
{
    char error[128];
    snprintf(error, sizeof error, "%.*s", (int)(text.len < sizeof error ? text.len : sizeof error), text.data);
    redis_link_drop(link, REDIS_LOST_ERROR, error);
}

/* ---- writing ---- */

void redis_link_append(struct redis_link *link, const char *command, size_t len)
{
    assert(link->state == LINK_UP || link->state == LINK_CONNECTING);
    if (link->out_len + len > link->out_cap) {
        size_t cap = link->out_cap ? link->out_cap : 4096;
        while (cap < link->out_len + len)
            cap *= 2;
        link->out = xrealloc(link->out, cap);
        link->out_cap = cap;
    }
    memcpy(link->out + link->out_len, command, len);
    link->out_len += len;
    link->appended += len;
    link->commands++;
}

void redis_link_command(struct redis_link *link, int argc, const char **argv, const size_t *lens)
{
    char *command;
    size_t len = (size_t)redisFormatCommandArgv(&command, argc, argv, lens);
    redis_link_append(link, command, len);
    redisFreeCommand(command);
}

static void out_written(struct redis_link *link, size_t len)
{
    link->written += len;
    link->out_at += len;
    if (link->out_at < link->out_len)
        return;
    link->out_at = link->out_len = 0;
    if (link->out_cap > OUT_KEEP) {
        free(link->out);
        link->out = NULL;
        link->out_cap = 0;
    }
}

void redis_link_flush(struct redis_link *link)
{
    if (redis_link_unwritten(link) == 0 || link->state == LINK_ENDING || link->state == LINK_CLOSED)
        return;
    struct iovec piece = {link->out + link->out_at, redis_link_unwritten(link)};
    ssize_t n = stream_write(&link->stream, &piece, 1);
    if (n < 0 && n != UV_EAGAIN) {
        lose(link, REDIS_LOST_ERROR, uv_strerror((int)n));
        return;
    }
    if (n > 0)
        out_written(link, (size_t)n);
    stream_want_write(&link->stream, redis_link_unwritten(link) > 0);
}

static void on_writable(struct stream *stream)
{
    redis_link_flush(link_of(stream));
}

/* ---- PING ---- */

static void ping(struct redis_link *link)
{
    link->pinged = true;
    link->silent = 0;
    link->heard = false;
    link->ping_place = link->commands;
    snprintf(link->ping_nonce, sizeof link->ping_nonce, "%016llx", (unsigned long long)random_u64(link->env->random));
    redis_link_command(link, 2, (const char *[]){"PING", link->ping_nonce}, NULL);
    redis_link_flush(link);
}

static void on_pong(struct redis_link *link, struct bytes nonce)
{
    if (!link->pinged || !bytes_equal(nonce, bytes_of(link->ping_nonce))) {
        lose(link, REDIS_LOST_ERROR, "an answer that belongs to no PING");
        return;
    }
    link->pinged = false;
    link->attempts = 0; /* it is well: the next loss is answered at once again */
}

static void tick(struct redis_link *link)
{
    if (!link->pinged) {
        ping(link);
        return;
    }
    /* A connection on which anything comes is alive, however long the queue before the PING's answer is. */
    link->silent = link->heard ? 0 : link->silent + 1;
    link->heard = false;
    if (link->silent >= SILENT_TICKS)
        lose(link, REDIS_LOST_TIMEOUT, "no answer to PING");
}

/* ---- reading ---- */

static void on_up(struct redis_link *link)
{
    link->state = LINK_UP;
    link->denied = false;
    link->commands = link->replies = 0;
    link->ping_place = UINT64_MAX;
    link->pinged = false;
    uv_timer_start(&link->timer, on_timer, TICK_MS, TICK_MS);
    log_up(link);
    link->events->on_up(link->ctx);
}

static void on_handshake_end(struct redis_link *link)
{
    redis_handshake_end(&link->handshake);
    switch (link->handshake.state) {
    case HANDSHAKE_GOING_ON:
        return;
    case HANDSHAKE_DONE:
        on_up(link);
        return;
    case HANDSHAKE_REFUSED:
        link->denied = true;
        break;
    case HANDSHAKE_NOT_YET:
        break;
    }
    attempt_failed(link, "the login failed");
}

static void on_pubsub_value(struct redis_link *link, const struct resp_value *value)
{
    switch (redis_pubsub_value(&link->pubsub, value, &link->events->pubsub, link->ctx)) {
    case PUBSUB_TOLD:
        return;
    case PUBSUB_IS_PONG:
        on_pong(link, value->text);
        return;
    case PUBSUB_IS_ERROR:
        if (redis_error_is_no_permission(value->text))
            link->events->pubsub.on_denied(link->ctx, value->text);
        else
            lose_over_error(link, value->text);
        return;
    }
}

static void on_resp_value(void *ctx, const struct resp_value *value)
{
    struct redis_link *link = ctx;
    if (link->state == LINK_CONNECTING)
        redis_handshake_value(&link->handshake, value);
    else if (!is_commander(link))
        on_pubsub_value(link, value);
    else if (link->replies == link->ping_place)
        on_pong(link, value->text);
    else
        link->events->on_value(link->ctx, value);
}

static void on_resp_end(void *ctx)
{
    struct redis_link *link = ctx;
    if (link->state == LINK_CONNECTING) {
        on_handshake_end(link);
        return;
    }
    if (!is_commander(link))
        return;
    if (link->replies++ != link->ping_place)
        link->events->on_reply(link->ctx);
}

static void on_readable(struct stream *stream)
{
    struct redis_link *link = link_of(stream);
    char buffer[READ_SIZE];
    for (int budget = READ_BUDGET; budget > 0;) {
        ssize_t n = stream_read(stream, buffer, sizeof buffer);
        if (n == UV_EAGAIN)
            return;
        if (n <= 0) {
            /* What the reader holds now is the beginning of a reply that will have no end: it is never told. */
            lose(link, n == 0 ? REDIS_LOST_EOF : REDIS_LOST_ERROR, n == 0 ? "the server closed" : uv_strerror((int)n));
            return;
        }
        budget -= (int)n;
        link->heard = true;
        if (!resp_feed(&link->resp, (struct bytes){buffer, (size_t)n}))
            lose(link, REDIS_LOST_ERROR, resp_error(&link->resp));
        if (link->resp.stopped || n < READ_SIZE)
            return;
    }
    link->behind = true;
}

/* ---- connecting ---- */

static void on_connect(struct stream *stream, int status)
{
    struct redis_link *link = link_of(stream);
    if (status < 0) {
        attempt_failed(link, uv_strerror(status));
        return;
    }
    size_t len;
    char *commands = redis_handshake_begin(&link->handshake, &link->options->login, &len);
    redis_link_append(link, commands, len);
    free(commands);
    stream_read_start(&link->stream);
    redis_link_flush(link);
}

static const struct stream_events stream_events = {
    .on_connect = on_connect,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_close = on_stream_close,
};

static void begin_attempt(struct redis_link *link)
{
    link->state = LINK_CONNECTING;
    link->attempts++;
    link->denied = false;
    link->appended = link->written = 0;
    link->handshake.error[0] = '\0';
    link->handshake.run_id[0] = link->handshake.replid[0] = '\0';
    resp_reset(&link->resp);
    link->pubsub = (struct redis_pubsub){0};
    link->open_handles++;
    if (link->options->path)
        stream_connect_unix(&link->stream, link->env->loop, link->options->path, &stream_events);
    else
        stream_connect_tcp(&link->stream, link->env->loop, link->options->host, link->options->port, &stream_events);
    uv_timer_start(&link->timer, on_timer, LOGIN_DEADLINE_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct redis_link *link = timer->data;
    if (link->state == LINK_WAITING)
        begin_attempt(link);
    else if (link->state == LINK_CONNECTING)
        attempt_failed(link, "no answer in 2 s");
    else if (link->state == LINK_UP)
        tick(link);
}

/* ---- life ---- */

static void handle_closed(struct redis_link *link)
{
    if (--link->open_handles > 0 || link->state != LINK_CLOSED)
        return;
    resp_close(&link->resp);
    free(link->out);
    link->events->on_closed(link->ctx);
}

static void on_stream_close(struct stream *stream)
{
    struct redis_link *link = link_of(stream);
    if (link->state == LINK_ENDING) {
        link->state = LINK_WAITING;
        uv_timer_start(&link->timer, on_timer, next_wait_ms(link), 0);
    }
    handle_closed(link);
}

static void on_timer_close(uv_handle_t *timer)
{
    handle_closed(timer->data);
}

void redis_link_init(struct redis_link *link, const struct env *env, const struct redis_link_options *options,
                     const struct redis_link_events *events, void *ctx)
{
    static const struct resp_events resp_events = {.on_value = on_resp_value, .on_end = on_resp_end};
    *link = (struct redis_link){.env = env, .options = options, .events = events, .ctx = ctx, .open_handles = 1};
    resp_init(&link->resp, &resp_events, link);
    uv_timer_init(env->loop, &link->timer);
    link->timer.data = link;
    begin_attempt(link);
}

void redis_link_close(struct redis_link *link)
{
    assert(link->state != LINK_CLOSED);
    bool has_stream = link->state == LINK_CONNECTING || link->state == LINK_UP;
    link->state = LINK_CLOSED;
    resp_stop(&link->resp);
    if (has_stream)
        stream_close(&link->stream);
    uv_close((uv_handle_t *)&link->timer, on_timer_close);
}
