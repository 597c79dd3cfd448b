// SPDX-License-Identifier: MIT
// Pictures in memory and in files: PNG and JPEG, 8 or 16 bits, with alpha and colour profile.
#ifndef WEFT_IMAGE_H
#define WEFT_IMAGE_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_image weft_image;

typedef struct weft_image_info {
    int width, height; // 1 to WEFT_IMAGE_MAX_SIDE, together at most WEFT_IMAGE_MAX_PIXELS
    int channels;      // 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha; alpha is not multiplied in
    int bits;          // 8: samples are uint8_t; 16: uint16_t in the machine's byte order
    size_t icc_bytes;  // of the colour profile; 0: none. Samples are left as the file has them.
    const void *icc;   // lives as long as the image
} weft_image_info;
#define WEFT_IMAGE_MAX_SIDE 65500
#define WEFT_IMAGE_MAX_PIXELS (1 << 28)

// Black, and transparent where it has alpha.
WEFT_API weft_result weft_image_create(weft_context *ctx, int width, int height, int channels, int bits, weft_image **out);
WEFT_API weft_result weft_image_copy(const weft_image *image, weft_image **out); // profile and all
WEFT_API void weft_image_destroy(weft_image **image);

WEFT_API const weft_image_info *weft_image_get_info(const weft_image *image);
// Rows from the top, channels interleaved, no gaps.
WEFT_API void *weft_image_data(weft_image *image);
WEFT_API const void *weft_image_view(const weft_image *image);

// The picture at another size: the mean of the area that a pixel covers where it shrinks, bilinear where it grows (pixel centres
// at 0.5), each axis by itself. Transparent pixels lend no colour. Profile and depth stay.
WEFT_API weft_result weft_image_resize(const weft_image *image, int width, int height, weft_image **out);
// A part of the picture, which must lie inside it.
WEFT_API weft_result weft_image_crop(const weft_image *image, int x, int y, int width, int height, weft_image **out);

// Reads a PNG or JPEG file, told apart by content and not by name. Palettes and 1, 2 or 4 bits become 8 bits; a
// JPEG is turned as its EXIF orientation says. Errors: WEFT_ERR_IO, WEFT_ERR_FORMAT (also for a picture that is cut
// off), WEFT_ERR_UNSUPPORTED (too large, CMYK), WEFT_ERR_MEMORY.
WEFT_API weft_result weft_image_load(weft_context *ctx, const char *path, weft_image **out);
// The same from memory; `name` stands for it in errors (NULL: "memory").
WEFT_API weft_result weft_image_load_memory(weft_context *ctx, const void *data, size_t bytes, const char *name,
                                            weft_image **out);

typedef enum weft_image_format {
    WEFT_IMAGE_BY_NAME, // .png, .jpg or .jpeg, in any case
    WEFT_IMAGE_PNG,     // keeps every sample
    WEFT_IMAGE_JPEG,    // 8 bits; refuses pictures that are somewhere transparent
} weft_image_format;
typedef struct weft_image_save_params {
    weft_image_format format;
    int quality; // of a JPEG, 1 to 100; 0: 95. From 90 on colour is kept at full resolution.
} weft_image_save_params;

// Writes atomically: the file appears whole or not at all. params NULL: by name.
WEFT_API weft_result weft_image_save(const weft_image *image, const char *path, const weft_image_save_params *params);

#ifdef __cplusplus
}
#endif
#endif // WEFT_IMAGE_H
