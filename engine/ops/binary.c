// SPDX-License-Identifier: MIT
// Elementwise operators of two values with NumPy's broadcasting: params/binary.def is their whole definition.
#include "ops/divide.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/binary.h"
#include "params/binary_four.h"
#include "ops/formula.h"

enum {
#define BINARY(name, ...) INDEX_##name,
#include "params/binary.def"
#undef BINARY
};

enum { REAL, POSITIVE, SLOPE, SAME, LEAPS, TRUTH };
static const uint8_t kinds[] = {
#define BINARY(name, kind, ...) kind,
#include "params/binary.def"
#undef BINARY
};

// The shape under which input k broadcasts: a slope [c] is [c, 1, 1, ...], so that it meets dimension 1 of x.
static weft_shape operand(const weft_node *n, int k)
{
    weft_shape s = n->in_shape[k];
    if (k == 0 || kinds[n->op->index] != SLOPE || s.rank != 1) return s;
    for (; s.rank < n->in_shape[0].rank - 1; s.rank++) s.dim[s.rank] = 1;
    return s;
}

static weft_result binary_infer(weft_node *n)
{
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    const int kind = kinds[n->op->index];
    if (n->in_dtype[0] != n->in_dtype[1]) return weft_node_fail(n, "one input holds integers, the other f32: cast one of them");
    if (n->in_dtype[0] == WEFT_I32 && kind < SAME) return weft_node_fail(n, "the inputs hold integers: cast them to f32");
    n->out_dtype[0] = kind == TRUTH ? WEFT_F32 : n->in_dtype[0];
    if (!weft_shape_broadcast(operand(n, 0), operand(n, 1), &n->out_shape[0]))
        return weft_node_fail(n, "%s and %s do not broadcast", weft_shape_text(n->in_shape[0], a), weft_shape_text(n->in_shape[1], b));
    if (kind == SLOPE && !weft_shape_equal(n->out_shape[0], n->in_shape[0]))
        return weft_node_fail(n, "slope %s does not fit x %s", weft_shape_text(n->in_shape[1], b), weft_shape_text(n->in_shape[0], a));
    return WEFT_OK;
}

static int64_t binary_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static void binary_loop(const weft_node *n, weft_loop *l)
{
    int64_t stride[3][WEFT_MAX_RANK], own[WEFT_MAX_RANK];
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], stride[0]);
    for (int k = 0; k < 2; k++) {
        const weft_shape s = operand(n, k);
        weft_layout_strides(s, s.rank == n->in_shape[k].rank ? (weft_layout) n->in_layout[k] : WEFT_ROW, own);
        weft_shape_stretch(s, own, n->out_shape[0], stride[k + 1]);
    }
    weft_loop_make(l, n->out_shape[0], 3, stride);
}

// Whether four neighbours of y read four neighbours of input k or share one element; gives its strides, in fours or elements.
static bool in_fours(const weft_loop *l, int k, bool *one, u32 stride[4])
{
    const int last = l->rank - 1;
    *one = l->rank == 0 || l->stride[k][last] == 0;
    for (int d = 0; d < l->rank; d++) {
        const int64_t step = l->stride[k][d];
        if (!*one && (d == last ? step != 1 : step % 4 != 0)) return false;
        stride[d] = (u32) (*one || d == last ? step : step / 4);
    }
    return true;
}

static bool fill_four(const weft_loop *l, uint32_t count, struct binary_four_params *p, bool one[2])
{
    *p = (struct binary_four_params) { .count = count / 4 };
    if (l->rank < 1 || l->rank > 4 || l->dim[l->rank - 1] % 4) return false;
    for (int d = 0; d < l->rank; d++) {
        p->dim[d] = (u32) (d == l->rank - 1 ? l->dim[d] / 4 : l->dim[d]);
        weft_divisor(p->dim[d], &p->magic[d], &p->shift[d]);
    }
    return in_fours(l, 1, &one[0], p->a_stride) && in_fours(l, 2, &one[1], p->b_stride);
}

