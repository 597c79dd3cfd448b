// SPDX-License-Identifier: MIT
// Elements, or rows of a table, chosen by number.
#include "ops/copy.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/gather.h"
#include "params/gather_grad.h"
#include <string.h>

typedef struct gather_attrs { int32_t axis; } gather_attrs;

static int axis_of(const weft_node *n) { return n->op->attr_bytes ? weft_axis(n, ((const gather_attrs *) n->attrs)->axis, n->in_shape[0].rank) : 0; }

static weft_result gather_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0], ids = n->in_shape[1];
    const int axis = axis_of(n), rank = x.rank - 1 + ids.rank;
    if (axis < 0) return WEFT_ERR_ARGUMENT;
    if (n->in_dtype[1] != WEFT_I32) return weft_node_fail(n, "ids are no integers: cast them to i32");
    if (!n->op->attr_bytes && x.rank != 2) return weft_node_fail(n, "the table has %d dimensions, not 2", x.rank);
    if (rank > WEFT_MAX_RANK) return weft_node_fail(n, "y would have %d dimensions, more than %d", rank, WEFT_MAX_RANK);
    weft_shape *y = &n->out_shape[0];
    y->rank = 0;
    for (int d = 0; d < axis; d++) y->dim[y->rank++] = x.dim[d];
    for (int d = 0; d < ids.rank; d++) y->dim[y->rank++] = ids.dim[d];
    for (int d = axis + 1; d < x.rank; d++) y->dim[y->rank++] = x.dim[d];
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

// The loop over y, x without its axis, and ids. Gives the step along x's axis.
static int64_t gather_loop(const weft_node *n, weft_loop *l)
{
    const weft_shape y = n->out_shape[0];
    const int axis = axis_of(n), ids_rank = n->in_shape[1].rank;
    int64_t stride[3][WEFT_MAX_RANK] = { 0 }, x[WEFT_MAX_RANK], ids[WEFT_MAX_RANK];
    weft_out_strides(n, 0, stride[0]);
    weft_in_strides(n, 0, x);
    weft_in_strides(n, 1, ids);
    for (int d = 0; d < y.rank; d++) {
        if (d >= axis && d < axis + ids_rank) stride[2][d] = ids[d - axis];
        else stride[1][d] = x[d < axis ? d : d - ids_rank + 1];
    }
    weft_loop_make(l, y, 3, stride);
    return x[axis];
}

static int64_t row_of(int64_t id, int64_t size)
{
    if (id < 0) id += size;
    return id < 0 ? 0 : id >= size ? size - 1 : id;
}

static void gather_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const size_t size = n->in_dtype[0] == WEFT_I32 ? 4 : sizeof(weft_real);
    const int64_t rows = n->in_shape[0].dim[axis_of(n)];
    weft_loop l;
    const int64_t axis_step = gather_loop(n, &l);
    for (weft_lines w = weft_lines_of(&l, arg->begin, arg->end); weft_lines_next(&w);) {
        const int32_t *ids = (const int32_t *) arg->in[1] + w.at[2];
        const char *x = (const char *) arg->in[0] + (size_t) w.at[1] * size;
        char *y = (char *) arg->out[0] + (size_t) w.at[0] * size;
        if (w.step[2] == 0 && w.step[1] == 1) { // one id for the whole line
            memcpy(y, x + (size_t) (row_of(ids[0], rows) * axis_step) * size, (size_t) w.count * size);
            continue;
        }
        for (int64_t i = 0; i < w.count; i++)
            memcpy(y + (size_t) i * size, x + (size_t) (i * w.step[1] + row_of(ids[i * w.step[2]], rows) * axis_step) * size, size);
    }
}

