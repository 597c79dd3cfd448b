// SPDX-License-Identifier: MIT
// One of two values, by a condition.
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/where.h"
#include <string.h>

static weft_result where_infer(weft_node *n)
{
    weft_shape s;
    char text[3][WEFT_SHAPE_TEXT];
    if (n->in_dtype[0] == WEFT_I32) return weft_node_fail(n, "cond holds integers: cast it to f32");
    if (n->in_dtype[1] != n->in_dtype[2]) return weft_node_fail(n, "one of a and b holds integers, the other f32: cast one of them");
    n->out_dtype[0] = n->in_dtype[1];
    if (weft_shape_broadcast(n->in_shape[0], n->in_shape[1], &s) && weft_shape_broadcast(s, n->in_shape[2], &n->out_shape[0])) return WEFT_OK;
    for (int k = 0; k < 3; k++) weft_shape_text(n->in_shape[k], text[k]);
    return weft_node_fail(n, "cond %s, a %s and b %s do not broadcast", text[0], text[1], text[2]);
}

static int64_t where_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static void where_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const size_t size = n->out_dtype[0] == WEFT_I32 ? 4 : sizeof(weft_real);
    weft_loop l;
    weft_loop_broadcast(&l, n, 3);
    for (weft_lines w = weft_lines_of(&l, arg->begin, arg->end); weft_lines_next(&w);)
        for (int64_t i = 0; i < w.count; i++) {
            const weft_real cond = ((const weft_real *) arg->in[0])[w.at[1] + i * w.step[1]];
            const int from = cond != 0 ? 1 : 2;
            memcpy((char *) arg->out[0] + (size_t) (w.at[0] + i) * size,
                   (const char *) arg->in[from] + (size_t) (w.at[from + 1] + i * w.step[from + 1]) * size, size);
        }
}

static weft_result where_emit(const weft_node *n, weft_emit *e)
{
    weft_loop l;
    struct where_params p;
    WEFT_TRY(weft_loop_check(n));
    weft_loop_broadcast(&l, n, 3);
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.cond_stride);
    weft_loop_strides(&l, 2, p.a_stride);
    weft_loop_strides(&l, 3, p.b_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = n->out_dtype[0] == WEFT_I32 ? "where_i32" : "where", .spec = { (uint32_t) l.rank }, .spec_count = 1,
        .params = &p, .params_bytes = sizeof p, .grid = { (uint32_t) weft_shape_count(n->out_shape[0]) },
    });
}

static weft_result where_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_value zero = weft_graph_scalar(g, 0);
    if (want[1]) dx[1] = weft_grad_unstretch(g, weft_grad_where(g, n->in[0], dy[0], zero), n->in_shape[1]);
    if (want[2]) dx[2] = weft_grad_unstretch(g, weft_grad_where(g, n->in[0], zero, dy[0]), n->in_shape[2]);
    return WEFT_OK;
}

const weft_op weft_op_where = {
    .name = "where",
    .doc = "y = a where cond is not 0, else b. All three are stretched by NumPy's broadcasting; a and b are both f32 or\n"
           "both integers. As numpy.where.",
    .out_names = "y", .in_names = "cond a b", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED,
    .infer = where_infer, .items = where_items, .cpu = where_cpu, .emit = where_emit, .grad = where_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(65) }, .masks = 1 },
        { .in = { WEFT_SHAPE(2, 1, 7, 5), WEFT_SHAPE(2, 3, 7, 5), WEFT_SHAPE(1) }, .masks = 1 },
        { .in = { WEFT_SHAPE(3, 1), WEFT_SHAPE(5), WEFT_SHAPE(2, 1, 1) }, .masks = 1 },
        { .in = { WEFT_SHAPE(2, 1, 7, 5), WEFT_SHAPE(3, 1, 1), WEFT_SHAPE(2, 3, 7, 5) }, .masks = 1, .integers = 6, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 1, 2, 1, 3, 1, 2, 2), WEFT_SHAPE(1, 2, 1, 3, 1, 2, 1, 2), WEFT_SHAPE(2) }, .masks = 1 },
        { 0 }
    },
};
