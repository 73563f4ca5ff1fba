/* resp_test.c -- the reader of Redis' protocol: what it tells, that it tells the same however the bytes are cut up, and
 * that nothing comes of half a reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/redis_pubsub.h"
#include "common/resp.h"
#include "common/xalloc.h"

/* ---- a reader that writes down what it is told ---- */

struct notes {
    struct resp resp;
    char text[4096];
    size_t len;
    int stop_after; /* values; 0: never */
};

static void note(struct notes *notes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    notes->len += (size_t)vsnprintf(notes->text + notes->len, sizeof notes->text - notes->len, format, args);
    va_end(args);
    assert_true(notes->len < sizeof notes->text);
}

static void on_value(void *ctx, const struct resp_value *value)
{
    struct notes *notes = ctx;
    note(notes, "%d.%d", value->depth, value->index);
    switch (value->type) {
    case RESP_STRING:
        note(notes, "$%.*s ", (int)value->text.len, value->text.data);
        break;
    case RESP_STATUS:
        note(notes, "+%.*s ", (int)value->text.len, value->text.data);
        break;
    case RESP_ERROR:
        note(notes, "-%.*s ", (int)value->text.len, value->text.data);
        break;
    case RESP_INTEGER:
        note(notes, ":%lld ", value->number);
        break;
    case RESP_NIL:
        note(notes, "nil ");
        break;
    case RESP_ARRAY:
        note(notes, "*%lld ", value->number);
        break;
    }
    if (notes->stop_after && --notes->stop_after == 0)
        resp_stop(&notes->resp);
}

static void on_end(void *ctx)
{
    note(ctx, "; ");
}

static const struct resp_events events = {.on_value = on_value, .on_end = on_end};

static const char stream[] = "+OK\r\n"
                             ":-12\r\n"
                             "-ERR no such thing\r\n"
                             "$5\r\nhe\r\no\r\n"
                             "$0\r\n\r\n"
                             "$-1\r\n"
                             "*-1\r\n"
                             "*0\r\n"
                             "*3\r\n$7\r\nmessage\r\n$14\r\nplenum:{lobby}\r\n$5\r\nhello\r\n"
                             "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*1\r\n+b\r\n$1\r\nc\r\n"
                             "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
static const char told[] = "0.0+OK ; "
                           "0.0:-12 ; "
                           "0.0-ERR no such thing ; "
                           "0.0$he\r\no ; "
                           "0.0$ ; "
                           "0.0nil ; "
                           "0.0nil ; "
                           "0.0*0 ; "
                           "0.0*3 1.0$message 1.1$plenum:{lobby} 1.2$hello ; "
                           "0.0*3 1.0:1 1.1*2 2.0$a 2.1*1 3.0+b 1.2$c ; "
                           "0.0*3 1.0$subscribe 1.1$x 1.2:1 ; ";

static struct notes *notes_new(void)
{
    struct notes *notes = xcalloc(1, sizeof *notes);
    resp_init(&notes->resp, &events, notes);
    return notes;
}

static void notes_free(struct notes *notes)
{
    resp_close(&notes->resp);
    free(notes);
}

static bool feed(struct notes *notes, const char *bytes, size_t len)
{
    return resp_feed(&notes->resp, (struct bytes){bytes, len});
}

static void every_kind_of_value_is_told(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    assert_true(feed(notes, stream, sizeof stream - 1));
    assert_string_equal(notes->text, told);
    notes_free(notes);
}

static void every_split_point_gives_the_same(void **state)
{
    (void)state;
    size_t len = sizeof stream - 1;
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second += 7) {
            struct notes *notes = notes_new();
            assert_true(feed(notes, stream, first));
            assert_true(feed(notes, stream + first, second - first));
            assert_true(feed(notes, stream + second, len - second));
            assert_string_equal(notes->text, told);
            notes_free(notes);
        }
    }
}

static void single_bytes_give_the_same(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    for (size_t i = 0; i < sizeof stream - 1; i++)
        assert_true(feed(notes, stream + i, 1));
    assert_string_equal(notes->text, told);
    notes_free(notes);
}

static void half_a_reply_is_never_told_as_whole(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    const char half[] = "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$10\r\nhello";
    assert_true(feed(notes, half, sizeof half - 1));
    assert_string_equal(notes->text, "0.0*3 1.0$message 1.1$x ");
    resp_reset(&notes->resp); /* the connection is another one */
    assert_true(feed(notes, "+OK\r\n", 5));
    assert_string_equal(notes->text, "0.0*3 1.0$message 1.1$x 0.0+OK ; ");
    notes_free(notes);
}

static void what_is_no_resp_is_an_error(void **state)
{
    (void)state;
    const char *bad[] = {"HTTP/1.1 400 Bad Request\r\n", "?\r\n", "$x\r\n", "*x\r\n", "*1\r\n!\r\n", "$-2\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct notes *notes = notes_new();
        assert_false(feed(notes, bad[i], strlen(bad[i])));
        assert_true(strlen(resp_error(&notes->resp)) > 0);
        resp_reset(&notes->resp);
        assert_true(feed(notes, "+OK\r\n", 5));
        notes_free(notes);
    }
}

