// SPDX-License-Identifier: MIT
// The protocol: warm-up, samples, starts, where the time goes, and whether the answer is right.
#include "bench.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_MOST = 256, SAMPLES_AIM = 200, RUNS_MOST = 1 << 16, SAMPLES_LEAST = 5, QUICK_LEAST = 3, START_RUNS = 5 };
static const double LONG_RUN_MS = 3000; // a start tells nothing of later runs that take so long
static const double REFERENCE_FLOPS = 1e9; // what plain loops do in seconds

typedef struct data { // of the ports of a session, in order: it serves several sessions of a row
    weft_io in[PORTS_MOST], out[PORTS_MOST];
    int in_count, out_count;
} data;

static void free_data(data *d)
{
    for (int i = 0; i < d->in_count; i++) free(d->in[i].data);
    for (int i = 0; i < d->out_count; i++) free(d->out[i].data);
    *d = (data) { 0 };
}

void bench_fill(uint32_t seed, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++) { // murmur3's finalizer
        uint32_t x = (uint32_t) i * 0x9e3779b1u + seed;
        x = (x ^ x >> 16) * 0x85ebca6bu;
        x = (x ^ x >> 13) * 0xc2b2ae35u;
        x ^= x >> 16;
        to[i] = (float) (x >> 8) * 0x1p-23f - 1.0f;
    }
}

static size_t count_of(weft_shape s)
{
    size_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= (size_t) s.dim[d];
    return n;
}

static bool make_ports(const weft_port *ports, int count, weft_io *io)
{
    for (int i = 0; i < count; i++) {
        const size_t bytes = 4 * count_of(ports[i].shape);
        io[i] = (weft_io) { NULL, calloc(1, bytes + 1), bytes };
        if (!io[i].data) return false;
    }
    return true;
}

// Room for what a session takes and gives, inputs filled.
static bool make_data(const bench_work *w, weft_session *s, data *d)
{
    const weft_port *ins, *outs;
    const int in_count = weft_session_inputs(s, &ins), out_count = weft_session_outputs(s, &outs);
    if (in_count > PORTS_MOST || out_count > PORTS_MOST) return false;
    d->in_count = in_count, d->out_count = out_count;
    if (!make_ports(ins, in_count, d->in) || !make_ports(outs, out_count, d->out)) return false;
    for (int i = 0; i < in_count; i++) {
        if (w->fill) w->fill(w->user, &ins[i], d->in[i].data, d->in[i].bytes / 4);
        else if (ins[i].dtype == WEFT_F32) bench_fill(0x5eed0000u + (uint32_t) i, d->in[i].data, d->in[i].bytes / 4);
    }
    return true;
}

// --- Sessions. --------------------------------------------------------------------------------------------------

static int ask(void *user, double done) { return (void) user, (void) done, interrupted(); }

static weft_result make_session(const bench *b, weft_device *dev, const bench_work *w, void (*timing)(void *, const weft_node_time *), void *user, weft_session **out)
{
    const bool own = dev == b->truth;
    const weft_session_params params = {
        .entry = w->entry, .shapes = w->shapes, .shape_count = w->shape_count, .precision = own ? WEFT_EXACT : (weft_precision) b->o->device.precision,
        .progress = ask, .time_device = 1, .timing = timing, .timing_user = user,
    };
    return weft_session_create(dev, w->model, &params, out);
}

static weft_result run_once(weft_session *s, data *d) { return weft_session_run(s, d->in, d->in_count, d->out, d->out_count); }

// In a process of its own: a session, its first run, and a later one to hold it against; where runs are short, the median of some.
static weft_result start(bench *b, const bench_work *w)
{
    weft_session *s = NULL;
    weft_session_facts f;
    bench_stat runs = { 0 };
    data d = { 0 };
    bench_start *h = &b->here;
    double begin = seconds_since(0);
    weft_result r = make_session(b, b->device, w, NULL, NULL, &s);
    h->create_ms = 1e3 * seconds_since(begin);
    if (r == WEFT_OK && !make_data(w, s, &d)) r = WEFT_ERR_MEMORY;
    begin = seconds_since(0);
    if (r == WEFT_OK) r = run_once(s, &d);
    h->first_ms = 1e3 * seconds_since(begin);
    h->run_ms = -1;
    while (r == WEFT_OK && h->first_ms < LONG_RUN_MS && runs.count < START_RUNS && (!runs.count || seconds_since(begin) < 1)) {
        const double at = seconds_since(0);
        r = run_once(s, &d);
        if (r == WEFT_OK && !stat_add(&runs, 1e3 * seconds_since(at))) r = WEFT_ERR_MEMORY;
    }
    stat_finish(&runs);
    if (r == WEFT_OK) {
        if (runs.count) h->run_ms = runs.median;
        weft_session_measure(s, &f);
        h->pipelines_ms = f.pipelines_ms, h->pipelines_new = f.pipelines_new;
        h->known = true;
    }
    stat_free(&runs);
    weft_session_destroy(&s);
    free_data(&d);
    return r;
}

