// SPDX-License-Identifier: MIT
// Bodies of <weft/build.h>: a builder is a model in the making.
#include "api/builder.h"
#include <stdio.h>
#include <string.h>

weft_result weft_builder_create(weft_context *ctx, weft_builder **out)
{
    if (!ctx || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_builder_create: an argument is NULL");
    weft_builder *b = weft_new(ctx, sizeof *b);
    if (!b) return WEFT_ERR_MEMORY;
    b->ctx = ctx;
    weft_result r = weft_model_new(ctx, &b->model);
    if (r != WEFT_OK) return weft_delete(ctx, b), r;
    *out = b;
    return WEFT_OK;
}

void weft_builder_destroy(weft_builder **b)
{
    if (!b || !*b) return;
    weft_model_release((*b)->model);
    weft_delete((*b)->ctx, *b);
    *b = NULL;
}

void weft_build_fail(weft_builder *b, weft_result r, const char *text)
{
    if (b->failed) return;
    b->failed = r;
    snprintf(b->failure, sizeof b->failure, "%s", text);
}

void weft_build_meta(weft_builder *b, const char *key, const char *value)
{
    weft_model *m = b->model;
    if (b->failed) return;
    weft_meta *metas = weft_arena_grow(&m->arena, m->metas, m->meta_count, sizeof *metas);
    if (!metas) {
        broken(b, WEFT_ERR_MEMORY);
        return;
    }
    m->metas = metas;
    m->metas[m->meta_count++] = (weft_meta) { weft_arena_text(&m->arena, key), weft_arena_text(&m->arena, value) };
}

int64_t weft_build_dim(weft_builder *b, const char *name, int64_t preset, int64_t multiple)
{
    weft_model *m = b->model;
    for (int i = 0; i < m->dim_count; i++)
        if (!strcmp(m->dims[i].name, name)) return -i - 1;
    if (preset < 1 || multiple < 1 || preset % multiple)
        return broken(b, weft_fail(WEFT_ERR_ARGUMENT, "dimension '%s': preset %lld must be a positive multiple of %lld", name,
                                   (long long) preset, (long long) multiple)), 1;
    weft_dim *dims = weft_arena_grow(&m->arena, m->dims, m->dim_count, sizeof *dims);
    if (!dims) return broken(b, WEFT_ERR_MEMORY), 1;
    m->dims = dims;
    m->dims[m->dim_count] = (weft_dim) { weft_arena_text(&m->arena, name), preset, multiple };
    return -++m->dim_count;
}

void weft_build_entry(weft_builder *b, const char *name)
{
    weft_model *m = b->model;
    if (b->failed) return;
    if (weft_model_find_entry(m, name) >= 0) {
        broken(b, weft_fail(WEFT_ERR_ARGUMENT, "there are two entries '%s'", name));
        return;
    }
    weft_entry *entries = weft_arena_grow(&m->arena, m->entries, m->entry_count, sizeof *entries);
    if (!entries) {
        broken(b, WEFT_ERR_MEMORY);
        return;
    }
    m->entries = entries;
    m->entries[m->entry_count] = (weft_entry) { .name = weft_arena_text(&m->arena, name) };
    weft_graph_init(&m->entries[m->entry_count++].graph, &m->arena);
}

static weft_result check_port(const weft_builder *b, const char *kind, const char *name, weft_dtype dtype, weft_shape shape)
{
    if (dtype != WEFT_F32 && dtype != WEFT_I32) return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s': its type must be WEFT_F32 or WEFT_I32", kind, name);
    for (int i = 0; i < shape.rank; i++)
        if (!shape.dim[i] || shape.dim[i] < -b->model->dim_count)
            return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s': dimension %d is neither a size nor a named dimension", kind, name, i);
    return WEFT_OK;
}

weft_value weft_build_input(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape)
{
    weft_graph *g = current(b);
    if (!g || broken(b, check_port(b, "input", name, dtype, shape))) return -1;
    return weft_graph_input(g, name, dtype, shape);
}

static size_t element_bytes(weft_dtype t) { return t == WEFT_U8 ? 1 : t == WEFT_F16 ? 2 : 4; }

static weft_weight *find_weight(weft_model *m, const char *name)
{
    for (int i = m->weight_count - 1; i >= 0; i--)
        if (m->weights[i]->name && !strcmp(m->weights[i]->name, name)) return m->weights[i];
    return NULL;
}

static weft_weight *add_weight(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape, const void *data)
{
    weft_model *m = b->model;
    if (broken(b, weft_shape_check(shape, name))) return NULL;
    const size_t bytes = (size_t) weft_shape_count(shape) * element_bytes(dtype);
    weft_weight **weights = weft_arena_grow(&m->arena, m->weights, m->weight_count, sizeof *weights);
    weft_weight *w = weft_arena_new(&m->arena, sizeof *w);
    const void *copy = weft_arena_copy(&m->arena, data, bytes);
    const char *kept = weft_arena_text(&m->arena, name);
    if (!weights || !w || !copy || !kept) return broken(b, WEFT_ERR_MEMORY), NULL;
    *w = (weft_weight) { kept, dtype, shape, copy, bytes };
    m->weights = weights;
    m->weights[m->weight_count++] = w;
    return w;
}

weft_value weft_build_weight(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape, const void *data)
{
    weft_graph *g = current(b);
    weft_model *m = b->model;
    if (!g) return -1;
    weft_weight *w = find_weight(m, name);
    if (!data && !w) return broken(b, weft_fail(WEFT_ERR_ARGUMENT, "there is no weight '%s'", name)), -1;
    if (data && w) return broken(b, weft_fail(WEFT_ERR_ARGUMENT, "there are two weights '%s'", name)), -1;
    if (!w && !(w = add_weight(b, name, dtype, shape, data))) return -1;
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].weight == w) return v;
    return weft_graph_constant(g, w);
}

