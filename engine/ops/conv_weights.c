// SPDX-License-Identifier: MIT
// A convolution's weight gradient on a device: a matrix product, (tap, channel of x) by channels of dy, summed over pixels. Weights are few
// where pixels are many, so the pixels are split into parts that are summed apart and added up by a second dispatch, always in one order.
#include "ops/conv_weights.h"
#include "ops/divide.h"
#include "ops/lanes.h"
#include "ops/loop.h"
#include "ops/matrix.h"
#include "ops/turns.h"
#include "params/conv_weights.h"
#include <string.h>

enum { SPEC_OWN = 4 }; // a kernel's own constants follow those of shaders/glsl/conv_weights.glsl
enum { ACROSS = 8 };
static const double MOST_SCRATCH = 64 << 20; // bytes

typedef struct task {
    const weft_node *node;
    bool wide_in, wide_out, depthwise; // channels can be read in fours, none of which spans two groups; four groups of one channel at a time
    const weft_caps *caps;
    bool matrices;
    uint32_t lanes; // of a subgroup; 0: not known
    uint32_t taps, groups, lines, pixels; // of dy
    struct conv_weights_params p;
} task;

// What a way's cut says. A tile: tall, wide, down, deep, parts. Direct: rows, parts. Subgroups: rows, columns, parts. Matrices: as in
// ops/matrix.h, parts.
typedef struct shape { uint8_t tall, wide, down; } shape;
enum { DEEP = 8, MATRIX_PARTS = WEFT_MATRIX_COLUMNS + 1 };

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static void describe(task *t, const weft_node *n, const weft_emit *e)
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_conv_weights_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->in_shape[1].dim;
    int64_t step[WEFT_MAX_RANK];
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], step);
    *t = (task) {
        .node = n, .caps = caps, .matrices = weft_emit_half(e) && weft_matrix_serves(caps), .lanes = weft_lanes(caps),
        .taps = (u32) (at->kernel[0] * at->kernel[1]), .groups = (u32) at->groups,
        .lines = (u32) (y[0] * y[2]), .pixels = (u32) (y[0] * y[2] * y[3]),
        .p = { .n = (u32) x[0], .ci = (u32) x[1], .co = (u32) y[1], .hi = (i32) x[2], .wi = (i32) x[3], .ho = (i32) y[2], .wo = (i32) y[3],
               .ci_group = (u32) (x[1] / at->groups), .co_group = (u32) (y[1] / at->groups),
               .o_step = (u32) step[0], .i_step = (u32) step[1], .tap_step = (u32) step[3] },
    };
    for (int d = 0; d < 2; d++)
        t->p.kernel[d] = at->kernel[d], t->p.stride[d] = at->stride[d], t->p.dilation[d] = at->dilation[d], t->p.pad[d] = at->pads[d];
    t->depthwise = t->p.ci_group == 1 && t->p.co_group == 1 && t->p.co % 4 == 0;
    t->wide_in = t->p.ci_group % 4 == 0;
    t->wide_out = t->depthwise || t->p.co_group % 4 == 0;
}

// --- Ways. ---

// The parts that scratch memory and the parts' own length allow, each of at least so many pixels.
static uint32_t most_parts(const task *t, uint32_t pixels, uint32_t units)
{
    const double room = MOST_SCRATCH / 4 / (double) weft_shape_count(t->node->out_shape[0]);
    const uint32_t most = least(least(t->pixels / pixels, units), 255);
    return most > room ? (uint32_t) room : most;
}

// How many parts keep a device busy that has `blocks` workgroups without; a second part for those who try, so that it is known to work.
static int parts_for(const task *t, uint32_t blocks, uint32_t units, uint8_t list[3])
{
    const uint32_t busy = t->caps->is_software ? 16 : 512, most = most_parts(t, 64, units), useful = most_parts(t, 256, units);
    uint32_t best = least(busy / (blocks ? blocks : 1), useful);
    int count = 0;
    if (best < 1) best = 1;
    list[count++] = (uint8_t) best;
    if (best * 2 <= most) list[count++] = (uint8_t) (best * 2);
    if (best > 1) list[count++] = 1;
    return count;
}

static void add(weft_way *list, int *count, weft_way w)
{
    if (*count < WEFT_MAX_WAYS) list[(*count)++] = w;
}

static uint32_t lanes_for(const task *t)
{
    const uint32_t columns = t->p.co / (t->wide_out ? 4 : 1);
    uint32_t lanes = 64;
    while (lanes > 8 && lanes / 2 >= columns) lanes /= 2;
    return lanes;
}

