// SPDX-License-Identifier: MIT
#include "graph/compute.h"
#include "base/half.h"
#include <string.h>

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

void weft_weight_unpack(const weft_weight *w, int64_t begin, int64_t end, void *out)
{
    if (w->dtype == WEFT_F32 || w->dtype == WEFT_I32) memcpy(out, (const char *) w->data + begin * 4, (size_t) (end - begin) * 4);
    else if (w->dtype == WEFT_F16)
        for (int64_t i = begin; i < end; i++) ((float *) out)[i - begin] = weft_half_to_float(((const uint16_t *) w->data)[i]);
    else
        for (int64_t i = begin; i < end; i++) ((int32_t *) out)[i - begin] = ((const uint8_t *) w->data)[i];
}

const void *weft_weight_numbers(weft_arena *arena, const weft_weight *w)
{
    if (w->dtype == WEFT_F32 || w->dtype == WEFT_I32) return w->data;
    void *numbers = weft_arena_new(arena, (size_t) weft_shape_count(w->shape) * 4);
    if (numbers) weft_weight_unpack(w, 0, weft_shape_count(w->shape), numbers);
    return numbers;
}
