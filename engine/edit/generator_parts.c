// SPDX-License-Identifier: MIT
#include "edit/generator_parts.h"
#include "base/number.h"
#include "edit/convention.h"
#include <string.h>

const char *const weft_part_names[PART_COUNT] = {
    "synthesis", "synthesis_noise", "synthesis_none", "mapping", "average", "styles", "synthesis_styles",
};
enum { SIDE_MOST = 1 << 16 };

static weft_result no_generator(const weft_port *p, const char *entry, const char *want)
{
    return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: port '%s' of entry '%s' is not f32 %s", p->name, entry, want);
}

// Checks a port against `shape`, whose dimensions are -1 for n, 0 for any positive number (put in), or what they must be.
static bool match(const weft_port *p, weft_shape *shape, int *fixed)
{
    if (p->dtype != WEFT_F32 || p->shape.rank != shape->rank) return false;
    for (int d = 0; d < shape->rank; d++) {
        const int64_t is = p->shape.dim[d];
        if (shape->dim[d] == -1) {
            if (is > 0 && is <= 1 << 20) *fixed = (int) is;
            else if (is > 0) return false;
        } else if (is <= 0 || is > 1 << 30 || (shape->dim[d] && shape->dim[d] != is)) return false;
        else shape->dim[d] = is;
    }
    return true;
}

#define MATCH(g, kind, port, want, ...)                                                                              \
    weft_shape shape = WEFT_SHAPE(__VA_ARGS__);                                                                      \
    if (!match(port, &shape, &(g)->part[kind].fixed)) return no_generator(port, weft_part_names[kind], want)

static weft_result need_ports(const weft_part *p, const char *name, int ins_least, int ins_most, int outs_least, int outs_most)
{
    if (p->in_count < ins_least || p->in_count > ins_most || p->out_count < outs_least || p->out_count > outs_most)
        return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: entry '%s' has %d inputs and %d outputs", name, p->in_count, p->out_count);
    return WEFT_OK;
}

static weft_result check_ws(weft_generator *g, weft_part_kind kind, const weft_port *port)
{
    MATCH(g, kind, port, "[n, layers, w]", -1, g->info.layers, g->info.w);
    g->info.layers = (int) shape.dim[1], g->info.w = (int) shape.dim[2];
    return WEFT_OK;
}

static weft_result check_image(weft_generator *g, weft_part_kind kind)
{
    const weft_port *port = &g->part[kind].out[0];
    MATCH(g, kind, port, "[n, 1 or 3, height, width]", -1, g->info.channels, g->info.height, g->info.width);
    if ((shape.dim[1] != 1 && shape.dim[1] != 3) || shape.dim[2] > WEFT_IMAGE_MAX_SIDE || shape.dim[3] > WEFT_IMAGE_MAX_SIDE)
        return no_generator(port, weft_part_names[kind], "[n, 1 or 3, height, width]");
    g->info.channels = (int) shape.dim[1], g->info.height = (int) shape.dim[2], g->info.width = (int) shape.dim[3];
    return WEFT_OK;
}

static weft_result check_synthesis(weft_generator *g, weft_part_kind kind)
{
    const weft_part *p = &g->part[kind];
    WEFT_TRY(need_ports(p, weft_part_names[kind], 1, kind == WITH_NOISE ? WEFT_GENERATOR_PORTS : 1, 1, 1));
    WEFT_TRY(check_ws(g, kind, &p->in[0]));
    WEFT_TRY(check_image(g, kind));
    for (int i = 1; i < p->in_count; i++) {
        MATCH(g, kind, &p->in[i], "[height, width] as a noise map is", 0, 0);
        if (shape.dim[0] > SIDE_MOST || shape.dim[1] > SIDE_MOST) return no_generator(&p->in[i], weft_part_names[kind], "of a size of noise maps");
    }
    if (kind == WITH_NOISE) g->info.noise_count = p->in_count - 1;
    return WEFT_OK;
}

static weft_result check_mapping(weft_generator *g)
{
    const weft_part *p = &g->part[MAPPING];
    WEFT_TRY(need_ports(p, "mapping", 1, 2, 1, 1));
    {
        MATCH(g, MAPPING, &p->in[0], "[n, z]", -1, 0);
        g->info.z = (int) shape.dim[1];
    }
    if (p->in_count == 2) {
        MATCH(g, MAPPING, &p->in[1], "[n, classes]", -1, 0);
        g->info.classes = (int) shape.dim[1];
    }
    return check_ws(g, MAPPING, &p->out[0]);
}

