// SPDX-License-Identifier: MIT
// Every row's gradient against central differences, in double precision: the rows are compiled again with
// WEFT_REAL = double.   rows [ROW]
#include "base/random.h"
#include "base/threads.h"
#include "ops/bias_act.h"
#include "ops/grad.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 24 }; // elements of an input that are moved
static const double STEP = 1e-5, TOLERANCE = 1e-6;

typedef struct trial {
    weft_context *ctx;
    weft_arena arena;
    weft_graph forward, backward;
    const void *in[WEFT_CASE_INPUTS]; // double or int32_t
    const void *cotangent[16];
    weft_random random;
} trial;

static void *room(trial *t, const weft_value_def *v) { return weft_arena_new(&t->arena, (size_t) weft_shape_count(v->shape) * 8); }

// Walks a graph in double precision. data[v] of every value.
static const void **evaluate(trial *t, const weft_graph *g, const void *const *inputs)
{
    const void **data = weft_arena_new(&t->arena, sizeof *data * (size_t) (g->value_count + 1));
    for (int i = 0; i < g->input_count; i++) data[g->inputs[i].value] = inputs[i];
    for (int v = 0; v < g->value_count; v++) {
        if (!g->values[v].weight) continue;
        double *d = room(t, &g->values[v]);
        for (int64_t i = 0; i < weft_shape_count(g->values[v].shape); i++) {
            if (g->values[v].dtype == WEFT_I32) ((int32_t *) d)[i] = ((const int32_t *) g->values[v].weight->data)[i];
            else d[i] = ((const float *) g->values[v].weight->data)[i];
        }
        data[v] = d;
    }
    for (int i = 0; i < g->node_count; i++) {
        const weft_node *n = &g->nodes[i];
        const void *in[64] = { NULL };
        void *out[16];
        for (int k = 0; k < n->in_count && k < 64; k++) in[k] = n->in[k] < 0 ? NULL : data[n->in[k]];
        for (int k = 0; k < n->out_count; k++) data[n->out[k]] = out[k] = room(t, &g->values[n->out[k]]);
        n->op->cpu(n, &(weft_cpu_args) { out, in, 0, n->op->items ? n->op->items(n) : 1 });
    }
    return data;
}

// sum of cotangent * output over all float outputs; more digits than double has, because differences of it are taken
static long double loss(trial *t)
{
    const weft_graph *g = &t->forward;
    const void **data = evaluate(t, g, t->in);
    long double sum = 0;
    for (int k = 0; k < g->output_count; k++) {
        const weft_value v = g->outputs[k].value;
        const double *c = t->cotangent[k], *y = data[v];
        for (int64_t i = 0; c && i < weft_shape_count(g->values[v].shape); i++) sum += c[i] * y[i];
    }
    return sum;
}

// d loss / d x by central differences.
static double difference(trial *t, double *x, double step)
{
    const double was = *x;
    *x = was + step;
    const long double up = loss(t);
    *x = was - step;
    const long double down = loss(t);
    *x = was;
    return (double) ((up - down) / (2 * step));
}

// The same without its error of second order: for functions that are steep, like 1 / x near 0, and so that the step can be larger
// where sums of large numbers leave a small one too few digits. Near a kink the small step is better.
static double smooth_difference(trial *t, double *x, double step) { return (4 * difference(t, x, step) - difference(t, x, 2 * step)) / 3; }

static bool close_to(double got, double want) { return fabs(got - want) <= TOLERANCE * (1 + fabs(want)); }

static void *numbers(trial *t, weft_shape s, const weft_case *c, int input)
{
    const int64_t count = weft_shape_count(s);
    double *d = weft_arena_new(&t->arena, (size_t) count * 8);
    const double low = c->low == c->high ? -1 : c->low, high = c->low == c->high ? 1 : c->high;
    for (int64_t i = 0; i < count; i++) {
        const double x = weft_random_uniform(&t->random, low, high);
        if (c->integers >> input & 1) ((int32_t *) d)[i] = (int32_t) floor(x);
        else d[i] = c->masks >> input & 1 ? x > (low + high) / 2 : x;
    }
    return d;
}

typedef struct unknowns { // inputs of the forward graph to differentiate by, and which ports of it they are
    weft_value value[WEFT_CASE_INPUTS];
    int port[WEFT_CASE_INPUTS], count;
} unknowns;

