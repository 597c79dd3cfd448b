// SPDX-License-Identifier: MIT
#include "ops/conv_emit.h"
#include "ops/divide.h"
#include "ops/lanes.h"
#include "ops/loop.h"
#include "ops/matrix.h"
#include "ops/tile.h"
#include "ops/turns.h"
#include "ops/winograd.h"
#include "params/conv.h"
#include <string.h>

// Flops from which a faster kernel is worth the seconds that a software driver takes to compile it.
static const double LONG_WORK = 2e7, VERY_LONG_WORK = 2e8;

enum { PATH_ONE, PATH_ONE_WIDE, PATH_FOUR, PATH_FOUR_WIDE, PATH_DEPTHWISE }; // of shaders/conv_direct.comp

typedef struct conv { // a convolution on its way to a kernel
    const weft_node *node;
    const weft_conv_attrs *at;
    bool transposed;
    bool wide_in, wide_out; // channels can be read and written in fours: none of them spans two groups or halves
    struct conv_params p;
    weft_dispatch d;
} conv;

static int gcd(int a, int b) { return b ? gcd(b, a % b) : a; }

static void set_axis(conv *c, int axis)
{
    const weft_conv_attrs *at = c->at;
    struct conv_params *p = &c->p;
    const int stride = at->stride[axis], dilation = at->dilation[axis], common = gcd(stride, dilation);
    p->kernel[axis] = (i32) c->node->in_shape[1].dim[2 + axis];
    p->pad[axis] = at->pads[axis];
    p->dilation[axis] = dilation;
    p->stride[axis] = c->transposed ? 1 : stride;
    p->phases[axis] = c->transposed ? stride : 1;
    p->tap_by[axis] = c->transposed ? stride / common : 1; // only every such tap falls on an input
    p->tap[axis] = c->transposed ? -dilation / common : dilation;
}

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint32_t extras(const weft_node *n, const weft_emit *e) // EXTRA_* of shaders/glsl/conv_constants.glsl
{
    const bool noise = weft_has(n, WEFT_CONV_NOISE), one = noise && n->in_shape[WEFT_CONV_NOISE].dim[0] == 1;
    return weft_has(n, WEFT_CONV_D) * 1u + (one ? 2u : noise ? 4u : 0u) + weft_has(n, WEFT_CONV_STRENGTH) * 8u + weft_has(n, WEFT_CONV_S) * 16u +
           weft_emit_packed(e, 1) * 32u;
}

void weft_conv_spec(const weft_node *n, const weft_emit *e, uint32_t spec[WEFT_CONV_SPEC])
{
    const weft_conv_attrs *at = n->attrs;
    const uint32_t all[WEFT_CONV_SPEC] = {
        n->op->kernel_t_inputs != 0, (uint32_t) at->pad_mode, weft_has(n, 2), (uint32_t) at->act, (uint32_t) at->gate,
        !weft_has(n, 3) ? 0 : at->residual == WEFT_RESIDUAL_AFTER ? 1 : 2, extras(n, e), float_bits(at->gain == 0 ? 1 : at->gain), float_bits(at->clamp),
    };
    memcpy(spec, all, sizeof all);
}

static void describe(conv *c, const weft_node *n, const weft_emit *e)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->out_shape[0].dim, *w = n->in_shape[1].dim;
    const u32 all = (u32) y[1] << (at->gate != 0), groups = (u32) at->groups;
    *c = (conv) { .node = n, .at = at, .transposed = n->op->kernel_t_inputs != 0 };
    c->p = (struct conv_params) {
        .n = (u32) x[0], .ci = (u32) x[1], .co = (u32) y[1], .hi = (i32) x[2], .wi = (i32) x[3], .ho = (i32) y[2], .wo = (i32) y[3],
        .ci_group = (u32) x[1] / groups, .co_group = all / groups, .a = at->a, .b = at->b,
    };
    c->p.w_tap = (u32) (w[0] * w[1]);
    c->p.w_ci = (u32) (c->transposed ? w[1] : w[0]);
    c->p.w_group = c->transposed ? c->p.ci_group * c->p.w_ci : c->p.co_group;
    set_axis(c, 0);
    set_axis(c, 1);
    c->wide_in = c->p.ci_group % 4 == 0;
    c->wide_out = c->p.co_group % 4 == 0 && c->p.co % 4 == 0;
    c->d = (weft_dispatch) { .params_bytes = sizeof c->p, .flops = n->op->flops(n) };
    weft_conv_spec(n, e, c->d.spec);
}

