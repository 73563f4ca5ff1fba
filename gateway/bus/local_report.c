/* local_report.c -- see local_report.h. */
#include "local_report.h"

#include <inttypes.h>
#include <stdio.h>

/* In the buffer: name and value one behind the other, terminated, and filled up as the buffer does. */
static void put_text(struct local_buffer *out, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1;
    size_t value_size = strlen(value) + 1;
    char *at = local_buffer_add(out, name_size + value_size);
    memcpy(at, name, name_size);
    memcpy(at + name_size, value, value_size);
}

static void put_number(struct local_buffer *out, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put_text(out, name, text);
}

static uint64_t rate(uint64_t total, uint64_t before, uint64_t elapsed_ms)
{
    return elapsed_ms && total > before ? (total - before) * 1000 / elapsed_ms : 0;
}

void local_report_write(struct local_buffer *out, const struct gateway_report *report,
                        const struct gateway_report *before, uint64_t elapsed_ms)
{
    put_text(out, "pod", report->pod);
    put_text(out, "address", report->address);
    put_text(out, "version", report->version);
    put_text(out, "state", report->state);
    put_number(out, "connections", report->connections);
    put_number(out, "rooms", report->rooms);
    put_number(out, "members", report->members);
    put_number(out, "in_per_s", rate(report->messages_in, before->messages_in, elapsed_ms));
    put_number(out, "out_per_s", rate(report->messages_out, before->messages_out, elapsed_ms));
    put_number(out, "started", (uint64_t)report->started_ms);
}

void local_report_answer(const struct local_buffer *report, const struct bus_ask *ask, struct local_answers *answers)
{
    for (size_t at = 0; at < report->len;) {
        struct bytes name = bytes_of(report->data + at);
        struct bytes value = bytes_of(name.data + name.len + 1);
        local_answers_field(answers, ask, name, value);
        at += local_padded(name.len + 1 + value.len + 1);
    }
}
