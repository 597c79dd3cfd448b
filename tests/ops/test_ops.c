// SPDX-License-Identifier: MIT
// Every row, every case: a one-node model on the reference, on the cpu device and on a Vulkan device (exact, fast and with
// no optional feature): with inputs as ports, with inputs 1.. as weights, with those in f16 that may stay so, and, for rows that follow strides, with rank-4
// inputs that a convolution left with its channels innermost. Norms within the row's tolerance.
#include "base/half.h"
#include "base/random.h"
#include "graph/model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/session.h>

enum { MAX_OUT = 16 };
enum { PORTS, WEIGHTS, HALVES, IMAGES, FORMS };
static const char *const form_names[FORMS] = { "ports", "weights", "halves", "images" };

typedef struct target { // a device and how sessions are made on it
    const char *name;
    weft_device *dev;
    weft_precision precision;
    bool small; // no optional feature
} target;

typedef struct test {
    weft_context *ctx;
    weft_device *reference;
    target targets[8];
    int target_count;
    const char *only, *device, *program;
    int only_case;
    int cases, runs, bad, skipped, messages;
} test;

static void log_line(void *user, weft_log_level level, const char *line)
{
    test *t = user;
    if (level > WEFT_LOG_WARN) return;
    if (t->messages++ < 20) fprintf(stderr, "log: %s\n", line);
}

static int input_count(const weft_case *c)
{
    int n = c->in_count;
    while (!c->in_count && n < WEFT_CASE_INPUTS && c->in[n].rank) n++;
    return n;
}

// Inputs are numbers that f16 can hold, so that a fast session differs by its own rounding alone.
static void *make_input(const weft_case *c, int i, weft_random *rng, weft_shape shape)
{
    const int64_t count = weft_shape_count(shape);
    const bool whole = c->integers >> i & 1, mask = c->masks >> i & 1;
    const double low = c->low == 0 && c->high == 0 ? (whole ? 0 : -1) : c->low, high = c->low == 0 && c->high == 0 ? 1 : c->high;
    float *f = malloc((size_t) count * 4 + 4);
    int32_t *k = (int32_t *) f;
    for (int64_t e = 0; f && e < count; e++) {
        const double u = weft_random_uniform(rng, low, high);
        if (mask) f[e] = weft_random_u32(rng) >> 31 ? 1.0f : 0.0f;
        else if (whole) k[e] = (int32_t) floor(u);
        else f[e] = weft_half_to_float(weft_float_to_half((float) u));
    }
    return f;
}

typedef struct subject { // one case as a model, with its data
    weft_model *model;
    void *in[WEFT_CASE_INPUTS];
    weft_io port[WEFT_CASE_INPUTS];
    int port_count;
} subject;

static void forget(subject *s)
{
    weft_model_destroy(&s->model);
    for (int i = 0; i < WEFT_CASE_INPUTS; i++) free(s->in[i]);
}

static bool is_image(const weft_case *c, int i) { return c->in[i].rank == 4 && !(c->integers >> i & 1); }

// Whether the form says something new about this case.
static bool has_form(const weft_op *op, const weft_case *c, int form)
{
    bool any = false;
    for (int i = 0; i < input_count(c); i++) any |= is_image(c, i);
    if (form == HALVES) return op->half_inputs;
    return form == PORTS || (form == WEIGHTS && input_count(c) > 1) || (form == IMAGES && any && op->flags & WEFT_OP_STRIDED);
}

// The same value out of a convolution with one weight of 1 per channel: on a device it lies as convolutions leave it.
static weft_value as_image(weft_graph *g, weft_value x, int64_t channels)
{
    const weft_op *conv = weft_op_find("conv2d");
    const double groups = (double) channels;
    _Alignas(16) unsigned char attrs[WEFT_MAX_ATTR_BYTES] = { 0 };
    float *ones = weft_arena_new(g->arena, (size_t) channels * sizeof *ones);
    for (int64_t i = 0; ones && i < channels; i++) ones[i] = 1;
    weft_attr_defaults(conv, attrs);
    if (!ones || weft_attr_set(conv, attrs, "groups", NULL, &groups, 1) != WEFT_OK) return -1;
    const weft_value w = weft_graph_numbers(g, (weft_shape) { 4, { channels, 1, 1, 1 } }, ones);
    return weft_graph_op(g, conv, (weft_value[]) { x, w }, 2, attrs);
}

