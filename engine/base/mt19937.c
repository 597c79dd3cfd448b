// SPDX-License-Identifier: MIT
// MT19937 and what NumPy's RandomState makes of its words.
#include <math.h>
#include <weft/random.h>

enum { WORDS = 624, SHIFT = 397 };

void weft_random_seed(weft_random_state *r, uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        r->key[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
    r->position = WORDS;
    r->has_normal = 0;
    r->normal = 0;
}

// One step of the two passes that mix an array into the key: i runs over 1 ... 623 and around.
static uint32_t mix_word(uint32_t *key, uint32_t i, uint32_t factor)
{
    return key[i] ^ (key[i - 1] ^ key[i - 1] >> 30) * factor;
}
static uint32_t next_word(uint32_t *key, uint32_t i)
{
    if (++i < WORDS) return i;
    key[0] = key[WORDS - 1];
    return 1;
}

void weft_random_seed_array(weft_random_state *r, const uint32_t *seeds, size_t count)
{
    uint32_t i = 1;
    weft_random_seed(r, 19650218u);
    for (size_t n = count > WORDS ? count : WORDS, k = 0, j = 0; k < n; k++, j = j + 1 < count ? j + 1 : 0) {
        r->key[i] = mix_word(r->key, i, 1664525u) + seeds[j] + (uint32_t) j;
        i = next_word(r->key, i);
    }
    for (int k = 0; k < WORDS - 1; k++) {
        r->key[i] = mix_word(r->key, i, 1566083941u) - i;
        i = next_word(r->key, i);
    }
    r->key[0] = 0x80000000u;
}

static void next_block(weft_random_state *r)
{
    for (int i = 0; i < WORDS; i++) {
        const uint32_t y = (r->key[i] & 0x80000000u) | (r->key[(i + 1) % WORDS] & 0x7fffffffu);
        r->key[i] = r->key[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    r->position = 0;
}

uint32_t weft_random_bits(weft_random_state *r)
{
    if (r->position >= WORDS) next_block(r);
    uint32_t y = r->key[r->position++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

double weft_random_sample(weft_random_state *r)
{
    const uint32_t high = weft_random_bits(r) >> 5, low = weft_random_bits(r) >> 6;
    return (high * 67108864.0 + low) * 0x1p-53; // exact: 53 bits
}

double weft_random_normal(weft_random_state *r)
{
    if (r->has_normal) return r->has_normal = 0, r->normal;
    for (;;) {
        const double x = 2 * weft_random_sample(r) - 1, y = 2 * weft_random_sample(r) - 1; // exact
        // Each product and the sum are rounded to double by themselves, as in NumPy's builds: volatile keeps compilers from
        // contracting them to one fused operation and from x87's wider registers.
        const volatile double xx = x * x, yy = y * y;
        const volatile double square = xx + yy;
        if (square >= 1 || square == 0) continue;
        const volatile double power = -2 * log(square), ratio = power / square;
        const double scale = sqrt(ratio);
        r->has_normal = 1;
        r->normal = scale * x;
        return scale * y;
    }
}

uint32_t weft_random_below(weft_random_state *r, uint32_t count)
{
    uint32_t mask = count - 1, value;
    for (int s = 1; s < 32; s *= 2) mask |= mask >> s;
    if (!mask) return 0; // nothing is drawn
    do value = weft_random_bits(r) & mask;
    while (value >= count);
    return value;
}

void weft_random_normals(weft_random_state *r, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (float) weft_random_normal(r);
}

void weft_random_permutation(weft_random_state *r, uint32_t *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) out[i] = i;
    for (uint32_t i = count; i-- > 1;) {
        const uint32_t j = weft_random_below(r, i + 1), t = out[i];
        out[i] = out[j];
        out[j] = t;
    }
}
