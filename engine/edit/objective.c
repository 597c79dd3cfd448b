// SPDX-License-Identifier: MIT
// Every term is a few rows around calls of networks. What does not change during an inversion - the photo's features - comes
// in as inputs.
#include "edit/objective.h"
#include "base/context.h"
#include "base/status.h"
#include "edit/convention.h"
#include "edit/features.h"
#include "edit/short.h"
#include <string.h>

enum { SMALLEST_LEVEL = 8 };

const char *weft_loss_name(weft_loss_kind kind)
{
    static const char *const names[] = { "l1", "l2", "smooth-l1", "charbonnier", "tv", "perceptual", "style", "lpips", "identity", "clip",
                                         "latent-mean", "latent-l2", "latent-spread", "noise" };
    return (unsigned) kind < WEFT_LOSS_KINDS ? names[kind] : NULL;
}

// --- Generators. -------------------------------------------------------------------------------------------------

weft_result weft_source_read(const weft_model *m, const weft_generator_info *info, weft_source *out)
{
    weft_source g = { .model = m, .info = *info, .low = -1, .high = 1 };
    int *const entry[] = { &g.synthesis, &g.synthesis_none, &g.synthesis_noise, &g.mapping, &g.styles, &g.synthesis_styles };
    static const char *const names[] = { "synthesis", "synthesis_none", "synthesis_noise", "mapping", "styles", "synthesis_styles" };
    for (int i = 0; i < 6; i++) *entry[i] = weft_model_find_entry(m, names[i]);
    WEFT_TRY(weft_convention_range(m, "image.range", &g.low, &g.high));
    *out = g;
    return WEFT_OK;
}

// --- Shapes. -----------------------------------------------------------------------------------------------------

static weft_shape with_front(weft_shape s, int64_t n) // [n, ...]
{
    weft_shape r = { s.rank + 1, { n } };
    for (int d = 0; d < s.rank; d++) r.dim[d + 1] = s.dim[d];
    return r;
}
static int64_t count_of(weft_shape s)
{
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}

// --- Checks. -----------------------------------------------------------------------------------------------------

static weft_result check_term(const weft_objective *o, int i)
{
    const weft_loss *t = &o->losses[i];
    const char *name = weft_loss_name(t->kind);
    if (!name) return weft_fail(WEFT_ERR_ARGUMENT, "there is no loss %d", (int) t->kind);
    if (!(t->weight >= 0 && t->weight < 1e30)) return weft_fail(WEFT_ERR_ARGUMENT, "loss %s: its weight is not a number above 0", name);
    if (t->levels < 0 || t->most < 0 || !(t->width >= 0)) return weft_fail(WEFT_ERR_ARGUMENT, "loss %s: a number below 0", name);
    if (weft_loss_has_network(t->kind)) WEFT_TRY(weft_features_check(t, name));
    if (t->kind == WEFT_LOSS_NOISE && o->maps_mode != WEFT_MAPS_OPTIMIZE) return weft_fail(WEFT_ERR_ARGUMENT, "loss noise: only where noise is optimised");
    return WEFT_OK;
}

weft_result weft_objective_check(weft_objective *o)
{
    o->names = weft_arena_new(o->arena, sizeof *o->names * (size_t) (o->loss_count + 1));
    if (!o->names) return WEFT_ERR_MEMORY;
    for (int i = 0; i < o->loss_count; i++) {
        int before = 0;
        WEFT_TRY(check_term(o, i));
        for (int k = 0; k < i; k++) before += o->losses[k].kind == o->losses[i].kind;
        const char *name = weft_loss_name(o->losses[i].kind);
        o->names[i] = before ? weft_arena_print(o->arena, "%s.%d", name, before + 1) : name;
        if (!o->names[i]) return WEFT_ERR_MEMORY;
    }
    return WEFT_OK;
}

// --- The photo's features. ---------------------------------------------------------------------------------------

static bool looks_at_photo(const weft_loss *t) { return weft_loss_has_network(t->kind) && !(t->kind == WEFT_LOSS_CLIP && t->embedding); }

static weft_shape picture_shape(const weft_objective *o, int64_t n, int64_t c) { return (weft_shape) WEFT_SHAPE(n, c, o->source.info.height, o->source.info.width); }

