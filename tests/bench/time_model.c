// SPDX-License-Identifier: MIT
// Milliseconds of a run, one line per turn.   time_model MODEL DEVICE TURNS [ENTRY]
// Inputs are seeded noise in [-1, 1); those called mask are a square hole.
#include "base/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/session.h>

static void need(weft_result r)
{
    if (r == WEFT_OK) return;
    fprintf(stderr, "time_model: %s\n", weft_error_text());
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
}

static weft_io make(const weft_port *p, weft_random *r)
{
    size_t count = 1;
    for (int d = 0; d < p->shape.rank; d++) count *= (size_t) p->shape.dim[d];
    float *f = calloc(count, 4);
    const size_t w = p->shape.rank ? (size_t) p->shape.dim[p->shape.rank - 1] : 1;
    for (size_t i = 0; f && p->dtype == WEFT_F32 && i < count; i++)
        f[i] = strcmp(p->name, "mask") ? (float) weft_random_uniform(r, -1, 1) : (float) (i / w % w > w / 3 && i % w > w / 3 && i % w < 2 * w / 3);
    return (weft_io) { p->name, f, count * 4 };
}

int main(int argc, char **argv)
{
    weft_context *ctx;
    weft_device *device;
    weft_model *model;
    weft_session *s;
    const weft_port *in, *out;
    weft_io ins[16], outs[16];
    weft_random r = { 1 };
    if (argc < 4) return fprintf(stderr, "usage: time_model MODEL DEVICE TURNS [ENTRY]\n"), 2;
    need(weft_context_create(NULL, &ctx));
    need(weft_device_open(ctx, &(weft_device_params) { .name = argv[2] }, &device));
    need(weft_model_load(ctx, argv[1], &model));
    need(weft_session_create(device, model, &(weft_session_params) { .entry = weft_model_find_entry(model, argc > 4 ? argv[4] : NULL) }, &s));
    const int n_in = weft_session_inputs(s, &in), n_out = weft_session_outputs(s, &out);
    for (int i = 0; i < n_in && i < 16; i++) ins[i] = make(&in[i], &r);
    for (int i = 0; i < n_out && i < 16; i++) outs[i] = make(&out[i], &r);
    need(weft_session_run(s, ins, n_in, outs, n_out)); // warm up
    for (int turn = 0; turn < atoi(argv[3]); turn++) {
        const double begin = now_ms();
        need(weft_session_run(s, ins, n_in, outs, n_out));
        printf("%.2f\n", now_ms() - begin);
    }
    for (int i = 0; i < n_in && i < 16; i++) free(ins[i].data);
    for (int i = 0; i < n_out && i < 16; i++) free(outs[i].data);
    weft_session_destroy(&s);
    weft_model_destroy(&model);
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return 0;
}