static void nothing_is_told_after_a_stop_from_inside(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    notes->stop_after = 2;
    const char replies[] = "*3\r\n:1\r\n:2\r\n:3\r\n+OK\r\n";
    assert_true(feed(notes, replies, sizeof replies - 1));
    assert_true(feed(notes, "+OK\r\n", 5));
    assert_string_equal(notes->text, "0.0*3 1.0:1 ");
    notes_free(notes);
}

static void note_length(void *ctx, const struct resp_value *value)
{
    *(size_t *)ctx = value->text.len;
}

static void ignore_end(void *ctx)
{
    (void)ctx;
}

static void a_payload_of_a_mebibyte_is_told_in_one_piece(void **state)
{
    (void)state;
    static const struct resp_events length_events = {note_length, ignore_end};
    size_t payload = 1 << 20, told_len = 0;
    char *reply = xmalloc(payload + 64);
    size_t head = (size_t)sprintf(reply, "$%zu\r\n", payload);
    memset(reply + head, 'x', payload);
    memcpy(reply + head + payload, "\r\n", 2);
    size_t len = head + payload + 2;

    struct resp resp;
    resp_init(&resp, &length_events, &told_len);
    for (size_t at = 0; at < len; at += 5000) {
        assert_int_equal(told_len, 0);
        assert_true(resp_feed(&resp, (struct bytes){reply + at, len - at < 5000 ? len - at : 5000}));
    }
    assert_int_equal(told_len, payload);
    resp_close(&resp);
    free(reply);
}

/* ---- what a subscribed connection says ---- */

struct pubsub_notes {
    char text[512];
    struct redis_pubsub pubsub;
    enum redis_pubsub_result last;
};

static void pubsub_note(void *ctx, const char *what, struct bytes text)
{
    struct pubsub_notes *notes = ctx;
    size_t len = strlen(notes->text);
    snprintf(notes->text + len, sizeof notes->text - len, "%s(%.*s) ", what, (int)text.len, text.data);
}

static void on_channel(void *ctx, struct bytes text)
{
    pubsub_note(ctx, "channel", text);
}

static void on_payload(void *ctx, struct bytes text)
{
    pubsub_note(ctx, "payload", text);
}

static void on_subscribed(void *ctx, struct bytes text)
{
    pubsub_note(ctx, "subscribed", text);
}

static void on_unsubscribed(void *ctx, struct bytes text)
{
    pubsub_note(ctx, "unsubscribed", text);
}

static void on_pubsub_value(void *ctx, const struct resp_value *value)
{
    static const struct redis_pubsub_events pubsub_events = {on_channel, on_payload, on_subscribed, on_unsubscribed,
                                                             NULL};
    struct pubsub_notes *notes = ctx;
    enum redis_pubsub_result result = redis_pubsub_value(&notes->pubsub, value, &pubsub_events, notes);
    if (result == PUBSUB_IS_PONG)
        pubsub_note(notes, "pong", value->text);
    else if (result == PUBSUB_IS_ERROR)
        pubsub_note(notes, "error", value->text);
}

static void on_pubsub_end(void *ctx)
{
    (void)ctx;
}

static void a_subscribed_connection_is_understood(void **state)
{
    (void)state;
    static const struct resp_events pubsub_resp_events = {on_pubsub_value, on_pubsub_end};
    struct pubsub_notes notes = {.text = ""};
    struct resp resp;
    resp_init(&resp, &pubsub_resp_events, &notes);
    const char *replies = "$1\r\nn\r\n" /* PING's answer before anything is subscribed */
                          "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
                          "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\npong\r\n"
                          "*2\r\n$4\r\npong\r\n$2\r\nn2\r\n"
                          "*3\r\n$7\r\nmessage\r\n$7\r\nmessage\r\n$0\r\n\r\n"
                          "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n"
                          "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
                          "-NOPERM no\r\n";
    assert_true(resp_feed(&resp, bytes_of(replies)));
    assert_string_equal(notes.text,
                        "pong(n) subscribed(a) channel(a) payload(pong) pong(n2) channel(message) payload() "
                        "unsubscribed(a) error(NOPERM no) ");
    resp_close(&resp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_told),
        cmocka_unit_test(every_split_point_gives_the_same),
        cmocka_unit_test(single_bytes_give_the_same),
        cmocka_unit_test(half_a_reply_is_never_told_as_whole),
        cmocka_unit_test(what_is_no_resp_is_an_error),
        cmocka_unit_test(nothing_is_told_after_a_stop_from_inside),
        cmocka_unit_test(a_payload_of_a_mebibyte_is_told_in_one_piece),
        cmocka_unit_test(a_subscribed_connection_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
