// SPDX-License-Identifier: MIT
// Every way of every row that has several, forced in turn, on every Vulkan device: all its cases against the truth, and with weights in
// f16, which those may not change that hold the same numbers in f32.
// test_ways [ROW [CASE [WAY]]]: those alone.
#include "base/half.h"
#include "base/random.h"
#include "cpu/run.h"
#include "graph/program.h"
#include "ops/conv.h"
#include "ops/conv_weights.h"
#include "vk/inside.h"
#include "vk/run.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = WEFT_CASE_INPUTS, OUTPUTS = 4, KERNELS = 32, LONG = 1 << 17 };

// Large enough for the large tiles: many channels, few, and a gate.
#define CONV(...) &(weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, __VA_ARGS__ }
static const weft_case large[] = {
    { .in = { WEFT_SHAPE(1, 4, 67, 71), WEFT_SHAPE(76, 4, 3, 3), WEFT_SHAPE(76) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .act = 2, .a = 0.1f) },
    { .in = { WEFT_SHAPE(1, 3, 92, 95), WEFT_SHAPE(31, 3, 3, 3), WEFT_SHAPE(31) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .pad_mode = WEFT_PAD_REFLECT) },
    { .in = { WEFT_SHAPE(1, 5, 67, 71), WEFT_SHAPE(72, 5, 3, 3), WEFT_SHAPE(72) }, .attrs = CONV(.gate = 1, .act = 3, .a = 1) },
    { .in = { WEFT_SHAPE(2, 16, 13, 18), WEFT_SHAPE(32, 16, 3, 3), WEFT_SHAPE(32) }, // 3 x 3 taps, one by one: Winograd's
      .attrs = CONV(.pads = { 1, 1, 1, 1 }, .gate = 1, .act = 3, .a = 1, .pad_mode = WEFT_PAD_REFLECT) },
    { .in = { WEFT_SHAPE(1, 12, 7, 3), WEFT_SHAPE(20, 12, 3, 3), WEFT_SHAPE(20), WEFT_SHAPE(1, 20, 5, 4) },
      .attrs = CONV(.pads = { 0, 1, 0, 2 }, .act = 1, .residual = WEFT_RESIDUAL_BEFORE) },
    { .in = { WEFT_SHAPE(1, 64, 20, 20), WEFT_SHAPE(64, 64, 3, 3) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }) },
    // long sums of few pixels, which are cut into parts
    { .in = { WEFT_SHAPE(2, 64, 5, 3), WEFT_SHAPE(40, 64, 3, 3), WEFT_SHAPE(40), WEFT_SHAPE(2, 40, 5, 3) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .act = 1) },
    { .in = { WEFT_SHAPE(1, 33, 4, 4), WEFT_SHAPE(18, 33, 3, 3), WEFT_SHAPE(18) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .gate = 1, .act = 3, .a = 1) },
    { .in = { WEFT_SHAPE(1, 62, 5, 5), WEFT_SHAPE(22, 31, 3, 3), WEFT_SHAPE(22) }, .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .groups = 2) },
    // styles, in eights
    { .in = { WEFT_SHAPE(2, 24, 9, 7), WEFT_SHAPE(40, 24, 3, 3), WEFT_SHAPE(40), { 0 }, WEFT_SHAPE(2, 40), { 0 }, { 0 }, WEFT_SHAPE(2, 24) }, .in_count = 8,
      .absent = 1 << 3 | 1 << 5 | 1 << 6, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .act = 1) },
    { .in = { WEFT_SHAPE(1, 24, 9, 11), WEFT_SHAPE(48, 8, 3, 3), WEFT_SHAPE(48) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .groups = 3) },
    { 0 }
};
static const weft_case large_transposed[] = {
    { .in = { WEFT_SHAPE(1, 96, 3, 3), WEFT_SHAPE(96, 28, 4, 4), WEFT_SHAPE(28) }, .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }) },
    { .in = { WEFT_SHAPE(1, 32, 5, 6), WEFT_SHAPE(32, 40, 3, 3) }, .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 0, 1, 0 }) },
    { 0 }
};

