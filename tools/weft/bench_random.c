// SPDX-License-Identifier: MIT
// Published networks without their checkpoints: tensors of the published names and shapes with random numbers, through the importers.
// What a network computes does not depend on its numbers, and how long it takes does not either.
#include "bench.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- A checkpoint in memory. --------------------------------------------------------------------------------------

typedef struct made {
    safetensors file;
    int room;
    bool failed; // out of memory
} made;

static void free_made(made *m)
{
    for (int i = 0; i < m->file.count; i++) {
        free((void *) (uintptr_t) m->file.tensors[i].name);
        free((void *) (uintptr_t) m->file.tensors[i].data);
    }
    free(m->file.tensors);
}

static bool ends(const char *name, const char *end)
{
    const size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcmp(name + n - k, end);
}

// Numbers that keep activations near the size of 1: by what the tensor is.
static void fill(const char *name, const safetensors_tensor *t, float *to)
{
    uint32_t seed = 0x811c9dc5u;
    float scale = 0.125f, shift = 0;
    for (const char *c = name; *c; c++) seed = (seed ^ (unsigned char) *c) * 0x01000193u; // FNV-1a
    bench_fill(seed, to, (size_t) t->count);
    if (t->rank > 1) scale = (float) (1.6 * sqrt(3.0 * (double) t->dim[0] / (double) t->count));
    if (t->rank == 1 && (ends(name, "weight") || ends(name, "running_var"))) shift = 1, scale = 0.25f;
    if (!strncmp(name, "synthesis.", 10) || !strncmp(name, "mapping.", 8)) { // StyleGAN2's are normal, and scaled when they are used
        scale = ends(name, "bias") ? 0.125f : (float) sqrt(3);
        shift = ends(name, "affine.bias") ? 1 : 0;
        if (ends(name, "noise_strength")) scale = 0, shift = 0.1f;
    }
    if (!strncmp(name, "lin", 3)) scale = 0.5f, shift = 0.5f; // no weight of a difference is negative
    static const float binomial[4] = { 1, 3, 3, 1 };
    for (int64_t i = 0; i < t->count; i++)
        to[i] = ends(name, "resample_filter") ? binomial[i / 4 % 4] * binomial[i % 4] / 64 : to[i] * scale + shift;
}

static void tensor(made *m, int rank, const int64_t *dim, const char *format, va_list args)
{
    char name[256];
    if (m->file.count == m->room) {
        safetensors_tensor *more = m->failed ? NULL : realloc(m->file.tensors, sizeof *more * (size_t) (2 * m->room + 64));
        if (!more) { m->failed = true; return; }
        m->file.tensors = more, m->room = 2 * m->room + 64;
    }
    vsnprintf(name, sizeof name, format, args);
    safetensors_tensor t = { .type = ST_F32, .rank = rank, .count = 1 };
    for (int i = 0; i < rank; i++) t.dim[i] = dim[i], t.count *= dim[i];
    char *kept = malloc(strlen(name) + 1);
    float *data = malloc((size_t) t.count * sizeof *data);
    if (!kept || !data) {
        free(kept), free(data);
        m->failed = true;
        return;
    }
    fill(name, &t, data);
    t.name = strcpy(kept, name), t.data = data;
    m->file.tensors[m->file.count++] = t;
}

#if defined(__GNUC__)
__attribute__((format(printf, 6, 7)))
#endif
static void put(made *m, int64_t a, int64_t b, int64_t c, int64_t d, const char *format, ...) // 0: no such dimension
{
    const int64_t dim[] = { a, b, c, d };
    va_list args;
    va_start(args, format);
    tensor(m, d ? 4 : c ? 3 : b ? 2 : a ? 1 : 0, dim, format, args);
    va_end(args);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_tensor *) a)->name, ((const safetensors_tensor *) b)->name);
}

static weft_result import_made(weft_context *ctx, made *m, const char *arch, const char *variant, weft_model **out, char *error)
{
    weft_result r = WEFT_ERR_MEMORY;
    if (m->failed) snprintf(error, IMPORT_ERROR, "out of memory");
    else {
        qsort(m->file.tensors, (size_t) m->file.count, sizeof *m->file.tensors, by_name);
        r = import_tensors(ctx, &(import_params) { .arch = arch, .variant = variant }, &m->file, out, error);
    }
    free_made(m);
    return r;
}

// --- Networks. --------------------------------------------------------------------------------------------------

