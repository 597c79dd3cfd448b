// SPDX-License-Identifier: MIT
// One step of an inversion in w+: StyleGAN2's synthesis, its mean squared difference to a picture, the gradient by the latents,
// Adam.   time_stylegan2 NUMBERS BASE SIZE DEVICE TURNS GRADIENT
// NUMBERS: ws, target and weights as f32, in the order in which stylegan2_step.py writes them. Prints ms per step and ms of all
// processors' time, one line each, then the first loss and the most memory the process ever had, in MiB (Linux); GRADIENT gets the first gradient.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/build.h>
#include <weft/optimize.h>
#include <weft/session.h>

enum { W = 512 };
typedef struct maker {
    weft_builder *b;
    FILE *file;
    int64_t base;
    int layers, next; // latents, and the next to be used
    weft_value ws, filter;
} maker;

static void need(weft_result r)
{
    if (r == WEFT_OK) return;
    fprintf(stderr, "time_stylegan2: %s\n", weft_error_text());
    exit(1);
}

static float *numbers(maker *m, int64_t count)
{
    float *f = malloc((size_t) count * 4);
    if (f && fread(f, 4, (size_t) count, m->file) == (size_t) count) return f;
    fprintf(stderr, "time_stylegan2: NUMBERS ends too early\n");
    exit(1);
}

static weft_value weight(maker *m, weft_shape s)
{
    char name[32];
    static int made;
    int64_t count = 1;
    for (int d = 0; d < s.rank; d++) count *= s.dim[d];
    float *f = numbers(m, count);
    snprintf(name, sizeof name, "w%d", made++);
    const weft_value v = weft_build_weight(m->b, name, WEFT_F32, s, f);
    free(f);
    return v;
}
#define WEIGHT(m, ...) weight(m, (weft_shape) WEFT_SHAPE(__VA_ARGS__))

static int64_t width(const maker *m, int64_t size) { return m->base / size < 512 ? m->base / size : 512; }

static weft_value style(maker *m, int latent, int64_t channels)
{
    const weft_value one = weft_build(m->b, "slice", WEFT_IN(m->ws), WEFT_NUM("starts", latent), WEFT_NUM("ends", latent + 1), WEFT_NUM("axes", 1));
    const weft_value w = weft_build(m->b, "reshape", WEFT_IN(one), WEFT_NUM("shape", -1, W));
    const weft_value matrix = WEIGHT(m, channels, W), bias = WEIGHT(m, channels);
    return weft_build_op(m->b, "linear", WEFT_IN(w, matrix, bias), NULL, 0);
}

static weft_value layer(maker *m, weft_value x, int64_t ci, int64_t size, int up)
{
    const int64_t co = width(m, size);
    const weft_value s = style(m, m->next++, ci), w = WEIGHT(m, co, ci, 3, 3), bias = WEIGHT(m, co), noise = WEIGHT(m, 1, 1, size, size);
    const weft_value strength = WEIGHT(m, 1);
    x = weft_build(m->b, "modulated_conv2d", WEFT_IN(x, w, s, up == 2 ? m->filter : WEFT_NONE), WEFT_NUM("up", up), WEFT_NUM("pad", 1),
                   WEFT_NUM("flip_weight", up == 1));
    return weft_build(m->b, "bias_act", WEFT_IN(x, bias, noise, strength), WEFT_TEXT("act", "leaky_relu"), WEFT_NUM("a", 0.2), WEFT_NUM("gain", sqrt(2)));
}

static weft_value to_rgb(maker *m, weft_value x, int64_t size)
{
    const int64_t c = width(m, size);
    const weft_value s = style(m, m->next, c), w = WEIGHT(m, 3, c, 1, 1), bias = WEIGHT(m, 3);
    x = weft_build(m->b, "modulated_conv2d", WEFT_IN(x, w, s), WEFT_NUM("demodulate", 0), WEFT_NUM("gain", 1 / sqrt((double) c)));
    return weft_build_op(m->b, "bias_act", WEFT_IN(x, bias), NULL, 0);
}