static void cover_direct(task *t, uint32_t rows, uint32_t group)
{
    const uint32_t lanes = lanes_for(t);
    t->p.column_tiles = ceil_div(t->p.co / (t->wide_out ? 4 : 1), lanes);
    t->p.row_tiles = ceil_div(t->taps * ceil_div(t->p.ci_group, rows), group / lanes);
}

static void cover_tile(task *t, shape s)
{
    t->p.column_tiles = ceil_div(t->p.co_group, ACROSS * s.wide * 4u);
    t->p.row_tiles = ceil_div(t->taps * t->p.ci_group, s.down * s.tall * 4u);
}

static void add_direct(task *t, weft_way *list, int *count)
{
    uint8_t rows[3] = { 8, 4, 1 }, parts[3];
    int rows_count = 2;
    if (t->depthwise) rows[0] = 1, rows_count = 1;
    else if (!t->wide_in) rows[0] = (uint8_t) least(t->p.ci_group, 8), rows[1] = 1, rows_count = rows[0] > 1 ? 2 : 1;
    else if (t->p.ci_group < 8) rows[0] = 4, rows_count = 1;
    for (int r = 0; r < rows_count; r++) {
        cover_direct(t, rows[r], t->caps->is_software ? lanes_for(t) : 64);
        const int parts_count = parts_for(t, t->p.column_tiles * t->p.row_tiles, t->lines, parts);
        for (int k = 0; k < (r ? 1 : parts_count); k++) add(list, count, (weft_way) { "conv_weights_direct", { rows[r], parts[k] } });
    }
}

static void cover_subgroup(task *t, uint32_t rows, uint32_t columns)
{
    t->p.column_tiles = ceil_div(t->p.co_group, columns * t->lanes);
    t->p.row_tiles = t->taps * ceil_div(t->p.ci_group, rows);
}

static void add_subgroup_of(task *t, uint8_t rows, int most, weft_way *list, int *count)
{
    uint8_t columns = (uint8_t) least(ceil_div(t->p.co_group, t->lanes), 4), parts[3];
    while (rows > 4 && rows / 2 >= t->p.ci_group) rows /= 2;
    cover_subgroup(t, rows, columns);
    const int parts_count = parts_for(t, t->p.column_tiles * t->p.row_tiles * t->groups, t->lines, parts);
    for (int k = 0; k < parts_count && k < most; k++) add(list, count, (weft_way) { "conv_weights_subgroup", { rows, columns, parts[k] } });
}

// 32 x 4 sums are what GCN has registers for, once, RDNA and NVIDIA some more often; half of that leaves room for others.
static void add_subgroup(task *t, weft_way *list, int *count)
{
    const bool halves = t->caps->few_registers || (!t->caps->is_software && t->p.ci_group > 16);
    if (!t->caps->few_registers) add_subgroup_of(t, 32, 3, list, count);
    if (halves) add_subgroup_of(t, 16, t->caps->few_registers ? 3 : 1, list, count);
}

// `most`: of the numbers of parts.
static void add_tile(task *t, shape s, int most, weft_way *list, int *count)
{
    uint8_t parts[3];
    if (t->caps->few_registers && s.tall * s.wide > 2) return;
    cover_tile(t, s);
    const int parts_count = parts_for(t, t->p.column_tiles * t->p.row_tiles * t->groups, t->pixels, parts);
    for (int k = 0; k < parts_count && k < most; k++) add(list, count, (weft_way) { "conv_weights_tile", { s.tall, s.wide, s.down, DEEP, parts[k] } });
}

static void cover_matrix(task *t, const uint8_t *cut)
{
    t->p.column_tiles = ceil_div(t->p.co_group, weft_matrix_wide(t->caps, cut));
    t->p.row_tiles = ceil_div(t->taps * t->p.ci_group, weft_matrix_tall(t->caps, cut));
}

static uint32_t matrix_shared(const task *t, const uint8_t *cut) // see shaders/conv_weights_matrix.comp
{
    const uint32_t deep = weft_matrix_deep(t->caps), tall = weft_matrix_tall(t->caps, cut), wide = weft_matrix_wide(t->caps, cut);
    const uint32_t room = (uint32_t) cut[WEFT_MATRIX_DOWN] * cut[WEFT_MATRIX_ACROSS] * t->caps->matrix[0] * t->caps->matrix[1];
    return 8 * deep * (tall / 4 + 2 + wide / 4 + 2) + 4 * room + 16 * (tall + deep);
}

