// SPDX-License-Identifier: MIT
// Suite `invert`: steps of an inversion in w+ - generator, loss, gradient, Adam - as a device does them one after another.
#include "bench.h"
#include "bundled.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/optimize.h>

enum { TAPS_MOST = 8, SMALLEST = 8 };
typedef enum loss_kind { MSE, PYRAMID, LPIPS } loss_kind; // pixels; their l1 and l2 on all sizes down to 8; pixels and features
typedef struct row {
    const char *name, *bundled; // bundled NULL: StyleGAN2 of this size with random weights
    int size;
    loss_kind loss;
} row;
static const row rows[] = {
    { "garment generator 64, w+, l1 and l2", "garment-generator", 64, PYRAMID },
    { "stylegan2-256, w+, l2", NULL, 256, MSE },
    { "stylegan2-256, w+, l2 and lpips", NULL, 256, LPIPS },
    { "stylegan2-1024, w+, l2", NULL, 1024, MSE },
};

static weft_value two(weft_builder *b, const char *op, weft_value x, weft_value y) { return weft_build_op(b, op, WEFT_IN(x, y), NULL, 0); }

static weft_value pyramid(weft_builder *b, weft_value x, weft_value y, int size)
{
    weft_value sum = WEFT_NONE;
    int levels = 0;
    for (;; size /= 2, levels++) {
        const weft_value here = two(b, "add", two(b, "l1_loss", x, y), two(b, "mse_loss", x, y));
        sum = levels ? two(b, "add", sum, here) : here;
        if (size < 2 * SMALLEST) return weft_build(b, "affine", WEFT_IN(sum), WEFT_NUM("a", 0.5 / (levels + 1)));
        x = weft_build(b, "avg_pool2d", WEFT_IN(x), WEFT_NUM("kernel", 2), WEFT_NUM("stride", 2));
        y = weft_build(b, "avg_pool2d", WEFT_IN(y), WEFT_NUM("kernel", 2), WEFT_NUM("stride", 2));
    }
}

// The target's features do not change: they are inputs.
static weft_value lpips(weft_builder *b, const weft_model *m, weft_value image, int size)
{
    const int entry = weft_model_find_entry(m, "features");
    weft_value taps[TAPS_MOST], sum = WEFT_NONE;
    const int count = weft_build_call(b, &(weft_call) { .model = m, .entry = entry, .in = &(weft_port_arg) { NULL, image }, .in_count = 1, .prefix = "lpips" }, taps, TAPS_MOST);
    for (int k = 0; k < count && k < TAPS_MOST; k++) {
        static const int widths[] = { 64, 128, 256, 512, 512 };
        char name[16];
        snprintf(name, sizeof name, "tap%d", k + 1);
        const weft_value want = weft_build_input(b, name, WEFT_F32, (weft_shape) WEFT_SHAPE(1, widths[k], size >> k, size >> k));
        const weft_value here = weft_build(b, "mse_loss", WEFT_IN(taps[k], want), WEFT_TEXT("reduction", "sum"));
        sum = k ? two(b, "add", sum, here) : here;
    }
    return sum;
}

static weft_result build_loss(bench *b, const row *r, const weft_model *generator, const weft_model *features, weft_model **out)
{
    weft_builder *w;
    const weft_port *ports;
    const int entry = weft_model_find_entry(generator, "synthesis");
    if (entry < 0 || weft_model_inputs(generator, entry, &ports) != 1) return WEFT_ERR_UNSUPPORTED;
    weft_shape latents = ports[0].shape;
    latents.dim[0] = 1;
    weft_result result = weft_builder_create(b->c->ctx, &w);
    if (result != WEFT_OK) return result;
    weft_build_entry(w, "loss");
    const weft_value ws = weft_build_input(w, "ws", WEFT_F32, latents);
    const weft_value target = weft_build_input(w, "target", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, r->size, r->size));
    weft_value image = WEFT_NONE;
    weft_build_call(w, &(weft_call) { .model = generator, .entry = entry, .in = &(weft_port_arg) { NULL, ws }, .in_count = 1 }, &image, 1);
    weft_value loss = r->loss == PYRAMID ? pyramid(w, image, target, r->size) : two(w, "mse_loss", image, target);
    if (r->loss == LPIPS) loss = two(w, "add", loss, lpips(w, features, image, r->size));
    weft_build_output(w, "loss", loss);
    return weft_builder_finish(&w, out);
}

