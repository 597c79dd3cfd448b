// SPDX-License-Identifier: MIT
// What a generator is made of: the entries of its model, and the sessions that were asked for. For generator.c and generator_parts.c alone.
#pragma once
#include "edit/generator.h"

typedef enum weft_part_kind { SYNTHESIS, WITH_NOISE, WITHOUT_NOISE, MAPPING, AVERAGE, STYLES, FROM_STYLES, PART_COUNT } weft_part_kind;
extern const char *const weft_part_names[PART_COUNT]; // as the entries are called

typedef struct weft_part {
    int entry;          // -1: the model has none
    const weft_port *in, *out;
    int in_count, out_count;
    int fixed;          // its n is this number; 0: any
    weft_session *session;
    int batch;          // of the session
} weft_part;

struct weft_generator {
    weft_context *ctx;
    weft_device *dev;
    const weft_model *model;
    weft_generator_params params;
    weft_generator_info info;
    double low, high;   // black and white
    float *average;     // [layers, w], once it was asked for
    int run, runs;      // which one is under way, for the progress callback
    weft_part part[PART_COUNT];
};

enum { WEFT_GENERATOR_PORTS = 128 }; // of an entry, at most

// Finds the parts of g->model, checks that each has the ports it should and that they agree, and says in g->info what they are.
weft_result weft_generator_look(weft_generator *g);