// The largest that is not half empty first, then those that another shape of dw may want.
static void add_matrices(task *t, weft_way *list, int *count)
{
    static const uint8_t cuts[][WEFT_WAY_CUTS] = { { 2, 2, 4, 2 }, { 2, 2, 2, 2 }, { 4, 1, 2, 2 }, { 1, 4, 2, 1 }, { 2, 1, 1, 2 } };
    const int all = sizeof cuts / sizeof *cuts;
    for (int i = 0, found = 0; i < all && t->matrices; i++) {
        weft_way way = { "conv_weights_matrix" };
        uint8_t parts[3];
        memcpy(way.cut, cuts[i], sizeof way.cut);
        if (!weft_matrix_fits(t->caps, way.cut, 4, matrix_shared(t, way.cut))) continue;
        if (i < all - 1 && (weft_matrix_wide(t->caps, way.cut) >= 2 * t->p.co_group || weft_matrix_tall(t->caps, way.cut) >= 2 * t->taps * t->p.ci_group)) continue;
        cover_matrix(t, way.cut);
        const int parts_count = parts_for(t, t->p.column_tiles * t->p.row_tiles * t->groups, t->pixels, parts);
        for (int k = 0; k < parts_count && k < (found ? 1 : 3); k++) {
            way.cut[MATRIX_PARTS] = parts[k];
            add(list, count, way);
        }
        found++;
    }
}

int weft_conv_weights_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    static const shape shapes[] = { { 2, 2, 8 }, { 2, 1, 8 }, { 1, 2, 8 }, { 1, 1, 8 }, { 2, 2, 16 } };
    task t;
    int count = 0;
    describe(&t, n, e);
    const bool tiles = t.p.co_group > 1 || t.p.ci_group > 1, wide = t.p.co_group > 32;
    const bool low = t.taps * t.p.ci_group <= 32; // an image of three channels for instance
    const int first = low ? (wide ? 2 : 3) : wide && !t.caps->few_registers ? 0 : 1;
    // Few channels leave lanes idle; subgroups of 4 (SwiftShader) share too little.
    const bool by_subgroup = tiles && t.caps->is_software && t.lanes >= 8 && t.p.co_group >= t.lanes && t.p.ci_group >= 4;
    if (by_subgroup) add_subgroup(&t, list, &count);
    if (!tiles || t.caps->is_software) add_direct(&t, list, &count);
    if (!tiles) return count;
    if (!t.caps->is_software) add_matrices(&t, list, &count);
    add_tile(&t, shapes[first], 3, list, &count);
    for (int i = 0; i < (int) (sizeof shapes / sizeof *shapes); i++)
        if (i != first) add_tile(&t, shapes[i], 1, list, &count);
    if (!t.caps->is_software) add_direct(&t, list, &count);
    if (!by_subgroup && t.lanes) add_subgroup(&t, list, &count);
    if (t.caps->is_software) add_matrices(&t, list, &count);
    return count;
}

// --- Dispatches. ---

static weft_result emit_sums(task *t, weft_emit *e, weft_dispatch *d, int own, uint32_t tiles, int *room)
{
    const weft_conv_weights_attrs *at = t->node->attrs;
    const bool apart = t->p.parts > 1;
    *room = weft_emit_scratch(e, apart ? t->p.parts * weft_shape_count(t->node->out_shape[0]) : 4, WEFT_I32);
    if (*room < 0) return WEFT_ERR_MEMORY;
    const uint32_t common[SPEC_OWN] = { (uint32_t) at->pad_mode, apart, t->wide_in, t->wide_out };
    memcpy(d->spec, common, sizeof common);
    d->spec_count = SPEC_OWN + own;
    d->params = &t->p, d->params_bytes = sizeof t->p;
    d->flops = t->node->op->flops(t->node);
    d->bind_count = 4;
    d->bind[0] = (weft_bind) WEFT_BIND_OUT(0), d->bind[1] = (weft_bind) WEFT_BIND_IN(0), d->bind[2] = (weft_bind) WEFT_BIND_IN(1);
    d->bind[3] = (weft_bind) WEFT_BIND_SCRATCH(*room, apart);
    const double all = (double) tiles * t->p.parts * d->group[0];
    if (all > UINT32_MAX) return weft_node_fail(t->node, "is too large for a device"), WEFT_ERR_UNSUPPORTED;
    d->grid[0] = (uint32_t) all;
    return weft_emit_dispatch(e, d);
}

