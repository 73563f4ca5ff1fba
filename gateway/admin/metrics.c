/* metrics.c -- what each counter is called outside, and the page of them; see metrics.h.
 *
 * A name or label that is published is an interface: alerts and dashboards are written against it. */
#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "process_metrics.h"

enum kind {
    COUNTER,     /* summed over the workers */
    GAUGE,       /* likewise */
    GAUGE_MIN,   /* the worst worker's: up is up when all are */
    GAUGE_MAX,   /* likewise */
    GAUGE_MAX_S, /* likewise, counted in ms, shown in seconds */
    HIDDEN       /* not a metric */
};

/* Rows of one family stand together; the first one's help is the family's. */
struct metric {
    enum kind kind;
    const char *name;
    const char *label; /* NAME="VALUE" or NULL */
    const char *help;
};

/* clang-format off */
#define LABELLED(name, label, value, help) {COUNTER, name, label "=\"" value "\"", help}
#define HTTP(status)    LABELLED("plenum_http_responses_total", "status", status, "HTTP responses, by status.")
#define CLOSE(code)     LABELLED("plenum_closes_total", "code", code, "WebSockets closed, by close code.")
#define DROP(reason)    LABELLED("plenum_dropped_connections_total", "reason", reason, "Connections ended or refused.")
#define FAILED(reason)  LABELLED("plenum_bus_failed_total", "reason", reason, "Messages that the bus did not take.")
#define DISCARD(reason) LABELLED("plenum_bus_discarded_total", "reason", reason, "Messages that made no sense.")
#define LOST(reason)    LABELLED("plenum_redis_lost_total", "reason", reason, "Connections to Redis that were lost.")

