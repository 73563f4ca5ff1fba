/* config_value_test.c -- what each type of setting takes, in which words it refuses the rest, and how it is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/config_value.h"

static void assert_taken(const char *name, const char *text, const char *shown)
{
    struct config config = {0};
    char why[WHY_BYTES] = "";
    const struct setting *setting = setting_find(bytes_of(name));
    if (!setting_parse(setting, text, &config, why))
        fail_msg("--%s %s: %s", name, text, why);
    char *got = setting_shown(setting, &config);
    assert_string_equal(got, shown);
    free(got);
    setting_free(setting, &config);
}

static void assert_refused(const char *name, const char *text, const char *complaint)
{
    struct config config = {0}, untouched = {0};
    char why[WHY_BYTES] = "";
    assert_false(setting_parse(setting_find(bytes_of(name)), text, &config, why));
    assert_string_equal(why, complaint);
    assert_memory_equal(&config, &untouched, sizeof config);
}

static void a_whole_number_is_digits_within_its_range(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "abc", "0", "257", "1.5", "1k", "-1", "+1", " 1", "0x1", "4294967297", "99999999999999999999999", ""};
    assert_taken("workers", "1", "1");
    assert_taken("workers", "256", "256");
    assert_taken("workers", "007", "7");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char complaint[128];
        snprintf(complaint, sizeof complaint, "'%s' is not a whole number from 1 to 256", bad[i]);
        assert_refused("workers", bad[i], complaint);
    }
}

static void sizes_take_k_and_m(void **state)
{
    (void)state;
    assert_taken("max-message", "1m", "1048576");
    assert_taken("max-message", "64M", "67108864");
    assert_taken("max-header", "32K", "32768");
    assert_taken("outbox-soft", "1000", "1000");
    assert_refused("max-message", "k", "'k' is not a whole number from 1 to 67108864 bytes (256k, 1m)");
    assert_refused("max-message", "4194305k", "'4194305k' is not a whole number from 1 to 67108864 bytes (256k, 1m)");
    assert_refused("max-header", "16kb", "'16kb' is not a whole number from 1024 to 1048576 bytes (256k, 1m)");
    assert_refused("max-header", "", "'' is not a whole number from 1024 to 1048576 bytes (256k, 1m)");
}

static void seconds_are_plain_decimals(void **state)
{
    (void)state;
    static const char *const bad[] = {"soon", "inf", "nan", "0x1p3", "1e3", "1.2.3", "-1", "5s", ".", "3600.1", ""};
    assert_taken("drain", "0", "0");
    assert_taken("drain", "0.25", "0.25");
    assert_taken("drain", ".5", "0.5");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char complaint[128];
        snprintf(complaint, sizeof complaint, "'%s' is not a number of seconds from 0 to 3600", bad[i]);
        assert_refused("drain", bad[i], complaint);
    }
    assert_refused("flush-budget-ms", "0", "'0' is not a number of milliseconds from 0.1 to 1000");
}

static void addresses_are_v4_v6_or_a_port_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"8000",     "::1:80",        "[::1]",        "[10.0.0.1]:1", "[]:1",    "1.2.3:1",
                                      "1.2.3.4:", "1.2.3.4:65536", "localhost:80", "1.2.3.4:-1",   "[::1:80", ""};
    assert_taken("listen", "10.0.0.1:80", "10.0.0.1:80");
    assert_taken("listen", ":8000", "0.0.0.0:8000");
    assert_taken("listen", "[::1]:0", "[::1]:0");
    assert_taken("listen", "[::]:65535", "[::]:65535");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char complaint[160];
        snprintf(complaint, sizeof complaint,
                 "'%s' is not an address and a port, as 0.0.0.0:8000 or [::1]:8000 (no host names)", bad[i]);
        assert_refused("listen", bad[i], complaint);
    }
}

static void words_are_taken_as_they_are_listed(void **state)
{
    (void)state;
    assert_taken("compression", "on", "on");
    assert_taken("compression", "off", "off");
    assert_refused("compression", "yes", "'yes' is not on or off");
    assert_taken("log-level", "error", "error");
    assert_refused("log-level", "LOUD", "'LOUD' is not one of debug, info, warn, error");
    assert_taken("redis-prefix", "shop-1", "shop-1");
    assert_refused("redis-prefix", "a b", "'a b': a prefix is 1 to 64 of the characters A-Z a-z 0-9 _ . : -");
}

static void a_complaint_is_one_short_line(void **state)
{
    (void)state;
    char text[500], complaint[200];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    snprintf(complaint, sizeof complaint, "'%.80s...' is not on or off", text);
    assert_refused("compression", text, complaint);
    assert_refused("compression", "two\nlines\x1b", "'two?lines?' is not on or off");
}

static void a_second_value_takes_the_place_of_the_first(void **state)
{
    (void)state;
    struct config config = {0};
    char why[WHY_BYTES];
    const struct setting *pod = setting_find(BYTES("pod"));
    assert_true(setting_parse(pod, "one", &config, why));
    assert_true(setting_parse(pod, "two", &config, why));
    assert_string_equal(config.server_name, "two");
    assert_true(setting_parse(pod, "", &config, why));
    assert_null(config.server_name);
}

static void a_list_grows_with_each_value(void **state)
{
    (void)state;
    struct config config = {0};
    char why[WHY_BYTES];
    const struct setting *rule = setting_find(BYTES("room-rule"));
    assert_true(setting_parse(rule, "a log=0", &config, why));
    assert_true(setting_parse(rule, "b log=1; c log=2;", &config, why));
    assert_true(setting_parse(rule, "", &config, why));
    assert_string_equal(config.room_rules, "a log=0; b log=1; c log=2;");
    setting_free(rule, &config);
    assert_null(config.room_rules);
    assert_refused("room-rule", "a log=0; b log=x", "'a log=0; b log=x': log= wants messages, from 0 to 1000000");
}

static void a_token_is_a_word_and_never_shown(void **state)
{
    (void)state;
    static char longest[258];
    memset(longest, 't', 257);
    assert_taken("admin-token", "s3cret://t0ken:a@b", "***");
    assert_taken("admin-token", "", "");
    assert_refused("admin-token", "two words", "a token has visible ASCII characters only, and no spaces");
    assert_refused("admin-token", "nÃ¤h", "a token has visible ASCII characters only, and no spaces");
    assert_refused("admin-token", longest, "a token has 256 characters at most");
}

static void a_bad_redis_url_is_refused_without_showing_its_password(void **state)
{
    (void)state;
    struct config config = {0};
    char why[WHY_BYTES] = "";
    assert_false(setting_parse(setting_find(BYTES("redis")), "http://:s3cret@host", &config, why));
    assert_true(*why);
    assert_null(strstr(why, "s3cret"));
}

static void a_password_is_masked(void **state)
{
    (void)state;
    static const char *const urls[][2] = {
        {"redis://host", "redis://host"},
        {"redis://user@host", "redis://user@host"},
        {"redis://:p@w@host:1", "redis://:***@host:1"},
        {"redis://u:a:b@[::1]:1/2", "redis://u:***@[::1]:1/2"},
        {"redis+unix://u:p@/run/redis.sock?db=2", "redis+unix://u:***@/run/redis.sock?db=2"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char *masked = config_masked_url(urls[i][0]);
        assert_string_equal(masked, urls[i][1]);
        free(masked);
    }
    assert_taken("redis", "redis://u:p@host/1", "redis://u:***@host/1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_number_is_digits_within_its_range),
        cmocka_unit_test(sizes_take_k_and_m),
        cmocka_unit_test(seconds_are_plain_decimals),
        cmocka_unit_test(addresses_are_v4_v6_or_a_port_alone),
        cmocka_unit_test(words_are_taken_as_they_are_listed),
        cmocka_unit_test(a_complaint_is_one_short_line),
        cmocka_unit_test(a_second_value_takes_the_place_of_the_first),
        cmocka_unit_test(a_bad_redis_url_is_refused_without_showing_its_password),
        cmocka_unit_test(a_password_is_masked),
        cmocka_unit_test(a_list_grows_with_each_value),
        cmocka_unit_test(a_token_is_a_word_and_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
