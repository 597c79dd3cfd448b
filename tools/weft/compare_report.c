// SPDX-License-Identifier: MIT
// Reads benchmark reports. They are files of others: every field is checked, and what is wrong is named with file and field.
#include "compare.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 64 << 20, RESULTS_MOST = 10000, OPERATORS_MOST = 1000, TEXT_MOST = 1000, FIELDS_MOST = 100, SCHEMA_VERSION = 1 };
// Beyond these is no measurement, and what is computed from it would leave the range.
#define NUMBER_MOST 1e30
#define NUMBER_LEAST 1e-30 // less is 0

const peak_kind peak_kinds[PEAKS] = {
    { "f32_flops", "f32 arithmetic", "GFLOP/s", 1e-9, false },
    { "f16_flops", "f16 arithmetic", "GFLOP/s", 1e-9, false },
    { "matrix_flops", "matrix units", "GFLOP/s", 1e-9, false },
    { "read_bytes", "memory, reading", "GB/s", 1e-9, false },
    { "copy_bytes", "memory, copying", "GB/s", 1e-9, false },
    { "launch_seconds", "time of a launch", "us", 1e6, true },
    { "submit_seconds", "of a submission", "us", 1e6, true },
    { "hand_over_seconds", "of handing over", "us", 1e6, true },
};

typedef struct reader {
    const call *call;
    pool *pool;
    const char *file;
    char where[256]; // "results[3].", or ""
} reader;

static bool bad(const reader *r, const char *field, const char *format, ...) PRINTF(3, 4);
static bool bad(const reader *r, const char *field, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int length = (int) strlen(r->where);
    if (length && !*field) length--; // the dot
    return fail(r->call, CODE_INPUT, "%s: %.*s%s%s%s", r->file, length, r->where, field, length || *field ? ": " : "", text), false;
}

static bool no_memory(const reader *r) { return fail(r->call, CODE_FAILED, "%s: out of memory", r->file), false; }

static const char *type_name(const cJSON *v)
{
    return !v ? "missing" : cJSON_IsNull(v) ? "null" : cJSON_IsBool(v) ? "true or false" : cJSON_IsNumber(v) ? "a number"
           : cJSON_IsString(v) ? "a text" : cJSON_IsArray(v) ? "a list" : "an object";
}

// --- Texts. ----------------------------------------------------------------------------------------------------

// The bytes of the UTF-8 character at s, and its code; 0: it is none.
static int decode(const unsigned char *s, uint32_t *code)
{
    const int n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (!n) return 0;
    *code = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        *code = *code << 6 | (s[i] & 0x3F);
    }
    return *code < least[n] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000) ? 0 : n;
}

static bool printable(uint32_t code) // nothing that moves a cursor or turns the direction of writing
{
    return code >= 0x20 && (code < 0x7F || code > 0x9F) && !(code >= 0x200B && code <= 0x200F) && !(code >= 0x2028 && code <= 0x202E) &&
           !(code >= 0x2060 && code <= 0x206F) && code != 0xFEFF && code != 0xFFFE && code != 0xFFFF;
}

static const char *clean(pool *p, const char *text)
{
    const unsigned char *s = (const unsigned char *) text;
    const size_t n = strlen(text) < TEXT_MOST ? strlen(text) : TEXT_MOST;
    char *out = pool_take(p, n + 8), *to = out;
    if (!out) return NULL;
    while (*s && to < out + n) {
        uint32_t code = 0;
        const int bytes = decode(s, &code);
        if (bytes && printable(code)) memcpy(to, s, (size_t) bytes), to += bytes;
        else *to++ = '?';
        s += bytes ? bytes : 1;
    }
    return out;
}

// --- Fields by tables. -----------------------------------------------------------------------------------------

typedef enum field_type { TEXT, REAL, FLAG, FIGURE } field_type;
typedef struct field { const char *name; field_type type; size_t offset; bool need; } field;
#define FIELD(T, type, member, need) { #member, type, offsetof(T, member), need }

