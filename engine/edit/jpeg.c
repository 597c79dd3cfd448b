// SPDX-License-Identifier: MIT
// JPEG through libjpeg-turbo: 8 bits, grey or RGB, turned upright as EXIF says.
#include "edit/image.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

enum { MAX_SCANS = 500, WRITE_BYTES = 16 << 10 };

// Everything lives here and not in locals, because libjpeg reports errors by longjmp.
struct codec {
    struct jpeg_error_mgr errors; // first: libjpeg hands out a pointer to it
    jmp_buf escape;
    weft_context *ctx;
    weft_result failed; // of a callback; the error text is set already
    bool cut_off;
    char text[JMSG_LENGTH_MAX];
    struct jpeg_decompress_struct in;
    struct jpeg_compress_struct out;
    struct jpeg_progress_mgr progress;
    struct jpeg_destination_mgr to;
    weft_file_writer *writer;
    unsigned char *buffer; // WRITE_BYTES
    weft_image *image;
    const weft_image *source;
    unsigned char *row;
    JOCTET *icc;
    int orientation;
};

static void on_error(j_common_ptr j)
{
    struct codec *c = (struct codec *) j->err;
    j->err->format_message(j, c->text);
    longjmp(c->escape, 1);
}

static void on_message(j_common_ptr j, int level)
{
    struct codec *c = (struct codec *) j->err;
    char text[JMSG_LENGTH_MAX];
    if (level >= 0) return;
    if (j->err->msg_code == JWRN_JPEG_EOF) c->cut_off = true;
    j->err->format_message(j, text);
    weft_log(c->ctx, WEFT_LOG_DEBUG, "jpeg: %s", text);
}
static void be_silent(j_common_ptr j) { (void) j; }

static weft_result failure(const struct codec *c, const char *what)
{
    if (c->failed != WEFT_OK) return c->failed;
    if (c->errors.msg_code == JERR_OUT_OF_MEMORY) return weft_fail(WEFT_ERR_MEMORY, "out of memory in the JPEG library");
    return weft_fail(WEFT_ERR_FORMAT, "%s: %s", what, c->text);
}

static struct codec *new_codec(weft_context *ctx)
{
    struct codec *c = weft_new(ctx, sizeof *c);
    if (!c) return NULL;
    c->ctx = ctx;
    jpeg_std_error(&c->errors);
    c->errors.error_exit = on_error;
    c->errors.emit_message = on_message;
    c->errors.output_message = be_silent;
    return c;
}

bool weft_jpeg_is(const void *data, size_t bytes) { return bytes >= 3 && !memcmp(data, "\xff\xd8\xff", 3); }

// A small progressive file can hold very many scans of a large picture: hours of work.
static void count_scans(j_common_ptr j)
{
    struct codec *c = (struct codec *) j->err;
    if (c->in.input_scan_number <= MAX_SCANS) return;
    snprintf(c->text, sizeof c->text, "more than %d scans", MAX_SCANS);
    longjmp(c->escape, 1);
}

static uint32_t number(const unsigned char *p, int bytes, bool big)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[big ? i : bytes - 1 - i];
    return v;
}

