// SPDX-License-Identifier: MIT
// Division by multiplication, as shaders do it.
#include "ops/divide.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint32_t divide(uint32_t n, uint32_t magic, uint32_t shift)
{
    return magic ? (uint32_t) ((uint64_t) n * magic >> 32) >> shift : n;
}

static void check(uint32_t d)
{
    uint32_t magic, shift;
    weft_divisor(d, &magic, &shift);
    const uint32_t last = UINT32_C(0x7fffffff), most = last / d;
    const uint32_t quotients[] = { 0, 1, 2, 3, most / 3, most / 2, most - (most > 0), most };
    for (unsigned i = 0; i < sizeof quotients / sizeof *quotients; i++) // around every multiple is where a quotient could be off by one
        for (int by = -1; by <= 1; by++) {
            const int64_t n = (int64_t) quotients[i] * d + by;
            if (n < 0 || n > last) continue;
            if (divide((uint32_t) n, magic, shift) != (uint32_t) n / d) fail_msg("%lld / %u", (long long) n, d);
        }
    if (divide(last, magic, shift) != last / d) fail_msg("%u / %u", last, d);
}

static void quotients_are_exact(void **state)
{
    (void) state;
    for (uint32_t d = 1; d < 70000; d++) check(d);
    for (int bit = 16; bit < 31; bit++)
        for (int by = -3; by <= 3; by++) check((UINT32_C(1) << bit) + (uint32_t) by);
    for (uint32_t d = 70001; d < UINT32_C(0x7fffffff) - 99991; d += 99991) check(d);
    check(UINT32_C(0x7fffffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(quotients_are_exact) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