static bool read_real(const reader *r, const cJSON *v, const char *name, double *out)
{
    if (!cJSON_IsNumber(v)) return bad(r, name, "is %s, and must be a number", type_name(v));
    if (!(v->valuedouble >= 0 && v->valuedouble <= NUMBER_MOST)) return bad(r, name, "is %g, and must be from 0 to %g", v->valuedouble, NUMBER_MOST);
    *out = v->valuedouble < NUMBER_LEAST ? 0 : v->valuedouble;
    return true;
}

static bool read_figure(const reader *r, const cJSON *v, const char *name, figure **out)
{
    char text[96];
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(v, "samples"), *s;
    double median;
    snprintf(text, sizeof text, "%s.samples", name);
    if (!cJSON_IsObject(v)) return bad(r, name, "is %s, and must be an object of median and samples", type_name(v));
    if (!cJSON_IsArray(samples)) return bad(r, text, "is %s, and must be a list of numbers", type_name(samples));
    const int count = cJSON_GetArraySize(samples);
    figure *f = *out = pool_take(r->pool, sizeof *f);
    if (!f || !(f->sorted = pool_take(r->pool, sizeof *f->sorted * (size_t) count))) return no_memory(r);
    if (!count) return bad(r, text, "is empty");
    cJSON_ArrayForEach(s, samples) {
        snprintf(text, sizeof text, "%s.samples[%d]", name, f->count);
        if (!read_real(r, s, text, &f->sorted[f->count++])) return false;
    }
    figure_of(f);
    snprintf(text, sizeof text, "%s.median", name);
    if (!read_real(r, cJSON_GetObjectItemCaseSensitive(v, "median"), text, &median)) return false;
    if (!(f->median > 0) && !strcmp(name, "gpu")) *out = NULL; // a clock too coarse for it
    else if (!(f->median > 0)) return bad(r, text, "is 0: nothing was measured");
    if (median < f->sorted[0] * (1 - 1e-5) || median > f->sorted[count - 1] * (1 + 1e-5)) // rounded when it was written, maybe
        return bad(r, text, "is %g, but the samples lie from %g to %g", median, f->sorted[0], f->sorted[count - 1]);
    return true;
}

static bool read_field(const reader *r, const cJSON *v, const field *f, void *to)
{
    char *at = (char *) to + f->offset;
    const bool none = !v || cJSON_IsNull(v);
    if (none && f->need) return bad(r, f->name, "is %s, and must be there", v ? "null" : "missing");
    switch (f->type) {
    case TEXT:
        if (!none && !cJSON_IsString(v)) return bad(r, f->name, "is %s, and must be a text", type_name(v));
        return (*(const char **) at = none ? "" : clean(r->pool, v->valuestring)) ? true : no_memory(r);
    case REAL:
        *(double *) at = NAN;
        return none || read_real(r, v, f->name, (double *) at);
    case FLAG:
        if (!none && !cJSON_IsBool(v)) return bad(r, f->name, "is %s, and must be true or false", type_name(v));
        *(bool *) at = !none && cJSON_IsTrue(v);
        return true;
    case FIGURE: return none || read_figure(r, v, f->name, (figure **) at);
    }
    return false;
}

static bool read_fields(const reader *r, const cJSON *o, const field *table, void *to)
{
    for (; table->name; table++)
        if (!read_field(r, cJSON_GetObjectItemCaseSensitive(o, table->name), table, to)) return false;
    return true;
}

// Goes into the object `name` of `o`: r->where names it until leave().
static bool enter(reader *r, const cJSON *o, const char *name, bool need, const cJSON **out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    const bool none = !v || cJSON_IsNull(v);
    *out = none ? NULL : v;
    if ((none && need) || (!none && !cJSON_IsObject(v))) return bad(r, name, "is %s, and must be an object", type_name(v));
    snprintf(r->where + strlen(r->where), sizeof r->where - strlen(r->where), "%s.", name);
    return true;
}

static void leave(reader *r, size_t length) { r->where[length] = 0; }

// --- Results. --------------------------------------------------------------------------------------------------

