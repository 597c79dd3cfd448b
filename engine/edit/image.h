// SPDX-License-Identifier: MIT
// What a weft_image is made of, and the two codecs.
#pragma once
#include "base/context.h"
#include "base/file.h"
#include <weft/image.h>

typedef struct weft_colour { // what a PNG says about its colours besides the profile; passed through
    bool has_gamma, has_srgb, has_chroma;
    int32_t gamma, chroma[8];
    int srgb_intent;
} weft_colour;

struct weft_image {
    weft_context *ctx;
    weft_image_info info;
    weft_colour colour;
    void *data;
};

static inline int weft_image_colours(const weft_image *i) { return i->info.channels < 3 ? 1 : 3; }
static inline bool weft_image_has_alpha(const weft_image *i) { return i->info.channels % 2 == 0; }
static inline size_t weft_image_row_bytes(const weft_image *i)
{
    return (size_t) i->info.width * (size_t) i->info.channels * (size_t) (i->info.bits / 8);
}
static inline uint32_t weft_image_white(const weft_image *i) { return i->info.bits == 16 ? 65535 : 255; }
static inline uint32_t weft_image_sample(const weft_image *i, int64_t pixel, int channel)
{
    const int64_t at = pixel * i->info.channels + channel;
    return i->info.bits == 16 ? ((const uint16_t *) i->data)[at] : ((const uint8_t *) i->data)[at];
}
static inline void weft_image_put(weft_image *i, int64_t pixel, int channel, uint32_t sample)
{
    const int64_t at = pixel * i->info.channels + channel;
    if (i->info.bits == 16) ((uint16_t *) i->data)[at] = (uint16_t) sample;
    else ((uint8_t *) i->data)[at] = (uint8_t) sample;
}

weft_result weft_image_new(weft_context *ctx, int width, int height, int channels, int bits, weft_image **out);
weft_result weft_image_duplicate(const weft_image *image, weft_image **out);
void weft_image_free(weft_image *image);
weft_result weft_image_set_icc(weft_image *image, const void *icc, size_t bytes); // copied
weft_result weft_image_check_size(uint64_t width, uint64_t height);

weft_result weft_image_scale(const weft_image *image, int width, int height, weft_image **out); // resize.c
weft_result weft_image_part(const weft_image *image, int x, int y, int width, int height, weft_image **out);

weft_result weft_image_decode(weft_context *ctx, const void *data, size_t bytes, weft_image **out); // by content
weft_result weft_image_encode(const weft_image *image, const char *path, const weft_image_save_params *params);

// png.c, jpeg.c. Error texts do not name the file.
bool weft_png_is(const void *data, size_t bytes);
bool weft_jpeg_is(const void *data, size_t bytes);
weft_result weft_png_decode(weft_context *ctx, const void *data, size_t bytes, weft_image **out);
weft_result weft_jpeg_decode(weft_context *ctx, const void *data, size_t bytes, weft_image **out);
weft_result weft_png_encode(const weft_image *image, weft_file_writer *w);
weft_result weft_jpeg_encode(const weft_image *image, int quality, weft_file_writer *w);
// Image `turned` as EXIF orientation 2 to 8 says; consumes `image`.
weft_result weft_image_turn(weft_image *image, int orientation, weft_image **out);