// Whether no input would be left as a port.
static bool all_halves(const weft_op *op, const weft_case *c)
{
    for (int i = 0; i < input_count(c); i++)
        if (!(op->half_inputs >> i & 1)) return false;
    return true;
}

static weft_value half_weight(weft_graph *g, const char *name, weft_shape shape, const float *numbers)
{
    const int64_t count = weft_shape_count(shape);
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    uint16_t *halves = weft_arena_new(g->arena, (size_t) count * 2);
    for (int64_t i = 0; halves && i < count; i++) halves[i] = weft_float_to_half(numbers[i]);
    if (!w || !halves) return -1;
    *w = (weft_weight) { name, WEFT_F16, shape, halves, (size_t) count * 2 };
    return weft_graph_constant(g, w);
}

static weft_result make_subject(const test *t, const weft_op *op, const weft_case *c, int form, subject *s)
{
    static char names[WEFT_CASE_INPUTS][4] = { "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8" };
    weft_random rng = { 0x5eed };
    weft_value in[WEFT_CASE_INPUTS];
    const int count = input_count(c);
    *s = (subject) { 0 };
    WEFT_TRY(weft_model_new(t->ctx, &s->model));
    weft_arena *a = &s->model->arena;
    weft_entry *e = weft_arena_new(a, sizeof *e);
    if (!e) return WEFT_ERR_MEMORY;
    e->name = "main";
    weft_graph_init(&e->graph, a);
    s->model->entries = e, s->model->entry_count = 1;
    for (int i = 0; i < count; i++) {
        in[i] = -1;
        if (c->absent >> i & 1) continue;
        const weft_dtype dtype = c->integers >> i & 1 ? WEFT_I32 : WEFT_F32;
        s->in[i] = make_input(c, i, &rng, c->in[i]);
        if (!s->in[i]) return WEFT_ERR_MEMORY;
        const size_t bytes = (size_t) weft_shape_count(c->in[i]) * 4;
        if (form == HALVES && dtype == WEFT_F32 && op->half_inputs >> i & 1 && !(all_halves(op, c) && i == 0)) {
            if ((in[i] = half_weight(&e->graph, names[i], c->in[i], s->in[i])) < 0) return WEFT_ERR_MEMORY;
        } else if (form == WEIGHTS && i) {
            weft_weight *w = weft_arena_new(a, sizeof *w);
            if (!w) return WEFT_ERR_MEMORY;
            *w = (weft_weight) { names[i], dtype, c->in[i], s->in[i], bytes };
            in[i] = weft_graph_constant(&e->graph, w);
        } else {
            in[i] = weft_graph_input(&e->graph, names[i], dtype, c->in[i]);
            s->port[s->port_count++] = (weft_io) { names[i], s->in[i], bytes };
            if (form == IMAGES && is_image(c, i)) in[i] = as_image(&e->graph, in[i], c->in[i].dim[1]);
        }
    }
    e->graph.name_prefix = "subject";
    const weft_value y = weft_graph_op(&e->graph, op, in, count, c->attrs);
    WEFT_TRY(weft_graph_status(&e->graph));
    for (int k = 0; k < e->graph.nodes[e->graph.node_count - 1].out_count; k++) {
        char name[16];
        snprintf(name, sizeof name, "y%d", k);
        weft_graph_output(&e->graph, name, y + k);
    }
    return weft_model_seal(s->model);
}

static weft_result run_on(weft_device *dev, weft_precision precision, int form, const subject *s, void *out[MAX_OUT])
{
    weft_session *session;
    const weft_port *ports;
    weft_io io[MAX_OUT];
    for (int i = 0; i < MAX_OUT; i++) out[i] = NULL;
    const weft_session_params params = { .precision = precision, .no_fuse = form == IMAGES }; // or the convolution would do the row's work
    WEFT_TRY(weft_session_create(dev, s->model, &params, &session));
    const int count = weft_session_outputs(session, &ports);
    for (int i = 0; i < count && i < MAX_OUT; i++) {
        const size_t bytes = (size_t) weft_shape_count(ports[i].shape) * 4;
        out[i] = malloc(bytes);
        if (out[i]) memset(out[i], 0xcd, bytes); // what a kernel leaves out shows
        io[i] = (weft_io) { ports[i].name, out[i], bytes };
    }
    weft_result r = weft_session_run(session, s->port, s->port_count, io, count);
    if (r == WEFT_OK && dev) r = weft_session_run(session, s->port, s->port_count, io, count); // nothing may depend on a fresh start
    weft_session_destroy(&session);
    return r;
}

static float as_half_range(float x) { return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x; }

