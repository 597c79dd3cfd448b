// SPDX-License-Identifier: MIT
// Pictures: their memory, and which codec reads or writes them.
#include "edit/image.h"
#include <string.h>

weft_result weft_image_check_size(uint64_t width, uint64_t height)
{
    if (!width || !height) return weft_fail(WEFT_ERR_FORMAT, "the picture is empty: %llu x %llu pixels", (unsigned long long) width, (unsigned long long) height);
    if (width > WEFT_IMAGE_MAX_SIDE || height > WEFT_IMAGE_MAX_SIDE || width * height > WEFT_IMAGE_MAX_PIXELS)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "%llu x %llu pixels are too many (limits: %d a side, %d in all); scale the picture down",
                         (unsigned long long) width, (unsigned long long) height, WEFT_IMAGE_MAX_SIDE, WEFT_IMAGE_MAX_PIXELS);
    return WEFT_OK;
}

weft_result weft_image_new(weft_context *ctx, int width, int height, int channels, int bits, weft_image **out)
{
    weft_image *i = weft_new(ctx, sizeof *i);
    if (!i) return WEFT_ERR_MEMORY;
    i->ctx = ctx;
    i->info = (weft_image_info) { .width = width, .height = height, .channels = channels, .bits = bits };
    i->data = weft_new(ctx, weft_image_row_bytes(i) * (size_t) height);
    if (!i->data) return weft_image_free(i), WEFT_ERR_MEMORY;
    *out = i;
    return WEFT_OK;
}

void weft_image_free(weft_image *i)
{
    if (!i) return;
    weft_delete(i->ctx, (void *) (uintptr_t) i->info.icc);
    weft_delete(i->ctx, i->data);
    weft_delete(i->ctx, i);
}

weft_result weft_image_set_icc(weft_image *i, const void *icc, size_t bytes)
{
    void *copy = bytes ? weft_new(i->ctx, bytes) : NULL;
    if (bytes && !copy) return WEFT_ERR_MEMORY;
    if (bytes) memcpy(copy, icc, bytes);
    weft_delete(i->ctx, (void *) (uintptr_t) i->info.icc);
    i->info.icc = copy;
    i->info.icc_bytes = bytes;
    return WEFT_OK;
}

weft_result weft_image_duplicate(const weft_image *from, weft_image **out)
{
    weft_image *to;
    WEFT_TRY(weft_image_new(from->ctx, from->info.width, from->info.height, from->info.channels, from->info.bits, &to));
    memcpy(to->data, from->data, weft_image_row_bytes(from) * (size_t) from->info.height);
    to->colour = from->colour;
    const weft_result r = weft_image_set_icc(to, from->info.icc, from->info.icc_bytes);
    if (r != WEFT_OK) return weft_image_free(to), r;
    *out = to;
    return WEFT_OK;
}

weft_result weft_image_part(const weft_image *from, int x, int y, int width, int height, weft_image **out)
{
    const size_t pixel = (size_t) from->info.channels * (size_t) (from->info.bits / 8);
    weft_image *to;
    WEFT_TRY(weft_image_new(from->ctx, width, height, from->info.channels, from->info.bits, &to));
    for (int row = 0; row < height; row++)
        memcpy((char *) to->data + (size_t) row * (size_t) width * pixel,
               (const char *) from->data + ((size_t) (y + row) * (size_t) from->info.width + (size_t) x) * pixel, (size_t) width * pixel);
    to->colour = from->colour;
    const weft_result r = weft_image_set_icc(to, from->info.icc, from->info.icc_bytes);
    if (r != WEFT_OK) return weft_image_free(to), r;
    *out = to;
    return WEFT_OK;
}

// Where pixel (x, y) of the upright picture lies in the stored one of size w x h.
static int64_t turned_from(int orientation, int64_t x, int64_t y, int64_t w, int64_t h)
{
    const bool swap = orientation >= 5;
    int64_t sx = swap ? y : x, sy = swap ? x : y;
    if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) sx = w - 1 - sx;
    if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) sy = h - 1 - sy;
    return sy * w + sx;
}

