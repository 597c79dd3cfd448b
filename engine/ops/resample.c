// SPDX-License-Identifier: MIT
// Weighted sums along both axes of an image, by tables: what resize becomes on a device.
#include "ops/resample.h"
#include "ops/loop.h"
#include "params/resample.h"
#include <string.h>

static float as_float(int32_t bits)
{
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

// A constant [size, 1 + width] of zeros to be filled in place; -1: no memory.
static weft_value new_table(weft_graph *g, int64_t size, int64_t width, int32_t **numbers)
{
    const size_t bytes = (size_t) (size * (1 + width)) * 4;
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    *numbers = weft_arena_new(g->arena, bytes);
    if (!w || !*numbers) return -1;
    *w = (weft_weight) { NULL, WEFT_I32, { 2, { size, 1 + width } }, *numbers, bytes };
    const weft_value v = weft_graph_constant(g, w);
    if (v >= 0) g->values[v].origin = -1;
    return v;
}

static void add(int32_t *at, double weight)
{
    const float sum = (float) (as_float(*at) + weight);
    memcpy(at, &sum, 4);
}

weft_resample_axis weft_resample_axis_new(weft_graph *g, const weft_resample_tap *taps, int64_t count, int64_t in, int64_t out)
{
    weft_resample_axis a = { -1, in, out, 1 };
    int64_t *first = weft_arena_new(g->arena, sizeof *first * (size_t) (out + 1)), *last = weft_arena_new(g->arena, sizeof *last * (size_t) (out + 1));
    int32_t *numbers;
    if (!first || !last) return a;
    for (int64_t i = 0; i < out; i++) first[i] = in, last[i] = 0;
    for (const weft_resample_tap *t = taps; t < taps + count; t++) {
        if (t->from < first[t->to]) first[t->to] = t->from;
        if (t->from > last[t->to]) last[t->to] = t->from;
        if (last[t->to] - first[t->to] + 1 > a.width) a.width = last[t->to] - first[t->to] + 1;
    }
    a.table = new_table(g, out, a.width, &numbers);
    if (a.table < 0) return a;
    for (int64_t i = 0; i < out; i++) numbers[i * (1 + a.width)] = (int32_t) (first[i] < in ? first[i] : 0); // weights of 0 where nothing comes
    for (const weft_resample_tap *t = taps; t < taps + count; t++) add(&numbers[t->to * (1 + a.width) + 1 + t->from - first[t->to]], t->weight);
    return a;
}

static weft_resample_axis keep(weft_graph *g, int64_t size) // every pixel is itself
{
    weft_resample_axis a = { -1, size, size, 1 };
    int32_t *numbers;
    a.table = new_table(g, size, 1, &numbers);
    for (int64_t i = 0; a.table >= 0 && i < size; i++) numbers[2 * i] = (int32_t) i, add(&numbers[2 * i + 1], 1);
    return a;
}

static weft_value pass(weft_graph *g, weft_value x, const weft_resample_axis *v, const weft_resample_axis *h)
{
    return weft_graph_call(g, "resample", WEFT_V(x, v->table, h->table), NULL);
}

weft_value weft_resample(weft_graph *g, weft_value x, const weft_resample_axis *v, const weft_resample_axis *h)
{
    if (v->width * h->width <= 16 || v->width == 1 || h->width == 1) return pass(g, x, v, h);
    const weft_resample_axis keep_v = keep(g, v->in * h->out > v->out * h->in ? v->out : v->in); // that which shrinks more goes first
    const weft_resample_axis keep_h = keep(g, v->in * h->out > v->out * h->in ? h->in : h->out);
    if (v->in * h->out > v->out * h->in) return pass(g, pass(g, x, v, &keep_h), &keep_v, h);
    return pass(g, pass(g, x, &keep_v, h), v, &keep_h);
}

static weft_result resample_infer(weft_node *n)
{
    if (n->in_shape[0].rank != 4 || n->in_shape[1].rank != 2 || n->in_shape[2].rank != 2 || n->in_dtype[1] != WEFT_I32 || n->in_dtype[2] != WEFT_I32)
        return weft_node_fail(n, "wants an image and two tables");
    n->out_shape[0] = n->in_shape[0];
    for (int d = 0; d < 2; d++) n->out_shape[0].dim[2 + d] = n->in_shape[1 + d].dim[0];
    return WEFT_OK;
}

static int64_t resample_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

static void resample_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t *xs = n->in_shape[0].dim, *ys = n->out_shape[0].dim, step_v = n->in_shape[1].dim[1], step_h = n->in_shape[2].dim[1];
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[0] + row / ys[2] * xs[2] * xs[3];
        weft_real *y = (weft_real *) arg->out[0] + row * ys[3];
        const int32_t *v = (const int32_t *) arg->in[1] + row % ys[2] * step_v;
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            const int32_t *h = (const int32_t *) arg->in[2] + wo * step_h;
            double sum = 0;
            for (int64_t i = 1; i < step_v && v[0] + i <= xs[2]; i++) {
                double line = 0;
                for (int64_t k = 1; k < step_h && h[0] + k <= xs[3]; k++)
                    line += (double) as_float(h[k]) * x[(v[0] + i - 1) * xs[3] + h[0] + k - 1];
                sum += as_float(v[i]) * line;
            }
            y[wo] = (weft_real) sum;
        }
    }
}

static double resample_flops(const weft_node *n)
{
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) (n->in_shape[1].dim[1] * (n->in_shape[2].dim[1] - 1));
}

static weft_result resample_emit(const weft_node *n, weft_emit *e)
{
    const int64_t *x = n->in_shape[0].dim, *y = n->out_shape[0].dim;
    const bool wide = x[1] % 4 == 0;
    WEFT_TRY(weft_loop_check(n));
    const struct resample_params p = {
        (u32) (weft_shape_count(n->out_shape[0]) / (wide ? 4 : 1)), (u32) (x[1] / (wide ? 4 : 1)), (u32) x[2], (u32) x[3], (u32) y[2],
        (u32) y[3], (u32) n->in_shape[1].dim[1] - 1, (u32) n->in_shape[2].dim[1] - 1,
    };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "resample", .spec = { wide }, .spec_count = 1, .params = &p, .params_bytes = sizeof p, .grid = { p.count },
        .flops = resample_flops(n),
    });
}

const weft_op weft_op_resample = {
    .name = "resample",
    .doc = "y[n,c,ho,wo] = sum over i, k of v[ho,1+i] h[wo,1+k] x[n,c,v[ho,0]+i,h[wo,0]+k]; the weights are f32 bits in I32 tables.",
    .out_names = "y", .in_names = "x v h", .flags = WEFT_OP_INTEGERS | WEFT_OP_IMAGE | WEFT_OP_INTERNAL,
    .infer = resample_infer, .items = resample_items, .cpu = resample_cpu, .emit = resample_emit, .flops = resample_flops,
    .cases = (const weft_case[]) { { 0 } }, // by way of resize
};