// |a - b| / |b| as norms over one output; infinity where one is not a number and the other is. `worst`: element.
static double difference(const float *a, const float *b, int64_t count, bool half, int64_t *worst)
{
    double d = 0, n = 0, most = -1;
    for (int64_t i = 0; i < count; i++) {
        const float x = half ? as_half_range(a[i]) : a[i], y = half ? as_half_range(b[i]) : b[i];
        if (x == y || (isnan(x) && isnan(y))) {
            n += isfinite(y) ? (double) y * y : 0;
            continue;
        }
        if (!isfinite(x) || !isfinite(y)) return *worst = i, INFINITY;
        const double e = fabs((double) x - y);
        d += e * e, n += (double) y * y;
        if (e > most) most = e, *worst = i;
    }
    return d == 0 ? 0 : sqrt(d / (n > 1e-30 ? n : 1e-30));
}

// Rounding to f16 moves a number by at most 2^-11 of itself (4.9e-4); stored inputs are exact, so a row of one kernel
// stays below that, and one that expands into several kernels or has a steep formula gets a small multiple.
static double tolerance_of(const weft_op *op, const target *on)
{
    const double exact = op->tolerance > 0 ? op->tolerance : 1e-5;
    return on->precision == WEFT_FAST ? 2e-3 + 10 * exact : exact;
}

static void compare(test *t, const weft_op *op, int index, int form, const target *on, const subject *s, void *want[MAX_OUT], void *got[MAX_OUT])
{
    const weft_port *ports;
    const int count = weft_model_outputs(s->model, 0, &ports);
    for (int k = 0; k < count && k < MAX_OUT; k++) {
        const int64_t n = weft_shape_count(ports[k].shape);
        int64_t worst = 0;
        double d = 0;
        if (ports[k].dtype == WEFT_I32)
            for (int64_t i = 0; i < n && d == 0; i++) d = ((int32_t *) want[k])[i] != ((int32_t *) got[k])[i] ? worst = i, INFINITY : 0;
        else d = difference(got[k], want[k], n, on->precision == WEFT_FAST, &worst);
        if (d <= tolerance_of(op, on)) continue;
        t->bad++;
        if (ports[k].dtype == WEFT_I32)
            printf("FAIL %s case %d (%s) on %s: output %d differs: element %lld is %d, wants %d\n", op->name, index, form_names[form], on->name, k,
                   (long long) worst, ((int32_t *) got[k])[worst], ((int32_t *) want[k])[worst]);
        else
            printf("FAIL %s case %d (%s) on %s: output %d differs by %.2e, allowed %.1e; element %lld is %.9g, wants %.9g\n", op->name, index,
                   form_names[form], on->name, k, d, tolerance_of(op, on), (long long) worst, ((float *) got[k])[worst], ((float *) want[k])[worst]);
        printf("     repeat: %s --only %s:%d%s%s\n", t->program, op->name, index, t->device ? " --device " : "", t->device ? t->device : "");
    }
}

static void run_case(test *t, const weft_op *op, const weft_case *c, int index, int form)
{
    subject s;
    void *want[MAX_OUT] = { 0 }, *got[MAX_OUT];
    weft_result r = make_subject(t, op, c, form, &s);
    if (r == WEFT_OK) r = run_on(t->reference, WEFT_EXACT, form, &s, want);
    if (r != WEFT_OK) {
        t->bad++;
        printf("FAIL %s case %d (%s) on reference: %s: %s\n", op->name, index, form_names[form], weft_result_name(r), weft_error_text());
    }
    const bool has_kernel = op->emit || op->expand || op->flags & WEFT_OP_ALIAS;
    for (int i = 0; r == WEFT_OK && i < (has_kernel ? t->target_count : 1); i++) {
        if (form && form != HALVES && t->targets[i].small) continue; // where weights lie does not depend on features
        const int before = t->messages;
        const weft_result q = run_on(t->targets[i].dev, t->targets[i].precision, form, &s, got);
        t->runs++;
        if (q == WEFT_OK) compare(t, op, index, form, &t->targets[i], &s, want, got);
        if (q != WEFT_OK) {
            t->bad++;
            printf("FAIL %s case %d (%s) on %s: %s: %s\n", op->name, index, form_names[form], t->targets[i].name, weft_result_name(q), weft_error_text());
        }
        if (t->messages != before) {
            t->bad++;
            printf("FAIL %s case %d (%s) on %s: %d warnings in the log\n     repeat: %s --only %s:%d\n", op->name, index, form_names[form],
                   t->targets[i].name, t->messages - before, t->program, op->name, index);
        }
        for (int k = 0; k < MAX_OUT; k++) free(got[k]);
    }
    for (int k = 0; k < MAX_OUT; k++) free(want[k]);
    forget(&s);
}

