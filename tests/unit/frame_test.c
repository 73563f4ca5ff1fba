/* frame_test.c -- the heads of the frames that we send, and which close codes may travel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/protocol/frame.h"

static void a_head_has_the_shortest_form_for_its_length(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t head[FRAME_HEAD_MAX];
        size_t size;
    } cases[] = {
        {0, {0x82, 0}, 2},
        {1, {0x82, 1}, 2},
        {125, {0x82, 125}, 2},
        {126, {0x82, 126, 0, 126}, 4},
        {127, {0x82, 126, 0, 127}, 4},
        {256, {0x82, 126, 1, 0}, 4},
        {65535, {0x82, 126, 0xff, 0xff}, 4},
        {65536, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10},
        {0x01020304, {0x82, 127, 0, 0, 0, 0, 1, 2, 3, 4}, 10},
        {0x0102030405060708, {0x82, 127, 1, 2, 3, 4, 5, 6, 7, 8}, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t head[FRAME_HEAD_MAX];
        assert_int_equal(frame_head(head, FRAME_BINARY, false, cases[i].len), cases[i].size);
        assert_memory_equal(head, cases[i].head, cases[i].size);
        assert_int_equal(frame_size(head), cases[i].size + cases[i].len);
    }
}

static void the_first_byte_is_fin_with_opcode_and_rsv1(void **state)
{
    (void)state;
    static const enum frame_opcode opcodes[] = {FRAME_CONTINUATION, FRAME_TEXT, FRAME_BINARY,
                                                FRAME_CLOSE,        FRAME_PING, FRAME_PONG};
    uint8_t head[FRAME_HEAD_MAX];
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        frame_head(head, opcodes[i], false, 5);
        assert_int_equal(head[0], 0x80 | opcodes[i]);
        assert_int_equal(head[1], 5); /* no mask */
        frame_head(head, opcodes[i], true, 5);
        assert_int_equal(head[0], 0xc0 | opcodes[i]);
    }
}

static void only_as_many_bytes_as_returned_are_written(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 125, 126, 65535, 65536};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t head[FRAME_HEAD_MAX];
        memset(head, 0xaa, sizeof head);
        for (size_t at = frame_head(head, FRAME_TEXT, false, lens[i]); at < sizeof head; at++)
            assert_int_equal(head[at], 0xaa);
    }
}

static void exactly_the_rfcs_close_codes_may_travel(void **state)
{
    (void)state;
    for (int code = -1; code <= 0xffff + 1; code++) {
        bool valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        assert_int_equal(close_code_valid(code), valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_has_the_shortest_form_for_its_length),
        cmocka_unit_test(the_first_byte_is_fin_with_opcode_and_rsv1),
        cmocka_unit_test(only_as_many_bytes_as_returned_are_written),
        cmocka_unit_test(exactly_the_rfcs_close_codes_may_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