static const weft_case large_products[] = {
    { .in = { WEFT_SHAPE(130, 40), WEFT_SHAPE(40, 136) } },
    { .in = { WEFT_SHAPE(41, 130), WEFT_SHAPE(137, 41) }, .attrs = &(const int32_t[]) { 1, 1 } },
    { .in = { WEFT_SHAPE(21, 8200), WEFT_SHAPE(8200, 24) } }, // cut into parts, on matrix units too
    { .in = { WEFT_SHAPE(70001, 5), WEFT_SHAPE(70001, 6) }, .attrs = &(const int32_t[]) { 1, 0 } }, // too long for one loop (ops/turns.h)
    { 0 }
};
// The same of pixels.
static const weft_conv_weights_attrs point = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, .kernel = { 1, 1 } };
static const weft_case large_weights[] = {
    { .in = { WEFT_SHAPE(1, 4, 270, 251), WEFT_SHAPE(1, 4, 270, 251) }, .attrs = &point },
    { .in = { WEFT_SHAPE(1, 3, 270, 251), WEFT_SHAPE(1, 5, 270, 251) }, .attrs = &point },
    { 0 }
};

static const struct { float scale; int32_t causal, heads, joint; } steep = { 2, 0 }, causal = { 0, 1 }, heads = { 0, 0, 3, 0 }, joint = { 0, 1, 2, 1 };
static const weft_case large_attention[] = { // heads of CLIP's, of SAGAN's; keys and queries that fill no tile
    { .in = { WEFT_SHAPE(1, 3, 50, 64), WEFT_SHAPE(1, 3, 50, 64), WEFT_SHAPE(1, 3, 50, 64) } },
    { .in = { WEFT_SHAPE(2, 77, 64), WEFT_SHAPE(2, 77, 64), WEFT_SHAPE(2, 77, 64) }, .attrs = &causal },
    { .in = { WEFT_SHAPE(1, 67, 64), WEFT_SHAPE(1, 131, 64), WEFT_SHAPE(1, 131, 40) }, .attrs = &steep },
    { .in = { WEFT_SHAPE(1, 41, 7), WEFT_SHAPE(1, 53, 7), WEFT_SHAPE(1, 53, 71), WEFT_SHAPE(41, 53) } },
    { .in = { WEFT_SHAPE(2, 1, 128), WEFT_SHAPE(2, 50, 128), WEFT_SHAPE(2, 50, 128) } },
    { .in = { WEFT_SHAPE(2, 37, 48), WEFT_SHAPE(2, 53, 48), WEFT_SHAPE(2, 53, 120) }, .attrs = &heads },
    { .in = { WEFT_SHAPE(2, 77, 384) }, .attrs = &joint },
    { 0 }
};

static const weft_case large_attention_grad[] = {
#define HEADS(l, s, d, e) { WEFT_SHAPE(2, l, e), WEFT_SHAPE(2, l, e), WEFT_SHAPE(2, l, d), WEFT_SHAPE(2, s, d), WEFT_SHAPE(2, s, e) }
    { .in = HEADS(50, 50, 64, 64) },
    { .in = HEADS(37, 53, 17, 40), .attrs = &causal },
    { .in = HEADS(37, 53, 48, 120), .attrs = &heads },
    { .in = { WEFT_SHAPE(2, 77, 128), WEFT_SHAPE(2, 77, 128), WEFT_SHAPE(2, 77, 384) }, .attrs = &joint },
    { 0 }
};

static const struct { const char *op; const weft_case *cases; } more[] = { { "conv2d", large }, { "conv_transpose2d", large_transposed }, { "matmul", large_products }, { "conv2d_weight_grad", large_weights },
                                                                              { "sdpa", large_attention }, { "sdpa_grad", large_attention_grad } };
enum { MORE = sizeof more / sizeof *more };

typedef struct test {
    const char *only_op, *only_way; // arguments: NULL and -1 for all
    int only_case;
    weft_context *ctx;
    weft_vk_device *dev;
    int devices, runs, bad, messages;
    const char *kernels[KERNELS]; // that were taken on this device
    int served[KERNELS], kernel_count;
} test;

static void log_line(void *user, weft_log_level level, const char *line)
{
    test *t = user;
    if (level <= WEFT_LOG_WARN && t->messages++ < 20) fprintf(stderr, "log: %s\n", line);
}

static void check(test *t, weft_result r, const char *what)
{
    if (r == WEFT_OK) return;
    printf("FAIL %s: %s\n", what, weft_error_text());
    t->bad++;
}