// What a state begins as is a weight, under a name that is still free.
static weft_weight *add_init(weft_builder *b, const char *state, weft_dtype dtype, weft_shape shape, const void *init)
{
    const char *name = weft_arena_print(&b->model->arena, "init.%s", state);
    for (int k = 2; name && find_weight(b->model, name); k++) name = weft_arena_print(&b->model->arena, "init.%s.%d", state, k);
    if (!name) return broken(b, WEFT_ERR_MEMORY), NULL;
    return add_weight(b, name, dtype, shape, init);
}

weft_value weft_build_state(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape, const void *init)
{
    weft_graph *g = current(b);
    const weft_weight *w = NULL;
    if (!g || broken(b, check_port(b, "state", name, dtype, shape))) return -1;
    if (init && !(w = add_init(b, name, dtype, shape, init))) return -1;
    const weft_value v = weft_graph_state(g, name, dtype, shape, w);
    return broken(b, weft_graph_status(g)) ? -1 : v;
}

void weft_build_next(weft_builder *b, weft_value state, weft_value next)
{
    weft_graph *g = current(b);
    if (!g) return;
    weft_graph_next(g, state, next);
    broken(b, weft_graph_status(g));
}

weft_value weft_build_scalar(weft_builder *b, double value)
{
    char name[64];
    const float f = (float) value;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    snprintf(name, sizeof name, "scalar.%08x", (unsigned) bits);
    return weft_build_weight(b, name, WEFT_F32, (weft_shape) { 0 }, find_weight(b->model, name) ? NULL : &f);
}

weft_value weft_build_op(weft_builder *b, const char *op, const weft_value *in, int in_count, const weft_attr_arg *attrs, int attr_count)
{
    weft_graph *g = current(b);
    _Alignas(16) unsigned char at[WEFT_MAX_ATTR_BYTES] = { 0 };
    if (!g) return -1;
    const weft_op *row = weft_op_find(op);
    if (!row || row->flags & WEFT_OP_INTERNAL)
        return broken(b, weft_fail(WEFT_ERR_UNSUPPORTED, "there is no operator '%s'; `weft ops` lists them", op)), -1;
    weft_attr_defaults(row, at);
    for (int i = 0; i < attr_count; i++)
        if (attrs[i].name && broken(b, weft_attr_set(row, at, attrs[i].name, attrs[i].text, attrs[i].num, attrs[i].count))) return -1;
    weft_value v = weft_graph_op(g, row, in, in_count, at);
    return broken(b, weft_graph_status(g)) ? -1 : v;
}

void weft_build_name(weft_builder *b, const char *name)
{
    weft_graph *g = current(b);
    if (g) g->name_prefix = weft_arena_text(&b->model->arena, name);
}

void weft_build_output(weft_builder *b, const char *name, weft_value v)
{
    weft_graph *g = current(b);
    if (!g) return;
    weft_graph_output(g, name, v);
    broken(b, weft_graph_status(g));
}

weft_result weft_builder_finish(weft_builder **builder, weft_model **out)
{
    if (!builder || !*builder || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_builder_finish: an argument is NULL");
    weft_builder *b = *builder;
    if (b->model->arena.failed) broken(b, WEFT_ERR_MEMORY);
    if (!b->failed) broken(b, weft_model_seal(b->model));
    const weft_result r = b->failed;
    if (r != WEFT_OK) weft_fail(r, "%s", b->failure);
    else {
        *out = b->model;
        b->model = NULL;
    }
    weft_builder_destroy(builder);
    return r;
}

const char *weft_op_name(int index)
{
    const weft_op *op = weft_op_at(index);
    return op ? op->name : NULL;
}

size_t weft_op_doc(int index, char *text, size_t bytes)
{
    const weft_op *op = weft_op_at(index);
    if (text && bytes) *text = 0;
    return op ? weft_op_describe(op, text, text ? bytes : 0) : 0;
}