static weft_result binary_emit(const weft_node *n, weft_emit *e)
{
    weft_loop l;
    bool one[2];
    struct binary_four_params four;
    WEFT_TRY(weft_loop_check(n));
    binary_loop(n, &l);
    const uint32_t count = (uint32_t) weft_shape_count(n->out_shape[0]);
    const bool integers = n->in_dtype[0] == WEFT_I32;
    if (!integers && fill_four(&l, count, &four, one))
        return weft_emit_dispatch(e, &(weft_dispatch) {
            .kernel = "binary_four", .spec = { (uint32_t) n->op->index, (uint32_t) l.rank, one[0], one[1] }, .spec_count = 4,
            .params = &four, .params_bytes = sizeof four, .grid = { four.count },
        });
    struct binary_params p = { .count = count };
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.a_stride);
    weft_loop_strides(&l, 2, p.b_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = !integers ? "binary" : n->out_dtype[0] == WEFT_I32 ? "binary_i32" : "compare_i32",
        .spec = { (uint32_t) n->op->index, (uint32_t) l.rank }, .spec_count = 2,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

// --- Gradients. ----------------------------------------------------------------------------------------------

// dy / da and dy / db times dy, before they are summed where an input was stretched. Where min and max are equal, each side
// receives half (PyTorch). A base of 0 gives its exponent nothing, an exponent of 0 its base.
static weft_value by_a(const weft_node *n, weft_graph *g, weft_value dy)
{
    const weft_value a = n->in[0], b = n->in[1];
    switch (n->op->index) {
    case INDEX_mul: return weft_grad_mul(g, dy, b);
    case INDEX_div: return weft_grad_binary(g, "div", dy, b);
    case INDEX_pow: {
        const weft_value slope = weft_grad_mul(g, b, weft_grad_binary(g, "pow", a, weft_grad_shift(g, b, -1)));
        return weft_grad_where(g, b, weft_grad_mul(g, dy, slope), weft_graph_scalar(g, 0));
    }
    case INDEX_atan2: return weft_grad_mul(g, dy, weft_grad_binary(g, "div", b, weft_grad_add(g, weft_grad_mul(g, a, a), weft_grad_mul(g, b, b))));
    case INDEX_min:
    case INDEX_max: {
        const bool most = n->op->index == INDEX_max;
        const weft_value twice = weft_grad_add(g, weft_grad_binary(g, most ? "greater" : "less", a, b),
                                               weft_grad_binary(g, most ? "greater_equal" : "less_equal", a, b));
        return weft_grad_mul(g, dy, weft_grad_scale(g, twice, 0.5));
    }
    default: return dy; // add, sub, mod
    }
}

static weft_value by_b(const weft_node *n, weft_graph *g, weft_value dy)
{
    const weft_value a = n->in[0], b = n->in[1], y = n->out[0];
    switch (n->op->index) {
    case INDEX_sub: return weft_grad_unary(g, "neg", dy);
    case INDEX_mul: return weft_grad_mul(g, dy, a);
    case INDEX_div: return weft_grad_unary(g, "neg", weft_grad_mul(g, dy, weft_grad_binary(g, "div", y, b)));
    case INDEX_mod: return weft_grad_mul(g, dy, weft_grad_binary(g, "div", weft_grad_binary(g, "sub", y, a), b));
    case INDEX_pow: {
        const weft_value one = weft_graph_scalar(g, 1); // whose logarithm is 0
        return weft_grad_mul(g, dy, weft_grad_mul(g, y, weft_grad_unary(g, "log", weft_grad_where(g, a, a, one))));
    }
    case INDEX_atan2: {
        const weft_value part = weft_grad_binary(g, "div", a, weft_grad_add(g, weft_grad_mul(g, a, a), weft_grad_mul(g, b, b)));
        return weft_grad_unary(g, "neg", weft_grad_mul(g, dy, part));
    }
    case INDEX_min:
    case INDEX_max: return weft_grad_binary(g, "sub", dy, by_a(n, g, dy));
    default: return dy; // add
    }
}

static weft_result binary_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_grad_unstretch(g, by_a(n, g, dy[0]), n->in_shape[0]);
    if (want[1]) dx[1] = weft_grad_unstretch(g, by_b(n, g, dy[0]), n->in_shape[1]);
    return WEFT_OK;
}

