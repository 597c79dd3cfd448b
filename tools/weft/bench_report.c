// SPDX-License-Identifier: MIT
// Shares of the peak, and the files that were asked for, which appear whole or not at all.
#include "bench.h"
#include <stdio.h>
#include <string.h>

static const double KEEP_SECONDS = 10;

const char *precision_text(int p) { return p == WEFT_EXACT ? "exact" : p == WEFT_FAST ? "fast" : "mixed"; }

double peak_of(const bench *b, int what) { return b->peak[what].count ? b->peak[what].median : 0; }

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

// --- Files. -------------------------------------------------------------------------------------------------------

static int write_to(const bench *b, const char *path, bool (*put)(const void *b, FILE *to))
{
    if (strcmp(path, "-")) return write_whole(b->c, path, put, b);
    return put(b, stdout) ? CODE_OK : fail(b->c, CODE_FAILED, "cannot write to standard output");
}

int report_write(bench *b)
{
    const struct { const char *path; bool (*put)(const void *b, FILE *to); } files[] = {
        { b->o->json, report_json }, { b->o->csv, report_csv }, { b->o->markdown, report_markdown },
    };
    int worst = CODE_OK;
    bool printed = false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const int code = files[i].path ? write_to(b, files[i].path, files[i].put) : CODE_OK;
        if (code) worst = code;
        printed |= files[i].path && !strcmp(files[i].path, "-");
    }
    if (!printed) report_markdown(b, stdout);
    return worst;
}

void report_keep(bench *b)
{
    const bool file = b->o->json && strcmp(b->o->json, "-");
    if (!file || seconds_since(b->kept) < KEEP_SECONDS) return;
    write_to(b, b->o->json, report_json); // a failure is said; the end may find more room
    b->kept = seconds_since(0);
}
