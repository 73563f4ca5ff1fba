/* metrics_test.c -- the page is valid Prometheus text, and says what was counted.
 *
 * check_page reads it as strictly as Prometheus does (promtool is not at hand): HELP, then TYPE, then the samples of
 * that family and no other; legal names; no sample twice; counters end in _total; histograms are cumulative. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../gateway/admin/metrics.h"

enum { MOST_SAMPLES = 256, MOST_FAMILIES = 128 };

struct sample {
    char id[160]; /* name with labels */
    double value;
};

struct family {
    char name[80], type[16];
};

struct page {
    struct sample samples[MOST_SAMPLES];
    int sample_count;
    struct family families[MOST_FAMILIES];
    int family_count;
};

static struct counters first, second;
static const struct counters *const workers[] = {&first, &second};
static struct page page;

static int reset(void **state)
{
    (void)state;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    return 0;
}

/* ---- the checker */

/* The length of the legal metric or label name that text begins with; 0 when there is none. */
static size_t name_len(const char *text)
{
    size_t len = 0;
    while (isalpha((unsigned char)text[len]) || text[len] == '_' || (len && isdigit((unsigned char)text[len])))
        len++;
    return len;
}

/* The length of {name="value",...} at the beginning of text; 0 when there are no labels. */
static size_t labels_len(const char *text)
{
    const char *at = text;
    if (*at != '{')
        return 0;
    do {
        size_t len = name_len(++at);
        assert_true(len > 0);
        at += len;
        assert_true(at[0] == '=' && at[1] == '"');
        at += 2;
        size_t value = strcspn(at, "\"\\");
        assert_int_equal(at[value], '"');
        at += value + 1;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return (size_t)(at + 1 - text);
}

static void take_head(const char *line)
{
    struct family *family = &page.families[page.family_count];
    bool begins = !strncmp(line, "# HELP ", 7);
    assert_true(begins || !strncmp(line, "# TYPE ", 7));
    char name[80];
    assert_int_equal(sscanf(line + 7, "%79s", name), 1);
    assert_int_equal(name_len(name), strlen(name));
    const char *rest = line + 7 + strlen(name) + 1;
    if (begins) {
        for (int i = 0; i < page.family_count; i++)
            assert_string_not_equal(page.families[i].name, name);
        assert_int_equal(family->name[0], '\0'); /* the family before had its TYPE */
        assert_true(strlen(rest) > 0);
        strcpy(family->name, name);
        return;
    }
    assert_string_equal(family->name, name);
    assert_true(!strcmp(rest, "counter") || !strcmp(rest, "gauge") || !strcmp(rest, "histogram"));
    size_t len = strlen(name);
    bool total = len > 6 && !strcmp(name + len - 6, "_total");
    assert_int_equal(total, !strcmp(rest, "counter"));
    strcpy(family->type, rest);
    page.family_count++;
}

/* Is this the name of a sample of the family that is open? */
static bool belongs(const char *name, size_t len)
{
    const struct family *family = &page.families[page.family_count - 1];
    size_t stem = strlen(family->name);
    if (len < stem || strncmp(name, family->name, stem) != 0)
        return false;
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    if (strcmp(family->type, "histogram") != 0)
        return len == stem;
    for (int i = 0; i < 3; i++) {
        if (len == stem + strlen(suffixes[i]) && !strncmp(name + stem, suffixes[i], len - stem))
            return true;
    }
    return false;
}

static void take_sample(const char *line)
{
    assert_true(page.family_count > 0 && page.sample_count < MOST_SAMPLES);
    assert_int_equal(page.families[page.family_count].name[0], '\0'); /* no HELP without its TYPE */
    size_t name = name_len(line);
    assert_true(name > 0 && belongs(line, name));
    size_t id = name + labels_len(line + name);
    assert_int_equal(line[id], ' ');
    struct sample *sample = &page.samples[page.sample_count++];
    assert_true(id < sizeof sample->id);
    snprintf(sample->id, sizeof sample->id, "%.*s", (int)id, line);
    char *end;
    sample->value = strtod(line + id + 1, &end);
    assert_true(end > line + id + 1 && *end == '\0');
    for (int i = 0; i < page.sample_count - 1; i++)
        assert_string_not_equal(page.samples[i].id, sample->id);
}

static void check_page(char *text, size_t len)
{
    memset(&page, 0, sizeof page);
    assert_int_equal(strlen(text), len);
    assert_int_equal(text[len - 1], '\n');
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        if (line[0] == '#')
            take_head(line);
        else
            take_sample(line);
    }
}

