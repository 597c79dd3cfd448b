// SPDX-License-Identifier: MIT
// What was measured, as tables: CSV with a line a row, Markdown for people.
#include "bench.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

// --- CSV. ---------------------------------------------------------------------------------------------------------

static void put_cell(FILE *to, const char *text) // of CSV; what a spreadsheet would compute gets an apostrophe
{
    fputc('"', to);
    if (*text && strchr("=+-@", *text)) fputc('\'', to);
    for (; *text; text++) *text == '"' ? fputs("\"\"", to) : fputc(*text, to);
    fputc('"', to);
}

static void put_number(FILE *to, double v, bool known) { known && isfinite(v) ? fprintf(to, ",%.9g", v) : fputc(',', to); }

// Both starts as a whole, then the warm one in parts; where nothing is kept between starts, the cold one.
static void put_start_cells(const bench_row *r, FILE *to)
{
    const bench_start *s = r->warm.known ? &r->warm : &r->cold;
    const bool ran = r->time.count > 0;
    put_number(to, bench_start_cost(&r->cold, &r->time), r->cold.known);
    put_number(to, bench_start_cost(&r->warm, &r->time), r->warm.known);
    const double parts[] = { s->open_ms, s->create_ms, s->pipelines_ms, s->pipelines_new, s->first_ms };
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) put_number(to, parts[k], s->known);
    put_number(to, r->submit.median, r->submit.count > 0);
    put_number(to, (double) r->session.workspace_bytes, ran);
    put_number(to, (double) r->session.workspace_least_bytes, ran);
}

bool report_csv(const void *what, FILE *to)
{
    const bench *b = what;
    const weft_device_info *info = weft_device_get_info(b->device);
    fputs("device,driver,suite,name,shape,precision,median_ms,mad_ms,low_ms,high_ms,samples,gpu_ms,cold_ms,warm_ms,flops,bytes,peak_bytes,"
          "compute_share,bandwidth_share,bound,difference,limit,void,error,not_run,cold_start_ms,warm_start_ms,open_ms,create_ms,pipelines_ms,"
          "pipelines_new,first_ms,submit_ms,workspace_bytes,workspace_least_bytes\n", to);
    for (int i = 0; i < b->count; i++) {
        const bench_row *r = b->rows[i];
        bench_share s = { .bound = "" };
        const bool ran = r->time.count > 0, share = report_share(b, r, &s);
        const char *const texts[] = { info->kind == WEFT_DEVICE_VULKAN ? info->name : b->host.cpu, info->driver ? info->driver : "", r->suite, r->name, r->shape, precision_text(r->precision) };
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            if (k) fputc(',', to);
            put_cell(to, texts[k]);
        }
        const double times[] = { r->time.median, r->time.mad, r->time.low, r->time.high, r->time.count };
        for (int k = 0; k < 5; k++) put_number(to, times[k], ran);
        put_number(to, r->gpu.median, r->gpu.count > 0);
        put_number(to, r->cold.create_ms + r->cold.first_ms, r->cold.known);
        put_number(to, r->warm.create_ms + r->warm.first_ms, r->warm.known);
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
        fprintf(to, ",%s", r->not_run ? "yes" : "no");
        put_start_cells(r, to);
        fputc('\n', to);
    }
    return !ferror(to);
}

// --- Markdown. ----------------------------------------------------------------------------------------------------

static void put_words(FILE *to, const char *text) // what would be taken for a column, a tag or a line
{
    for (; *text; text++) {
        if (*text == '|' || *text == '\\') fputc('\\', to);
        if (*text == '<') fputs("&lt;", to);
        else fputc((unsigned char) *text < ' ' ? ' ' : *text, to);
    }
}

static void put_name(FILE *to, const bench_row *r)
{
    fprintf(to, "| %s/", r->suite);
    put_words(to, r->name);
    fputs(" | ", to);
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
    if (peak_of(b, PEAK_HAND_OVER) > 0) fprintf(to, ", %.3g us of that to hand it over", 1e6 * peak_of(b, PEAK_HAND_OVER));
    fputs("\n\n", to);
}