static const struct metric metrics[] = {
    [GAUGE_CONNECTIONS] = {GAUGE, "plenum_connections", NULL, "WebSockets open."},
    [GAUGE_HANDSHAKES] = {GAUGE, "plenum_handshakes", NULL, "Sockets that are not upgraded yet."},
    [GAUGE_ROOMS] = {GAUGE, "plenum_rooms", NULL, "Rooms with members here, counted once per worker."},
    [GAUGE_MEMBERS] = {GAUGE, "plenum_members", NULL, "Members here."},
    [GAUGE_OUTBOX_BYTES] = {GAUGE, "plenum_outbox_bytes", NULL, "Bytes queued for clients that do not keep up."},
    [GAUGE_READER_BYTES] = {GAUGE, "plenum_unfinished_bytes", NULL, "Memory held by messages that are not complete yet."},
    [GAUGE_BLOCK_BYTES] = {GAUGE, "plenum_block_bytes", NULL, "Memory held by blocks, shared by the outboxes."},
    [GAUGE_BUS_UP] = {GAUGE_MIN, "plenum_bus_up", NULL, "1 when every worker's bus serves."},
    [GAUGE_BUS_PENDING_BYTES] = {GAUGE, "plenum_bus_pending_bytes", NULL, "Bytes published, unsent or unanswered."},
    [GAUGE_DRAINING] = {GAUGE_MAX, "plenum_draining", NULL, "1 while the gateway drains."},
    [GAUGE_LAST_TURN_MS] = {HIDDEN, NULL, NULL, NULL}, /* for /healthz: it has no meaning on another machine */
    [GAUGE_LOOP_LAG_MS] = {GAUGE_MAX_S, "plenum_loop_lag_seconds", NULL, "How late the slowest loop last woke."},

    [COUNT_ACCEPTED] = {COUNTER, "plenum_accepted_total", NULL, "Sockets accepted."},
    [COUNT_ACCEPT_ERRORS] = {COUNTER, "plenum_accept_errors_total", NULL, "Accepts that failed, EMFILE and the like."},
    [COUNT_UPGRADES] = {COUNTER, "plenum_upgrades_total", NULL, "Handshakes that became WebSockets."},
    [COUNT_UPGRADES_DEFLATE] = {COUNTER, "plenum_upgrades_deflate_total", NULL, "Upgrades with permessage-deflate."},
    [COUNT_HTTP_400] = HTTP("400"),
    [COUNT_HTTP_403] = HTTP("403"),
    [COUNT_HTTP_404] = HTTP("404"),
    [COUNT_HTTP_405] = HTTP("405"),
    [COUNT_HTTP_408] = HTTP("408"),
    [COUNT_HTTP_413] = HTTP("413"),
    [COUNT_HTTP_414] = HTTP("414"),
    [COUNT_HTTP_426] = HTTP("426"),
    [COUNT_HTTP_431] = HTTP("431"),
    [COUNT_HTTP_503] = HTTP("503"),
    [COUNT_HTTP_505] = HTTP("505"),
    [COUNT_HTTP_200] = HTTP("200"),
    [COUNT_HTTP_304] = HTTP("304"),
    [COUNT_HTTP_OTHER] = HTTP("other"),
    [COUNT_MESSAGES_IN] = {COUNTER, "plenum_messages_received_total", NULL, "Messages from clients."},
    [COUNT_BYTES_IN] = {COUNTER, "plenum_received_bytes_total", NULL, "Payload bytes of the messages from clients."},
    [COUNT_DELIVERIES] = {COUNTER, "plenum_deliveries_total", NULL, "Messages times the members they were for."},
    [COUNT_BYTES_OUT] = {COUNTER, "plenum_sent_bytes_total", NULL, "Bytes given to clients' sockets."},
    [COUNT_REQUEST_ERRORS] = {COUNTER, "plenum_request_errors_total", NULL,
                              "Requests of plenum.v1 clients that were answered with an error."},
    [COUNT_PINGS_IN] = {COUNTER, "plenum_pings_received_total", NULL, "Ping frames from clients."},
    [COUNT_PONGS_IN] = {COUNTER, "plenum_pongs_received_total", NULL, "Pong frames from clients."},
    [COUNT_CLOSE_1000] = CLOSE("1000"),
    [COUNT_CLOSE_1001] = CLOSE("1001"),
    [COUNT_CLOSE_1002] = CLOSE("1002"),
    [COUNT_CLOSE_1003] = CLOSE("1003"),
    [COUNT_CLOSE_1007] = CLOSE("1007"),
    [COUNT_CLOSE_1008] = CLOSE("1008"),
    [COUNT_CLOSE_1009] = CLOSE("1009"),
    [COUNT_CLOSE_1011] = CLOSE("1011"),
    [COUNT_CLOSE_1012] = CLOSE("1012"),
    [COUNT_CLOSE_1013] = CLOSE("1013"),
    [COUNT_CLOSE_NONE] = CLOSE("none"),
    [COUNT_CLOSE_OTHER] = CLOSE("other"),
    [COUNT_DROP_OUTBOX_FULL] = DROP("outbox_full"),
    [COUNT_DROP_OUTBOX_SLOW] = DROP("outbox_slow"),
    [COUNT_DROP_MEMORY] = DROP("memory"),
    [COUNT_DROP_HANDSHAKE] = DROP("handshake_timeout"),
    [COUNT_DROP_FRAGMENT] = DROP("message_timeout"),
    [COUNT_DROP_IDLE] = DROP("pong_timeout"),
    [COUNT_DROP_FULL] = DROP("gateway_full"),

    [COUNT_BUS_PUBLISHED] = {COUNTER, "plenum_bus_published_total", NULL, "Messages given to the bus."},
    [COUNT_BUS_PUBLISH_BYTES] = {COUNTER, "plenum_bus_published_bytes_total", NULL, "Bytes given to the bus."},
    [COUNT_BUS_RECEIVED] = {COUNTER, "plenum_bus_received_total", NULL, "Messages that the bus delivered here."},
    [COUNT_BUS_RECEIVED_BYTES] = {COUNTER, "plenum_bus_received_bytes_total", NULL, "Bytes that the bus delivered."},
    [COUNT_BUS_FAILED_UNAVAILABLE] = FAILED("unavailable"),
    [COUNT_BUS_FAILED_UNCERTAIN] = FAILED("uncertain"),
    [COUNT_BUS_FAILED_REFUSED] = FAILED("refused"),
    [COUNT_BUS_MALFORMED] = DISCARD("malformed"),
    [COUNT_BUS_TOO_BIG] = DISCARD("too_big"),
    [COUNT_BUS_UNKNOWN_VERSION] = DISCARD("unknown_version"),
    [COUNT_LOG_REPEATED] = {COUNTER, "plenum_log_repeated_total", NULL,
                            "Messages that came a second time or too late, and were dropped."},
    [COUNT_LOG_REPAIRED] = {COUNTER, "plenum_log_repaired_total", NULL,
                            "Messages read from a log, as the bus had not brought them."},
    [COUNT_LOG_REPLAYED] = {COUNTER, "plenum_log_replayed_total", NULL,
                            "Messages sent to clients that came back, or asked for history on joining."},
    [COUNT_LOG_GAPS] = {COUNTER, "plenum_log_gaps_total", NULL, "Runs of messages that a log no longer had."},
    [COUNT_LOG_EPOCHS] = {COUNTER, "plenum_log_epochs_total", NULL, "New epochs that rooms went over to."},
    [COUNT_REDIS_CONNECTS] = {COUNTER, "plenum_redis_connects_total", NULL, "Connections to Redis that came up."},
    [COUNT_REDIS_LOST_EOF] = LOST("eof"),
    [COUNT_REDIS_LOST_ERROR] = LOST("error"),
    [COUNT_REDIS_LOST_TIMEOUT] = LOST("timeout"),
    [COUNT_REDIS_LOST_DEAF] = LOST("deaf"),
    [COUNT_REDIS_PROBES] = {COUNTER, "plenum_redis_probes_total", NULL, "Probes sent through the publish path."},

    [COUNT_TURNS] = {COUNTER, "plenum_turns_total", NULL, "Turns of the event loops."},
    [COUNT_FLUSH_INTERRUPTED] = {COUNTER, "plenum_flush_interrupted_total", NULL,
                                 "Turns whose flush ran out of its time budget."},
};
/* clang-format on */
_Static_assert(sizeof metrics / sizeof *metrics == COUNTER_COUNT, "a row for each counter");

