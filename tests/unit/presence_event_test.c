/* presence_event_test.c -- what a presence event's text says, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/bus/presence_event.h"

static bool read_event(const char *message, struct presence_event *event)
{
    struct envelope envelope;
    assert_int_equal(envelope_decode(bytes_of(message), &envelope), ENVELOPE_OK);
    return presence_event_read(&envelope, event);
}

static void expect_change(struct presence_event *event, enum presence_op op, uint64_t member, const char *value)
{
    struct presence_change change;
    assert_true(presence_event_next(event, &change));
    assert_int_equal(change.op, op);
    assert_true(change.member == member);
    assert_true(bytes_equal(change.value, bytes_of(value)));
}

static void a_join_an_update_and_a_leave_are_read_in_order(void **state)
{
    (void)state;
    struct presence_event event;
    assert_true(read_event("p1 0 e p - 0a1b2c3d 17 9 2\n"
                           "j 0a1b2c3d00000001 {\"name\":\"Ann Example\"}\n"
                           "u 0a1b2c3dffffffff {}\n"
                           "l 0a1b2c3d00000002 lost\n",
                           &event));
    assert_int_equal(event.pv, 9);
    assert_int_equal(event.members, 2);
    assert_int_equal(event.gateway, 0x0a1b2c3d);
    expect_change(&event, PRESENCE_JOIN, 0x0a1b2c3d00000001, "{\"name\":\"Ann Example\"}");
    expect_change(&event, PRESENCE_UPDATE, 0x0a1b2c3dffffffff, "{}");
    expect_change(&event, PRESENCE_LEAVE, 0x0a1b2c3d00000002, "lost");
    struct presence_change change;
    assert_false(presence_event_next(&event, &change));
    assert_int_equal(event.rest.len, 0);
}

/* As a script writes it that puts newlines between the lines only. */
static void the_last_newline_may_be_missing(void **state)
{
    (void)state;
    struct presence_event event;
    assert_true(read_event("p1 0 e p - 0a1b2c3d 17 9 1\nj 0a1b2c3d00000001 {}", &event));
    expect_change(&event, PRESENCE_JOIN, 0x0a1b2c3d00000001, "{}");
    assert_int_equal(event.rest.len, 0);
}

static void a_count_alone_is_an_event_without_changes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct presence_event event;
        struct presence_change change;
        assert_true(read_event(i ? "p1 0 e p - 0a1b2c3d 17 10 400" : "p1 0 e p - 0a1b2c3d 17 10 400\n", &event));
        assert_int_equal(event.members, 400);
        assert_false(presence_event_next(&event, &change));
        assert_int_equal(event.rest.len, 0);
    }
}

static void an_empty_value_is_a_value(void **state)
{
    (void)state;
    struct presence_event event;
    assert_true(read_event("p1 0 - p - 0a1b2c3d 17 1 1\nj 0a1b2c3d00000001 \nl 0a1b2c3d00000001\n", &event));
    expect_change(&event, PRESENCE_JOIN, 0x0a1b2c3d00000001, "");
    expect_change(&event, PRESENCE_LEAVE, 0x0a1b2c3d00000001, "");
}

static void what_is_no_event_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "p1 0 e t - 0a1b2c3d 17 9 2\n",                       /* another kind */
        "p1 0 e p - - 17 9 2\n",                              /* of nobody */
        "p1 0 e p - 0a1b2c3 17 9 2\n",                        /* seven digits */
        "p1 0 e p - 0A1B2C3D 17 9 2\n",                       /* not as gateways write it */
        "p1 0 e p - 0a1b2c3d00000001 17 9 2\n",               /* a member */
        "p1 0 e p - 0a1b2c3d 17 ",                            /* nothing */
        "p1 0 e p - 0a1b2c3d 17 9",                           /* no count */
        "p1 0 e p - 0a1b2c3d 17 9 \n",                        /* an empty one */
        "p1 0 e p - 0a1b2c3d 17 9 2 3\n",                     /* one too many */
        "p1 0 e p - 0a1b2c3d 17 -1 2\n",                      /* negative */
        "p1 0 e p - 0a1b2c3d 17 18446744073709551616 2\n",    /* 2^64 */
        "p1 0 e p - 0a1b2c3d 17 j 0a1b2c3d00000001 {}\n9 2 ", /* turned round */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct presence_event event;
        if (read_event(bad[i], &event))
            fail_msg("was taken for an event: %s", bad[i]);
    }
}

static void a_line_that_is_none_stops_the_reading(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "k 0a1b2c3d00000001 {}\n",
        "jj 0a1b2c3d00000001 {}\n",
        "j 0a1b2c3d0000001 {}\n",
        "j 0a1b2c3d0000000g {}\n",
        "j\n",
        "\n",
        " 0a1b2c3d00000001 {}\n",
        "j  0a1b2c3d00000001 {}\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "p1 0 e p - 0a1b2c3d 17 9 2\nl 0a1b2c3d00000001 left\n%s", bad[i]);
        struct presence_event event;
        struct presence_change change;
        assert_true(read_event(text, &event));
        expect_change(&event, PRESENCE_LEAVE, 0x0a1b2c3d00000001, "left");
        assert_false(presence_event_next(&event, &change));
        assert_true(bytes_equal(event.rest, bytes_of(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_an_update_and_a_leave_are_read_in_order),
        cmocka_unit_test(the_last_newline_may_be_missing),
        cmocka_unit_test(a_count_alone_is_an_event_without_changes),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(a_line_that_is_none_stops_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
