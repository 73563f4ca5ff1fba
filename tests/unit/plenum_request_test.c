/* plenum_request_test.c -- what a client may ask for, field by field, and what it is told when it asks wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/protocol/plenum_request.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct request request;
static char *frame; /* of just the text's size, so that a sanitizer sees more; lives until the next one */

/* Tests write ' for ". */
static struct bytes in_frame(const char *text)
{
    size_t len = strlen(text);
    free(frame);
    frame = xmalloc(len);
    for (size_t i = 0; i < len; i++)
        frame[i] = text[i] == '\'' ? '"' : text[i];
    return (struct bytes){frame, len};
}

static void read_well(const char *text)
{
    request_free(&request);
    const struct request_error *error = request_parse(in_frame(text), &request);
    if (error)
        fail_msg("%s: %s, %s", text, error->code, error->message);
}

/* wrong: a part of the message that says what it is about. */
static void check_error(const char *text, const char *code, const char *wrong)
{
    request_free(&request);
    const struct request_error *error = request_parse(in_frame(text), &request);
    if (!error)
        fail_msg("taken: %s", text);
    else if (strcmp(error->code, code) != 0 || !strstr(error->message, wrong))
        fail_msg("%s: %s, %s", text, error->code, error->message);
}

static int free_request(void **state)
{
    (void)state;
    request_free(&request);
    free(frame);
    frame = NULL;
    return 0;
}

static void assert_text(struct bytes text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

/* ---- the types */

static void a_hello_has_a_name_or_none(void **state)
{
    (void)state;
    read_well("{'type':'hello'}");
    assert_int_equal(request.type, REQUEST_HELLO);
    assert_false(request.has_id || request.has_name);
    read_well("{'type':'hello','id':0,'name':'Ada','token':[1]}");
    assert_true(request.has_id && request.has_name);
    assert_int_equal(request.id, 0);
    assert_text(request.name, "Ada");
}

static void a_join_has_a_room_and_more(void **state)
{
    (void)state;
    read_well("{'type':'join','id':1,'room':'lobby'}");
    assert_int_equal(request.type, REQUEST_JOIN);
    assert_int_equal(request.id, 1);
    assert_text(request.room, "lobby");
    assert_false(request.has_name || request.has_info || request.has_resume);
    assert_int_equal(request.history, 0);

    read_well("{'type':'join','id':2,'room':'a@b','name':'Zo\xc3\xab','info': { 'x' : [1, 2] } ,'history':256,"
              "'resume':{'offset':17,'epoch':'5f2c','more':{'epoch':1}}}");
    assert_text(request.room, "a@b");
    assert_text(request.name, "Zo\xc3\xab");
    assert_text(request.info, "{ \"x\" : [1, 2] }");
    assert_true(request.has_name && request.has_info && request.has_resume);
    assert_int_equal(request.history, 256);
    assert_int_equal(request.offset, 17);
    assert_text(request.epoch, "5f2c");

    read_well("{'type':'join','id':2,'room':'a','info':null,'resume':{'offset':0,'epoch':''}}");
    assert_text(request.info, "null");
    assert_int_equal(request.epoch.len, 0);
}

static void a_leave_has_a_room(void **state)
{
    (void)state;
    read_well("{'id':3,'room':'lobby','type':'leave'}");
    assert_int_equal(request.type, REQUEST_LEAVE);
    assert_text(request.room, "lobby");
}

static void what_is_published_stays_byte_for_byte(void **state)
{
    (void)state;
    static const char *const values[] = {"null",
                                         "1.50",
                                         "'a\\u0041\\u0000\\ud800'",
                                         "[ 1 ,\n2 ]",
                                         "{ 'a' : 1 }",
                                         "'\xc3\xa9'",
                                         "1e400",
                                         "{'data':{'key':5},'type':'x','a':1,'a':2}"};
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[256];
        snprintf(text, sizeof text, "{'type':'publish','id':3,'data': %s ,'room':'r','key':'k-1'}", values[i]);
        read_well(text);
        assert_int_equal(request.type, REQUEST_PUBLISH);
        assert_text(request.key, "k-1");
        snprintf(text, sizeof text, "%s", values[i]);
        for (char *at = strchr(text, '\''); at; at = strchr(at, '\''))
            *at = '"';
        assert_text(request.data, text);
    }
    read_well("{'type':'publish','id':3,'data':1,'room':'r'}");
    assert_int_equal(request.key.len, 0);
}

