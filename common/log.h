/* log.h -- one line per event, for people (text) or machines (json).
 *
 * A line is written by one write(2), so lines of several threads never mix and no lock is needed. Text that comes from
 * strangers is escaped. The log never blocks the caller for longer than that write takes.
 * Thread: any. A struct log is constant after log_init. */
#ifndef PLENUM_COMMON_LOG_H
#define PLENUM_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "clock.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log {
    int fd; /* where lines go, usually 2 */
    enum log_level level;
    enum log_format format;
    const struct clock *clock;
};

/* A named value of a line. Made by the functions below, alive for the call only. */
struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT } kind;
    struct bytes text; /* any bytes: escaped on the way out */
    int64_t number;
};

static inline struct log_field log_text(const char *name, const char *value)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .text = bytes_of(value)};
}

static inline struct log_field log_bytes(const char *name, struct bytes value)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .text = value};
}

static inline struct log_field log_int(const char *name, int64_t value)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_INT, .number = value};
}

/* Writes one line when level is at or above the log's. message is a constant phrase; what varies goes into fields.
 *   json: {"time":"2026-11-24T17:08:36.123Z","level":"info","msg":"listening","public":"127.0.0.1:8000"}
 *   text: 2026-11-24T17:08:36.123Z info  listening public=127.0.0.1:8000        (quoted where it needs to be) */
void log_write(const struct log *log, enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

/* log_event(log, LOG_INFO, "listening", log_text("public", address), log_int("port", 8000)): at least one field. */
#define log_event(log, level, message, ...)                                                                            \
    log_write(log, level, message, (struct log_field[]){__VA_ARGS__},                                                  \
              sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
