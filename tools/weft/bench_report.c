// SPDX-License-Identifier: MIT
// What was measured, as JSON (tools/weft/bench.schema.json), CSV and Markdown. Files appear whole or not at all.
#include "bench.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *kind_text(weft_device_kind k) { return k == WEFT_DEVICE_REFERENCE ? "reference" : k == WEFT_DEVICE_CPU ? "cpu" : "vulkan"; }
static const char *precision_text(int p) { return p == WEFT_EXACT ? "exact" : p == WEFT_FAST ? "fast" : "mixed"; }

// --- Shares of the peak. ------------------------------------------------------------------------------------------

static double peak_of(const bench *b, int what) { return b->peak[what].count ? b->peak[what].median : 0; }

bool report_share(const bench *b, const bench_row *r, bench_share *out)
{
    const double seconds = 1e-3 * (r->gpu.count ? r->gpu.median : r->time.median);
    // Sums are in f32, so that storing f16 alone makes no arithmetic faster: matrix units do.
    const double matrix = r->precision == WEFT_EXACT ? 0 : peak_of(b, PEAK_MATRIX), flops = matrix > 0 ? matrix : peak_of(b, PEAK_F32);
    const double bytes = peak_of(b, PEAK_COPY);
    if (!r->time.count || !(seconds > 0) || !(flops > 0) || !(bytes > 0)) return false;
    *out = (bench_share) { r->flops / flops / seconds, r->bytes / bytes / seconds, r->dispatches * peak_of(b, PEAK_LAUNCH) / seconds, "compute" };
    if (out->bandwidth > out->compute) out->bound = "bandwidth";
    if (out->launch > out->compute && out->launch > out->bandwidth) out->bound = "launch";
    return true;
}

// --- JSON. --------------------------------------------------------------------------------------------------------

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
    add_number(d, "subgroup_size", i->subgroup_size, i->subgroup_size > 0);
    cJSON *c = cJSON_AddObjectToObject(d, "clocks_mhz");
    add_number(c, "core", b->host.core_mhz, b->host.core_mhz > 0);
    add_number(c, "memory", b->host.memory_mhz, b->host.memory_mhz > 0);
}

static void add_settings(const bench *b, cJSON *top)
{
    static const char *const names[PEAKS] = { "f32_flops", "f16_flops", "matrix_flops", "read_bytes", "copy_bytes", "launch_seconds", "submit_seconds" };
    cJSON *s = cJSON_AddObjectToObject(top, "settings");
    cJSON_AddStringToObject(s, "precision", precision_text(b->o->device.precision));
    cJSON_AddNumberToObject(s, "min_seconds", b->o->seconds);
    cJSON_AddNumberToObject(s, "min_samples", b->o->samples);
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
    add_number(o, "cold_ms", r->cold_ms, r->cold_ms >= 0);
    add_number(o, "warm_ms", r->warm_ms, r->warm_ms >= 0);
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
    add_text(o, "error", r->error);
    return o;
}

static bool put_json(const bench *b, FILE *to)
{
    cJSON *top = cJSON_CreateObject();
    add_header(b, top);
    add_device(b, top);
    add_settings(b, top);
    cJSON_AddBoolToObject(top, "stopped", b->stopped);
    cJSON *rows = cJSON_AddArrayToObject(top, "results");
    for (int i = 0; i < b->count; i++) cJSON_AddItemToArray(rows, row_object(b, b->rows[i]));
    char *text = cJSON_Print(top);
    const bool good = text && fprintf(to, "%s\n", text) > 0;
    cJSON_free(text);
    cJSON_Delete(top);
    return good;
}

// --- Tables. ------------------------------------------------------------------------------------------------------

static void put_cell(FILE *to, const char *text) // of CSV
{
    fputc('"', to);
    for (; *text; text++) *text == '"' ? fputs("\"\"", to) : fputc(*text, to);
    fputc('"', to);
}

static void put_number(FILE *to, double v, bool known) { known && isfinite(v) ? fprintf(to, ",%.9g", v) : fputc(',', to); }

static bool put_csv(const bench *b, FILE *to)
{
    const weft_device_info *info = weft_device_get_info(b->device);
    fputs("device,driver,suite,name,shape,precision,median_ms,mad_ms,low_ms,high_ms,samples,gpu_ms,cold_ms,warm_ms,flops,bytes,peak_bytes,"
          "compute_share,bandwidth_share,bound,difference,limit,void,error\n", to);
    for (int i = 0; i < b->count; i++) {
        const bench_row *r = b->rows[i];
        bench_share s = { .bound = "" };
        const bool ran = r->time.count > 0, share = report_share(b, r, &s);
        const char *const texts[] = { info->name, info->driver ? info->driver : "", r->suite, r->name, r->shape, precision_text(r->precision) };
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            if (k) fputc(',', to);
            put_cell(to, texts[k]);
        }
        const double times[] = { r->time.median, r->time.mad, r->time.low, r->time.high, r->time.count };
        for (int k = 0; k < 5; k++) put_number(to, times[k], ran);
        put_number(to, r->gpu.median, r->gpu.count > 0);
        put_number(to, r->cold_ms, r->cold_ms >= 0);
        put_number(to, r->warm_ms, r->warm_ms >= 0);
        put_number(to, r->flops, true);
        put_number(to, r->bytes, r->bytes > 0);
        put_number(to, r->peak_bytes, ran);
        put_number(to, s.compute, share);
        put_number(to, s.bandwidth, share);
        fprintf(to, ",%s", s.bound);
        put_number(to, r->difference, r->against != NULL);
        put_number(to, r->limit, r->against != NULL);
        fprintf(to, ",%s,", row_passed(r) ? "no" : "yes");
        put_cell(to, r->error);
        fputc('\n', to);
    }
    return !ferror(to);
}

