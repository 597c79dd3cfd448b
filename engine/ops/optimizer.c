// SPDX-License-Identifier: MIT
// The update at the end of an optimisation step. Elementwise, in f32 whatever the session's precision.
#include "ops/loop.h"
#include "params/adam.h"
#include "params/sgd.h"
#include <math.h>
#include <string.h>

typedef struct adam_attrs { float beta1, beta2, eps, weight_decay; int32_t decoupled; } adam_attrs;
typedef struct sgd_attrs { float momentum, weight_decay; int32_t nesterov; } sgd_attrs;

enum { P, G, M, V, RATE_OF_ADAM, STEP, SCALE_OF_ADAM, RATE_OF_SGD = 3, SCALE_OF_SGD };
enum { BLOCK = 256 }; // elements that are copied, worked on and copied back: outputs may lie where inputs lie

static weft_result check(const weft_node *n, int same, const char *const *names)
{
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    for (int i = 1; i < same; i++)
        if (!weft_shape_equal(n->in_shape[i], n->in_shape[P]))
            return weft_node_fail(n, "%s %s does not have the shape %s of p", names[i], weft_shape_text(n->in_shape[i], a), weft_shape_text(n->in_shape[P], b));
    for (int i = same; i < n->in_count; i++)
        if (weft_has(n, i) && weft_shape_count(n->in_shape[i]) != 1) return weft_node_fail(n, "%s must be one number, not %s", names[i], weft_shape_text(n->in_shape[i], a));
    for (int k = 0; k < n->out_count; k++) n->out_shape[k] = n->in_shape[P];
    return WEFT_OK;
}

static int64_t items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static void load(weft_real *to, const void *from, int64_t at, int64_t count) { memcpy(to, (const weft_real *) from + at, (size_t) count * sizeof *to); }
// What gradients are multiplied with; 0 takes no step, so that those that are infinite or NaN change nothing.
static weft_real scale_of(const weft_node *n, const weft_cpu_args *arg, int input) { return weft_has(n, input) ? *(const weft_real *) arg->in[input] : 1; }

static void store(void *to, int64_t at, const weft_real *from, int64_t count) { memcpy((weft_real *) to + at, from, (size_t) count * sizeof *from); }

// --- Adam. ---------------------------------------------------------------------------------------------------

static weft_result adam_infer(weft_node *n) { return check(n, 4, (const char *const[]) { "p", "g", "m", "v", "rate", "step", "scale" }); }

static void adam_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const adam_attrs *at = n->attrs;
    const double lr = *(const weft_real *) arg->in[RATE_OF_ADAM], t = *(const weft_real *) arg->in[STEP];
    const weft_real beta1 = at->beta1, rest1 = (weft_real) (1 - (double) at->beta1), beta2 = at->beta2, rest2 = (weft_real) (1 - (double) at->beta2);
    const weft_real rate = (weft_real) (lr / -expm1(t * log(at->beta1))), spread = (weft_real) (1 / -expm1(t * log(at->beta2)));
    const weft_real eps = at->eps, scale = scale_of(n, arg, SCALE_OF_ADAM), coupled = at->decoupled ? 0 : at->weight_decay, keep = (weft_real) (at->decoupled ? 1 - lr * at->weight_decay : 1);
    weft_real p[BLOCK], g[BLOCK], m[BLOCK], v[BLOCK];
    for (int64_t begin = arg->begin; begin < arg->end; begin += BLOCK) {
        const int64_t count = arg->end - begin < BLOCK ? arg->end - begin : BLOCK;
        load(p, arg->in[P], begin, count), load(g, arg->in[G], begin, count), load(m, arg->in[M], begin, count), load(v, arg->in[V], begin, count);
        for (int64_t i = 0; i < count && scale != 0; i++) {
            const weft_real slope = scale * g[i] + coupled * p[i];
            m[i] = beta1 * m[i] + rest1 * slope;
            v[i] = beta2 * v[i] + rest2 * slope * slope;
            p[i] = keep * p[i] - rate * m[i] / ((weft_real) sqrt((double) (v[i] * spread)) + eps);
        }
        store(arg->out[0], begin, p, count), store(arg->out[1], begin, m, count), store(arg->out[2], begin, v, count);
    }
}

