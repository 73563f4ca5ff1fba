/* ctl_parse_test.c -- what an admin may write, and in which words the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/admin/ctl_parse.h"

static struct ctl_command parsed(const char *line)
{
    struct ctl_command command;
    const char *wrong = ctl_parse(bytes_of(line), &command);
    if (wrong)
        fail_msg("%s: %s", line, wrong);
    assert_null(ctl_check(&command));
    return command;
}

static void assert_text(struct bytes got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
}

static void every_verb_is_read_with_its_keys(void **state)
{
    (void)state;
    struct ctl_command command = parsed("kick room=lobby user=alice");
    assert_int_equal(command.verb, CTL_KICK);
    assert_text(ctl_room(&command), "lobby");
    assert_text(ctl_user(&command), "alice");
    assert_true(command.member == 0 && command.seconds == -1);
    command = parsed("  kick   member=0a1b2c3d00000001  room=a=b ");
    assert_true(command.member == 0x0a1b2c3d00000001 && command.user_len == 0);
    assert_text(ctl_room(&command), "a=b");
    assert_int_equal(parsed("ban room=lobby user=x for=600").seconds, 600);
    assert_int_equal(parsed("ban room=lobby user=x").seconds, -1);
    assert_int_equal(parsed("unban room=lobby user=x").verb, CTL_UNBAN);
    assert_int_equal(parsed("lock room=lobby").verb, CTL_LOCK);
    assert_int_equal(parsed("unlock room=lobby").verb, CTL_UNLOCK);
    assert_int_equal(parsed("end room=lobby").verb, CTL_END);
    assert_int_equal(parsed("mute room=lobby user=x").verb, CTL_MUTE);
    assert_int_equal(parsed("unmute room=lobby member=ffffffffffffffff").verb, CTL_UNMUTE);
    assert_int_equal(parsed("count").room_len, 0);
    assert_int_equal(parsed("count room=lobby").room_len, 5);
    assert_int_equal(parsed("drain").seconds, -1);
    assert_int_equal(parsed("drain over=0").seconds, 0);
    assert_int_equal(parsed("drain over=60").verb, CTL_DRAIN);
}

static void values_are_percent_decoded(void **state)
{
    (void)state;
    struct ctl_command command = parsed("kick room=%6cobby user=Ada%20L%c3%B6velace%25");
    assert_text(ctl_room(&command), "lobby");
    assert_text(ctl_user(&command), "Ada L\xc3\xb6velace%");
}

static void assert_wrong(const char *line, const char *part)
{
    struct ctl_command command;
    const char *wrong = ctl_parse(bytes_of(line), &command);
    if (!wrong || !strstr(wrong, part))
        fail_msg("%s: %s", line, wrong ? wrong : "taken");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_wrong("", "unknown verb");
    assert_wrong("kik room=lobby user=a", "unknown verb");
    assert_wrong("KICK room=lobby user=a", "unknown verb");
    assert_wrong("kick\troom=lobby", "unknown verb");
    assert_wrong("kick", "room= is missing");
    assert_wrong("kick user=a", "room= is missing");
    assert_wrong("kick room=lobby", "user= or member= is missing");
    assert_wrong("kick room=lobby user=a member=0a1b2c3d00000001", "not both");
    assert_wrong("ban room=lobby", "user= is missing");
    assert_wrong("ban room=lobby member=0a1b2c3d00000001", "no use");
    assert_wrong("lock room=lobby user=a", "no use");
    assert_wrong("drain room=lobby", "no use");
    assert_wrong("drain for=5", "no use");
    assert_wrong("kick room=lobby user=a for=5", "no use");
    assert_wrong("kick lobby alice", "key=value");
    assert_wrong("kick room=lobby who=alice", "unknown key");
    assert_wrong("kick room=lobby room=lobby user=a", "twice");
    assert_wrong("kick room= user=a", "not a room's name");
    assert_wrong("kick room={a} user=a", "not a room's name");
    assert_wrong("kick room=lobby user=", "not a name");
    assert_wrong("kick room=lobby user=%ff", "not a name");
    assert_wrong("kick room=lobby user=%2", "two hex digits");
    assert_wrong("kick room=lobby member=0a1b2c3d0000001", "16 hex digits");
    assert_wrong("kick room=lobby member=0A1B2C3D00000001", "16 hex digits");
    assert_wrong("kick room=lobby member=0000000000000000", "16 hex digits");
    assert_wrong("ban room=lobby user=a for=0", "seconds");
    assert_wrong("ban room=lobby user=a for=-5", "seconds");
    assert_wrong("ban room=lobby user=a for=1.5", "seconds");
    assert_wrong("ban room=lobby user=a for=99999999999999999999", "seconds");
    assert_wrong("drain over=3601", "3600");
    assert_wrong("drain over=", "3600");
}

static void a_value_of_any_length_is_looked_at_and_no_further(void **state)
{
    (void)state;
    char line[2000] = "kick room=lobby user=";
    memset(line + strlen(line), 'x', 65);
    assert_wrong(line, "not a name");
    memset(line + strlen(line), 'x', 1500);
    assert_wrong(line, "too long");
}

static void what_is_written_is_read_as_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {"kick room=a;b=c user=Ada%20%3D%25", "ban room=x user=%C3%A4 for=315360000",
                                        "kick room=x member=0a1b2c3d00000001", "drain over=0", "count"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct ctl_command command = parsed(lines[i]);
        char out[CTL_LINE_MAX];
        assert_text((struct bytes){out, ctl_write(&command, out)}, lines[i]);
    }
}

static void a_command_put_together_by_hand_is_checked_too(void **state)
{
    (void)state;
    struct ctl_command command = {.verb = CTL_BAN, .seconds = -1};
    assert_non_null(ctl_check(&command));
    memcpy(command.room, "lobby", command.room_len = 5);
    assert_non_null(ctl_check(&command));
    assert_true(ctl_set_user(&command, BYTES("Ada L")));
    assert_null(ctl_check(&command));
    command.verb = CTL_KICK;
    command.seconds = 5;
    assert_non_null(ctl_check(&command));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_is_read_with_its_keys),
        cmocka_unit_test(values_are_percent_decoded),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_value_of_any_length_is_looked_at_and_no_further),
        cmocka_unit_test(what_is_written_is_read_as_the_same),
        cmocka_unit_test(a_command_put_together_by_hand_is_checked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
