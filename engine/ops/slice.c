// SPDX-License-Identifier: MIT
// A part of a tensor: along each named axis every steps-th index from starts to ends.
#include "ops/copy.h"
#include "ops/grad.h"
#include "ops/part.h"
#include <string.h>

typedef struct slice_attrs { weft_list starts, ends, steps, axes; } slice_attrs;

typedef struct range { int64_t start, count, step; } range;

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

// NumPy's rule: negative positions count from the end, then both are brought into the dimension.
static range clip(int64_t start, int64_t end, int64_t step, int64_t dim)
{
    if (start < 0) start += dim;
    if (end < 0) end += dim;
    if (step > 0) {
        start = clamp(start, 0, dim), end = clamp(end, 0, dim);
        return (range) { start, end > start ? (end - start + step - 1) / step : 0, step };
    }
    start = clamp(start, -1, dim - 1), end = clamp(end, -1, dim - 1);
    return (range) { start, start > end ? (start - end - step - 1) / -step : 0, step };
}

static weft_result ranges(const weft_node *n, range r[WEFT_MAX_RANK])
{
    const slice_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    unsigned seen = 0;
    const int count = at->starts.count;
    if (at->ends.count != count || (at->steps.count && at->steps.count != count) || (at->axes.count && at->axes.count != count))
        return weft_node_fail(n, "starts, ends, steps and axes have %d, %d, %d and %d numbers", count, at->ends.count, at->steps.count, at->axes.count);
    for (int d = 0; d < x.rank; d++) r[d] = (range) { 0, x.dim[d], 1 };
    for (int i = 0; i < count; i++) {
        const int d = weft_axis(n, at->axes.count ? at->axes.at[i] : i, x.rank);
        const int64_t step = at->steps.count ? at->steps.at[i] : 1;
        if (d < 0) return WEFT_ERR_ARGUMENT;
        if (seen >> d & 1) return weft_node_fail(n, "axis %d is named twice", d);
        if (!step) return weft_node_fail(n, "the step along axis %d is 0", d);
        seen |= 1u << d;
        r[d] = clip(at->starts.at[i], at->ends.at[i], step, x.dim[d]);
        if (r[d].count == 1) r[d].step = 1; // the step may be beyond all numbers, and nothing is stepped over
        if (!r[d].count)
            return weft_node_fail(n, "nothing is left of axis %d, of %lld, from %lld to %lld by %lld", d, (long long) x.dim[d],
                                  (long long) at->starts.at[i], (long long) at->ends.at[i], (long long) step);
    }
    return WEFT_OK;
}

static weft_result slice_infer(weft_node *n)
{
    range r[WEFT_MAX_RANK];
    WEFT_TRY(ranges(n, r));
    n->out_dtype[0] = n->in_dtype[0];
    n->out_shape[0].rank = n->in_shape[0].rank;
    for (int d = 0; d < n->in_shape[0].rank; d++) n->out_shape[0].dim[d] = r[d].count;
    return WEFT_OK;
}

static bool slice_box(const weft_node *n, int k, weft_box *box)
{
    range r[WEFT_MAX_RANK];
    if (k || ranges(n, r) != WEFT_OK) return false;
    box->shape = n->out_shape[0];
    weft_out_strides(n, 0, box->y_stride);
    weft_in_strides(n, 0, box->x_stride);
    for (int d = 0; d < box->shape.rank; d++) {
        box->x_offset += r[d].start * box->x_stride[d];
        box->x_stride[d] *= r[d].step;
    }
    return true;
}

WEFT_COPY_FUNCTIONS(slice)

static bool is_stretch(const weft_node *n, int from, int64_t *begin)
{
    range r[WEFT_MAX_RANK];
    const weft_shape x = n->in_shape[0];
    int64_t stride[WEFT_MAX_RANK];
    bool one = true; // of all dimensions so far a single index
    if (ranges(n, r) != WEFT_OK) return false;
    weft_shape_strides(x, stride);
    *begin = 0;
    for (int d = from; d < x.rank; d++) {
        if (r[d].step != 1 || (!one && r[d].count != x.dim[d])) return false;
        one &= r[d].count == 1;
        *begin += r[d].start * stride[d];
    }
    return true;
}

