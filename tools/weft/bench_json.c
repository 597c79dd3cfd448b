// SPDX-License-Identifier: MIT
// What was measured, as JSON: tools/weft/bench.schema.json.
#include "bench.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

static const char *kind_text(weft_device_kind k) { return k == WEFT_DEVICE_REFERENCE ? "reference" : k == WEFT_DEVICE_CPU ? "cpu" : "vulkan"; }

// A number that is not known, or is none, is null.
static void add_number(cJSON *o, const char *name, double v, bool known)
{
    if (known && isfinite(v)) cJSON_AddNumberToObject(o, name, v);
    else cJSON_AddNullToObject(o, name);
}

static void add_text(cJSON *o, const char *name, const char *text)
{
    if (text && *text) cJSON_AddStringToObject(o, name, text);
    else cJSON_AddNullToObject(o, name);
}

static void add_stat(cJSON *o, const char *name, const bench_stat *s)
{
    if (!s->count) {
        cJSON_AddNullToObject(o, name);
        return;
    }
    cJSON *t = cJSON_AddObjectToObject(o, name);
    cJSON_AddNumberToObject(t, "median", s->median);
    cJSON_AddNumberToObject(t, "mad", s->mad);
    cJSON_AddNumberToObject(t, "low", s->low);
    cJSON_AddNumberToObject(t, "high", s->high);
    cJSON_AddItemToObject(t, "samples", cJSON_CreateDoubleArray(s->sample, s->count));
}

static void add_header(const bench *b, cJSON *top)
{
    char text[64];
    cJSON_AddStringToObject(top, "schema", "weft-bench");
    cJSON_AddNumberToObject(top, "version", 1);
    cJSON *w = cJSON_AddObjectToObject(top, "weft");
    cJSON_AddStringToObject(w, "version", WEFT_VERSION);
    snprintf(text, sizeof text, "%016llx", (unsigned long long) weft_kernels_id());
    cJSON_AddStringToObject(w, "kernels", text);
    cJSON_AddStringToObject(w, "cpu_library", weft_cpu_library());
    cJSON_AddStringToObject(top, "date", b->host.date);
    cJSON *h = cJSON_AddObjectToObject(top, "host");
    cJSON_AddStringToObject(h, "os", b->host.os);
    cJSON_AddStringToObject(h, "cpu", b->host.cpu);
    cJSON_AddNumberToObject(h, "threads", b->host.threads);
    cJSON_AddNumberToObject(h, "memory_bytes", b->host.memory_bytes);
    add_number(h, "load", b->host.load, b->host.load >= 0);
}

static cJSON *add_numbers(cJSON *o, const char *name, const uint32_t *v, int count)
{
    cJSON *a = cJSON_AddArrayToObject(o, name);
    for (int i = 0; i < count; i++) cJSON_AddItemToArray(a, cJSON_CreateNumber(v[i]));
    return a;
}

static void add_device(const bench *b, cJSON *top)
{
    const weft_device_info *i = weft_device_get_info(b->device);
    const bool vulkan = i->kind == WEFT_DEVICE_VULKAN;
    char text[64];
    cJSON *d = cJSON_AddObjectToObject(top, "device");
    cJSON_AddStringToObject(d, "kind", kind_text(i->kind));
    cJSON_AddStringToObject(d, "name", vulkan ? i->name : b->host.cpu);
    cJSON_AddStringToObject(d, "driver", i->driver ? i->driver : "");
    cJSON_AddStringToObject(d, "type", i->type ? i->type : "");
    for (int k = 0; k < 16; k++) snprintf(text + 2 * k, 3, "%02x", i->uuid[k]);
    add_text(d, "uuid", vulkan ? text : NULL);
    add_number(d, "vendor_id", i->vendor_id, vulkan);
    add_number(d, "device_id", i->device_id, vulkan);
    snprintf(text, sizeof text, "%u.%u.%u", i->api[0], i->api[1], i->api[2]);
    add_text(d, "api", vulkan ? text : NULL);
    cJSON_AddNumberToObject(d, "memory_bytes", vulkan ? (double) i->memory_bytes : b->host.memory_bytes);
    cJSON_AddBoolToObject(d, "f16_storage", i->f16_storage);
    if (i->matrix[0]) add_numbers(d, "matrix", i->matrix, 3);
    else cJSON_AddNullToObject(d, "matrix");
    cJSON_AddBoolToObject(d, "matrix_tiles", i->matrix_tiles);
    add_number(d, "subgroup_size", i->subgroup_size, i->subgroup_size > 0);
    cJSON *c = cJSON_AddObjectToObject(d, "clocks_mhz");
    add_number(c, "core", b->host.core_mhz, b->host.core_mhz > 0);
    add_number(c, "memory", b->host.memory_mhz, b->host.memory_mhz > 0);
}

