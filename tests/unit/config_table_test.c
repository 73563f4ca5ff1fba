/* config_table_test.c -- the table of settings is whole and safe to deploy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/config.h"
#include "../../gateway/config_table.h"

static int by_offset(const void *a, const void *b)
{
    size_t left = (*(const struct setting *const *)a)->offset, right = (*(const struct setting *const *)b)->offset;
    return left < right ? -1 : left > right;
}

static size_t field_size(const struct setting *setting)
{
    static const size_t sizes[] = {
        [SETTING_ADDRESS] = sizeof(struct config_address),
        [SETTING_COUNT] = sizeof(uint32_t),
        [SETTING_BYTES] = sizeof(uint32_t),
        [SETTING_DECIMAL] = sizeof(double),
        [SETTING_ON_OFF] = sizeof(bool),
        [SETTING_CHOICE] = sizeof(int),
        [SETTING_TEXT] = sizeof(char *),
        [SETTING_LIST] = sizeof(char *),
    };
    return sizes[setting->type];
}

static void every_field_but_what_is_made_of_them_has_one_setting(void **state)
{
    (void)state;
    const struct setting *rows[SETTINGS];
    for (int i = 0; i < SETTINGS; i++)
        rows[i] = &settings[i];
    qsort(rows, SETTINGS, sizeof *rows, by_offset);
    size_t end = 0;
    for (int i = 0; i < SETTINGS; i++) {
        assert_true(rows[i]->offset >= end && rows[i]->offset - end < 8); /* no more than padding in between */
        end = rows[i]->offset + field_size(rows[i]);
    }
    assert_true(offsetof(struct config, rules) - end < 8); /* the rules, made of some of them, end it */
    assert_int_equal(sizeof(struct config), offsetof(struct config, rules) + sizeof(struct rules *));
}

static void no_setting_has_a_name_that_kubernetes_gives_to_services(void **state)
{
    (void)state;
    for (int i = 0; i < SETTINGS; i++) {
        const char *name = settings[i].name;
        size_t len = strlen(name);
        assert_null(strstr(name, "service-"));
        assert_null(strstr(name, "port-"));
        assert_false(len >= 4 && !strcmp(name + len - 4, "port"));
    }
}

static void a_setting_is_found_by_its_whole_name(void **state)
{
    (void)state;
    for (int i = 0; i < SETTINGS; i++)
        assert_ptr_equal(setting_find(bytes_of(settings[i].name)), &settings[i]);
    assert_null(setting_find(BYTES("work")));
    assert_null(setting_find(BYTES("workersx")));
    assert_null(setting_find(BYTES("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_but_what_is_made_of_them_has_one_setting),
        cmocka_unit_test(no_setting_has_a_name_that_kubernetes_gives_to_services),
        cmocka_unit_test(a_setting_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
