// SPDX-License-Identifier: MIT
// What names a model may have, however it was made: what is built can be saved, what is saved can be read.
#include "base/text.h"
#include "graph/format.h"
#include "graph/model.h"
#include <string.h>

static weft_result check(const char *what, const char *name)
{
    const size_t n = name ? strlen(name) : 0;
    if (n < 1 || n > WEFT_MAX_NAME) return weft_fail(WEFT_ERR_ARGUMENT, "%s: a name of %zu bytes, not 1 to %d", what, n, WEFT_MAX_NAME);
    if (!weft_text_is_plain(name, n, false))
        return weft_fail(WEFT_ERR_ARGUMENT, "%s: a name that is not UTF-8 or has control characters", what);
    return WEFT_OK;
}

static weft_result check_count(const char *what, int count, int most)
{
    return count <= most ? WEFT_OK : weft_fail(WEFT_ERR_ARGUMENT, "%s: %d, at most %d are allowed", what, count, most);
}

// `name_at` gives name i. Few enough (see the limits) for every name to be held against every other.
static weft_result check_list(const char *what, int count, int most, const char *(*name_at)(const void *list, int i), const void *list)
{
    WEFT_TRY(check_count(what, count, most));
    for (int i = 0; i < count; i++) {
        WEFT_TRY(check(what, name_at(list, i)));
        for (int k = 0; k < i; k++)
            if (!strcmp(name_at(list, i), name_at(list, k))) return weft_fail(WEFT_ERR_ARGUMENT, "%s: '%s' is there twice", what, name_at(list, i));
    }
    return WEFT_OK;
}

static const char *dim_name(const void *list, int i) { return ((const weft_dim *) list)[i].name; }
static const char *meta_name(const void *list, int i) { return ((const weft_meta *) list)[i].key; }
static const char *entry_name(const void *list, int i) { return ((const weft_entry *) list)[i].name; }
static const char *port_name(const void *list, int i) { return ((const weft_port_def *) list)[i].name; }

static const char *state_name(const void *list, int i) { return ((const weft_state_def *) list)[i].name; }

static weft_result check_entry(const weft_entry *e)
{
    const weft_graph *g = &e->graph;
    WEFT_TRY(check_list("inputs", g->input_count, WEFT_MAX_PORTS, port_name, g->inputs));
    WEFT_TRY(check_list("outputs", g->output_count, WEFT_MAX_PORTS, port_name, g->outputs));
    WEFT_TRY(check_list("states", g->state_count, WEFT_MAX_PORTS, state_name, g->states));
    for (int i = 0; i < g->state_count; i++) // a gradient may be asked for by either's name
        for (int k = 0; k < g->input_count; k++)
            if (!strcmp(g->states[i].name, g->inputs[k].name)) return weft_fail(WEFT_ERR_ARGUMENT, "'%s' is both an input and a state", g->states[i].name);
    WEFT_TRY(check_count("nodes", g->node_count, WEFT_MAX_RECORDS));
    for (int i = 0; i < g->node_count; i++) WEFT_TRY(check("node", g->nodes[i].name));
    return WEFT_OK;
}

weft_result weft_model_check_names(const weft_model *m)
{
    WEFT_TRY(check_list("metadata", m->meta_count, WEFT_MAX_METAS, meta_name, m->metas));
    for (int i = 0; i < m->meta_count; i++) {
        const char *value = m->metas[i].value;
        const size_t n = value ? strlen(value) : 0;
        if (!value || n > WEFT_MAX_META_BYTES || !weft_text_is_plain(value, n, true))
            return weft_fail(WEFT_ERR_ARGUMENT, "metadata '%s': the value is not UTF-8 text of at most %d bytes", m->metas[i].key, WEFT_MAX_META_BYTES);
    }
    WEFT_TRY(check_list("dimensions", m->dim_count, WEFT_MAX_DIMS, dim_name, m->dims));
    WEFT_TRY(check_count("weights", m->weight_count, WEFT_MAX_RECORDS));
    for (int i = 0; i < m->weight_count; i++) WEFT_TRY(check("weight", m->weights[i]->name));
    WEFT_TRY(check_list("entries", m->entry_count, WEFT_MAX_ENTRIES, entry_name, m->entries));
    for (int i = 0; i < m->entry_count; i++) {
        const weft_result r = check_entry(&m->entries[i]);
        if (r != WEFT_OK) return weft_fail_prefix(r, "entry '%s': ", m->entries[i].name);
    }
    return WEFT_OK;
}