typedef struct subject {
    struct subject *halves; // the same with weights in f16; NULL: none of them may be
    weft_arena arena;
    weft_graph graph;
    const void *in[INPUTS];
    float *want, *got; // of all outputs, one after another
    void *want_at[OUTPUTS], *got_at[OUTPUTS];
    int outs;
    int64_t first[OUTPUTS + 1]; // where each begins
    int64_t count;
} subject;

// Numbers that f16 can hold, so that a fast run differs by its own rounding alone.
static float *numbers(weft_arena *a, weft_shape shape, weft_random *rng)
{
    const int64_t count = weft_shape_count(shape);
    float *f = weft_arena_new(a, (size_t) count * 4);
    for (int64_t i = 0; f && i < count; i++) f[i] = weft_half_to_float(weft_float_to_half((float) weft_random_uniform(rng, -1, 1)));
    return f;
}

static weft_result add_weight(weft_graph *g, const char *name, weft_shape shape, const float *numbers, bool half, weft_value *out)
{
    const int64_t count = weft_shape_count(shape);
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    uint16_t *halves = half ? weft_arena_new(g->arena, (size_t) count * 2) : NULL;
    if (!w || (half && !halves)) return WEFT_ERR_MEMORY;
    for (int64_t i = 0; half && i < count; i++) halves[i] = weft_float_to_half(numbers[i]);
    *w = (weft_weight) { name, half ? WEFT_F16 : WEFT_F32, shape, half ? (const void *) halves : numbers, (size_t) count * (half ? 2 : 4) };
    *out = weft_graph_constant(g, w);
    return weft_graph_status(g);
}

static weft_result make(test *t, const weft_op *op, const weft_case *c, int index, bool half, subject *s)
{
    weft_random rng = { 7 };
    weft_value in[INPUTS];
    int count = 0, ports = 0;
    *s = (subject) { .arena = { .ctx = t->ctx } };
    weft_graph_init(&s->graph, &s->arena);
    s->graph.bound = true;
    const int given = c->in_count, port = op->half_inputs & 1 ? index % 2 : 0; // the others are weights, r aside
    for (; count < INPUTS && (given ? count < given : c->in[count].rank > 0); count++) {
        in[count] = -1;
        if (c->absent >> count & 1) continue;
        const float *data = numbers(&s->arena, c->in[count], &rng);
        if (!data) return WEFT_ERR_MEMORY;
        if (count == port || count == 3) {
            s->in[ports++] = data;
            in[count] = weft_graph_input(&s->graph, count ? "r" : "x", WEFT_F32, c->in[count]);
            continue;
        }
        WEFT_TRY(add_weight(&s->graph, count == 1 ? "w" : "b", c->in[count], data, half && op->half_inputs >> count & 1, &in[count]));
    }
    const weft_value y = weft_graph_op(&s->graph, op, in, count, c->attrs);
    WEFT_TRY(weft_graph_status(&s->graph));
    static const char *const names[] = { "y", "y1", "y2", "y3" };
    const int outs = s->graph.nodes[s->graph.node_count - 1].out_count;
    for (; s->outs < outs && s->outs < OUTPUTS; s->outs++) {
        weft_graph_output(&s->graph, names[s->outs], y + s->outs);
        s->count += weft_shape_count(s->graph.values[y + s->outs].shape);
        s->first[s->outs + 1] = s->count;
    }
    s->want = weft_arena_new(&s->arena, (size_t) s->count * 4);
    s->got = weft_arena_new(&s->arena, (size_t) s->count * 4);
    if (!s->want || !s->got) return WEFT_ERR_MEMORY;
    for (int k = 0; k < s->outs; k++) s->want_at[k] = s->want + s->first[k], s->got_at[k] = s->got + s->first[k];
    return weft_graph_status(&s->graph);
}

static weft_result truth(test *t, subject *s)
{
    weft_cpu_run *run;
    WEFT_TRY(weft_cpu_run_create(t->ctx, &s->graph, &(weft_session_params) { 0 }, false, &run));
    const weft_result r = weft_cpu_run_go(run, s->in, s->want_at);
    weft_cpu_run_destroy(run);
    return r;
}

