// SPDX-License-Identifier: MIT
// Every imported architecture at its full width - losses, whose widths are those of the checkpoint, at a narrow one - and a small size, on seeded weights, against PyTorch functions written
// apart from the importers (golden/), and the gradients of those that losses are made of. test_nets [CASE [DEVICE]]; without:
// every case, small ones on the reference too, and those with gradients or several entries on a Vulkan device if there is one. Plans of
// their memory are held to a limit, with what a library needs beside and without.
#include "import/import.h"
#include "nets/made.h"
#include "nets/memory.h"
#include <dirent.h>
#include <time.h>
#include <unistd.h>
#include <weft/session.h>

enum { SAMPLES = 1024, CASES = 64, OUTPUTS = 32, INPUTS = MADE_INPUTS + OUTPUTS };
static const char folder[] = "tests/nets/cases";

typedef struct test { weft_context *ctx; const char *device; bool vulkan; int bad, runs; } test;

static void print_warning(void *user, const char *line)
{
    printf("  unexpected: %s\n", line);
    ++*(int *) user;
}

static weft_model *import_case(test *t, const made_case *c)
{
    char path[] = "/tmp/weft-nets-XXXXXX", error[IMPORT_ERROR] = "cannot write the checkpoint";
    weft_model *m = NULL;
    const int fd = mkstemp(path);
    const import_params p = { .path = path, .arch = c->arch, .variant = *c->variant ? c->variant : NULL, .warn = print_warning, .user = &t->bad };
    if (fd < 0 || close(fd) || !made_write(c, "module.", path) || import_model(t->ctx, &p, &m, error)) printf("  %s: %s\n", c->name, error);
    remove(path);
    return m;
}

// The largest |a - b| / |b| of an output, over its samples; 1e30: something is not as it should be.
static double compare(const made_case *c, weft_session *s, void *const *out)
{
    char path[512];
    const weft_port *ports;
    const int count = weft_session_outputs(s, &ports);
    double most = 0;
    snprintf(path, sizeof path, "tests/nets/expected/%s.f32", c->name);
    FILE *f = fopen(path, "rb");
    if (!f) return 1e30;
    for (int k = 0; k < count; k++) {
        int64_t n = 1;
        double apart = 0, size = 0;
        for (int d = 0; d < ports[k].shape.rank; d++) n *= ports[k].shape.dim[d];
        for (int64_t i = 0; i < (n < SAMPLES ? n : SAMPLES); i++) {
            float want;
            const float got = ((const float *) out[k])[n < SAMPLES ? i : i * n / SAMPLES];
            if (fread(&want, 4, 1, f) != 1) return fclose(f), 1e30;
            apart += ((double) got - want) * ((double) got - want);
            size += (double) want * want;
        }
        const double error = size > 0 ? sqrt(apart / size) : 1e30;
        if (!(error <= most)) most = error;
    }
    const bool more = fgetc(f) != EOF;
    fclose(f);
    return more ? 1e30 : most;
}

static int64_t count_of(weft_shape s)
{
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}

// The inputs of the case, then the cotangents of the outputs.
static double run_session(const made_case *c, weft_session *s)
{
    weft_io in[INPUTS] = { { 0 } }, out[OUTPUTS] = { { 0 } };
    void *results[OUTPUTS] = { NULL };
    const weft_port *ins, *outs;
    const int in_count = weft_session_inputs(s, &ins), out_count = weft_session_outputs(s, &outs);
    double error = 1e30;
    if (in_count > INPUTS || out_count > OUTPUTS) return error;
    for (int i = 0; i < in_count; i++) {
        const int64_t count = count_of(ins[i].shape);
        in[i] = (weft_io) { NULL, malloc((size_t) count * 4), (size_t) count * 4 };
        if (!in[i].data) continue;
        if (i < c->in_count) made_input(c, i, in[i].data);
        else made_cotangent(i - c->in_count, in[i].data, count);
    }
    for (int k = 0; k < out_count; k++) {
        const size_t bytes = 4 * (size_t) count_of(outs[k].shape);
        out[k] = (weft_io) { NULL, results[k] = malloc(bytes), bytes };
    }
    if (weft_session_run(s, in, in_count, out, out_count)) printf("  %s\n", weft_error_text());
    else error = compare(c, s, results);
    for (int i = 0; i < in_count; i++) free(in[i].data);
    for (int k = 0; k < out_count; k++) free(out[k].data);
    return error;
}