static void render(int count)
{
    size_t len = 0;
    char *text = metrics_render(workers, count, &len);
    check_page(text, len);
    free(text);
}

static double value_of(const char *id)
{
    for (int i = 0; i < page.sample_count; i++) {
        if (!strcmp(page.samples[i].id, id))
            return page.samples[i].value;
    }
    fail_msg("no sample %s", id);
    return 0;
}

static void assert_value(const char *id, double value)
{
    double got = value_of(id);
    if (got < value - 1e-9 || got > value + 1e-9)
        fail_msg("%s is %g, not %g", id, got, value);
}

/* ---- the promises */

static void the_page_is_valid_for_no_one_and_many_workers(void **state)
{
    (void)state;
    for (int count = 0; count <= 2; count++) {
        render(count);
        assert_value("plenum_workers", count);
    }
}

static void every_counter_but_the_last_turn_is_published(void **state)
{
    (void)state;
    render(2);
    int before = page.sample_count;
    for (int i = 0; i < COUNTER_COUNT; i++)
        counter_set(&first, (enum counter)i, 7000);
    render(2);
    int changed = 0;
    for (int i = 0; i < page.sample_count; i++)
        changed += page.samples[i].value == 7000;
    /* plenum_worker_connections{worker="0"} is one more; the lag is shown in seconds and bus_up is the other worker's 0
     */
    assert_int_equal(changed, COUNTER_COUNT - 1 + 1 - 2);
    assert_value("plenum_loop_lag_seconds", 7);
    assert_int_equal(page.sample_count, before);
}

static void workers_are_added_up(void **state)
{
    (void)state;
    counter_set(&first, GAUGE_CONNECTIONS, 30);
    counter_set(&second, GAUGE_CONNECTIONS, 12);
    counter_set(&first, COUNT_CLOSE_1013, 2);
    counter_set(&second, COUNT_CLOSE_1013, 3);
    counter_set(&second, COUNT_DROP_OUTBOX_FULL, 5);
    counter_set(&second, COUNT_HTTP_400, 1);
    render(2);
    assert_value("plenum_connections", 42);
    assert_value("plenum_worker_connections{worker=\"0\"}", 30);
    assert_value("plenum_worker_connections{worker=\"1\"}", 12);
    assert_value("plenum_closes_total{code=\"1013\"}", 5);
    assert_value("plenum_dropped_connections_total{reason=\"outbox_full\"}", 5);
    assert_value("plenum_http_responses_total{status=\"400\"}", 1);
}

static void the_worst_worker_speaks_for_the_bus_and_the_lag(void **state)
{
    (void)state;
    counter_set(&first, GAUGE_BUS_UP, 1);
    counter_set(&first, GAUGE_LOOP_LAG_MS, 1250);
    counter_set(&second, GAUGE_LOOP_LAG_MS, 3);
    render(2);
    assert_value("plenum_bus_up", 0);
    assert_value("plenum_loop_lag_seconds", 1.25);
    counter_set(&second, GAUGE_BUS_UP, 1);
    render(2);
    assert_value("plenum_bus_up", 1);
}