static weft_result emit_direct(conv *c, weft_emit *e)
{
    const bool depthwise = c->p.ci_group == 1 && c->p.co_group == 1 && c->p.co % 4 == 0;
    const int path = depthwise ? PATH_DEPTHWISE : (c->wide_out ? PATH_FOUR : PATH_ONE) + c->wide_in;
    c->d.kernel = "conv_direct", c->d.subgroup = 0;
    c->d.spec[WEFT_CONV_SPEC] = (uint32_t) path, c->d.spec_count = WEFT_CONV_SPEC + 1;
    c->d.grid[0] = (uint32_t) (weft_shape_count(c->node->out_shape[0]) / (path < PATH_FOUR ? 1 : 4));
    return weft_emit_dispatch(e, &c->d);
}

// --- Kernels whose workgroups cover pixels x channels. ---

typedef struct cover { uint32_t threads, pixels, columns, parts; } cover; // of a workgroup; parts: into which its sums are cut, 0: none

enum { ENOUGH = 64 }; // workgroups to keep a large device busy

static uint32_t phase_pixels(const conv *c)
{
    return ceil_div((uint32_t) c->p.ho, (uint32_t) c->p.phases[0]) * ceil_div((uint32_t) c->p.wo, (uint32_t) c->p.phases[1]);
}

static double cover_groups(conv *c, cover w) // workgroups
{
    struct conv_params *p = &c->p;
    const uint32_t span = c->at->gate ? p->co : p->co_group, groups = p->co / span;
    p->column_tiles = ceil_div(span, c->at->gate ? w.columns / 2 : w.columns);
    p->pixel_tiles = ceil_div(phase_pixels(c), w.pixels);
    // The larger operand is read from far away: let those who share it come one after another.
    p->by_pixels = weft_shape_count(c->node->in_shape[1]) > (int64_t) p->ci * p->hi * p->wi;
    return (double) p->column_tiles * groups * p->pixel_tiles * p->n * p->phases[0] * p->phases[1] * (w.parts ? w.parts : 1);
}

// False: more than a grid can have.
static bool set_cover(conv *c, const char *kernel, cover w, const uint32_t *own, int own_count)
{
    const double all = cover_groups(c, w);
    c->d.kernel = kernel;
    memcpy(c->d.spec + WEFT_CONV_SPEC, own, sizeof *own * (size_t) own_count);
    c->d.spec_count = WEFT_CONV_SPEC + own_count;
    c->d.group[0] = w.threads;
    c->d.grid[0] = all * w.threads > UINT32_MAX ? 0 : (uint32_t) all * w.threads;
    return c->d.grid[0] > 0;
}

static weft_result emit_cover(conv *c, weft_emit *e, const char *kernel, cover w, const uint32_t *own, int own_count)
{
    return set_cover(c, kernel, w, own, own_count) ? weft_emit_dispatch(e, &c->d) : emit_direct(c, e);
}

// Sums of more are for one invocation each, which reads in fours; gates of groups lie in other groups; depthwise work has no sums to share.
static bool can_cover(const conv *c)
{
    const double deep = (double) c->p.ci_group * c->p.kernel[0] * c->p.kernel[1];
    return deep < 65536 && (!c->at->gate || c->at->groups == 1) && c->p.co_group > 1;
}

static bool can_subgroup(const conv *c, const weft_caps *caps)
{
    return can_cover(c) && weft_lanes(caps);
}

static bool can_subgroup_long(const conv *c, const weft_caps *caps)
{
    return can_subgroup(c, caps) && caps->int64 && c->wide_in && c->wide_out && (!c->at->gate || c->p.co % 4 == 0);
}

// Cut: pixels of a lane, columns of the workgroup, which is one subgroup, and how a GPU comes by weights, 0: by a processor's way to all.
// Up to 4 x 32, which the vector registers of processors just hold, half of that where compiling would take longer than it saves, and as little past the end of pixels and channels as there can be.
static weft_way subgroup_way(const conv *c, const weft_caps *caps, const char *kernel)
{
    const uint32_t span = c->at->gate ? 2 * c->p.co : c->p.co_group, tiles = ceil_div(span, c->d.flops < VERY_LONG_WORK ? 16 : 32);
    const uint32_t lanes = ceil_div(phase_pixels(c), weft_lanes(caps));
    uint32_t columns = ceil_div(span, tiles);
    if (tiles > 1) columns = (columns + 3) & ~3u;
    if (c->at->gate) columns = c->wide_out ? (columns + 7) & ~7u : (columns + 1) & ~1u;
    return (weft_way) { kernel, { (uint8_t) (lanes < 4 ? lanes : 4), (uint8_t) columns } };
}