// Of t->forward, whose inputs are t->in; `cotangents` by output. 1: fine, 0: wrong, -1: some row has no gradient.
static int compare(trial *t, const char *name, int number, const unknowns *wrt, const bool *cotangents)
{
    const int ports = t->forward.input_count;
    if (weft_graph_status(&t->forward)) return printf("FAIL %s: %s\n", name, weft_error_text()), 0;
    const weft_result r = weft_pass_grad(&t->forward, &(weft_grad_request) { cotangents, -1, wrt->value, wrt->count }, &t->backward);
    if (r == WEFT_ERR_UNSUPPORTED) return -1;
    if (r != WEFT_OK) return printf("FAIL %s: %s\n", name, weft_error_text()), 0;

    const void *inputs[WEFT_CASE_INPUTS + 16];
    for (int i = 0; i < ports; i++) inputs[i] = t->in[i];
    for (int k = 0, next = ports; k < t->forward.output_count; k++) {
        t->cotangent[k] = cotangents[k] ? numbers(t, t->forward.values[t->forward.outputs[k].value].shape, &(weft_case) { 0 }, 0) : NULL;
        if (cotangents[k]) inputs[next++] = t->cotangent[k];
    }
    const void **data = evaluate(t, &t->backward, inputs);
    for (int w = 0; w < wrt->count; w++) {
        const double *dx = data[t->backward.outputs[t->forward.output_count + w].value];
        double *x = (double *) (uintptr_t) t->in[wrt->port[w]];
        const int64_t size = weft_shape_count(t->forward.values[wrt->value[w]].shape);
        for (int s = 0; s < SAMPLES && s < size; s++) {
            const int64_t i = size <= SAMPLES ? s : (int64_t) weft_random_uniform(&t->random, 0, (double) size);
            double want = difference(t, x + i, STEP);
            if (!close_to(dx[i], want)) want = smooth_difference(t, x + i, STEP);
            if (!close_to(dx[i], want)) want = smooth_difference(t, x + i, 20 * STEP);
            if (!close_to(dx[i], want))
                return printf("FAIL %s case %d: d loss / d input %d, element %lld is %.9g, differences say %.9g\n", name, number, w, (long long) i, dx[i],
                              want), 0;
        }
    }
    return 1;
}

static void begin_forward(trial *t)
{
    weft_graph_init(&t->forward, &t->arena);
    weft_graph_init(&t->backward, &t->arena);
    t->forward.bound = true;
}

// As compare. Only that output has a cotangent, only by that input is differentiated; -1: all.
static int try_case(trial *t, const weft_op *op, const weft_case *c, int only_output, int only_input)
{
    weft_value in[WEFT_CASE_INPUTS];
    unknowns wrt = { .count = 0 };
    int count = c->in_count, ports = 0;
    begin_forward(t);
    if (!count) while (count < WEFT_CASE_INPUTS && c->in[count].rank) count++;
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        in[i] = -1;
        if (c->absent >> i & 1) continue;
        const bool integer = c->integers >> i & 1;
        in[i] = weft_graph_input(&t->forward, name, integer ? WEFT_I32 : WEFT_F32, c->in[i]);
        const bool smooth = !integer && !((c->masks | c->rough) >> i & 1);
        if (smooth && (only_input < 0 || only_input == i)) wrt.value[wrt.count] = in[i], wrt.port[wrt.count++] = ports;
        t->in[ports++] = numbers(t, c->in[i], c, i);
    }
    const weft_value y = weft_graph_op(&t->forward, op, in, count, c->attrs);
    bool cotangents[16] = { false };
    for (int k = 0; y >= 0 && k < t->forward.nodes[0].out_count; k++) {
        char name[16];
        snprintf(name, sizeof name, "y%d", k);
        weft_graph_output(&t->forward, name, y + k);
        cotangents[k] = t->forward.values[y + k].dtype == WEFT_F32 && (only_output < 0 || only_output == k);
    }
    return compare(t, op->name, (int) (c - op->cases), &wrt, cotangents);
}

// The end of a layer of a style-based generator, d being one over a length: its gradient is told by y alone. The bit of an input: by it
// is differentiated.
static int try_layer(trial *t, int number, const weft_bias_act_attrs *at, unsigned by)
{
    enum { N = 2, C = 3, H = 4, W = 5, INPUTS = 5 };
    const weft_shape shapes[INPUTS] = { WEFT_SHAPE(N, C, H, W), WEFT_SHAPE(N, C), WEFT_SHAPE(C), WEFT_SHAPE(1 + number % 2, 1, H, W), WEFT_SHAPE(1) };
    const weft_shape planes = WEFT_SHAPE(N, C, 1, 1);
    static const char *const names[INPUTS] = { "x", "q", "b", "noise", "strength" };
    weft_value v[INPUTS];
    unknowns wrt = { .count = 0 };
    begin_forward(t);
    weft_graph *g = &t->forward;
    for (int i = 0; i < INPUTS; i++) {
        v[i] = weft_graph_input(g, names[i], WEFT_F32, shapes[i]);
        t->in[i] = numbers(t, shapes[i], &(weft_case) { 0 }, i);
        if (by >> i & 1) wrt.value[wrt.count] = v[i], wrt.port[wrt.count++] = i;
    }
    const weft_value d = weft_grad_unary(g, "rsqrt", weft_grad_shift(g, weft_grad_unary(g, "square", v[1]), 0.5));
    const weft_value x = weft_grad_mul(g, v[0], weft_grad_reshape(g, d, planes));
    weft_graph_output(g, "y", weft_graph_call(g, "bias_act", WEFT_V(x, v[2], v[3], v[4]), at));
    const int r = compare(t, "layer", number, &wrt, (const bool[]) { true });
    bool by_y = false; // or the old way was right, which is not what is tested here
    for (int i = 0; i < t->backward.node_count; i++) by_y |= !strcmp(t->backward.nodes[i].op->name, "bias_act_back");
    if (r == 1 && !by_y) printf("FAIL layer case %d: the gradient is not taken from y\n", number);
    return r == 1 && by_y;
}