// Parts of `units` lines or pixels, each of which costs the kernel `turns` turns of its loops. There may be more of them than are asked for, or, rounded up, fewer.
static void cut_parts(task *t, uint32_t units, uint32_t parts, uint32_t turns)
{
    const int64_t most = weft_turns_most(t->caps, turns), part = ceil_div(units, parts);
    t->p.part = (u32) (part < most ? part : most);
    t->p.parts = ceil_div(units, t->p.part);
}

static uint32_t line_turns(const task *t) { return (uint32_t) t->p.wo + 4; } // of two loops, and their ends

static weft_result emit_direct(task *t, const weft_way *way, weft_emit *e, int *room)
{
    const uint32_t lanes = lanes_for(t), group = t->caps->is_software ? lanes : 64; // a processor wants x's elements to be the workgroup's
    weft_dispatch d = { .kernel = way->kernel, .group = { group }, .spec = { [SPEC_OWN] = way->cut[0], lanes, t->depthwise } };
    cover_direct(t, way->cut[0], group);
    cut_parts(t, t->lines, way->cut[1], line_turns(t));
    return emit_sums(t, e, &d, 3, t->p.column_tiles * t->p.row_tiles, room);
}

static weft_result emit_subgroup(task *t, const weft_way *way, weft_emit *e, int *room)
{
    weft_dispatch d = { .kernel = way->kernel, .group = { t->lanes }, .subgroup = t->lanes, .spec = { [SPEC_OWN] = t->lanes, way->cut[0], way->cut[1] } };
    cover_subgroup(t, way->cut[0], way->cut[1]);
    cut_parts(t, t->lines, way->cut[2], line_turns(t));
    return emit_sums(t, e, &d, 3, t->p.column_tiles * t->p.row_tiles * t->groups, room);
}

static weft_result emit_tile(task *t, const weft_way *way, weft_emit *e, int *room)
{
    const shape s = { way->cut[0], way->cut[1], way->cut[2] };
    weft_dispatch d = { .kernel = way->kernel, .group = { ACROSS * s.down }, .spec = { [SPEC_OWN] = ACROSS, s.tall, s.wide, way->cut[3] } };
    cover_tile(t, s);
    cut_parts(t, t->pixels, way->cut[4], 4); // of DEEP pixels some 30, where channels are read one by one
    return emit_sums(t, e, &d, 4, t->p.column_tiles * t->p.row_tiles * t->groups, room);
}

static weft_result emit_matrix(task *t, const weft_way *way, weft_emit *e, int *room)
{
    const weft_caps *caps = t->caps;
    const uint8_t *cut = way->cut;
    weft_dispatch d = {
        .kernel = way->kernel, .group = { weft_matrix_threads(caps, cut) }, .subgroup = caps->matrix_subgroup,
        .spec = { [SPEC_OWN] = cut[0], cut[1], cut[2], cut[3], caps->matrix[0], caps->matrix[1], caps->matrix[2], caps->matrix_subgroup,
                  weft_matrix_deep(caps), t->p.ci_group % 8 == 0 && caps->matrix[0] >= 8, t->p.co_group % 8 == 0 && caps->matrix[1] >= 8 },
    };
    cover_matrix(t, cut);
    cut_parts(t, t->pixels, cut[MATRIX_PARTS], 1);
    return emit_sums(t, e, &d, 11, t->p.column_tiles * t->p.row_tiles * t->groups, room);
}

weft_result weft_conv_weights_emit(const weft_node *n, weft_emit *e)
{
    const weft_way *way = weft_emit_way(e);
    task t;
    int room;
    WEFT_TRY(weft_loop_check(n));
    describe(&t, n, e);
    WEFT_TRY(!strcmp(way->kernel, "conv_weights_tile")       ? emit_tile(&t, way, e, &room)
             : !strcmp(way->kernel, "conv_weights_matrix")   ? emit_matrix(&t, way, e, &room)
             : !strcmp(way->kernel, "conv_weights_subgroup") ? emit_subgroup(&t, way, e, &room)
                                                             : emit_direct(&t, way, e, &room));
    if (t.p.parts == 1) return WEFT_OK;
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "conv_weights_sum", .spec = { 0, true, t.wide_in, t.wide_out }, .spec_count = SPEC_OWN, .params = &t.p, .params_bytes = sizeof t.p,
        .grid = { (uint32_t) weft_shape_count(n->out_shape[0]) / (t.wide_out ? 4 : 1) },
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(0), WEFT_BIND_IN(1), WEFT_BIND_SCRATCH(room, 0) }, .bind_count = 4,
    });
}
