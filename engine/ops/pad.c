// SPDX-License-Identifier: MIT
// Elements added around a tensor, or taken away from its edges.
#include "ops/copy.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "ops/padding.h"
#include "params/pad.h"
#include <math.h>
#include <string.h>

typedef struct pad_attrs { weft_list before, after; int32_t mode; float value; } pad_attrs;

// The number for dimension d: the lists are aligned at the end.
static int64_t amount(const weft_list *list, int d, int rank)
{
    const int k = d - rank + list->count;
    return k < 0 ? 0 : list->at[k];
}

static weft_result pad_infer(weft_node *n)
{
    const pad_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    if (at->before.count > x.rank || at->after.count > x.rank)
        return weft_node_fail(n, "pads %d and %d dimensions, x has %d", at->before.count, at->after.count, x.rank);
    if (n->in_dtype[0] == WEFT_I32 && (at->value != floorf(at->value) || fabsf(at->value) >= 0x1p31f))
        return weft_node_fail(n, "x holds integers, the value is %g", (double) at->value);
    n->out_shape[0] = x;
    n->out_dtype[0] = n->in_dtype[0];
    for (int d = 0; d < x.rank; d++) {
        const int64_t before = amount(&at->before, d, x.rank), after = amount(&at->after, d, x.rank);
        n->out_shape[0].dim[d] += before + after;
        if (n->out_shape[0].dim[d] < 1 || before <= -x.dim[d] || after <= -x.dim[d])
            return weft_node_fail(n, "nothing is left of dimension %d, of %lld, with %lld and %lld", d, (long long) x.dim[d], (long long) before, (long long) after);
    }
    return WEFT_OK;
}

static int64_t line(const weft_node *n) { return n->out_shape[0].rank ? n->out_shape[0].dim[n->out_shape[0].rank - 1] : 1; }
static int64_t pad_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]) / line(n); }

// Where the line that has y's element `first` begins in x, -1: nowhere.
static int64_t line_of(const weft_node *n, int64_t row)
{
    const pad_attrs *at = n->attrs;
    const weft_shape y = n->out_shape[0], x = n->in_shape[0];
    int64_t stride[WEFT_MAX_RANK], from = 0;
    weft_shape_strides(x, stride);
    for (int d = y.rank - 2; d >= 0; row /= y.dim[d], d--) {
        const int64_t k = weft_pad_at(at->mode, row % y.dim[d] - amount(&at->before, d, y.rank), x.dim[d]);
        if (k < 0) return -1;
        from += k * stride[d];
    }
    return from;
}

static void pad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const pad_attrs *at = n->attrs;
    const bool integers = n->in_dtype[0] == WEFT_I32;
    const int rank = n->in_shape[0].rank;
    const int64_t width = rank ? n->in_shape[0].dim[rank - 1] : 1, before = rank ? amount(&at->before, rank - 1, rank) : 0;
    const size_t size = integers ? 4 : sizeof(weft_real);
    const weft_real real = at->value;
    const int32_t whole = integers ? (int32_t) at->value : 0;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        char *y = (char *) arg->out[0] + (size_t) (row * line(n)) * size;
        const int64_t from = line_of(n, row);
        for (int64_t j = 0; j < line(n); j++) {
            const int64_t k = from < 0 ? -1 : weft_pad_at(at->mode, j - before, width);
            const char *x = (const char *) arg->in[0] + (size_t) (from + k) * size;
            memcpy(y + (size_t) j * size, k >= 0 ? x : integers ? (const char *) &whole : (const char *) &real, size);
        }
    }
}

static weft_result pad_emit(const weft_node *n, weft_emit *e)
{
    const pad_attrs *at = n->attrs;
    const int rank = n->out_shape[0].rank;
    const bool image = rank == 4 && n->out_layout[0] == WEFT_IMAGE, integers = n->in_dtype[0] == WEFT_I32;
    int64_t stride[WEFT_MAX_RANK];
    struct pad_params p = { 0 };
    uint32_t value;
    const int32_t whole = integers ? (int32_t) at->value : 0;
    WEFT_TRY(weft_loop_check(n));
    memcpy(&value, integers ? (const void *) &whole : (const void *) &at->value, 4);
    weft_in_strides(n, 0, stride);
    for (int k = 0; k < rank; k++) {
        const int d = image ? (const int[]) { 0, 2, 3, 1 }[k] : k; // in the order of y's memory
        p.dim[k] = (u32) n->out_shape[0].dim[d];
        p.x_dim[k] = (u32) n->in_shape[0].dim[d];
        p.before[k] = (i32) amount(&at->before, d, rank);
        p.x_stride[k] = (i32) stride[d];
    }
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "pad", .spec = { (uint32_t) rank, (uint32_t) at->mode, at->mode ? 0 : value, integers }, .spec_count = 4,
        .params = &p, .params_bytes = sizeof p, .grid = { (uint32_t) weft_shape_count(n->out_shape[0]) },
    });
}