static bool read_operators(reader *r, const cJSON *o, result *out)
{
    static const field fields[] = {
        FIELD(op_time, TEXT, op, true), FIELD(op_time, TEXT, kernel, false), FIELD(op_time, TEXT, way, false), FIELD(op_time, REAL, count, false),
        FIELD(op_time, REAL, ms, false), FIELD(op_time, REAL, flops, false), FIELD(op_time, REAL, bytes, false), { 0 },
    };
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, "operators"), *v;
    if (!list || cJSON_IsNull(list)) return true;
    if (!cJSON_IsArray(list)) return bad(r, "operators", "is %s, and must be a list", type_name(list));
    const int count = cJSON_GetArraySize(list);
    if (count > OPERATORS_MOST) return bad(r, "operators", "are more than %d", OPERATORS_MOST);
    if (!(out->ops = pool_take(r->pool, sizeof *out->ops * (size_t) count))) return no_memory(r);
    const size_t length = strlen(r->where);
    cJSON_ArrayForEach(v, list) {
        snprintf(r->where + length, sizeof r->where - length, "operators[%d].", out->op_count);
        if (!cJSON_IsObject(v)) return bad(r, "", "is %s, and must be an object", type_name(v));
        op_time *t = &out->ops[out->op_count++];
        if (!read_fields(r, v, fields, t)) return false;
        if (isnan(t->ms)) t->ms = 0; // not known: nothing to draw
    }
    leave(r, length);
    return true;
}

static bool read_share(reader *r, const cJSON *o, result *out)
{
    static const field fields[] = { FIELD(result, REAL, compute, false), FIELD(result, REAL, bandwidth, false), FIELD(result, REAL, launch, false),
                                    FIELD(result, TEXT, bound, false), { 0 } };
    const size_t length = strlen(r->where);
    const cJSON *share;
    if (!enter(r, o, "share", false, &share) || !read_fields(r, share, fields, out)) return false;
    leave(r, length);
    return true;
}

static bool read_gate(reader *r, const cJSON *o, result *out)
{
    static const field fields[] = { { "difference", REAL, offsetof(result, gate_difference), false }, { "limit", REAL, offsetof(result, gate_limit), false },
                                    { "passed", FLAG, offsetof(result, voided), false }, { 0 } };
    const size_t length = strlen(r->where);
    const cJSON *gate;
    if (!enter(r, o, "gate", false, &gate)) return false;
    // A difference that is no number cannot stand in JSON: null there says that the gate failed.
    if (gate && !read_fields(r, gate, fields, out)) return false;
    const bool failed = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(gate, "passed"));
    leave(r, length);
    static const field voided[] = { { "void", FLAG, offsetof(result, voided), false }, { 0 } };
    if (!read_fields(r, o, voided, out)) return false;
    if (failed && !out->voided) return bad(r, "void", "is false although the gate failed");
    if (gate && !out->voided && !(out->gate_difference <= out->gate_limit))
        return bad(r, "void", "is false although the difference %g is more than the limit %g", out->gate_difference, out->gate_limit);
    return true;
}

// Files of before it was written have the whole of a first result: less a run it is the same.
static double start_cost(double cost, double whole, const figure *time)
{
    if (!isnan(cost) || isnan(whole) || !time) return cost;
    return whole > time->median ? whole - time->median : 0;
}

static bool read_starts(reader *r, const cJSON *o, result *out)
{
    static const field cold[] = { { "cost_ms", REAL, offsetof(result, cold_cost), false }, { 0 } };
    static const field warm[] = { { "cost_ms", REAL, offsetof(result, warm_cost), false }, { "create_ms", REAL, offsetof(result, warm_create), false },
                                  { "pipelines_ms", REAL, offsetof(result, warm_pipelines), false }, { 0 } };
    const size_t length = strlen(r->where);
    const cJSON *starts, *start;
    if (!enter(r, o, "starts", false, &starts)) return false;
    const size_t inside = strlen(r->where);
    if (!enter(r, starts, "cold", false, &start) || !read_fields(r, start, cold, out)) return false;
    leave(r, inside);
    if (!enter(r, starts, "warm", false, &start) || !read_fields(r, start, warm, out)) return false;
    leave(r, length);
    out->cold_cost = start_cost(out->cold_cost, out->cold_ms, out->time);
    out->warm_cost = start_cost(out->warm_cost, out->warm_ms, out->time);
    return true;
}