enum { SHARING = 2, BROADCAST = 1, UNIFORM = 2 };

static weft_result emit_subgroup(conv *c, weft_emit *e, const weft_way *way)
{
    const weft_caps *caps = weft_emit_caps(e);
    const uint32_t threads = weft_lanes(caps), pixels = way->cut[0], columns = way->cut[1];
    const uint32_t own[] = { threads, pixels, columns, c->wide_in, c->wide_out, !way->cut[SHARING], way->cut[SHARING] == UNIFORM };
    c->d.subgroup = threads;
    return emit_cover(c, e, way->kernel, (cover) { threads, threads * pixels, columns, 0 }, own, 7);
}

// --- Tiles in shared memory. Cut: ACROSS, ROWS, QUADS of shaders/glsl/conv_tile.glsl, invocations / 32, and parts of the sums. ---

enum { ACROSS, ROWS, QUADS, WARPS, PARTS, DEEP_QUADS = 4, STEP = 4 * DEEP_QUADS }; // (tap, input channel) pairs of a step
_Static_assert((int) PARTS > (int) WEFT_MATRIX_COLUMNS, "matrices' cuts have their parts in the same place");

static cover tile_cover(const weft_way *way)
{
    const uint32_t threads = way->cut[WARPS] * 32u, across = way->cut[ACROSS];
    return (cover) { threads, threads / across * way->cut[ROWS], across * way->cut[QUADS] * 4, way->cut[PARTS] };
}

// A shape that always fits. A gate needs two fours of channels per invocation.
static weft_way least_tile(const conv *c) { return (weft_way) { "conv_tile", { 8, c->at->gate ? 2 : 4, c->at->gate ? 2 : 1, 2 } }; }

// Whether the device takes it, and whether it is not half empty where a smaller one would do.
static bool tile_fits(const conv *c, const weft_caps *caps, const weft_way *way)
{
    const cover w = tile_cover(way);
    const uint32_t span = c->at->gate ? 2 * c->p.co : c->p.co_group;
    const uint32_t bytes = (w.pixels * DEEP_QUADS + w.columns * DEEP_QUADS + STEP) * 16;
    if (c->at->gate && way->cut[QUADS] % 2) return false;
    if (caps->few_registers && (way->cut[ROWS] * way->cut[QUADS] > 8 || w.pixels * DEEP_QUADS > 4 * w.threads)) return false; // it would spill
    if (w.threads > caps->max_group || bytes > caps->shared_bytes) return false;
    return (w.columns <= 16 || w.columns / 2 < span) && (w.pixels <= 32 || w.pixels / 2 < phase_pixels(c));
}

// A step costs some 60 turns of loops where inputs or weights are read one by one.
static bool tile_turns_fit(const conv *c, const weft_caps *caps, int parts)
{
    return (int64_t) c->p.ci_group * c->p.kernel[0] * c->p.kernel[1] / parts <= weft_turns_most(caps, 60.0 / STEP);
}

static const uint8_t shapes[][4] = { // pixels x channels, and what an invocation has of them; of equals the first is taken
    { 8, 8, 2, 4 },  // 128 x 64, 8 x 8
    { 8, 8, 2, 2 },  // 64 x 64, 8 x 8
    { 16, 8, 2, 8 }, // 128 x 128, 8 x 8
    { 16, 8, 1, 4 }, // 64 x 64, 8 x 4
    { 8, 8, 1, 2 },  // 64 x 32, 8 x 4
    { 8, 8, 1, 4 },  // 128 x 32, 8 x 4
    { 16, 8, 1, 8 }, // 128 x 64, 8 x 4
    { 32, 8, 1, 4 }, // 32 x 128, 8 x 4
    { 16, 8, 1, 2 }, // 32 x 64, 8 x 4
    { 8, 4, 1, 2 },  // 32 x 32, 4 x 4
    { 16, 4, 1, 2 }, // 16 x 64, 4 x 4
    { 8, 4, 2, 2 },  // 32 x 64, 4 x 8
    { 4, 8, 1, 4 },  // 256 x 16, 8 x 4
    // for few registers
    { 16, 4, 1, 8 }, // 64 x 64, 4 x 4
    { 16, 4, 1, 4 }, // 32 x 64, 4 x 4
    { 8, 4, 1, 4 },  // 64 x 32, 4 x 4
    { 8, 2, 2, 4 },  // 32 x 64, 2 x 8
};
enum { SHAPES = sizeof shapes / sizeof *shapes, LEAN_SHAPES = 4 };