static void add_settings(const bench *b, cJSON *top)
{
    static const char *const names[PEAKS] = { "f32_flops", "f16_flops", "matrix_flops", "read_bytes", "copy_bytes", "launch_seconds", "submit_seconds",
                                               "hand_over_seconds" };
    cJSON *s = cJSON_AddObjectToObject(top, "settings");
    cJSON_AddStringToObject(s, "precision", precision_text(b->o->device.precision));
    cJSON_AddNumberToObject(s, "min_seconds", b->o->seconds);
    cJSON_AddNumberToObject(s, "min_samples", b->o->samples);
    cJSON_AddNumberToObject(s, "most_seconds", b->o->most_seconds);
    cJSON_AddBoolToObject(s, "tune", b->o->device.tune);
    cJSON_AddBoolToObject(s, "no_optional", b->o->device.no_optional);
    if (!b->has_peak) {
        cJSON_AddNullToObject(top, "peak");
        return;
    }
    cJSON *p = cJSON_AddObjectToObject(top, "peak");
    for (int i = 0; i < PEAKS; i++) add_stat(p, names[i], &b->peak[i]);
}

static void add_operators(const bench_row *r, cJSON *o)
{
    cJSON *list = cJSON_AddArrayToObject(o, "operators");
    for (int k = 0; k < r->operators.count; k++) {
        const profile_kind *kind = &r->operators.kind[k];
        cJSON *e = cJSON_CreateObject();
        cJSON_AddStringToObject(e, "op", kind->op);
        add_text(e, "kernel", kind->kernel);
        add_text(e, "way", kind->way);
        cJSON_AddNumberToObject(e, "count", kind->calls);
        add_number(e, "ms", kind->ms, kind->ms >= 0);
        cJSON_AddNumberToObject(e, "flops", kind->flops);
        cJSON_AddNumberToObject(e, "bytes", kind->bytes);
        cJSON_AddItemToArray(list, e);
    }
}

static void add_gate(const bench_row *r, cJSON *o)
{
    if (r->against) {
        cJSON *g = cJSON_AddObjectToObject(o, "gate");
        cJSON_AddStringToObject(g, "against", r->against);
        add_number(g, "difference", r->difference, true);
        cJSON_AddNumberToObject(g, "limit", r->limit);
        cJSON_AddBoolToObject(g, "passed", row_passed(r));
    } else cJSON_AddNullToObject(o, "gate");
    cJSON_AddBoolToObject(o, "void", !row_passed(r));
}

static void add_start(cJSON *o, const char *name, const bench_start *s, const bench_stat *time)
{
    if (!s->known) {
        cJSON_AddNullToObject(o, name);
        return;
    }
    cJSON *t = cJSON_AddObjectToObject(o, name);
    cJSON_AddNumberToObject(t, "cost_ms", bench_start_cost(s, time));
    cJSON_AddNumberToObject(t, "open_ms", s->open_ms);
    cJSON_AddNumberToObject(t, "create_ms", s->create_ms);
    cJSON_AddNumberToObject(t, "pipelines_ms", s->pipelines_ms);
    cJSON_AddNumberToObject(t, "pipelines_new", s->pipelines_new);
    cJSON_AddNumberToObject(t, "first_ms", s->first_ms);
    add_number(t, "run_ms", s->run_ms, s->run_ms >= 0);
}