static bool read_session(reader *r, const cJSON *o, result *out)
{
    static const field fields[] = { FIELD(result, REAL, workspace_bytes, false), FIELD(result, REAL, workspace_least_bytes, false), FIELD(result, REAL, submit_ms, false), { 0 } };
    const size_t length = strlen(r->where);
    const cJSON *session;
    if (!enter(r, o, "session", false, &session) || !read_fields(r, session, fields, out)) return false;
    leave(r, length);
    return true;
}

static bool read_result(reader *r, const cJSON *o, result *out)
{
    static const field fields[] = {
        FIELD(result, TEXT, suite, true), FIELD(result, TEXT, name, true), FIELD(result, TEXT, shape, false), FIELD(result, TEXT, precision, false), FIELD(result, TEXT, unit, false),
        FIELD(result, TEXT, error, false), FIELD(result, FIGURE, time, false), FIELD(result, FIGURE, gpu, false), FIELD(result, REAL, cold_ms, false),
        FIELD(result, REAL, warm_ms, false), FIELD(result, REAL, flops, false), FIELD(result, REAL, bytes, false), FIELD(result, REAL, peak_bytes, false),
        FIELD(result, REAL, dispatches, false), FIELD(result, FLAG, not_run, false), { 0 },
    };
    if (!cJSON_IsObject(o)) return bad(r, "", "is %s, and must be an object", type_name(o));
    if (!read_fields(r, o, fields, out) || !read_share(r, o, out) || !read_gate(r, o, out) || !read_operators(r, o, out)) return false;
    if (!read_starts(r, o, out) || !read_session(r, o, out)) return false;
    if (!*out->suite) return bad(r, "suite", "is empty");
    if (!*out->name) return bad(r, "name", "is empty");
    if (*out->unit && strcmp(out->unit, "ms")) return bad(r, "unit", "is '%.40s', and must be 'ms'", out->unit);
    if (!out->time && !*out->error && !out->voided) return bad(r, "time", "is missing, and there is no error that says why");
    return true;
}

static int by_name(const void *a, const void *b)
{
    const result *const *x = a, *const *y = b;
    const int s = strcmp((*x)->suite, (*y)->suite);
    return s ? s : strcmp((*x)->name, (*y)->name);
}

static bool refuse_twins(reader *r, const report *out)
{
    const result **order = pool_take(r->pool, sizeof *order * (size_t) out->count);
    if (!order) return no_memory(r);
    for (int i = 0; i < out->count; i++) order[i] = &out->results[i];
    qsort(order, (size_t) out->count, sizeof *order, by_name);
    for (int i = 1; i < out->count; i++)
        if (!by_name(&order[i - 1], &order[i])) {
            const int at = order[i]->index > order[i - 1]->index ? order[i]->index : order[i - 1]->index;
            snprintf(r->where, sizeof r->where, "results[%d].", at);
            return bad(r, "name", "'%.80s' is in suite %.80s a second time", order[i]->name, order[i]->suite);
        }
    return true;
}

static bool read_results(reader *r, const cJSON *top, report *out)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(top, "results"), *v;
    if (!cJSON_IsArray(list)) return bad(r, "results", "is %s, and must be a list", type_name(list));
    if (cJSON_GetArraySize(list) > RESULTS_MOST) return bad(r, "results", "are more than %d", RESULTS_MOST);
    if (!(out->results = pool_take(r->pool, sizeof *out->results * (size_t) cJSON_GetArraySize(list)))) return no_memory(r);
    cJSON_ArrayForEach(v, list) {
        snprintf(r->where, sizeof r->where, "results[%d].", out->count);
        out->results[out->count].index = out->count;
        if (!read_result(r, v, &out->results[out->count++])) return false;
    }
    leave(r, 0);
    return refuse_twins(r, out);
}