static weft_result on_device(test *t, subject *s, bool fast)
{
    weft_vk_run *run = NULL;
    const weft_session_params p = { .precision = fast ? WEFT_FAST : WEFT_EXACT };
    memset(s->got, 0xcd, (size_t) s->count * 4); // not a number: what a kernel leaves out shows
    weft_result r = weft_vk_run_create(t->dev, &s->graph, &p, &run);
    if (r == WEFT_OK) r = weft_vk_run_go(run, s->in, s->got_at);
    weft_vk_run_destroy(run);
    return r;
}

typedef struct ways { // of the row under test
    const weft_op *op;
    weft_way list[WEFT_MAX_WAYS];
    int count;
} ways;

static int note_ways(void *user, const weft_node *n, const char *key, const weft_way *list, int count)
{
    ways *w = user;
    (void) key;
    if (n->op != w->op) return 0;
    memcpy(w->list, list, sizeof *list * (size_t) count);
    w->count = count;
    return 0;
}

static weft_result find_ways(test *t, subject *s, bool fast, ways *w)
{
    weft_graph physical;
    weft_program program;
    weft_graph_init(&physical, &s->arena);
    w->count = 0;
    t->dev->caps.force = NULL;
    WEFT_TRY(weft_pass_physical(&s->graph, fast ? WEFT_HALF_ALL : WEFT_HALF_NONE, &physical));
    return weft_program_build(&physical, &t->dev->caps, &(weft_chooser) { note_ways, w }, &s->arena, &program);
}

static double difference(const subject *s) // of the output that differs most
{
    double most = 0;
    for (int k = 0; k < s->outs; k++) {
        double d = 0, n = 0;
        for (int64_t i = s->first[k]; i < s->first[k + 1]; i++) {
            const double e = (double) s->got[i] - s->want[i];
            d += e * e, n += (double) s->want[i] * s->want[i];
        }
        const double apart = sqrt(d / (n > 1e-30 ? n : 1e-30));
        if (!(apart <= most)) most = apart;
    }
    return most;
}

static void note_kernel(test *t, const char *kernel)
{
    int k = 0;
    while (k < t->kernel_count && strcmp(t->kernels[k], kernel)) k++;
    if (k == KERNELS) return;
    if (k == t->kernel_count) t->kernels[t->kernel_count++] = kernel, t->served[k] = 0;
    t->served[k]++;
}

static void run_way(test *t, const weft_op *op, int index, subject *s, bool fast, const weft_way *way)
{
    char text[WEFT_WAY_TEXT];
    weft_way_text(way, text);
    if (t->only_way && strcmp(t->only_way, text) && strcmp(t->only_way, way->kernel)) return;
    t->dev->caps.force = text;
    t->runs++;
    note_kernel(t, way->kernel);
    const weft_result r = on_device(t, s, fast);
    const double d = r == WEFT_OK ? difference(s) : 0;
    if (r == WEFT_OK && !fast && s->halves) {
        const weft_result same = on_device(t, s->halves, false);
        if (same != WEFT_OK || memcmp(s->got, s->halves->got, (size_t) s->count * 4)) {
            t->bad++;
            printf("FAIL %s case %d, %s, weights in f16: %s, differs by %.2e\n     repeat: test_ways %s %d '%s'\n", op->name, index, text,
                   same == WEFT_OK ? "not what the same weights in f32 give" : weft_error_text(), difference(s->halves), op->name, index, text);
        }
    }
    t->dev->caps.force = NULL;
    if (r == WEFT_OK && d <= (fast ? 2e-3 : op->tolerance > 1e-5 ? op->tolerance : 1e-5)) return;
    t->bad++;
    printf("FAIL %s case %d, %s, %s: %s, differs by %.2e\n     repeat: test_ways %s %d '%s'\n", op->name, index, text, fast ? "f16" : "f32",
           r == WEFT_OK ? "ran" : weft_error_text(), d, op->name, index, text);
}

static bool listed(const ways *w, const weft_way *way)
{
    for (int k = 0; k < w->count; k++)
        if (!strcmp(w->list[k].kernel, way->kernel) && !memcmp(w->list[k].cut, way->cut, sizeof way->cut)) return true;
    return false;
}

