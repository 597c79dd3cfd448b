// SPDX-License-Identifier: MIT
// Elementwise operators: params/unary.def is their whole definition, for C and for GLSL.
#include "ops/activation.h"
#include "ops/divide.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "params/unary.h"
#include "params/unary_grad.h"
#include <ctype.h>
#include <string.h>
#include "ops/formula.h"

typedef struct unary_attrs { float a, b; } unary_attrs;

enum { // positions in unary.def: the kernel's OP constant
#define UNARY(name, ...) INDEX_##name,
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
    if (n->in_layout[0] != n->out_layout[0]) return weft_node_fail(n, "x and y lie differently");
    const u32 count = (u32) weft_shape_count(n->in_shape[0]);
    const bool wide = count % 4 == 0;
    const struct unary_params p = { wide ? count / 4 : count, at->a, at->b };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "unary", .spec = { 1 + (uint32_t) n->op->index, wide }, .spec_count = 2,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

// Gradient rows: the same shapes, but x, y and dy may lie in different layouts.
static weft_result unary_grad_infer(weft_node *n)
{
    n->out_shape[0] = n->in_shape[0];
    if (weft_shape_equal(n->in_shape[0], n->in_shape[1]) && weft_shape_equal(n->in_shape[0], n->in_shape[2])) return WEFT_OK;
    return weft_node_fail(n, "x, y and dy must have one shape");
}

static weft_result unary_grad_emit(const weft_node *n, weft_emit *e)
{
    const unary_attrs *at = n->attrs;
    weft_loop l;
    WEFT_TRY(weft_loop_check(n));
    weft_loop_broadcast(&l, n, 3);
    const u32 count = (u32) weft_shape_count(n->in_shape[0]);
    const bool wide = count % 4 == 0 && l.rank <= 1; // all lie the same way
    struct unary_grad_params p = { .count = wide ? count / 4 : count, .a = at->a, .b = at->b };
    for (int d = 0; d < 4; d++) { // equal shapes in two layouts merge to four dimensions at most
        p.dim[d] = d < l.rank ? (u32) l.dim[d] : 1;
        p.x_stride[d] = d < l.rank ? (u32) l.stride[1][d] : 0;
        p.y_stride[d] = d < l.rank ? (u32) l.stride[2][d] : 0;
        p.dy_stride[d] = d < l.rank ? (u32) l.stride[3][d] : 0;
        weft_divisor(p.dim[d], &p.magic[d], &p.shift[d]);
    }
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "unary_grad", .spec = { (uint32_t) n->op->index, (uint32_t) l.rank, wide }, .spec_count = 3,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

// Whether the derivative's formula in unary.def comes out the same with y for x: then x need not be kept, and what made it can make y.
static bool is_told_by_y(const char *name, const unary_attrs *at)
{
    static const char *const names[] = { "relu", "tanh", "sigmoid", "hard_sigmoid", "exp", "sqrt", "rsqrt" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return !strcmp(name, "leaky_relu") && at->a >= 0;
}

// Whether the formula has the letter as a name of its own.
static bool mentions(const char *formula, char letter)
{
    for (const char *c = formula; *c; c++)
        if (*c == letter && (c == formula || !isalnum((unsigned char) c[-1])) && !isalnum((unsigned char) c[1])) return true;
    return false;
}

// dx by the row's derivative, keeping no more of x and y than its formula wants.
static weft_value unary_slope(const weft_node *n, weft_graph *g, const weft_op *row, const char *formula, weft_value dy)
{
    const unary_attrs *at = n->attrs;
    const weft_value x = is_told_by_y(n->op->name, at) ? n->out[0] : n->in[0];
    if (!mentions(formula, 'x') && !mentions(formula, 'y')) {
        const double slope = weft_activate_slope(1 + n->op->index, 0, 0, at->a, at->b);
        return slope == 1 ? dy : weft_grad_scale(g, dy, slope);
    }
    return weft_graph_op(g, row, WEFT_V(x, mentions(formula, 'y') ? n->out[0] : x, dy), at);
}

// Sizes around the workgroup size of 64, and primes. The first and the last run with other attributes than the defaults.
#define CASES(low_, high_)                                                                        \
    (const weft_case[]) {                                                                         \
        { .in = { WEFT_SHAPE(1) }, .attrs = &(const unary_attrs) { 0.25f, 0.75f }, .low = low_, .high = high_ }, \
        { .in = { WEFT_SHAPE(63) }, .low = low_, .high = high_ },                                 \
        { .in = { WEFT_SHAPE(64) }, .low = low_, .high = high_ },                                 \
        { .in = { WEFT_SHAPE(65) }, .low = low_, .high = high_ },                                 \
        { .in = { WEFT_SHAPE(2, 1, 3, 1, 2, 2, 5, 3) }, .low = low_, .high = high_ },             \
        { .in = { WEFT_SHAPE(3, 5, 7, 11) }, .attrs = &(const unary_attrs) { 0.25f, 0.75f }, .low = low_, .high = high_ }, \
        { 0 }                                                                                     \
    }
#define CASES_ANY CASES(-4, 4)
#define CASES_POSITIVE CASES(0.25, 4)
#define CASES_STEP CASES_ANY
enum { FLAGS_ANY, FLAGS_POSITIVE = 0, FLAGS_STEP = WEFT_OP_STEP };
#define CASES_GRAD                                                                                \
    (const weft_case[]) {                                                                         \
        { .in = { WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(65) }, .low = 0.25, .high = 4 },     \
        { .in = { WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(2, 3, 5, 7) }, .low = 0.25, .high = 4 }, \
        { .in = { WEFT_SHAPE(2, 4, 5, 7), WEFT_SHAPE(2, 4, 5, 7), WEFT_SHAPE(2, 4, 5, 7) }, .low = 0.25, .high = 4 }, \
        { 0 }                                                                                     \
    }

#define NONE
#define A(a_) WEFT_ATTR(unary_attrs, a, FLOAT, .def = a_, .doc = "a of the formula"),
#define AB(a_, b_) A(a_) WEFT_ATTR(unary_attrs, b, FLOAT, .def = b_, .doc = "b of the formula"),

// clang-format off
#define UNARY(name_, attributes, values, doc_, fwd, bwd)                                          \
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
    static void name_##_grad_cpu(const weft_node *n, const weft_cpu_args *arg)                    \
    {                                                                                             \
        const unary_attrs *at = n->attrs;                                                         \
        const weft_real a = at->a, b = at->b, *xs = arg->in[0], *ys = arg->in[1], *dy = arg->in[2]; \
        weft_real *dx = arg->out[0];                                                              \
        (void) a, (void) b;                                                                       \
        for (int64_t i = arg->begin; i < arg->end; i++) {                                         \
            const weft_real x = xs[i], y = ys[i];                                                 \
            (void) x, (void) y;                                                                   \
            dx[i] = (weft_real) (dy[i] * (bwd));                                                  \
        }                                                                                         \
    }                                                                                             \
    extern const weft_op weft_op_##name_##_grad;                                                  \
    static weft_result name_##_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx) \
    {                                                                                             \
        (void) want;                                                                              \
        dx[0] = unary_slope(n, g, &weft_op_##name_##_grad, #bwd, dy[0]);                          \
        return WEFT_OK;                                                                           \
    }                                                                                             \
    const weft_op weft_op_##name_ = {                                                             \
        .name = #name_, .doc = "y = " doc_ ".", .out_names = "y", .in_names = "x",                \
        .attr_bytes = sizeof(unary_attrs), .attrs = (const weft_attr[]) { attributes { 0 } },     \
        .flags = WEFT_OP_STRIDED | WEFT_OP_INPLACE | FLAGS_##values,                              \
        .infer = unary_infer, .items = unary_items, .cpu = name_##_cpu, .emit = unary_emit,       \
        .grad = name_##_grad, .cases = CASES_##values, .index = INDEX_##name_,                    \
    };                                                                                            \
    const weft_op weft_op_##name_##_grad = {                                                      \
        .name = #name_ "_grad", .doc = "dx = dy times the derivative of `" #name_ "` at x; y is its value there.", \
        .out_names = "dx", .in_names = "x y dy",                                                  \
        .attr_bytes = sizeof(unary_attrs), .attrs = (const weft_attr[]) { attributes { 0 } },     \
        .flags = WEFT_OP_STRIDED,                                                                 \
        .infer = unary_grad_infer, .items = unary_items, .cpu = name_##_grad_cpu, .emit = unary_grad_emit, \
        .cases = CASES_GRAD, .index = INDEX_##name_, .slope_of = &weft_op_##name_,                \
    };
#include "params/unary.def"
#undef UNARY
// clang-format on

const weft_op *const weft_family_unary[] = {
#define UNARY(name, ...) &weft_op_##name, &weft_op_##name##_grad,
#include "params/unary.def"
#undef UNARY
    NULL
};