// WIDE_IN of shaders/glsl/conv_tile.glsl. Bits: one for every row and every column of taps, and nothing beyond the edge but zeros.
static uint32_t tile_reads(const conv *c)
{
    const bool bits = c->p.kernel[0] <= 15 && c->p.kernel[1] <= 15 && (c->transposed || c->at->pad_mode == 0);
    return !c->wide_in ? 0 : !bits ? 1 : c->p.ci_group % STEP ? 2 : 3;
}

static weft_result emit_tile(conv *c, weft_emit *e, const weft_way *way)
{
    const uint32_t own[] = { way->cut[ACROSS], way->cut[ROWS], way->cut[QUADS], tile_reads(c), c->wide_out };
    return emit_cover(c, e, "conv_tile", tile_cover(way), own, 5);
}

// --- Sums in parts: workgroups take some of the taps and input channels each and write f32 sums; conv_finish adds them, always in one order. ---

static int steps_of(const conv *c, uint32_t step) // of the phase that has most
{
    const uint32_t y = ceil_div((uint32_t) c->p.kernel[0], (uint32_t) c->p.tap_by[0]), x = ceil_div((uint32_t) c->p.kernel[1], (uint32_t) c->p.tap_by[1]);
    return (int) ceil_div(y * x * c->p.ci_group, step);
}

static void fill_binds(const conv *c, weft_dispatch *d) // everything but the first two
{
    d->bind_count = 1 + WEFT_CONV_INPUTS;
    for (int k = 1; k < WEFT_CONV_INPUTS; k++) d->bind[1 + k] = (weft_bind) WEFT_BIND_IN(weft_has(c->node, k) ? k : 0);
}

weft_result weft_conv_emit_finish(const weft_node *n, weft_emit *e, int scratch, uint32_t parts)
{
    conv c;
    describe(&c, n, e);
    c.d.kernel = "conv_finish", c.d.params = &c.p, c.d.flops = 0;
    c.d.spec[WEFT_CONV_SPEC] = parts, c.d.spec[WEFT_CONV_SPEC + 1] = c.wide_out, c.d.spec_count = WEFT_CONV_SPEC + 2;
    c.d.grid[0] = (uint32_t) (weft_shape_count(n->out_shape[0]) / (c.wide_out ? 4 : 1));
    fill_binds(&c, &c.d);
    c.d.bind[0] = (weft_bind) WEFT_BIND_OUT(0), c.d.bind[1] = (weft_bind) WEFT_BIND_SCRATCH(scratch, 0);
    return weft_emit_dispatch(e, &c.d);
}

static weft_result emit_parts(conv *c, weft_emit *e, const char *kernel, cover w, const uint32_t *own, int own_count)
{
    if (!set_cover(c, kernel, w, own, own_count)) return emit_direct(c, e);
    const int64_t sums = weft_shape_count(c->node->out_shape[0]) << (c->at->gate != 0);
    const int room = weft_emit_scratch(e, sums * w.parts, WEFT_I32); // four bytes whatever the storage
    if (room < 0) return WEFT_ERR_MEMORY;
    fill_binds(c, &c->d);
    c->d.bind[0] = (weft_bind) WEFT_BIND_SCRATCH(room, 1), c->d.bind[1] = (weft_bind) WEFT_BIND_IN(0);
    WEFT_TRY(weft_emit_dispatch(e, &c->d));
    return weft_conv_emit_finish(c->node, e, room, w.parts);
}

static weft_result emit_split(conv *c, weft_emit *e, const weft_way *way)
{
    const uint32_t own[] = { way->cut[ACROSS], way->cut[ROWS], way->cut[QUADS], tile_reads(c), c->wide_out, way->cut[PARTS] };
    return emit_parts(c, e, "conv_tile_split", tile_cover(way), own, 6);
}

// --- Matrix units. ---

static uint32_t matrix_shared(const conv *c, const weft_caps *caps, const uint8_t *cut) // see shaders/glsl/conv_matrix.glsl
{
    const uint32_t deep = weft_matrix_deep(caps), tall = weft_matrix_tall(caps, cut), wide = weft_matrix_wide(caps, cut);
    const uint32_t room = (uint32_t) cut[WEFT_MATRIX_DOWN] * cut[WEFT_MATRIX_ACROSS] * caps->matrix[0] * caps->matrix[1] * (c->at->gate ? 2 : 1);
    return 8 * (tall * (deep / 4 + 2) + deep * (wide / 4 + 2)) + 4 * room + 16 * deep;
}

