// SPDX-License-Identifier: MIT
// Every imported architecture at its full width and a small size, on seeded weights, against PyTorch functions written
// apart from the importers (golden/). test_nets [CASE [DEVICE]]; without: every case, small ones on the reference too.
#include "import/import.h"
#include "nets/made.h"
#include <dirent.h>
#include <time.h>
#include <unistd.h>
#include <weft/session.h>

enum { SAMPLES = 1024, CASES = 64 };
static const char folder[] = "tests/nets/cases";

typedef struct test { weft_context *ctx; const char *device; int bad, runs; } test;

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

static double run_session(const made_case *c, weft_session *s)
{
    weft_io in[MADE_INPUTS] = { { 0 } }, out[MADE_INPUTS] = { { 0 } };
    void *results[MADE_INPUTS] = { NULL };
    const weft_port *ports;
    const int outs = weft_session_outputs(s, &ports);
    double error = 1e30;
    for (int i = 0; i < c->in_count; i++) {
        in[i] = (weft_io) { NULL, malloc((size_t) made_count(c->in[i].shape) * 4), (size_t) made_count(c->in[i].shape) * 4 };
        if (in[i].data) made_input(c, i, in[i].data);
    }
    for (int k = 0; k < outs && k < MADE_INPUTS; k++) {
        size_t n = 4;
        for (int d = 0; d < ports[k].shape.rank; d++) n *= (size_t) ports[k].shape.dim[d];
        out[k] = (weft_io) { NULL, results[k] = malloc(n), n };
    }
    if (weft_session_run(s, in, c->in_count, out, outs)) printf("  %s\n", weft_error_text());
    else error = compare(c, s, results);
    for (int i = 0; i < MADE_INPUTS; i++) free(in[i].data), free(out[i].data);
    return error;
}

static void run_case(test *t, const made_case *c, const weft_model *m, const char *device, const weft_port_shape *shapes)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    const weft_session_params p = { .shapes = shapes, .shape_count = c->in_count };
    const double limit = !strcmp(device, "cpu") || !strcmp(device, "reference") ? 1e-4 : 1e-3;
    struct timespec a, b;
    double error = 1e30;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (weft_device_open(t->ctx, &(weft_device_params) { .name = device }, &dev) || weft_session_create(dev, m, &p, &s)) printf("  %s\n", weft_error_text());
    else error = run_session(c, s);
    clock_gettime(CLOCK_MONOTONIC, &b);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    const bool fine = error <= limit; // not for NaN
    printf("%-30s %-10s %.1e %s (%.1f s)\n", c->name, device, error, fine ? "ok" : "BAD", (double) (b.tv_sec - a.tv_sec) + 1e-9 * (double) (b.tv_nsec - a.tv_nsec));
    if (!fine) printf("  to repeat: test_nets %s %s\n", c->name, device);
    t->bad += !fine;
    t->runs++;
}

static void test_case(test *t, const char *name)
{
    static made_case c;
    weft_port_shape shapes[MADE_INPUTS];
    const weft_port *ports;
    weft_model_facts facts;
    weft_model *m = made_read_case(folder, name, &c) ? import_case(t, &c) : NULL;
    if (!m || weft_model_inputs(m, 0, &ports) != c.in_count) {
        printf("%-30s BAD\n", name);
        t->bad++;
        weft_model_destroy(&m);
        return;
    }
    for (int i = 0; i < c.in_count; i++) {
        shapes[i] = (weft_port_shape) { ports[i].name, { c.in[i].shape.rank, { 0 } } };
        for (int d = 0; d < c.in[i].shape.rank; d++) shapes[i].shape.dim[d] = c.in[i].shape.dim[d];
    }
    run_case(t, &c, m, t->device ? t->device : "cpu", shapes);
    if (!t->device && weft_model_measure(m, 0, shapes, c.in_count, &facts) == WEFT_OK && facts.flops < 3e9) run_case(t, &c, m, "reference", shapes);
    weft_model_destroy(&m);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

int main(int argc, char **argv)
{
    static char names[CASES][64];
    test t = { .device = argc > 2 ? argv[2] : NULL };
    int count = 0;
    if (weft_context_create(NULL, &t.ctx)) return 1;
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
