// SPDX-License-Identifier: MIT
// What a model means by its ports: <weft/edit.h> has the metadata keys.
#pragma once
#include <weft/edit.h>
#include <stdbool.h>

enum { WEFT_MAX_PLANES = 8 };
typedef enum weft_plane { WEFT_PLANE_IMAGE, WEFT_PLANE_ONE, WEFT_PLANE_MASK } weft_plane;

typedef struct weft_convention {
    int entry;
    const char *image, *mask, *output; // port names; mask NULL: a plane of the image input, or not at all
    int colours, mask_channels, output_colours; // 3 or 1
    int64_t width, height;             // the model's only size; 0: any that is a multiple of:
    int64_t width_multiple, height_multiple;
    weft_plane planes[WEFT_MAX_PLANES];
    int plane_count;
    double low, high, output_low, output_high; // black and white
    bool output_normal;                        // mean and std hold for the output too
    double mean[3], std[3];
    bool keep_hole;
    double hole_value, mask_hole;
} weft_convention;

weft_result weft_convention_read(const weft_model *m, const char *entry, weft_convention *out);
// Reads a range such as -1..1; leaves the numbers as they are where the model does not have the key.
weft_result weft_convention_range(const weft_model *m, const char *key, double *low, double *high);
