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

// --- The row: some rows of the second image, of scores that up to three inputs hold. -------------------------------

enum { X, BEFORE, AFTER, INPUTS };
static void part_of(const weft_patch_fuse *p, int input, int64_t part[2]) // of the patches that j counts: first, how many. -1: the output's
{
    const int32_t *rows = input < 0 ? p->y_rows : input == X ? p->x_rows : input == BEFORE ? p->before : p->after;
    part[0] = (int64_t) rows[0] * p->to[1], part[1] = (int64_t) (rows[1] ? rows[1] : p->to[0] - rows[0]) * p->to[1];
}

static weft_result fuse_infer(weft_node *n)
{
    const weft_patch_fuse *p = n->attrs;
    int64_t part[2];
    for (int i = -1; i < INPUTS; i++) {
        part_of(p, i, part);
        const weft_shape x = n->in_shape[i < 0 ? X : i];
        if (i > X && !weft_has(n, i)) continue;
        if (part[1] <= 0 || part[0] + part[1] > patches(p->to)) return weft_node_fail(n, "rows %lld.. are not in the image", (long long) (part[0] / p->to[1]));
        if (x.rank != 3 || x.dim[0] != n->in_shape[X].dim[0] || x.dim[1] != patches(p->from) || (i >= 0 && x.dim[2] != part[1]) || !(p->size & 1))
            return weft_node_fail(n, "%s does not fit the patches", i < 1 ? "x" : i == BEFORE ? "before" : "after");
        for (int k = 0; k < i; k++) {
            int64_t other[2];
            part_of(p, k, other);
            if ((k == X || weft_has(n, k)) && part[0] < other[0] + other[1] && other[0] < part[0] + part[1])
                return weft_node_fail(n, "two inputs hold the same rows");
        }
    }
    part_of(p, -1, part);
    n->out_shape[0] = n->in_shape[X];
    n->out_shape[0].dim[2] = part[1];
    return WEFT_OK;
}

static int64_t fuse_items(const weft_node *n) { return n->in_shape[X].dim[0] * n->in_shape[X].dim[1]; }

// Patch i counted by rows, `by` steps on in one of the counts; -1: there is none.
static int64_t step(const int32_t size[2], bool columns, int64_t i, int64_t by)
{
    const int64_t k = (columns ? i % size[1] * size[0] + i / size[1] : i) + by;
    return k < 0 || k >= patches(size) ? -1 : columns ? by_rows(size, k) : k;
}

enum { COLUMNS = 256 };
typedef struct line { // COLUMNS patches at most of row y, from x on: what is read for them lies in runs
    const weft_patch_fuse *p;
    const weft_real *in[INPUTS]; // where the scores of patch i begin; NULL: absent
    int64_t part[INPUTS][2], y, x, count;
    double sum[COLUMNS];
} line;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t turns(int64_t at, int64_t size) { return at >= 0 ? at / size : -((size - 1 - at) / size); } // rounded down

// Patches j.. are what `count` patches from x on see.
static void add_run(line *l, int64_t x, int64_t count, int64_t j)
{
    for (int i = 0; i < INPUTS; i++) {
        const int64_t first = l->part[i][0], begin = most(j, first), end = least(j + count, first + l->part[i][1]);
        double *sum = l->sum + x - l->x - j;
        for (int64_t k = begin; l->in[i] && k < end; k++) sum[k] += l->in[i][k - first];
    }
}

// A step of a by columns, then one of b by rows.
static void add_columns_first(line *l, int64_t a, int64_t b)
{
    const int64_t h = l->p->to[0], w = l->p->to[1], c = turns(l->y + a, h), to_j = (l->y + a - c * h) * w + c + b; // of x = 0
    const int64_t begin = most(most(l->x, -c), -to_j), end = least(least(l->x + l->count, w - c), h * w - to_j);
    if (begin < end) add_run(l, begin, end - begin, to_j + begin);
}

// A step of a by rows, then one of b by columns.
static void add_rows_first(line *l, int64_t a, int64_t b)
{
    const int64_t h = l->p->to[0], w = l->p->to[1];
    for (int64_t q = turns(l->x + a, w); q <= turns(l->x + l->count - 1 + a, w); q++) { // rows that the first step comes to
        if (l->y + q < 0 || l->y + q >= h) continue;
        const int64_t c = turns(l->y + q + b, h), zero = q * w - a; // the x that comes to column 0
        const int64_t begin = most(l->x, zero + most(0, -c)), end = least(l->x + l->count, zero + least(w, w - c));
        if (begin < end) add_run(l, begin, end - begin, (l->y + q + b - c * h) * w + begin - zero + c);
    }
}