void metric_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t combined(enum kind kind, enum counter which, const struct counters *const *workers, int count)
{
    uint64_t result = count > 0 ? counter_get(workers[0], which) : 0;
    for (int i = 1; i < count; i++) {
        uint64_t value = counter_get(workers[i], which);
        if (kind == COUNTER || kind == GAUGE)
            result += value;
        else if (kind == GAUGE_MIN ? value < result : value > result)
            result = value;
    }
    return result;
}

static void write_counters(FILE *out, const struct counters *const *workers, int count)
{
    const char *family = "";
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct metric *metric = &metrics[i];
        if (metric->kind == HIDDEN)
            continue;
        if (strcmp(metric->name, family) != 0)
            metric_head(out, metric->name, metric->kind == COUNTER ? "counter" : "gauge", metric->help);
        family = metric->name;
        fputs(metric->name, out);
        if (metric->label)
            fprintf(out, "{%s}", metric->label);
        uint64_t value = combined(metric->kind, (enum counter)i, workers, count);
        if (metric->kind == GAUGE_MAX_S)
            fprintf(out, " %" PRIu64 ".%03d\n", value / 1000, (int)(value % 1000));
        else
            fprintf(out, " %" PRIu64 "\n", value);
    }
}

/* The sum of one cell of the histogram. */
static uint64_t add_up(const struct counters *const *workers, int count, size_t offset)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        const _Atomic uint64_t *cell = (const void *)((const char *)workers[i] + offset);
        sum += atomic_load_explicit(cell, memory_order_relaxed);
    }
    return sum;
}

static void write_latency(FILE *out, const struct counters *const *workers, int count)
{
    static const char name[] = "plenum_publish_to_deliver_seconds";
    metric_head(out, name, "histogram", "From a message's publish to its hand-over to the members here.");
    uint64_t so_far = 0;
    for (int i = 0; i <= LATENCY_BUCKETS; i++) {
        so_far += add_up(workers, count, offsetof(struct counters, latency) + (size_t)i * sizeof so_far);
        char bound[16] = "+Inf";
        if (i < LATENCY_BUCKETS)
            snprintf(bound, sizeof bound, "%g", latency_bucket_ms[i] / 1e3);
        fprintf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bound, so_far);
    }
    uint64_t sum_ms = add_up(workers, count, offsetof(struct counters, latency_sum_ms));
    fprintf(out, "%s_sum %" PRIu64 ".%03d\n", name, sum_ms / 1000, (int)(sum_ms % 1000));
    fprintf(out, "%s_count %" PRIu64 "\n", name, so_far);
}

static void write_workers(FILE *out, const struct counters *const *workers, int count)
{
    metric_head(out, "plenum_workers", "gauge", "Event loops of this gateway.");
    fprintf(out, "plenum_workers %d\n", count);
    metric_head(out, "plenum_worker_connections", "gauge", "WebSockets open, by worker.");
    for (int i = 0; i < count; i++)
        fprintf(out, "plenum_worker_connections{worker=\"%d\"} %" PRIu64 "\n", i,
                counter_get(workers[i], GAUGE_CONNECTIONS));
    metric_head(out, "plenum_build_info", "gauge", "1; the version is in the label.");
    fprintf(out, "plenum_build_info{version=\"%s\"} 1\n", PLENUM_VERSION);
}

char *metrics_render(const struct counters *const *workers, int count, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (!out)
        abort(); /* out of memory, as in xalloc.h */
    write_counters(out, workers, count);
    write_latency(out, workers, count);
    write_workers(out, workers, count);
    process_metrics_write(out);
    if (fclose(out) != 0)
        abort();
    return text;
}