static const char *flops_text(double rate, char text[32])
{
    static const char *const unit[] = { "FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s" };
    int k = 0;
    for (; rate >= 1000 && k < 4; k++) rate /= 1000;
    snprintf(text, 32, "%.3g %s", rate, unit[k]);
    return text;
}

static void put_peaks(const bench *b, FILE *to)
{
    char text[4][32];
    if (!b->has_peak) return;
    fprintf(to, "At best: f32 %s", flops_text(peak_of(b, PEAK_F32), text[0]));
    if (peak_of(b, PEAK_F16) > 0) fprintf(to, ", f16 %s", flops_text(peak_of(b, PEAK_F16), text[1]));
    if (peak_of(b, PEAK_MATRIX) > 0) fprintf(to, ", matrix units %s", flops_text(peak_of(b, PEAK_MATRIX), text[2]));
    if (peak_of(b, PEAK_READ) > 0) fprintf(to, ", memory read %.3g GB/s", 1e-9 * peak_of(b, PEAK_READ));
    if (peak_of(b, PEAK_COPY) > 0) fprintf(to, ", copied %.3g GB/s", 1e-9 * peak_of(b, PEAK_COPY));
    if (peak_of(b, PEAK_LAUNCH) > 0) fprintf(to, ", %.3g us a kernel", 1e6 * peak_of(b, PEAK_LAUNCH));
    if (peak_of(b, PEAK_SUBMIT) > 0) fprintf(to, ", %.3g us a submission", 1e6 * peak_of(b, PEAK_SUBMIT));
    fputs("\n\n", to);
}

static void put_row(const bench *b, const bench_row *r, FILE *to)
{
    char gpu[32] = "", cold[32] = "", warm[32] = "", share[64] = "", rate[32];
    bench_share s;
    if (*r->error) {
        fprintf(to, "| %s/%s | not run: %s | | | | | | | | |\n", r->suite, r->name, r->error);
        return;
    }
    if (r->gpu.count) snprintf(gpu, sizeof gpu, "%.4g", r->gpu.median);
    if (r->cold_ms >= 0) snprintf(cold, sizeof cold, "%.0f", r->cold_ms);
    if (r->warm_ms >= 0) snprintf(warm, sizeof warm, "%.0f", r->warm_ms);
    if (report_share(b, r, &s)) {
        const double part = s.bound[0] == 'c' ? s.compute : s.bound[0] == 'b' ? s.bandwidth : s.launch;
        snprintf(share, sizeof share, "%.0f %% of %s", 100 * part, s.bound);
    }
    const double ms = r->gpu.count ? r->gpu.median : r->time.median;
    fprintf(to, "| %s/%s | %.4g | %.4g to %.4g | %s | %s | %s | %s | %s | %s | %s |\n", r->suite, r->name, r->time.median, r->time.low, r->time.high, gpu,
            flops_text(ms > 0 ? r->flops / ms * 1e3 : 0, rate), share, bytes_text(r->peak_bytes), cold, warm,
            !r->against ? "" : row_passed(r) ? "ok" : "VOID");
}

void report_table(const bench *b, FILE *to)
{
    const weft_device_info *i = weft_device_get_info(b->device);
    const char *driver = i->driver ? i->driver : "";
    fprintf(to, "weft %s on %s (%s), %s, %s\n\n", WEFT_VERSION, i->kind == WEFT_DEVICE_VULKAN ? i->name : b->host.cpu, driver,
            precision_text(b->o->device.precision), b->host.date);
    put_peaks(b, to);
    if (!b->count) return;
    fputs("| | ms | 95 % | on the device | | of the peak | memory | cold ms | warm ms | result |\n|---|---|---|---|---|---|---|---|---|---|\n", to);
    for (int k = 0; k < b->count; k++) put_row(b, b->rows[k], to);
}

// --- Files. -------------------------------------------------------------------------------------------------------

static bool put_table(const bench *b, FILE *to) { return report_table(b, to), !ferror(to); }

static int write_file(bench *b, const char *path, bool (*put)(const bench *b, FILE *to))
{
    char part[4096];
    if (!strcmp(path, "-")) return put(b, stdout) ? CODE_OK : fail(b->c, CODE_FAILED, "cannot write to standard output");
    if (snprintf(part, sizeof part, "%s.part-%ld", path, (long) getpid()) >= (int) sizeof part) return fail(b->c, CODE_FAILED, "%s: too long a name", path);
    FILE *to = fopen(part, "w");
    bool good = to && put(b, to) && !fflush(to) && !fsync(fileno(to));
    const int why = errno;
    if (to && fclose(to)) good = false;
    if (good && !rename(part, path)) return CODE_OK;
    if (to) remove(part);
    return fail(b->c, CODE_FAILED, "%s: cannot write: %s", path, strerror(good ? errno : why));
}

int report_write(bench *b)
{
    const struct { const char *path; bool (*put)(const bench *b, FILE *to); } files[] = {
        { b->o->json, put_json }, { b->o->csv, put_csv }, { b->o->markdown, put_table },
    };
    int worst = CODE_OK;
    bool printed = false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const int code = files[i].path ? write_file(b, files[i].path, files[i].put) : CODE_OK;
        if (code) worst = code;
        printed |= files[i].path && !strcmp(files[i].path, "-");
    }
    if (!printed) report_table(b, stdout);
    return worst;
}
