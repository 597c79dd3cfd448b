// SPDX-License-Identifier: MIT
// Reads an inpainting model's ports and metadata; says what is missing.
#include "edit/convention.h"
#include "base/number.h"
#include "base/status.h"
#include <string.h>

static weft_result bad_key(const char *key, const char *value, const char *want)
{
    return weft_fail(WEFT_ERR_FORMAT, "the model's metadata says %s=%s, which is not %s", key, value, want);
}

static weft_result read_numbers(const weft_model *m, const char *key, double *to, int count)
{
    const char *value = weft_model_meta(m, key), *p = value;
    if (!value) return WEFT_OK;
    for (int i = 0; i < count; i++) {
        if (i && *p++ != ',') return bad_key(key, value, "a list of three numbers");
        while (*p == ' ') p++;
        if (!weft_read_number(&p, &to[i])) return bad_key(key, value, count > 1 ? "a list of three numbers" : "a number");
    }
    return *p ? bad_key(key, value, count > 1 ? "a list of three numbers" : "a number") : WEFT_OK;
}

weft_result weft_convention_range(const weft_model *m, const char *key, double *low, double *high)
{
    const char *value = weft_model_meta(m, key), *p = value;
    if (!value) return WEFT_OK;
    if (!weft_read_number(&p, low) || strncmp(p, "..", 2)) return bad_key(key, value, "a range such as -1..1");
    p += 2;
    if (!weft_read_number(&p, high) || *p || *high <= *low) return bad_key(key, value, "a range such as -1..1");
    return WEFT_OK;
}

static weft_result read_planes(const weft_model *m, weft_convention *c, int64_t *channels)
{
    static const char *const names[] = { "image", "one", "mask" };
    const char *value = weft_model_meta(m, "image.planes"), *p = value ? value : "image";
    bool image = false;
    *channels = 0;
    for (;;) {
        const size_t n = strcspn(p, ",");
        int which = 0;
        while (which < 3 && (strlen(names[which]) != n || memcmp(names[which], p, n))) which++;
        if (which == 3 || c->plane_count == WEFT_MAX_PLANES)
            return bad_key("image.planes", value, "a list of at most 8 of image, one and mask");
        image = image || which == WEFT_PLANE_IMAGE;
        c->planes[c->plane_count++] = (weft_plane) which;
        *channels += which == WEFT_PLANE_IMAGE ? c->colours : 1;
        if (!p[n]) break;
        p += n + 1;
    }
    return image ? WEFT_OK : bad_key("image.planes", value, "a list with `image` in it");
}

static const weft_port *find_port(const weft_model *m, const weft_port *ports, int count, const char *key, const char *usual, int position)
{
    const char *name = weft_model_meta(m, key);
    for (int i = 0; i < count; i++)
        if (!strcmp(ports[i].name, name ? name : usual)) return &ports[i];
    return !name && position < count ? &ports[position] : NULL;
}

static weft_result check_picture(const weft_port *p, const char *what)
{
    if (p->dtype == WEFT_F32 && p->shape.rank == 4 && (p->shape.dim[0] == 1 || p->shape.dim[0] < 0)) return WEFT_OK;
    return weft_fail(WEFT_ERR_ARGUMENT, "not an inpainting model: its %s '%s' is not f32 [1, channels, height, width]", what, p->name);
}

static void read_side(const weft_model *m, int64_t dim, int64_t *size, int64_t *multiple)
{
    *multiple = 1;
    if (dim >= 0) *size = dim;
    else *multiple = weft_model_dim(m, (int) (-dim - 1))->multiple;
}

