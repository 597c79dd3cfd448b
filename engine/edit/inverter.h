// SPDX-License-Identifier: MIT
// What inversions of one generator share: the objective, and models and sessions for one kind of job.
#pragma once
#include "edit/generator.h"
#include "edit/invert.h"
#include "edit/objective.h"

typedef struct weft_stage { // one optimisation
    weft_model *model;
    weft_session *session;
    int steps;
    const char *const *variables; // states to keep
    int variable_count;
} weft_stage;

struct weft_inverter {
    weft_context *ctx;
    weft_device *dev;
    weft_device *host; // for the mean latent, which so is the same whatever the device
    weft_generator *generator;
    weft_invert_params params;
    weft_arena arena, kind; // what stays; what belongs to one kind of job
    weft_objective o;
    bool made;
    weft_model *targets, *render_model;
    weft_session *features, *render;
    weft_stage stages[2]; // latents; weights
    const char *const *columns; // "loss", then the terms
    int64_t build_ns;
};

// Models and sessions for jobs like this one. Those that are there already stay.
weft_result weft_inverter_prepare(weft_inverter *p, const weft_invert_job *job);
// The second stage. Made when it is needed: it holds the weights twice more.
weft_result weft_inverter_tuning(weft_inverter *p);

int weft_inverter_columns(const weft_inverter *p); // of the log
int weft_inverter_frames(const weft_inverter *p);  // on the contact sheet