// --- The head. -------------------------------------------------------------------------------------------------

static bool read_peak(reader *r, const cJSON *top, report *out)
{
    const cJSON *peak;
    if (!enter(r, top, "peak", false, &peak)) return false;
    for (int i = 0; i < PEAKS; i++) {
        const field f = { peak_kinds[i].name, FIGURE, 0, false };
        if (!read_field(r, cJSON_GetObjectItemCaseSensitive(peak, f.name), &f, &out->peak[i])) return false;
        out->has_peak |= out->peak[i] != NULL;
    }
    leave(r, 0);
    return true;
}

static bool read_matrix(reader *r, const cJSON *device, report *out) // [m, n, k]; an empty list or null: none
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(device, "matrix"), *v;
    double at[3] = { 0 };
    int n = 0;
    out->matrix = "";
    if (!m || cJSON_IsNull(m)) return true;
    if (!cJSON_IsArray(m)) return bad(r, "matrix", "is %s, and must be a list of three numbers", type_name(m));
    cJSON_ArrayForEach(v, m) {
        if (n == 3) return bad(r, "matrix", "has more than three numbers");
        if (!read_real(r, v, "matrix", &at[n++])) return false;
    }
    if (n && n < 3) return bad(r, "matrix", "has %d numbers, and must have three", n);
    if (n && at[0] > 0) out->matrix = pool_text(r->pool, "%gx%gx%g", at[0], at[1], at[2]);
    return out->matrix ? true : no_memory(r);
}

static bool read_device(reader *r, const cJSON *top, report *out)
{
    static const field fields[] = {
        FIELD(report, TEXT, kind, true), FIELD(report, TEXT, name, true), FIELD(report, TEXT, driver, false), FIELD(report, TEXT, type, false),
        FIELD(report, TEXT, uuid, false), FIELD(report, TEXT, api, false), FIELD(report, REAL, vendor_id, false), FIELD(report, REAL, device_id, false),
        { "memory_bytes", REAL, offsetof(report, device_bytes), false }, { "f16_storage", FLAG, offsetof(report, f16), false },
        { "subgroup_size", REAL, offsetof(report, subgroup), false }, { 0 },
    };
    static const field clock_fields[] = { { "core", REAL, offsetof(report, core_mhz), false }, { "memory", REAL, offsetof(report, memory_mhz), false }, { 0 } };
    const cJSON *device, *clocks;
    if (!enter(r, top, "device", true, &device) || !read_fields(r, device, fields, out) || !read_matrix(r, device, out)) return false;
    if (!enter(r, device, "clocks_mhz", false, &clocks) || !read_fields(r, clocks, clock_fields, out)) return false;
    leave(r, 0);
    return true;
}

static bool read_rest(reader *r, const cJSON *top, report *out) // weft, date, host, settings
{
    static const field weft_fields[] = { { "version", TEXT, offsetof(report, weft), true }, FIELD(report, TEXT, kernels, false), FIELD(report, TEXT, cpu_library, false), { 0 } };
    static const field top_fields[] = { FIELD(report, TEXT, date, false), FIELD(report, FLAG, stopped, false), { 0 } };
    static const field host_fields[] = { FIELD(report, TEXT, os, false), FIELD(report, TEXT, cpu, false), FIELD(report, REAL, threads, false),
                                         { "memory_bytes", REAL, offsetof(report, host_bytes), false }, FIELD(report, REAL, load, false), { 0 } };
    static const field settings_fields[] = { FIELD(report, TEXT, precision, true), FIELD(report, REAL, min_seconds, true), FIELD(report, REAL, min_samples, true),
                                             FIELD(report, FLAG, tune, true), FIELD(report, FLAG, no_optional, false), { 0 } };
    const struct { const char *name; const field *fields; bool need; } parts[] = {
        { "weft", weft_fields, true }, { "host", host_fields, false }, { "settings", settings_fields, true },
    };
    for (int i = 0; i < 3; i++) {
        const cJSON *o;
        if (!enter(r, top, parts[i].name, parts[i].need, &o) || !read_fields(r, o, parts[i].fields, out)) return false;
        leave(r, 0);
    }
    return read_fields(r, top, top_fields, out);
}