// Gradients that need not keep x do not read it.
static int try_by_value(void)
{
    static const char *const names[] = { "relu", "leaky_relu", "tanh", "sigmoid", "hard_sigmoid", "exp", "sqrt" };
    int bad = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        trial t = { .random = { 7 } };
        if (weft_context_create(&(weft_context_params) { .threads = 1 }, &t.ctx)) return 1;
        t.arena.ctx = t.ctx;
        begin_forward(&t);
        const weft_value x = weft_graph_input(&t.forward, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(20));
        t.in[0] = numbers(&t, (weft_shape) WEFT_SHAPE(20), &(weft_case) { .low = strcmp(names[i], "sqrt") ? -1 : 0.2, .high = 2 }, 0);
        weft_graph_output(&t.forward, "y", weft_grad_unary(&t.forward, names[i], x));
        bool reads = compare(&t, names[i], -1, &(unknowns) { { x }, { 0 }, 1 }, (const bool[]) { true }) != 1;
        for (int k = 1; k < t.backward.node_count; k++)
            for (int input = 0; input < t.backward.nodes[k].in_count; input++) reads |= t.backward.nodes[k].in[input] == t.backward.inputs[0].value;
        if (reads) printf("FAIL %s: its gradient reads x\n", names[i]);
        bad += reads;
        weft_arena_free(&t.arena);
        weft_context_destroy(&t.ctx);
    }
    return bad;
}

static int try_layers(void)
{
    static const weft_bias_act_attrs ats[] = { // none, relu, leaky_relu, elu, tanh, sigmoid
        { 0, 0, 0, 1.5f, 0 }, { 1, 0, 0, 1, 0.8f }, { 2, 0.2f, 0, 1.41421356f, 0.9f }, { 2, 0.1f, 0, -2, 0 }, { 3, 1, 0, 0.5f, 0 }, { 4, 0, 0, 2, 0 },
        { 5, 0, 0, 1, 0.7f },
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof ats / sizeof *ats; i++)
        for (unsigned by = 1; by < 32; by++) {
            trial t = { .random = { 5 } };
            if (weft_context_create(&(weft_context_params) { .threads = 1 }, &t.ctx)) return 1;
            t.arena.ctx = t.ctx;
            bad += try_layer(&t, (int) i, &ats[i], by) != 1;
            weft_arena_free(&t.arena);
            weft_context_destroy(&t.ctx);
        }
    return bad;
}

static uint64_t seed_of(const char *name) // the same whatever other rows there are
{
    uint64_t seed = 1;
    while (*name) seed = seed * 131 + (unsigned char) *name++;
    return seed;
}

static int try_alone(const weft_op *op, const weft_case *c, int only_output, int only_input)
{
    trial t = { .random = { seed_of(op->name) } };
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &t.ctx)) return 0;
    t.arena.ctx = t.ctx;
    const int r = try_case(&t, op, c, only_output, only_input);
    weft_arena_free(&t.arena);
    weft_context_destroy(&t.ctx);
    return r;
}

// Second order is not needed: of gradients, unless they know it, and of what uses them up.
static bool is_end(const weft_op *op)
{
    const char *name = op->name;
    const size_t n = strlen(name);
    if (op->grad || op->unfuse) return false;
    return (n > 5 && (!strcmp(name + n - 5, "_grad") || !strcmp(name + n - 5, "_back"))) || !strcmp(name, "adam") || !strcmp(name, "sgd");
}

int main(int argc, char **argv)
{
    int checked = 0, bad = 0, without = 0;
    const weft_op *op;
    for (int o = 0; (op = weft_op_at(o)); o++) {
        if (argc > 1 && strcmp(argv[1], op->name)) continue;
        if (op->flags & (WEFT_OP_INTERNAL | WEFT_OP_STEP) || is_end(op)) continue;
        bool none = false;
        _Alignas(16) unsigned char attrs[WEFT_MAX_ATTR_BYTES] = { 0 };
        weft_attr_defaults(op, attrs);
        for (const weft_case *c = op->cases; c && (c->in[0].rank || c->in_count); c++) {
            const int r = try_alone(op, c, -1, -1), outputs = weft_op_outputs(op, c->attrs ? c->attrs : attrs);
            checked += r == 1, bad += r == 0, none |= r < 0;
            for (int k = 0; r == 1 && outputs > 1 && k < outputs; k++) bad += try_alone(op, c, k, -1) != 1;
            for (int i = 0; r == 1 && c->in[1].rank && i < WEFT_CASE_INPUTS && c->in[i].rank; i++) bad += try_alone(op, c, -1, i) != 1;
        }
        if (none) {
            without++;
            printf("%s has no gradient\n", op->name);
        }
    }
    if (argc == 1 || !strcmp(argv[1], "layer")) bad += try_layers() + try_by_value(), checked++;
    printf("%d cases checked, %d bad; %d rows without a gradient\n", checked, bad, without);
    return bad || without || (!checked && argc == 1);
}