static weft_result adam_emit(const weft_node *n, weft_emit *e)
{
    const adam_attrs *at = n->attrs;
    WEFT_TRY(weft_loop_check(n));
    const bool wide = items(n) % 4 == 0;
    const struct adam_params p = {
        .count = (u32) items(n) / (wide ? 4 : 1), .decoupled = at->decoupled != 0, .eps = at->eps, .decay = at->weight_decay,
        .beta1 = at->beta1, .rest1 = (f32) (1 - (double) at->beta1), .log1 = at->beta1 > 0 ? (f32) log(at->beta1) : -1e30f,
        .beta2 = at->beta2, .rest2 = (f32) (1 - (double) at->beta2), .log2 = at->beta2 > 0 ? (f32) log(at->beta2) : -1e30f,
    };
    return weft_emit_dispatch(e, &(weft_dispatch) { .kernel = "adam", .spec = { wide, weft_has(n, SCALE_OF_ADAM) }, .spec_count = 2, .params = &p, .params_bytes = sizeof p,
                                                    .grid = { p.count }, .flops = 30.0 * (double) items(n) });
}

static double adam_flops(const weft_node *n) { return 16.0 * (double) items(n); }

static const weft_op adam = {
    .name = "adam",
    .doc = "m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2, p' = p - rate (m' / (1 - beta1^step)) / (sqrt(v' / (1 - beta2^step)) + eps);\n"
           "rate and step hold one number each, and step is 1 the first time. The decay is added to the gradient, g + weight_decay p, or, if it\n"
           "is decoupled, shrinks p by the factor 1 - rate weight_decay first. Kingma and Ba 2015, Adam: A Method for Stochastic Optimization,\n"
           "algorithm 1; Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization. As torch.optim.Adam and AdamW.\n"
           "With scale, one number, g is multiplied with it first, and at 0 everything stays as it is, whatever g holds. It has no gradient.",
    .out_names = "p m v", .in_names = "p g m v rate step scale?", .flags = WEFT_OP_F32 | WEFT_OP_INPLACE,
    .attr_bytes = sizeof(adam_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(adam_attrs, beta1, FLOAT, .def = 0.9f, .max = 0.9999999, .doc = "how much of the mean gradient stays"),
        WEFT_ATTR(adam_attrs, beta2, FLOAT, .def = 0.999f, .max = 0.9999999, .doc = "how much of the mean square stays"),
        WEFT_ATTR(adam_attrs, eps, FLOAT, .def = 1e-8f, .max = 1, .doc = "added to the root"),
        WEFT_ATTR(adam_attrs, weight_decay, FLOAT, .max = 1e6, .doc = "how strongly p is drawn to 0"),
        WEFT_ATTR(adam_attrs, decoupled, INT, .max = 1, .doc = "1: as AdamW"),
        { 0 }
    },
    .infer = adam_infer, .items = items, .cpu = adam_cpu, .emit = adam_emit, .flops = adam_flops,
#define SIX(...) { WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(1), WEFT_SHAPE(1) }
#define SEVEN(...) { WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(1), WEFT_SHAPE(1), WEFT_SHAPE(1) }
    .cases = (const weft_case[]) {
        { .in = SIX(1), .low = 0.25, .high = 4 },
        { .in = SIX(63), .low = 0.25, .high = 4 },
        { .in = SIX(65), .attrs = &(const adam_attrs) { 0.5f, 0.9f, 1e-3f, 0.1f, 0 }, .low = 0.25, .high = 4 },
        { .in = SIX(3, 5, 7, 11), .attrs = &(const adam_attrs) { 0, 0.99f, 1e-8f, 0.1f, 1 }, .low = 0.25, .high = 4 },
        { .in = SIX(2, 1, 3, 1, 2, 2, 5, 3), .attrs = &(const adam_attrs) { 0.9f, 0, 1e-8f, 0, 0 }, .low = 1, .high = 400 },
        { .in = SIX(257), .low = 1, .high = 1000 },
        { .in = SEVEN(66), .attrs = &(const adam_attrs) { 0.9f, 0.99f, 1e-3f, 0.1f, 0 }, .in_count = 7, .low = 0.25, .high = 4 },
        { .in = SEVEN(64), .in_count = 7, .low = 0.25, .high = 4 },
        { .in = SIX(4, 67), .attrs = &(const adam_attrs) { 0.9f, 0.999f, 1e-8f, 0.1f, 1 }, .low = 0.25, .high = 4 },
        { 0 }
    },
#undef SIX
#undef SEVEN
};