static void a_history_goes_one_way(void **state)
{
    (void)state;
    read_well("{'type':'history','id':4,'room':'r'}");
    assert_int_equal(request.type, REQUEST_HISTORY);
    assert_int_equal(request.direction, HISTORY_LAST);
    assert_int_equal(request.limit, 50);
    read_well("{'type':'history','id':4,'room':'r','before':9,'limit':256}");
    assert_int_equal(request.direction, HISTORY_BEFORE);
    assert_int_equal(request.offset, 9);
    assert_int_equal(request.limit, 256);
    read_well("{'type':'history','id':4,'room':'r','after':0,'limit':1}");
    assert_int_equal(request.direction, HISTORY_AFTER);
    assert_int_equal(request.offset, 0);
    assert_int_equal(request.limit, 1);
}

static void a_signal_goes_to_a_member(void **state)
{
    (void)state;
    read_well("{'type':'signal','id':5,'room':'r','to':'0a1b2c3d00000002','data':{'offer':1}}");
    assert_int_equal(request.type, REQUEST_SIGNAL);
    assert_int_equal(request.to, 0x0a1b2c3d00000002);
    assert_text(request.data, "{\"offer\":1}");
    read_well("{'type':'signal','id':5,'room':'r','to':'ffffffffffffffff','data':0}");
    assert_int_equal(request.to, UINT64_MAX);
}

static void an_update_has_info_and_maybe_a_name(void **state)
{
    (void)state;
    read_well("{'type':'update','id':6,'room':'r','info':{}}");
    assert_int_equal(request.type, REQUEST_UPDATE);
    assert_true(request.has_info && !request.has_name);
    read_well("{'type':'update','id':6,'room':'r','info':[],'name':'B'}");
    assert_text(request.name, "B");
}

static void the_time_of_a_ping_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const times[] = {"12.5", "0", "-1", "1e400", "1.0E+2", "123456789012345678901234567890"};
    for (size_t i = 0; i < COUNT(times); i++) {
        char text[128];
        snprintf(text, sizeof text, "{'type':'ping','id':7,'time':%s}", times[i]);
        read_well(text);
        assert_true(request.has_time);
        assert_text(request.time, times[i]);
    }
    read_well("{'type':'ping','id':7}");
    assert_false(request.has_time);
}

static void what_is_planned_is_known(void **state)
{
    (void)state;
    read_well("{'type':'auth','id':8,'token':'x'}");
    assert_int_equal(request.type, REQUEST_UNSUPPORTED);
    assert_string_equal(request.what, "Tokens are not supported yet.");
    static const char *const media[] = {"open", "close", "want", "attach"};
    for (size_t i = 0; i < COUNT(media); i++) {
        char text[64];
        snprintf(text, sizeof text, "{'type':'%s','id':8}", media[i]);
        read_well(text);
        assert_int_equal(request.type, REQUEST_UNSUPPORTED);
        assert_string_equal(request.what, "Media are not supported yet.");
    }
}

/* ---- what is wrong */

static void what_is_no_json_object_is_bad_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "x",
                                        "[]",
                                        "1",
                                        "'x'",
                                        "{",
                                        "{'type':'hello',}",
                                        "{} {}",
                                        "{a:1}",
                                        "{'id':1,'type':'leave','room':'a'",
                                        "{'id':1}x"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        check_error(texts[i], "bad_json", "not a JSON object");
        assert_false(request.has_id);
    }
}

