// SPDX-License-Identifier: MIT
#include "ops/loop.h"
#include <string.h>

static void swap_dims(weft_loop *l, int a, int b)
{
    int64_t d = l->dim[a];
    l->dim[a] = l->dim[b], l->dim[b] = d;
    for (int t = 0; t < l->tensors; t++) {
        d = l->stride[t][a];
        l->stride[t][a] = l->stride[t][b], l->stride[t][b] = d;
    }
}

void weft_loop_make(weft_loop *l, weft_shape shape, int tensors, int64_t stride[][WEFT_MAX_RANK])
{
    *l = (weft_loop) { .tensors = tensors };
    for (int d = 0; d < shape.rank; d++) { // dimensions of size 1 need no turn
        if (shape.dim[d] == 1) continue;
        for (int t = 0; t < tensors; t++) l->stride[t][l->rank] = stride[t][d];
        l->dim[l->rank++] = shape.dim[d];
    }
    for (int i = 1; i < l->rank; i++) // slowest of the first tensor first
        for (int k = i; k > 0 && l->stride[0][k - 1] < l->stride[0][k]; k--) swap_dims(l, k - 1, k);
    for (int d = l->rank - 2; d >= 0; d--) { // d and d + 1 are one dimension if every tensor steps over them evenly
        bool merge = true;
        for (int t = 0; t < tensors; t++) merge &= l->stride[t][d] == l->stride[t][d + 1] * l->dim[d + 1];
        if (!merge) continue;
        l->dim[d] *= l->dim[d + 1];
        for (int t = 0; t < tensors; t++) l->stride[t][d] = l->stride[t][d + 1];
        l->rank--;
        for (int k = d + 1; k < l->rank; k++) {
            l->dim[k] = l->dim[k + 1];
            for (int t = 0; t < tensors; t++) l->stride[t][k] = l->stride[t][k + 1];
        }
    }
}

void weft_loop_broadcast(weft_loop *l, const weft_node *n, int inputs)
{
    int64_t stride[WEFT_LOOP_TENSORS][WEFT_MAX_RANK], own[WEFT_MAX_RANK];
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], stride[0]);
    for (int i = 0; i < inputs; i++) {
        weft_layout_strides(n->in_shape[i], (weft_layout) n->in_layout[i], own);
        weft_shape_stretch(n->in_shape[i], own, n->out_shape[0], stride[i + 1]);
    }
    weft_loop_make(l, n->out_shape[0], inputs + 1, stride);
}

void weft_loop_dims(const weft_loop *l, uint32_t dim[WEFT_MAX_RANK])
{
    for (int d = 0; d < WEFT_MAX_RANK; d++) dim[d] = d < l->rank ? (uint32_t) l->dim[d] : 1;
}

void weft_loop_strides(const weft_loop *l, int tensor, int32_t stride[WEFT_MAX_RANK])
{
    for (int d = 0; d < WEFT_MAX_RANK; d++) stride[d] = d < l->rank ? (int32_t) l->stride[tensor][d] : 0;
}

weft_result weft_loop_check(const weft_node *n)
{
    for (int i = 0; i < n->in_count + n->out_count; i++) {
        const weft_shape s = i < n->in_count ? n->in_shape[i] : n->out_shape[i - n->in_count];
        if (weft_shape_count(s) <= INT32_MAX) continue;
        weft_node_fail(n, "a tensor has more than 2^31 elements");
        return WEFT_ERR_UNSUPPORTED;
    }
    return WEFT_OK;
}

weft_lines weft_lines_of(const weft_loop *l, int64_t begin, int64_t end)
{
    weft_lines w = { .loop = l, .begin = begin, .end = end };
    for (int t = 0; l->rank && t < l->tensors; t++) w.step[t] = l->stride[t][l->rank - 1];
    return w;
}

bool weft_lines_next(weft_lines *w)
{
    const weft_loop *l = w->loop;
    const int last = l->rank - 1;
    const int64_t line = l->rank ? l->dim[last] : 1, left = w->end - w->begin, first = w->begin % line;
    if (left <= 0) return false;
    w->count = left < line - first ? left : line - first;
    for (int t = 0; t < l->tensors; t++) w->at[t] = first * w->step[t];
    int64_t rest = w->begin / line;
    for (int d = last - 1; d >= 0; rest /= l->dim[d], d--)
        for (int t = 0; t < l->tensors; t++) w->at[t] += rest % l->dim[d] * l->stride[t][d];
    w->begin += w->count;
    return true;
}