// --- Gradient descent. ---------------------------------------------------------------------------------------

static weft_result sgd_infer(weft_node *n) { return check(n, 3, (const char *const[]) { "p", "g", "m", "rate", "scale" }); }

static void sgd_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const sgd_attrs *at = n->attrs;
    const weft_real rate = *(const weft_real *) arg->in[RATE_OF_SGD], momentum = at->momentum, decay = at->weight_decay;
    const weft_real scale = scale_of(n, arg, SCALE_OF_SGD), of_slope = at->nesterov ? 1 : 0, of_mean = at->nesterov ? momentum : 1;
    weft_real p[BLOCK], g[BLOCK], m[BLOCK];
    for (int64_t begin = arg->begin; begin < arg->end; begin += BLOCK) {
        const int64_t count = arg->end - begin < BLOCK ? arg->end - begin : BLOCK;
        load(p, arg->in[P], begin, count), load(g, arg->in[G], begin, count), load(m, arg->in[M], begin, count);
        for (int64_t i = 0; i < count && scale != 0; i++) {
            const weft_real slope = scale * g[i] + decay * p[i];
            m[i] = momentum * m[i] + slope;
            p[i] -= rate * (of_slope * slope + of_mean * m[i]);
        }
        store(arg->out[0], begin, p, count), store(arg->out[1], begin, m, count);
    }
}

static weft_result sgd_emit(const weft_node *n, weft_emit *e)
{
    const sgd_attrs *at = n->attrs;
    WEFT_TRY(weft_loop_check(n));
    const struct sgd_params p = { (u32) items(n), at->nesterov != 0, at->momentum, at->weight_decay };
    return weft_emit_dispatch(e, &(weft_dispatch) { .kernel = "sgd", .spec = { weft_has(n, SCALE_OF_SGD) }, .spec_count = 1, .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = 8.0 * p.count });
}

static double sgd_flops(const weft_node *n) { return 8.0 * (double) items(n); }

static const weft_op sgd = {
    .name = "sgd",
    .doc = "g' = g + weight_decay p, m' = momentum m + g', p' = p - rate m', or, with nesterov, p - rate (g' + momentum m'); rate holds one number.\n"
           "Sutskever et al. 2013, On the importance of initialization and momentum in deep learning, in the form of torch.optim.SGD\n"
           "(the rate stands outside the momentum; no dampening). Scale: as for adam. It has no gradient.",
    .out_names = "p m", .in_names = "p g m rate scale?", .flags = WEFT_OP_F32 | WEFT_OP_INPLACE,
    .attr_bytes = sizeof(sgd_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(sgd_attrs, momentum, FLOAT, .max = 1, .doc = "how much of the last direction stays"),
        WEFT_ATTR(sgd_attrs, weight_decay, FLOAT, .max = 1e6, .doc = "how strongly p is drawn to 0"),
        WEFT_ATTR(sgd_attrs, nesterov, INT, .max = 1, .doc = "1: look ahead along the new direction"),
        { 0 }
    },
    .infer = sgd_infer, .items = items, .cpu = sgd_cpu, .emit = sgd_emit, .flops = sgd_flops,
#define FOUR(...) { WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(__VA_ARGS__), WEFT_SHAPE(1) }
    .cases = (const weft_case[]) {
        { .in = FOUR(1) },
        { .in = FOUR(65), .attrs = &(const sgd_attrs) { 0.9f, 0, 0 } },
        { .in = FOUR(3, 5, 7, 11), .attrs = &(const sgd_attrs) { 0.9f, 0.01f, 1 } },
        { .in = FOUR(257), .attrs = &(const sgd_attrs) { 0, 0.5f, 0 } },
        { .in = { WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(1), WEFT_SHAPE(1) }, .attrs = &(const sgd_attrs) { 0.9f, 0.1f, 1 }, .in_count = 5 },
        { 0 }
    },
#undef FOUR
};

const weft_op *const weft_family_optimizer[] = { &adam, &sgd, NULL };
