// SPDX-License-Identifier: MIT
// Sums along the diagonals of a matrix of patch scores, patches counted by rows, then by columns.
#include "ops/patch_fuse.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "params/patch_fuse.h"
#include <string.h>

static int64_t patches(const int32_t size[2]) { return (int64_t) size[0] * size[1]; }

// Patch k, counted by columns, as counted by rows.
static int64_t by_rows(const int32_t size[2], int64_t k) { return k % size[0] * size[1] + k / size[0]; }

// One diagonal from (i, j): every element becomes the sum of those around it as they were.
static void sum_diagonal(const weft_patch_fuse *p, bool columns, int64_t i, int64_t j, weft_real *a)
{
    const int64_t rows = patches(p->from), width = patches(p->to), reach = p->size / 2;
    const int64_t len = rows - i < width - j ? rows - i : width - j;
    double before[WEFT_PATCH_FUSE_MOST]; // what the last elements were
#define PLACE(k) (columns ? by_rows(p->from, i + (k)) * width + by_rows(p->to, j + (k)) : (i + (k)) * width + j + (k))
    for (int64_t k = 0; k < len; k++) {
        const double here = a[PLACE(k)];
        double sum = here;
        for (int64_t d = 1; d <= reach; d++) {
            if (k - d >= 0) sum += before[(k - d) % p->size];
            if (k + d < len) sum += a[PLACE(k + d)];
        }
        before[k % p->size] = here;
        a[PLACE(k)] = (weft_real) sum;
    }
#undef PLACE
}

void weft_patch_fuse_truth(const weft_patch_fuse *p, weft_real *a)
{
    for (int columns = 0; columns < 2; columns++) {
        for (int64_t i = 0; i < patches(p->from); i++) sum_diagonal(p, columns, i, 0, a);
        for (int64_t j = 1; j < patches(p->to); j++) sum_diagonal(p, columns, 0, j, a);
    }
}

static weft_result fuse_infer(weft_node *n)
{
    const weft_patch_fuse *p = n->attrs;
    const weft_shape x = n->in_shape[0];
    if (x.rank != 3 || x.dim[1] != patches(p->from) || x.dim[2] != patches(p->to) || !(p->size & 1)) return weft_node_fail(n, "x does not fit the patches");
    n->out_shape[0] = x;
    return WEFT_OK;
}

static int64_t fuse_items(const weft_node *n) { return n->in_shape[0].dim[0]; }

static void fuse_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t each = n->in_shape[0].dim[1] * n->in_shape[0].dim[2];
    for (int64_t k = arg->begin; k < arg->end; k++) {
        weft_real *y = (weft_real *) arg->out[0] + k * each;
        memcpy(y, (const weft_real *) arg->in[0] + k * each, sizeof *y * (size_t) each);
        weft_patch_fuse_truth(n->attrs, y);
    }
}

static double fuse_flops(const weft_node *n)
{
    const weft_patch_fuse *p = n->attrs;
    return (double) weft_shape_count(n->out_shape[0]) * p->size * p->size;
}

static weft_result fuse_emit(const weft_node *n, weft_emit *e)
{
    const weft_patch_fuse *at = n->attrs;
    WEFT_TRY(weft_loop_check(n));
    const struct patch_fuse_params p = {
        (u32) weft_shape_count(n->out_shape[0]), { (u32) at->from[0], (u32) at->from[1] }, { (u32) at->to[0], (u32) at->to[1] }, at->size / 2,
    };
    return weft_emit_dispatch(e, &(weft_dispatch) { .kernel = "patch_fuse", .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = fuse_flops(n) });
}

// x or y with patches counted by columns: [n, from y, from x, to y, to x] with each pair swapped.
static weft_value by_columns(weft_graph *g, weft_value v, const int32_t from[2], const int32_t to[2])
{
    if (v < 0) return -1;
    const weft_shape s = g->values[v].shape;
    v = weft_grad_reshape(g, v, (weft_shape) WEFT_SHAPE(s.dim[0], from[0], from[1], to[0], to[1]));
    return weft_grad_reshape(g, weft_grad_permute(g, v, (const int[]) { 0, 2, 1, 4, 3 }), s);
}

// Either sum is its own adjoint; backwards, that by columns comes first.
static weft_result fuse_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_patch_fuse *at = n->attrs;
    weft_patch_fuse turned = { { at->from[1], at->from[0] }, { at->to[1], at->to[0] }, at->size };
    if (!want[0]) return WEFT_OK;
    const weft_value v = weft_graph_op(g, n->op, (const weft_value[]) { by_columns(g, dy[0], at->from, at->to) }, 1, &turned);
    dx[0] = by_columns(g, v, turned.from, turned.to);
    return WEFT_OK;
}

const weft_op weft_op_patch_fuse = {
    .name = "patch_fuse",
    .doc = "z[i, j] = sum over d of x[i + d, j + d], |d| <= size / 2; then the same with both patches counted by columns instead of rows.",
    .out_names = "y", .in_names = "x",
    .attr_bytes = sizeof(weft_patch_fuse),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_patch_fuse, from, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "patches along y and x that i counts"),
        WEFT_ATTR(weft_patch_fuse, to, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "patches along y and x that j counts"),
        WEFT_ATTR(weft_patch_fuse, size, INT, .def = 3, .min = 1, .max = WEFT_PATCH_FUSE_MOST, .doc = "of the window along a diagonal; odd"),
        { 0 }
    },
    .infer = fuse_infer, .items = fuse_items, .cpu = fuse_cpu, .emit = fuse_emit, .flops = fuse_flops, .grad = fuse_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 12, 12) }, .attrs = &(const weft_patch_fuse) { { 3, 4 }, { 3, 4 }, 3 } },
        { .in = { WEFT_SHAPE(2, 15, 14) }, .attrs = &(const weft_patch_fuse) { { 5, 3 }, { 2, 7 }, 5 } },
        { 0 }
    },
};
