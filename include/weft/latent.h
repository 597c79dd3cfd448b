// SPDX-License-Identifier: MIT
// Latents: between two, mixed, moved along directions; and where directions come from.
//
// A latent "ws" is [layers, width], one w for each layer of a generator. Layers are chosen by bits: bit k is layer k.
#ifndef WEFT_LATENT_H
#define WEFT_LATENT_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_ALL_LAYERS (~(uint64_t) 0)
enum { WEFT_MAX_LAYERS = 64 };

// a + t (b - a)
WEFT_API void weft_latent_lerp(const float *a, const float *b, size_t count, double t, float *out);
// Along the great circle: sin((1 - t) v) / sin v a + sin(t v) / sin v b, with v the angle between a and b (Shoemake, 1985). What to
// use between two z, whose length says nothing. Where the circle is not defined it is a straight line.
WEFT_API void weft_latent_slerp(const float *a, const float *b, size_t count, double t, float *out);

// The chosen layers of `from` in place of those of `ws`.
WEFT_API void weft_latent_mix(float *ws, const float *from, int layers, int width, uint64_t chosen);

// ws += strength x direction on the chosen layers. direction: [width] for all (direction_layers 1), or [layers, width].
WEFT_API void weft_latent_move(float *ws, int layers, int width, const float *direction, int direction_layers, double strength,
                               uint64_t chosen);

#ifdef __cplusplus
}
#endif
#endif // WEFT_LATENT_H
