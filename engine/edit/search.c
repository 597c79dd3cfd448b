// SPDX-License-Identifier: MIT
// The search for latents, then for weights: chunks of steps that the device does alone, and between them a look at the losses.
#include "edit/search.h"
#include "base/clock.h"
#include "base/status.h"
#include "edit/start.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPORT_SECONDS 0.25 // how long a chunk may keep the caller waiting
#define LEAST_GAIN 1e-3     // what counts as falling, of the loss, for patience

// --- Frames for the contact sheet. ---

// The step at which frame k is taken.
static int frame_step(const weft_inverter *p, int k)
{
    const int frames = weft_inverter_frames(p);
    return frames < 2 ? p->params.steps : (int) ((int64_t) p->params.steps * k / (frames - 1));
}

static int next_frame(const weft_inverter *p, int done) // the first step behind `done` at which one is taken
{
    for (int k = 0; k < weft_inverter_frames(p); k++)
        if (frame_step(p, k) > done) return frame_step(p, k);
    return p->params.steps;
}

// How many should have been taken by then.
static int frames_due(const weft_inverter *p, int done)
{
    int due = 0;
    for (int k = 0; k < weft_inverter_frames(p); k++) due += frame_step(p, k) <= done && (!k || frame_step(p, k) != frame_step(p, k - 1));
    return due;
}

static weft_result take_frame(weft_search *r)
{
    const size_t area = (size_t) r->fit.width * (size_t) r->fit.height;
    float *image = weft_new(r->p->ctx, sizeof *image * 3 * area);
    weft_result result = image ? weft_search_fetch(r) : WEFT_ERR_MEMORY;
    if (result == WEFT_OK) result = weft_search_render(r, r->p->render, image, NULL);
    if (result == WEFT_OK) result = weft_sheet_add(&r->sheet, image);
    weft_delete(r->p->ctx, image);
    return result;
}

// --- The loop. ---

static weft_result read_log(weft_search *r)
{
    const weft_stage *s = &r->p->stages[r->stage];
    return weft_session_get_state(s->session, "log", r->log[r->stage], sizeof(float) * (size_t) s->steps * (size_t) weft_inverter_columns(r->p));
}

static weft_result check_losses(const weft_search *r, int from)
{
    const int columns = weft_inverter_columns(r->p);
    for (int i = from; i < r->done[r->stage]; i++)
        for (int k = columns - 1; k >= 0; k--) { // the terms tell more than their sum
            const float v = r->log[r->stage][i * columns + k];
            if (isfinite(v)) continue;
            return weft_fail(WEFT_ERR_NUMERIC, "%s %d: the %s%s is %s; %s%s", r->stage ? "tuning step" : "step", i + 1, k ? "term " : "", r->p->columns[k],
                             v != v ? "NaN" : "infinite", r->job->checkpoint ? "the last checkpoint is as it was; " : "",
                             r->p->params.precision != WEFT_EXACT ? "try precision exact" : "try a smaller learning rate");
        }
    return WEFT_OK;
}

// Whether losses up to step `to` say stop.
static bool should_stop(weft_search *r, int from, int to)
{
    const weft_invert_params *p = &r->p->params;
    for (int i = from; i < to; i++) {
        const double loss = r->log[r->stage][i * weft_inverter_columns(r->p)];
        const double enough = r->stage ? p->tune_stop_loss : p->stop_loss;
        if (i == 0 || loss < r->best * (1 - LEAST_GAIN)) r->best = loss, r->best_step = i;
        if (enough > 0 && loss < enough) return true;
    }
    return !r->stage && p->patience > 0 && to - r->best_step > p->patience;
}

static double speed(const weft_search *r) { return r->here && r->run_ns ? r->here / (1e-9 * (double) r->run_ns) : 0; }

static weft_result report(const weft_search *r)
{
    const weft_inverter *p = r->p;
    const int done = r->done[r->stage];
    if (!p->params.progress) return WEFT_OK;
    const weft_invert_progress now = {
        .step = done, .steps = p->stages[r->stage].steps, .tuning = r->stage, .loss_count = weft_inverter_columns(p), .loss_names = p->columns,
        .losses = r->log[r->stage] + (done - 1) * weft_inverter_columns(p), .steps_per_second = speed(r),
    };
    return p->params.progress(p->params.progress_user, &now) ? weft_fail(WEFT_ERR_CANCELLED, "stopped after step %d", done) : WEFT_OK;
}