static void run_row(test *t, const weft_op *op)
{
    if (!op->cases) {
        t->skipped++;
        printf("skip %s: the row has no cases\n", op->name);
        return;
    }
    if (!op->emit && !op->expand && !(op->flags & WEFT_OP_ALIAS)) {
        t->skipped++;
        printf("skip %s on Vulkan: the row has no kernel yet\n", op->name);
    }
    int index = 0;
    for (const weft_case *c = op->cases; c->in[0].rank || c->in_count; c++, index++) {
        if (t->only_case >= 0 && t->only_case != index) continue;
        t->cases++;
        for (int form = 0; form < FORMS; form++)
            if (has_form(op, c, form)) run_case(t, op, c, index, form);
    }
}

static void add_target(test *t, const char *name, weft_device *dev, weft_precision precision)
{
    t->targets[t->target_count++] = (target) { name, dev, precision, false };
}

static bool open_targets(test *t, weft_device *devices[4])
{
    const char *vulkan = t->device ? t->device : "vulkan";
    if (weft_device_open(t->ctx, &(weft_device_params) { .name = "reference" }, &devices[0])) return false;
    if (weft_device_open(t->ctx, &(weft_device_params) { .name = "cpu" }, &devices[1])) return false;
    t->reference = devices[0];
    add_target(t, "cpu", devices[1], WEFT_EXACT);
    const weft_result r = weft_device_open(t->ctx, &(weft_device_params) { .name = vulkan, .validate = 1 }, &devices[2]);
    if (r == WEFT_ERR_NO_DEVICE && !t->device) {
        printf("skip Vulkan: %s\n", weft_error_text());
        return t->skipped++, true;
    }
    if (r || weft_device_open(t->ctx, &(weft_device_params) { .name = vulkan, .validate = 1, .no_optional = 1 }, &devices[3])) return false;
    const weft_device_info *info = weft_device_get_info(devices[2]);
    printf("Vulkan device: %s (%s, %s)\n", info->name, info->type, info->driver);
    add_target(t, "vulkan exact", devices[2], WEFT_EXACT);
    add_target(t, "vulkan no_optional", devices[3], WEFT_EXACT);
    t->targets[t->target_count - 1].small = true;
    if (info->f16_storage) add_target(t, "vulkan fast", devices[2], WEFT_FAST);
    else printf("skip vulkan fast: the device has no 16-bit storage\n"), t->skipped++;
    return true;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--list] [--only ROW[:CASE]] [--device NAME]\n", program);
    return 2;
}

int main(int argc, char **argv)
{
    test t = { .only_case = -1, .program = argv[0] };
    weft_device *devices[4] = { 0 };
    const weft_op *op;
    bool known = false;
    char only[64] = "";
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) {
            for (int o = 0; (op = weft_op_at(o)); o++) puts(op->name);
            return 0;
        }
        if (i + 1 == argc) return usage(argv[0]);
        if (!strcmp(argv[i], "--device")) t.device = argv[++i];
        else if (!strcmp(argv[i], "--only")) snprintf(only, sizeof only, "%s", argv[++i]);
        else return usage(argv[0]);
    }
    if (strchr(only, ':')) t.only_case = atoi(strchr(only, ':') + 1), *strchr(only, ':') = 0;
    if (weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &t, .log_level = WEFT_LOG_WARN }, &t.ctx)) return 1;
    if (!open_targets(&t, devices)) {
        printf("FAIL cannot open the devices: %s\n", weft_error_text());
        t.bad++;
    } else {
        for (int o = 0; (op = weft_op_at(o)); o++) {
            if (*only && strcmp(only, op->name)) continue;
            known = true;
            run_row(&t, op);
        }
        if (!known) printf("FAIL there is no row '%s'\n", only), t.bad++;
    }
    const int before_end = t.messages;
    for (int i = 0; i < 4; i++) weft_device_destroy(&devices[i]);
    weft_context_destroy(&t.ctx);
    if (t.messages != before_end) printf("FAIL messages at the end\n"), t.bad++;
    printf("%d cases, %d runs, %d skipped, %d bad\n", t.cases, t.runs, t.skipped, t.bad);
    return t.bad != 0;
}