static weft_result deepfill(weft_context *ctx, int size, weft_model **out, char *error)
{
    static const struct { const char *name; int out, in, kernel; } convs[] = {
        { "conv1", 48, 5, 5 }, { "conv2_downsample", 96, 24, 3 }, { "conv3", 96, 48, 3 }, { "conv4_downsample", 192, 48, 3 }, { "conv5", 192, 96, 3 },
        { "conv6", 192, 96, 3 }, { "conv7_atrous", 192, 96, 3 }, { "conv8_atrous", 192, 96, 3 }, { "conv9_atrous", 192, 96, 3 }, { "conv10_atrous", 192, 96, 3 },
        { "conv11", 192, 96, 3 }, { "conv12", 192, 96, 3 }, { "conv13_upsample.conv", 96, 96, 3 }, { "conv14", 96, 48, 3 }, { "conv15_upsample.conv", 48, 48, 3 },
        { "conv16", 24, 24, 3 }, { "conv17", 3, 12, 3 }, { "xconv1", 48, 3, 5 }, { "xconv2_downsample", 48, 24, 3 }, { "xconv3", 96, 24, 3 },
        { "xconv4_downsample", 96, 48, 3 }, { "xconv5", 192, 48, 3 }, { "xconv6", 192, 96, 3 }, { "xconv7_atrous", 192, 96, 3 }, { "xconv8_atrous", 192, 96, 3 },
        { "xconv9_atrous", 192, 96, 3 }, { "xconv10_atrous", 192, 96, 3 }, { "pmconv1", 48, 3, 5 }, { "pmconv2_downsample", 48, 24, 3 }, { "pmconv3", 96, 24, 3 },
        { "pmconv4_downsample", 192, 48, 3 }, { "pmconv5", 192, 96, 3 }, { "pmconv6", 192, 96, 3 }, { "pmconv9", 192, 96, 3 }, { "pmconv10", 192, 96, 3 },
        { "allconv11", 192, 192, 3 }, { "allconv12", 192, 96, 3 }, { "allconv13_upsample.conv", 96, 96, 3 }, { "allconv14", 96, 48, 3 },
        { "allconv15_upsample.conv", 48, 48, 3 }, { "allconv16", 24, 24, 3 }, { "allconv17", 3, 12, 3 },
    };
    made m = { 0 };
    (void) size;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        put(&m, convs[i].out, convs[i].in, convs[i].kernel, convs[i].kernel, "%s.conv.weight", convs[i].name);
        put(&m, convs[i].out, 0, 0, 0, "%s.conv.bias", convs[i].name);
    }
    return import_made(ctx, &m, "deepfillv2", "tf", out, error);
}

static void put_norm(made *m, int64_t channels, const char *name)
{
    static const char *const parts[] = { "weight", "bias", "running_mean", "running_var" };
    for (int i = 0; i < 4; i++) put(m, channels, 0, 0, 0, "%s.%s", name, parts[i]);
}

static weft_result pix2pix(weft_context *ctx, int size, weft_model **out, char *error)
{
    static const int width[] = { 64, 128, 256, 512, 512, 512, 512, 512 };
    char level[256] = "model.model.1", name[300];
    made m = { 0 };
    (void) size;
    put(&m, 64, 3, 4, 4, "model.model.0.weight");
    put(&m, 128, 3, 4, 4, "model.model.3.weight"), put(&m, 3, 0, 0, 0, "model.model.3.bias");
    for (int i = 1; i < 8; i++, strcat(level, ".model.3")) {
        const bool last = i == 7;
        put(&m, width[i], width[i - 1], 4, 4, "%s.model.1.weight", level);
        snprintf(name, sizeof name, "%s.model.2", level);
        if (!last) put_norm(&m, width[i], name);
        put(&m, last ? width[i] : 2 * width[i], width[i - 1], 4, 4, "%s.model.%d.weight", level, last ? 3 : 5);
        snprintf(name, sizeof name, "%s.model.%d", level, last ? 4 : 6);
        put_norm(&m, width[i - 1], name);
    }
    return import_made(ctx, &m, "pix2pix-unet256", "batch", out, error);
}

static void put_vgg(made *m)
{
    static const int items[] = { 0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28 }, widths[] = { 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512 };
    for (int i = 0; i < 13; i++) {
        put(m, widths[i], i ? widths[i - 1] : 3, 3, 3, "features.%d.weight", items[i]);
        put(m, widths[i], 0, 0, 0, "features.%d.bias", items[i]);
    }
}

weft_result random_lpips(weft_context *ctx, int size, weft_model **out, char *error)
{
    static const int widths[] = { 64, 128, 256, 512, 512 };
    made m = { 0 };
    (void) size;
    put_vgg(&m);
    for (int i = 0; i < 5; i++) put(&m, 1, widths[i], 1, 1, "lin%d.model.1.weight", i);
    return import_made(ctx, &m, "lpips-vgg", NULL, out, error);
}

static weft_result vgg16(weft_context *ctx, int size, weft_model **out, char *error)
{
    made m = { 0 };
    (void) size;
    put_vgg(&m);
    return import_made(ctx, &m, "vgg16", NULL, out, error);
}