// --- Samples. ---------------------------------------------------------------------------------------------------

typedef struct node_sum { double ms; bool unknown; } node_sum;

static void add_node(void *user, const weft_node_time *t)
{
    node_sum *s = user;
    if (t->gpu_ms < 0) s->unknown = true;
    else if (strcmp(t->op, "convert")) s->ms += t->gpu_ms;
}

static weft_result run_times(const bench_work *w, weft_session *s, data *d, int times)
{
    if (w->how != WORK_RUN) return weft_session_repeat(s, times);
    weft_result r = WEFT_OK;
    for (int i = 0; i < times && r == WEFT_OK; i++) r = run_once(s, d);
    return r;
}

static weft_result take_samples(const bench *b, const bench_work *w, weft_session *s, node_sum *nodes, data *d, bench_row *row)
{
    const bench_options *o = b->o;
    double begin = seconds_since(0);
    weft_result r = run_times(w, s, d, 1); // warm-up, and how long it takes about
    const double once = seconds_since(begin);
    if (r != WEFT_OK) return r;
    const double wanted = once > 0 ? o->seconds / SAMPLES_AIM / once : 1;
    row->runs_per_sample = wanted < 1 ? 1 : wanted > RUNS_MOST ? RUNS_MOST : (int) wanted;
    begin = seconds_since(0);
    while (row->time.count < o->samples || seconds_since(begin) < o->seconds) {
        weft_session_facts facts;
        if (row->time.count >= (o->quick ? QUICK_LEAST : SAMPLES_LEAST) && seconds_since(begin) > o->most_seconds) break;
        *nodes = (node_sum) { 0 };
        const double at = seconds_since(0);
        r = run_times(w, s, d, row->runs_per_sample);
        const double took = 1e3 * seconds_since(at) / row->runs_per_sample;
        if (r != WEFT_OK) break;
        weft_session_measure(s, &facts);
        if (!stat_add(&row->time, took)) return WEFT_ERR_MEMORY;
        const double gpu = w->how != WORK_NODES ? facts.gpu_ms : nodes->unknown || facts.gpu_ms < 0 ? -1 : nodes->ms / row->runs_per_sample;
        if (gpu >= 0 && !stat_add(&row->gpu, gpu)) return WEFT_ERR_MEMORY;
        const int handed = w->how == WORK_REPEAT ? row->runs_per_sample : 1; // at once: where nodes are timed, each run is handed over by itself
        if (facts.submissions && !stat_add(&row->submit, facts.submit_ms / handed)) return WEFT_ERR_MEMORY;
    }
    stat_finish(&row->time);
    stat_finish(&row->gpu);
    stat_finish(&row->submit);
    return r;
}

static void note_facts(weft_session *s, bench_row *row)
{
    weft_session_facts *f = &row->session;
    weft_session_measure(s, f);
    row->peak_bytes = (double) (f->weight_bytes + f->workspace_bytes + f->state_bytes);
    row->dispatches = f->dispatches, row->precision = f->precision;
}

// Where the time goes: a run of its own, in which every kernel waits for the one before.
static weft_result measure_operators(const bench *b, const bench_work *w, data *d, bench_row *row)
{
    weft_session *s = NULL;
    weft_result r = make_session(b, b->device, w, profile_add, &row->operators, &s);
    for (int i = 0; i < 2 && r == WEFT_OK; i++) {
        row->operators.count = 0;
        r = run_once(s, d);
    }
    weft_session_destroy(&s);
    if (r != WEFT_OK) return r;
    profile_sort(&row->operators);
    for (int k = 0; k < row->operators.count; k++) {
        const profile_kind *kind = &row->operators.kind[k];
        if (strcmp(kind->op, "convert")) row->bytes += kind->bytes; // moving a tensor to another layout is the device's own need
    }
    return r;
}

// --- The gate. --------------------------------------------------------------------------------------------------

static double in_half(double x) { return x > 65504 ? 65504 : x < -65504 ? -65504 : x; }

