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

// --- Directions by principal components (GANSpace, Haerkoenen et al. 2020). -------------------------------------

// The covariance of rows is summed up in double as they come; nothing of them is kept.
typedef struct weft_pca weft_pca;
WEFT_API weft_result weft_pca_create(weft_context *ctx, int width, weft_pca **out); // width: at most 32768
WEFT_API void weft_pca_destroy(weft_pca **p);
WEFT_API weft_result weft_pca_add(weft_pca *p, const float *rows, size_t count); // [count, width], finite

// mean [width]; directions [count, width]: unit vectors, most variance first, each with its largest entry positive; stdev [count]:
// of the rows along each (divided by their number). Any of them may be NULL. A move by s standard deviations along direction k is
// s x stdev[k] x directions[k]. share: NULL, or how much of the variance lies along all `count`. WEFT_ERR_ARGUMENT for fewer than
// two rows, or more directions than numbers in a row.
WEFT_API weft_result weft_pca_solve(weft_pca *p, int count, float *mean, float *directions, float *stdev, double *share);

// --- Directions by a linear classifier (InterFaceGAN, Shen et al. 2020). ----------------------------------------

typedef struct weft_separate_params {
    double threshold; // a row is of the positive class when its score is above this
    double share;     // 0, or: only this share (at most 0.5) with the highest scores is positive and with the lowest is negative
    double cost;      // C, what a row on the wrong side costs; 0: 1
    double tolerance; // how far the optimality conditions may be violated; 0: 1e-3
    double held;      // share of the rows that is held back to measure accuracy (chosen by RandomState(seed).permutation)
    uint32_t seed;
} weft_separate_params;
typedef struct weft_separate_facts {
    int positive, negative;       // rows it was trained on
    int held;                     // rows it was measured on
    double accuracy, held_accuracy; // of those; 1 where there are none
    double margin;                // distance of the margins from the plane: 1 / |w|
    double bias;                  // direction . x + bias is the signed distance of x from the plane
    int iterations;
} weft_separate_facts;

// The plane between rows [count, width] of two classes: a linear support vector machine, min 1/2 |w|^2 + C sum max(0, 1 - y (w.x + b)),
// solved in its dual by sequential minimal optimisation with second-order working sets (Platt 1998; Fan, Chen, Lin 2005). direction
// [width] is its unit normal, towards the positive class. params and facts may be NULL.
// Errors: WEFT_ERR_ARGUMENT where a class is empty, WEFT_ERR_NUMERIC where there is no plane.
WEFT_API weft_result weft_latent_separate(weft_context *ctx, const float *rows, int count, int width, const float *scores,
                                          const weft_separate_params *params, float *direction, weft_separate_facts *facts);

// What of `direction` [width] lies across all `conditions` [count, width], as a unit vector: for one condition n - (n.c) c, normalised.
// WEFT_ERR_ARGUMENT where nothing is left.
WEFT_API weft_result weft_latent_project(weft_context *ctx, float *direction, int width, const float *conditions, int count);

#ifdef __cplusplus
}
#endif
#endif // WEFT_LATENT_H
