// SPDX-License-Identifier: MIT
// The pieces of `weft edit`.
#pragma once
#include "latents.h"

struct edit_options {
    device_options device;
    latent_options latent;
    const char *out, *sheet, *save;
    text_list direction, strength, layers, condition;
    const char *mix, *mix_layers;
    const char *scores;
    int components, samples, sample_seed;
    double threshold, share, cost, held;
    const char *photo, *edited, *mask, *region;
    int mask_mode, blend;
    double feather;
    int columns, bits, memory;
};

// --- Directions. -----------------------------------------------------------------------------------------------

typedef struct direction {
    float *data;       // [layers, w]
    int layers;        // 1: the same for all
    uint64_t chosen;   // the layers it moves
    double *strength;  // one for all steps, or one for each
    int strengths;
} direction;
typedef struct directions { direction at[LIST_MOST]; int count, steps; } directions;

// From --direction, --strength and --layers. CODE_OK or an exit code, with the failure printed.
int directions_read(const call *c, const weft_generator_info *i, directions *out);
void directions_free(directions *d);

// --find-pca and --find-plane. The first needs a generator.
int find_pca(const call *c, generator_use *u);
int find_plane(const call *c);

// --- Stitching. ------------------------------------------------------------------------------------------------

typedef struct stitching { weft_image *photo, *mask; weft_stitch_params params; } stitching;
int stitching_open(const call *c, stitching *s); // --photo, --mask and how; nothing without --photo
void stitching_close(stitching *s);
int stitching_make(const call *c, const stitching *s, const weft_image *edit, weft_image **out);
