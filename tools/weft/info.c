// SPDX-License-Identifier: MIT
// weft info
#include "dims.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct info_options { int json, nodes; const char *entry; text_list dims; };
static const option info_options[] = {
    { "json", 0, OPTION_FLAG, NULL, offsetof(struct info_options, json), "one JSON object" },
    { "nodes", 0, OPTION_FLAG, NULL, offsetof(struct info_options, nodes), "every node, too" },
    { "entry", 'e', OPTION_TEXT, "NAME", offsetof(struct info_options, entry), "only this entry" },
    DIM_OPTION(struct info_options),
    { 0 }
};

// --- How often each operator is used. --------------------------------------------------------------------------

enum { OPS_MOST = 256 };
struct histogram { char name[OPS_MOST][48]; int uses[OPS_MOST], count; };

static void count_line(void *user, const char *text) // "%3 = conv2d(%0, w) stride=2  1x8x4x4  # enc"
{
    struct histogram *h = user;
    const char *start = strstr(text, " = ");
    if (!start) return;
    start += 3;
    const size_t n = strcspn(start, "( ");
    if (start[n] != '(' || n >= sizeof h->name[0]) return;
    int k = 0;
    while (k < h->count && (strlen(h->name[k]) != n || memcmp(h->name[k], start, n))) k++;
    if (k == OPS_MOST) return;
    if (k == h->count) snprintf(h->name[h->count++], sizeof h->name[0], "%.*s", (int) n, start);
    h->uses[k]++;
}

static void sort(struct histogram *h) // often used first
{
    for (int i = 1; i < h->count; i++)
        for (int k = i; k > 0 && h->uses[k] > h->uses[k - 1]; k--) {
            char name[48];
            const int uses = h->uses[k];
            memcpy(name, h->name[k], sizeof name);
            memcpy(h->name[k], h->name[k - 1], sizeof name);
            memcpy(h->name[k - 1], name, sizeof name);
            h->uses[k] = h->uses[k - 1];
            h->uses[k - 1] = uses;
        }
}

// --- Text. -----------------------------------------------------------------------------------------------------

static void print_line(void *user, const char *text)
{
    (void) user;
    printf("    %s\n", text);
}

static void print_ports(const char *what, const weft_model *m, const weft_port *ports, int count)
{
    for (int i = 0; i < count; i++)
        printf("  %-8s %-16s %s %s\n", i ? "" : what, ports[i].name, dtype_text(ports[i].dtype), shape_text(ports[i].shape, m));
}

static void print_head(const weft_model *m, const char *path)
{
    const char *key, *value;
    printf("%s\n", path);
    for (int i = 0; weft_model_meta_at(m, i, &key, &value); i++) printf("  %-20s %s\n", key, value);
    for (int i = 0; i < weft_model_dim_count(m); i++) {
        const weft_dim *d = weft_model_dim(m, i);
        printf("  dimension %-10s preset %lld", d->name, (long long) d->preset);
        if (d->multiple > 1) printf(", a multiple of %lld", (long long) d->multiple);
        putchar('\n');
    }
}

static void print_facts(const weft_model_facts *f)
{
    printf("  %-8s %lld (%s)\n", "weights", (long long) f->parameters, bytes_text((double) f->weight_bytes));
    if (f->state_bytes) printf("  %-8s %s kept between runs\n", "states", bytes_text((double) f->state_bytes));
    printf("  %-8s %.3g GFLOP, %s of workspace (least possible: %s), at the sizes asked for\n", "run", f->flops / 1e9,
           bytes_text((double) f->workspace_bytes), bytes_text((double) f->workspace_least_bytes));
}

static int print_entry(call *c, const weft_model *m, int entry, const weft_model_facts *f, const struct histogram *h)
{
    const struct info_options *o = c->options;
    const weft_port *in, *out, *kept;
    const int ins = weft_model_inputs(m, entry, &in), outs = weft_model_outputs(m, entry, &out), states = weft_model_states(m, entry, &kept);
    printf("\nentry %s\n", weft_model_entry_name(m, entry));
    print_ports("inputs", m, in, ins);
    print_ports("outputs", m, out, outs);
    print_ports("states", m, kept, states);
    print_facts(f);
    printf("  %-8s %d:", "nodes", f->node_count);
    for (int k = 0; k < h->count; k++) printf(" %s %d%s", h->name[k], h->uses[k], k + 1 < h->count ? "," : "");
    putchar('\n');
    if (!o->nodes) return CODE_OK;
    const weft_result r = weft_model_print(m, entry, print_line, NULL);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

// --- JSON. -----------------------------------------------------------------------------------------------------

static cJSON *json_ports(const weft_model *m, const weft_port *ports, int count)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < count; i++) {
        cJSON *p = cJSON_CreateObject(), *shape = cJSON_CreateArray();
        cJSON_AddStringToObject(p, "name", ports[i].name);
        cJSON_AddStringToObject(p, "dtype", dtype_text(ports[i].dtype));
        for (int d = 0; d < ports[i].shape.rank; d++) {
            const int64_t n = ports[i].shape.dim[d];
            cJSON_AddItemToArray(shape, n < 0 ? cJSON_CreateString(weft_model_dim(m, (int) (-n - 1))->name) : cJSON_CreateNumber((double) n));
        }
        cJSON_AddItemToObject(p, "shape", shape);
        cJSON_AddItemToArray(list, p);
    }
    return list;
}

