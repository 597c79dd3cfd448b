// SPDX-License-Identifier: MIT
// Pass: named dimensions become numbers, and with them every shape.
#include "graph/graph.h"
#include <stdio.h>

weft_result weft_pass_bind(const weft_graph *from, const int64_t *dims, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    if (!map) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < to->input_count; i++) {
        char what[160];
        weft_shape *s = &to->values[to->inputs[i].value].shape;
        for (int k = 0; k < s->rank; k++)
            if (s->dim[k] < 0) s->dim[k] = dims[-s->dim[k] - 1];
        snprintf(what, sizeof what, "input '%.100s'", to->inputs[i].name);
        WEFT_TRY(weft_shape_check(*s, what));
    }
    to->bound = true;
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(weft_graph_copy_node(from, &from->nodes[i], to, map));
    return weft_graph_copy_outputs(from, to, map);
}