weft_result weft_objective_targets(const weft_objective *o, weft_model **out)
{
    weft_builder *b;
    int wanted = 0;
    for (int i = 0; i < o->loss_count; i++) wanted += looks_at_photo(&o->losses[i]);
    if (!wanted) return WEFT_OK;
    WEFT_TRY(weft_builder_create(o->ctx, &b));
    const weft_value target = weft_build_input(b, "target", WEFT_F32, picture_shape(o, 1, 3));
    for (int i = 0; i < o->loss_count; i++) {
        weft_tap taps[WEFT_MOST_TAPS];
        if (!looks_at_photo(&o->losses[i])) continue;
        const int count = weft_features_call(o, b, i, target, taps);
        for (int k = 0; k < count; k++) weft_build_output(b, weft_features_name(o, i, taps[k].name), taps[k].value);
    }
    return weft_builder_finish(&b, out);
}

// --- From latents to the picture. --------------------------------------------------------------------------------

struct parts { // values of the entry being built; WEFT_NONE: not there
    weft_value latent[WEFT_OBJECTIVE_LATENTS], moved[WEFT_OBJECTIVE_LATENTS]; // as they are; with noise on them
    weft_value maps[WEFT_OBJECTIVE_LATENTS];
    weft_value target, mask, segments, ws, image; // image: [1, 3, h, w] in -1..1, blended
};

static void add_inputs(const weft_objective *o, weft_builder *b, bool noise, struct parts *p)
{
    for (int i = 0; i < o->latent_count; i++) {
        const weft_shape s = with_front(o->latents[i].shape, o->segments);
        p->latent[i] = p->moved[i] = weft_build_input(b, o->latents[i].name, WEFT_F32, s);
    }
    for (int i = 0; i < o->latent_count && noise && o->latent_noise; i++) {
        const char *name = weft_arena_print(o->arena, "%s.noise", o->latents[i].name);
        const weft_value n = weft_build_input(b, name ? name : "", WEFT_F32, with_front(o->latents[i].shape, o->segments));
        p->moved[i] = binary(b, "add", p->latent[i], n);
    }
    for (int i = 0; i < o->map_count; i++) p->maps[i] = weft_build_input(b, o->maps[i].name, WEFT_F32, o->maps[i].shape);
}

static weft_value class_of(const weft_objective *o, weft_builder *b)
{
    const int64_t classes = o->source.info.classes;
    float *one = weft_arena_new(o->arena, sizeof(float) * (size_t) (classes * o->segments));
    for (int64_t k = 0; one && k < o->segments; k++) one[k * classes + o->class_index] = 1;
    return weft_build_weight(b, "class.one_hot", WEFT_F32, (weft_shape) WEFT_SHAPE(o->segments, classes), one);
}

static weft_value ws_of(const weft_objective *o, weft_builder *b, const weft_model *generator, weft_value latent)
{
    weft_value ws = latent;
    if (o->space == WEFT_SPACE_W) return shaped(b, "expand", latent, (weft_shape) WEFT_SHAPE(o->segments, o->source.info.layers, o->source.info.w));
    if (o->space == WEFT_SPACE_Z) {
        const weft_port_arg in[] = { { NULL, latent }, { NULL, o->source.info.classes ? class_of(o, b) : WEFT_NONE } };
        weft_build_call(b, &(weft_call) { .model = generator, .entry = o->source.mapping, .in = in, .in_count = o->source.info.classes ? 2 : 1 }, &ws, 1);
    }
    return ws;
}

// Space s has no entries for other noise than the checkpoint's: the maps, weights there, are replaced by name.
static weft_value image_of_styles(const weft_objective *o, weft_builder *b, const weft_model *generator, const struct parts *p)
{
    weft_port_arg in[WEFT_OBJECTIVE_LATENTS], replace[WEFT_OBJECTIVE_LATENTS];
    const weft_port *maps;
    weft_value image = WEFT_NONE;
    int replaced = 0;
    for (int i = 0; i < o->latent_count; i++) in[i] = (weft_port_arg) { o->latents[i].name, p->moved[i] };
    if (o->maps_mode != WEFT_MAPS_CONST) {
        const int count = weft_model_inputs(generator, o->source.synthesis_noise, &maps) - 1;
        for (; replaced < count && replaced < WEFT_OBJECTIVE_LATENTS; replaced++) {
            const weft_port *m = &maps[replaced + 1];
            weft_value v = p->maps[replaced];
            if (o->maps_mode == WEFT_MAPS_NONE) {
                const float *zeros = weft_arena_new(o->arena, sizeof(float) * (size_t) count_of(m->shape));
                const char *name = weft_arena_print(o->arena, "none.%s", m->name);
                v = weft_build_weight(b, name ? name : "", WEFT_F32, m->shape, zeros);
            }
            replace[replaced] = (weft_port_arg) { m->name, v };
        }
    }
    weft_build_call(b, &(weft_call) { .model = generator, .entry = o->source.synthesis_styles, .in = in, .in_count = o->latent_count,
                                      .replace = replace, .replace_count = replaced }, &image, 1);
    return image;
}

