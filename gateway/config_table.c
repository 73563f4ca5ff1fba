/* config_table.c -- the table of settings; see config_table.h. Ranges stop mistakes, not taste. */
#include "config_table.h"

#include <stdlib.h>

#include "../common/names.h"
#include "../common/xalloc.h"
#include "bus/redis_bus.h"
#include "config.h"
#include "room/rules.h"

enum { KIB = 1024, MIB = 1024 * KIB };

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

static const char *redis_url_wrong(const char *text)
{
    if (!*text)
        return NULL; /* the local bus */
    struct redis_url url;
    const char *wrong = redis_url_parse(text, &url);
    if (!wrong)
        redis_url_free(&url);
    return wrong;
}

static const char *prefix_wrong(const char *text)
{
    return prefix_valid(bytes_of(text)) ? NULL : "a prefix is 1 to 64 of the characters A-Z a-z 0-9 _ . : -";
}

/* 1 to 256 visible characters: it travels in a header, and the file's lines and a mounted secret must hold it. */
static const char *token_wrong(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return "a token has visible ASCII characters only, and no spaces";
    }
    return len > 256 ? "a token has 256 characters at most" : NULL;
}

/* Rules without a ';' in them. */
static const char *rules_wrong(const char *text)
{
    struct rules *rules = rules_new(&(struct room_rule){{0, 0, 0}, true, true, 0});
    char *copy = xstrdup(text);
    const char *wrong = NULL;
    for (char *rest = copy, *rule; !wrong && (rule = strsep(&rest, ";"));) {
        if (rule[strspn(rule, " ")])
            wrong = rules_add(rules, rule);
    }
    free(copy);
    rules_free(rules);
    return wrong;
}

/* A row is the flag, its field, its default as one would write it, the range of a number, and the line of --help. */
#define ROW(type_, flag, field, default_, line)                                                                        \
    .type = type_, .name = flag, .offset = offsetof(struct config, field), .fallback = default_, .help = line
#define RANGE(from, to)                               .min = from, .max = to
#define ADDRESS(flag, field, default_, line)          ROW(SETTING_ADDRESS, flag, field, default_, line)
#define NUMBER(flag, field, default_, from, to, line) ROW(SETTING_COUNT, flag, field, default_, line), RANGE(from, to)
#define SIZE(flag, field, default_, from, to, line)   ROW(SETTING_BYTES, flag, field, default_, line), RANGE(from, to)
#define SECONDS(flag, field, default_, from, to, line)                                                                 \
    ROW(SETTING_DECIMAL, flag, field, default_, line), RANGE(from, to), .unit = "s"
#define MS(flag, field, default_, from, to, line)                                                                      \
    ROW(SETTING_DECIMAL, flag, field, default_, line), RANGE(from, to), .unit = "ms"
#define ON_OFF(flag, field, default_, line)        ROW(SETTING_ON_OFF, flag, field, default_, line)
#define CHOICE(flag, field, default_, names, line) ROW(SETTING_CHOICE, flag, field, default_, line), .choices = names
#define TEXT(flag, field, default_, line)          ROW(SETTING_TEXT, flag, field, default_, line)
#define LIST(flag, field, line)                    ROW(SETTING_LIST, flag, field, "", line)

/* clang-format off */
const struct setting settings[SETTINGS] = {
    {.heading = "Addresses",
     ADDRESS("listen", listen, "0.0.0.0:8000", "public port: WebSockets and the page; port 0: the system chooses")},
    {ADDRESS("admin", admin, "127.0.0.1:8001", "admin port: /healthz, /readyz, /metrics and the HTTP API")},
    {TEXT("pod", server_name, "", "name that admins see (default: the host name)")},
    {TEXT("admin-token", admin_token, "", "bearer token of the HTTP API (default: none is asked for)"),
     .wrong = token_wrong, .secret = SECRET_WORD},

    {.heading = "Bus",
     TEXT("redis", redis, "", "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] (default: none, all in this process)"),
     .wrong = redis_url_wrong, .secret = SECRET_URL},
    {TEXT("redis-prefix", redis_prefix, "plenum", "first word of every key and channel; each cluster has its own"),
     .wrong = prefix_wrong},
    {ON_OFF("ready-needs-redis", ready_needs_redis, "off", "answer /readyz with 503 while Redis is away")},
    {SECONDS("room-linger", room_linger, "5", 0, 3600, "how long a room stays subscribed after its last member")},

    {.heading = "Rooms",
     NUMBER("log-size", log_size, "1000", 0, 1000000, "messages kept of a room; 0: none")},
    {SIZE("log-bytes", log_bytes, "4m", 1, 1024 * MIB, "about so many bytes of them at most")},
    {NUMBER("log-ttl", log_ttl, "600", 1, 30 * 24 * 3600, "how long they are kept after the last one"), .unit = "s"},
    {LIST("room-rule", room_rules, "other settings by room name, see below (default: none)"), .wrong = rules_wrong},

    {.heading = "Size",
     NUMBER("workers", workers, "1", 1, 256, "event loops, each on a thread of its own")},
    {NUMBER("max-connections", max_connections, "0", 0, 10000000, "clients; 0: as many as the limit on files allows")},
    {SIZE("max-message", max_message, "256k", 1, 64 * MIB, "a message after inflating; a larger one: close 1009")},
    {SIZE("max-header", max_header, "16k", KIB, MIB, "the head of an HTTP request; a larger one: status 431")},
    {NUMBER("max-rooms", max_rooms, "1000", 1, 1000000, "rooms that one plenum.v1 connection may be in")},
    {ON_OFF("compression", compression, "on", "offer permessage-deflate")},

    {.heading = "Slow and silent clients",
     SIZE("outbox-hard", outbox_hard, "16m", 1, 1024 * MIB, "unsent to a client; more: close 1013 at once")},
    {SIZE("outbox-soft", outbox_soft, "1m", 1, 1024 * MIB, "unsent to a client; more for too long: close 1013")},
    {NUMBER("memory-mb", memory_mb, "512", 1, 1048576, "MiB that all clients may hold; more: the worst are closed (1013)")},
    {SECONDS("outbox-soft-seconds", outbox_soft_seconds, "5", 0, 3600, "how long is too long above --outbox-soft")},
    {SECONDS("handshake-timeout", handshake_timeout, "10", 0.1, 3600, "from the accept to a complete request")},
    {SECONDS("message-timeout", message_timeout, "30", 0.1, 3600, "for a frame or fragmented message to be finished")},
    {SECONDS("ping-interval", ping_interval, "20", 0.1, 3600, "silence of a client before we ping")},
    {SECONDS("pong-timeout", pong_timeout, "10", 0.1, 3600, "more silence before we close with 1001")},
    {SECONDS("close-timeout", close_timeout, "2", 0.1, 60, "for a client to answer our close frame")},
    {SECONDS("drain", drain, "30", 0, 3600, "over which SIGTERM spreads the closes with 1012")},

    {.heading = "Loop",
     MS("turn-pacing-ms", turn_pacing_ms, "0", 0, 100, "when turns come faster, wait before polling; 0: never")},
    {MS("flush-budget-ms", flush_budget_ms, "10", 0.1, 1000, "what one turn may spend in flushing")},

    {.heading = "Log",
     CHOICE("log-level", log_level, "info", log_levels, "the least level that is written")},
    {CHOICE("log-format", log_format, "text", log_formats, "text for people, json for machines")},
};
/* clang-format on */

const struct setting *setting_find(struct bytes name)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (bytes_equal(bytes_of(settings[i].name), name))
            return &settings[i];
    }
    return NULL;
}