static weft_result gather_emit(const weft_node *n, weft_emit *e)
{
    weft_loop l;
    WEFT_TRY(weft_loop_check(n));
    struct gather_params p = { .count = (u32) weft_shape_count(n->out_shape[0]), .axis_size = (u32) n->in_shape[0].dim[axis_of(n)] };
    p.axis_stride = (i32) gather_loop(n, &l);
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.x_stride);
    weft_loop_strides(&l, 2, p.ids_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "gather", .spec = { (uint32_t) l.rank, weft_emit_packed(e, 0) }, .spec_count = 2,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

// --- The gradient: rows of dy added up where they came from. -----------------------------------------------------

typedef struct gather_grad_attrs { int32_t axis, size; } gather_grad_attrs;
enum { DY, IDS };

// dx is [outer, size, inner], dy [outer, ids, inner].
typedef struct piled { int64_t outer, size, ids, inner; } piled;
static piled piled_of(const weft_node *n, int axis)
{
    piled p = { 1, ((const gather_grad_attrs *) n->attrs)->size, weft_shape_count(n->in_shape[IDS]), 1 };
    for (int d = 0; d < n->out_shape[0].rank; d++)
        if (d != axis) *(d < axis ? &p.outer : &p.inner) *= n->out_shape[0].dim[d];
    return p;
}

static weft_result gather_grad_infer(weft_node *n)
{
    const gather_grad_attrs *at = n->attrs;
    const weft_shape dy = n->in_shape[DY], ids = n->in_shape[IDS];
    const int rank = dy.rank - ids.rank + 1, axis = rank < 1 ? -1 : weft_axis(n, at->axis, rank);
    weft_shape *dx = &n->out_shape[0];
    if (rank < 1) return weft_node_fail(n, "ids have more dimensions than dy");
    if (n->in_dtype[DY] == WEFT_I32) return weft_node_fail(n, "dy holds integers: cast it to f32");
    if (axis < 0) return WEFT_ERR_ARGUMENT;
    if (n->in_dtype[IDS] != WEFT_I32) return weft_node_fail(n, "ids are no integers: cast them to i32");
    for (int d = 0; d < ids.rank; d++)
        if (dy.dim[axis + d] != ids.dim[d]) return weft_node_fail(n, "dimension %d of dy is not that of ids", axis + d);
    dx->rank = rank;
    for (int d = 0; d < rank; d++) dx->dim[d] = d < axis ? dy.dim[d] : d == axis ? at->size : dy.dim[d + ids.rank - 1];
    return WEFT_OK;
}

static int64_t gather_grad_items(const weft_node *n)
{
    const piled p = piled_of(n, weft_axis(n, ((const gather_grad_attrs *) n->attrs)->axis, n->out_shape[0].rank));
    return p.outer * p.size;
}

static double gather_grad_flops(const weft_node *n) { return (double) weft_shape_count(n->out_shape[0]) * (double) weft_shape_count(n->in_shape[IDS]); }

enum { COLUMNS = 256 };
static void gather_grad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const piled p = piled_of(n, weft_axis(n, ((const gather_grad_attrs *) n->attrs)->axis, n->out_shape[0].rank));
    const int32_t *ids = arg->in[IDS];
    for (int64_t item = arg->begin; item < arg->end; item++)
        for (int64_t first = 0; first < p.inner; first += COLUMNS) {
            const int64_t count = p.inner - first < COLUMNS ? p.inner - first : COLUMNS;
            double sum[COLUMNS] = { 0 };
            for (int64_t k = 0; k < p.ids; k++) {
                if (row_of(ids[k], p.size) != item % p.size) continue;
                const weft_real *dy = (const weft_real *) arg->in[DY] + (item / p.size * p.ids + k) * p.inner + first;
                for (int64_t i = 0; i < count; i++) sum[i] += dy[i];
            }
            for (int64_t i = 0; i < count; i++) ((weft_real *) arg->out[0])[item * p.inner + first + i] = (weft_real) sum[i];
        }
}

static weft_result gather_grad_emit(const weft_node *n, weft_emit *e)
{
    const piled at = piled_of(n, weft_axis(n, ((const gather_grad_attrs *) n->attrs)->axis, n->out_shape[0].rank));
    WEFT_TRY(weft_loop_check(n));
    const struct gather_grad_params p = { (u32) weft_shape_count(n->out_shape[0]), (u32) at.size, (u32) at.ids, (u32) at.inner };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "gather_grad", .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = gather_grad_flops(n),
    });
}

static weft_result gather_back(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const int axis = axis_of(n);
    const gather_grad_attrs at = { axis, (int32_t) n->in_shape[0].dim[axis] };
    if (want[0]) dx[0] = weft_graph_call(g, "gather_grad", WEFT_V(dy[0], n->in[1]), &at);
    return WEFT_OK;
}