static void add_session(const bench_row *r, cJSON *o)
{
    const weft_session_facts *f = &r->session;
    if (!r->time.count) {
        cJSON_AddNullToObject(o, "session");
        return;
    }
    cJSON *s = cJSON_AddObjectToObject(o, "session");
    cJSON_AddNumberToObject(s, "create_ms", f->create_ms);
    cJSON_AddNumberToObject(s, "pipelines_ms", f->pipelines_ms);
    cJSON_AddNumberToObject(s, "pipelines_new", f->pipelines_new);
    cJSON_AddNumberToObject(s, "weight_bytes", (double) f->weight_bytes);
    cJSON_AddNumberToObject(s, "state_bytes", (double) f->state_bytes);
    cJSON_AddNumberToObject(s, "workspace_bytes", (double) f->workspace_bytes);
    cJSON_AddNumberToObject(s, "workspace_least_bytes", (double) f->workspace_least_bytes);
    add_number(s, "submissions", f->submissions, f->submissions > 0);
    add_number(s, "submit_ms", r->submit.median, r->submit.count > 0);
}

static cJSON *row_object(const bench *b, const bench_row *r)
{
    cJSON *o = cJSON_CreateObject();
    bench_share share;
    const bool ran = r->time.count > 0;
    cJSON_AddStringToObject(o, "suite", r->suite);
    cJSON_AddStringToObject(o, "name", r->name);
    cJSON_AddStringToObject(o, "shape", r->shape);
    cJSON_AddStringToObject(o, "precision", precision_text(r->precision));
    cJSON_AddStringToObject(o, "unit", "ms");
    add_stat(o, "time", &r->time);
    add_stat(o, "gpu", &r->gpu);
    add_number(o, "runs_per_sample", r->runs_per_sample, ran);
    add_number(o, "cold_ms", r->cold.create_ms + r->cold.first_ms, r->cold.known);
    add_number(o, "warm_ms", r->warm.create_ms + r->warm.first_ms, r->warm.known);
    cJSON_AddNumberToObject(o, "flops", r->flops);
    add_number(o, "bytes", r->bytes, r->bytes > 0);
    add_number(o, "peak_bytes", r->peak_bytes, ran);
    add_number(o, "dispatches", r->dispatches, ran);
    if (report_share(b, r, &share)) {
        cJSON *s = cJSON_AddObjectToObject(o, "share");
        cJSON_AddNumberToObject(s, "compute", share.compute);
        cJSON_AddNumberToObject(s, "bandwidth", share.bandwidth);
        cJSON_AddNumberToObject(s, "launch", share.launch);
        cJSON_AddStringToObject(s, "bound", share.bound);
    } else cJSON_AddNullToObject(o, "share");
    add_gate(r, o);
    add_operators(r, o);
    cJSON *starts = cJSON_AddObjectToObject(o, "starts");
    add_start(starts, "cold", &r->cold, &r->time);
    add_start(starts, "warm", &r->warm, &r->time);
    add_session(r, o);
    add_text(o, "error", r->error);
    cJSON_AddBoolToObject(o, "not_run", r->not_run);
    return o;
}

bool report_json(const void *what, FILE *to)
{
    const bench *b = what;
    cJSON *top = cJSON_CreateObject();
    add_header(b, top);
    add_device(b, top);
    add_settings(b, top);
    cJSON_AddBoolToObject(top, "stopped", b->stopped || b->begun < b->planned);
    cJSON *rows = cJSON_AddArrayToObject(top, "results");
    for (int i = 0; i < b->count; i++) cJSON_AddItemToArray(rows, row_object(b, b->rows[i]));
    char *text = cJSON_Print(top);
    const bool good = text && fprintf(to, "%s\n", text) > 0;
    cJSON_free(text);
    cJSON_Delete(top);
    return good;
}