static void a_field_that_is_missing_or_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"{}", "`type`"},
        {"{'type':1}", "`type`"},
        {"{'type':null}", "`type`"},
        {"{'type':'hello','id':'1'}", "`id`"},
        {"{'type':'hello','name':''}", "`name`"},
        {"{'type':'hello','name':1}", "`name`"},
        {"{'type':'hello','name':null}", "`name`"},
        {"{'type':'hello','name':'a\\nb'}", "`name`"},
        {"{'type':'hello','name':'\x7f'}", "`name`"},
        {"{'type':'hello','name':'\\u0085'}", "`name`"},
        {"{'type':'hello','name':'\xc2\x9f'}", "`name`"},
        {"{'type':'leave','room':'a'}", "`id`"},
        {"{'type':'ping'}", "`id`"},
        {"{'type':'auth'}", "`id`"},
        {"{'type':'leave','id':1}", "`room`"},
        {"{'type':'leave','id':1,'room':1}", "`room`"},
        {"{'type':'leave','id':1,'room':['a']}", "`room`"},
        {"{'type':'join','id':1,'room':'a','history':-1}", "`history`"},
        {"{'type':'join','id':1,'room':'a','history':'1'}", "`history`"},
        {"{'type':'join','id':1,'room':'a','resume':null}", "`resume`"},
        {"{'type':'join','id':1,'room':'a','resume':[]}", "`resume`"},
        {"{'type':'join','id':1,'room':'a','resume':{'epoch':'e'}}", "`offset`"},
        {"{'type':'join','id':1,'room':'a','resume':{'epoch':'e','offset':-1}}", "`offset`"},
        {"{'type':'join','id':1,'room':'a','resume':{'offset':1}}", "`epoch`"},
        {"{'type':'join','id':1,'room':'a','resume':{'offset':1,'epoch':1}}", "`epoch`"},
        {"{'type':'join','id':1,'room':'a','epoch':'e','resume':{'offset':1}}", "`epoch`"},
        {"{'type':'join','id':1,'room':'a','resume':{'offset':1,'epoch':'012345678901234567890123456789012'}}",
         "`epoch`"},
        {"{'type':'publish','id':1,'room':'a'}", "`data`"},
        {"{'type':'publish','id':1,'room':'a','data':1,'key':''}", "`key`"},
        {"{'type':'publish','id':1,'room':'a','data':1,'key':5}", "`key`"},
        {"{'type':'publish','id':1,'room':'a','data':1,'key':'a b'}", "`key`"},
        {"{'type':'publish','id':1,'room':'a','data':1,'key':'a/b'}", "`key`"},
        {"{'type':'publish','id':1,'room':'a','data':1,'key':'\xc3\xa9'}", "`key`"},
        {"{'type':'history','id':1,'room':'a','limit':0}", "`limit`"},
        {"{'type':'history','id':1,'room':'a','before':'1'}", "`before`"},
        {"{'type':'history','id':1,'room':'a','after':1.5}", "`after`"},
        {"{'type':'history','id':1,'room':'a','before':1,'after':1}", "exclude"},
        {"{'type':'signal','id':1,'room':'a','data':1}", "`to`"},
        {"{'type':'signal','id':1,'room':'a','data':1,'to':1}", "`to`"},
        {"{'type':'signal','id':1,'room':'a','data':1,'to':'0A1B2C3D00000001'}", "`to`"},
        {"{'type':'signal','id':1,'room':'a','data':1,'to':'0a1b2c3d0000000'}", "`to`"},
        {"{'type':'signal','id':1,'room':'a','data':1,'to':'0a1b2c3d000000011'}", "`to`"},
        {"{'type':'signal','id':1,'room':'a','data':1,'to':'0a1b2c3d0000000g'}", "`to`"},
        {"{'type':'signal','id':1,'room':'a','to':'0a1b2c3d00000001'}", "`data`"},
        {"{'type':'update','id':1,'room':'a','name':'x'}", "`info`"},
        {"{'type':'update','id':1,'room':'a','info':1,'name':''}", "`name`"},
        {"{'type':'ping','id':1,'time':'1'}", "`time`"},
        {"{'type':'ping','id':1,'time':null}", "`time`"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_error(cases[i].text, "bad_request", cases[i].wrong);
}

static void a_rooms_name_must_be_one(void **state)
{
    (void)state;
    static const char *const names[] = {"", "@a", "a b", "a/b", "{a}", "\xc3\xa9", "a\\n", "\\ud83d\\ude00"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char text[128];
        snprintf(text, sizeof text, "{'type':'leave','id':1,'room':'%s'}", names[i]);
        check_error(text, "bad_room", "room's name");
    }
}

static void a_type_that_is_unknown_is_told_with_the_id(void **state)
{
    (void)state;
    static const char *const names[] = {"", "Join", "joined", "join ", "join\\u0000", "hello\\ud800", "message"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char text[128];
        snprintf(text, sizeof text, "{'type':'%s','id':9,'room':'a'}", names[i]);
        check_error(text, "unknown_type", "`type`");
        assert_true(request.has_id);
        assert_int_equal(request.id, 9);
    }
}

