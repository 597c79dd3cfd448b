// SPDX-License-Identifier: MIT
// Elementwise operators of two values with NumPy's broadcasting: params/binary.def is their whole definition.
#include "ops/loop.h"
#include "params/binary.h"
#include <tgmath.h>
#define max(a, b) fmax(a, b)
#define min(a, b) fmin(a, b)
#define abs(a) fabs(a)

enum {
#define BINARY(name, doc, fwd) INDEX_##name,
#include "params/binary.def"
#undef BINARY
};

static weft_result binary_infer(weft_node *n)
{
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    if (weft_shape_broadcast(n->in_shape[0], n->in_shape[1], &n->out_shape[0])) return WEFT_OK;
    return weft_node_fail(n, "a %s and b %s do not broadcast", weft_shape_text(n->in_shape[0], a), weft_shape_text(n->in_shape[1], b));
}

static int64_t binary_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

// Where element i of y finds its a and b.
static void binary_positions(const weft_node *n, int64_t i, int64_t at[2])
{
    const weft_shape y = n->out_shape[0];
    int64_t own[WEFT_MAX_RANK], stride[2][WEFT_MAX_RANK];
    for (int k = 0; k < 2; k++) {
        weft_shape_strides(n->in_shape[k], own);
        weft_shape_stretch(n->in_shape[k], own, y, stride[k]);
        at[k] = 0;
    }
    for (int d = y.rank - 1; d >= 0; i /= y.dim[d], d--)
        for (int k = 0; k < 2; k++) at[k] += i % y.dim[d] * stride[k][d];
}

static weft_result binary_emit(const weft_node *n, weft_emit *e)
{
    weft_loop l;
    WEFT_TRY(weft_loop_check(n));
    weft_loop_broadcast(&l, n, 2);
    struct binary_params p = { .count = (u32) weft_shape_count(n->out_shape[0]) };
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.a_stride);
    weft_loop_strides(&l, 2, p.b_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "binary", .spec = { (uint32_t) n->op->index, (uint32_t) l.rank }, .spec_count = 2,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

static const weft_case binary_cases[] = {
    { .in = { WEFT_SHAPE(2, 3), WEFT_SHAPE(2, 3) } },
    { .in = { WEFT_SHAPE(65), WEFT_SHAPE(1) } },
    { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(5, 1, 1) } },
    { .in = { WEFT_SHAPE(1, 5, 1, 3), WEFT_SHAPE(2, 1, 7, 1) } },
    { .in = { WEFT_SHAPE(2, 1, 3, 1, 2, 1), WEFT_SHAPE(3, 1, 2, 1, 5) } },
    { 0 }
};

// clang-format off
#define BINARY(name_, doc_, fwd)                                                                  \
    static void name_##_cpu(const weft_node *n, const weft_cpu_args *arg)                         \
    {                                                                                             \
        const weft_real *in0 = arg->in[0], *in1 = arg->in[1];                                     \
        weft_real *y = arg->out[0];                                                               \
        for (int64_t i = arg->begin; i < arg->end; i++) {                                         \
            int64_t at[2];                                                                        \
            binary_positions(n, i, at);                                                           \
            const weft_real a = in0[at[0]], b = in1[at[1]];                                       \
            y[i] = (weft_real) (fwd);                                                             \
        }                                                                                         \
    }                                                                                             \
    const weft_op weft_op_##name_ = {                                                             \
        .name = #name_, .doc = "y = " doc_ ", with NumPy's broadcasting.", .out_names = "y", .in_names = "a b", \
        .flags = WEFT_OP_STRIDED,                                                                 \
        .infer = binary_infer, .items = binary_items, .cpu = name_##_cpu, .emit = binary_emit,    \
        .cases = binary_cases, .index = INDEX_##name_,                                            \
    };
#include "params/binary.def"
#undef BINARY
// clang-format on

const weft_op *const weft_family_binary[] = {
#define BINARY(name, doc, fwd) &weft_op_##name,
#include "params/binary.def"
#undef BINARY
    NULL
};
