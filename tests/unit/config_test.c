/* config_test.c -- which source wins, whom a complaint blames, and what the other commands print.
 *
 * config_load is given its own argv and environ; what it prints is caught in memory files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../gateway/config.h"
#include "../../gateway/config_table.h"

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define NONE       ((char *[]){NULL})

static char printed[32768], complained[4096]; /* what the last load wrote to stdout and stderr */
static char file_path[] = "/tmp/plenum-config-test-XXXXXX";

/* ---- helpers */

static int catch_stream(FILE *stream, int *saved)
{
    fflush(stream);
    *saved = dup(fileno(stream));
    int caught = memfd_create("caught", 0);
    assert_true(*saved >= 0 && caught >= 0);
    dup2(caught, fileno(stream));
    return caught;
}

static void release_stream(FILE *stream, int saved, int caught, char *text, size_t size)
{
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    ssize_t len = pread(caught, text, size - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    close(caught);
}

/* Loads with these flags (without the program's name) and these variables. */
static enum config_result load(struct config *config, char **flags, char **variables)
{
    char *argv[32] = {"plenum"};
    int argc = 1;
    for (; flags[argc - 1]; argc++)
        argv[argc] = flags[argc - 1];
    int saved_out, saved_error;
    int out = catch_stream(stdout, &saved_out), error = catch_stream(stderr, &saved_error);
    enum config_result result = config_load(config, argc, argv, variables);
    release_stream(stdout, saved_out, out, printed, sizeof printed);
    release_stream(stderr, saved_error, error, complained, sizeof complained);
    return result;
}

static struct config loaded(char **flags, char **variables)
{
    struct config config;
    if (load(&config, flags, variables) != CONFIG_OK)
        fail_msg("not loaded: %s", complained);
    return config;
}

static void assert_refused(char **flags, char **variables, const char *complaint)
{
    struct config config;
    assert_int_equal(load(&config, flags, variables), CONFIG_EXIT_BAD);
    assert_string_equal(complained, complaint);
    assert_string_equal(printed, "");
}

static void write_file(const char *text)
{
    FILE *file = fopen(file_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* "plenum: FILE" and the rest of a complaint. */
static const char *about_file(const char *rest)
{
    static char text[256];
    snprintf(text, sizeof text, "plenum: %s%s\n", file_path, rest);
    return text;
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_path);
}

/* ---- help */

static void help_tells_every_setting_and_its_default(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(load(&config, WORDS("--help"), NONE), CONFIG_EXIT_OK);
    for (int i = 0; i < SETTINGS; i++) {
        char flag[64], fallback[64];
        snprintf(flag, sizeof flag, "--%s ", settings[i].name);
        snprintf(fallback, sizeof fallback, "(default %s", settings[i].fallback);
        const char *row = strstr(printed, flag);
        assert_non_null(row);
        assert_non_null(strstr(row, *settings[i].fallback ? fallback : "(default: "));
    }
    for (const char *line = printed, *end; (end = strchr(line, '\n')); line = end + 1)
        assert_true(end - line <= 120);
}

/* ---- which source wins */

static void defaults_work_without_any_configuration(void **state)
{
    (void)state;
    struct config config = loaded(NONE, NONE);
    assert_string_equal(config.listen.host, "0.0.0.0");
    assert_int_equal(config.listen.port, 8000);
    assert_string_equal(config.admin.host, "127.0.0.1");
    assert_int_equal(config.admin.port, 8001);
    assert_null(config.redis);
    assert_string_equal(config.redis_prefix, "plenum");
    assert_int_equal(config.workers, 1);
    assert_int_equal(config.max_message, 262144);
    assert_int_equal(config.outbox_hard, 16777216);
    assert_true(config.compression && !config.ready_needs_redis);
    assert_true(config.drain == 30 && config.flush_budget_ms == 10);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.log_format, LOG_TEXT);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    assert_string_equal(config.server_name, host);
    assert_string_equal(complained, "");
    config_free(&config);
}

static void a_flag_beats_a_variable_beats_the_file(void **state)
{
    (void)state;
    write_file("workers = 2\ndrain = 2\npod = file\n");
    char **variables = WORDS("PLENUM_WORKERS=3", "PLENUM_DRAIN=3");
    struct config config = loaded(WORDS("--workers", "4", "--config", file_path), variables);
    assert_int_equal(config.workers, 4);
    assert_true(config.drain == 3);
    assert_string_equal(config.server_name, "file");
    config_free(&config);
}

static void a_variable_can_name_the_file_and_a_flag_another(void **state)
{
    (void)state;
    write_file("workers = 2\n");
    char variable[64];
    snprintf(variable, sizeof variable, "PLENUM_CONFIG=%s", file_path);
    struct config config = loaded(NONE, WORDS(variable));
    assert_int_equal(config.workers, 2);
    config_free(&config);
    config = loaded(WORDS("--config=/dev/null"), WORDS(variable));
    assert_int_equal(config.workers, 1);
    config_free(&config);
}

static void flags_have_two_forms_and_the_last_one_counts(void **state)
{
    (void)state;
    struct config config = loaded(WORDS("--workers=2", "--log-level", "debug", "--workers", "8", "--pod=a=b"), NONE);
    assert_int_equal(config.workers, 8);
    assert_int_equal(config.log_level, LOG_DEBUG);
    assert_string_equal(config.server_name, "a=b");
    config_free(&config);
}

static void an_on_off_flag_alone_means_on(void **state)
{
    (void)state;
    struct config config = loaded(WORDS("--ready-needs-redis", "--compression", "off"), NONE);
    assert_true(config.ready_needs_redis && !config.compression);
    config_free(&config);
}

static void an_empty_variable_is_not_set(void **state)
{
    (void)state;
    struct config config = loaded(NONE, WORDS("PLENUM_WORKERS=", "PLENUM_REDIS=", "PLENUM_CONFIG="));
    assert_int_equal(config.workers, 1);
    assert_null(config.redis);
    config_free(&config);
}

static void the_file_has_comments_spaces_and_blank_lines(void **state)
{
    (void)state;
    write_file("# all of it\r\n\n  workers=2\t# two\n\tpod =  a#b  \r\nredis =\nlog-format = json");
    struct config config = loaded(WORDS("--config", file_path), NONE);
    assert_int_equal(config.workers, 2);
    assert_string_equal(config.server_name, "a#b");
    assert_null(config.redis);
    assert_int_equal(config.log_format, LOG_JSON);
    config_free(&config);
}

/* ---- mistakes */

static void a_bad_value_is_blamed_on_its_source(void **state)
{
    (void)state;
    assert_refused(WORDS("--workers", "abc"), NONE, "plenum: --workers: 'abc' is not a whole number from 1 to 256\n");
    assert_refused(WORDS("--pod"), NONE, "plenum: --pod: its value is missing\n");
    assert_refused(WORDS("--drain", "--workers"), NONE, "plenum: --drain: its value is missing\n");
    assert_refused(NONE, WORDS("PLENUM_WORKERS=many"),
                   "plenum: PLENUM_WORKERS: 'many' is not a whole number from 1 to 256\n");
    write_file("\n# here:\nworkers = many\n");
    assert_refused(WORDS("--config", file_path), NONE,
                   about_file(":3: workers: 'many' is not a whole number from 1 to 256"));
}

static void what_is_unknown_is_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--wrokers", "2"), NONE, "plenum: --wrokers: unknown flag (plenum --help lists them)\n");
    assert_refused(WORDS("--workers-file=x"), NONE,
                   "plenum: --workers-file: unknown flag (plenum --help lists them)\n");
    assert_refused(WORDS("serve"), NONE, "plenum: serve: unknown argument (plenum --help lists the flags)\n");
    assert_refused(WORDS("--"), NONE, "plenum: --: unknown argument (plenum --help lists the flags)\n");
    write_file("workers = 2\nfoo = 1\n");
    assert_refused(WORDS("--config", file_path), NONE,
                   about_file(":2: foo: unknown (plenum --help lists what there is)"));
    write_file("workers = 2\n\njust words\n");
    assert_refused(WORDS("--config", file_path), NONE, about_file(":3: not a line of the form NAME = VALUE"));
    assert_refused(WORDS("--config", "/nowhere"), NONE, "plenum: --config: /nowhere: No such file or directory\n");
}