static void the_id_is_known_whatever_else_is_wrong(void **state)
{
    (void)state;
    check_error("{'id':7}", "bad_request", "`type`");
    assert_true(request.has_id && request.id == 7);
    check_error("{'type':'leave','room':'@','id':8}", "bad_room", "");
    assert_true(request.has_id && request.id == 8);
    check_error("{'type':'leave','room':'a\\ud800','id':9}", "bad_request", "surrogate");
    assert_true(request.has_id && request.id == 9);
    check_error("{'type':'x','id':-1}", "unknown_type", "");
    assert_false(request.has_id);
}

/* ---- numbers, strings, sizes */

static void integers_are_whole_and_safe(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t number;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"1.0", 1},
                {"1e2", 100},
                {"12.5e1", 125},
                {"9007199254740991", 9007199254740991},
                {"9.007199254740991e15", 9007199254740991},
                {"0e999999999", 0}};
    static const char *const bad[] = {"-1",
                                      "1.5",
                                      "1e400",
                                      "-1e400",
                                      "9007199254740992",
                                      "9007199254740993",
                                      "1e-1",
                                      "true",
                                      "null",
                                      "'1'",
                                      "[1]",
                                      "{}",
                                      "18446744073709551617",
                                      "1.00000000000000000000000000000000000000000000000000000000000000000000000000"};
    char text[256];
    for (size_t i = 0; i < COUNT(good); i++) {
        snprintf(text, sizeof text, "{'type':'join','id':%s,'room':'a','resume':{'epoch':'','offset':%s}}",
                 good[i].text, good[i].text);
        read_well(text);
        assert_int_equal(request.id, good[i].number);
        assert_int_equal(request.offset, good[i].number);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(text, sizeof text, "{'type':'ping','id':%s}", bad[i]);
        check_error(text, "bad_request", "`id`");
        assert_false(request.has_id);
        snprintf(text, sizeof text, "{'type':'history','id':1,'room':'a','before':%s}", bad[i]);
        check_error(text, "bad_request", "`before`");
    }
}

static void escapes_are_read(void **state)
{
    (void)state;
    read_well("{'typ\\u0065':'\\u006aoin','i\\u0064':1,'r\\u006fom':'l\\u006fbby','name':'\\ud83d\\ude00 \\\\u0000 "
              "\\\"q\\\"',"
              "'\\u0069nfo':'\\u0041','resume':{'\\u0065poch':'\\u0065','offset':5}}");
    assert_int_equal(request.type, REQUEST_JOIN);
    assert_text(request.room, "lobby");
    assert_text(request.name, "\xf0\x9f\x98\x80 \\u0000 \"q\"");
    assert_text(request.info, "\"\\u0041\"");
    assert_text(request.epoch, "e");
    read_well("{'type':'publish','id':1,'room':'\\u0061','key':'\\u006b','data':0}");
    assert_text(request.key, "k");
    read_well("{'type':'signal','id':1,'room':'a','to':'\\u0030a1b2c3d00000001','data':0}");
    assert_int_equal(request.to, 0x0a1b2c3d00000001);
}

static void neither_nul_nor_half_a_character_gets_through(void **state)
{
    (void)state;
    static const char *const strings[] = {"a\\u0000",   "\\u0000",  "\\u0000b",      "\\\\\\u0000",
                                          "\\n\\u0000", "a\\ud800", "\\udc00\\ud800"};
    static const char *const fields[] = {
        "{'type':'leave','id':1,'room':'%s'}",
        "{'type':'hello','name':'%s'}",
        "{'type':'publish','id':1,'room':'a','data':1,'key':'%s'}",
        "{'type':'join','id':1,'room':'a','resume':{'offset':1,'epoch':'%s'}}",
        "{'type':'signal','id':1,'room':'a','data':1,'to':'%s'}",
    };
    for (size_t i = 0; i < COUNT(fields); i++) {
        for (size_t j = 0; j < COUNT(strings); j++) {
            const char *place = strstr(fields[i], "%s");
            char text[256];
            snprintf(text, sizeof text, "%.*s%s%s", (int)(place - fields[i]), fields[i], strings[j], place + 2);
            check_error(text, "bad_request", "surrogate");
        }
    }
}

static void of_a_key_that_comes_twice_the_last_one_counts(void **state)
{
    (void)state;
    read_well("{'type':'hello','type':'join','id':'x','id':2,'room':7,'room':'b','info':1,'\\u0069nfo':[2],"
              "'resume':0,'resume':{'epoch':1,'offset':'','offset':3,'epoch':'f'}}");
    assert_int_equal(request.type, REQUEST_JOIN);
    assert_int_equal(request.id, 2);
    assert_text(request.room, "b");
    assert_text(request.info, "[2]");
    assert_int_equal(request.offset, 3);
    assert_text(request.epoch, "f");
    read_well("{'type':'publish','id':2,'room':'b','data':1,'d\\u0061ta':2}");
    assert_text(request.data, "2");
    check_error("{'type':'publish','id':2,'room':'b','room':null,'data':1}", "bad_request", "`room`");
}

