// SPDX-License-Identifier: MIT
#include "ops/copy.h"
#include "ops/divide.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/copy.h"
#include <string.h>

void weft_in_strides(const weft_node *n, int k, int64_t stride[WEFT_MAX_RANK])
{
    weft_layout_strides(n->in_shape[k], (weft_layout) n->in_layout[k], stride);
}

void weft_out_strides(const weft_node *n, int k, int64_t stride[WEFT_MAX_RANK])
{
    weft_layout_strides(n->out_shape[k], (weft_layout) n->out_layout[k], stride);
}

int weft_axis(const weft_node *n, int64_t axis, int rank)
{
    if (axis >= -rank && axis < rank) return (int) (axis < 0 ? axis + rank : axis);
    weft_node_fail(n, "axis %lld is not in %d..%d", (long long) axis, -rank, rank - 1);
    return -1;
}

int64_t weft_copy_items(const weft_node *n)
{
    int64_t count = 0;
    for (int k = 0; k < n->out_count; k++) count += weft_shape_count(n->out_shape[k]);
    return count;
}

double weft_copy_flops(const weft_node *n) { return (double) weft_copy_items(n); }

static void box_loop(const weft_box *box, weft_loop *l)
{
    int64_t stride[2][WEFT_MAX_RANK];
    memcpy(stride[0], box->y_stride, sizeof stride[0]);
    memcpy(stride[1], box->x_stride, sizeof stride[1]);
    weft_loop_make(l, box->shape, 2, stride);
}

static size_t element_bytes(const weft_node *n, int in) { return n->in_dtype[in] == WEFT_I32 ? 4 : sizeof(weft_real); }

// `count` elements of `size` bytes; the constant sizes let the compiler turn memcpy into moves.
static void copy_line(char *y, const char *x, int64_t count, int64_t y_step, int64_t x_step, size_t size)
{
    if (y_step == 1 && x_step == 1) memcpy(y, x, (size_t) count * size);
    else if (size == 4)
        for (int64_t i = 0; i < count; i++) memcpy(y + i * y_step * 4, x + i * x_step * 4, 4);
    else
        for (int64_t i = 0; i < count; i++) memcpy(y + i * y_step * 8, x + i * x_step * 8, 8);
}

void weft_copy_cpu(const weft_node *n, const weft_cpu_args *a, weft_box_at *at)
{
    weft_box box = { 0 };
    int64_t first = 0; // items before this box
    for (int k = 0; first < a->end && at(n, k, &box); box = (weft_box) { 0 }, k++) {
        const int64_t count = weft_shape_count(box.shape), size = (int64_t) element_bytes(n, box.in);
        const int64_t begin = a->begin > first ? a->begin - first : 0, end = a->end - first < count ? a->end - first : count;
        weft_loop l;
        if (begin < end) {
            char *y = (char *) a->out[box.out] + box.y_offset * size;
            const char *x = (const char *) a->in[box.in] + box.x_offset * size;
            box_loop(&box, &l);
            for (weft_lines w = weft_lines_of(&l, begin, end); weft_lines_next(&w);)
                copy_line(y + w.at[0] * size, x + w.at[1] * size, w.count, w.step[0], w.step[1], (size_t) size);
        }
        first += count;
    }
}

weft_result weft_copy_emit_box(weft_emit *e, const weft_box *box, weft_bind y, weft_bind x)
{
    weft_loop l;
    box_loop(box, &l);
    struct copy_params p = { .count = (u32) weft_shape_count(box->shape), .y_offset = (u32) box->y_offset, .x_offset = (u32) box->x_offset };
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 0, p.y_stride);
    weft_loop_strides(&l, 1, p.x_stride);
    for (uint32_t d = 0, shift; d < 4; d++) {
        weft_divisor(p.dim[d + 1], &p.magic[d], &shift);
        p.shifts |= shift << d * 8;
    }
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "copy", .spec = { (uint32_t) l.rank }, .spec_count = 1, .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .bind = { y, x }, .bind_count = 2,
    });
}

weft_result weft_copy_emit(const weft_node *n, weft_emit *e, weft_box_at *at)
{
    weft_box box = { 0 };
    WEFT_TRY(weft_loop_check(n));
    for (int k = 0; at(n, k, &box); box = (weft_box) { 0 }, k++)
        WEFT_TRY(weft_copy_emit_box(e, &box, (weft_bind) WEFT_BIND_OUT(box.out), (weft_bind) WEFT_BIND_IN(box.in)));
    return WEFT_OK;
}

void weft_same_cpu(const weft_node *n, const weft_cpu_args *a)
{
    const size_t size = element_bytes(n, 0);
    memcpy((char *) a->out[0] + (size_t) a->begin * size, (const char *) a->in[0] + (size_t) a->begin * size, (size_t) (a->end - a->begin) * size);
}

weft_result weft_same_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_grad_reshape(g, dy[0], n->in_shape[0]);
    return WEFT_OK;
}