static weft_value image_of_ws(const weft_objective *o, weft_builder *b, const weft_model *generator, const struct parts *p)
{
    weft_port_arg in[WEFT_OBJECTIVE_LATENTS + 1] = { { NULL, p->ws } };
    weft_value image = WEFT_NONE;
    const int entry = o->maps_mode == WEFT_MAPS_CONST ? o->source.synthesis : o->maps_mode == WEFT_MAPS_NONE ? o->source.synthesis_none : o->source.synthesis_noise;
    for (int i = 0; i < o->map_count; i++) in[i + 1] = (weft_port_arg) { o->maps[i].name, p->maps[i] };
    weft_build_call(b, &(weft_call) { .model = generator, .entry = entry, .in = in, .in_count = 1 + o->map_count }, &image, 1);
    return image;
}

static weft_value sum_over_segments(weft_builder *b, weft_value v)
{
    return weft_build(b, "sum", WEFT_IN(v), WEFT_NUM("axes", 0), WEFT_NUM("keep", 1));
}

static void make_image(const weft_objective *o, weft_builder *b, const weft_model *generator, struct parts *p)
{
    const double low = o->source.low, high = o->source.high;
    p->ws = o->space == WEFT_SPACE_S ? WEFT_NONE : ws_of(o, b, generator, p->moved[0]);
    weft_value image = o->space == WEFT_SPACE_S ? image_of_styles(o, b, generator, p) : image_of_ws(o, b, generator, p);
    if (o->source.info.channels == 1) image = shaped(b, "expand", image, picture_shape(o, o->segments, 3));
    image = affine(b, image, 2 / (high - low), -(high + low) / (high - low));
    if (o->blended) { // what no segment covers is the photo
        const weft_value inside = sum_over_segments(b, binary(b, "mul", image, p->segments));
        const weft_value rest = affine(b, sum_over_segments(b, p->segments), -1, 1);
        image = binary(b, "add", inside, binary(b, "mul", p->target, rest));
    }
    p->image = image;
}

// --- Terms. ------------------------------------------------------------------------------------------------------

// The picture with what the mask hides taken from the photo: there nothing differs.
static weft_value seen(const weft_objective *o, weft_builder *b, const struct parts *p)
{
    if (!o->masked) return p->image;
    return binary(b, "add", p->target, binary(b, "mul", p->mask, binary(b, "sub", p->image, p->target)));
}

static weft_value pixel_loss(const weft_objective *o, weft_builder *b, const weft_loss *t, const struct parts *p)
{
    static const char *const rows[] = { "l1_loss", "mse_loss", "smooth_l1_loss", "charbonnier_loss" };
    const weft_attr_arg width = t->kind == WEFT_LOSS_SMOOTH_L1 ? (weft_attr_arg) WEFT_NUM("beta", t->width ? t->width : 0.1)
                                                               : (weft_attr_arg) WEFT_NUM("eps", t->width ? t->width : 1e-3);
    const int extra = t->kind >= WEFT_LOSS_SMOOTH_L1;
    weft_value in[3] = { seen(o, b, p), p->target, o->masked ? p->mask : WEFT_NONE }, sum = WEFT_NONE;
    int64_t side = o->source.info.height < o->source.info.width ? o->source.info.height : o->source.info.width;
    int levels = 0;
    for (;;) {
        const weft_value here = weft_build_op(b, rows[t->kind], in, o->masked ? 3 : 2, &width, extra);
        sum = levels++ ? binary(b, "add", sum, here) : here;
        if (t->levels ? levels == t->levels || side < 2 : side < 2 * SMALLEST_LEVEL) break;
        for (int i = 0; i < (o->masked ? 3 : 2); i++) in[i] = halved(b, in[i]);
        side /= 2;
    }
    return affine(b, sum, 1.0 / levels, 0);
}

