// SPDX-License-Identifier: MIT
// Suite `ops`: operators, in the shapes in which they are tested and in those of layers of published networks.
#include "bench.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>

enum { PORTS_MOST = 16 };

static int shapes_of(const weft_model *m, weft_port_shape shapes[PORTS_MOST])
{
    const weft_port *ports;
    const int count = weft_model_inputs(m, 0, &ports);
    for (int i = 0; i < count && i < PORTS_MOST; i++) shapes[i] = (weft_port_shape) { ports[i].name, ports[i].shape };
    return count < PORTS_MOST ? count : PORTS_MOST;
}

static bool measure(bench *b, const char *name, const weft_model *m, void (*fill)(void *, const weft_port *, void *, size_t), void *user)
{
    weft_port_shape shapes[PORTS_MOST];
    const int count = shapes_of(m, shapes);
    return bench_measure(b, &(bench_work) { .suite = "ops", .name = name, .model = m, .shapes = shapes, .shape_count = count, .how = WORK_NODES,
                                            .limit_exact = 1e-4, .limit_half = 2e-2, .fill = fill, .user = user });
}

// --- Cases. -----------------------------------------------------------------------------------------------------

typedef struct case_id { const char *op; int index; } case_id;

static void fill_case(void *user, const weft_port *port, void *data, size_t count)
{
    const case_id *id = user;
    weft_op_case_fill(id->op, id->index, port->name, 0, data, count);
}

static bool run_case(bench *b, const char *op, int index)
{
    char name[128];
    weft_model *m;
    snprintf(name, sizeof name, "%s case %d", op, index);
    if (!bench_wants(b, "ops", name)) return true;
    if (weft_op_case_model(b->c->ctx, op, index, &m) != WEFT_OK) return bench_error(b, "ops", name, weft_error_text());
    const bool on = measure(b, name, m, fill_case, &(case_id) { op, index });
    weft_model_destroy(&m);
    return on;
}

// --- Layers. ----------------------------------------------------------------------------------------------------

typedef enum layer_kind { CONV, GATED, TRANSPOSED, MODULATED, RGB, FIR_UP, LINEAR, ATTENTION, CONTEXTUAL, MATMUL } layer_kind;
typedef struct layer {
    const char *of; // the network, and which of its layers
    layer_kind kind;
    int in, out, size, kernel, stride; // stride: of modulated ones, how many times larger
    int dilation;
    bool gradients;
} layer;