static weft_result build_step(const bench *b, const weft_model *loss, weft_model **out)
{
    const weft_port *ports;
    size_t count = 1;
    weft_model_inputs(loss, 0, &ports);
    for (int d = 0; d < ports[0].shape.rank; d++) count *= (size_t) ports[0].shape.dim[d];
    float *start = malloc(count * sizeof *start);
    if (!start) return WEFT_ERR_MEMORY;
    bench_fill(77, start, count);
    const weft_result r = weft_model_step(loss, &(weft_step_params) {
        .variables = &(weft_step_variable) { .name = "ws", .init = start }, .variable_count = 1, .rate = 0.01, .steps = 1,
        .outputs = (const char *const[]) { "d.ws" }, .output_count = 1,
        .loss_scale = b->o->device.precision != WEFT_EXACT ? 65536 : 0, // as weft_invert does
    }, out);
    free(start);
    return r;
}

static weft_result load_generator(bench *b, const row *r, weft_model **out, char error[IMPORT_ERROR])
{
    char path[4096];
    if (!r->bundled) return random_stylegan2(b->c->ctx, r->size, out, error);
    if (!find_bundled(r->bundled, path, sizeof path)) return snprintf(error, IMPORT_ERROR, "the bundled model is not installed"), WEFT_ERR_IO;
    const weft_result result = weft_model_load(b->c->ctx, path, out);
    if (result != WEFT_OK) snprintf(error, IMPORT_ERROR, "%s", weft_error_text());
    return result;
}

static weft_result build(bench *b, const row *r, weft_model **out, char error[IMPORT_ERROR])
{
    weft_model *generator = NULL, *features = NULL, *loss = NULL;
    weft_result result = load_generator(b, r, &generator, error);
    if (result == WEFT_OK && r->loss == LPIPS) result = random_lpips(b->c->ctx, r->size, &features, error);
    const bool imported = result == WEFT_OK;
    if (result == WEFT_OK) result = build_loss(b, r, generator, features, &loss);
    if (result == WEFT_OK) result = build_step(b, loss, out);
    if (result != WEFT_OK && imported) snprintf(error, IMPORT_ERROR, "%s", weft_error_text());
    weft_model_destroy(&loss);
    weft_model_destroy(&features);
    weft_model_destroy(&generator);
    return result;
}

static bool measure(bench *b, const row *r)
{
    char error[IMPORT_ERROR] = "out of memory";
    weft_port_shape shapes[TAPS_MOST];
    const weft_port *ports;
    weft_model *step;
    if (!bench_wants(b, "invert", r->name)) return true;
    if (build(b, r, &step, error) != WEFT_OK) return bench_error(b, "invert", r->name, error);
    const int count = weft_model_inputs(step, 0, &ports);
    for (int i = 0; i < count && i < TAPS_MOST; i++) shapes[i] = (weft_port_shape) { ports[i].name, ports[i].shape };
    // Gradients are further apart than pictures: an activation near zero, or one of four that are all but equal, falls to another side by
    // rounding. Through VGG-16 f32 itself is 5e-3 from double precision.
    const double exact = r->loss == LPIPS ? 2e-2 : 1e-3, half = 2e-1; // in f16 one activation in a thousand does, in every layer
    const bool on = bench_measure(b, &(bench_work) { .suite = "invert", .name = r->name, .model = step, .shapes = shapes, .shape_count = count,
                                                     .how = WORK_REPEAT, .cold = true, .limit_exact = exact, .limit_half = half });
    weft_model_destroy(&step);
    return on;
}

bool bench_invert(bench *b)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!measure(b, &rows[i])) return false;
    return true;
}