static uint32_t kept_of(const struct config *config, const char *room)
{
    return rules_find(config->rules, bytes_of(room))->log.size;
}

static void room_rules_add_up_within_a_source(void **state)
{
    (void)state;
    struct config config = loaded(NONE, NONE);
    assert_null(config.room_rules);
    const struct room_rule *rule = rules_find(config.rules, BYTES("lobby"));
    assert_true(rule->log.size == 1000 && rule->log.bytes == 4194304 && rule->log.ttl_s == 600);
    assert_true(rule->presence && rule->media && rule->members == 0);
    config_free(&config);

    config = loaded(WORDS("--room-rule", "a* log=1", "--room-rule=b log=2; c log=3", "--log-size", "9"),
                    WORDS("PLENUM_ROOM_RULE=b log=4"));
    assert_true(kept_of(&config, "abc") == 1 && kept_of(&config, "b") == 2 && kept_of(&config, "c") == 3);
    assert_int_equal(kept_of(&config, "d"), 9);
    config_free(&config);

    write_file("room-rule = a log=5 # five\nroom-rule = b log=6;\nlog-ttl = 7\n");
    config = loaded(WORDS("--config", file_path), NONE);
    assert_true(kept_of(&config, "a") == 5 && kept_of(&config, "b") == 6);
    assert_int_equal(rules_find(config.rules, BYTES("b"))->log.ttl_s, 7);
    config_free(&config);
}

