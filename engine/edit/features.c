// SPDX-License-Identifier: MIT
#include "edit/features.h"
#include "base/number.h"
#include "base/status.h"
#include "edit/convention.h"
#include "edit/short.h"
#include <string.h>

enum { IDENTITY_ROOM = 256, IDENTITY_SIZE = 112, DEFAULT_MOST = 256 };

bool weft_loss_has_network(weft_loss_kind kind) { return kind >= WEFT_LOSS_PERCEPTUAL && kind <= WEFT_LOSS_CLIP; }

static int feature_entry(const weft_model *m)
{
    static const char *const names[] = { "features", "image", "main" };
    const weft_port *in;
    for (int i = 0; i < 3; i++) {
        const int e = weft_model_find_entry(m, names[i]);
        if (e >= 0 && weft_model_inputs(m, e, &in) == 1 && in->shape.rank == 4) return e;
    }
    return -1;
}

static weft_result read_three(const weft_model *m, const char *key, float to[3], bool *there)
{
    const char *value = weft_model_meta(m, key), *p = value;
    *there = value != NULL;
    for (int i = 0; value && i < 3; i++) {
        double number;
        if (i && *p == ',') p++;
        while (*p == ' ') p++;
        if (!weft_read_number(&p, &number)) return weft_fail(WEFT_ERR_FORMAT, "the network's metadata says %s=%s, which is not three numbers", key, value);
        to[i] = (float) number;
    }
    return WEFT_OK;
}

const char *weft_features_name(const weft_objective *o, int term, const char *tap)
{
    const char *name = weft_arena_print(o->arena, "%s.%s", o->names[term], tap);
    return name ? name : "";
}

// The picture [1, 3, h, w] in -1..1 as the network of a term wants it.
static weft_value prepare(const weft_objective *o, weft_builder *b, int term, weft_value x)
{
    const weft_loss *t = &o->losses[term];
    const weft_port *in;
    int64_t h = o->source.info.height, w = o->source.info.width;
    double low = -1, high = 1;
    float mean[3] = { 0 }, std[3] = { 1, 1, 1 };
    bool has_mean, has_std;
    weft_model_inputs(t->model, feature_entry(t->model), &in);
    weft_result r = weft_convention_range(t->model, "image.range", &low, &high);
    if (r == WEFT_OK) r = read_three(t->model, "image.mean", mean, &has_mean);
    if (r == WEFT_OK) r = read_three(t->model, "image.std", std, &has_std);
    if (r != WEFT_OK) return weft_build_fail(b, r, weft_error_text()), WEFT_NONE;

    if (t->kind == WEFT_LOSS_IDENTITY) {
        if (h != IDENTITY_ROOM || w != IDENTITY_ROOM) x = sized(b, x, IDENTITY_ROOM, IDENTITY_ROOM);
        x = weft_build(b, "slice", WEFT_IN(x), WEFT_NUM("starts", 35, 32), WEFT_NUM("ends", 223, 220), WEFT_NUM("axes", 2, 3));
        x = sized(b, x, IDENTITY_SIZE, IDENTITY_SIZE);
    } else if (in->shape.dim[2] > 0 && in->shape.dim[3] > 0) { // a network of one size
        const bool grows = in->shape.dim[2] > h || in->shape.dim[3] > w;
        if (grows) x = weft_build(b, "resize", WEFT_IN(x), WEFT_TEXT("mode", "bilinear"), WEFT_NUM("size", (double) in->shape.dim[2], (double) in->shape.dim[3]));
        else if (in->shape.dim[2] != h || in->shape.dim[3] != w) x = sized(b, x, in->shape.dim[2], in->shape.dim[3]);
    } else {
        const int64_t most = t->most ? t->most : DEFAULT_MOST, side = h > w ? h : w;
        if (side > most) x = sized(b, x, h * most / side, w * most / side);
    }
    x = affine(b, x, (high - low) / 2, (high + low) / 2);
    const weft_shape each = WEFT_SHAPE(1, 3, 1, 1);
    if (has_mean) x = binary(b, "sub", x, weft_build_weight(b, weft_features_name(o, term, "image.mean"), WEFT_F32, each, mean));
    if (has_std) x = binary(b, "div", x, weft_build_weight(b, weft_features_name(o, term, "image.std"), WEFT_F32, each, std));
    return x;
}

