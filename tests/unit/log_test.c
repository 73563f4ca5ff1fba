/* log_test.c -- one event is one line in one write, whatever strangers put into it.
 *
 * The log writes into a datagram socket, so that each read returns what one write(2) wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/log.h"
#include "../../common/utf8.h"

enum { LINE_LIMIT = 4096 };

static int sockets[2];
static char line[2 * LINE_LIMIT];

static int64_t fixed_wall_ms(void *ctx)
{
    (void)ctx;
    return 1795540116123;
}

static const struct clock fixed_clock = {.wall_ms = fixed_wall_ms};

static int open_sockets(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
}

static int close_sockets(void **state)
{
    (void)state;
    close(sockets[0]);
    close(sockets[1]);
    return 0;
}

static struct log log_of(enum log_format format)
{
    return (struct log){.fd = sockets[0], .level = LOG_INFO, .format = format, .clock = &fixed_clock};
}

/* Takes the one line that was written into `line`, without its newline, the only one in it. */
static size_t take_line(void)
{
    ssize_t len = recv(sockets[1], line, sizeof line - 1, MSG_DONTWAIT);
    assert_true(len > 0);
    assert_true(len <= LINE_LIMIT);
    assert_int_equal(line[len - 1], '\n');
    line[len - 1] = '\0';
    assert_null(memchr(line, '\n', (size_t)len - 1));
    assert_int_equal(strlen(line), len - 1);
    assert_int_equal(recv(sockets[1], (char[1]){0}, 1, MSG_DONTWAIT), -1);
    return (size_t)len - 1;
}

/* What the line's only field is shown as. */
static const char *shown(enum log_format format, struct bytes value)
{
    struct log log = log_of(format);
    log_event(&log, LOG_WARN, "seen", log_bytes("v", value));
    take_line();
    static const char text_head[] = "2026-11-24T17:08:36.123Z warn  seen v=";
    static const char json_head[] = "{\"time\":\"2026-11-24T17:08:36.123Z\",\"level\":\"warn\",\"msg\":\"seen\",\"v\":";
    const char *head = format == LOG_JSON ? json_head : text_head;
    assert_memory_equal(line, head, strlen(head));
    return line + strlen(head);
}

static void a_text_line_is_for_people(void **state)
{
    (void)state;
    struct log log = log_of(LOG_TEXT);
    log_event(&log, LOG_INFO, "listening", log_text("public", "127.0.0.1:8000"), log_int("workers", -4));
    take_line();
    assert_string_equal(line, "2026-11-24T17:08:36.123Z info  listening public=127.0.0.1:8000 workers=-4");
    log_event(&log, LOG_ERROR, "gone", log_int("most", INT64_MIN));
    take_line();
    assert_string_equal(line, "2026-11-24T17:08:36.123Z error gone most=-9223372036854775808");
}

static void a_json_line_is_for_machines(void **state)
{
    (void)state;
    struct log log = log_of(LOG_JSON);
    log_event(&log, LOG_INFO, "listening", log_text("public", "127.0.0.1:8000"), log_int("port", 8000));
    take_line();
    assert_string_equal(line, "{\"time\":\"2026-11-24T17:08:36.123Z\",\"level\":\"info\",\"msg\":\"listening\","
                              "\"public\":\"127.0.0.1:8000\",\"port\":8000}");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    struct log log = log_of(LOG_TEXT);
    log_event(&log, LOG_DEBUG, "detail", log_int("n", 1));
    assert_int_equal(recv(sockets[1], line, sizeof line, MSG_DONTWAIT), -1);
}

static void a_text_value_is_quoted_where_it_could_be_misread(void **state)
{
    (void)state;
    assert_string_equal(shown(LOG_TEXT, BYTES("plain-1.2/x")), "plain-1.2/x");
    assert_string_equal(shown(LOG_TEXT, BYTES("gr\xc3\xbc\xc3\x9f")), "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(shown(LOG_TEXT, BYTES("")), "\"\"");
    assert_string_equal(shown(LOG_TEXT, BYTES("two words")), "\"two words\"");
    assert_string_equal(shown(LOG_TEXT, BYTES("a=b")), "\"a=b\"");
    assert_string_equal(shown(LOG_TEXT, BYTES("say \"hi\"")), "\"say \\\"hi\\\"\"");
    assert_string_equal(shown(LOG_TEXT, BYTES("back\\slash")), "\"back\\\\slash\"");
}