static void a_bad_room_rule_stops_the_start_with_one_line(void **state)
{
    (void)state;
    assert_refused(WORDS("--room-rule", "a log=0", "--room-rule", "b presence=maybe"), NONE,
                   "plenum: --room-rule: 'b presence=maybe': presence= is on or off\n");
    assert_refused(NONE, WORDS("PLENUM_ROOM_RULE=a log=0; {b} log=0"),
                   "plenum: PLENUM_ROOM_RULE: 'a log=0; {b} log=0': a rule begins with a pattern: 1 to 164 of the "
                   "characters of a room's name, and * and ?\n");
    write_file("room-rule = a log\n");
    assert_refused(WORDS("--config", file_path), NONE,
                   about_file(":1: room-rule: 'a log': behind its pattern a rule has settings: NAME=VALUE"));
}

static void limits_must_fit_together(void **state)
{
    (void)state;
    assert_refused(WORDS("--outbox-soft", "17m"), NONE,
                   "plenum: --outbox-soft: 17825792 is more than --outbox-hard, which is 16777216\n");
    assert_refused(
        WORDS("--max-message", "16m"), NONE,
        "plenum: --outbox-hard: 16777216 has no room for one frame of --max-message: 16777216 and 14 bytes of "
        "head\n");
    struct config config = loaded(WORDS("--max-message=1000", "--outbox-hard=1014", "--outbox-soft=1014"), NONE);
    config_free(&config);
}

/* ---- the environment around us */

static void an_unknown_variable_is_told_and_no_more(void **state)
{
    (void)state;
    struct config config = loaded(NONE, WORDS("PLENUM_WROKERS=s3cret", "PLENUMB=1", "HOME=/"));
    assert_non_null(strstr(complained, "warn  unknown variable ignored name=PLENUM_WROKERS\n"));
    assert_ptr_equal(strchr(complained, '\n') + 1, complained + strlen(complained));
    assert_null(strstr(complained, "s3cret"));
    config_free(&config);
}

static void what_kubernetes_says_of_services_is_passed_over_in_silence(void **state)
{
    (void)state;
    char **variables = WORDS("PLENUM_PORT=tcp://10.0.0.1:8000", "PLENUM_SERVICE_HOST=10.0.0.1",
                             "PLENUM_SERVICE_PORT=8000", "PLENUM_SERVICE_PORT_HTTP=8000",
                             "PLENUM_PORT_8000_TCP=tcp://10.0.0.1:8000", "PLENUM_PORT_8000_TCP_ADDR=10.0.0.1",
                             "PLENUM_ADMIN_PORT_8001_TCP_PROTO=tcp", "PLENUM_REDIS_PORT=tcp://x");
    struct config config = loaded(NONE, variables);
    assert_string_equal(complained, "");
    config_free(&config);
}

/* ---- secrets and the other commands */

static void a_secret_can_come_from_a_file(void **state)
{
    (void)state;
    write_file("redis://:s3cret@10.0.0.1:6379/1\n");
    char variable[64];
    snprintf(variable, sizeof variable, "PLENUM_REDIS_FILE=%s", file_path);
    struct config config = loaded(NONE, WORDS(variable));
    assert_string_equal(config.redis, "redis://:s3cret@10.0.0.1:6379/1");
    config_free(&config);
    config = loaded(WORDS("--redis-file", file_path), NONE);
    assert_string_equal(config.redis, "redis://:s3cret@10.0.0.1:6379/1");
    config_free(&config);
    assert_refused(NONE, WORDS(variable, "PLENUM_REDIS=redis://x"),
                   "plenum: PLENUM_REDIS_FILE: PLENUM_REDIS is set too; one of them is enough\n");
    assert_refused(WORDS("--redis-file=/nowhere"), NONE, "plenum: --redis-file: /nowhere: No such file or directory\n");
    config = loaded(WORDS("--redis", "redis://other"), WORDS("PLENUM_REDIS_FILE=/nowhere")); /* nobody needs it */
    assert_string_equal(config.redis, "redis://other");
    config_free(&config);
}