static weft_result slope_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_shape s = operand(n, 1);
    const weft_value x = n->in[0], zero = weft_graph_scalar(g, 0), slope = weft_grad_reshape(g, n->in[1], s);
    if (want[0]) dx[0] = weft_grad_where(g, weft_grad_binary(g, "less", x, zero), weft_grad_mul(g, dy[0], slope), dy[0]);
    if (want[1]) dx[1] = weft_grad_reshape(g, weft_grad_unstretch(g, weft_grad_mul(g, dy[0], weft_grad_binary(g, "min", x, zero)), s), n->in_shape[1]);
    return WEFT_OK;
}

#define GRAD_REAL .grad = binary_grad
#define GRAD_POSITIVE .grad = binary_grad
#define GRAD_SAME .grad = binary_grad
#define GRAD_LEAPS .grad = binary_grad
#define GRAD_SLOPE .grad = slope_grad
#define GRAD_TRUTH .grad = NULL
#define FLAGS_TRUTH WEFT_OP_STEP
enum { FLAGS_REAL = WEFT_OP_INPLACE, FLAGS_POSITIVE = FLAGS_REAL, FLAGS_SAME = FLAGS_REAL, FLAGS_LEAPS = FLAGS_REAL, FLAGS_SLOPE = 0 };

// --- The truth. ----------------------------------------------------------------------------------------------

// One way to compute y, for a type of the inputs and one of the output. Lines whose inputs are packed get a loop that
// the compiler can widen; the others take steps, 0 where an input is stretched.
#define BINARY_CPU(name, stored_in, computed_in, stored_out, fwd)                                 \
    static void name(const weft_node *n, const weft_cpu_args *arg)                                \
    {                                                                                             \
        weft_loop l;                                                                              \
        binary_loop(n, &l);                                                                       \
        for (weft_lines w = weft_lines_of(&l, arg->begin, arg->end); weft_lines_next(&w);) {      \
            const stored_in *pa = (const stored_in *) arg->in[0] + w.at[1];                       \
            const stored_in *pb = (const stored_in *) arg->in[1] + w.at[2];                       \
            stored_out *y = (stored_out *) arg->out[0] + w.at[0];                                 \
            if (w.step[1] == 1 && w.step[2] == 1)                                                 \
                for (int64_t i = 0; i < w.count; i++) {                                           \
                    const computed_in a = pa[i], b = pb[i];                                       \
                    y[i] = (stored_out) (fwd);                                                    \
                }                                                                                 \
            else                                                                                  \
                for (int64_t i = 0; i < w.count; i++) {                                           \
                    const computed_in a = pa[i * w.step[1]], b = pb[i * w.step[2]];               \
                    y[i] = (stored_out) (fwd);                                                    \
                }                                                                                 \
        }                                                                                         \
    }

// Integers are computed in 64 bits and cut to 32: overflow wraps round, as on the device.
#define CPU_I32_REAL(name, fwd)
#define CPU_I32_POSITIVE(name, fwd)
#define CPU_I32_SLOPE(name, fwd)
#define CPU_I32_SAME(name, fwd) BINARY_CPU(name##_i32, int32_t, int64_t, int32_t, fwd)
#define CPU_I32_LEAPS CPU_I32_SAME
#define CPU_I32_TRUTH(name, fwd) BINARY_CPU(name##_i32, int32_t, int64_t, weft_real, fwd)
#define CALL_REAL(name) name##_real(n, arg)
#define CALL_POSITIVE(name) name##_real(n, arg)
#define CALL_SLOPE(name) name##_real(n, arg)
#define CALL_SAME(name) n->in_dtype[0] == WEFT_I32 ? name##_i32(n, arg) : name##_real(n, arg)
#define CALL_LEAPS CALL_SAME
#define CALL_TRUTH(name) n->in_dtype[0] == WEFT_I32 ? name##_i32(n, arg) : name##_real(n, arg)

