// SPDX-License-Identifier: MIT
// weft bench: what its parts share. bench.c the command, bench_stat.c numbers of samples, bench_measure.c the protocol by which a row
// is measured, bench_start.c starts, bench_nets.c, ... the rows of the suites, bench_host.c what the figures depend on, bench_json.c,
// bench_table.c and bench_report.c what becomes of them.
#pragma once
#include "command.h"
#include "profile.h"
#include <stdio.h>
#include "import/import.h"
#include <weft/measure.h>

// --- Numbers. ---------------------------------------------------------------------------------------------------

typedef struct bench_stat { // of `count` samples, in the order in which they were taken
    double *sample;
    int count, room;
    double median, mad, low, high; // see summary.h
} bench_stat;
bool stat_add(bench_stat *s, double sample); // false: out of memory
void stat_finish(bench_stat *s);             // fills in what follows from the samples
void stat_free(bench_stat *s);

// --- Rows. ------------------------------------------------------------------------------------------------------

typedef struct bench_start { // of a row in a process of its own
    bool known;
    double open_ms, create_ms, pipelines_ms, first_ms, run_ms; // device; session; of that: its kernels; first run; a later one, below 0: not known
    double pipelines_new;
} bench_start;

typedef struct bench_row {
    const char *suite;
    char name[128], shape[256], error[512]; // error "": none
    bool not_run;                           // the error: the device cannot run such a thing
    bench_stat time, gpu, submit;                 // ms; gpu without samples: not known; submit: of the calling thread, until the driver had a run
    int runs_per_sample;
    bench_start cold, warm;
    double flops, bytes, peak_bytes;        // of a run; of the session on the device
    weft_session_facts session;
    int dispatches;
    int precision;                          // what was granted
    profile operators;                      // of one run
    const char *against;                    // the device that the gate compares with; NULL: no gate
    double difference, limit;               // difference: not finite if an output is not
} bench_row;
void row_free(bench_row *row);
static inline bool row_passed(const bench_row *r) { return !r->against || r->difference <= r->limit; }

enum { PEAK_F32, PEAK_F16, PEAK_MATRIX, PEAK_READ, PEAK_COPY, PEAK_LAUNCH, PEAK_SUBMIT, PEAK_HAND_OVER, PEAKS };
typedef struct bench_options {
    device_options device;
    const char *filter, *json, *csv, *markdown;
    text_list models, dims;
    double seconds, most_seconds, gate_limit;
    int samples, no_peak, no_gate, no_cold, list, quick;
    const char *seconds_text, *most_text, *limit_text;
} bench_options;

typedef struct bench_host {
    char os[128], cpu[128], date[32];
    int threads;
    double memory_bytes, load;         // load below 0: not known
    double core_mhz, memory_mhz;       // of the device, the highest seen; below 0: not readable
} bench_host;

typedef struct bench {
    call *c;
    bench_options *o;
    weft_device *device, *truth; // truth: opened when first needed
    bench_host host;
    bench_stat peak[PEAKS];            // without samples: the device has no such thing, or it was not measured
    bool has_peak;
    bench_row **rows;
    int count, room;
    bool stopped, lost;          // by Ctrl-C; the device
    bool counting;               // how many rows there will be, instead of measuring
    int planned, begun;          // rows
    double planned_work, begun_work, begin, kept; // work: about, in any unit; begin, kept: when the first row began, when a report was last written
    const char *start;           // NULL, or the row whose start is measured in this process
    bench_start here;            // of it
} bench;

// --- Measuring. -------------------------------------------------------------------------------------------------

typedef struct bench_work {
    const char *suite, *name, *shape;
    const weft_model *model;
    int entry;
    const weft_port_shape *shapes; // of all inputs
    int shape_count;
    // Runs with all inputs and outputs; runs on the device alone; the same, where gpu is the time of the nodes themselves, without what
    // moves tensors from layout to layout, which in a network would not be there.
    enum { WORK_RUN, WORK_REPEAT, WORK_NODES } how;
    bool cold;                          // cold and warm starts too
    double limit_exact, limit_half;     // of the gate, by precision
    // Numbers of an input; NULL: uniform in -1..1, integers 0.
    void (*fill)(void *user, const weft_port *port, void *data, size_t count);
    void *user;
} bench_work;

bool bench_wants(bench *b, const char *suite, const char *name); // by --filter; with --list, prints the name and gives false
// Measures and appends a row; what goes wrong is the row's error. False: stop everything (Ctrl-C, the device is lost, no memory).
bool bench_measure(bench *b, const bench_work *w);
bool bench_error(bench *b, const char *suite, const char *name, const char *text); // a row that could not even be begun
void bench_fill(uint32_t seed, float *data, size_t count);                        // uniform in -1..1

// --- Starts. ------------------------------------------------------------------------------------------------------

void bench_starts(const bench *b, bench_row *row); // fills in row->cold and row->warm
// What a start takes beyond a later run: the session, and what the first run does once. time: of the row.
double bench_start_cost(const bench_start *s, const bench_stat *time);
const char *bench_start_row(void);            // NULL; in a process that is to start and tell how long that took, the row
void bench_start_tell(const bench_start *s);

// --- Published networks at their published sizes, with random weights; bench_random.c. -----------------------------

typedef struct random_net {
    const char *row; // its name in the suite
    weft_result (*make)(weft_context *ctx, int size, weft_model **out, char *error); // error: IMPORT_ERROR characters
    int size;
    const char *entry;
    text_list dims;  // beside the presets
} random_net;
const random_net *random_net_at(int index); // NULL past the end
weft_result random_stylegan2(weft_context *ctx, int size, weft_model **out, char *error);
weft_result random_lpips(weft_context *ctx, int size, weft_model **out, char *error);

// --- Suites: true to go on. ---------------------------------------------------------------------------------------

bool bench_peak(bench *b); // before all others, whose shares need it
bool bench_ops(bench *b);
bool bench_nets(bench *b);
bool bench_invert(bench *b);

// --- Facts and reports. -------------------------------------------------------------------------------------------

void host_read(bench_host *h, const weft_device_info *info);
void host_watch(bench_host *h, const weft_device_info *info); // the clocks again: a device that has nothing to do lowers them
int report_write(bench *b); // the files asked for; CODE_OK or the exit code, with the failure printed
void report_keep(bench *b); // writes the JSON file as it is now, if the last time is long ago: a benchmark that is killed leaves that
bool report_json(const void *bench, FILE *to); // for write_whole
bool report_csv(const void *bench, FILE *to);
bool report_markdown(const void *bench, FILE *to);
const char *precision_text(int precision);
typedef struct bench_share { double compute, bandwidth, launch; const char *bound; } bench_share; // parts of the time that each would need alone
double peak_of(const bench *b, int what); // the median; 0: there is none
bool report_share(const bench *b, const bench_row *r, bench_share *out); // false: not known
