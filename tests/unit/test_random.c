// SPDX-License-Identifier: MIT
// Seeds give NumPy's numbers: thousands of draws of each kind against hashes of what numpy.random.RandomState gave (NumPy 1.24, x86-64).
// Repeated by: python3 tests/unit/random_values.py
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

enum { DRAWS = 5001 }; // odd: a pair of normal numbers is cut in half

typedef struct published {
    uint32_t seed;
    uint64_t bits, sample, permutation, normal_f32, normal_f64; // FNV-1a of the bytes of DRAWS numbers
    double first[5];                                            // normal numbers
} published;
static const published rows[] = {
    { 0u, 0xc55b9a937d7c77e5, 0xae4138b1b70f5b95, 0x7aa6acf0f556ec04, 0x4fe3dd74da7fd17e, 0xc2b315767e73c242,
      { 0x1.c398ef3e5cfa5p+0, 0x1.99c2cfacc8953p-2, 0x1.f51d25222c9abp-1, 0x1.1ed5969e3314ep+1, 0x1.de1847cb13ddap+0 } },
    { 1u, 0x68e39295f5f9fee4, 0x926cc81da465311a, 0x081a93343378fe28, 0xf9e3351befe24993, 0xc905518203f76893,
      { 0x1.9fd5190657c50p+0, -0x1.393822fb7d9adp-1, -0x1.0e6c872548fd2p-1, -0x1.12ae1255cb80cp+0, 0x1.bb16b5735117dp-1 } },
    { 123u, 0x2575516a194d3379, 0x98ba5c41a483d9ed, 0x058d53af0e61a5ec, 0x22b6e96512d5352b, 0x9c7ac120c371603c,
      { -0x1.15ebe320b670ep+0, 0x1.fea40ff7c8334p-1, 0x1.21c51d8a6b038p-2, -0x1.819c87c66a773p+0, -0x1.283e4acf530efp-1 } },
    { 2147483648u, 0x339ca9d2d761516f, 0xf0d05f1776b05b93, 0x6ff31c4b5237a7a0, 0x660170f19ac602f9, 0x77e77b31d7263b40,
      { 0x1.461e9b1db9e84p-2, -0x1.620d341998be7p-2, 0x1.cdf64e98a6ca1p-3, 0x1.8355f7470ef24p+0, -0x1.48b3d06f227f4p+0 } },
    { 4294967295u, 0x5e0370d5920d0abb, 0x0b8c1c42c6df5181, 0x5c3317f94b21b5a4, 0x008fdecc51c17a84, 0x105a2bdf74de1a9b,
      { 0x1.4bfc38c486d8ap-1, 0x1.56b192e507eeep-1, -0x1.149e836f192fdp+0, 0x1.23543dec5a0fcp-2, 0x1.d27bf27c6aaafp-4 } },
};

static uint64_t hash(const void *data, size_t bytes)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *) data)[i]) * 0x100000001b3;
    return h;
}

static uint64_t hash_bits(weft_random_state *r)
{
    static uint32_t draw[DRAWS];
    for (int i = 0; i < DRAWS; i++) draw[i] = weft_random_bits(r);
    return hash(draw, sizeof draw);
}

static uint64_t hash_floats(weft_random_state *r)
{
    static float draw[DRAWS];
    weft_random_normals(r, draw, DRAWS);
    return hash(draw, sizeof draw);
}

static void words_are_those_of_the_bit_generator(void **state)
{
    (void) state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        weft_random_state r;
        weft_random_seed(&r, rows[k].seed);
        assert_int_equal(hash_bits(&r), rows[k].bits);
    }
}

static void samples_have_53_bits_of_two_words(void **state)
{
    static double draw[DRAWS];
    (void) state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        weft_random_state r;
        weft_random_seed(&r, rows[k].seed);
        for (int i = 0; i < DRAWS; i++) draw[i] = weft_random_sample(&r);
        assert_int_equal(hash(draw, sizeof draw), rows[k].sample);
    }
}