static double difference(const weft_port *port, const weft_io *got, const weft_io *want, bool half)
{
    double apart = 0, size = 0;
    for (size_t i = 0; i < got->bytes / 4; i++) {
        const bool whole = port->dtype == WEFT_I32;
        double a = whole ? ((const int32_t *) got->data)[i] : (double) ((const float *) got->data)[i];
        double b = whole ? ((const int32_t *) want->data)[i] : (double) ((const float *) want->data)[i];
        if (half) a = in_half(a), b = in_half(b);
        if (a == b || (isnan(a) && isnan(b))) a = b = isfinite(b) ? b : 0; // as the operator says
        apart += (a - b) * (a - b), size += b * b;
    }
    return size > 0 ? sqrt(apart / size) : sqrt(apart);
}

// `first`: what the device gave in the first run of a session.
static weft_result check(bench *b, const bench_work *w, const data *first, bench_row *row)
{
    const weft_device_kind kind = weft_device_get_info(b->device)->kind;
    const char *name = kind == WEFT_DEVICE_VULKAN ? "cpu" : "reference";
    const weft_port *ports;
    weft_session *s = NULL;
    data d = { 0 };
    if (b->o->no_gate || kind == WEFT_DEVICE_REFERENCE || (kind == WEFT_DEVICE_CPU && row->flops > REFERENCE_FLOPS)) return WEFT_OK;
    weft_result r = b->truth ? WEFT_OK : weft_device_open(b->c->ctx, &(weft_device_params) { .name = name }, &b->truth);
    if (r == WEFT_OK) r = make_session(b, b->truth, w, NULL, NULL, &s);
    if (r == WEFT_OK && !make_data(w, s, &d)) r = WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = run_once(s, &d);
    const int count = r == WEFT_OK ? weft_session_outputs(s, &ports) : 0;
    for (int i = 0; i < count && i < first->out_count; i++) {
        const double apart = difference(&ports[i], &first->out[i], &d.out[i], row->precision != WEFT_EXACT);
        if (!(apart <= row->difference)) row->difference = apart; // not a number is the worst
        if (isnan(row->difference)) break;
    }
    if (r == WEFT_OK) row->against = name;
    row->limit = b->o->limit_text ? b->o->gate_limit : row->precision == WEFT_EXACT ? w->limit_exact : w->limit_half;
    weft_session_destroy(&s);
    free_data(&d);
    return r;
}

// --- A row. -----------------------------------------------------------------------------------------------------

// How long a row of a suite takes, about, beside those of others: for the remaining time.
static double work_of(const char *suite) { return !strcmp(suite, "ops") ? 1 : !strcmp(suite, "nets") ? 20 : 60; }

bool bench_wants(bench *b, const char *suite, const char *name)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", suite, name);
    if (b->start) return !strcmp(whole, b->start);
    if (b->o->filter && !strstr(whole, b->o->filter)) return false;
    if (b->o->list) puts(whole);
    if (b->o->list || interrupted()) return false;
    *(b->counting ? &b->planned : &b->begun) += 1;
    *(b->counting ? &b->planned_work : &b->begun_work) += work_of(suite);
    return !b->counting;
}

// " (3 of 14, about 2 min left)"
static const char *progress_text(const bench *b, char text[64])
{
    const double left = b->begun_work > 0 ? seconds_since(b->begin) / b->begun_work * (b->planned_work - b->begun_work) : 0;
    int n = snprintf(text, 64, " (%d of %d", b->begun, b->planned);
    if (left >= 90) n += snprintf(text + n, 64 - (size_t) n, ", about %.0f min left", left / 60);
    else if (left >= 10) n += snprintf(text + n, 64 - (size_t) n, ", about %.0f s left", left);
    snprintf(text + n, 64 - (size_t) n, ")");
    return text;
}

static bench_row *add_row(bench *b, const char *suite, const char *name)
{
    if (b->count == b->room) {
        bench_row **more = realloc(b->rows, sizeof *more * (size_t) (2 * b->room + 32));
        if (!more) return NULL;
        b->rows = more, b->room = 2 * b->room + 32;
    }
    bench_row *row = calloc(1, sizeof *row);
    if (!row) return NULL;
    row->suite = suite;
    snprintf(row->name, sizeof row->name, "%s", name);
    return b->rows[b->count++] = row;
}

void row_free(bench_row *row)
{
    stat_free(&row->time), stat_free(&row->gpu), stat_free(&row->submit);
    free(row);
}

bool bench_error(bench *b, const char *suite, const char *name, const char *text)
{
    char progress[64];
    if (b->start) return fail(b->c, CODE_FAILED, "%s/%s: %s", suite, name, text), false;
    bench_row *row = add_row(b, suite, name);
    if (!row) return fail(b->c, CODE_FAILED, "out of memory"), false;
    snprintf(row->error, sizeof row->error, "%s", text);
    note(b->c, "%s/%s: %s%s", suite, name, row->error, progress_text(b, progress));
    report_keep(b);
    return true;
}