// As many steps as may go without a look: to the next check, frame or checkpoint, but not for long.
static int next_chunk(const weft_search *r)
{
    const weft_inverter *p = r->p;
    const int done = r->done[r->stage], steps = p->stages[r->stage].steps, check = p->params.check_every, save_every = p->params.checkpoint_every;
    int end = (done / check + 1) * check;
    if (end > steps) end = steps;
    if (!r->stage && next_frame(p, done) < end) end = next_frame(p, done);
    if (r->job->checkpoint && (done / save_every + 1) * save_every < end) end = (done / save_every + 1) * save_every;
    const double patient = speed(r) * REPORT_SECONDS;
    const int most = r->here ? patient < 1 ? 1 : patient > 1e6 ? 1000000 : (int) patient : 1;
    return end - done < most ? end - done : most;
}

static weft_result do_chunk(weft_search *r, int count)
{
    weft_session *s = r->p->stages[r->stage].session;
    const int64_t start = weft_nanoseconds();
    if (!r->here) { // the inputs go up with the first
        weft_io in[WEFT_SEARCH_INPUTS];
        int inputs;
        WEFT_TRY(weft_search_inputs(r, s, in, &inputs));
        WEFT_TRY(weft_session_run(s, in, inputs, NULL, 0));
        count = 1;
    } else WEFT_TRY(weft_session_repeat(s, count));
    r->done[r->stage] += count, r->here += count;
    r->run_ns += weft_nanoseconds() - start;
    return read_log(r);
}

static weft_result cancelled(weft_search *r, weft_result why) // a stop is no reason to lose what was found
{
    char text[256];
    snprintf(text, sizeof text, "%s", weft_error_text());
    const weft_result r2 = weft_search_save(r);
    return r2 == WEFT_OK ? weft_fail(why, "%s", text) : r2;
}

static weft_result go_stage(weft_search *r)
{
    weft_inverter *p = r->p;
    const weft_stage *s = &p->stages[r->stage];
    int checked = 0; // steps whose losses have been looked at
    r->here = 0, r->run_ns = 0;
    if (r->done[r->stage]) WEFT_TRY(read_log(r));
    for (;;) {
        const int done = r->done[r->stage], check = p->params.check_every;
        WEFT_TRY(check_losses(r, checked));
        const int whole = done == s->steps ? done : done / check * check;
        const bool stop = done < s->steps && whole > checked && should_stop(r, checked, whole);
        checked = whole > checked ? whole : checked;
        r->stopped |= stop && !r->stage;
        if (!r->stage && frames_due(p, done) > r->sheet.count) WEFT_TRY(take_frame(r));
        if (done == s->steps || stop) return WEFT_OK;
        if (r->here && r->job->checkpoint && done % p->params.checkpoint_every == 0) WEFT_TRY(weft_search_save(r));
        WEFT_TRY(do_chunk(r, next_chunk(r)));
        WEFT_TRY(check_losses(r, done));
        const weft_result asked = report(r);
        if (asked != WEFT_OK) return cancelled(r, asked);
    }
}

static weft_result start_search(weft_search *r)
{
    weft_session *s = r->p->stages[0].session;
    WEFT_TRY(weft_session_set_state(s, NULL, NULL, 0));
    for (int i = 0; i < weft_search_variables(r); i++) {
        const weft_variable v = weft_search_variable(r, i);
        WEFT_TRY(weft_session_set_state(s, v.name, *v.data, sizeof(float) * (size_t) v.count));
    }
    return WEFT_OK;
}

static void measure(weft_search *r, int stage_index)
{
    weft_session_facts f;
    weft_invert_facts *to = &r->v->facts;
    weft_session_measure(r->p->stages[stage_index].session, &f);
    const size_t bytes = f.weight_bytes + f.workspace_bytes + f.state_bytes;
    if (bytes > to->bytes) to->bytes = bytes;
    if (!stage_index || r->p->params.tune > 0) to->run_ns += r->run_ns;
    if (!stage_index) to->dispatches = f.dispatches, to->submissions = f.submissions, to->steps_per_second = speed(r);
}

weft_result weft_search_go(weft_search *r)
{
    WEFT_TRY(start_search(r));
    WEFT_TRY(weft_search_resume(r));
    if (r->stage == 0) {
        WEFT_TRY(go_stage(r));
        WEFT_TRY(weft_search_fetch(r));
        measure(r, 0);
    }
    if (r->p->params.tune <= 0) return weft_search_save(r);
    if (r->stage == 0) {
        WEFT_TRY(weft_search_save(r));
        WEFT_TRY(weft_inverter_tuning(r->p));
        r->stage = 1;
        WEFT_TRY(weft_session_set_state(r->p->stages[1].session, NULL, NULL, 0));
    }
    WEFT_TRY(go_stage(r));
    measure(r, 1);
    return weft_search_save(r);
}