static void no_value_can_end_the_line_or_speak_to_the_terminal(void **state)
{
    (void)state;
    struct bytes nasty = BYTES("a\nb\r\x1b[31m\0\x7f\xc2\x9b");
    assert_string_equal(shown(LOG_TEXT, nasty), "\"a\\x0ab\\x0d\\x1b[31m\\x00\\x7f\\x9b\"");
    assert_string_equal(shown(LOG_JSON, nasty), "\"a\\u000ab\\u000d\\u001b[31m\\u0000\\u007f\\u009b\"}");
}

static void characters_that_hide_or_reorder_text_are_shown_as_numbers(void **state)
{
    (void)state;
    assert_string_equal(shown(LOG_TEXT, BYTES("x\xe2\x80\xaey")), "\"x\\u202ey\"");
    assert_string_equal(shown(LOG_JSON, BYTES("x\xe2\x80\xaey")), "\"x\\u202ey\"}");
}

static void bytes_that_are_not_utf8_leave_valid_json_and_readable_text(void **state)
{
    (void)state;
    struct bytes broken = BYTES("a\xff\xc3(\xf0\x9f\x98");
    assert_string_equal(shown(LOG_TEXT, broken), "\"a\\xff\\xc3(\\xf0\\x9f\\x98\"");
    assert_string_equal(shown(LOG_JSON, broken), "\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}");
}

static void a_long_value_is_cut_and_what_follows_it_still_stands(void **state)
{
    (void)state;
    char text[9000];
    for (size_t i = 0; i < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3); /* a euro sign: a cut in its middle would not be UTF-8 */
    struct log log = log_of(LOG_JSON);
    log_event(&log, LOG_INFO, "seen", log_bytes("long", (struct bytes){text, sizeof text}), log_int("after", 7));
    size_t len = take_line();
    assert_true(utf8_valid((struct bytes){line, len}));
    assert_non_null(strstr(line, "\xe2\x82\xac...\",\"after\":7}"));
}

static void a_value_that_just_fits_is_not_cut(void **state)
{
    (void)state;
    char text[1025];
    memset(text, 'x', sizeof text);
    assert_int_equal(strlen(shown(LOG_TEXT, (struct bytes){text, 1024})), 1024);
    assert_null(strstr(line, "..."));
    assert_int_equal(strlen(shown(LOG_TEXT, (struct bytes){text, 1025})), 1024);
    assert_non_null(strstr(line, "x..."));
}

static void more_than_a_line_can_hold_is_still_one_json_object(void **state)
{
    (void)state;
    char text[3000];
    memset(text, '\x01', sizeof text); /* each becomes six bytes */
    for (size_t step = 900; step < sizeof text; step++) {
        struct bytes value = {text, step % 200};
        struct log_field fields[64];
        for (size_t i = 0; i < 64; i++)
            fields[i] = log_bytes("field", value);
        struct log log = log_of(LOG_JSON);
        log_write(&log, LOG_INFO, "seen", fields, 64);
        take_line();
        cJSON *json = cJSON_Parse(line);
        assert_non_null(json);
        cJSON_Delete(json);
    }
}

static void any_bytes_give_one_valid_line(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        char text[48];
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = (char)(seed >> 24);
        }
        struct bytes value = {text, (size_t)round % sizeof text};
        shown(LOG_TEXT, value);
        assert_true(utf8_valid(bytes_of(line)));
        shown(LOG_JSON, value);
        assert_true(utf8_valid(bytes_of(line)));
        cJSON *json = cJSON_Parse(line);
        assert_non_null(json);
        cJSON_Delete(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_is_for_people),
        cmocka_unit_test(a_json_line_is_for_machines),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(a_text_value_is_quoted_where_it_could_be_misread),
        cmocka_unit_test(no_value_can_end_the_line_or_speak_to_the_terminal),
        cmocka_unit_test(characters_that_hide_or_reorder_text_are_shown_as_numbers),
        cmocka_unit_test(bytes_that_are_not_utf8_leave_valid_json_and_readable_text),
        cmocka_unit_test(a_long_value_is_cut_and_what_follows_it_still_stands),
        cmocka_unit_test(a_value_that_just_fits_is_not_cut),
        cmocka_unit_test(more_than_a_line_can_hold_is_still_one_json_object),
        cmocka_unit_test(any_bytes_give_one_valid_line),
    };
    return cmocka_run_group_tests(tests, open_sockets, close_sockets);
}
