/* rules_test.c -- which rule a room has, and in which words a bad one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gateway/room/rules.h"

static const struct room_rule general = {.log = {1000, 4 << 20, 600}, .presence = true, .media = true};

static struct rules *rules_of(const char *const *texts)
{
    struct rules *rules = rules_new(&general);
    for (; *texts; texts++) {
        const char *wrong = rules_add(rules, *texts);
        if (wrong)
            fail_msg("%s: %s", *texts, wrong);
    }
    return rules;
}

#define RULES(...) rules_of((const char *const[]){__VA_ARGS__, NULL})

static void without_rules_the_general_settings_hold(void **state)
{
    (void)state;
    struct rules *rules = rules_new(&general);
    const struct room_rule *rule = rules_find(rules, BYTES("lobby"));
    assert_int_equal(rule->log.size, 1000);
    assert_int_equal(rule->log.ttl_s, 600);
    assert_true(rule->presence && rule->media);
    rules_free(rules);
    rules_free(NULL);
}

static void the_first_rule_that_matches_holds_and_says_only_what_it_says(void **state)
{
    (void)state;
    struct rules *rules = RULES("live-* log=0 presence=off members=200", "live-a log=5",
                                "*-big log-bytes=16m log-ttl=60", "  quiet   media=off  log-bytes=1000 ");
    const struct room_rule *rule = rules_find(rules, BYTES("live-a"));
    assert_int_equal(rule->log.size, 0);
    assert_int_equal(rule->log.bytes, 4 << 20);
    assert_int_equal(rule->members, 200);
    assert_true(!rule->presence && rule->media);
    rule = rules_find(rules, BYTES("x-big"));
    assert_int_equal(rule->log.bytes, 16 << 20);
    assert_int_equal(rule->log.ttl_s, 60);
    assert_int_equal(rule->log.size, 1000);
    rule = rules_find(rules, BYTES("quiet"));
    assert_false(rule->media);
    assert_int_equal(rule->log.bytes, 1000);
    assert_int_equal(rules_find(rules, BYTES("live"))->log.size, 1000);
    rules_free(rules);
}

static void assert_match(const char *pattern, const char *name, bool expected)
{
    char text[256];
    snprintf(text, sizeof text, "%s log=7", pattern);
    struct rules *rules = RULES(text);
    bool matched = rules_find(rules, bytes_of(name))->log.size == 7;
    rules_free(rules);
    if (matched != expected)
        fail_msg("%s and %s: %d", pattern, name, matched);
}

static void patterns_match_whole_names(void **state)
{
    (void)state;
    assert_match("a", "a", true);
    assert_match("a", "ab", false);
    assert_match("ab", "a", false);
    assert_match("*", "anything", true);
    assert_match("a*", "a", true);
    assert_match("*a", "banana", true);
    assert_match("*an", "banana", false);
    assert_match("b*n*a", "banana", true);
    assert_match("b*x*a", "banana", false);
    assert_match("?", "a", true);
    assert_match("?", "ab", false);
    assert_match("a?c", "abc", true);
    assert_match("a?", "a", false);
    assert_match("**?*", "a", true);
    assert_match("a*?b", "ab", false);
    assert_match("*.example.*", "www.example.org", true);
    assert_match("a;b", "a;b", true);
}

static void a_pattern_of_many_stars_ends_in_time(void **state)
{
    (void)state;
    char pattern[101] = "", name[151];
    for (int i = 0; i < 50; i++)
        strcat(pattern, "a*");
    pattern[99] = 'b';
    memset(name, 'a', 150);
    name[150] = '\0';
    assert_match(pattern, name, false);
}

static void assert_wrong(const char *text, const char *part)
{
    struct rules *rules = rules_new(&general);
    uint32_t before = rules_digest(rules);
    const char *wrong = rules_add(rules, text);
    if (!wrong || !strstr(wrong, part))
        fail_msg("%s: %s", text, wrong ? wrong : "taken");
    assert_int_equal(rules_digest(rules), before);
    rules_free(rules);
}

static void a_bad_rule_is_refused_in_words(void **state)
{
    (void)state;
    assert_wrong("", "pattern");
    assert_wrong("   ", "pattern");
    assert_wrong("a{b} log=0", "pattern");
    assert_wrong("@a log=0", "pattern");
    assert_wrong("a log=-1", "1000000");
    assert_wrong("a log", "NAME=VALUE");
    assert_wrong("a logs=1", "nothing else");
    assert_wrong("a =1", "nothing else");
    assert_wrong("a log=", "messages");
    assert_wrong("a log=1k", "messages");
    assert_wrong("a log=1000001", "messages");
    assert_wrong("a log=99999999999999999999", "messages");
    assert_wrong("a log-bytes=0", "bytes");
    assert_wrong("a log-bytes=m", "bytes");
    assert_wrong("a log-bytes=4000m", "bytes");
    assert_wrong("a log-ttl=0", "seconds");
    assert_wrong("a log-ttl=1.5", "seconds");
    assert_wrong("a presence=yes", "on or off");
    assert_wrong("a media=", "on or off");
    assert_wrong("a members=x", "number");
    char longest[700];
    memset(longest, ' ', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_wrong(longest, "512");
}

static void equal_rules_have_equal_digests_and_others_others(void **state)
{
    (void)state;
    struct rules *one = RULES("a log=1", "b presence=off"), *same = RULES(" a  log=1 ", "b presence=off media=on");
    struct rules *swapped = RULES("b presence=off", "a log=1"), *other = RULES("a log=1", "b media=off");
    assert_int_equal(rules_digest(one), rules_digest(same));
    assert_int_not_equal(rules_digest(one), rules_digest(swapped));
    assert_int_not_equal(rules_digest(one), rules_digest(other));
    rules_free(one);
    rules_free(same);
    rules_free(swapped);
    rules_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_the_general_settings_hold),
        cmocka_unit_test(the_first_rule_that_matches_holds_and_says_only_what_it_says),
        cmocka_unit_test(patterns_match_whole_names),
        cmocka_unit_test(a_pattern_of_many_stars_ends_in_time),
        cmocka_unit_test(a_bad_rule_is_refused_in_words),
        cmocka_unit_test(equal_rules_have_equal_digests_and_others_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