static void what_a_type_does_not_have_may_hold_anything(void **state)
{
    (void)state;
    read_well("{'type':'ping','id':1,'room':5,'name':'','resume':1,'limit':'x','to':{},'data':[],'info':[],'key':0,"
              "'number':0.00000000000000000000000000000000000000000000000000000000000000000000000000000001}");
    read_well("{'type':'leave','id':1,'room':'a','x':'\\ud800\\u0000','time':'x','hello':{'type':'ping'}}");
}

/* A text with `count` times the filling in place of %s. */
static char *filled(const char *format, const char *filling, size_t count)
{
    const char *place = strstr(format, "%s");
    char *text = xcalloc(1, strlen(format) + count * strlen(filling) + 1);
    memcpy(text, format, (size_t)(place - format));
    for (size_t i = 0; i < count; i++)
        strcat(text, filling);
    strcat(text, place + 2);
    return text;
}

static void sizes_are_limited_in_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *format, *filling;
        size_t most;
        const char *code, *wrong;
    } cases[] = {
        {"{'type':'leave','id':1,'room':'%s'}", "a", 164, "bad_room", "164"},
        {"{'type':'leave','id':1,'room':'%s'}", "\\u0061", 164, "bad_room", "164"},
        {"{'type':'hello','name':'%s'}", "a", 64, "bad_request", "`name`"},
        {"{'type':'hello','name':'%s'}", "\xc3\xa9", 32, "bad_request", "`name`"},
        {"{'type':'hello','name':'%s'}", "\\u0061", 64, "bad_request", "`name`"},
        {"{'type':'hello','name':'%s'}", "\\ud83d\\ude00", 16, "bad_request", "`name`"},
        {"{'type':'publish','id':1,'room':'a','data':0,'key':'%s'}", "k", 64, "bad_request", "`key`"},
        {"{'type':'join','id':1,'room':'a','resume':{'offset':0,'epoch':'%s'}}", "e", 32, "bad_request", "`epoch`"},
        {"{'type':'join','id':1,'room':'a','info':'%s'}", "i", 4094, "too_large", "`info`"},
        {"{'type':'update','id':1,'room':'a','info':[%s0]}", "1,", 2046, "too_large", "`info`"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *most = filled(cases[i].format, cases[i].filling, cases[i].most);
        char *more = filled(cases[i].format, cases[i].filling, cases[i].most + 1);
        char *far = filled(cases[i].format, cases[i].filling, 5000);
        read_well(most);
        check_error(more, cases[i].code, cases[i].wrong);
        check_error(far, cases[i].code, cases[i].wrong);
        free(most);
        free(more);
        free(far);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_has_a_name_or_none),
        cmocka_unit_test(a_join_has_a_room_and_more),
        cmocka_unit_test(a_leave_has_a_room),
        cmocka_unit_test(what_is_published_stays_byte_for_byte),
        cmocka_unit_test(a_history_goes_one_way),
        cmocka_unit_test(a_signal_goes_to_a_member),
        cmocka_unit_test(an_update_has_info_and_maybe_a_name),
        cmocka_unit_test(the_time_of_a_ping_stays_as_it_is),
        cmocka_unit_test(what_is_planned_is_known),
        cmocka_unit_test(what_is_no_json_object_is_bad_json),
        cmocka_unit_test(a_field_that_is_missing_or_wrong_is_named),
        cmocka_unit_test(a_rooms_name_must_be_one),
        cmocka_unit_test(a_type_that_is_unknown_is_told_with_the_id),
        cmocka_unit_test(the_id_is_known_whatever_else_is_wrong),
        cmocka_unit_test(integers_are_whole_and_safe),
        cmocka_unit_test(escapes_are_read),
        cmocka_unit_test(neither_nul_nor_half_a_character_gets_through),
        cmocka_unit_test(of_a_key_that_comes_twice_the_last_one_counts),
        cmocka_unit_test(what_a_type_does_not_have_may_hold_anything),
        cmocka_unit_test(sizes_are_limited_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, free_request);
}