static cover matrix_cover(const weft_caps *caps, const uint8_t *cut)
{
    return (cover) { weft_matrix_threads(caps, cut), weft_matrix_tall(caps, cut), weft_matrix_wide(caps, cut), cut[PARTS] };
}

static weft_result emit_matrix(conv *c, weft_emit *e, const weft_way *way)
{
    const weft_caps *caps = weft_emit_caps(e);
    const uint8_t *cut = way->cut;
    const cover w = matrix_cover(caps, cut);
    const bool in_eights = c->p.ci_group % 8 == 0, out_eights = c->p.co_group % 8 == 0 && c->p.co % 8 == 0 && caps->matrix[1] >= 8;
    const uint32_t own[] = { c->wide_in + in_eights, c->wide_out + out_eights, cut[0], cut[1], cut[2], cut[3], caps->matrix[0], caps->matrix[1], caps->matrix[2],
                             caps->matrix_subgroup, weft_matrix_deep(caps), cut[PARTS] };
    c->d.subgroup = caps->matrix_subgroup;
    return w.parts ? emit_parts(c, e, "conv_matrix_split", w, own, 12) : emit_cover(c, e, "conv_matrix", w, own, 11);
}

// Matrices as large as the tile, with a gate as half of it.
static uint32_t matrix2_shared(const weft_caps *caps, uint32_t tall, uint32_t wide) // see shaders/glsl/conv_matrix.glsl
{
    const uint32_t deep = weft_matrix_deep(caps);
    return 8 * (tall * (deep / 4 + 2) + deep * (wide / 4 + 2)) + 16 * deep + 4 * tall;
}

static cover matrix2_cover(const weft_caps *caps, const uint8_t *cut)
{
    const weft_matrix2 t = weft_matrix2_of(caps, cut);
    return (cover) { t.threads, t.tall, t.wide, cut[PARTS] };
}

static weft_result emit_matrix2(conv *c, weft_emit *e, const weft_way *way)
{
    const weft_caps *caps = weft_emit_caps(e);
    const cover w = matrix2_cover(caps, way->cut);
    const bool in_eights = c->p.ci_group % 8 == 0, out_eights = c->p.co_group % 8 == 0 && c->p.co % 8 == 0;
    const uint32_t own[] = { c->wide_in + in_eights, c->wide_out + out_eights, w.pixels, w.columns, w.threads, weft_matrix2_of(caps, way->cut).scope,
                             weft_matrix_deep(caps), w.parts };
    c->d.subgroup = caps->matrix_subgroup;
    return w.parts ? emit_parts(c, e, "conv_matrix2_split", w, own, 8) : emit_cover(c, e, "conv_matrix2", w, own, 7);
}

// --- The choice. ---

static bool is(const weft_way *w, const char *kernel) { return !strcmp(w->kernel, kernel); }

static void add(weft_way *list, int *count, weft_way w)
{
    if (*count < WEFT_MAX_WAYS) list[(*count)++] = w;
}

// A GPU's, of which tools/static says, with Mesa 26.1: no spill on GCN 4 to RDNA 4, Turing, Ampere; a readlane or shuffle per weight where
// weights are broadcast, for which 8 pixels to a lane leave 81 % of the vector instructions on RDNA to products, and none where they are
// uniform: 93 %. Intel's compiler spills from 64 sums on and broadcasts for nothing.
static void add_gpu_subgroup(conv *c, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS], int *count)
{
    static const uint8_t many[][3] = { { 8, 16, UNIFORM }, { 8, 16, BROADCAST }, { 4, 32, BROADCAST }, { 4, 16, UNIFORM }, { 8, 8, UNIFORM }, { 8, 4, UNIFORM } };
    static const uint8_t few[][3] = { { 4, 8, BROADCAST }, { 2, 16, BROADCAST }, { 4, 4, BROADCAST } };
    const int all = caps->few_registers ? sizeof few / sizeof *few : sizeof many / sizeof *many;
    const uint32_t span = c->at->gate ? 2 * c->p.co : c->p.co_group, lanes = weft_lanes(caps);
    for (int k = 0; k < all; k++) {
        const uint8_t *cut = caps->few_registers ? few[k] : many[k];
        const uint32_t pixels = lanes * cut[0], columns = cut[1];
        if (columns > 4 ? columns >= 2 * span : c->at->gate || span > 4) continue; // fours for images and the like
        // half empty, or a device that idles
        if (k < all - 2 && (pixels >= 2 * phase_pixels(c) || cover_groups(c, (cover) { lanes, pixels, columns, 0 }) < ENOUGH)) continue;
        add(list, count, (weft_way) { "conv_subgroup", { cut[0], cut[1], cut[SHARING] } });
    }
    const uint8_t *wide = caps->few_registers ? few[1] : many[2]; // enough columns for loads of two or four to busy most lanes
    if (can_subgroup_long(c, caps) && wide[1] < 2 * span) add(list, count, (weft_way) { "conv_subgroup_long", { wide[0], wide[1], wide[SHARING] } });
}

