// SPDX-License-Identifier: MIT
// What `weft compare` works on: benchmark reports as read (tools/weft/bench.schema.json), and rows of results that are the same work.
#pragma once
#include "command.h"

// --- Memory that is freed together. ----------------------------------------------------------------------------

typedef struct pool { struct pool_block *blocks; } pool;
void *pool_take(pool *p, size_t bytes); // zeroed; NULL: no memory
const char *pool_text(pool *p, const char *format, ...) PRINTF(2, 3);
void pool_free(pool *p);

// --- A report. Texts are clean UTF-8 without control characters, never NULL; numbers are finite, NAN where the file has none. ----

typedef struct figure { // STAT in the schema; median, low, high and order come from the samples
    double median, mad, low, high;
    double *sorted;
    int count;
} figure;

typedef struct op_time { // what one operator took in a result
    const char *op, *kernel, *way;
    double count, ms, flops, bytes;
} op_time;

typedef struct result {
    const char *suite, *name, *shape, *precision, *unit, *error, *bound; // precision: what the device granted
    figure *time, *gpu; // NULL: none
    double cold_ms, warm_ms, flops, bytes, peak_bytes, dispatches, compute, bandwidth, launch; // shares of the peaks
    double cold_cost, warm_cost, warm_create, warm_pipelines; // starts, ms
    double workspace_bytes, workspace_least_bytes, submit_ms;
    double gate_difference, gate_limit;
    bool voided, not_run;
    op_time *ops;
    int op_count, index; // index: in the file
} result;

enum { PEAKS = 8 };
typedef struct peak_kind { const char *name, *label, *unit; double scale; bool seconds; } peak_kind; // seconds: less is better
extern const peak_kind peak_kinds[PEAKS];

typedef struct report {
    const char *file; // as given
    char letter[2];   // "A": the base; "B", "C", ...
    const char *weft, *kernels, *cpu_library, *date, *os, *cpu;
    double threads, host_bytes, load;
    const char *kind, *name, *driver, *type, *uuid, *api;
    double vendor_id, device_id, device_bytes, subgroup, core_mhz, memory_mhz;
    bool f16, tune, no_optional, stopped;
    const char *matrix, *precision;
    double min_seconds, min_samples;
    bool has_peak;
    figure *peak[PEAKS];
    result *results;
    int count;
} report;

// Reads a report; a failure is printed and names file and field. CODE_OK or an exit code.
int read_report(const call *c, pool *p, const char *file, report *out);

// --- Statistics. -------------------------------------------------------------------------------------------------

typedef enum verdict { VERDICT_SAME, VERDICT_FASTER, VERDICT_SLOWER, VERDICT_FEW } verdict;
extern const char *const verdict_words[]; // "no difference", "faster", "slower", "too few samples"

enum { DRAWS = 4000, SAMPLES_LEAST = 5 }; // fewer samples give no verdict

// How fast b is, a being 1: median of a over median of b, with its 95 % interval.
typedef struct speed { double ratio, low, high; verdict verdict; } speed;

void figure_of(figure *f); // sorts the samples; fills the rest
// Percentile bootstrap of the ratio of medians. The draws are fixed by `seed`; their logarithms are added to draws[DRAWS].
speed compare_figures(const figure *a, const figure *b, double noise, uint64_t seed, double *draws);
void draws_interval(double *draws, double scale, double *low, double *high); // 95 % of exp(scale * draws); sorts them
uint64_t seed_of(const char *text, uint64_t more);

// --- Rows of the same work. -----------------------------------------------------------------------------------------

enum { REPORTS_MOST = 16 };
typedef struct cell { // one report in a row; of the base, `result` alone counts
    const result *result;   // NULL: not in this report, or not usable
    const figure *time;
    speed speed;
    const char *mark;       // what differs and was allowed to; NULL: nothing
} cell;
typedef struct row { const char *suite, *name; int index; cell cell[REPORTS_MOST]; } row;
typedef struct left_out { const char *suite, *name, *why; int turn; } left_out; // turn: in which they were found
typedef struct sum { int rows, faster, slower; double ratio, low, high; } sum; // of a suite, for one report; ratio: geometric mean
typedef struct suite { const char *name; int first, count; sum sum[REPORTS_MOST]; } suite; // rows first .. first + count

enum { SUITES_MOST = 16, ACROSS_MOST = 4 * REPORTS_MOST };
typedef struct comparison {
    report *reports;
    int report_count;
    row *rows;              // by suite, in the order asked for
    int row_count;
    suite suites[SUITES_MOST];
    int suite_count;
    left_out *left;         // void, with an error, or not in every report: not counted; by suite and reason
    int left_count;
    const char *across[ACROSS_MOST]; // sentences: what was allowed to differ, and does
    int across_count;
    speed peak[PEAKS][REPORTS_MOST]; // where both have it (peak_compared): above 1, the other is better
    double noise;
    bool by_gpu;            // times by the device's clock
} comparison;
enum { LEFT_ALIKE = 6 };   // more that are left out for one reason are told in one line
int left_run(const comparison *m, int i); // how many from i on are of one suite, for one reason
bool peak_compared(const comparison *m, int kind, int i);

enum { ALLOW_PRECISION = 1, ALLOW_SETTINGS = 2, ALLOW_SHAPE = 4, ALLOW_FLOPS = 8, ALLOW_ALL = 15 };
typedef enum sort_order { SORT_FILE, SORT_NAME, SORT_RATIO, SORT_TIME } sort_order;
typedef struct compare_how {
    int allow; // ALLOW_*
    double noise;
    sort_order sort;
    const text_list *filter;
    bool by_gpu;
} compare_how;

// Refuses what is not comparable (printed). CODE_OK or an exit code.
int compare_reports(const call *c, pool *p, report *reports, int count, const compare_how *how, comparison *out);

// --- Output. ---------------------------------------------------------------------------------------------------------

typedef struct text_out { char *at; size_t length, room; bool failed; } text_out; // grows
void put(text_out *t, const char *format, ...) PRINTF(2, 3);
int write_file(const call *c, const char *path, const void *data, size_t bytes); // whole or not at all

const char *ms_text(double ms);        // four digits: "0.0123", "12.34"; valid for 16 calls
const char *ratio_text(double ratio);  // "1.25x"
int text_width(const char *utf8);      // in characters
const char *cut_text(const char *utf8, int width); // with an ellipsis in the middle; valid for 16 calls

void put_markdown(text_out *t, const comparison *m, int width, bool colour); // width 0: any
void put_csv(text_out *t, const comparison *m);
void put_json(text_out *t, const comparison *m);
