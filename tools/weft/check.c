// SPDX-License-Identifier: MIT
// weft check: a device against the truth, node by node.
#include "dims.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_options {
    device_options device;
    const char *entry;
    int against, seed, no_fuse;
    double tolerance;
    text_list dims;
};
static const option check_options[] = {
    { "entry", 'e', OPTION_TEXT, "NAME", offsetof(struct check_options, entry), "only this entry; default: all" },
    DEVICE_OPTIONS(struct check_options),
    PRECISION_OPTION(struct check_options),
    { "against", 0, OPTION_CHOICE, "reference|cpu", offsetof(struct check_options, against), "what is right: plain loops (the default), or the much faster cpu" },
    { "tolerance", 't', OPTION_REAL, "ERROR", offsetof(struct check_options, tolerance),
      "|device - truth| / |truth| allowed; default: 1e-4 on cpu, 1e-3 on Vulkan, 2e-2 with --precision fast" },
    { "no-fuse", 0, OPTION_FLAG, NULL, offsetof(struct check_options, no_fuse), "one kernel per node, so that every node can be looked at" },
    { "seed", 's', OPTION_INT, "N", offsetof(struct check_options, seed), "of the random inputs" },
    DIM_OPTION(struct check_options),
    { 0 }
};

struct job {
    weft_model *model;
    weft_device *truth_device, *device;
    double tolerance;
};
struct pair { weft_session *truth, *tested; }; // of one entry

static uint32_t draw(uint64_t *state) // splitmix64, upper half
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t) ((z ^ z >> 31) >> 32);
}

// Numbers in [-1, 1); 0 or 1 for integers; a port called mask gets a box of ones.
static void fill(const weft_port *port, void *data, size_t count, uint64_t *state)
{
    const weft_shape s = port->shape;
    const int64_t w = s.rank ? s.dim[s.rank - 1] : 1, h = s.rank > 1 ? s.dim[s.rank - 2] : 1;
    for (size_t i = 0; i < count; i++) {
        const int64_t x = (int64_t) i % w, y = (int64_t) i / w % h;
        if (port->dtype == WEFT_I32) ((int32_t *) data)[i] = (int32_t) (draw(state) & 1);
        else if (strstr(port->name, "mask")) ((float *) data)[i] = x >= w / 4 && x < w / 2 && y >= h / 4 && y < h - h / 4;
        else ((float *) data)[i] = (float) (draw(state) * 0x1p-31 - 1);
    }
}

static size_t count_of(weft_shape s)
{
    size_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= (size_t) s.dim[d];
    return n;
}

// Runs one session on the seeded inputs; the outputs are thrown away, the values stay in the session.
static int run_seeded(call *c, weft_session *s)
{
    const struct check_options *o = c->options;
    const weft_port *ports;
    weft_io in[INPUTS_MOST] = { 0 }, out[INPUTS_MOST] = { 0 };
    uint64_t state = (uint64_t) o->seed;
    const int ins = weft_session_inputs(s, &ports);
    bool room = ins <= INPUTS_MOST;
    for (int i = 0; room && i < ins; i++) {
        const size_t n = count_of(ports[i].shape);
        in[i] = (weft_io) { ports[i].name, malloc(4 * n), 4 * n };
        if ((room = in[i].data)) fill(&ports[i], in[i].data, n, &state);
    }
    const int outs = weft_session_outputs(s, &ports);
    room = room && outs <= INPUTS_MOST;
    for (int i = 0; room && i < outs; i++) {
        const size_t n = count_of(ports[i].shape);
        out[i] = (weft_io) { ports[i].name, malloc(4 * n), 4 * n };
        room = out[i].data;
    }
    const weft_result r = room ? weft_session_run(s, in, ins, out, outs) : WEFT_ERR_MEMORY;
    end_progress();
    for (int i = 0; i < INPUTS_MOST; i++) free(in[i].data), free(out[i].data);
    if (!room) return fail(c, CODE_FAILED, "out of memory, or more than %d ports", INPUTS_MOST);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

// |a - b| / |b| as norms. Where b is next to nothing, its rounding errors are not held against a. NaN counts as infinite.
static double error_of(const float *a, const float *b, size_t count)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i]) && isnan(b[i])) continue;
        if (isinf(a[i]) && a[i] == b[i]) continue;
        const double d = (double) a[i] - b[i];
        if (!isfinite(d)) return INFINITY;
        difference += d * d, norm += (double) b[i] * b[i];
    }
    const double least = 1e-6 * sqrt((double) count);
    norm = sqrt(norm);
    return sqrt(difference) / (norm > least ? norm : least);
}

struct tally { int compared, skipped, differ; double worst; char first[512]; };

