// SPDX-License-Identifier: MIT
// Convolutions of 3 x 3 taps by tiles of 4 x 4 outputs (Winograd 1980; Lavin and Gray 2016): the transforms around 36 products of matrices,
// on plain images, for some of the channels and a strip of the tiles at a time.
#pragma once
#include "ops/conv.h"

enum { WEFT_WINOGRAD_PLANES = 36 };

typedef struct weft_winograd_sizes {
    int64_t images, ci, h, w, co, ho, wo; // co: of the weights, before a gate
    int64_t top, left;                    // of the padding
    int mode;                             // of it
    int64_t rows, columns, tiles;         // tiles of an image, and of all
} weft_winograd_sizes;

// Some of the tiles, which count along rows, then images, and their transforms: v [plane][ci][lead], m [plane][co][lead].
typedef struct weft_winograd_strip {
    int64_t first, count;
    int64_t lead, v_plane, m_plane;
    float *v, *m;
} weft_winograd_strip;

// The transforms of kernels, [ci][co] in each plane. `turned`: they lie as [ci][co] and are meant turned by half a turn, as transposed
// convolutions have them. For input channels [begin, end).
void weft_cpu_winograd_weights(const weft_winograd_sizes *z, const float *w, bool turned, float *u, int64_t begin, int64_t end);

// v of one input channel; x times `scale` [images, ci], which may be NULL.
void weft_cpu_winograd_in(const weft_winograd_sizes *z, const weft_winograd_strip *s, const float *x, const float *scale, int64_t channel);

// y of one output channel (of half as many with a gate) from m, finished as the node says.
void weft_cpu_winograd_out(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_node *n, const void *const *in, float *y, int64_t channel);