static void put_pair(made *m, int64_t out, int64_t in, const char *name)
{
    put(m, out, in, 0, 0, "%s.weight", name);
    put(m, out, 0, 0, 0, "%s.bias", name);
}

static weft_result clip(weft_context *ctx, int size, weft_model **out, char *error)
{
    enum { WIDTH = 768, PATCH = 32, LAYERS = 12 };
    char name[128];
    made m = { 0 };
    const int64_t places = (int64_t) (size / PATCH) * (size / PATCH) + 1;
    put(&m, WIDTH, 3, PATCH, PATCH, "visual.conv1.weight");
    put(&m, WIDTH, 0, 0, 0, "visual.class_embedding");
    put(&m, places, WIDTH, 0, 0, "visual.positional_embedding");
    put(&m, WIDTH, 512, 0, 0, "visual.proj");
    put_pair(&m, WIDTH, 0, "visual.ln_pre"), put_pair(&m, WIDTH, 0, "visual.ln_post");
    for (int i = 0; i < LAYERS; i++) {
        const struct { const char *name; int64_t out, in; } parts[] = {
            { "ln_1", WIDTH, 0 }, { "ln_2", WIDTH, 0 }, { "attn.out_proj", WIDTH, WIDTH }, { "mlp.c_fc", 4 * WIDTH, WIDTH }, { "mlp.c_proj", WIDTH, 4 * WIDTH },
        };
        snprintf(name, sizeof name, "visual.transformer.resblocks.%d", i);
        put(&m, 3 * WIDTH, WIDTH, 0, 0, "%s.attn.in_proj_weight", name);
        put(&m, 3 * WIDTH, 0, 0, 0, "%s.attn.in_proj_bias", name);
        for (int k = 0; k < 5; k++) {
            char part[160];
            snprintf(part, sizeof part, "%s.%s", name, parts[k].name);
            put_pair(&m, parts[k].out, parts[k].in, part);
        }
    }
    return import_made(ctx, &m, "clip-vit-b32", NULL, out, error);
}

// Config F: the channels of the published networks of 256 and 1024 pixels.
weft_result random_stylegan2(weft_context *ctx, int size, weft_model **out, char *error)
{
    enum { BASE = 32768, MOST = 512, W = 512, MAPPING = 8 };
    made m = { 0 };
    int64_t before = MOST;
    for (int i = 0; i < MAPPING; i++) {
        put(&m, W, W, 0, 0, "mapping.fc%d.weight", i);
        put(&m, W, 0, 0, 0, "mapping.fc%d.bias", i);
    }
    put(&m, W, 0, 0, 0, "mapping.w_avg");
    for (int at = 4; at <= size; at *= 2) {
        const int64_t width = BASE / at < MOST ? BASE / at : MOST;
        if (at == 4) put(&m, width, 4, 4, 0, "synthesis.b4.const");
        else put(&m, 4, 4, 0, 0, "synthesis.b%d.resample_filter", at);
        for (int k = at == 4; k < 3; k++) {
            const int64_t in = k ? width : before, to = k == 2 ? 3 : width, kernel = k == 2 ? 1 : 3;
            char name[64];
            snprintf(name, sizeof name, k == 2 ? "synthesis.b%d.torgb" : k ? "synthesis.b%d.conv1" : "synthesis.b%d.conv0", at);
            put(&m, to, in, kernel, kernel, "%s.weight", name);
            put(&m, to, 0, 0, 0, "%s.bias", name);
            put(&m, in, W, 0, 0, "%s.affine.weight", name);
            put(&m, in, 0, 0, 0, "%s.affine.bias", name);
            if (k == 2) continue;
            put(&m, at, at, 0, 0, "%s.noise_const", name);
            put(&m, 0, 0, 0, 0, "%s.noise_strength", name);
            if (!k) put(&m, 4, 4, 0, 0, "%s.resample_filter", name);
        }
        before = width;
    }
    return import_made(ctx, &m, "stylegan2-ada", NULL, out, error);
}

static const random_net nets[] = {
    { "stylegan2-256 synthesis", random_stylegan2, 256, "synthesis", { { NULL }, 0 } },
    { "stylegan2-1024 synthesis", random_stylegan2, 1024, "synthesis", { { NULL }, 0 } },
    { "deepfill-v2 256", deepfill, 256, NULL, { { NULL }, 0 } },
    { "deepfill-v2 512", deepfill, 512, NULL, { { "h=512", "w=512" }, 2 } },
    { "pix2pix u-net 256", pix2pix, 256, NULL, { { NULL }, 0 } },
    { "vgg-16 features 224", vgg16, 224, "features", { { NULL }, 0 } },
    { "clip vit-b/32 image 224", clip, 224, "image", { { NULL }, 0 } },
};

const random_net *random_net_at(int index) { return index >= 0 && index < (int) (sizeof nets / sizeof *nets) ? &nets[index] : NULL; }