// Compares value `index`; false at the end of the values. *code is set on failure.
static bool compare_value(call *c, const struct job *j, const struct pair *p, int index, struct tally *t, int *code)
{
    weft_value_info truth, tested;
    weft_result r = weft_session_value(p->truth, index, &truth, NULL, 0);
    if (r == WEFT_ERR_ARGUMENT) return false;
    const bool in_truth = r == WEFT_OK;
    r = weft_session_value(p->tested, index, &tested, NULL, 0);
    if (!in_truth || r == WEFT_ERR_UNSUPPORTED) return t->skipped += in_truth, true; // inputs and weights are not counted
    const size_t count = count_of(truth.shape);
    float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    if (r == WEFT_OK && a && b) r = weft_session_value(p->tested, index, &tested, a, count);
    if (r == WEFT_OK && a && b) r = weft_session_value(p->truth, index, &truth, b, count);
    if (!a || !b) *code = fail(c, CODE_FAILED, "out of memory");
    else if (r != WEFT_OK) *code = fail_result(c, r);
    else {
        const double error = error_of(a, b, count);
        const bool differs = !(error <= j->tolerance);
        if (c->verbose) printf("  %%%-5d %-20s %-20s %9.2e%s  %s\n", index, truth.op, shape_text(truth.shape, NULL), error, differs ? " *" : "  ", truth.node);
        if (differs && !t->differ++)
            snprintf(t->first, sizeof t->first, "%s '%s' (%s): error %.3g, allowed %.3g", truth.op, truth.node, shape_text(truth.shape, NULL), error, j->tolerance);
        if (!(error <= t->worst)) t->worst = error;
        t->compared++;
    }
    free(a);
    free(b);
    return !*code;
}

static int check_entry(call *c, const struct job *j, int entry)
{
    const struct check_options *o = c->options;
    weft_port_shape shapes[INPUTS_MOST];
    struct pair p = { 0 };
    struct tally t = { 0 };
    int code;
    const int count = bind_inputs(c, j->model, entry, &o->dims, shapes, &code);
    if (count < 0) return code;
    weft_session_params params = {
        .entry = entry, .shapes = shapes, .shape_count = count, .keep_values = 1, .no_fuse = 1, .progress = show_progress, .progress_user = c,
    };
    weft_result r = weft_session_create(j->truth_device, j->model, &params, &p.truth);
    params.no_fuse = o->no_fuse, params.precision = (weft_precision) o->device.precision;
    if (r == WEFT_OK) r = weft_session_create(j->device, j->model, &params, &p.tested);
    code = r == WEFT_OK ? CODE_OK : fail_result(c, r);
    if (!code) code = run_seeded(c, p.truth);
    if (!code) code = run_seeded(c, p.tested);
    if (!code && c->verbose) printf("entry %s\n", weft_model_entry_name(j->model, entry));
    for (int i = 0; !code && compare_value(c, j, &p, i, &t, &code); i++) continue;
    weft_session_destroy(&p.tested);
    weft_session_destroy(&p.truth);
    if (code) return code;
    if (!t.compared) return fail(c, CODE_FAILED, "entry %s: nothing could be compared", weft_model_entry_name(j->model, entry));
    printf("%s: %d nodes compared, %d fused into others, worst error %.3g: %s\n", weft_model_entry_name(j->model, entry), t.compared, t.skipped,
           t.worst, t.differ ? "DIFFERS" : "ok");
    if (!t.differ) return CODE_OK;
    printf("%s: %d nodes differ, first %s\n", weft_model_entry_name(j->model, entry), t.differ, t.first);
    return CODE_FAILED;
}

static int check_model(call *c, struct job *j)
{
    const struct check_options *o = c->options;
    int worst = CODE_OK, only = -1, code = load_model(c, c->args[0], &j->model);
    if (!code && o->entry && (only = pick_entry(c, j->model, o->entry)) < 0) code = CODE_USAGE;
    if (!code) code = open_device(c, &o->device, &j->device);
    if (code) return code;
    const weft_device_info *info = weft_device_get_info(j->device);
    const char *truth = o->against ? "cpu" : "reference";
    if (!strcmp(info->name, truth)) return usage(c, "device and truth are both %s; choose another --device or --against", truth);
    const weft_result r = weft_device_open(c->ctx, &(weft_device_params) { .name = truth }, &j->truth_device);
    if (r != WEFT_OK) return fail_result(c, r);
    j->tolerance = o->tolerance > 0 ? o->tolerance : info->kind != WEFT_DEVICE_VULKAN ? 1e-4 : o->device.precision != WEFT_EXACT ? 2e-2 : 1e-3;
    if (!c->quiet) printf("%s against %s\n", info->name, truth);
    for (int i = 0; i < weft_model_entry_count(j->model); i++) {
        if (only >= 0 && i != only) continue;
        code = check_entry(c, j, i);
        if (code > CODE_FAILED) return code;
        if (code) worst = code;
    }
    return worst;
}

static int run_check(call *c)
{
    struct job j = { 0 };
    const int code = check_model(c, &j);
    weft_device_destroy(&j.device);
    weft_device_destroy(&j.truth_device);
    weft_model_destroy(&j.model);
    return code;
}

const command command_check = {
    .name = "check", .args = "MODEL", .summary = "runs a model on a device and on the truth, names the first node that differs", .options = check_options,
    .option_bytes = sizeof(struct check_options), .least = 1, .most = 1, .run = run_check,
    .about = "Inputs are random numbers from a seed; sizes are the presets, or --dim. Exit code 1: something differs. -v: every node.",
    .examples = "  weft check net.weft --device vulkan -v\n  weft check net.weft --against cpu -D h=256 -D w=256 --precision fast",
};