static const layer layers[] = {
    { "stylegan2 4", MODULATED, 512, 512, 4, 3, 1 },
    { "stylegan2 16", MODULATED, 512, 512, 16, 3, 1 },
    { "stylegan2 64", MODULATED, 512, 512, 64, 3, 1, .gradients = true },
    { "stylegan2 128", MODULATED, 256, 256, 128, 3, 1, .gradients = true },
    { "stylegan2 256", MODULATED, 128, 128, 256, 3, 1, .gradients = true },
    { "stylegan2 512", MODULATED, 64, 64, 512, 3, 1 },
    { "stylegan2 1024", MODULATED, 32, 32, 1024, 3, 1 },
    { "stylegan2 64 to 128", MODULATED, 512, 256, 64, 3, 2, .gradients = true },
    { "stylegan2 128 to 256", MODULATED, 256, 128, 128, 3, 2 },
    { "stylegan2 512 to 1024", MODULATED, 64, 32, 512, 3, 2 },
    { "stylegan2 256 rgb", RGB, 128, 3, 256, 1, 1 },
    { "stylegan2 1024 rgb", RGB, 32, 3, 1024, 1, 1 },
    { "stylegan2 128 to 256 rgb", FIR_UP, 3, 3, 128, 4, 2 },
    { "stylegan2 512 to 1024 rgb", FIR_UP, 3, 3, 512, 4, 2 },
    { "deepfill 256 first", GATED, 5, 48, 256, 5, 1 },
    { "deepfill 256 half", GATED, 24, 96, 256, 3, 2 },
    { "deepfill 256 middle", GATED, 96, 192, 64, 3, 1 },
    { "deepfill 256 dilated", GATED, 96, 192, 64, 3, 1, .dilation = 16 },
    { "deepfill 256 last", GATED, 24, 24, 256, 3, 1 },
    { "deepfill 256 attention", CONTEXTUAL, 96, 96, 64, 3, 1 },
    { "deepfill 512 first", GATED, 5, 48, 512, 5, 1 },
    { "deepfill 512 half", GATED, 24, 96, 512, 3, 2 },
    { "deepfill 512 middle", GATED, 96, 192, 128, 3, 1 },
    { "deepfill 512 dilated", GATED, 96, 192, 128, 3, 1, .dilation = 16 },
    { "deepfill 512 attention", CONTEXTUAL, 96, 96, 128, 3, 1 },
    { "pix2pix 256", CONV, 3, 64, 256, 4, 2 },
    { "pix2pix 128", CONV, 64, 128, 128, 4, 2, .gradients = true },
    { "pix2pix 32", CONV, 256, 512, 32, 4, 2, .gradients = true },
    { "pix2pix 4", CONV, 512, 512, 4, 4, 2 },
    { "pix2pix 4 up", TRANSPOSED, 1024, 512, 4, 4, 2 },
    { "pix2pix 32 up", TRANSPOSED, 512, 128, 32, 4, 2, .gradients = true },
    { "pix2pix 64 up", TRANSPOSED, 256, 64, 64, 4, 2, .gradients = true },
    { "pix2pix 128 up", TRANSPOSED, 128, 3, 128, 4, 2 },
    { "vgg 224 first", CONV, 3, 64, 224, 3, 1 },
    { "vgg 224", CONV, 64, 64, 224, 3, 1, .gradients = true },
    { "vgg 112", CONV, 128, 128, 112, 3, 1 },
    { "vgg 56", CONV, 256, 256, 56, 3, 1, .gradients = true },
    { "vgg 28", CONV, 512, 512, 28, 3, 1, .gradients = true },
    { "vgg 14", CONV, 512, 512, 14, 3, 1 },
    { "clip patches", CONV, 3, 768, 224, 32, 32 },
    { "clip 50 places", LINEAR, 768, 2304, 50, 0, 0 },
    { "clip 50 places", LINEAR, 768, 3072, 50, 0, 0 },
    { "clip 50 places", LINEAR, 3072, 768, 50, 0, 0 },
    { "clip 12 heads", ATTENTION, 12, 64, 50, 0, 0 },
    { "square", MATMUL, 1024, 1024, 1024, 0, 0 },
    { "square", MATMUL, 2048, 2048, 2048, 0, 0 },
};

static weft_value random_weight(weft_builder *b, const char *name, weft_shape shape, double scale, double shift)
{
    size_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= (size_t) shape.dim[d];
    float *data = malloc(count * sizeof *data + 1);
    if (!data) return weft_build_fail(b, WEFT_ERR_MEMORY, "out of memory"), WEFT_NONE;
    bench_fill((uint32_t) count * 31u + (uint32_t) name[0], data, count);
    for (size_t i = 0; i < count; i++) data[i] = (float) (data[i] * scale + shift);
    const weft_value v = weft_build_weight(b, name, WEFT_F32, shape, data);
    free(data);
    return v;
}
#define WEIGHT(b, name, scale, ...) random_weight(b, name, (weft_shape) WEFT_SHAPE(__VA_ARGS__), scale, 0)
#define INPUT(b, name, ...) weft_build_input(b, name, WEFT_F32, (weft_shape) WEFT_SHAPE(__VA_ARGS__))

static weft_value fir(weft_builder *b)
{
    static const float row[4] = { 1, 3, 3, 1 };
    float f[16];
    for (int i = 0; i < 16; i++) f[i] = row[i / 4] * row[i % 4] / 64;
    return weft_build_weight(b, "f", WEFT_F32, (weft_shape) WEFT_SHAPE(4, 4), f);
}

static weft_value build_conv(weft_builder *b, const layer *l)
{
    const int dilation = l->dilation ? l->dilation : 1, k = l->kernel, total = k == l->stride ? 0 : (k - 1) * dilation - (l->stride - 1), pad = total / 2;
    const weft_value x = INPUT(b, "x", 1, l->in, l->size, l->size);
    const weft_value w = WEIGHT(b, "w", sqrt(3.0 / (l->in * k * k)), l->out, l->in, k, k), bias = WEIGHT(b, "b", 0.1, l->out);
    const weft_value y = weft_build(b, "conv2d", WEFT_IN(x, w, bias), WEFT_NUM("stride", l->stride), WEFT_NUM("dilation", dilation),
                                    WEFT_NUM("pads", pad, pad, total - pad, total - pad));
    if (l->kind == GATED) return weft_build(b, "gate", WEFT_IN(y), WEFT_TEXT("act", "elu"), WEFT_NUM("a", 1));
    return y;
}