// Elements begin..end of dy along an axis, summed if they are all one element of x, put where that lies in x: from `at` on.
static weft_value fold_back(weft_graph *g, weft_value dy, int axis, int64_t begin, int64_t end, bool turned, int64_t at, int64_t count, int64_t size)
{
    weft_value v = weft_grad_slice(g, dy, axis, begin, end);
    if (turned) v = weft_grad_call(g, "flip", WEFT_V(v), WEFT_WITH({ "axes", NULL, 1, { axis } }));
    if (count < end - begin) v = weft_grad_reduce(g, "sum", v, 1u << axis);
    return weft_grad_pad(g, v, axis, at, size - at - count);
}

// Stretches of dy along which the position in x runs forwards, backwards or stays are added up, one axis at a time.
static weft_value along_axis(const weft_node *n, weft_graph *g, weft_value dy, int axis)
{
    const pad_attrs *at = n->attrs;
    const int rank = n->in_shape[0].rank;
    const int64_t size = n->in_shape[0].dim[axis], padded = n->out_shape[0].dim[axis];
    const int64_t before = amount(&at->before, axis, rank), after = amount(&at->after, axis, rank);
    if (before == 0 && after == 0) return dy;
    if (at->mode == WEFT_PAD_ZERO) return weft_grad_pad(g, dy, axis, -before, -after);
    weft_value sum = -1;
    for (int64_t begin = 0, end; begin < padded; begin = end) {
        const int64_t first = weft_pad_at(at->mode, begin - before, size);
        int64_t step = 0;
        for (end = begin + 1; end < padded; end++) {
            const int64_t here = weft_pad_at(at->mode, end - before, size) - weft_pad_at(at->mode, end - 1 - before, size);
            if (end == begin + 1) step = here;
            if (here != step || here > 1 || here < -1) break;
        }
        if (end == begin + 1) step = 1;
        const int64_t count = step ? end - begin : 1;
        const weft_value part = fold_back(g, dy, axis, begin, end, step < 0, step < 0 ? first - count + 1 : first, count, size);
        sum = sum < 0 ? part : weft_grad_add(g, sum, part);
    }
    return sum;
}

static weft_result pad_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    dx[0] = want[0] ? dy[0] : -1;
    for (int d = 0; want[0] && d < n->in_shape[0].rank; d++) dx[0] = along_axis(n, g, dx[0], d);
    return WEFT_OK;
}

// --- Gradients of parts: what slices of a value give back to it. ---

typedef struct part { weft_value x; int axis; int64_t first, end, size; } part; // x within zeros

static bool part_of(const weft_graph *g, weft_value v, part *out)
{
    const int maker = g->values[v].node;
    const weft_node *n = maker < 0 ? NULL : &g->nodes[maker];
    if (!n || strcmp(n->op->name, "pad")) return false;
    const pad_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    *out = (part) { .x = n->in[0], .axis = -1 };
    for (int d = 0; d < x.rank; d++) {
        const int64_t before = amount(&at->before, d, x.rank), after = amount(&at->after, d, x.rank);
        if (!before && !after) continue;
        if (out->axis >= 0 || before < 0 || after < 0) return false;
        out->axis = d, out->first = before, out->end = before + x.dim[d], out->size = out->end + after;
    }
    return out->axis >= 0 && at->mode == WEFT_PAD_ZERO && at->value == 0;
}

bool weft_grad_is_part(const weft_graph *g, weft_value v)
{
    part p;
    return part_of(g, v, &p);
}

static weft_value add_up(weft_graph *g, const weft_value *list, int count)
{
    weft_value sum = list[0];
    for (int i = 1; i < count; i++) sum = weft_grad_add(g, sum, list[i]);
    return sum;
}