static weft_result read_ports(const weft_model *m, weft_convention *c)
{
    const weft_port *in, *out;
    const int ins = weft_model_inputs(m, c->entry, &in), outs = weft_model_outputs(m, c->entry, &out);
    const weft_port *image = find_port(m, in, ins, "port.image", "image", ins <= 2 ? 0 : ins);
    const weft_port *mask = find_port(m, in, ins, "port.mask", "mask", ins == 2 ? 1 : ins);
    const weft_port *output = find_port(m, out, outs, "port.output", "output", outs == 1 ? 0 : outs);
    int64_t channels;
    if (!image || (ins > 1 && (!mask || mask == image)) || ins > 2)
        return weft_fail(WEFT_ERR_ARGUMENT, "not an inpainting model: of its %d inputs none is called `image` or `mask`; metadata keys "
                         "port.image and port.mask can name them", ins);
    if (!output)
        return weft_fail(WEFT_ERR_ARGUMENT, "the model has %d outputs and none is called `output`; the metadata key port.output can name it", outs);
    WEFT_TRY(check_picture(image, "input"));
    WEFT_TRY(check_picture(output, "output"));
    if (mask) WEFT_TRY(check_picture(mask, "mask input"));
    c->image = image->name, c->mask = mask ? mask->name : NULL, c->output = output->name;
    c->mask_channels = mask ? (int) mask->shape.dim[1] : 0;
    c->output_colours = (int) output->shape.dim[1];
    c->colours = c->output_colours;
    if (c->colours != 3 && c->colours != 1)
        return weft_fail(WEFT_ERR_ARGUMENT, "not an inpainting model: output '%s' has %d channels, not 3 or 1", output->name, c->colours);
    if (mask && c->mask_channels != 1 && c->mask_channels != 3)
        return weft_fail(WEFT_ERR_ARGUMENT, "not an inpainting model: input '%s' has %d channels, not 1 or 3", mask->name, c->mask_channels);
    WEFT_TRY(read_planes(m, c, &channels));
    if (channels != image->shape.dim[1])
        return weft_fail(WEFT_ERR_ARGUMENT, "input '%s' has %lld channels, but image.planes makes %lld", image->name,
                         (long long) image->shape.dim[1], (long long) channels);
    read_side(m, image->shape.dim[2], &c->height, &c->height_multiple);
    read_side(m, image->shape.dim[3], &c->width, &c->width_multiple);
    return WEFT_OK;
}

weft_result weft_convention_read(const weft_model *m, const char *entry, weft_convention *out)
{
    weft_convention c = { .low = -1, .high = 1, .std = { 1, 1, 1 }, .mask_hole = 1 };
    const char *task = weft_model_meta(m, "task"), *hole = weft_model_meta(m, "image.hole");
    c.entry = weft_model_find_entry(m, entry);
    if (c.entry < 0) return weft_fail(WEFT_ERR_ARGUMENT, "the model has no entry '%s'", entry);
    if (task && strcmp(task, "inpaint"))
        return weft_fail(WEFT_ERR_ARGUMENT, "not an inpainting model: its metadata says task=%s", task);
    WEFT_TRY(read_ports(m, &c));
    WEFT_TRY(weft_convention_range(m, "image.range", &c.low, &c.high));
    WEFT_TRY(read_numbers(m, "image.mean", c.mean, 3));
    WEFT_TRY(read_numbers(m, "image.std", c.std, 3));
    for (int k = 0; k < 3; k++)
        if (!(c.std[k] > 0)) return bad_key("image.std", weft_model_meta(m, "image.std"), "above 0");
    c.keep_hole = hole && !strcmp(hole, "keep");
    if (!c.keep_hole) WEFT_TRY(read_numbers(m, "image.hole", &c.hole_value, 1));
    WEFT_TRY(read_numbers(m, "mask.hole", &c.mask_hole, 1));
    if (c.mask_hole != 0 && c.mask_hole != 1) return bad_key("mask.hole", weft_model_meta(m, "mask.hole"), "0 or 1");
    c.output_normal = !weft_model_meta(m, "output.range");
    c.output_low = c.low, c.output_high = c.high;
    WEFT_TRY(weft_convention_range(m, "output.range", &c.output_low, &c.output_high));
    *out = c;
    return WEFT_OK;
}
