// SPDX-License-Identifier: MIT
// Elementwise operators: params/unary.def is their whole definition, for C and for GLSL.
#include "ops/loop.h"
#include "params/unary.h"
#include "ops/formula.h"

typedef struct unary_attrs { float a, b; } unary_attrs;

enum { // positions in unary.def: the kernel's OP constant
#define UNARY(name, ...) INDEX_##name,
#include "params/unary.def"
#undef UNARY
};

static weft_result unary_infer(weft_node *n)
{
    if (n->in_dtype[0] == WEFT_I32) return weft_node_fail(n, "x holds integers: cast it to f32");
    n->out_shape[0] = n->in_shape[0];
    return WEFT_OK;
}

static int64_t unary_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static weft_result unary_emit(const weft_node *n, weft_emit *e)
{
    const unary_attrs *at = n->attrs;
    WEFT_TRY(weft_loop_check(n));
    if (n->in_layout[0] != n->out_layout[0]) return weft_node_fail(n, "x and y lie differently");
    const struct unary_params p = { (u32) weft_shape_count(n->in_shape[0]), at->a, at->b };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "unary", .spec = { 1 + (uint32_t) n->op->index }, .spec_count = 1,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

// Sizes around the workgroup size of 64, and primes. The first and the last run with other attributes than the defaults.
#define CASES(low_, high_)                                                                        \
    (const weft_case[]) {                                                                         \
        { .in = { WEFT_SHAPE(1) }, .attrs = &(unary_attrs) { 0.25f, 0.75f }, .low = low_, .high = high_ }, \
        { .in = { WEFT_SHAPE(63) }, .low = low_, .high = high_ },                                 \
        { .in = { WEFT_SHAPE(64) }, .low = low_, .high = high_ },                                 \
        { .in = { WEFT_SHAPE(65) }, .low = low_, .high = high_ },                                 \
        { .in = { WEFT_SHAPE(2, 1, 3, 1, 2, 2, 5, 3) }, .low = low_, .high = high_ },             \
        { .in = { WEFT_SHAPE(3, 5, 7, 11) }, .attrs = &(unary_attrs) { 0.25f, 0.75f }, .low = low_, .high = high_ }, \
        { 0 }                                                                                     \
    }
#define CASES_ANY CASES(-4, 4)
#define CASES_POSITIVE CASES(0.25, 4)

#define NONE
#define A(a_) WEFT_ATTR(unary_attrs, a, FLOAT, .def = a_, .doc = "a of the formula"),
#define AB(a_, b_) A(a_) WEFT_ATTR(unary_attrs, b, FLOAT, .def = b_, .doc = "b of the formula"),

// clang-format off
#define UNARY(name_, attributes, values, doc_, fwd)                                               \
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
        .name = #name_, .doc = "y = " doc_ ".", .out_names = "y", .in_names = "x",                \
        .attr_bytes = sizeof(unary_attrs), .attrs = (const weft_attr[]) { attributes { 0 } },     \
        .flags = WEFT_OP_STRIDED,                                                                 \
        .infer = unary_infer, .items = unary_items, .cpu = name_##_cpu, .emit = unary_emit,       \
        .cases = CASES_##values, .index = INDEX_##name_,                                          \
    };
#include "params/unary.def"
#undef UNARY
// clang-format on

const weft_op *const weft_family_unary[] = {
#define UNARY(name, ...) &weft_op_##name,
#include "params/unary.def"
#undef UNARY
    NULL
};
