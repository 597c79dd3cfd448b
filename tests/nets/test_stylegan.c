// SPDX-License-Identifier: MIT
// Small generators in every key scheme (stylegan/, made by golden/stylegan.py in double precision): each entry's outputs and its
// gradients by every input. test_stylegan [CASE [DEVICE]]; without: all of them on the reference, on cpu and on a Vulkan device if there is one.
#include "import/import.h"
#include "import/safetensors.h"
#include "nets/made.h"
#include <weft/session.h>

enum { SAMPLES = 128, BATCH = 3, PORTS = 40, NAME = 256 };
static const double LIMIT = 1e-4;

typedef struct stylegan_case { const char *name, *arch, *set; int entries; } stylegan_case;
static const stylegan_case cases[] = {
    { "ada-skip", "stylegan2-ada", NULL, 9 },
    { "ada-orig", "stylegan2-ada", "conv_clamp=0.75", 9 },
    { "ada-resnet", "stylegan2-ada", NULL, 9 },
    { "rosinality", "stylegan2-rosinality", NULL, 9 },
    { "stylegan1", "stylegan1", "fused_from=16", 6 },
    { "stylegan1-rosinality", "stylegan1-rosinality", "size=16", 5 },
};

typedef struct test {
    weft_context *ctx;
    const stylegan_case *c;
    const char *device;
    weft_device *dev;
    weft_model *model;
    safetensors expected;
    int bad, runs;
    double worst;
} test;

static void wrong(test *t, const char *what, const char *why)
{
    printf("  %s on %s, %s: %s\n", t->c->name, t->device, what, why);
    t->bad++;
}

static int64_t count_of(weft_shape s)
{
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}

static const char *full_name(char name[NAME], const char *entry, const char *kind, const char *port)
{
    snprintf(name, NAME, "%s/%s/%s", entry, kind, port);
    return name;
}

static void compare(test *t, const char *name, const float *got, int64_t count)
{
    const safetensors_tensor *want = safetensors_find(&t->expected, name);
    const int64_t samples = count < SAMPLES ? count : SAMPLES;
    double apart = 0, size = 0;
    char text[64];
    t->runs++;
    if (!want || want->count != samples || want->type != ST_F32) {
        wrong(t, name, "nothing to compare with");
        return;
    }
    for (int64_t i = 0; i < samples; i++) {
        float w;
        memcpy(&w, (const char *) want->data + 4 * i, 4);
        const double d = (double) got[count > SAMPLES ? i * count / SAMPLES : i] - w;
        apart += d * d;
        size += (double) w * w;
    }
    const double error = size > 0 ? sqrt(apart / size) : apart > 0 ? INFINITY : 0;
    if (!(error <= t->worst)) t->worst = error;
    if (error <= LIMIT) return;
    snprintf(text, sizeof text, "relative error %.1e", error);
    wrong(t, name, text);
}

// The first inputs are the entry's, the others cotangents; the first outputs are the entry's, the others gradients by its inputs.
typedef struct entry_ports {
    const char *name;
    int entry, in_count, out_count;
    char in[PORTS][64], out[PORTS][64];
    weft_port_shape shapes[PORTS];
} entry_ports;

static bool fill(weft_io *io, const weft_port *port, const char *name)
{
    const int64_t count = count_of(port->shape);
    float *data = malloc((size_t) count * 4);
    *io = (weft_io) { port->name, data, (size_t) count * 4 };
    for (int64_t i = 0; data && name && i < count; i++) data[i] = made_uniform(made_seed(name), i) * 1.7320508f;
    return data != NULL;
}