static void run_case(test *t, const made_case *c, const weft_model *m, int entry, const char *device, const weft_port_shape *shapes)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    const weft_session_params p = { .entry = entry, .shapes = shapes, .shape_count = c->in_count };
    const double limit = c->gradient || *c->entry || !strcmp(device, "cpu") || !strcmp(device, "reference") ? 1e-4 : 1e-3;
    struct timespec a, b;
    double error = 1e30;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (weft_device_open(t->ctx, &(weft_device_params) { .name = device }, &dev) || weft_session_create(dev, m, &p, &s)) printf("  %s\n", weft_error_text());
    else error = run_session(c, s);
    clock_gettime(CLOCK_MONOTONIC, &b);
    weft_session_facts facts = { 0 };
    if (s) weft_session_measure(s, &facts);
    t->bad += memory_row(c->name, device, &(weft_plan) { facts.workspace_bytes, facts.workspace_least_bytes });
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    const bool fine = error <= limit; // not for NaN
    printf("%-30s %-10s %.1e %s (%.1f s)\n", c->name, device, error, fine ? "ok" : "BAD", (double) (b.tv_sec - a.tv_sec) + 1e-9 * (double) (b.tv_nsec - a.tv_nsec));
    if (!fine) printf("  to repeat: test_nets %s %s\n", c->name, device);
    t->bad += !fine;
    t->runs++;
}

// Makes of the model its gradient by `by`, for which a cotangent of every output is an input.
static bool differentiate(weft_model **m, int entry, const char *by, const weft_port_shape *shapes, int count)
{
    const weft_port *outs;
    const char *cotangents[OUTPUTS];
    const int out_count = weft_model_outputs(*m, entry, &outs);
    weft_model *gradient;
    if (out_count > OUTPUTS) return false;
    for (int k = 0; k < out_count; k++) cotangents[k] = outs[k].name;
    const weft_model_grad_params p = {
        .entry = entry, .shapes = shapes, .shape_count = count, .cotangents = cotangents, .cotangent_count = out_count, .wrt = &by, .wrt_count = 1,
    };
    if (weft_model_grad(*m, &p, &gradient)) return printf("  %s\n", weft_error_text()), false;
    weft_model_destroy(m);
    *m = gradient;
    return true;
}

static void run_devices(test *t, const made_case *c, const weft_model *m, int entry, const weft_port_shape *shapes)
{
    weft_model_facts facts;
    run_case(t, c, m, entry, t->device ? t->device : "cpu", shapes);
    if (t->device) return;
    t->bad += memory_bad(m, entry, shapes, c->in_count, c->name);
    if (weft_model_measure(m, entry, shapes, c->in_count, &facts)) return;
    if (facts.flops < 3e9) run_case(t, c, m, entry, "reference", shapes);
    if ((c->gradient || *c->entry) && t->vulkan && facts.flops < 10e9) run_case(t, c, m, entry, "vulkan", shapes);
}

static bool test_model(test *t, const made_case *c, weft_model **m)
{
    weft_port_shape shapes[MADE_INPUTS];
    const weft_port *ports;
    int entry = *c->entry ? weft_model_find_entry(*m, c->entry) : 0;
    if (entry < 0 || weft_model_inputs(*m, entry, &ports) != c->in_count) return false;
    for (int i = 0; i < c->in_count; i++) {
        shapes[i] = (weft_port_shape) { ports[i].name, { c->in[i].shape.rank, { 0 } } };
        for (int d = 0; d < c->in[i].shape.rank; d++) shapes[i].shape.dim[d] = c->in[i].shape.dim[d];
    }
    if (c->gradient) { // whose only entry is the gradient
        char names[MADE_INPUTS][64];
        for (int i = 0; i < c->in_count; i++) snprintf(names[i], sizeof names[i], "%s", ports[i].name), shapes[i].port = names[i];
        if (!differentiate(m, entry, *c->by ? c->by : names[0], shapes, c->in_count)) return false;
        run_devices(t, c, *m, 0, shapes);
    } else run_devices(t, c, *m, entry, shapes);
    return true;
}

static void test_case(test *t, const char *name)
{
    static made_case c;
    weft_model *m = made_read_case(folder, name, &c) ? import_case(t, &c) : NULL;
    if (!m || !test_model(t, &c, &m)) {
        printf("%-30s BAD\n", name);
        t->bad++;
    }
    weft_model_destroy(&m);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

int main(int argc, char **argv)
{
    static char names[CASES][64];
    test t = { .device = argc > 2 ? argv[2] : NULL };
    int count = 0;
    weft_device *vulkan = NULL;
    if (weft_context_create(NULL, &t.ctx)) return 1;
    t.vulkan = weft_device_open(t.ctx, &(weft_device_params) { .name = "vulkan" }, &vulkan) == WEFT_OK;
    weft_device_destroy(&vulkan);
    DIR *d = argc > 1 ? NULL : opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d)) && count < CASES;)
        if (made_ends(e->d_name, ".txt")) snprintf(names[count++], sizeof names[0], "%.*s", (int) (strlen(e->d_name) - 4), e->d_name);
    if (d) closedir(d);
    if (argc > 1) snprintf(names[count++], sizeof names[0], "%s", argv[1]);
    qsort(names, (size_t) count, sizeof names[0], by_name);
    for (int i = 0; i < count; i++) test_case(&t, names[i]);
    weft_context_destroy(&t.ctx);
    printf("%d runs, %d bad\n", t.runs, t.bad);
    return t.bad || !t.runs;
}
