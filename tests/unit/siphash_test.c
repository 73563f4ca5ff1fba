/* siphash_test.c -- SipHash-1-3 against another implementation: CPython 3.11 hashes bytes with it. The vectors are
 * hash(bytes(range(n))) under PYTHONHASHSEED=0, whose key is zero, and PYTHONHASHSEED=42, whose key is below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/siphash.h"

struct vector {
    size_t len;
    uint64_t hash;
};

static const struct vector with_zero_key[] = {
    {1, 0x68a914128e01e473},  {2, 0x010bac45c41e3669},  {3, 0x4d4c9a4a8ef6e0ad},  {4, 0x7cc43f98813e4dbd},
    {5, 0x5abe2169dff36275},  {6, 0xe3c25f87624f1cdb},  {7, 0x2f098ab0c751325a},  {8, 0xead411e67ebe2eea},
    {9, 0x75927f9d95124362},  {10, 0xaf9f77a65ab51a1d}, {11, 0xfe64ce8b6617fcff}, {12, 0xa6baf4fb0f9fe1c2},
    {13, 0xa0cf3211850f8e0d}, {14, 0x7f86049379fbfe67}, {15, 0xf30eb725bb91c9ea}, {16, 0x8972188433a5c5b7},
    {17, 0x4883c49a2c009c1d}, {31, 0x169739443111d49b}, {64, 0x75e05fd5bbc870c6}, {65, 0x9551550c825974c6},
};

static const uint64_t key_42[2] = {0xdc504fd368cd90af, 0xb920bb9ffe99e9c1};
static const struct vector with_key_42[] = {
    {1, 0xce880c366bcf3489},  {2, 0xef32fbc0469f0756},  {3, 0xef4b9dcae9b04417},  {4, 0x79793200f3b3b3db},
    {5, 0xbe8653fc64f95fbd},  {6, 0xb32b5a11619800dd},  {7, 0xce280fabc397fbda},  {8, 0x60866c3c108c6afb},
    {9, 0x68814005f7469e03},  {10, 0x060a514cd0a2e301}, {11, 0x72f315ef14fb4b09}, {12, 0x550fe6ca26ef7fdd},
    {13, 0x19c8185b4c3e2799}, {14, 0xfaa1fc2224a07929}, {15, 0x94ace24d68c18cf8}, {16, 0x339176f3ac59ce05},
    {17, 0xed2706b414c296f1}, {31, 0x06f3af51bda71c61}, {64, 0x91639ef7de8d52cb}, {65, 0xde4666257f4078ff},
};

static void check(const uint64_t key[2], const struct vector *vectors, size_t count)
{
    unsigned char data[80];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(siphash13(key, data, vectors[i].len), vectors[i].hash);
}

static void it_agrees_with_another_implementation(void **state)
{
    (void)state;
    check((const uint64_t[2]){0, 0}, with_zero_key, sizeof with_zero_key / sizeof *with_zero_key);
    check(key_42, with_key_42, sizeof with_key_42 / sizeof *with_key_42);
}

static void the_alignment_of_the_data_does_not_matter(void **state)
{
    (void)state;
    unsigned char data[40] = {0};
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 32; i++)
            data[shift + i] = (unsigned char)(i * 3);
        static uint64_t first;
        uint64_t hash = siphash13(key_42, data + shift, 31);
        first = shift ? first : hash;
        assert_int_equal(hash, first);
    }
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    assert_int_not_equal(siphash13(key_42, "lobby", 5),
                         siphash13((const uint64_t[2]){key_42[0], key_42[1] ^ 1}, "lobby", 5));
    assert_int_not_equal(siphash13(key_42, "lobby", 5),
                         siphash13((const uint64_t[2]){key_42[0] ^ 1, key_42[1]}, "lobby", 5));
}

static void the_empty_string_has_a_hash(void **state)
{
    (void)state;
    assert_int_not_equal(siphash13(key_42, NULL, 0), siphash13((const uint64_t[2]){1, 2}, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_another_implementation),
        cmocka_unit_test(the_alignment_of_the_data_does_not_matter),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(the_empty_string_has_a_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