static void run_session(test *t, const entry_ports *e, weft_session *s)
{
    weft_io in[2 * PORTS] = { { 0 } }, out[2 * PORTS] = { { 0 } };
    const weft_port *ins, *outs;
    char name[NAME];
    bool fine = true;
    const int in_count = weft_session_inputs(s, &ins), out_count = weft_session_outputs(s, &outs);
    for (int i = 0; i < in_count; i++)
        fine &= fill(&in[i], &ins[i], i < e->in_count ? full_name(name, e->name, "in", e->in[i]) : full_name(name, e->name, "cotangent", e->out[i - e->in_count]));
    for (int k = 0; k < out_count; k++) fine &= fill(&out[k], &outs[k], NULL);
    if (!fine || weft_session_run(s, in, in_count, out, out_count)) wrong(t, e->name, fine ? weft_error_text() : "out of memory");
    else
        for (int k = 0; k < out_count; k++) {
            const bool gradient = k >= e->out_count;
            const char *port = gradient ? e->in[k - e->out_count] : e->out[k];
            compare(t, full_name(name, e->name, gradient ? "grad" : "out", port), out[k].data, count_of(outs[k].shape));
        }
    for (int i = 0; i < in_count; i++) free(in[i].data);
    for (int k = 0; k < out_count; k++) free(out[k].data);
}

static void run_model(test *t, const entry_ports *e, const weft_model *m, int entry)
{
    weft_session *s = NULL;
    weft_port_shape shapes[2 * PORTS];
    const weft_port *ins;
    const int count = weft_model_inputs(m, entry, &ins);
    for (int i = 0; i < count; i++) { // cotangents have their shapes already
        shapes[i] = (weft_port_shape) { ins[i].name, i < e->in_count ? e->shapes[i].shape : ins[i].shape };
    }
    const weft_session_params p = { .entry = entry, .shapes = shapes, .shape_count = count };
    if (weft_session_create(t->dev, m, &p, &s)) wrong(t, e->name, weft_error_text());
    else run_session(t, e, s);
    weft_session_destroy(&s);
}

static bool look(test *t, int entry, entry_ports *e)
{
    const weft_port *ins, *outs;
    e->name = weft_model_entry_name(t->model, entry);
    e->entry = entry;
    e->in_count = weft_model_inputs(t->model, entry, &ins);
    e->out_count = weft_model_outputs(t->model, entry, &outs);
    if (e->in_count > PORTS || e->out_count > PORTS) return wrong(t, e->name, "too many ports"), false;
    for (int i = 0; i < e->in_count; i++) {
        snprintf(e->in[i], sizeof e->in[i], "%s", ins[i].name);
        e->shapes[i] = (weft_port_shape) { e->in[i], ins[i].shape };
        for (int d = 0; d < ins[i].shape.rank; d++)
            if (ins[i].shape.dim[d] < 0) e->shapes[i].shape.dim[d] = BATCH;
    }
    for (int k = 0; k < e->out_count; k++) snprintf(e->out[k], sizeof e->out[k], "%s", outs[k].name);
    return true;
}

static void test_gradient(test *t, const entry_ports *e)
{
    const char *cotangents[PORTS], *wrt[PORTS];
    weft_model *gradient = NULL;
    for (int k = 0; k < e->out_count; k++) cotangents[k] = e->out[k];
    for (int i = 0; i < e->in_count; i++) wrt[i] = e->in[i];
    const weft_model_grad_params p = {
        .entry = e->entry, .shapes = e->shapes, .shape_count = e->in_count, .cotangents = cotangents, .cotangent_count = e->out_count,
        .wrt = wrt, .wrt_count = e->in_count,
    };
    if (weft_model_grad(t->model, &p, &gradient)) wrong(t, e->name, weft_error_text());
    else run_model(t, e, gradient, 0);
    weft_model_destroy(&gradient);
}

// w_avg comes out as the checkpoint has it: that is tested by its being an entry that runs.
static void test_entry(test *t, int entry)
{
    static entry_ports e;
    weft_session *s = NULL;
    if (!look(t, entry, &e)) return;
    if (e.in_count) {
        run_model(t, &e, t->model, entry);
        test_gradient(t, &e);
        return;
    }
    const weft_port *outs;
    weft_io out = { 0 };
    if (weft_session_create(t->dev, t->model, &(weft_session_params) { .entry = entry }, &s)) wrong(t, e.name, weft_error_text());
    else if (weft_session_outputs(s, &outs) != 1 || !fill(&out, outs, NULL) || weft_session_run(s, NULL, 0, &out, 1)) wrong(t, e.name, weft_error_text());
    else {
        char name[NAME];
        compare(t, full_name(name, e.name, "out", outs->name), out.data, count_of(outs->shape));
    }
    free(out.data);
    weft_session_destroy(&s);
}