static weft_value synthesis(maker *m, int64_t size)
{
    static const float row[4] = { 1, 3, 3, 1 };
    float filter[16];
    for (int i = 0; i < 16; i++) filter[i] = row[i / 4] * row[i % 4] / 64;
    m->filter = weft_build_weight(m->b, "filter", WEFT_F32, (weft_shape) WEFT_SHAPE(4, 4), filter);
    weft_value x = WEIGHT(m, 1, width(m, 4), 4, 4), image = WEFT_NONE;
    for (int64_t at = 4; at <= size; at *= 2) {
        if (at > 4) x = layer(m, x, width(m, at / 2), at, 2);
        x = layer(m, x, width(m, at), at, 1);
        if (at > 4) image = weft_build(m->b, "upfirdn2d", WEFT_IN(image, m->filter), WEFT_NUM("up", 2), WEFT_NUM("pads", 2, 2, 1, 1), WEFT_NUM("gain", 4));
        const weft_value rgb = to_rgb(m, x, at);
        image = at > 4 ? weft_build_op(m->b, "add", WEFT_IN(image, rgb), NULL, 0) : rgb;
    }
    return image;
}

static weft_model *loss_model(weft_context *ctx, maker *m, int64_t size)
{
    weft_model *out;
    need(weft_builder_create(ctx, &m->b));
    weft_build_entry(m->b, "loss");
    m->ws = weft_build_input(m->b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(1, m->layers, W));
    const weft_value target = weft_build_input(m->b, "target", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, size, size));
    const weft_value image = synthesis(m, size);
    weft_build_output(m->b, "loss", weft_build_op(m->b, "mse_loss", WEFT_IN(image, target), NULL, 0));
    need(weft_builder_finish(&m->b, &out));
    return out;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
}

static double peak_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lf", &kib) == 1) break;
    if (f) fclose(f);
    return kib / 1024;
}

int main(int argc, char **argv)
{
    weft_context *ctx;
    weft_device *device;
    weft_model *forward, *step;
    weft_session *session;
    if (argc < 7) return fprintf(stderr, "usage: time_stylegan2 NUMBERS BASE SIZE DEVICE TURNS GRADIENT\n"), 2;
    maker m = { .file = fopen(argv[1], "rb"), .base = atoi(argv[2]), .layers = 2 };
    const int64_t size = atoi(argv[3]), pixels = 3 * size * size;
    if (!m.file) return fprintf(stderr, "time_stylegan2: cannot open '%s'\n", argv[1]), 1;
    for (int64_t at = 8; at <= size; at *= 2) m.layers += 2;
    const int count = m.layers * W, turns = atoi(argv[5]);
    float *ws = numbers(&m, count), *target = numbers(&m, pixels), *gradient = calloc((size_t) count, 4), loss = 0;
    need(weft_context_create(NULL, &ctx));
    need(weft_device_open(ctx, &(weft_device_params) { .name = argv[4] }, &device));
    forward = loss_model(ctx, &m, size);
    const weft_step_params params = {
        .variables = &(weft_step_variable) { .name = "ws", .init = ws }, .variable_count = 1, .rate = 0.01, .steps = turns + 1,
        .outputs = (const char *const[]) { "d.ws" }, .output_count = 1,
    };
    need(weft_model_step(forward, &params, &step));
    weft_model_destroy(&forward);
    need(weft_session_create(device, step, &(weft_session_params) { 0 }, &session));
    const weft_io in[] = { { "target", target, (size_t) pixels * 4 } };
    const weft_io out[] = { { "loss", &loss, 4 }, { "d.ws", gradient, (size_t) count * 4 } };
    need(weft_session_run(session, in, 1, out, 2)); // the first step, which also warms up
    FILE *file = fopen(argv[6], "wb");
    if (!file || fwrite(gradient, 4, (size_t) count, file) != (size_t) count || fclose(file)) return fprintf(stderr, "cannot write '%s'\n", argv[6]), 1;
    for (int turn = 0; turn < turns; turn++) {
        const double begin = now_ms(), busy = 1e3 * (double) clock() / CLOCKS_PER_SEC;
        need(weft_session_repeat(session, 1));
        printf("%.2f %.2f\n", now_ms() - begin, 1e3 * (double) clock() / CLOCKS_PER_SEC - busy);
    }
    printf("loss %.9g peak %.0f\n", loss, peak_mib());
    free(ws), free(target), free(gradient), fclose(m.file);
    weft_session_destroy(&session);
    weft_model_destroy(&step);
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return 0;
}
