// SPDX-License-Identifier: MIT
#include "graph/compute.h"
#include "base/half.h"

typedef struct job { const weft_node *node; void *const *out; const void *const *in; } job;

static void piece(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    j->node->op->cpu(j->node, &(weft_cpu_args) { j->out, j->in, begin, end });
}

void weft_node_compute(weft_pool *pool, const weft_node *n, void *const *out, const void *const *in)
{
    const int64_t items = n->op->items ? n->op->items(n) : 1;
    const double each = weft_node_flops(n) / (double) (items ? items : 1); // a piece should outweigh waking a thread
    const int64_t least = each > 0 && each < 20000 ? (int64_t) (20000 / each) + 1 : 1;
    weft_parallel(pool, items, least, piece, &(job) { n, out, in });
}

const void *weft_weight_numbers(weft_arena *arena, const weft_weight *w)
{
    const int64_t count = weft_shape_count(w->shape);
    if (w->dtype == WEFT_F32 || w->dtype == WEFT_I32) return w->data;
    float *f = weft_arena_new(arena, (size_t) count * 4);
    int32_t *k = (int32_t *) f;
    for (int64_t i = 0; f && i < count; i++) {
        if (w->dtype == WEFT_F16) f[i] = weft_half_to_float(((const uint16_t *) w->data)[i]);
        else k[i] = ((const uint8_t *) w->data)[i];
    }
    return f;
}