static weft_value build_transposed(weft_builder *b, const layer *l)
{
    const weft_value x = INPUT(b, "x", 1, l->in, l->size, l->size);
    const weft_value w = WEIGHT(b, "w", sqrt(3.0 / (4 * l->in)), l->in, l->out, l->kernel, l->kernel), bias = WEIGHT(b, "b", 0.1, l->out);
    return weft_build(b, "conv_transpose2d", WEFT_IN(x, w, bias), WEFT_NUM("stride", l->stride), WEFT_NUM("pads", 1));
}

// With what follows it in the network, which a device may do in the same kernel.
static weft_value build_modulated(weft_builder *b, const layer *l)
{
    const int large = l->size * l->stride;
    const weft_value x = INPUT(b, "x", 1, l->in, l->size, l->size), s = INPUT(b, "s", 1, l->in);
    const weft_value w = WEIGHT(b, "w", 1, l->out, l->in, l->kernel, l->kernel), bias = WEIGHT(b, "b", 0.1, l->out);
    if (l->kind == RGB) {
        const weft_value rgb = weft_build(b, "modulated_conv2d", WEFT_IN(x, w, s), WEFT_NUM("demodulate", 0), WEFT_NUM("gain", 1 / sqrt(l->in)));
        return weft_build_op(b, "bias_act", WEFT_IN(rgb, bias), NULL, 0);
    }
    const weft_value y = weft_build(b, "modulated_conv2d", WEFT_IN(x, w, s, l->stride == 2 ? fir(b) : WEFT_NONE), WEFT_NUM("up", l->stride),
                                    WEFT_NUM("pad", l->kernel / 2), WEFT_NUM("flip_weight", l->stride == 1));
    const weft_value noise = WEIGHT(b, "noise", 1, 1, 1, large, large), strength = weft_build_scalar(b, 0.1);
    return weft_build(b, "bias_act", WEFT_IN(y, bias, noise, strength), WEFT_TEXT("act", "leaky_relu"), WEFT_NUM("a", 0.2), WEFT_NUM("gain", sqrt(2)));
}

static weft_value build_other(weft_builder *b, const layer *l)
{
    weft_value x;
    switch (l->kind) {
    case FIR_UP:
        x = INPUT(b, "x", 1, l->in, l->size, l->size);
        return weft_build(b, "upfirdn2d", WEFT_IN(x, fir(b)), WEFT_NUM("up", 2), WEFT_NUM("pads", 2, 2, 1, 1), WEFT_NUM("gain", 4));
    case LINEAR:
        x = INPUT(b, "x", 1, l->size, l->in);
        return weft_build_op(b, "linear", WEFT_IN(x, WEIGHT(b, "w", sqrt(3.0 / l->in), l->out, l->in), WEIGHT(b, "b", 0.1, l->out)), NULL, 0);
    case ATTENTION:
        x = INPUT(b, "x", 1, l->in, l->size, l->out);
        return weft_build_op(b, "sdpa", WEFT_IN(x, INPUT(b, "k", 1, l->in, l->size, l->out), INPUT(b, "v", 1, l->in, l->size, l->out)), NULL, 0);
    case CONTEXTUAL:
        x = INPUT(b, "x", 1, l->in, l->size, l->size);
        return weft_build(b, "contextual_attention", WEFT_IN(x, x, INPUT(b, "mask", 1, 1, 4 * l->size, 4 * l->size)), WEFT_NUM("fuse", 0),
                          WEFT_TEXT("nearest", "align_corners"));
    default:
        x = INPUT(b, "x", l->size, l->in);
        return weft_build_op(b, "matmul", WEFT_IN(x, INPUT(b, "y", l->in, l->out)), NULL, 0);
    }
}

static weft_result build_layer(weft_context *ctx, const layer *l, weft_model **out)
{
    weft_builder *b;
    const weft_result r = weft_builder_create(ctx, &b);
    if (r != WEFT_OK) return r;
    weft_build_output(b, "out", l->kind == CONV || l->kind == GATED ? build_conv(b, l) : l->kind == TRANSPOSED ? build_transposed(b, l)
                              : l->kind == MODULATED || l->kind == RGB ? build_modulated(b, l) : build_other(b, l));
    return weft_builder_finish(&b, out);
}