// Orientation (tag 0x0112) of the first directory of a TIFF block; 1 when there is none.
static int tiff_orientation(const unsigned char *t, size_t bytes)
{
    if (bytes < 8 || (memcmp(t, "II*\0", 4) && memcmp(t, "MM\0*", 4))) return 1;
    const bool big = t[0] == 'M';
    const size_t directory = number(t + 4, 4, big);
    if (directory > bytes - 2) return 1;
    const size_t entries = number(t + directory, 2, big);
    for (size_t i = 0; i < entries; i++) {
        const size_t at = directory + 2 + 12 * i;
        if (at + 12 > bytes) return 1;
        if (number(t + at, 2, big) != 0x0112 || number(t + at + 2, 2, big) != 3) continue;
        const int value = (int) number(t + at + 8, 2, big);
        return value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

static int exif_orientation(jpeg_saved_marker_ptr m)
{
    for (; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && !memcmp(m->data, "Exif\0\0", 6))
            return tiff_orientation(m->data + 6, m->data_length - 6);
    return 1;
}

static weft_result read_jpeg(struct codec *c, const void *data, size_t bytes)
{
    struct jpeg_decompress_struct *in = &c->in;
    unsigned int icc_bytes;
    if (setjmp(c->escape)) return failure(c, "a broken JPEG picture");
    jpeg_create_decompress(in);
    c->progress.progress_monitor = count_scans;
    in->progress = &c->progress;
    jpeg_mem_src(in, data, bytes);
    jpeg_save_markers(in, JPEG_APP0 + 1, 0xffff);
    jpeg_save_markers(in, JPEG_APP0 + 2, 0xffff);
    jpeg_read_header(in, TRUE);
    c->failed = weft_image_check_size(in->image_width, in->image_height);
    if (c->failed != WEFT_OK) return c->failed;
    if (in->num_components != 1 && in->num_components != 3)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "a JPEG picture of %d colours (CMYK?); convert it to RGB", in->num_components);
    in->out_color_space = in->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(in);
    c->failed = weft_image_new(c->ctx, (int) in->output_width, (int) in->output_height, in->output_components, 8, &c->image);
    if (c->failed != WEFT_OK) return c->failed;
    while (in->output_scanline < in->output_height) {
        JSAMPROW row = (JSAMPROW) c->image->data + in->output_scanline * weft_image_row_bytes(c->image);
        jpeg_read_scanlines(in, &row, 1);
        if (c->cut_off) return weft_fail(WEFT_ERR_FORMAT, "a broken JPEG picture: the file is cut off in row %u of %u", in->output_scanline, in->output_height);
    }
    c->orientation = exif_orientation(in->marker_list); // finishing frees the markers
    if (jpeg_read_icc_profile(in, &c->icc, &icc_bytes)) c->failed = weft_image_set_icc(c->image, c->icc, icc_bytes);
    jpeg_finish_decompress(in);
    return c->failed;
}

weft_result weft_jpeg_decode(weft_context *ctx, const void *data, size_t bytes, weft_image **out)
{
    struct codec *c = new_codec(ctx);
    if (!c) return WEFT_ERR_MEMORY;
    c->in.err = &c->errors;
    weft_result r = read_jpeg(c, data, bytes);
    const int orientation = c->orientation;
    jpeg_destroy_decompress(&c->in);
    free(c->icc);
    weft_image *image = c->image;
    weft_delete(ctx, c);
    if (r != WEFT_OK) return weft_image_free(image), r;
    if (orientation > 1) return weft_image_turn(image, orientation, out);
    *out = image;
    return WEFT_OK;
}

static void start_buffer(j_compress_ptr j)
{
    struct codec *c = (struct codec *) j->err;
    c->to.next_output_byte = c->buffer;
    c->to.free_in_buffer = WRITE_BYTES;
}

static void put(struct codec *c, size_t bytes)
{
    c->failed = weft_file_put(c->writer, c->buffer, bytes);
    if (c->failed != WEFT_OK) longjmp(c->escape, 1);
}

static boolean full_buffer(j_compress_ptr j)
{
    put((struct codec *) j->err, WRITE_BYTES);
    start_buffer(j);
    return TRUE;
}
static void end_buffer(j_compress_ptr j)
{
    struct codec *c = (struct codec *) j->err;
    put(c, WRITE_BYTES - c->to.free_in_buffer);
}

static void fill_row(const struct codec *c, int64_t y)
{
    const weft_image *i = c->source;
    const int colours = weft_image_colours(i);
    for (int64_t x = 0; x < i->info.width; x++)
        for (int k = 0; k < colours; k++) {
            const uint32_t v = weft_image_sample(i, y * i->info.width + x, k);
            c->row[x * colours + k] = (unsigned char) (i->info.bits == 16 ? (v * 255 + 32767) / 65535 : v);
        }
}

static weft_result write_jpeg(struct codec *c, int quality)
{
    struct jpeg_compress_struct *out = &c->out;
    const weft_image_info *i = &c->source->info;
    if (setjmp(c->escape)) return failure(c, "JPEG writing failed");
    jpeg_create_compress(out);
    c->to = (struct jpeg_destination_mgr) { .init_destination = start_buffer, .empty_output_buffer = full_buffer, .term_destination = end_buffer };
    out->dest = &c->to;
    out->image_width = (JDIMENSION) i->width;
    out->image_height = (JDIMENSION) i->height;
    out->input_components = weft_image_colours(c->source);
    out->in_color_space = out->input_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, quality, TRUE);
    if (quality >= 90) out->comp_info[0].h_samp_factor = out->comp_info[0].v_samp_factor = 1;
    out->optimize_coding = TRUE;
    jpeg_start_compress(out, TRUE);
    if (i->icc_bytes) jpeg_write_icc_profile(out, i->icc, (unsigned int) i->icc_bytes);
    while (out->next_scanline < out->image_height) {
        JSAMPROW row = c->row;
        fill_row(c, out->next_scanline);
        jpeg_write_scanlines(out, &row, 1);
    }
    jpeg_finish_compress(out);
    return WEFT_OK;
}

weft_result weft_jpeg_encode(const weft_image *image, int quality, weft_file_writer *w)
{
    weft_context *ctx = image->ctx;
    struct codec *c = new_codec(ctx);
    weft_result r = WEFT_ERR_MEMORY;
    if (!c) return r;
    c->out.err = &c->errors;
    c->source = image;
    c->writer = w;
    c->row = weft_new(ctx, (size_t) image->info.width * 3);
    c->buffer = weft_new(ctx, WRITE_BYTES);
    if (c->row && c->buffer) r = write_jpeg(c, quality);
    jpeg_destroy_compress(&c->out);
    weft_delete(ctx, c->row);
    weft_delete(ctx, c->buffer);
    weft_delete(ctx, c);
    return r;
}