// A software driver, to which compiling is dear, is offered fewer ways: of those that a GPU is offered besides, every case runs a quarter,
// every other case as a GPU of few registers, and every other pair of cases as one of which no subgroup size can be asked.
// Winograd's products take other kernels there. Long loops are not for such drivers to run as GPUs have them.
static void run_gpu_ways(test *t, const weft_op *op, int index, subject *s, bool fast, const ways *done)
{
    ways w = { op };
    const bool control = t->dev->subgroup_control, full = t->dev->full_subgroups;
    t->dev->caps.is_software = false, t->dev->caps.few_registers = index % 2;
    if (index / 2 % 2) t->dev->subgroup_control = t->dev->full_subgroups = false;
    check(t, find_ways(t, s, fast, &w), op->name);
    for (int k = 0; k < w.count; k++)
        if ((!listed(done, &w.list[k]) || !strcmp(w.list[k].kernel, "winograd")) && (t->only_way || (index + k) % 4 == fast)) run_way(t, op, index, s, fast, &w.list[k]);
    t->dev->caps.is_software = true, t->dev->caps.few_registers = false;
    t->dev->subgroup_control = control, t->dev->full_subgroups = full;
}

static void run_case(test *t, const weft_op *op, int index, subject *s)
{
    check(t, truth(t, s), "truth");
    if (s->halves) memcpy(s->halves->want, s->want, (size_t) s->count * 4);
    for (int fast = 0; fast <= (t->dev->caps.f16_storage != 0); fast++) {
        ways w = { op };
        check(t, find_ways(t, s, fast, &w), op->name);
        for (int k = 0; k < w.count; k++)
            // f16 is mostly only another way to load and store
            if (!fast || t->only_way || (index + k) % 4 == 1 || strstr(w.list[k].kernel, "matrix")) run_way(t, op, index, s, fast, &w.list[k]);
        if (t->dev->caps.is_software && weft_shape_count(s->graph.values[s->graph.inputs[0].value].shape) < LONG) run_gpu_ways(t, op, index, s, fast, &w);
    }
}

static void run_list(test *t, const weft_op *op, const weft_case *list, int index)
{
    for (const weft_case *c = list; c->in[0].rank; c++, index++) {
        if (t->only_case >= 0 && t->only_case != index) continue;
        subject s, halves = { 0 };
        weft_result made = make(t, op, c, index, false, &s);
        if (made == WEFT_OK && op->half_inputs) made = make(t, op, c, index, true, s.halves = &halves);
        check(t, made, op->name);
        if (made == WEFT_OK) run_case(t, op, index, &s);
        weft_arena_free(&s.arena), weft_arena_free(&halves.arena);
    }
}

static void run_device(test *t)
{
    const weft_op *op;
    printf("%s (%s)\n", weft_vk_info(t->dev)->name, weft_vk_info(t->dev)->driver);
    t->kernel_count = 0;
    for (int r = 0; (op = weft_op_at(r)); r++) {
        int cases = 0;
        if (!op->ways || !op->cases || (t->only_op && strcmp(t->only_op, op->name))) continue;
        run_list(t, op, op->cases, 0);
        while (op->cases[cases].in[0].rank) cases++;
        for (int k = 0; k < MORE; k++)
            if (!strcmp(more[k].op, op->name)) run_list(t, op, more[k].cases, cases);
    }
    for (int k = 0; k < t->kernel_count; k++) printf("  %s: %d runs\n", t->kernels[k], t->served[k]);
}

static void count_device(void *user, const weft_device_info *info)
{
    (void) info;
    ((test *) user)->devices++;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    test t = { .only_op = argc > 1 ? argv[1] : NULL, .only_case = argc > 2 ? atoi(argv[2]) : -1, .only_way = argc > 3 ? argv[3] : NULL };
    char name[16];
    if (weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &t, .log_level = WEFT_LOG_WARN }, &t.ctx)) return 1;
    check(&t, weft_vk_list(t.ctx, count_device, &t), "weft_vk_list");
    if (!t.devices) puts("skip: no Vulkan device");
    for (int i = 0; i < t.devices; i++) {
        snprintf(name, sizeof name, "%d", i);
        const weft_result r = weft_vk_open(t.ctx, &(weft_device_params) { .name = name, .validate = 1 }, &t.dev);
        if (r != WEFT_OK) {
            printf("skip device %d: %s\n", i, weft_error_text());
            continue;
        }
        run_device(&t);
        weft_vk_close(t.dev);
    }
    weft_context_destroy(&t.ctx);
    if (t.messages) printf("FAIL %d warnings in the log\n", t.messages), t.bad++;
    printf("%d devices, %d runs, %d bad\n", t.devices, t.runs, t.bad);
    return t.bad != 0;
}