bool weft_slice_is_stretch(const weft_node *n, int64_t *begin) { return is_stretch(n, 0, begin); }

bool weft_slice_is_rows(const weft_node *n, int64_t rows, int64_t *begin, int64_t *step)
{
    const weft_shape x = n->in_shape[0];
    if (rows == 1) return is_stretch(n, 0, begin);
    if (!x.rank || x.dim[0] != rows || n->out_shape[0].dim[0] != rows || !is_stretch(n, 1, begin)) return false;
    range r[WEFT_MAX_RANK];
    *step = weft_shape_count(x) / rows;
    return ranges(n, r) == WEFT_OK && r[0].step == 1;
}

// Along one axis: the elements of dy, backwards for a negative step, with step - 1 zeros after each, where they came from.
static weft_value put_back(weft_graph *g, weft_value v, int axis, range r, int64_t size)
{
    if (v < 0) return -1;
    const int64_t step = r.step < 0 ? -r.step : r.step, first = r.step < 0 ? r.start + (r.count - 1) * r.step : r.start;
    weft_shape s = g->values[v].shape;
    if (r.step < 0) v = weft_grad_call(g, "flip", WEFT_V(v), WEFT_WITH({ "axes", NULL, 1, { axis } }));
    if (step > 1) {
        int64_t outer = 1, inner = 1;
        for (int d = 0; d < s.rank; d++) *(d <= axis ? &outer : &inner) *= s.dim[d];
        v = weft_grad_pad(g, weft_grad_reshape(g, v, (weft_shape) WEFT_SHAPE(outer, 1, inner)), 1, 0, step - 1);
        s.dim[axis] *= step;
        v = weft_grad_reshape(g, v, s);
    }
    return weft_grad_pad(g, v, axis, first, size - first - s.dim[axis]);
}

static weft_result slice_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    range r[WEFT_MAX_RANK];
    WEFT_TRY(ranges(n, r));
    dx[0] = want[0] ? dy[0] : -1;
    for (int d = 0; want[0] && d < n->in_shape[0].rank; d++) dx[0] = put_back(g, dx[0], d, r[d], n->in_shape[0].dim[d]);
    return WEFT_OK;
}

#define LIST(...) WEFT_LIST(__VA_ARGS__)
const weft_op weft_op_slice = {
    .name = "slice",
    .doc = "y = x[starts:ends:steps] along each of axes, as NumPy and ONNX Slice: negative positions count from the end,\n"
           "positions beyond either end are brought back to it, a negative step walks backwards (then an end before the\n"
           "first element, such as -2^31, takes that one in too). An empty result is refused.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(slice), .grad = slice_grad,
    .attr_bytes = sizeof(slice_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(slice_attrs, starts, LIST, .doc = "first index along each axis"),
        WEFT_ATTR(slice_attrs, ends, LIST, .doc = "the index after the last"),
        WEFT_ATTR(slice_attrs, steps, LIST, .doc = "distance of indices; empty: 1"),
        WEFT_ATTR(slice_attrs, axes, LIST, .doc = "axes, negative from the end; empty: 0, 1, ..."),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(131) }, .attrs = &(const slice_attrs) { LIST(1), LIST(66) } },
        { .in = { WEFT_SHAPE(2, 6, 7, 5) }, .attrs = &(const slice_attrs) { LIST(3), LIST(6), .axes = LIST(1) } },
        { .in = { WEFT_SHAPE(2, 3, 7, 9) }, .attrs = &(const slice_attrs) { LIST(-1, 1), LIST(-100, -1), LIST(-2, 3), LIST(2, -1) } },
        { .in = { WEFT_SHAPE(5, 13) }, .attrs = &(const slice_attrs) { LIST(1, -3), LIST(1000, 2), LIST(2, -4) }, .integers = 1, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 3, 2, 3, 2, 3, 2, 3) },
          .attrs = &(const slice_attrs) { LIST(1, 1, 1, 2), LIST(2, 3, 3, -9), LIST(1, 1, 1, -1), LIST(0, 1, 3, 5) } },
        { 0 }
    },
};