static bool read_top(reader *r, const cJSON *top, report *out)
{
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(top, "schema"), *version = cJSON_GetObjectItemCaseSensitive(top, "version");
    if (!cJSON_IsString(schema) || strcmp(schema->valuestring, "weft-bench"))
        return bad(r, "schema", "is %s, not 'weft-bench': this is no report of `weft bench`", cJSON_IsString(schema) ? "something else" : type_name(schema));
    if (!cJSON_IsNumber(version)) return bad(r, "version", "is %s, and must be a number", type_name(version));
    if (version->valuedouble != SCHEMA_VERSION) return bad(r, "version", "is %g; this weft reads version %d", version->valuedouble, SCHEMA_VERSION);
    return read_rest(r, top, out) && read_device(r, top, out) && read_peak(r, top, out) && read_results(r, top, out);
}

// --- The file. -------------------------------------------------------------------------------------------------

static bool read_bytes(const reader *r, char **out, size_t *bytes)
{
    FILE *f = fopen(r->file, "rb");
    size_t room = 1 << 16, n = 0;
    if (!f) return fail(r->call, CODE_INPUT, "cannot open %s: %s", r->file, strerror(errno)), false;
    char *data = *out = malloc(room);
    while (data) {
        n += fread(data + n, 1, room - n, f);
        if (n < room || room > FILE_MOST) break;
        data = realloc(*out, room *= 2);
        if (data) *out = data;
    }
    const bool broken = ferror(f);
    fclose(f);
    *bytes = n;
    if (data && n < room) data[n] = 0; // for those who look past the end of the JSON
    if (!data) return no_memory(r);
    if (broken) return fail(r->call, CODE_INPUT, "cannot read %s", r->file), false;
    if (n > FILE_MOST) return fail(r->call, CODE_INPUT, "%s is larger than %s: no report", r->file, bytes_text(FILE_MOST)), false;
    return true;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++) line += *text == '\n';
    return line;
}

// Readers take the one or the other of two fields of one name.
static bool refuse_repeats(const reader *r, const cJSON *v)
{
    const cJSON *e, *f;
    int count = 0;
    cJSON_ArrayForEach(e, v) {
        if (cJSON_IsObject(v) && ++count > FIELDS_MOST) return bad(r, "", "there are more than %d fields in an object", FIELDS_MOST);
        for (f = v->child; cJSON_IsObject(v) && f != e; f = f->next) {
            if (strcmp(f->string, e->string)) continue;
            const char *name = clean(r->pool, e->string);
            return name ? bad(r, "", "the field '%.80s' is there a second time", name) : no_memory(r);
        }
        if (e->child && !refuse_repeats(r, e)) return false;
    }
    return true;
}

int read_report(const call *c, pool *p, const char *file, report *out)
{
    reader r = { c, p, file, "" };
    char *text = NULL;
    size_t bytes = 0;
    const char *end = NULL;
    cJSON *top = NULL;
    *out = (report) { .file = clean(p, file) };
    bool done = out->file ? true : no_memory(&r);
    if (done) r.file = file, done = read_bytes(&r, &text, &bytes);
    if (done && !(top = cJSON_ParseWithLengthOpts(text, bytes, &end, 0)))
        done = bad(&r, "", "is no JSON, or incomplete: see line %d", end && end >= text && end <= text + bytes ? line_of(text, end) : 1);
    if (done && end + strspn(end, " \t\r\n") < text + bytes) done = bad(&r, "", "goes on after its end: see line %d", line_of(text, end + strspn(end, " \t\r\n")));
    if (done && !cJSON_IsObject(top)) done = bad(&r, "", "holds %s, and must hold an object", type_name(top));
    if (done) done = refuse_repeats(&r, top) && read_top(&r, top, out);
    cJSON_Delete(top);
    free(text);
    return done ? CODE_OK : CODE_INPUT;
}
