// SPDX-License-Identifier: MIT
#include "edit/tuned.h"
#include "base/context.h"
#include "base/status.h"
#include <string.h>

enum { MOST_PORTS = 256 };

// Whether the weight is a noise map of the checkpoint: an input of `synthesis_noise` has its name, perhaps without what stands before it.
static bool is_map(const weft_source *g, const char *name)
{
    const size_t length = strlen(name);
    const weft_port *in;
    const int count = g->synthesis_noise < 0 ? 0 : weft_model_inputs(g->model, g->synthesis_noise, &in);
    for (int i = 1; i < count; i++) {
        const size_t tail = strlen(in[i].name);
        if (tail <= length && !strcmp(name + length - tail, in[i].name) && (tail == length || name[length - tail - 1] == '.')) return true;
    }
    return false;
}

struct list { // of names, each once
    const weft_source *source;
    const char **names;
    int count, room;
};

static void count_use(void *user, const weft_weight_use *use)
{
    (void) use;
    ((struct list *) user)->room++;
}

static void add_name(void *user, const weft_weight_use *use)
{
    struct list *l = user;
    const bool filter = (!strcmp(use->op, "upfirdn2d") && use->input == 1) || (!strcmp(use->op, "modulated_conv2d") && use->input == 3);
    if ((use->dtype != WEFT_F32 && use->dtype != WEFT_F16) || !use->name || !strncmp(use->name, "scalar.", 7)) return;
    bool known = filter || is_map(l->source, use->name);
    for (int i = 0; i < l->count; i++) known = known || !strcmp(l->names[i], use->name);
    if (!known) l->names[l->count++] = use->name;
}

weft_result weft_tuned_names(const weft_source *g, weft_arena *a, const char *const **names, int *count)
{
    struct list l = { .source = g };
    WEFT_TRY(weft_model_weight_uses(g->model, g->synthesis, count_use, &l));
    l.names = weft_arena_new(a, sizeof *l.names * (size_t) (l.room + 1));
    if (!l.names) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_model_weight_uses(g->model, g->synthesis, add_name, &l));
    *names = l.names, *count = l.count;
    return l.count ? WEFT_OK : weft_fail(WEFT_ERR_ARGUMENT, "the generator's synthesis has no weights to tune");
}

struct used { const weft_array *weights; bool *used; int count; };

static void mark_used(void *user, const weft_weight_use *use)
{
    struct used *u = user;
    for (int i = 0; i < u->count; i++)
        if (use->name && !strcmp(u->weights[i].name, use->name)) u->used[i] = true;
}

static weft_result add_entry(weft_builder *b, const weft_model *m, int entry, const int64_t *dims, const weft_array *weights, int count, bool *there,
                             bool *used, weft_port_arg *replace)
{
    const weft_port *in, *out;
    weft_port_arg args[MOST_PORTS];
    weft_value results[MOST_PORTS];
    const int ins = weft_model_inputs(m, entry, &in), outs = weft_model_outputs(m, entry, &out);
    int replaced = 0;
    if (ins > MOST_PORTS || outs > MOST_PORTS) return weft_fail(WEFT_ERR_UNSUPPORTED, "an entry of more than %d inputs or outputs", MOST_PORTS);
    weft_build_entry(b, weft_model_entry_name(m, entry));
    for (int i = 0; i < ins; i++) {
        weft_shape s = in[i].shape;
        for (int d = 0; d < s.rank; d++)
            if (s.dim[d] < 0) s.dim[d] = dims[-s.dim[d] - 1];
        args[i] = (weft_port_arg) { in[i].name, weft_build_input(b, in[i].name, in[i].dtype, s) };
    }
    memset(used, 0, sizeof *used * (size_t) count);
    WEFT_TRY(weft_model_weight_uses(m, entry, mark_used, &(struct used) { weights, used, count }));
    for (int i = 0; i < count; i++) {
        if (!used[i]) continue;
        const float *data = there[i] ? NULL : weights[i].data; // entries share what the first of them made
        replace[replaced++] = (weft_port_arg) { weights[i].name, weft_build_weight(b, weights[i].name, WEFT_F32, weights[i].shape, data) };
        there[i] = true;
    }
    weft_build_call(b, &(weft_call) { .model = m, .entry = entry, .in = args, .in_count = ins, .replace = replace, .replace_count = replaced }, results, outs);
    for (int i = 0; i < outs; i++) weft_build_output(b, out[i].name, results[i]);
    return WEFT_OK;
}

weft_result weft_tuned_model(weft_context *ctx, const weft_model *m, const weft_array *weights, int count, weft_model **out)
{
    weft_builder *b;
    weft_arena a = { .ctx = ctx };
    const char *key, *value;
    const weft_dim *d;
    int64_t *dims = weft_arena_new(&a, sizeof *dims * (size_t) (weft_model_dim_count(m) + 1));
    weft_port_arg *replace = weft_arena_new(&a, sizeof *replace * (size_t) (count + 1));
    bool *there = weft_arena_new(&a, sizeof *there * (size_t) (count + 1)), *used = weft_arena_new(&a, sizeof *used * (size_t) (count + 1));
    weft_result r = dims && replace && there && used ? weft_builder_create(ctx, &b) : WEFT_ERR_MEMORY;
    if (r != WEFT_OK) return weft_arena_free(&a), r;
    for (int i = 0; weft_model_meta_at(m, i, &key, &value); i++) weft_build_meta(b, key, value);
    for (int i = 0; (d = weft_model_dim(m, i)); i++) dims[i] = weft_build_dim(b, d->name, d->preset, d->multiple);
    for (int i = 0; i < weft_model_entry_count(m) && r == WEFT_OK; i++) r = add_entry(b, m, i, dims, weights, count, there, used, replace);
    if (r == WEFT_OK) r = weft_builder_finish(&b, out);
    else weft_builder_destroy(&b);
    weft_arena_free(&a);
    return r;
}
