// SPDX-License-Identifier: MIT
// Norms of statistics too large for one workgroup, and their gradients, in three dispatches: statistics of stretches of positions, what
// follows from all stretches together, and the result. x, and in gradients dy, are read twice.
#include "ops/divide.h"
#include "ops/norm.h"
#include "ops/loop.h"
#include "params/norm_split.h"
#include "params/norm_stats.h"

typedef struct split {
    const weft_node *node;
    const weft_norm_kind *kind;
    weft_norm_inputs in;
    weft_norm_view v;
    struct norm_split_params params;
    weft_way way;
    int64_t lines;
    int part, stat, each; // scratch
} split;

static weft_bind in(const split *s, int i) { return (weft_bind) WEFT_BIND_IN(i >= 0 && weft_has(s->node, i) ? i : s->in.x); }
static bool has(const split *s, int i) { return i >= 0 && weft_has(s->node, i); }

// Channels that lie together are read together. Enough workgroups for a large device, each with enough to do.
static void cut(split *s, const weft_caps *caps)
{
    enum { CHANNELS = 32, GROUP = 128, AHEAD = 16, GPU = 1024, SOFTWARE = 32 };
    const bool beside = s->v.c_stride == 1 && s->v.c > 1, software = caps->is_software;
    const uint32_t group = software ? 32 : GROUP;
    uint32_t lines = 1;
    while (beside && lines < CHANNELS && lines < s->v.c) lines *= 2;
    const int64_t tiles = s->v.n * ceil_div(s->v.c, lines), wanted = ceil_div(software ? SOFTWARE : GPU, tiles);
    int64_t chunk = ceil_div(s->v.rows, wanted);
    if (chunk < AHEAD * group / lines) chunk = AHEAD * group / lines;
    if (chunk > s->v.rows) chunk = s->v.rows;
    s->way = (weft_way) { "", { (uint8_t) (group / 32), (uint8_t) lines, 0, beside } };
    s->params.chunk = (u32) chunk, s->params.chunks = (u32) ceil_div(s->v.rows, chunk);
}

static weft_result emit_partial(const split *s, weft_emit *e)
{
    weft_dispatch d = {
        .params = &s->params, .params_bytes = sizeof s->params, .flops = 4.0 * (double) weft_shape_count(s->node->in_shape[s->in.x]), .bind_count = 3,
        .bind = { WEFT_BIND_SCRATCH(s->part, 1), in(s, s->in.x), in(s, s->in.dy) },
    };
    weft_line_dispatch(&s->way, s->params.lines, &d);
    d.kernel = "norm_partial", d.spec[d.spec_count++] = s->in.dy >= 0;
    return weft_emit_dispatch(e, &d);
}

static weft_result emit_stats(const split *s, weft_emit *e)
{
    const weft_norm_view *v = &s->v;
    const int64_t chunks = s->params.chunks, chunk = s->params.chunk, per = v->c / s->kind->groups, images = s->kind->over_n ? v->n : 1;
    const struct norm_stats_params p = {
        .count = (u32) (s->kind->over_n ? s->kind->groups : v->n * s->kind->groups), .channels = (u32) v->c, .groups = (u32) s->kind->groups,
        .per_group = (u32) per, .chunks = (u32) chunks, .lines = (u32) (images * chunks), .chunk = (f32) chunk,
        .last = (f32) (v->rows - (chunks - 1) * chunk), .total = (f32) (images * v->rows * per), .eps = s->kind->eps,
        .n_stride = (u32) v->n_stride, .c_stride = (u32) v->c_stride,
    };
    const uint32_t spec[] = { s->in.dy >= 0, s->in.dy >= 0 && has(s, s->in.scale), s->in.params };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "norm_stats", .spec = { spec[0], spec[1], spec[2] }, .spec_count = 3, .params = &p, .params_bytes = sizeof p, .grid = { p.count * 64 },
        .flops = 8.0 * s->params.lines, .bind_count = 5,
        .bind = { WEFT_BIND_SCRATCH(s->stat, 1), WEFT_BIND_SCRATCH(s->each, 1), WEFT_BIND_SCRATCH(s->part, 0), in(s, s->in.x), in(s, s->in.scale) },
    });
}

static weft_result emit_apply(const split *s, weft_emit *e)
{
    weft_dispatch d = {
        .params = &s->params, .params_bytes = sizeof s->params, .flops = 4.0 * (double) weft_shape_count(s->node->in_shape[s->in.x]), .bind_count = 9,
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_OUT(s->in.params ? 1 : 0), WEFT_BIND_OUT(s->in.params ? 2 : 0), in(s, s->in.x), in(s, s->in.dy),
                  in(s, s->in.scale), in(s, s->in.bias), WEFT_BIND_SCRATCH(s->stat, 0), WEFT_BIND_SCRATCH(s->each, 0) },
    };
    const uint32_t spec[] = { s->in.dy >= 0, has(s, s->in.scale), has(s, s->in.bias), s->in.params };
    weft_line_dispatch(&s->way, s->params.lines, &d);
    d.kernel = "norm_apply";
    for (int i = 0; i < 4; i++) d.spec[d.spec_count++] = spec[i];
    return weft_emit_dispatch(e, &d);
}

bool weft_norm_splits(const weft_node *n, int x)
{
    return weft_norm_look(n->in_shape[x], (weft_layout) n->in_layout[x]).rows > 1;
}

weft_result weft_norm_split(const weft_node *n, weft_emit *e, const weft_norm_kind *k, weft_norm_inputs inputs)
{
    split s = { .node = n, .kind = k, .in = inputs, .v = weft_norm_look(n->in_shape[inputs.x], (weft_layout) n->in_layout[inputs.x]) };
    const weft_norm_view *v = &s.v, y = weft_norm_look(n->out_shape[0], (weft_layout) n->out_layout[0]);
    s.params = (struct norm_split_params) {
        .n = (u32) v->n, .channels = (u32) v->c, .rows = (u32) v->rows, .groups = (u32) k->groups, .per_group = (u32) (v->c / k->groups), .over_n = k->over_n,
        .x_stride = { (u32) v->n_stride, (u32) v->c_stride, (u32) v->row_stride }, .y_stride = { (u32) y.n_stride, (u32) y.c_stride, (u32) y.row_stride },
    };
    cut(&s, weft_emit_caps(e));
    s.params.lines = s.params.n * s.params.chunks * s.params.channels;
    // Four bytes each whatever the storage: statistics are always f32.
    s.part = weft_emit_scratch(e, 4 * (int64_t) s.params.lines, WEFT_I32);
    s.stat = weft_emit_scratch(e, 4 * (k->over_n ? k->groups : v->n * k->groups), WEFT_I32);
    s.each = inputs.params ? weft_emit_scratch(e, 2 * v->n * v->c, WEFT_I32) : s.stat;
    if (s.part < 0 || s.stat < 0 || s.each < 0) return WEFT_ERR_MEMORY;
    WEFT_TRY(emit_partial(&s, e));
    WEFT_TRY(emit_stats(&s, e));
    return emit_apply(&s, e);
}
