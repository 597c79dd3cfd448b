// SPDX-License-Identifier: MIT
// The random numbers of NumPy's RandomState, so that a seed means the same latent here as in published programs.
//
// The generator is MT19937 (Matsumoto and Nishimura, 1998), normal numbers come from the polar method (Marsaglia and Bray,
// 1964) with its second number kept for the next call; both as NumPy has frozen them in numpy.random.RandomState.
// Integers and weft_random_sample are the same bits on every machine. Normal numbers use log and sqrt: the same bits as
// NumPy on the same C library and processor family, and elsewhere within the last bit or two of a double, of which float latents show next to
// nothing.
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

// Everything a stream is: copy it to remember a place in it. Only to be looked at; weft_random_seed makes it valid.
typedef struct weft_random_state {
    uint32_t key[624];
    int position;   // of the next word in `key`
    int has_normal; // `normal` is the next normal number
    double normal;
} weft_random_state;

WEFT_API void weft_random_seed(weft_random_state *r, uint32_t seed); // RandomState(seed)
// RandomState([a, b, ...]); count is at least 1.
WEFT_API void weft_random_seed_array(weft_random_state *r, const uint32_t *seeds, size_t count);

WEFT_API uint32_t weft_random_bits(weft_random_state *r);  // 32 of them
WEFT_API double weft_random_sample(weft_random_state *r);  // random_sample(): 53 bits in [0, 1)
WEFT_API double weft_random_normal(weft_random_state *r);  // standard_normal(), randn()
WEFT_API uint32_t weft_random_below(weft_random_state *r, uint32_t count); // in [0, count), as shuffle() draws it; count at least 1

// randn(count).astype(float32)
WEFT_API void weft_random_normals(weft_random_state *r, float *out, size_t count);
// permutation(count)
WEFT_API void weft_random_permutation(weft_random_state *r, uint32_t *out, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif // WEFT_RANDOM_H
