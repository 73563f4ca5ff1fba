/* log.c -- builds one line in a bounded buffer and writes it with one call; see log.h.
 *
 * Everything that a stranger can choose goes through put_escaped, so nobody can end a line early, colour an operator's
 * terminal or break the JSON. What does not fit is cut, and the cut is shown by "...". */
#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

enum {
    LINE_MAX_BYTES = 4096,  /* PIPE_BUF on Linux: a write of this size to a pipe is never interleaved */
    VALUE_MAX_BYTES = 1024, /* of one value, escaped: one long value leaves room for the others */
    TAIL_BYTES = 8,         /* kept free for the last quote and brace and the line's end */
    ESCAPE_BYTES = 8        /* the longest escape, \uXXXX, with its terminator */
};

struct line {
    char data[LINE_MAX_BYTES];
    size_t len;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static size_t line_space(const struct line *line)
{
    size_t end = sizeof line->data - TAIL_BYTES;
    return line->len < end ? end - line->len : 0;
}

/* Our own words: names, punctuation, numbers. Cut at the buffer's end, never beyond it. */
static void put_bytes(struct line *line, const char *data, size_t len)
{
    size_t space = sizeof line->data - line->len;
    if (len > space)
        len = space;
    memcpy(line->data + line->len, data, len);
    line->len += len;
}

static void put(struct line *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

static void put_time(struct line *line, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    if (wall_ms < 0 || !gmtime_r(&seconds, &parts)) {
        put(line, "-");
        return;
    }
    char text[32];
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    put_bytes(line, text, len);
    snprintf(text, sizeof text, ".%03dZ", (int)(wall_ms % 1000));
    put(line, text);
}

/* The character at the beginning of text (not empty). Returns its length; or 0 when the bytes are not UTF-8. */
static size_t first_character(struct bytes text, uint32_t *code)
{
    unsigned char lead = (unsigned char)text.data[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (len > text.len || !utf8_valid((struct bytes){text.data, len}))
        return 0;
    *code = len == 1 ? lead : lead & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        *code = *code << 6 | ((unsigned char)text.data[i] & 0x3f);
    return len;
}

/* Controls (C0, DEL, C1), and what hides or reorders its neighbours in an editor: zero-width characters, line and
 * paragraph separators, bidirectional overrides. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

/* Writes how the character at text's beginning is shown into out. Returns how many bytes of text it took. */
static size_t escape(enum log_format format, struct bytes text, char out[ESCAPE_BYTES])
{
    uint32_t code = 0;
    size_t len = first_character(text, &code);
    if (len == 0 && format == LOG_JSON)
        strcpy(out, "\xef\xbf\xbd"); /* U+FFFD: JSON has no way to say a byte */
    else if (len == 0)
        snprintf(out, ESCAPE_BYTES, "\\x%02x", (unsigned char)text.data[0]);
    else if (code == '"' || code == '\\')
        snprintf(out, ESCAPE_BYTES, "\\%c", (char)code);
    else if (is_unsafe(code) && (format == LOG_JSON || code > 0xff))
        snprintf(out, ESCAPE_BYTES, "\\u%04x", (unsigned)(code & 0xffff));
    else if (is_unsafe(code))
        snprintf(out, ESCAPE_BYTES, "\\x%02x", (unsigned)code);
    else
        snprintf(out, ESCAPE_BYTES, "%.*s", (int)len, text.data);
    return len ? len : 1;
}

/* text with its escapes; whole, or as much as leaves room for the dots. Wants room for them at the least. */
static void put_escaped(struct line *line, enum log_format format, struct bytes text)
{
    size_t end = line->len + (line_space(line) < VALUE_MAX_BYTES ? line_space(line) : VALUE_MAX_BYTES);
    size_t cut = line->len;
    while (text.len) {
        char shown[ESCAPE_BYTES];
        size_t taken = escape(format, text, shown);
        if (line->len + strlen(shown) > end) {
            line->len = cut;
            put(line, "...");
            return;
        }
        put(line, shown);
        if (line->len + strlen("...") <= end)
            cut = line->len;
        text.data += taken;
        text.len -= taken;
    }
}

/* Text format: does a value need quotes to be told from its neighbours? */
static bool needs_quotes(struct bytes text)
{
    if (text.len == 0)
        return true;
    while (text.len) {
        uint32_t code = 0;
        size_t len = first_character(text, &code);
        if (len == 0 || is_unsafe(code) || code == ' ' || code == '"' || code == '=' || code == '\\')
            return true;
        text.data += len;
        text.len -= len;
    }
    return false;
}

static void put_value(struct line *line, enum log_format format, const struct log_field *field)
{
    if (field->kind == LOG_FIELD_INT) {
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, field->number);
        put(line, number);
        return;
    }
    bool quoted = format == LOG_JSON || needs_quotes(field->text);
    if (quoted)
        put(line, "\"");
    put_escaped(line, format, field->text);
    if (quoted)
        put(line, "\"");
}

static void put_field(struct line *line, enum log_format format, const struct log_field *field)
{
    /* a field that has no room for a little of its value is left out whole, so that the line stays well-formed */
    if (line_space(line) < strlen(field->name) + 32)
        return;
    put(line, format == LOG_JSON ? ",\"" : " ");
    put(line, field->name);
    put(line, format == LOG_JSON ? "\":" : "=");
    put_value(line, format, field);
}

static void put_head(struct line *line, const struct log *log, enum log_level level, const char *message)
{
    bool json = log->format == LOG_JSON;
    put(line, json ? "{\"time\":\"" : "");
    put_time(line, clock_wall_ms(log->clock));
    put(line, json ? "\",\"level\":\"" : " ");
    put(line, level_names[level]);
    put(line, json ? "\",\"msg\":\"" : strlen(level_names[level]) < 5 ? "  " : " ");
    put_escaped(line, log->format, bytes_of(message));
    put(line, json ? "\"" : "");
}

void log_write(const struct log *log, enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    if (level < log->level)
        return;
    struct line line;
    line.len = 0;
    put_head(&line, log, level, message);
    for (size_t i = 0; i < count; i++)
        put_field(&line, log->format, &fields[i]);
    put(&line, log->format == LOG_JSON ? "}\n" : "\n");
    /* a log that cannot be written has nowhere to complain: the line is lost, the gateway goes on */
    ssize_t written = write(log->fd, line.data, line.len);
    (void)written;
}