static void describe_shape(const bench_work *w, bench_row *row)
{
    size_t at = (size_t) snprintf(row->shape, sizeof row->shape, "%s", w->shape ? w->shape : "");
    for (int i = 0; !w->shape && i < w->shape_count && at < sizeof row->shape - 1; i++)
        at += (size_t) snprintf(row->shape + at, sizeof row->shape - at, "%s%s %s", i ? ", " : "", w->shapes[i].port, shape_text(w->shapes[i].shape, NULL));
}

static weft_result measure(bench *b, const bench_work *w, bench_row *row)
{
    weft_model_facts facts;
    weft_session *s = NULL;
    node_sum nodes = { 0 };
    data d = { 0 };
    weft_result r = weft_model_measure(w->model, w->entry, w->shapes, w->shape_count, &facts);
    if (r != WEFT_OK) return r;
    row->flops = facts.flops;
    r = make_session(b, b->device, w, w->how == WORK_NODES ? add_node : NULL, &nodes, &s);
    if (r == WEFT_OK && !make_data(w, s, &d)) r = WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = run_once(s, &d);
    // Later runs may write over it: states go on, and the same outputs are asked for again.
    data first = { 0 };
    const weft_port *outs;
    if (r == WEFT_OK) {
        first.out_count = weft_session_outputs(s, &outs);
        if (!make_ports(outs, first.out_count, first.out)) r = WEFT_ERR_MEMORY;
        for (int i = 0; i < first.out_count && r == WEFT_OK; i++) memcpy(first.out[i].data, d.out[i].data, d.out[i].bytes);
    }
    if (r == WEFT_OK) note_facts(s, row);
    if (r == WEFT_OK) r = take_samples(b, w, s, &nodes, &d, row);
    host_watch(&b->host, weft_device_get_info(b->device)); // as it was for the samples
    weft_session_destroy(&s);
    if (r == WEFT_OK && w->cold && !b->o->no_cold) bench_starts(b, row);
    if (r == WEFT_OK) r = measure_operators(b, w, &d, row);
    if (r == WEFT_OK) r = check(b, w, &first, row);
    free_data(&first);
    free_data(&d);
    return r;
}

static void tell(const bench *b, const bench_row *row)
{
    char gpu[48] = "", starts[80] = "", gate[96] = "", progress[64];
    size_t n = 0;
    if (row->gpu.count) snprintf(gpu, sizeof gpu, ", %.4g ms on the device", row->gpu.median);
    if (row->cold.known) n = (size_t) snprintf(starts, sizeof starts, ", cold start %.0f ms", bench_start_cost(&row->cold, &row->time));
    if (row->warm.known) snprintf(starts + n, sizeof starts - n, ", warm %.0f ms", bench_start_cost(&row->warm, &row->time));
    if (!row_passed(row)) snprintf(gate, sizeof gate, ", VOID: %.3g from what %s computes, more than %.3g", row->difference, row->against, row->limit);
    note(b->c, "%s/%s: %.4g ms%s%s%s%s", row->suite, row->name, row->time.median, gpu, starts, gate, progress_text(b, progress));
}

static bool start_and_tell(bench *b, const bench_work *w)
{
    const weft_result r = start(b, w);
    if (r != WEFT_OK) fail(b->c, CODE_FAILED, "%s/%s: %s", w->suite, w->name, r == WEFT_ERR_MEMORY ? "out of memory" : weft_error_text());
    else bench_start_tell(&b->here);
    return false;
}

bool bench_measure(bench *b, const bench_work *w)
{
    char progress[64];
    if (b->start) return start_and_tell(b, w);
    bench_row *row = add_row(b, w->suite, w->name);
    if (!row) return fail(b->c, CODE_FAILED, "out of memory"), false;
    describe_shape(w, row);
    const weft_result r = measure(b, w, row);
    if (r == WEFT_ERR_CANCELLED || interrupted()) b->stopped = true;
    if (b->stopped && !row->time.count) { // nothing of it is worth keeping
        row_free(row);
        b->count--;
    } else if (r != WEFT_OK && !b->stopped) {
        row->not_run = r == WEFT_ERR_UNSUPPORTED || r == WEFT_ERR_VRAM;
        snprintf(row->error, sizeof row->error, "%s", r == WEFT_ERR_MEMORY ? "out of memory" : weft_error_text());
        note(b->c, "%s/%s: %s%s%s", w->suite, w->name, row->not_run ? "not run because " : "", row->error, progress_text(b, progress));
    } else tell(b, row);
    b->lost |= r == WEFT_ERR_DEVICE_LOST;
    report_keep(b);
    return !b->stopped && !b->lost;
}