static void test_device(test *t, const char *device)
{
    const int entries = weft_model_entry_count(t->model), bad = t->bad;
    t->device = device;
    t->worst = 0;
    if (weft_device_open(t->ctx, &(weft_device_params) { .name = device }, &t->dev)) {
        wrong(t, "opening it", weft_error_text());
        return;
    }
    if (entries != t->c->entries) wrong(t, "entries", "not as many as there should be");
    for (int i = 0; i < entries; i++) test_entry(t, i);
    weft_device_destroy(&t->dev);
    printf("%-22s %-10s %.1e %s\n", t->c->name, device, t->worst, t->bad == bad ? "ok" : "BAD");
}

static void print_warning(void *user, const char *line)
{
    printf("  unexpected: %s\n", line);
    ++*(int *) user;
}

static void test_case(test *t, const stylegan_case *c, const char *device, bool vulkan)
{
    char path[NAME], expected[NAME], error[IMPORT_ERROR] = "";
    snprintf(path, sizeof path, "tests/nets/stylegan/%s.safetensors", c->name);
    snprintf(expected, sizeof expected, "tests/nets/stylegan/%s.expected.safetensors", c->name);
    const import_params p = { .path = path, .arch = c->arch, .set = &c->set, .set_count = c->set != NULL, .warn = print_warning, .user = &t->bad };
    t->c = c;
    t->device = "no device";
    if (safetensors_open(expected, &t->expected, error)) {
        wrong(t, expected, error);
        return;
    }
    if (import_model(t->ctx, &p, &t->model, error)) wrong(t, path, error);
    else if (device) test_device(t, device);
    else {
        test_device(t, "reference");
        test_device(t, "cpu");
        if (vulkan) test_device(t, "vulkan");
    }
    weft_model_destroy(&t->model);
    safetensors_close(&t->expected);
}

// Settings are checked before anything is read.
static void test_settings(test *t)
{
    static const char *const wrong_ones[] = { "conv_clam=1", "conv_clamp", "conv_clamp=", "conv_clamp=x", "conv_clamp=1x", "=1", "conv_clamp=inf" };
    for (size_t i = 0; i < sizeof wrong_ones / sizeof *wrong_ones; i++) {
        char error[IMPORT_ERROR] = "";
        weft_model *m = NULL;
        const import_params p = { .path = "tests/nets/stylegan/ada-skip.safetensors", .arch = "stylegan2-ada", .set = &wrong_ones[i], .set_count = 1 };
        t->runs++;
        if (import_model(t->ctx, &p, &m, error) == WEFT_ERR_ARGUMENT && *error) continue;
        printf("  --set %s was taken\n", wrong_ones[i]);
        t->bad++;
        weft_model_destroy(&m);
    }
}

int main(int argc, char **argv)
{
    test t = { 0 };
    weft_device *vulkan = NULL;
    if (weft_context_create(NULL, &t.ctx)) return 1;
    const bool have = weft_device_open(t.ctx, &(weft_device_params) { .name = "vulkan" }, &vulkan) == WEFT_OK;
    weft_device_destroy(&vulkan);
    if (!have) printf("no Vulkan device: not tested on one\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 2 || !strcmp(argv[1], cases[i].name)) test_case(&t, &cases[i], argc > 2 ? argv[2] : NULL, have);
    test_settings(&t);
    weft_context_destroy(&t.ctx);
    printf("%d comparisons, %d bad\n", t.runs, t.bad);
    return t.bad || !t.runs;
}