// --- The rows. -----------------------------------------------------------------------------------------------

#define RANGE "Negative ids count from the end; ids beyond either end are brought back to it."
#define IDS .integers = 2, .low = -5, .high = 5

static const weft_op gather = {
    .name = "gather",
    .doc = "y[.., i.., ..] = x[.., ids[i..], ..]: the dimension `axis` of x is replaced by those of ids. As numpy.take and\n"
           "ONNX Gather. " RANGE,
    .out_names = "y", .in_names = "x ids", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, .half_inputs = 1 << 0,
    .attr_bytes = sizeof(gather_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(gather_attrs, axis, INT, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "negative from the end"),
        { 0 }
    },
    .infer = gather_infer, .items = weft_copy_items, .cpu = gather_cpu, .emit = gather_emit, .grad = gather_back,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5), WEFT_SHAPE(67) }, IDS },
        { .in = { WEFT_SHAPE(5, 13), WEFT_SHAPE(3, 5) }, IDS },
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(4) }, .attrs = &(const gather_attrs) { 1 }, IDS },
        { .in = { WEFT_SHAPE(2, 3, 7, 5), WEFT_SHAPE(4) }, .attrs = &(const gather_attrs) { -1 }, IDS },
        { .in = { WEFT_SHAPE(3, 5, 2), WEFT_SHAPE(2, 2) }, .attrs = &(const gather_attrs) { 1 }, .integers = 3, .low = -5, .high = 5 },
        { .in = { WEFT_SHAPE(3), WEFT_SHAPE(65) }, .integers = 2, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 3, 2, 5, 2), WEFT_SHAPE(2, 1, 3, 2) }, .attrs = &(const gather_attrs) { 3 }, IDS },
        { 0 }
    },
};

static const weft_op embedding = {
    .name = "embedding",
    .doc = "y[i.., :] = table[ids[i..], :], a row of the table for every id. As torch.nn.functional.embedding, with the table\n"
           "first. " RANGE,
    .out_names = "y", .in_names = "table ids", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, .half_inputs = 1 << 0,
    .infer = gather_infer, .items = weft_copy_items, .cpu = gather_cpu, .emit = gather_emit, .grad = gather_back,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5, 65), WEFT_SHAPE(7) }, IDS },
        { .in = { WEFT_SHAPE(13, 3), WEFT_SHAPE(2, 31) }, IDS },
        { .in = { WEFT_SHAPE(5, 1), WEFT_SHAPE(2, 1, 2, 1, 3) }, IDS },
        { 0 }
    },
};

static const weft_op gather_grad = {
    .name = "gather_grad",
    .doc = "dx of gather and embedding: dx[.., r, ..] = the sum of dy[.., i.., ..] over all i with ids[i..] = r, in the order of ids. " RANGE,
    .out_names = "dx", .in_names = "dy ids", .flags = WEFT_OP_INTEGERS,
    .attr_bytes = sizeof(gather_grad_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(gather_grad_attrs, axis, INT, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "of dx; negative from the end"),
        WEFT_ATTR(gather_grad_attrs, size, INT, .def = 1, .min = 1, .max = 0x1p30, .doc = "of dx along the axis"),
        { 0 }
    },
    .infer = gather_grad_infer, .items = gather_grad_items, .cpu = gather_grad_cpu, .emit = gather_grad_emit, .flops = gather_grad_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(67), WEFT_SHAPE(67) }, .attrs = &(const gather_grad_attrs) { 0, 5 }, .integers = 2, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 31, 3), WEFT_SHAPE(2, 31) }, .attrs = &(const gather_grad_attrs) { 0, 13 }, .integers = 2, .low = -5, .high = 5 },
        { .in = { WEFT_SHAPE(2, 4, 7, 3), WEFT_SHAPE(4) }, .attrs = &(const gather_grad_attrs) { 1, 5 }, .integers = 2, .low = -5, .high = 5 },
        { .in = { WEFT_SHAPE(3, 5, 2, 2500), WEFT_SHAPE(2500) }, .attrs = &(const gather_grad_attrs) { -1, 9 }, .integers = 2, .low = -9, .high = 9 },
        { 0 }
    },
};

const weft_op *const weft_family_gather[] = { &gather, &embedding, &gather_grad, NULL };