static void json_head(cJSON *top, const weft_model *m, const char *path)
{
    const char *key, *value;
    cJSON_AddStringToObject(top, "file", path);
    cJSON *meta = cJSON_AddObjectToObject(top, "metadata"), *dims = cJSON_AddArrayToObject(top, "dimensions");
    for (int i = 0; weft_model_meta_at(m, i, &key, &value); i++) cJSON_AddStringToObject(meta, key, value);
    for (int i = 0; i < weft_model_dim_count(m); i++) {
        const weft_dim *d = weft_model_dim(m, i);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", d->name);
        cJSON_AddNumberToObject(o, "preset", (double) d->preset);
        cJSON_AddNumberToObject(o, "multiple", (double) d->multiple);
        cJSON_AddItemToArray(dims, o);
    }
    cJSON_AddArrayToObject(top, "entries");
}

static void json_entry(cJSON *top, const weft_model *m, int entry, const weft_model_facts *f, const struct histogram *h)
{
    const weft_port *in, *out, *kept;
    const int ins = weft_model_inputs(m, entry, &in), outs = weft_model_outputs(m, entry, &out), states = weft_model_states(m, entry, &kept);
    cJSON *e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "name", weft_model_entry_name(m, entry));
    cJSON_AddItemToObject(e, "inputs", json_ports(m, in, ins));
    cJSON_AddItemToObject(e, "outputs", json_ports(m, out, outs));
    cJSON_AddItemToObject(e, "states", json_ports(m, kept, states));
    cJSON_AddNumberToObject(e, "state_bytes", (double) f->state_bytes);
    cJSON_AddNumberToObject(e, "parameters", (double) f->parameters);
    cJSON_AddNumberToObject(e, "weight_bytes", (double) f->weight_bytes);
    cJSON_AddNumberToObject(e, "flops", f->flops);
    cJSON_AddNumberToObject(e, "workspace_bytes", (double) f->workspace_bytes);
    cJSON_AddNumberToObject(e, "workspace_least_bytes", (double) f->workspace_least_bytes);
    cJSON_AddNumberToObject(e, "nodes", f->node_count);
    cJSON *ops = cJSON_AddObjectToObject(e, "operators");
    for (int k = 0; k < h->count; k++) cJSON_AddNumberToObject(ops, h->name[k], h->uses[k]);
    cJSON_AddItemToArray(cJSON_GetObjectItem(top, "entries"), e);
}

static int show_entry(call *c, const weft_model *m, int entry, cJSON *top)
{
    const struct info_options *o = c->options;
    static struct histogram h;
    weft_port_shape shapes[INPUTS_MOST];
    weft_model_facts f;
    int code;
    const int count = bind_inputs(c, m, entry, &o->dims, shapes, &code);
    if (count < 0) return code;
    memset(&h, 0, sizeof h);
    weft_result r = weft_model_measure(m, entry, shapes, count, &f);
    if (r == WEFT_OK) r = weft_model_print(m, entry, count_line, &h);
    if (r != WEFT_OK) return fail_result(c, r);
    sort(&h);
    if (!top) return print_entry(c, m, entry, &f, &h);
    json_entry(top, m, entry, &f, &h);
    return CODE_OK;
}

static int show_model(call *c, const weft_model *m)
{
    const struct info_options *o = c->options;
    const int only = o->entry ? pick_entry(c, m, o->entry) : -1;
    cJSON *top = o->json ? cJSON_CreateObject() : NULL;
    int code = o->entry && only < 0 ? CODE_USAGE : CODE_OK;
    if (!code && top) json_head(top, m, c->args[0]);
    if (!code && !top) print_head(m, c->args[0]);
    for (int i = 0; !code && i < weft_model_entry_count(m); i++)
        if (only < 0 || only == i) code = show_entry(c, m, i, top);
    char *text = top && !code ? cJSON_Print(top) : NULL;
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(top);
    return code;
}

static int run_info(call *c)
{
    weft_model *m = NULL;
    int code = load_model(c, c->args[0], &m);
    if (!code) code = show_model(c, m);
    weft_model_destroy(&m);
    return code;
}

const command command_info = {
    .name = "info", .args = "MODEL", .summary = "shows a model: metadata, ports, entries, operators, cost", .options = info_options,
    .option_bytes = sizeof(struct info_options), .least = 1, .most = 1, .run = run_info,
    .examples = "  weft info net.weft\n  weft info net.weft -D h=512 -D w=512 --json\n  weft info net.weft --entry main --nodes",
};
