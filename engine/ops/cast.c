// SPDX-License-Identifier: MIT
// Numbers as numbers of another type.
#include "base/half.h"
#include "ops/copy.h"
#include "ops/loop.h"
#include "params/cast.h"
#include <math.h>

enum { TO_F32, TO_I32, TO_F16 };
typedef struct cast_attrs { int32_t to; } cast_attrs;

static weft_result cast_infer(weft_node *n)
{
    n->out_shape[0] = n->in_shape[0];
    n->out_dtype[0] = ((const cast_attrs *) n->attrs)->to == TO_I32 ? WEFT_I32 : WEFT_F32;
    return WEFT_OK;
}

static int32_t whole(double v)
{
    if (isnan(v)) return 0;
    return v >= INT32_MAX ? INT32_MAX : v <= INT32_MIN ? INT32_MIN : (int32_t) v;
}

static void cast_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int to = ((const cast_attrs *) n->attrs)->to;
    const bool from_i32 = n->in_dtype[0] == WEFT_I32;
    for (int64_t i = arg->begin; i < arg->end; i++) {
        const double x = from_i32 ? ((const int32_t *) arg->in[0])[i] : ((const weft_real *) arg->in[0])[i];
        if (to == TO_I32) ((int32_t *) arg->out[0])[i] = whole(x);
        else ((weft_real *) arg->out[0])[i] = to == TO_F16 ? weft_half_to_float(weft_float_to_half((float) x)) : (weft_real) x;
    }
}

// A cast that changes nothing.
static bool cast_box(const weft_node *n, int k, weft_box *box)
{
    box->shape = n->in_shape[0];
    weft_out_strides(n, 0, box->y_stride);
    weft_in_strides(n, 0, box->x_stride);
    return k == 0;
}

static weft_result cast_emit(const weft_node *n, weft_emit *e)
{
    const int to = ((const cast_attrs *) n->attrs)->to;
    const bool from_i32 = n->in_dtype[0] == WEFT_I32;
    if (from_i32 ? to == TO_I32 : to == TO_F32) return weft_copy_emit(n, e, cast_box);
    WEFT_TRY(weft_loop_check(n));
    if (n->in_layout[0] != n->out_layout[0]) return weft_node_fail(n, "x and y lie differently");
    const struct cast_params p = { (u32) weft_shape_count(n->in_shape[0]) };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = from_i32 ? "cast_from_i32" : to == TO_I32 ? "cast_to_i32" : "cast_to_half",
        .spec = { to == TO_F16 }, .spec_count = from_i32, .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

// Rounding to half precision lets gradients through as they are, as PyTorch does.
static weft_result cast_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    (void) n, (void) g;
    if (want[0]) dx[0] = dy[0];
    return WEFT_OK;
}

const weft_op weft_op_cast = {
    .name = "cast",
    .doc = "y = x as another type. From f32 to i32: towards zero, limited to -2^31..2^31 - 1, NaN becomes 0. To f16: rounded\n"
           "to the nearest half-precision number, ties to even; the result is f32, as every value that is no integer.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED,
    .attr_bytes = sizeof(cast_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(cast_attrs, to, ENUM, .choices = "f32|i32|f16", .doc = "the type"), { 0 } },
    .infer = cast_infer, .items = weft_copy_items, .cpu = cast_cpu, .emit = cast_emit, .grad = cast_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(65) }, .attrs = &(const cast_attrs) { TO_F32 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const cast_attrs) { TO_F32 }, .integers = 1, .low = -900, .high = 900 },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const cast_attrs) { TO_I32 }, .low = -50, .high = 50 },
        { .in = { WEFT_SHAPE(127) }, .attrs = &(const cast_attrs) { TO_I32 }, .low = -1e10, .high = 1e10 },
        { .in = { WEFT_SHAPE(65) }, .attrs = &(const cast_attrs) { TO_I32 }, .integers = 1, .low = -900, .high = 900 },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const cast_attrs) { TO_F16 }, .low = -9, .high = 9, .rough = 1 },
        { .in = { WEFT_SHAPE(129) }, .attrs = &(const cast_attrs) { TO_F16 }, .low = -1e-5, .high = 1e-5, .rough = 1 },
        { .in = { WEFT_SHAPE(63) }, .attrs = &(const cast_attrs) { TO_F16 }, .integers = 1, .low = -9000, .high = 9000 },
        { 0 }
    },
};
