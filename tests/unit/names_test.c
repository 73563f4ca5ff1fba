/* names_test.c -- which room names and prefixes are taken, and how keys and channels are spelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/names.h"

static void room_names_have_letters_digits_and_some_marks(void **state)
{
    (void)state;
    const char *good[] = {"lobby", "a", "0", "Room-1_b.c:d=e@f,g;h", "presence-x@y", "-", "."};
    const char *bad[] = {"", "@admin", "a b", "a/b", "a{b", "a}b", "a\nb", "\xc3\xa4", "a%20b", "a*", "a#", "a\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(room_name_valid(bytes_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(room_name_valid(bytes_of(bad[i])));
    assert_false(room_name_valid((struct bytes){"a\0b", 3}));
}

static void every_byte_is_judged_as_the_rule_says(void **state)
{
    (void)state;
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:=@,;-";
    for (int c = 0; c < 256; c++) {
        char name[2] = {'x', (char)c};
        assert_int_equal(room_name_valid((struct bytes){name, 2}), c != 0 && strchr(allowed, c) != NULL);
    }
}

static void a_room_name_has_164_bytes_at_most(void **state)
{
    (void)state;
    char name[165];
    memset(name, 'x', sizeof name);
    assert_true(room_name_valid((struct bytes){name, 164}));
    assert_false(room_name_valid((struct bytes){name, 165}));
}

static void a_prefix_has_no_marks_of_rooms(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'p', sizeof longest);
    assert_true(prefix_valid(BYTES("plenum")));
    assert_true(prefix_valid(BYTES("my.app:plenum-2_x")));
    assert_true(prefix_valid((struct bytes){longest, 64}));
    assert_false(prefix_valid((struct bytes){longest, 65}));
    assert_false(prefix_valid(BYTES("")));
    assert_false(prefix_valid(BYTES("a=b")));
    assert_false(prefix_valid(BYTES("a{b")));
    assert_false(prefix_valid(BYTES("a b")));
}

static void names_are_spelled_as_the_readme_says(void **state)
{
    (void)state;
    char name[NAME_BUFFER];
    struct bytes prefix = BYTES("plenum");
    assert_int_equal(name_room_channel(name, prefix, BYTES("lobby")), strlen("plenum:{lobby}"));
    assert_string_equal(name, "plenum:{lobby}");
    assert_int_equal(name_gateway_inbox(name, prefix, 0x0a1b2c3d), strlen("plenum:{gw:0a1b2c3d}:in"));
    assert_string_equal(name, "plenum:{gw:0a1b2c3d}:in");
    name_gateways(name, prefix);
    assert_string_equal(name, "plenum:gws");
    name_gateway(name, prefix, 7);
    assert_string_equal(name, "plenum:gw:00000007");
}

static void the_longest_name_fits(void **state)
{
    (void)state;
    char text[ROOM_NAME_MAX];
    memset(text, 'x', sizeof text);
    char name[NAME_BUFFER];
    size_t len = name_room_channel(name, (struct bytes){text, PREFIX_MAX}, (struct bytes){text, ROOM_NAME_MAX});
    assert_int_equal(len, PREFIX_MAX + ROOM_NAME_MAX + 3);
    assert_int_equal(strlen(name), len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_names_have_letters_digits_and_some_marks),
        cmocka_unit_test(every_byte_is_judged_as_the_rule_says),
        cmocka_unit_test(a_room_name_has_164_bytes_at_most),
        cmocka_unit_test(a_prefix_has_no_marks_of_rooms),
        cmocka_unit_test(names_are_spelled_as_the_readme_says),
        cmocka_unit_test(the_longest_name_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
