// SPDX-License-Identifier: MIT
// Elementwise operators: params/unary.def is their whole definition, for C and for GLSL.
#include "ops/loop.h"
#include "params/unary.h"
#include <tgmath.h>
#define max(a, b) fmax(a, b)
#define min(a, b) fmin(a, b)
#define abs(a) fabs(a)

typedef struct unary_attrs { float a, b; } unary_attrs;
static const weft_attr unary_table[] = {
    WEFT_ATTR(unary_attrs, a, FLOAT, .doc = "first parameter of the formula"),
    WEFT_ATTR(unary_attrs, b, FLOAT, .doc = "second parameter of the formula"),
    { 0 }
};

enum { // positions in unary.def: the kernel's OP constant
#define UNARY(name, doc, fwd) INDEX_##name,
#include "params/unary.def"
#undef UNARY
};

static weft_result unary_infer(weft_node *n)
{
    n->out_shape[0] = n->in_shape[0];
    return WEFT_OK;
}

static int64_t unary_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static weft_result unary_emit(const weft_node *n, weft_emit *e)
{
    const unary_attrs *at = n->attrs;
    WEFT_TRY(weft_loop_check(n));
    const struct unary_params p = { (u32) weft_shape_count(n->in_shape[0]), at->a, at->b };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "unary", .spec = { 1 + (uint32_t) n->op->index }, .spec_count = 1,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

static const weft_case unary_cases[] = { // sizes around the workgroup size of 64, and primes
    { .in = { WEFT_SHAPE(1) }, .attrs = &(unary_attrs) { 0.25f, 0.75f } },
    { .in = { WEFT_SHAPE(63) }, .attrs = &(unary_attrs) { 0.25f, 0.75f } },
    { .in = { WEFT_SHAPE(3, 5, 7, 11) }, .attrs = &(unary_attrs) { 0.25f, 0.75f } },
    { 0 }
};

// clang-format off
#define UNARY(name_, doc_, fwd)                                                                   \
    static void name_##_cpu(const weft_node *n, const weft_cpu_args *arg)                         \
    {                                                                                             \
        const unary_attrs *at = n->attrs;                                                         \
        const weft_real a = at->a, b = at->b, *in = arg->in[0];                                   \
        weft_real *y = arg->out[0];                                                               \
        (void) a, (void) b;                                                                       \
        for (int64_t i = arg->begin; i < arg->end; i++) {                                         \
            const weft_real x = in[i];                                                            \
            y[i] = (weft_real) (fwd);                                                             \
        }                                                                                         \
    }                                                                                             \
    const weft_op weft_op_##name_ = {                                                             \
        .name = #name_, .doc = "y = " doc_, .out_names = "y", .in_names = "x",                    \
        .attr_bytes = sizeof(unary_attrs), .attrs = unary_table, .flags = WEFT_OP_STRIDED,        \
        .infer = unary_infer, .items = unary_items, .cpu = name_##_cpu, .emit = unary_emit,       \
        .cases = unary_cases, .index = INDEX_##name_,                                             \
    };
#include "params/unary.def"
#undef UNARY
// clang-format on

const weft_op *const weft_family_unary[] = {
#define UNARY(name, doc, fwd) &weft_op_##name,
#include "params/unary.def"
#undef UNARY
    NULL
};
