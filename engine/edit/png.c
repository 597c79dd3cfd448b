// SPDX-License-Identifier: MIT
// PNG through libpng. Samples are kept as they are: no gamma, no colour conversion.
#include "edit/image.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

// Everything lives here and not in locals, because libpng reports errors by longjmp.
struct codec {
    weft_context *ctx;
    png_structp png;
    png_infop info;
    const unsigned char *at; // reading
    size_t left;
    weft_file_writer *writer; // writing
    weft_result failed;       // of a callback; the error text is set already
    bool out_of_memory;
    char text[256];
    weft_image *image;
    const weft_image *source;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct codec *c = png_get_error_ptr(png);
    snprintf(c->text, sizeof c->text, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    struct codec *c = png_get_error_ptr(png);
    weft_log(c->ctx, WEFT_LOG_DEBUG, "png: %s", text);
}

static png_voidp take_memory(png_structp png, png_alloc_size_t bytes)
{
    struct codec *c = png_get_mem_ptr(png);
    void *p = weft_new(c->ctx, bytes);
    if (!p) c->out_of_memory = true;
    return p;
}

static void give_memory(png_structp png, png_voidp p)
{
    struct codec *c = png_get_mem_ptr(png);
    weft_delete(c->ctx, p);
}

static weft_result failure(const struct codec *c, const char *what)
{
    if (c->failed != WEFT_OK) return c->failed;
    if (c->out_of_memory) return WEFT_ERR_MEMORY;
    return weft_fail(WEFT_ERR_FORMAT, "%s: %s", what, c->text);
}

bool weft_png_is(const void *data, size_t bytes) { return bytes >= 8 && !png_sig_cmp((png_const_bytep) data, 0, 8); }

static void read_bytes(png_structp png, png_bytep to, size_t bytes)
{
    struct codec *c = png_get_io_ptr(png);
    if (bytes > c->left) png_error(png, "the file is cut off");
    memcpy(to, c->at, bytes);
    c->at += bytes;
    c->left -= bytes;
}

static bool little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static void keep_colour(struct codec *c)
{
    weft_colour *k = &c->image->colour;
    png_charp name;
    png_bytep icc;
    png_uint_32 bytes;
    int method;
    k->has_gamma = png_get_gAMA_fixed(c->png, c->info, &k->gamma) != 0;
    k->has_srgb = png_get_sRGB(c->png, c->info, &k->srgb_intent) != 0;
    int32_t *w = k->chroma;
    k->has_chroma = png_get_cHRM_fixed(c->png, c->info, w, w + 1, w + 2, w + 3, w + 4, w + 5, w + 6, w + 7) != 0;
    if (png_get_iCCP(c->png, c->info, &name, &method, &icc, &bytes)) c->failed = weft_image_set_icc(c->image, icc, bytes);
}

static weft_result read_png(struct codec *c)
{
    if (setjmp(png_jmpbuf(c->png))) return failure(c, "a broken PNG picture");
    png_set_user_limits(c->png, 0x7fffffff, 0x7fffffff); // checked below, with a better sentence
    png_set_chunk_malloc_max(c->png, 64 << 20);
    png_set_benign_errors(c->png, 1);
    png_set_read_fn(c->png, c, read_bytes);
    png_read_info(c->png, c->info);
    c->failed = weft_image_check_size(png_get_image_width(c->png, c->info), png_get_image_height(c->png, c->info));
    if (c->failed != WEFT_OK) return c->failed;

    png_set_palette_to_rgb(c->png);
    png_set_expand_gray_1_2_4_to_8(c->png);
    png_set_tRNS_to_alpha(c->png);
    if (little_endian()) png_set_swap(c->png);
    const int passes = png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    c->failed = weft_image_new(c->ctx, (int) png_get_image_width(c->png, c->info), (int) png_get_image_height(c->png, c->info),
                               png_get_channels(c->png, c->info), png_get_bit_depth(c->png, c->info), &c->image);
    if (c->failed != WEFT_OK) return c->failed;
    const size_t row = weft_image_row_bytes(c->image);
    if (png_get_rowbytes(c->png, c->info) != row) png_error(c->png, "rows of an unexpected size");
    keep_colour(c);
    if (c->failed != WEFT_OK) return c->failed;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < c->image->info.height; y++) png_read_row(c->png, (png_bytep) c->image->data + (size_t) y * row, NULL);
    png_read_end(c->png, NULL);
    return WEFT_OK;
}

weft_result weft_png_decode(weft_context *ctx, const void *data, size_t bytes, weft_image **out)
{
    struct codec c = { .ctx = ctx, .at = data, .left = bytes };
    c.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning, &c, take_memory, give_memory);
    if (!c.png) return weft_fail_memory(sizeof c);
    c.info = png_create_info_struct(c.png);
    weft_result r = c.info ? read_png(&c) : WEFT_ERR_MEMORY;
    png_destroy_read_struct(&c.png, &c.info, NULL);
    if (r != WEFT_OK) return weft_image_free(c.image), r;
    *out = c.image;
    return WEFT_OK;
}

static void write_bytes(png_structp png, png_bytep data, size_t bytes)
{
    struct codec *c = png_get_io_ptr(png);
    c->failed = weft_file_put(c->writer, data, bytes);
    if (c->failed != WEFT_OK) png_error(png, "cannot write");
}
static void flush_bytes(png_structp png) { (void) png; }

static void put_colour(struct codec *c)
{
    const weft_colour *k = &c->source->colour;
    const weft_image_info *i = &c->source->info;
    const int32_t *w = k->chroma;
    if (k->has_gamma) png_set_gAMA_fixed(c->png, c->info, k->gamma);
    if (k->has_chroma) png_set_cHRM_fixed(c->png, c->info, w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]);
    if (k->has_srgb) png_set_sRGB(c->png, c->info, k->srgb_intent);
    if (i->icc_bytes) png_set_iCCP(c->png, c->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, i->icc, (png_uint_32) i->icc_bytes);
}

static weft_result write_png(struct codec *c)
{
    static const int types[] = { 0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA };
    const weft_image_info *i = &c->source->info;
    if (setjmp(png_jmpbuf(c->png))) return failure(c, "PNG writing failed");
    png_set_benign_errors(c->png, 1);
    png_set_user_limits(c->png, 0x7fffffff, 0x7fffffff);
    png_set_write_fn(c->png, c, write_bytes, flush_bytes);
    png_set_IHDR(c->png, c->info, (png_uint_32) i->width, (png_uint_32) i->height, i->bits, types[i->channels],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    put_colour(c);
    png_write_info(c->png, c->info);
    if (i->bits == 16 && little_endian()) png_set_swap(c->png);
    for (int y = 0; y < i->height; y++)
        png_write_row(c->png, (png_const_bytep) c->source->data + (size_t) y * weft_image_row_bytes(c->source));
    png_write_end(c->png, NULL);
    return WEFT_OK;
}

weft_result weft_png_encode(const weft_image *image, weft_file_writer *w)
{
    struct codec c = { .ctx = image->ctx, .source = image, .writer = w };
    c.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning, &c, take_memory, give_memory);
    if (!c.png) return weft_fail_memory(sizeof c);
    c.info = png_create_info_struct(c.png);
    const weft_result r = c.info ? write_png(&c) : WEFT_ERR_MEMORY;
    png_destroy_write_struct(&c.png, &c.info);
    return r;
}