static void labels_stand_beside_the_counters_they_name(void **state)
{
    (void)state;
    counter_set(&first, COUNT_HTTP_505, 1);
    counter_set(&first, COUNT_HTTP_304, 2);
    counter_set(&first, COUNT_CLOSE_NONE, 3);
    counter_set(&first, COUNT_DROP_FULL, 4);
    counter_set(&first, COUNT_REDIS_LOST_DEAF, 5);
    counter_set(&first, COUNT_BUS_FAILED_UNCERTAIN, 6);
    counter_set(&first, COUNT_BUS_UNKNOWN_VERSION, 7);
    render(1);
    assert_value("plenum_http_responses_total{status=\"505\"}", 1);
    assert_value("plenum_http_responses_total{status=\"304\"}", 2);
    assert_value("plenum_closes_total{code=\"none\"}", 3);
    assert_value("plenum_dropped_connections_total{reason=\"gateway_full\"}", 4);
    assert_value("plenum_redis_lost_total{reason=\"deaf\"}", 5);
    assert_value("plenum_bus_failed_total{reason=\"uncertain\"}", 6);
    assert_value("plenum_bus_discarded_total{reason=\"unknown_version\"}", 7);
}

static void latency_is_a_cumulative_histogram_in_seconds(void **state)
{
    (void)state;
    counter_latency(&first, 1, 10);
    counter_latency(&second, 15, 3);
    counter_latency(&second, 90000, 2);
    render(2);
    assert_value("plenum_publish_to_deliver_seconds_bucket{le=\"0.001\"}", 10);
    assert_value("plenum_publish_to_deliver_seconds_bucket{le=\"0.01\"}", 10);
    assert_value("plenum_publish_to_deliver_seconds_bucket{le=\"0.02\"}", 13);
    assert_value("plenum_publish_to_deliver_seconds_bucket{le=\"5\"}", 13);
    assert_value("plenum_publish_to_deliver_seconds_bucket{le=\"+Inf\"}", 15);
    assert_value("plenum_publish_to_deliver_seconds_count", 15);
    assert_value("plenum_publish_to_deliver_seconds_sum", 180.055);
    int buckets = 0;
    double bound = 0, below = 0;
    for (int i = 0; i < page.sample_count; i++) {
        char le[16];
        if (sscanf(page.samples[i].id, "plenum_publish_to_deliver_seconds_bucket{le=\"%15[^\"]", le) != 1)
            continue;
        assert_true(strtod(le, NULL) > bound && page.samples[i].value >= below);
        bound = strtod(le, NULL);
        below = page.samples[i].value;
        buckets++;
    }
    assert_int_equal(buckets, LATENCY_BUCKETS + 1);
}

static void the_process_tells_of_itself(void **state)
{
    (void)state;
    render(1);
    double descriptors = value_of("process_open_fds");
    int opened[] = {dup(0), dup(0), dup(0)};
    render(1);
    assert_value("process_open_fds", descriptors + 3);
    for (int i = 0; i < 3; i++)
        close(opened[i]);
    assert_true(value_of("process_max_fds") >= descriptors);
    assert_true(value_of("process_resident_memory_bytes") > 100000);
    assert_true(value_of("process_cpu_seconds_total") >= 0);
    double age = (double)time(NULL) - value_of("process_start_time_seconds");
    assert_true(age > -5 && age < 600);
    assert_value("plenum_build_info{version=\"" PLENUM_VERSION "\"}", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_page_is_valid_for_no_one_and_many_workers, reset),
        cmocka_unit_test_setup(every_counter_but_the_last_turn_is_published, reset),
        cmocka_unit_test_setup(workers_are_added_up, reset),
        cmocka_unit_test_setup(the_worst_worker_speaks_for_the_bus_and_the_lag, reset),
        cmocka_unit_test_setup(labels_stand_beside_the_counters_they_name, reset),
        cmocka_unit_test_setup(latency_is_a_cumulative_histogram_in_seconds, reset),
        cmocka_unit_test_setup(the_process_tells_of_itself, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
