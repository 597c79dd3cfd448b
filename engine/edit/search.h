// SPDX-License-Identifier: MIT
// One job of an inverter under way: what goes in, what was found so far, and the log.
#pragma once
#include "edit/fit.h"
#include "edit/inverter.h"
#include "edit/sheet.h"

enum { WEFT_SEARCH_INPUTS = 256 };

typedef struct weft_search {
    weft_inverter *p;
    const weft_invert_job *job;
    weft_fit fit;
    weft_arena arena;
    weft_io known[WEFT_SEARCH_INPUTS]; // inputs by name
    int known_count;
    float *latents[WEFT_OBJECTIVE_LATENTS], *maps[WEFT_OBJECTIVE_LATENTS];
    float *log[2];    // of each stage, [steps, columns]
    int done[2];      // steps of each
    int stage;        // the one under way
    double best;      // loss that counts as a gain, for patience
    int best_step;
    bool stopped;     // the first stage, before its end
    int here;         // steps of this stage done since it was taken up
    int64_t run_ns;   // which took so long
    weft_sheet sheet;
    char key[40];     // see weft_search_key
    weft_inversion *v; // what is given back
} weft_search;

// --- search_inputs.c: what sessions take, by name. ---

typedef struct weft_variable { // what is searched for: latents, then noise maps
    const char *name; // of the state
    float **data;     // where r keeps it
    int64_t count;
} weft_variable;

int weft_search_variables(const weft_search *r); // how many
weft_variable weft_search_variable(weft_search *r, int i);
weft_result weft_search_collect(weft_search *r); // makes room for variables, and finds the photo's features
weft_result weft_search_inputs(const weft_search *r, const weft_session *s, weft_io in[WEFT_SEARCH_INPUTS], int *count);
// The picture from latents and maps as they are in r; ws: the w's of it, or NULL.
weft_result weft_search_render(weft_search *r, weft_session *s, float *image, float *ws);
weft_result weft_search_fetch(weft_search *r); // the variables, from the first stage's session

// --- search_file.c: checkpoints. ---

void weft_search_key(weft_search *r);           // what an inversion's numbers depend on, in a word; once everything is known
weft_result weft_search_save(weft_search *r);   // nothing, if the job has no checkpoint
weft_result weft_search_resume(weft_search *r); // nothing, if there is none
// A state of a session as an array "state/<name>" in the arena; refused, if a number is not finite.
weft_result weft_search_state(weft_arena *a, weft_session *s, const weft_port *port, weft_array *to);

// --- search.c ---

weft_result weft_search_go(weft_search *r);     // all stages, to their ends

// --- inversion.c ---

weft_result weft_search_finish(weft_search *r); // fills r->v