static void put_row(const bench *b, const bench_row *r, FILE *to)
{
    char gpu[32] = "", share[64] = "", rate[32], plan[32] = "";
    bench_share s;
    put_name(to, r);
    if (*r->error) {
        fputs(r->not_run ? "not run because " : "failed: ", to);
        put_words(to, r->error);
        fputs(" | | | | | | | |\n", to);
        return;
    }
    if (r->gpu.count) snprintf(gpu, sizeof gpu, "%.4g", r->gpu.median);
    if (report_share(b, r, &s)) {
        const double part = s.bound[0] == 'c' ? s.compute : s.bound[0] == 'b' ? s.bandwidth : s.launch;
        snprintf(share, sizeof share, "%.0f %% of %s", 100 * part, s.bound);
    }
    const double ms = r->gpu.count ? r->gpu.median : r->time.median;
    if (r->session.workspace_least_bytes) snprintf(plan, sizeof plan, "%.3f", (double) r->session.workspace_bytes / (double) r->session.workspace_least_bytes);
    fprintf(to, "%.4g | %.4g to %.4g | %s | %s | %s | %s | %s | %s |\n", r->time.median, r->time.low, r->time.high, gpu,
            flops_text(ms > 0 ? r->flops / ms * 1e3 : 0, rate), share, bytes_text(r->peak_bytes), plan, !r->against ? "" : row_passed(r) ? "ok" : "VOID");
}

static void put_start(const char *kind, const bench_row *r, const bench_start *s, FILE *to)
{
    char run[32] = "", submit[32] = "", kernels[64] = " | ";
    if (!s->known) return;
    if (s->run_ms >= 0) snprintf(run, sizeof run, "%.4g", s->run_ms);
    if (r->submit.count) snprintf(submit, sizeof submit, "%.3g", 1e3 * r->submit.median);
    if (s->pipelines_new > 0) snprintf(kernels, sizeof kernels, "%.4g | %.0f", s->pipelines_ms, s->pipelines_new);
    put_name(to, r);
    fprintf(to, "%s | %.4g | %.4g | %s | %.4g | %s | %.4g | %s |\n", kind, bench_start_cost(s, &r->time), s->create_ms, kernels, s->first_ms,
            run, s->open_ms, submit);
}

static void put_starts(const bench *b, FILE *to)
{
    bool any = false;
    for (int k = 0; k < b->count; k++) any |= b->rows[k]->cold.known;
    if (!any) return;
    fputs("\nStarts in processes of their own, in ms: what a first result takes beyond a later run, which is the session - its kernels are a part of\n"
          "that - and the first run, less a later one. Opening the device comes before.\n\n"
          "| | | start | session | kernels | of them new | first run | later run | device | us to hand a run over |\n|---|---|---|---|---|---|---|---|---|---|\n", to);
    for (int k = 0; k < b->count; k++) {
        put_start("cold", b->rows[k], &b->rows[k]->cold, to);
        put_start("warm", b->rows[k], &b->rows[k]->warm, to);
    }
}

bool report_markdown(const void *what, FILE *to)
{
    const bench *b = what;
    const weft_device_info *i = weft_device_get_info(b->device);
    const char *driver = i->driver ? i->driver : "";
    fprintf(to, "weft %s on ", WEFT_VERSION);
    put_words(to, i->kind == WEFT_DEVICE_VULKAN ? i->name : b->host.cpu);
    fputs(" (", to);
    put_words(to, driver);
    fprintf(to, "), %s, %s\n\n", precision_text(b->o->device.precision), b->host.date);
    put_peaks(b, to);
    if (b->count) fputs("| | ms | 95 % | on the device | | of the peak | memory | of the least | result |\n|---|---|---|---|---|---|---|---|---|\n", to);
    for (int k = 0; k < b->count; k++) put_row(b, b->rows[k], to);
    put_starts(b, to);
    return !ferror(to);
}