static void permutations_are_the_same(void **state)
{
    static uint32_t draw[DRAWS];
    (void) state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        weft_random_state r;
        weft_random_seed(&r, rows[k].seed);
        weft_random_permutation(&r, draw, DRAWS);
        assert_int_equal(hash(draw, sizeof draw), rows[k].permutation);
    }
}

// Floats are compared to the bit everywhere; doubles to the bit where the C library is the one NumPy used.
static void normal_numbers_are_those_of_randn(void **state)
{
    static double draw[DRAWS];
    (void) state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        weft_random_state r;
        weft_random_seed(&r, rows[k].seed);
        assert_int_equal(hash_floats(&r), rows[k].normal_f32);
        weft_random_seed(&r, rows[k].seed);
        for (int i = 0; i < DRAWS; i++) draw[i] = weft_random_normal(&r);
        for (int i = 0; i < 5; i++) assert_true(fabs(draw[i] - rows[k].first[i]) <= 4e-16 * fabs(rows[k].first[i]));
#if defined(__GLIBC__) && defined(__x86_64__) // whose log is another one on processors without fused multiply-add
        if (__builtin_cpu_supports("fma")) assert_int_equal(hash(draw, sizeof draw), rows[k].normal_f64);
#endif
    }
}

static void arrays_seed_as_lists_do(void **state)
{
    static uint32_t many[700];
    weft_random_state r;
    (void) state;
    for (uint32_t i = 0; i < 700; i++) many[i] = i;
    weft_random_seed_array(&r, (const uint32_t[]) { 1, 2, 3 }, 3);
    assert_int_equal(hash_floats(&r), 0x305486799733e9be);
    r.has_normal = 0;
    assert_int_equal(hash_bits(&r), 0x1aa87d08c69fdff7);
    weft_random_seed_array(&r, (const uint32_t[]) { 7 }, 1);
    assert_int_equal(hash_floats(&r), 0x47745ea5c447f986);
    assert_int_equal(hash_bits(&r), 0xa6a424dbce838a00);
    weft_random_seed_array(&r, many, 700);
    assert_int_equal(hash_floats(&r), 0x2708368e1d220d57);
    assert_int_equal(hash_bits(&r), 0x5e0542d3fad8ac80);
}

// r = RandomState(5): randn(3), permutation(1), permutation(2), random_sample(), randn(2)
static void kinds_of_draws_share_one_stream(void **state)
{
    static const double want[] = { 0x1.c3d1236911f14p-2, -0x1.52cfa0066e3e2p-2, 0x1.372382a020f64p+1, 0x1.6aa329c25b854p-2,
                                   -0x1.02247070e5970p-2, 0x1.13df18cbf2e29p-2 };
    weft_random_state r;
    uint32_t one, two[2];
    (void) state;
    weft_random_seed(&r, 5);
    for (int i = 0; i < 3; i++) assert_true(fabs(weft_random_normal(&r) - want[i]) < 1e-15);
    weft_random_permutation(&r, &one, 1);
    weft_random_permutation(&r, two, 2);
    assert_true(one == 0 && two[0] == 0 && two[1] == 1);
    assert_true(weft_random_sample(&r) == want[3]);
    for (int i = 4; i < 6; i++) assert_true(fabs(weft_random_normal(&r) - want[i]) < 1e-15);
}

static void a_copy_of_a_stream_goes_on_alike(void **state)
{
    weft_random_state a, b;
    (void) state;
    weft_random_seed(&a, 9);
    weft_random_normal(&a);
    b = a;
    assert_int_equal(hash_floats(&a), hash_floats(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_the_bit_generator), cmocka_unit_test(samples_have_53_bits_of_two_words),
        cmocka_unit_test(permutations_are_the_same), cmocka_unit_test(normal_numbers_are_those_of_randn),
        cmocka_unit_test(arrays_seed_as_lists_do), cmocka_unit_test(kinds_of_draws_share_one_stream),
        cmocka_unit_test(a_copy_of_a_stream_goes_on_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