static weft_result check_average(weft_generator *g)
{
    const weft_part *p = &g->part[AVERAGE];
    WEFT_TRY(need_ports(p, "average", 0, 0, 1, 1));
    g->info.has_average = 1;
    if (p->out[0].shape.rank == 1) {
        MATCH(g, AVERAGE, &p->out[0], "[w] or [layers, w]", g->info.w);
        return WEFT_OK;
    }
    MATCH(g, AVERAGE, &p->out[0], "[w] or [layers, w]", g->info.layers, g->info.w);
    return WEFT_OK;
}

static weft_result check_styles(weft_generator *g)
{
    const weft_part *to = &g->part[STYLES], *from = &g->part[FROM_STYLES];
    int64_t sum = 0;
    WEFT_TRY(need_ports(to, "styles", 1, 1, 1, WEFT_GENERATOR_PORTS));
    WEFT_TRY(need_ports(from, "synthesis_styles", to->out_count, to->out_count, 1, 1));
    WEFT_TRY(check_ws(g, STYLES, &to->in[0]));
    WEFT_TRY(check_image(g, FROM_STYLES));
    for (int i = 0; i < to->out_count; i++) {
        MATCH(g, STYLES, &to->out[i], "[n, channels]", -1, 0);
        if (!match(&from->in[i], &shape, &g->part[FROM_STYLES].fixed)) return no_generator(&from->in[i], "synthesis_styles", "as what entry 'styles' gives");
        sum += shape.dim[1];
    }
    if (sum > 1 << 24) return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: %lld styles", (long long) sum);
    g->info.style_count = to->out_count;
    g->info.style_numbers = (int) sum;
    return WEFT_OK;
}

static weft_result agree(const weft_model *m, const char *key, int is)
{
    const char *value = weft_model_meta(m, key), *p = value;
    double said;
    if (!value || (weft_read_number(&p, &said) && !*p && said == is)) return WEFT_OK;
    return weft_fail(WEFT_ERR_FORMAT, "the model's metadata says %s=%s, but its ports say %d", key, value, is);
}

static weft_result check_meta(weft_generator *g)
{
    const char *task = weft_model_meta(g->model, "task");
    if (task && strcmp(task, "generate")) return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: its metadata says task=%s", task);
    WEFT_TRY(agree(g->model, "generator.layers", g->info.layers));
    WEFT_TRY(agree(g->model, "generator.w", g->info.w));
    if (g->info.z) {
        WEFT_TRY(agree(g->model, "generator.z", g->info.z));
        WEFT_TRY(agree(g->model, "generator.classes", g->info.classes));
    }
    WEFT_TRY(agree(g->model, "generator.size", g->info.height));
    g->low = -1, g->high = 1;
    return weft_convention_range(g->model, "image.range", &g->low, &g->high);
}

weft_result weft_generator_look(weft_generator *g)
{
    for (int k = 0; k < PART_COUNT; k++) {
        weft_part *p = &g->part[k];
        p->entry = weft_model_find_entry(g->model, weft_part_names[k]);
        if (p->entry < 0) continue;
        p->in_count = weft_model_inputs(g->model, p->entry, &p->in);
        p->out_count = weft_model_outputs(g->model, p->entry, &p->out);
    }
    if (g->part[SYNTHESIS].entry < 0) {
        const char *task = weft_model_meta(g->model, "task");
        return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: it has no entry 'synthesis'%s%s", task ? ", and its metadata says task=" : "", task ? task : "");
    }
    WEFT_TRY(check_synthesis(g, SYNTHESIS));
    if (g->part[WITH_NOISE].entry >= 0) WEFT_TRY(check_synthesis(g, WITH_NOISE));
    if (g->part[WITHOUT_NOISE].entry >= 0) WEFT_TRY(check_synthesis(g, WITHOUT_NOISE));
    if (g->part[MAPPING].entry >= 0) WEFT_TRY(check_mapping(g));
    if (g->part[AVERAGE].entry >= 0) WEFT_TRY(check_average(g));
    if (g->part[STYLES].entry >= 0 && g->part[FROM_STYLES].entry >= 0) WEFT_TRY(check_styles(g));
    g->info.has_none = g->part[WITHOUT_NOISE].entry >= 0;
    return check_meta(g);
}
