// SPDX-License-Identifier: MIT
// Pass: named dimensions become numbers, and with them every shape.
#include "graph/graph.h"
#include <stdio.h>

static weft_result bind_shape(const char *kind, const char *name, const int64_t *dims, weft_shape *s)
{
    char what[160];
    for (int k = 0; k < s->rank; k++)
        if (s->dim[k] < 0) s->dim[k] = dims[-s->dim[k] - 1];
    snprintf(what, sizeof what, "%s '%.100s'", kind, name);
    return weft_shape_check(*s, what);
}

// What a state begins as and what it becomes have its type and shape.
static weft_result check_state(const weft_graph *g, const weft_state_def *s)
{
    const weft_value_def *v = &g->values[s->value], *next = s->next < 0 ? v : &g->values[s->next];
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    const bool integers = s->init && (s->init->dtype == WEFT_I32 || s->init->dtype == WEFT_U8);
    if (s->init && (!weft_shape_equal(s->init->shape, v->shape) || integers != (v->dtype == WEFT_I32)))
        return weft_fail(WEFT_ERR_ARGUMENT, "state '%s' is %s%s, but begins as %s%s", s->name, v->dtype == WEFT_I32 ? "i32 " : "", weft_shape_text(v->shape, a),
                         integers ? "i32 " : "", weft_shape_text(s->init->shape, b));
    if (!weft_shape_equal(next->shape, v->shape) || next->dtype != v->dtype)
        return weft_fail(WEFT_ERR_ARGUMENT, "state '%s' is %s%s, but becomes %s%s", s->name, v->dtype == WEFT_I32 ? "i32 " : "", weft_shape_text(v->shape, a),
                         next->dtype == WEFT_I32 ? "i32 " : "", weft_shape_text(next->shape, b));
    return WEFT_OK;
}

weft_result weft_pass_bind(const weft_graph *from, const int64_t *dims, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    if (!map) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < to->input_count; i++) WEFT_TRY(bind_shape("input", to->inputs[i].name, dims, &to->values[to->inputs[i].value].shape));
    for (int i = 0; i < to->state_count; i++) WEFT_TRY(bind_shape("state", to->states[i].name, dims, &to->values[to->states[i].value].shape));
    to->bound = true;
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(weft_graph_copy_node(from, &from->nodes[i], to, map));
    WEFT_TRY(weft_graph_copy_outputs(from, to, map));
    for (int i = 0; i < to->state_count; i++) WEFT_TRY(check_state(to, &to->states[i]));
    return WEFT_OK;
}