static void add_subgroup(conv *c, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS], int *count)
{
    if (!caps->is_software && can_subgroup(c, caps)) add_gpu_subgroup(c, caps, list, count);
    if (!caps->is_software) return;
    if (can_subgroup_long(c, caps)) add(list, count, subgroup_way(c, caps, "conv_subgroup_long"));
    if (can_subgroup(c, caps)) add(list, count, subgroup_way(c, caps, "conv_subgroup"));
}

static double tile_cost(conv *c, const weft_way *way)
{
    const cover w = tile_cover(way);
    const double tall = way->cut[ROWS], wide = 4.0 * way->cut[QUADS];
    return weft_tile_time(cover_groups(c, w), w.threads, tall * wide, weft_tile_pace(tall, wide, w.pixels, w.columns));
}

// The one that is expected to be fastest first: large ones for much work, those that spread it over a whole device for little.
static void add_tiles(conv *c, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS], int *count)
{
    weft_way fit[SHAPES];
    double cost[SHAPES];
    int fits = 0;
    if (!can_cover(c)) return;
    for (int k = 0; k < SHAPES - (caps->few_registers ? 0 : LEAN_SHAPES) && !caps->is_software; k++) { // compiling costs a processor more than they could save
        weft_way way = { "conv_tile" };
        memcpy(way.cut, shapes[k], sizeof shapes[k]);
        if (!tile_fits(c, caps, &way)) continue;
        const double here = tile_cost(c, &way);
        int at = fits++;
        for (; at && cost[at - 1] > here; at--) cost[at] = cost[at - 1], fit[at] = fit[at - 1];
        cost[at] = here, fit[at] = way;
    }
    for (int k = 0; k < fits; k++) add(list, count, fit[k]);
    if (!fits && tile_turns_fit(c, caps, 1)) add(list, count, least_tile(c));
}

// Where tiles are too few to keep a large device busy and their sums are long: enough parts for that, and four times as many.
static void add_splits(conv *c, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS], int *count)
{
    static const uint8_t small[] = { 8, 4, 1, 2 }, gated[] = { 8, 2, 2, 2 }, large[] = { 16, 8, 1, 4 };
    const uint8_t *const cuts[] = { c->at->gate ? gated : small, large };
    const int most = steps_of(c, STEP) / 4 < 64 ? steps_of(c, STEP) / 4 : 64;
    for (int k = 0; k < 2 && can_cover(c); k++) {
        weft_way way = { "conv_tile_split" };
        int last = 1;
        memcpy(way.cut, cuts[k], sizeof small);
        const double tiles = cover_groups(c, tile_cover(&way));
        if (!tile_fits(c, caps, &way) || tiles >= 2 * ENOUGH) continue;
        for (int times = 1; times <= 4; times *= 4) {
            int parts = times * 2 * ENOUGH / (int) tiles;
            if (parts > most) parts = most;
            way.cut[PARTS] = (uint8_t) parts;
            if (parts > last && tile_turns_fit(c, caps, parts)) add(list, count, way);
            last = parts > last ? parts : last;
            if (caps->is_software) return;
        }
    }
}

// GPUs that tiles of 32 x 32 would leave half idle, with long sums.
static bool wants_split(conv *c)
{
    const weft_way small = { "conv_tile", { 8, 4, 1, 2 } };
    return steps_of(c, STEP) >= 32 && cover_groups(c, tile_cover(&small)) <= ENOUGH;
}

static bool matrix_half_empty(const conv *c, const weft_caps *caps, const uint8_t *cut)
{
    const uint32_t span = c->at->gate ? 2 * c->p.co : c->p.co_group;
    return weft_matrix_tall(caps, cut) >= 2 * phase_pixels(c) || weft_matrix_wide(caps, cut) >= 2 * span;
}