// Sizes around the workgroup size of 64, and primes.
#define CASES(...)                                                                                \
    (const weft_case[]) {                                                                         \
        { .in = { WEFT_SHAPE(2, 3), WEFT_SHAPE(2, 3) }, __VA_ARGS__ },                            \
        { .in = { WEFT_SHAPE(65), WEFT_SHAPE(1) }, __VA_ARGS__ },                                 \
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(5, 1, 1) }, __VA_ARGS__ },                   \
        { .in = { WEFT_SHAPE(1, 5, 1, 3), WEFT_SHAPE(2, 1, 7, 1) }, __VA_ARGS__ },                \
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(2, 5, 7, 3) }, __VA_ARGS__ },                \
        { .in = { WEFT_SHAPE(2, 8, 7, 3), WEFT_SHAPE(2, 8, 1, 1) }, __VA_ARGS__ }, /* in fours */ \
        { .in = { WEFT_SHAPE(3, 1, 7, 4), WEFT_SHAPE(3, 5, 1, 4) }, __VA_ARGS__ },                \
        { .in = { WEFT_SHAPE(2, 1, 3, 1, 8), WEFT_SHAPE(3, 1, 2, 1) }, __VA_ARGS__ },             \
        { .in = { WEFT_SHAPE(2, 1, 3, 1, 2, 1), WEFT_SHAPE(3, 1, 2, 1, 5) }, __VA_ARGS__ },       \
        { .in = { WEFT_SHAPE(2, 1, 3, 1, 2, 1, 2, 1), WEFT_SHAPE(1, 2, 1, 3, 1, 2, 1, 2) }, __VA_ARGS__ },

#define INTEGERS .integers = 3, .low = -3, .high = 3
#define CASES_REAL CASES(0) { 0 } }
#define CASES_POSITIVE CASES(.low = 0.25, .high = 3) { 0 } }
#define CASES_LEAPS CASES(.rough = 2) \
        { .in = { WEFT_SHAPE(67), WEFT_SHAPE(67) }, .low = 1, .high = 9 }, CASES_I32
#define CASES_SAME CASES(0) CASES_I32
#define CASES_I32 \
        { .in = { WEFT_SHAPE(129), WEFT_SHAPE(129) }, INTEGERS }, \
        { .in = { WEFT_SHAPE(1, 5, 1, 3), WEFT_SHAPE(2, 1, 7, 1) }, INTEGERS }, { 0 } }
#define CASES_TRUTH CASES(.masks = 3) \
        { .in = { WEFT_SHAPE(67), WEFT_SHAPE(67) } }, \
        { .in = { WEFT_SHAPE(129), WEFT_SHAPE(129) }, INTEGERS }, \
        { .in = { WEFT_SHAPE(1, 5, 1, 3), WEFT_SHAPE(2, 1, 7, 1) }, INTEGERS }, { 0 } }
#define CASES_SLOPE                                                                               \
    (const weft_case[]) {                                                                         \
        { .in = { WEFT_SHAPE(65), WEFT_SHAPE(1) } },                                              \
        { .in = { WEFT_SHAPE(3, 5), WEFT_SHAPE(5) } },                                            \
        { .in = { WEFT_SHAPE(2, 3, 5), WEFT_SHAPE(3) } },                                         \
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(5) } },                                      \
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(1) } },                                      \
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(5, 1, 3) } },                                \
        { .in = { WEFT_SHAPE(2, 8, 5, 3), WEFT_SHAPE(8) } },                                      \
        { 0 }                                                                                     \
    }

#define NAMES_REAL "a b"
#define NAMES_POSITIVE "a b"
#define NAMES_SAME "a b"
#define NAMES_LEAPS "a b"
#define NAMES_TRUTH "a b"
#define NAMES_SLOPE "x slope"

// clang-format off
#define BINARY(name_, kind, doc_, fwd)                                                            \
    BINARY_CPU(name_##_real, weft_real, weft_real, weft_real, fwd)                                \
    CPU_I32_##kind(name_, fwd)                                                                    \
    static void name_##_cpu(const weft_node *n, const weft_cpu_args *arg) { CALL_##kind(name_); } \
    const weft_op weft_op_##name_ = {                                                             \
        .name = #name_, .doc = "y = " doc_ ". With NumPy's broadcasting.", .out_names = "y", .in_names = NAMES_##kind, \
        .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED | FLAGS_##kind, GRAD_##kind,                                     \
        .infer = binary_infer, .items = binary_items, .cpu = name_##_cpu, .emit = binary_emit,    \
        .cases = CASES_##kind, .index = INDEX_##name_,                                            \
    };
#include "params/binary.def"
#undef BINARY
// clang-format on

const weft_op *const weft_family_binary[] = {
#define BINARY(name, ...) &weft_op_##name,
#include "params/binary.def"
#undef BINARY
    NULL
};
