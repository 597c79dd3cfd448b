// SPDX-License-Identifier: MIT
// What an inversion makes small, as models: generator, losses and networks put together by builder calls.
#pragma once
#include "base/arena.h"
#include <weft/generate.h>
#include <stdbool.h>
#include <weft/build.h>
#include <weft/invert.h>

// --- A generator, by its entries and metadata. -------------------------------------------------------------------

typedef struct weft_source {
    const weft_model *model;
    int synthesis, synthesis_none, synthesis_noise, mapping, styles, synthesis_styles; // entries; -1: none
    weft_generator_info info; // z 0: without mapping
    double low, high;         // black and white
} weft_source;
weft_result weft_source_read(const weft_model *m, const weft_generator_info *info, weft_source *out);

enum { WEFT_OBJECTIVE_LATENTS = 128 }; // at most, and as many noise maps

// --- What is looked for. -----------------------------------------------------------------------------------------

typedef struct weft_latent { // "w", "z" or a style
    const char *name;
    weft_shape shape;   // without the dimension of segments in front
    float *mean;        // of that shape
    float *start;       // where nothing else says it
    double std;         // the root of the mean squared distance from the mean, as the projector has it
} weft_latent;

typedef struct weft_objective {
    weft_context *ctx;
    weft_arena *arena; // of everything here
    weft_source source;
    weft_space space;
    weft_maps maps_mode;
    int class_index;
    bool latent_noise;    // every latent has an input "<name>.noise" that is added to it
    weft_latent *latents; int latent_count;
    const weft_port *maps; int map_count; // noise maps that are looked for
    weft_loss *losses; int loss_count;
    const char **names;   // of the terms
    // Differ from photo to photo:
    int segments;         // latents of each kind
    bool blended, masked; // there are inputs "segments" [k, 1, h, w] and "mask" [1, 1, h, w]
} weft_objective;

// Gives the terms names, and checks that each has what it needs. The arena holds what is made.
weft_result weft_objective_check(weft_objective *o);

// The features of the photo that the terms compare with: input "target" [1, 3, h, w] -> outputs "<term>.<tap>". *out stays
// NULL where no term has a network. They are inputs of the same names of the next one.
weft_result weft_objective_targets(const weft_objective *o, weft_model **out);

// One entry: latents [k, ..], their noise, noise maps, "target", "mask", "segments", features -> "loss", the terms by name, "image"
// [1, 3, h, w] in -1..1. Weights of the generator have their names.
weft_result weft_objective_model(const weft_objective *o, const weft_model *targets, weft_model **out);

// The picture alone, from latents, noise maps and, blended, "target" and "segments": "image", and "ws" (not for space s).
weft_result weft_objective_render(const weft_objective *o, const weft_model *generator, weft_model **out);