// Those of equal places are added, and the others put side by side, with zeros between. Overlapping ones: none of that, all are added.
weft_value weft_grad_join(weft_graph *g, const weft_value *list, int count)
{
    part *parts = weft_arena_new(g->arena, sizeof *parts * (size_t) count);
    weft_value *side = weft_arena_new(g->arena, sizeof *side * (size_t) (2 * count + 1));
    int places = 0, sides = 0;
    if (!parts || !side) return -1;
    for (int i = 0; i < count; i++) {
        part p;
        if (!part_of(g, list[i], &p) || (i && p.axis != parts[0].axis)) return add_up(g, list, count);
        int k = places;
        while (k && parts[k - 1].first >= p.first) k--;
        if (k < places && parts[k].first == p.first && parts[k].end == p.end) {
            parts[k].x = weft_grad_add(g, parts[k].x, p.x);
            continue;
        }
        memmove(&parts[k + 1], &parts[k], sizeof *parts * (size_t) (places++ - k));
        parts[k] = p;
    }
    int64_t at = 0;
    weft_shape gap = g->values[list[0]].shape;
    const int axis = parts[0].axis;
    for (int k = 0; k <= places; k++) {
        const int64_t next = k < places ? parts[k].first : parts[0].size;
        if (next < at) return add_up(g, list, count);
        gap.dim[axis] = next - at;
        if (next > at) side[sides++] = weft_grad_expand(g, weft_graph_scalar(g, 0), gap);
        if (k < places) side[sides++] = parts[k].x, at = parts[k].end;
    }
    return weft_grad_call(g, "concat", side, sides, WEFT_WITH({ "axis", NULL, 1, { axis } }));
}

#define LIST(...) WEFT_LIST(__VA_ARGS__)
const weft_op weft_op_pad = {
    .name = "pad",
    .doc = "y[i] = x[i - before] along each dimension; `before` and `after` name the last dimensions, so that [1, 1] pads the\n"
           "last two. Negative amounts take elements away. Beyond x's edges: `constant`, the value; `reflect`, x mirrored at\n"
           "its outermost element, which is not repeated; `replicate`, that element; `circular`, x from the other end.\n"
           "As numpy.pad (constant, reflect, edge, wrap): amounts may exceed x's size.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED,
    .attr_bytes = sizeof(pad_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(pad_attrs, before, LIST, .min = -0x1p31, .max = 0x1p31, .doc = "elements added in front, per dimension, for the last ones"),
        WEFT_ATTR(pad_attrs, after, LIST, .min = -0x1p31, .max = 0x1p31, .doc = "elements added at the end"),
        WEFT_ATTR(pad_attrs, mode, ENUM, .choices = "constant|reflect|replicate|circular", .doc = "what they are"),
        WEFT_ATTR(pad_attrs, value, FLOAT, .doc = "of `constant`"),
        { 0 }
    },
    .infer = pad_infer, .items = pad_items, .cpu = pad_cpu, .emit = pad_emit, .grad = pad_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(61) }, .attrs = &(const pad_attrs) { LIST(3), LIST(1), 0, 2.5f } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const pad_attrs) { LIST(1, 2), LIST(3, 0), 0, 0 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const pad_attrs) { LIST(1, 2), LIST(3, 0), 1, 0 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const pad_attrs) { LIST(1, 2), LIST(3, 4), 2, 0 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const pad_attrs) { LIST(1, 1, 2), LIST(2, 3, 4), 3, 0 } },
        { .in = { WEFT_SHAPE(1, 2, 3, 2) }, .attrs = &(const pad_attrs) { LIST(7, 5), LIST(6, 9), 1, 0 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const pad_attrs) { LIST(-1, 2, -3), LIST(2, -4, 1), 0, -1 } },
        { .in = { WEFT_SHAPE(3, 5) }, .attrs = &(const pad_attrs) { LIST(1, 2), LIST(0, 3), 0, -7 }, .integers = 1, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 1, 2, 3, 1, 2, 2, 3) }, .attrs = &(const pad_attrs) { LIST(1, 0, 1, 2, 1, 0, 1, 1), LIST(0, 1, 0, 1, 1, 1, 0, 2), 2, 0 } },
        { 0 }
    },
};