static weft_value masked_at(const weft_objective *o, weft_builder *b, const struct parts *p, weft_shape tap)
{
    const weft_shape m = picture_shape(o, 1, 1);
    if (tap.dim[2] == m.dim[2] && tap.dim[3] == m.dim[3]) return p->mask;
    return sized(b, p->mask, tap.dim[2], tap.dim[3]);
}

// What one tap adds. `shape` is that of the features.
static weft_value tap_loss(const weft_objective *o, weft_builder *b, const weft_loss *t, const struct parts *p, weft_value x, weft_value target, weft_shape shape)
{
    const bool masked = o->masked && shape.rank == 4;
    weft_value mask = masked ? masked_at(o, b, p, shape) : WEFT_NONE;
    if (t->kind == WEFT_LOSS_STYLE) {
        if (masked) x = binary(b, "mul", x, mask), target = binary(b, "mul", target, mask);
        return weft_build(b, "mse_loss", WEFT_IN(unary(b, "gram", x), unary(b, "gram", target)), WEFT_TEXT("reduction", "sum"));
    }
    const weft_value mean = weft_build_op(b, "mse_loss", (weft_value[]) { x, target, mask }, masked ? 3 : 2, NULL, 0);
    return t->kind == WEFT_LOSS_LPIPS ? affine(b, mean, (double) count_of(shape), 0) : mean;
}

static weft_value network_loss(const weft_objective *o, weft_builder *b, int i, const struct parts *p, const weft_port *features, int feature_count)
{
    const weft_loss *t = &o->losses[i];
    weft_tap taps[WEFT_MOST_TAPS];
    weft_value sum = WEFT_NONE;
    const int count = weft_features_call(o, b, i, seen(o, b, p), taps);
    if (t->kind == WEFT_LOSS_CLIP && t->embedding) {
        const weft_value want = weft_build_weight(b, weft_features_name(o, i, "embedding"), WEFT_F32, (weft_shape) WEFT_SHAPE(1, (int64_t) t->embedding_count), t->embedding);
        return binary(b, "cosine_loss", taps[0].value, want);
    }
    for (int k = 0; k < count; k++) {
        const char *name = weft_features_name(o, i, taps[k].name);
        const weft_port *f = features;
        while (f < features + feature_count && strcmp(f->name, name)) f++;
        if (f == features + feature_count) return weft_build_fail(b, WEFT_ERR_ARGUMENT, "a feature is missing"), WEFT_NONE;
        const weft_value target = weft_build_input(b, f->name, WEFT_F32, f->shape);
        const bool cosine = t->kind == WEFT_LOSS_IDENTITY || t->kind == WEFT_LOSS_CLIP;
        const weft_value here = cosine ? binary(b, "cosine_loss", taps[k].value, target) : tap_loss(o, b, t, p, taps[k].value, target, f->shape);
        sum = k ? binary(b, "add", sum, here) : here;
        if (cosine) break;
    }
    return sum;
}

static weft_value latent_spread(const weft_objective *o, weft_builder *b, weft_value w)
{
    if (o->space != WEFT_SPACE_WPLUS || o->source.info.layers < 2) return weft_build_scalar(b, 0);
    const weft_value first = weft_build(b, "slice", WEFT_IN(w), WEFT_NUM("starts", 0), WEFT_NUM("ends", 1), WEFT_NUM("axes", 1));
    const weft_value others = weft_build(b, "slice", WEFT_IN(w), WEFT_NUM("starts", 1), WEFT_NUM("ends", (double) o->source.info.layers), WEFT_NUM("axes", 1));
    return binary(b, "mse_loss", others, first);
}

