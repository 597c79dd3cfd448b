// SPDX-License-Identifier: MIT
// Bodies of <weft/model.h>.
#include "graph/model.h"
#include "graph/plan.h"
#include <string.h>

weft_result weft_model_load(weft_context *ctx, const char *path, weft_model **out)
{
    if (!ctx || !path || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_load: an argument is NULL");
    weft_mapping map;
    WEFT_TRY(weft_file_map(path, &map));
    weft_result r = weft_model_read(ctx, map.data, map.bytes, path, out);
    if (r != WEFT_OK) return weft_file_unmap(&map), r;
    (*out)->mapping = map;
    return WEFT_OK;
}

weft_result weft_model_load_memory(weft_context *ctx, const void *data, size_t bytes, const char *name, weft_model **out)
{
    if (!ctx || (!data && bytes) || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_load_memory: an argument is NULL");
    return weft_model_read(ctx, data, bytes, name ? name : "memory", out);
}

weft_result weft_model_save(const weft_model *m, const char *path)
{
    if (!m || !path) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_save: an argument is NULL");
    return weft_model_write(m, path);
}

void weft_model_destroy(weft_model **model)
{
    if (!model) return;
    weft_model_release(*model);
    *model = NULL;
}

int weft_model_entry_count(const weft_model *m) { return m->entry_count; }

static const weft_entry *entry_at(const weft_model *m, int entry) { return entry >= 0 && entry < m->entry_count ? &m->entries[entry] : NULL; }

const char *weft_model_entry_name(const weft_model *m, int entry) { return entry_at(m, entry) ? m->entries[entry].name : NULL; }

int weft_model_find_entry(const weft_model *m, const char *name)
{
    for (int i = 0; i < m->entry_count; i++)
        if (!name || !strcmp(m->entries[i].name, name)) return i;
    return -1;
}

int weft_model_inputs(const weft_model *m, int entry, const weft_port **ports)
{
    const weft_entry *e = entry_at(m, entry);
    if (!e) return 0;
    if (ports) *ports = e->inputs;
    return e->graph.input_count;
}

int weft_model_outputs(const weft_model *m, int entry, const weft_port **ports)
{
    const weft_entry *e = entry_at(m, entry);
    if (!e) return 0;
    if (ports) *ports = e->outputs;
    return e->graph.output_count;
}

int weft_model_states(const weft_model *m, int entry, const weft_port **ports)
{
    const weft_entry *e = entry_at(m, entry);
    if (!e) return 0;
    if (ports) *ports = e->states;
    return e->graph.state_count;
}

int weft_model_dim_count(const weft_model *m) { return m->dim_count; }
const weft_dim *weft_model_dim(const weft_model *m, int index) { return index >= 0 && index < m->dim_count ? &m->dims[index] : NULL; }

const char *weft_model_meta(const weft_model *m, const char *key)
{
    for (int i = 0; i < m->meta_count; i++)
        if (!strcmp(m->metas[i].key, key)) return m->metas[i].value;
    return NULL;
}

int weft_model_meta_at(const weft_model *m, int index, const char **key, const char **value)
{
    if (index < 0 || index >= m->meta_count) return 0;
    if (key) *key = m->metas[index].key;
    if (value) *value = m->metas[index].value;
    return 1;
}

weft_result weft_model_measure(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, weft_model_facts *out)
{
    if (!m || !out || (!shapes && shape_count)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_measure: an argument is NULL");
    if (!entry_at(m, entry)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_measure: entry %d of %d", entry, m->entry_count);
    return weft_entry_measure(m, entry, shapes, shape_count, out);
}

weft_result weft_model_weight_uses(const weft_model *m, int entry, void (*each)(void *, const weft_weight_use *), void *user)
{
    if (!m || !each) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_weight_uses: an argument is NULL");
    if (!entry_at(m, entry)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_weight_uses: entry %d of %d", entry, m->entry_count);
    const weft_graph *g = &m->entries[entry].graph;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in_count; k++) {
            const weft_value v = g->nodes[i].in[k];
            const weft_weight *w = v < 0 ? NULL : g->values[v].weight;
            if (w) each(user, &(weft_weight_use) { w->name, w->dtype, w->shape, g->nodes[i].op->name, k });
        }
    return WEFT_OK;
}

weft_result weft_model_print(const weft_model *m, int entry, void (*line)(void *, const char *), void *user)
{
    if (!m || !line) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_print: an argument is NULL");
    if (!entry_at(m, entry)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_print: entry %d of %d", entry, m->entry_count);
    return weft_entry_print(m, entry, line, user);
}