weft_result weft_image_turn(weft_image *from, int orientation, weft_image **out)
{
    const int w = from->info.width, h = from->info.height;
    const size_t pixel = (size_t) from->info.channels * (size_t) (from->info.bits / 8);
    weft_image *to;
    weft_result r = weft_image_new(from->ctx, orientation >= 5 ? h : w, orientation >= 5 ? w : h, from->info.channels, from->info.bits, &to);
    if (r != WEFT_OK) return weft_image_free(from), r;
    for (int64_t y = 0, at = 0; y < to->info.height; y++)
        for (int64_t x = 0; x < to->info.width; x++, at++)
            memcpy((char *) to->data + (size_t) at * pixel,
                   (const char *) from->data + (size_t) turned_from(orientation, x, y, w, h) * pixel, pixel);
    to->info.icc = from->info.icc, to->info.icc_bytes = from->info.icc_bytes;
    to->colour = from->colour;
    from->info.icc = NULL;
    weft_image_free(from);
    *out = to;
    return WEFT_OK;
}

static weft_result refuse(const unsigned char *data, size_t bytes)
{
    char start[8 * 3 + 1] = "";
    static const char digits[] = "0123456789abcdef";
    const size_t shown = bytes < 8 ? bytes : 8;
    for (size_t i = 0; i < shown; i++) {
        start[3 * i] = ' ', start[3 * i + 1] = digits[data[i] >> 4], start[3 * i + 2] = digits[data[i] & 15];
        start[3 * i + 3] = 0;
    }
    if (!bytes) return weft_fail(WEFT_ERR_FORMAT, "the file is empty, not a PNG or JPEG picture");
    if (bytes >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4))
        return weft_fail(WEFT_ERR_FORMAT, "a WebP picture; convert it to PNG or JPEG");
    return weft_fail(WEFT_ERR_FORMAT, "not a PNG or JPEG picture (starts with%s)", start);
}

weft_result weft_image_decode(weft_context *ctx, const void *data, size_t bytes, weft_image **out)
{
    if (weft_png_is(data, bytes)) return weft_png_decode(ctx, data, bytes, out);
    if (weft_jpeg_is(data, bytes)) return weft_jpeg_decode(ctx, data, bytes, out);
    return refuse(data, bytes);
}

static bool ends_in(const char *path, const char *end) // end in lower case
{
    const size_t n = strlen(path), m = strlen(end);
    if (n < m) return false;
    for (size_t i = 0; i < m; i++) {
        const char c = path[n - m + i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != end[i]) return false;
    }
    return true;
}

static bool opaque(const weft_image *i)
{
    const int64_t count = (int64_t) i->info.width * i->info.height;
    if (!weft_image_has_alpha(i)) return true;
    for (int64_t p = 0; p < count; p++)
        if (weft_image_sample(i, p, i->info.channels - 1) != weft_image_white(i)) return false;
    return true;
}

struct encode { const weft_image *image; weft_image_save_params params; };

static weft_result write_image(weft_file_writer *w, void *user)
{
    const struct encode *e = user;
    if (e->params.format == WEFT_IMAGE_PNG) return weft_png_encode(e->image, w);
    return weft_jpeg_encode(e->image, e->params.quality, w);
}

weft_result weft_image_encode(const weft_image *image, const char *path, const weft_image_save_params *params)
{
    struct encode e = { image, params ? *params : (weft_image_save_params) { 0 } };
    if (!e.params.quality) e.params.quality = 95;
    if (e.params.quality < 1 || e.params.quality > 100)
        return weft_fail(WEFT_ERR_ARGUMENT, "%s: the JPEG quality is %d, not 1 to 100", path, e.params.quality);
    if (e.params.format == WEFT_IMAGE_BY_NAME)
        e.params.format = ends_in(path, ".png") ? WEFT_IMAGE_PNG
                        : ends_in(path, ".jpg") || ends_in(path, ".jpeg") ? WEFT_IMAGE_JPEG : WEFT_IMAGE_BY_NAME;
    if (e.params.format == WEFT_IMAGE_BY_NAME)
        return weft_fail(WEFT_ERR_ARGUMENT, "%s: the name must end in .png, .jpg or .jpeg, or the format be given", path);
    if (e.params.format == WEFT_IMAGE_JPEG && !opaque(image))
        return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: a JPEG cannot hold transparent pixels; write a PNG", path);
    return weft_file_replace(image->ctx, path, write_image, &e);
}