static void the_admin_token_can_come_from_a_file_and_is_never_shown(void **state)
{
    (void)state;
    write_file("s3cret-t0ken\n");
    char variable[64];
    snprintf(variable, sizeof variable, "PLENUM_ADMIN_TOKEN_FILE=%s", file_path);
    struct config config = loaded(NONE, WORDS(variable));
    assert_string_equal(config.admin_token, "s3cret-t0ken");
    config_free(&config);
    assert_int_equal(load(&config, WORDS("--print-config", "--admin-token", "s3cret"), NONE), CONFIG_EXIT_OK);
    assert_non_null(strstr(printed, "\nadmin-token = *** # --admin-token\n"));
    assert_int_equal(load(&config, WORDS("--admin-token", "s3cret token"), NONE), CONFIG_EXIT_BAD);
    assert_null(strstr(complained, "s3cret"));
}

static void an_empty_secret_file_is_a_mistake(void **state)
{
    (void)state;
    write_file("\n");
    char complaint[128];
    snprintf(complaint, sizeof complaint, "plenum: --redis-file: %s: empty\n", file_path);
    assert_refused(WORDS("--redis-file", file_path), NONE, complaint);
}

static void a_password_is_never_shown(void **state)
{
    (void)state;
    struct config config;
    char **variables = WORDS("PLENUM_REDIS=redis://user:s3cret@10.0.0.1:6379/1");
    assert_int_equal(load(&config, WORDS("--print-config"), variables), CONFIG_EXIT_OK);
    assert_non_null(strstr(printed, "\nredis = redis://user:***@10.0.0.1:6379/1 # PLENUM_REDIS\n"));
    assert_int_equal(load(&config, WORDS("--redis", "http://:s3cret@host"), NONE), CONFIG_EXIT_BAD);
    assert_null(strstr(complained, "s3cret"));
}

static void what_print_config_prints_is_a_configuration_file(void **state)
{
    (void)state;
    struct config config;
    char **flags = WORDS("--print-config", "--listen=[::1]:80", "--drain=0.25", "--outbox-hard", "3m", "--compression",
                         "off", "--log-level", "error");
    assert_int_equal(load(&config, flags, NONE), CONFIG_EXIT_OK);
    assert_non_null(strstr(printed, "drain = 0.25 # --drain\n"));
    write_file(printed);
    config = loaded(WORDS("--config", file_path), NONE);
    assert_string_equal(config.listen.host, "::1");
    assert_true(config.drain == 0.25 && !config.compression);
    assert_int_equal(config.outbox_hard, 3145728);
    assert_int_equal(config.log_level, LOG_ERROR);
    config_free(&config);
}

static void check_config_says_whether_it_is_good(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(load(&config, WORDS("--check-config", "--workers", "2"), NONE), CONFIG_EXIT_OK);
    assert_string_equal(printed, "plenum: the configuration is good\n");
    assert_refused(WORDS("--check-config", "--workers", "0"), NONE,
                   "plenum: --workers: '0' is not a whole number from 1 to 256\n");
}

static void version_and_help_do_not_care_for_the_rest(void **state)
{
    (void)state;
    struct config config;
    char **variables = WORDS("PLENUM_WORKERS=many");
    assert_int_equal(load(&config, WORDS("--version", "--nonsense"), variables), CONFIG_EXIT_OK);
    assert_string_equal(printed, "plenum " PLENUM_VERSION "\n");
    assert_int_equal(load(&config, WORDS("--help"), variables), CONFIG_EXIT_OK);
    assert_string_equal(complained, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_tells_every_setting_and_its_default),
        cmocka_unit_test(defaults_work_without_any_configuration),
        cmocka_unit_test(a_flag_beats_a_variable_beats_the_file),
        cmocka_unit_test(a_variable_can_name_the_file_and_a_flag_another),
        cmocka_unit_test(flags_have_two_forms_and_the_last_one_counts),
        cmocka_unit_test(an_on_off_flag_alone_means_on),
        cmocka_unit_test(an_empty_variable_is_not_set),
        cmocka_unit_test(the_file_has_comments_spaces_and_blank_lines),
        cmocka_unit_test(a_bad_value_is_blamed_on_its_source),
        cmocka_unit_test(what_is_unknown_is_refused),
        cmocka_unit_test(limits_must_fit_together),
        cmocka_unit_test(an_unknown_variable_is_told_and_no_more),
        cmocka_unit_test(what_kubernetes_says_of_services_is_passed_over_in_silence),
        cmocka_unit_test(a_secret_can_come_from_a_file),
        cmocka_unit_test(an_empty_secret_file_is_a_mistake),
        cmocka_unit_test(the_admin_token_can_come_from_a_file_and_is_never_shown),
        cmocka_unit_test(room_rules_add_up_within_a_source),
        cmocka_unit_test(a_bad_room_rule_stops_the_start_with_one_line),
        cmocka_unit_test(a_password_is_never_shown),
        cmocka_unit_test(what_print_config_prints_is_a_configuration_file),
        cmocka_unit_test(check_config_says_whether_it_is_good),
        cmocka_unit_test(version_and_help_do_not_care_for_the_rest),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