static void fuse_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_patch_fuse *p = n->attrs;
    const int64_t rows = patches(p->from), reach = p->size / 2, width = p->to[1];
    int64_t y[2];
    line l = { .p = p };
    part_of(p, -1, y);
    for (int i = 0; i < INPUTS; i++) part_of(p, i, l.part[i]);
    for (int64_t at = arg->begin * y[1]; at < arg->end * y[1]; at += l.count) {
        const int64_t i = at / y[1] % rows, j = y[0] + at % y[1];
        l.y = j / width, l.x = j % width, l.count = least(COLUMNS, width - l.x);
        for (int64_t k = 0; k < l.count; k++) l.sum[k] = 0;
        for (int64_t a = -reach; a <= reach; a++)
            for (int64_t b = -reach; b <= reach; b++) {
                const int64_t ia = step(p->from, !p->turned, i, a), ib = ia < 0 ? -1 : step(p->from, p->turned, ia, b);
                if (ib < 0) continue;
                for (int k = 0; k < INPUTS; k++)
                    l.in[k] = k > X && !weft_has(n, k) ? NULL : (const weft_real *) arg->in[k] + (at / y[1] - i + ib) * l.part[k][1];
                if (p->turned) add_rows_first(&l, a, b);
                else add_columns_first(&l, a, b);
            }
        for (int64_t k = 0; k < l.count; k++) ((weft_real *) arg->out[0])[at + k] = (weft_real) l.sum[k];
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
    int64_t y[2], x[INPUTS][2];
    part_of(at, -1, y);
    for (int i = 0; i < INPUTS; i++) part_of(at, i, x[i]);
    const struct patch_fuse_params p = {
        (u32) weft_shape_count(n->out_shape[0]), { (u32) at->from[0], (u32) at->from[1] }, { (u32) at->to[0], (u32) at->to[1] }, at->size / 2,
        (u32) at->turned, { (u32) y[0], (u32) y[1] }, { (u32) x[X][0], (u32) x[X][1] }, { (u32) x[BEFORE][0], (u32) x[BEFORE][1] },
        { (u32) x[AFTER][0], (u32) x[AFTER][1] },
    };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "patch_fuse", .spec = { weft_has(n, BEFORE), weft_has(n, AFTER) }, .spec_count = 2, .params = &p, .params_bytes = sizeof p,
        .grid = { p.count }, .flops = fuse_flops(n),
    });
}

// Either sum is its own adjoint; backwards, the last comes first. Scores outside the output's rows got nothing.
static weft_result fuse_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_patch_fuse *at = n->attrs;
    for (int i = 0; i < n->in_count; i++) {
        const int32_t *rows = i == X ? at->x_rows : i == BEFORE ? at->before : at->after;
        weft_patch_fuse back = { .from = { at->from[0], at->from[1] }, .to = { at->to[0], at->to[1] }, .size = at->size, .turned = !at->turned,
                                 .y_rows = { rows[0], rows[1] }, .x_rows = { at->y_rows[0], at->y_rows[1] } };
        if (want[i]) dx[i] = weft_graph_op(g, n->op, dy, 1, &back);
    }
    return WEFT_OK;
}

#define AT(...) &(const weft_patch_fuse) { __VA_ARGS__ }
#define ROWS(name_, doc_) WEFT_ATTR(weft_patch_fuse, name_, INT, .count = 2, .min = 0, .max = 65536, .doc = doc_)
const weft_op weft_op_patch_fuse = {
    .name = "patch_fuse",
    .doc = "z[i, j] = sum over d of x[i + d, j + d], |d| <= size / 2; then the same with both patches counted by columns instead of rows. "
           "Of the patches that j counts, x holds some rows of their image, before and after others; what none of them holds is 0.",
    .out_names = "y", .in_names = "x before? after?",
    .attr_bytes = sizeof(weft_patch_fuse),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_patch_fuse, from, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "patches along y and x that i counts"),
        WEFT_ATTR(weft_patch_fuse, to, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "patches along y and x that j counts"),
        WEFT_ATTR(weft_patch_fuse, size, INT, .def = 3, .min = 1, .max = WEFT_PATCH_FUSE_MOST, .doc = "of the window along a diagonal; odd"),
        WEFT_ATTR(weft_patch_fuse, turned, INT, .min = 0, .max = 1, .doc = "1: by columns first"),
        ROWS(y_rows, "rows of j's patches in y: first, how many; 0: to the last"),
        ROWS(x_rows, "rows in x"),
        ROWS(before, "rows in before"),
        ROWS(after, "rows in after"),
        { 0 }
    },
    .infer = fuse_infer, .items = fuse_items, .cpu = fuse_cpu, .emit = fuse_emit, .flops = fuse_flops, .grad = fuse_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 12, 12) }, .attrs = AT({ 3, 4 }, { 3, 4 }, 3) },
        { .in = { WEFT_SHAPE(2, 15, 14) }, .attrs = AT({ 5, 3 }, { 2, 7 }, 5, .turned = 1) },
        { .in = { WEFT_SHAPE(2, 15, 9), WEFT_SHAPE(2, 15, 6), WEFT_SHAPE(2, 15, 12) },
          .attrs = AT({ 5, 3 }, { 9, 3 }, 3, .y_rows = { 2, 2 }, .x_rows = { 2, 3 }, .before = { 0, 2 }, .after = { 5, 0 }) },
        { .in = { WEFT_SHAPE(1, 12, 8), WEFT_SHAPE(1, 12, 12) }, .attrs = AT({ 3, 4 }, { 5, 4 }, 3, .y_rows = { 3, 0 }, .x_rows = { 3, 2 }, .before = { 0, 3 }) },
        { 0 }
    },
};
