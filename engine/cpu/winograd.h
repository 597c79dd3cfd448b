// SPDX-License-Identifier: MIT
// Convolutions of 3 x 3 and 4 x 4 taps by tiles of outputs (Winograd 1980; Lavin and Gray 2016): the transforms around products of matrices, on plain
// images, one channel of a strip of tiles at a time.
#pragma once
#include "ops/conv.h"

typedef struct weft_winograd_sizes {
    int64_t images, ci, h, w, co, ho, wo; // co: of the weights, before a gate
    int64_t top, left;                    // where the first tile begins: so far before the image
    int mode;                             // what lies there: of WEFT_PAD_MODES
    int64_t reach_y, reach_x;             // what lies from there on has no part in any output
    int64_t crop_y, crop_x;               // outputs of the first tiles that nobody wants
    int64_t dy, dx;                       // dilation: each dy-th row and dx-th column are an image of their own
    int64_t rows, columns, tiles;         // tiles of such an image, and of all
} weft_winograd_sizes;

// Some of the tiles, which count along rows, then images, and their transforms. Plane p of v has [in_parts ci][columns of p][lead] numbers, of m
// [out_parts co][columns of p][lead], after weft_winograd_at.
typedef struct weft_winograd_strip {
    int64_t first, count, lead;
    float *v, *m;
    float *gates; // with dilation: where sums wait that are gates, laid out like y
} weft_winograd_strip;

// Tiles side by side in one row, or in `rows` whole rows; those of the strip from `at` on.
// Of the image that begins at (y, x) of `image`.
typedef struct weft_winograd_run { int64_t image, y, x, row, column, count, rows, at; } weft_winograd_run;

enum { WEFT_WINOGRAD_LINE = 272, WEFT_WINOGRAD_LANES = 16, WEFT_WINOGRAD_MOST_PLANES = 64, WEFT_WINOGRAD_MOST_TAPS = 16 };

// As many tiles as whole registers hold: loops then need no tails. What they compute past the run is overwritten by the next, or in nobody's
// way. For half a register's the tail is less.
static inline int64_t weft_winograd_lanes(const weft_winograd_strip *s, int64_t at, int64_t count)
{
    const int64_t all = (count + WEFT_WINOGRAD_LANES - 1) / WEFT_WINOGRAD_LANES * WEFT_WINOGRAD_LANES;
    return 2 * count <= WEFT_WINOGRAD_LANES ? count : all < s->lead - at ? all : s->lead - at;
}

// One algorithm. Each way there are `side` kinds of products; the last takes `plain` numbers of each tile as they are.
typedef struct weft_winograd_scheme {
    char name[16];
    int taps;                // each way
    int in_parts, out_parts; // each channel is as many in the products, part p of c the p * channels + c-th
    int side, plain;
    int tile;             // outputs of one, each way
    int in_step, in_side; // from tile to tile, and inputs of one
    int chunk;            // tiles of a run at most
    bool merges;          // `sums` takes several rows of tiles
    // The planes of LANES kernels, of which in[taps y + x]; out[(plane in_parts + part) out_parts + part].
    void (*weights)(float in[][WEFT_WINOGRAD_LANES], float out[][WEFT_WINOGRAD_LANES]);
    // v of one channel of a run of one row; rows of the input, LINE apart.
    void (*lift)(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const float *in);
    // The outputs of a run without the first `skip` ones each way: `height` rows of `width` numbers, `stride` apart.
    void (*sums)(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const int64_t skip[2],
                 int64_t height, int64_t width, float *to, int64_t stride);
} weft_winograd_scheme;

extern const weft_winograd_scheme weft_winograd_same; // stride 1, 4 x 4 outputs
extern const weft_winograd_scheme weft_winograd_down; // stride 2, 3 x 3 outputs
extern const weft_winograd_scheme weft_winograd_up;   // transposed, stride 2, 6 x 6 outputs
extern const weft_winograd_scheme weft_winograd_down_four, weft_winograd_up_four; // the same for 4 x 4 taps; the others have 3 x 3

static inline int64_t weft_winograd_columns(const weft_winograd_scheme *c, int plane) // that plane's, for each tile
{
    const int last = c->side - 1;
    return (plane / c->side == last ? c->plain : 1) * (plane % c->side == last ? c->plain : 1);
}
static inline int64_t weft_winograd_at(const weft_winograd_scheme *c, int plane, int64_t channels, int64_t lead)
{
    const int r = plane / c->side, q = plane % c->side, before = r * (c->side - 1 + c->plain) + q * (r == c->side - 1 ? c->plain : 1);
    return before * channels * lead + plane * WEFT_WINOGRAD_LANES; // planes a power of 2 apart would meet in the caches
}
static inline int64_t weft_winograd_kernels(const weft_winograd_scheme *c) // numbers of one transformed kernel
{
    return (int64_t) c->side * c->side * c->in_parts * c->out_parts;
}
static inline int64_t weft_winograd_room(const weft_winograd_scheme *c, int64_t channels, int64_t lead) // of all planes
{
    return weft_winograd_at(c, c->side * c->side - 1, channels, lead) + c->plain * c->plain * channels * lead + WEFT_WINOGRAD_LANES;
}

// The transforms of kernels, u [plane][in_parts ci][out_parts co]. `turned`: they lie as [ci][co] and are meant turned by half a turn, as transposed
// convolutions have them. For input channels [begin, end).
void weft_cpu_winograd_weights(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const float *w, bool turned, float *u, int64_t begin,
                               int64_t end);

// v of one input channel; x times `scale` [images, ci], which may be NULL.
void weft_cpu_winograd_in(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, const float *x, const float *scale,
                          int64_t channel);

// y of one output channel (of half as many with a gate) from m, finished as the node says; with dilation that remains to be done.
void weft_cpu_winograd_out(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_node *n,
                           const void *const *in, float *y, int64_t channel);
// Finishes one plane of y.
void weft_cpu_winograd_finish(const weft_winograd_sizes *z, const weft_node *n, const void *const *in, float *y, float *gates, int64_t plane);

// What will be touched soon, too far away for the processor to guess.
#if defined(__GNUC__)
#define WEFT_AHEAD(address, writes) __builtin_prefetch(address, writes)
#else
#define WEFT_AHEAD(address, writes) ((void) (address))
#endif