static weft_value latent_loss(const weft_objective *o, weft_builder *b, int term, const struct parts *p)
{
    const weft_loss *t = &o->losses[term];
    weft_value sum = WEFT_NONE;
    if (t->kind == WEFT_LOSS_LATENT_SPREAD) return latent_spread(o, b, p->latent[0]);
    for (int i = 0; i < o->latent_count; i++) {
        const weft_latent *l = &o->latents[i];
        const weft_value mean = weft_build_weight(b, weft_features_name(o, term, l->name), WEFT_F32, with_front(l->shape, 1), l->mean);
        weft_value here = binary(b, "mse_loss", p->latent[i], mean);
        if (t->kind == WEFT_LOSS_LATENT_MEAN) here = affine(b, here, 1 / (l->std * l->std), 0);
        sum = i ? binary(b, "add", sum, here) : here;
    }
    return affine(b, sum, 1.0 / o->latent_count, 0);
}

static weft_value noise_loss(const weft_objective *o, weft_builder *b, const struct parts *p)
{
    weft_value sum = WEFT_NONE;
    for (int i = 0; i < o->map_count; i++) {
        const weft_value here = unary(b, "noise_regularization", p->maps[i]);
        sum = i ? binary(b, "add", sum, here) : here;
    }
    return sum;
}

static weft_value term(const weft_objective *o, weft_builder *b, int i, const struct parts *p, const weft_port *features, int feature_count)
{
    const weft_loss *t = &o->losses[i];
    if (t->kind <= WEFT_LOSS_CHARBONNIER) return pixel_loss(o, b, t, p);
    if (t->kind == WEFT_LOSS_TOTAL_VARIATION) return weft_build_op(b, "total_variation", (weft_value[]) { p->image, p->mask }, o->masked ? 2 : 1, NULL, 0);
    if (weft_loss_has_network(t->kind)) return network_loss(o, b, i, p, features, feature_count);
    if (t->kind == WEFT_LOSS_NOISE) return noise_loss(o, b, p);
    return latent_loss(o, b, i, p);
}

// --- The models. -------------------------------------------------------------------------------------------------

static void add_terms(const weft_objective *o, weft_builder *b, const struct parts *p, const weft_model *targets)
{
    const weft_port *features = NULL;
    weft_value sum = WEFT_NONE, terms[WEFT_MOST_TAPS];
    const int feature_count = targets ? weft_model_outputs(targets, 0, &features) : 0;
    for (int i = 0; i < o->loss_count; i++) {
        weft_build_name(b, o->names[i]);
        terms[i] = term(o, b, i, p, features, feature_count);
        const weft_value weighted = affine(b, terms[i], o->losses[i].weight ? o->losses[i].weight : 1, 0);
        sum = i ? binary(b, "add", sum, weighted) : weighted;
    }
    weft_build_output(b, "loss", o->loss_count ? sum : weft_build_scalar(b, 0));
    for (int i = 0; i < o->loss_count; i++) weft_build_output(b, o->names[i], terms[i]);
}

weft_result weft_objective_model(const weft_objective *o, const weft_model *targets, weft_model **out)
{
    struct parts p = { .target = WEFT_NONE, .mask = WEFT_NONE, .segments = WEFT_NONE };
    weft_builder *b;
    WEFT_TRY(weft_builder_create(o->ctx, &b));
    add_inputs(o, b, true, &p);
    p.target = weft_build_input(b, "target", WEFT_F32, picture_shape(o, 1, 3));
    if (o->masked) p.mask = weft_build_input(b, "mask", WEFT_F32, picture_shape(o, 1, 1));
    if (o->blended) p.segments = weft_build_input(b, "segments", WEFT_F32, picture_shape(o, o->segments, 1));
    make_image(o, b, o->source.model, &p);
    add_terms(o, b, &p, targets);
    weft_build_output(b, "image", p.image);
    return weft_builder_finish(&b, out);
}

weft_result weft_objective_render(const weft_objective *o, const weft_model *generator, weft_model **out)
{
    struct parts p = { .target = WEFT_NONE, .mask = WEFT_NONE, .segments = WEFT_NONE };
    weft_builder *b;
    WEFT_TRY(weft_builder_create(o->ctx, &b));
    add_inputs(o, b, false, &p);
    if (o->blended) {
        p.target = weft_build_input(b, "target", WEFT_F32, picture_shape(o, 1, 3));
        p.segments = weft_build_input(b, "segments", WEFT_F32, picture_shape(o, o->segments, 1));
    }
    make_image(o, b, generator, &p);
    weft_build_output(b, "image", p.image);
    if (o->space != WEFT_SPACE_S) weft_build_output(b, "ws", p.ws);
    return weft_builder_finish(&b, out);
}
