/* utf8_test.c -- the validator against a plain decoder of RFC 3629, on every sequence of up to three bytes and the
 * boundaries of four, at every place in a run of ASCII. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/utf8.h"

/* Decodes one character as the RFC's definition has it: value first, rules after. Returns its length, 0 when invalid,
 * -1 when the bytes end too early. */
static int reference_character(const unsigned char *at, size_t left)
{
    int length = at[0] < 0x80             ? 1
                 : (at[0] & 0xe0) == 0xc0 ? 2
                 : (at[0] & 0xf0) == 0xe0 ? 3
                 : (at[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    if (length <= 1)
        return length;
    uint32_t value = at[0] & (0x7f >> length);
    for (int i = 1; i < length; i++) {
        if ((size_t)i == left)
            return -1;
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool valid = value >= least[length] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    return valid ? length : 0;
}

static bool reference_valid(const unsigned char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        int length = reference_character(text + i, len - i);
        if (length <= 0)
            return false;
        i += (size_t)length;
    }
    return true;
}

/* True when some bytes behind it make it valid: tried out. Enough are two, after what three bytes can leave open. */
static bool reference_valid_so_far(const unsigned char *text, size_t len)
{
    if (reference_valid(text, len))
        return true;
    unsigned char longer[8];
    memcpy(longer, text, len);
    for (size_t more = 1; more <= 3; more++) {
        memset(longer + len + 1, 0x80, more - 1);
        for (int next = 0x80; next <= 0xbf; next++) {
            longer[len] = (unsigned char)next;
            if (reference_valid(longer, len + more))
                return true;
        }
    }
    return false;
}

static bool valid(const void *text, size_t len)
{
    return utf8_valid((struct bytes){text, len});
}

static bool valid_so_far(const void *text, size_t len)
{
    return utf8_valid_so_far((struct bytes){text, len});
}

static void every_sequence_of_up_to_three_bytes_is_judged_right(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 1 << 24; value++) {
        unsigned char text[3] = {(unsigned char)(value >> 16), (unsigned char)(value >> 8), (unsigned char)value};
        size_t len = value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : 3;
        const unsigned char *at = text + 3 - len;
        if (valid(at, len) != reference_valid(at, len))
            fail_msg("%06x", value);
    }
}

static void what_could_become_valid_is_valid_so_far(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 1 << 16; value++) {
        unsigned char text[2] = {(unsigned char)(value >> 8), (unsigned char)value};
        size_t len = value < 1 << 8 ? 1 : 2;
        const unsigned char *at = text + 2 - len;
        if (valid_so_far(at, len) != reference_valid_so_far(at, len))
            fail_msg("%04x", value);
    }
    for (uint32_t first = 0xe0; first < 0x100; first++) {
        for (uint32_t rest = 0; rest < 1 << 16; rest += 13) {
            unsigned char text[3] = {(unsigned char)first, (unsigned char)(rest >> 8), (unsigned char)rest};
            if (valid_so_far(text, 3) != reference_valid_so_far(text, 3))
                fail_msg("%02x%04x", first, rest);
        }
    }
}

/* First and last character of each length, and those around the surrogates and the end (RFC 3629, section 3). */
static void the_boundaries_of_the_rfc_hold(void **state)
{
    (void)state;
    const char *good[] = {"",
                          "\x7f",
                          "\xc2\x80",
                          "\xdf\xbf",
                          "\xe0\xa0\x80",
                          "\xed\x9f\xbf",
                          "\xee\x80\x80",
                          "\xef\xbf\xbf",
                          "\xf0\x90\x80\x80",
                          "\xf4\x8f\xbf\xbf"};
    const char *bad[] = {"\x80",
                         "\xbf",
                         "\xc0\x80",
                         "\xc1\xbf",
                         "\xe0\x9f\xbf",
                         "\xed\xa0\x80",
                         "\xed\xbf\xbf",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xf5\x80\x80\x80",
                         "\xf8\x88\x80\x80\x80",
                         "\xfe",
                         "\xff",
                         "\xc2",
                         "\xe1\x80",
                         "\xf1\x80\x80",
                         "\xc2\x41",
                         "\xf1\x80\x80\x41"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(valid(bad[i], strlen(bad[i])));
    assert_true(valid("\0", 1));
}

static void every_character_is_valid_and_no_surrogate_is(void **state)
{
    (void)state;
    for (uint32_t value = 0x10000; value < 0x120000; value++) {
        unsigned char text[4] = {(unsigned char)(0xf0 | value >> 18), (unsigned char)(0x80 | (value >> 12 & 0x3f)),
                                 (unsigned char)(0x80 | (value >> 6 & 0x3f)), (unsigned char)(0x80 | (value & 0x3f))};
        if (valid(text, 4) != (value <= 0x10ffff))
            fail_msg("%x", value);
    }
}

static void a_bad_byte_is_found_at_every_place(void **state)
{
    (void)state;
    char text[70];
    for (size_t len = 0; len < 65; len++) {
        memset(text, 'a', sizeof text);
        assert_true(valid(text, len));
        for (size_t place = 0; place < len; place++) {
            text[place] = (char)0xff;
            assert_false(valid(text, len));
            assert_false(valid_so_far(text, len));
            text[place] = 'a';
            memcpy(text + place, "\xf0\x9f\x98\x80", 4);
            assert_int_equal(valid(text, len), place + 4 <= len);
            assert_true(valid_so_far(text, len));
            memset(text + place, 'a', 4);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_up_to_three_bytes_is_judged_right),
        cmocka_unit_test(what_could_become_valid_is_valid_so_far),
        cmocka_unit_test(the_boundaries_of_the_rfc_hold),
        cmocka_unit_test(every_character_is_valid_and_no_surrogate_is),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