static bool wants_tap(const weft_loss *t, const char *name)
{
    static const char *const usual[] = { "relu1_2", "relu2_2", "relu3_3", "relu4_3" };
    const bool chosen = t->kind == WEFT_LOSS_PERCEPTUAL || t->kind == WEFT_LOSS_STYLE;
    const char *const *taps = t->tap_count ? t->taps : usual;
    if (!chosen) return true;
    for (int i = 0; i < (t->tap_count ? t->tap_count : 4); i++)
        if (!strcmp(taps[i], name)) return true;
    return false;
}

int weft_features_call(const weft_objective *o, weft_builder *b, int i, weft_value picture, weft_tap taps[WEFT_MOST_TAPS])
{
    const weft_loss *t = &o->losses[i];
    const weft_port *ports;
    weft_value all[WEFT_MOST_TAPS];
    const int entry = feature_entry(t->model), count = weft_model_outputs(t->model, entry, &ports);
    int used = 0;
    weft_build_name(b, o->names[i]);
    const weft_port_arg in = { NULL, prepare(o, b, i, picture) };
    weft_build_call(b, &(weft_call) { .model = t->model, .entry = entry, .in = &in, .in_count = 1, .prefix = o->names[i] }, all, WEFT_MOST_TAPS);
    for (int k = 0; k < count && k < WEFT_MOST_TAPS; k++)
        if (wants_tap(t, ports[k].name)) taps[used++] = (weft_tap) { ports[k].name, all[k] };
    return used;
}

// --- Checks. -----------------------------------------------------------------------------------------------------

static weft_result check_taps(const weft_loss *t, const char *name)
{
    const weft_port *ports;
    const int count = weft_model_outputs(t->model, feature_entry(t->model), &ports);
    int found = 0;
    if (count > WEFT_MOST_TAPS) return weft_fail(WEFT_ERR_UNSUPPORTED, "loss %s: its network has more than %d outputs", name, WEFT_MOST_TAPS);
    for (int k = 0; k < t->tap_count; k++) {
        int i = 0;
        while (i < count && strcmp(ports[i].name, t->taps[k])) i++;
        if (i == count) return weft_fail(WEFT_ERR_ARGUMENT, "loss %s: its network has no output '%s'; `weft info` lists them", name, t->taps[k]);
    }
    for (int i = 0; i < count; i++) found += wants_tap(t, ports[i].name);
    return found ? WEFT_OK : weft_fail(WEFT_ERR_ARGUMENT, "loss %s: its network has none of the outputs relu1_2, relu2_2, relu3_3 and relu4_3; name its taps", name);
}

weft_result weft_features_check(const weft_loss *t, const char *name)
{
    const char *task = t->model ? weft_model_meta(t->model, "task") : NULL;
    static const char *const tasks[] = { "perceptual", "perceptual", "perceptual", "identity", "clip" };
    const char *want = tasks[t->kind - WEFT_LOSS_PERCEPTUAL];
    if (!t->model) return weft_fail(WEFT_ERR_ARGUMENT, "loss %s: it needs a network", name);
    if (task && strcmp(task, want)) return weft_fail(WEFT_ERR_ARGUMENT, "loss %s: its network's metadata says task=%s, not %s", name, task, want);
    if (feature_entry(t->model) < 0) return weft_fail(WEFT_ERR_ARGUMENT, "loss %s: its network has no entry `features`, `image` or `main` that takes one picture", name);
    WEFT_TRY(check_taps(t, name));
    if (t->kind == WEFT_LOSS_CLIP && t->embedding) {
        const weft_port *out;
        weft_model_outputs(t->model, feature_entry(t->model), &out);
        const int64_t size = out->shape.dim[out->shape.rank - 1];
        if (t->embedding_count != (size_t) size)
            return weft_fail(WEFT_ERR_ARGUMENT, "loss clip: an embedding of %zu numbers, and the network makes %lld", t->embedding_count, (long long) size);
    }
    return WEFT_OK;
}