// Large tiles first where there are enough of them for a large device (see the table in ops/matrix.h); those that are half empty are left out.
static void add_matrices(conv *c, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS], int *count)
{
    static const uint8_t cuts[][WEFT_WAY_CUTS] = { { 2, 2, 4, 4 }, { 2, 4, 4, 2 }, { 2, 2, 4, 2 }, { 2, 2, 2, 2 }, { 4, 1, 2, 2 }, { 4, 2, 1, 2 }, { 2, 1, 1, 2 } };
    const int all = sizeof cuts / sizeof *cuts;
    for (int enough = 1; enough >= 0; enough--)
        for (int k = 0; k < all; k++) {
            const int i = enough ? k : all - 1 - k; // not enough: the smallest first
            if ((cover_groups(c, matrix_cover(caps, cuts[i])) >= ENOUGH) != enough) continue;
            if (!weft_matrix_fits(caps, cuts[i], 2, matrix_shared(c, caps, cuts[i])) || (i < all - 1 && matrix_half_empty(c, caps, cuts[i]))) continue;
            weft_way way = { "conv_matrix" };
            memcpy(way.cut, cuts[i], sizeof way.cut);
            add(list, count, way);
        }
}

// The tallest that is not half empty first: each part's weights are read once then. In parts for a large device, for four times that and
// for half.
static void add_matrix_splits(conv *c, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS], int *count)
{
    static const uint8_t cuts[][WEFT_WAY_CUTS] = { { 2, 2, 4, 2 }, { 2, 2, 2, 2 }, { 2, 2, 1, 2 }, { 1, 4, 1, 2 }, { 2, 1, 1, 2 } };
    static const int times[] = { 2, 8, 1 };
    const int all = sizeof cuts / sizeof *cuts, steps = steps_of(c, weft_matrix_deep(caps)) / 4, most = steps < 64 ? steps : 64;
    for (int i = 0, found = 0; i < all && found < 2; i++) {
        weft_way way = { "conv_matrix_split" };
        memcpy(way.cut, cuts[i], sizeof way.cut);
        const double tiles = cover_groups(c, matrix_cover(caps, cuts[i]));
        if (tiles >= 2 * ENOUGH || !weft_matrix_fits(caps, cuts[i], 2, matrix_shared(c, caps, cuts[i]))) continue;
        if (i < all - 1 && matrix_half_empty(c, caps, cuts[i])) continue;
        found++;
        for (int k = 0, last = 1; k < 3; k++) {
            const int wanted = times[k] * ENOUGH / (int) tiles, parts = wanted < most ? wanted : most;
            way.cut[PARTS] = (uint8_t) parts;
            if (parts > 1 && parts != last) add(list, count, way);
            if (caps->is_software) return;
            last = parts;
        }
    }
}

// GPUs that tiles of 64 x 64 would leave half idle, with long sums.
static bool wants_matrix_split(conv *c)
{
    return steps_of(c, STEP) >= 64 && cover_groups(c, (cover) { .pixels = 64, .columns = 64 }) < ENOUGH;
}

static bool matrix2_fits(const conv *c, const weft_caps *caps, const weft_matrix_form *f, const uint8_t *tile)
{
    const uint32_t wide = c->at->gate ? tile[1] / 2 : tile[1];
    return weft_matrix2_fits(caps, f, tile[0], tile[1], matrix2_shared(caps, tile[0], tile[1])) && wide % f->n == 0;
}

// Behind all else, for trials: of each form the largest tiles that leave enough workgroups for a large device, else the smallest; and that
// one or the largest in parts where wants_matrix_split.
static void add_matrices2(conv *c, const weft_caps *caps, const weft_matrix_form *f, bool split, weft_way list[WEFT_MAX_WAYS], int *count)
{
    enum { MOST = 3 };
    const uint32_t span = c->at->gate ? 2 * c->p.co : c->p.co_group, steps = (uint32_t) steps_of(c, weft_matrix_deep(caps)) / 4, most = steps < 64 ? steps : 64;
    int least = 0, found = 0;
    while (least < WEFT_MATRIX2_TILES && !matrix2_fits(c, caps, f, weft_matrix2_tiles[least])) least++;
    for (int i = WEFT_MATRIX2_TILES - 1; i >= least && found < MOST; i--) {
        const uint8_t *tile = weft_matrix2_tiles[i];
        weft_way way = { "conv_matrix2", { tile[0] / 8, tile[1] / 8, (uint8_t) (f->threads / 8) } };
        if (!matrix2_fits(c, caps, f, tile) || (i > least && (tile[0] >= 2 * phase_pixels(c) || tile[1] >= 2 * span))) continue;
        const double groups = cover_groups(c, matrix2_cover(caps, way.cut)), wanted = 2 * ENOUGH / groups;
        const uint32_t parts = wanted < most ? (uint32_t) wanted : most;
        if (i > least && groups < ENOUGH && !split) continue;
        add(list, count, way);
        found++;
        if (!split || parts < 2) continue;
        way.kernel = "conv_matrix2_split", way.cut[PARTS] = (uint8_t) parts;
        add(list, count, way);
    }
}