// The gradient by `wrt` alone: what the forward pass computes and this does not need is left out.
static weft_result build_gradient(weft_context *ctx, const weft_model *forward, const char *wrt, weft_model **out)
{
    weft_model *both;
    weft_builder *b;
    const char *const seen[] = { "out" };
    weft_result r = weft_model_grad(forward, &(weft_model_grad_params) { .cotangents = seen, .cotangent_count = 1, .wrt = &wrt, .wrt_count = 1 }, &both);
    if (r != WEFT_OK) return r;
    r = weft_builder_create(ctx, &b);
    if (r == WEFT_OK) {
        const weft_port *ports;
        weft_port_arg args[PORTS_MOST];
        weft_value outs[PORTS_MOST];
        const int count = weft_model_inputs(both, 0, &ports);
        for (int i = 0; i < count && i < PORTS_MOST; i++) args[i] = (weft_port_arg) { NULL, weft_build_input(b, ports[i].name, ports[i].dtype, ports[i].shape) };
        const int made = weft_build_call(b, &(weft_call) { .model = both, .in = args, .in_count = count }, outs, PORTS_MOST);
        if (made > 0) weft_build_output(b, "gradient", outs[made - 1]);
        r = weft_builder_finish(&b, out);
    }
    weft_model_destroy(&both);
    return r;
}

static void fill_layer(void *user, const weft_port *port, void *data, size_t count)
{
    float *f = data;
    (void) user;
    bench_fill((uint32_t) port->name[0] * 977u, f, count);
    for (size_t i = 0; !strcmp(port->name, "s") && i < count; i++) f[i] = 1 + 0.5f * f[i];
    for (size_t i = 0; !strcmp(port->name, "mask") && i < count; i++) f[i] = i > count / 3 && i < count / 2;
}

static const char *layer_name(const layer *l, char text[128])
{
    static const char *const kinds[] = { "conv", "gated conv", "transposed conv", "modulated conv", "modulated conv", "upfirdn", "linear", "attention",
                                         "contextual attention", "matmul" };
    const char *kind = kinds[l->kind];
    switch (l->kind) {
    case LINEAR: snprintf(text, 128, "%s %s %d %d->%d", l->of, kind, l->size, l->in, l->out); break;
    case ATTENTION: snprintf(text, 128, "%s %s %dx%dx%d", l->of, kind, l->in, l->size, l->out); break;
    case MATMUL: snprintf(text, 128, "%s %s %dx%dx%d", l->of, kind, l->size, l->in, l->out); break;
    case CONTEXTUAL: snprintf(text, 128, "%s %s %d %dx%d", l->of, kind, l->in, l->size, l->size); break;
    default:
        snprintf(text, 128, "%s %s%s %dx%d %d->%d %dx%d%s", l->of, kind, l->kind != CONV && l->kind != GATED && l->stride == 2 ? " up" : "", l->kernel, l->kernel,
                 l->in, l->out, l->size, l->size, (l->kind == CONV || l->kind == GATED) && l->stride == 2 ? " /2" : "");
    }
    return text;
}

static bool run_layer(bench *b, const layer *l)
{
    static const struct { const char *wrt, *suffix; } parts[] = { { NULL, "" }, { "x", ", gradient of x" }, { "w", ", gradient of w" } };
    weft_model *forward = NULL;
    bool on = true;
    for (int i = 0; i < (l->gradients ? 3 : 1) && on; i++) {
        char name[128], whole[160];
        weft_model *m = NULL;
        snprintf(whole, sizeof whole, "%s%s", layer_name(l, name), parts[i].suffix);
        if (!bench_wants(b, "ops", whole)) continue;
        weft_result r = forward ? WEFT_OK : build_layer(b->c->ctx, l, &forward);
        if (r == WEFT_OK && parts[i].wrt) r = build_gradient(b->c->ctx, forward, parts[i].wrt, &m);
        if (r != WEFT_OK) on = bench_error(b, "ops", whole, weft_error_text());
        else on = measure(b, whole, m ? m : forward, fill_layer, NULL);
        weft_model_destroy(&m);
    }
    weft_model_destroy(&forward);
    return on;
}

bool bench_ops(bench *b)
{
    const char *op;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (!run_layer(b, &layers[i])) return false;
    for (int i = 0; (op = weft_op_name(i)); i++)
        for (int k = 0; k < weft_op_case_count(op); k++)
            if (!run_case(b, op, k)) return false;
    return true;
}