int weft_conv_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_way direct = { "conv_direct", { 0 } };
    conv c;
    int count = 0;
    describe(&c, n, e);
    // Subgroups of 4 (SwiftShader) share too little: the direct kernel is 3 to 5 times faster there.
    const bool by_subgroup = caps->is_software && c.d.flops >= LONG_WORK && can_subgroup(&c, caps) && caps->subgroup_size >= 8;
    const bool by_tile = !caps->is_software && c.p.co_group > 4 && can_cover(&c), by_split = by_tile && wants_split(&c);
    // lavapipe 25, ms on a quiet machine, against conv_subgroup: 512 channels at 16x16 14 and 28. In GFLOP/s of processor time 256 at 32x32 34 and 28,
    // but 512 at 4x4 10 and 16: few tiles do not share the transformed weights enough.
    const bool by_winograd = by_subgroup && c.p.ci >= 32 && c.p.co_group >= 32 && weft_winograd_serves(n, e, 4) &&
                             c.p.n * ceil_div((uint32_t) c.p.ho, 4) * ceil_div((uint32_t) c.p.wo, 4) >= 16;
    const bool by_matrix = weft_emit_half(e) && weft_matrix_serves(caps) && can_cover(&c), by_matrix_split = by_matrix && wants_matrix_split(&c);
    const weft_way winograd = { "winograd", { 4 } };
    if (by_winograd) add(list, &count, winograd);
    if (by_subgroup) add_subgroup(&c, caps, list, &count);
    if (by_matrix_split && !caps->is_software) add_matrix_splits(&c, caps, list, &count);
    if (by_matrix && !caps->is_software) add_matrices(&c, caps, list, &count);
    if (by_split) add_splits(&c, caps, list, &count);
    if (by_tile) add_tiles(&c, caps, list, &count);
    add(list, &count, direct);
    if (!by_subgroup) add_subgroup(&c, caps, list, &count);
    if (!by_tile) add_tiles(&c, caps, list, &count);
    if (!by_split) add_splits(&c, caps, list, &count);
    if (!by_winograd && weft_winograd_serves(n, e, 4)) add(list, &count, winograd);
    if (weft_winograd_serves(n, e, 2)) add(list, &count, (weft_way) { "winograd", { 2 } });
    if (by_matrix && caps->is_software) add_matrices(&c, caps, list, &count);
    if (by_matrix && (caps->is_software || !by_matrix_split)) add_matrix_splits(&c, caps, list, &count);
    for (int f = 0; f < WEFT_MATRIX_FORMS && by_matrix; f++)
        if (caps->matrix_form[f].threads) add_matrices2(&c, caps, &caps->matrix_form[f], caps->is_software || by_matrix_split, list, &count);
    return count;
}

weft_result weft_conv_emit(const weft_node *n, weft_emit *e)
{
    const weft_way *way = weft_emit_way(e);
    conv c;
    WEFT_TRY(weft_loop_check(n));
    describe(&c, n, e);
    c.d.params = &c.p;
    if (is(way, "winograd")) return weft_winograd_emit(n, e, &c.d, &c.p, way->cut[0]);
    if (is(way, "conv_subgroup") || is(way, "conv_subgroup_long")) return emit_subgroup(&c, e, way);
    if (is(way, "conv_tile_split")) return emit_split(&c, e, way);
    if (is(way, "conv_matrix") || is(way, "conv_matrix_split")) return emit_matrix(&c, e, way);
    if (is(way, "conv_matrix2") || is(way, "conv_matrix2_split")) return emit_matrix2(&c, e, way);
    return is(way, "conv_tile") ? emit_tile(&c, e, way) : emit_direct(&c, e);
}
