// SPDX-License-Identifier: MIT
// Windows of an image as columns (im2col), and columns added up into an image again (col2im).
#include "ops/copy.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/unfold.h"
#include <string.h>

typedef struct window { int32_t kernel[2], stride[2], dilation[2], pads[4]; } window;
typedef struct unfold_attrs { window window; } unfold_attrs;
typedef struct fold_attrs { window window; int32_t size[2]; } fold_attrs; // the window first, as in unfold_attrs

// How many positions the window has in an image of `size`, along y (0) or x (1).
static int64_t positions(const window *w, int d, int64_t size)
{
    const int64_t room = size + w->pads[d] + w->pads[2 + d] - (int64_t) w->dilation[d] * (w->kernel[d] - 1) - 1;
    return room < 0 ? 0 : room / w->stride[d] + 1;
}

static int64_t kernel_area(const window *w) { return (int64_t) w->kernel[0] * w->kernel[1]; }

static weft_result unfold_infer(weft_node *n)
{
    const window *w = n->attrs;
    const int64_t *x = n->in_shape[0].dim;
    if (n->in_shape[0].rank != 4) return weft_node_fail(n, "x has %d dimensions, not 4", n->in_shape[0].rank);
    const int64_t ho = positions(w, 0, x[2]), wo = positions(w, 1, x[3]);
    if (!ho || !wo) return weft_node_fail(n, "the window is larger than x, of %lld x %lld", (long long) x[2], (long long) x[3]);
    n->out_shape[0] = (weft_shape) { 3, { x[0], x[1] * kernel_area(w), ho * wo } };
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static weft_result fold_infer(weft_node *n)
{
    const fold_attrs *at = n->attrs;
    const weft_shape like = n->in_shape[1 * weft_has(n, 1)];
    const int64_t *x = n->in_shape[0].dim, area = kernel_area(&at->window);
    if (n->in_dtype[0] == WEFT_I32) return weft_node_fail(n, "x holds integers: cast it to f32");
    if (n->in_shape[0].rank != 3) return weft_node_fail(n, "x has %d dimensions, not 3", n->in_shape[0].rank);
    if (weft_has(n, 1) && like.rank != 4) return weft_node_fail(n, "like has %d dimensions, not 4", like.rank);
    const int64_t h = weft_has(n, 1) ? like.dim[2] : at->size[0], w = weft_has(n, 1) ? like.dim[3] : at->size[1];
    const int64_t ho = positions(&at->window, 0, h), wo = positions(&at->window, 1, w);
    if (x[1] % area) return weft_node_fail(n, "x has %lld rows, no multiple of the window's %lld", (long long) x[1], (long long) area);
    if (x[2] != ho * wo)
        return weft_node_fail(n, "x has %lld columns, but the window has %lld positions in %lld x %lld", (long long) x[2],
                              (long long) (ho * wo), (long long) h, (long long) w);
    n->out_shape[0] = (weft_shape) { 4, { x[0], x[1] / area, h, w } };
    return WEFT_OK;
}

static int64_t unfold_items(const weft_node *n) { return n->out_shape[0].dim[0] * n->out_shape[0].dim[1]; }

static void unfold_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const window *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, wo = positions(at, 1, x[3]), columns = n->out_shape[0].dim[2];
    const size_t size = n->in_dtype[0] == WEFT_I32 ? 4 : sizeof(weft_real);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t kx = row % at->kernel[1], ky = row / at->kernel[1] % at->kernel[0], plane = row / kernel_area(at);
        for (int64_t column = 0; column < columns; column++) {
            const int64_t hi = column / wo * at->stride[0] + ky * at->dilation[0] - at->pads[0];
            const int64_t wi = column % wo * at->stride[1] + kx * at->dilation[1] - at->pads[1];
            char *y = (char *) arg->out[0] + (size_t) (row * columns + column) * size;
            if (hi < 0 || wi < 0 || hi >= x[2] || wi >= x[3]) memset(y, 0, size);
            else memcpy(y, (const char *) arg->in[0] + (size_t) ((plane * x[2] + hi) * x[3] + wi) * size, size);
        }
    }
}

static int64_t fold_items(const weft_node *n) { return n->out_shape[0].dim[0] * n->out_shape[0].dim[1] * n->out_shape[0].dim[2]; }

static double fold_flops(const weft_node *n) { return (double) weft_shape_count(n->in_shape[0]); }

static void fold_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const window *at = n->attrs;
    const int64_t *y = n->out_shape[0].dim, ho = positions(at, 0, y[2]), wo = positions(at, 1, y[3]);
    const weft_real *x = arg->in[0];
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t hi = row % y[2], plane = row / y[2];
        for (int64_t wi = 0; wi < y[3]; wi++) {
            double sum = 0;
            for (int64_t ky = 0; ky < at->kernel[0]; ky++)
                for (int64_t kx = 0; kx < at->kernel[1]; kx++) {
                    const int64_t h = hi + at->pads[0] - ky * at->dilation[0], w = wi + at->pads[1] - kx * at->dilation[1];
                    if (h < 0 || w < 0 || h % at->stride[0] || w % at->stride[1]) continue;
                    if (h / at->stride[0] >= ho || w / at->stride[1] >= wo) continue;
                    sum += x[((plane * kernel_area(at) + ky * at->kernel[1] + kx) * ho + h / at->stride[0]) * wo + w / at->stride[1]];
                }
            ((weft_real *) arg->out[0])[row * y[3] + wi] = (weft_real) sum;
        }
    }
}

static weft_result emit(const weft_node *n, weft_emit *e, const char *kernel, weft_shape image, weft_layout layout)
{
    const window *w = n->attrs;
    int64_t stride[WEFT_MAX_RANK];
    WEFT_TRY(weft_loop_check(n));
    weft_layout_strides(image, layout, stride);
    struct unfold_params p = {
        .count = (u32) weft_shape_count(n->out_shape[0]), .c = (u32) image.dim[1], .hi = (u32) image.dim[2], .wi = (u32) image.dim[3],
        .ho = (u32) positions(w, 0, image.dim[2]), .wo = (u32) positions(w, 1, image.dim[3]), .top = w->pads[0], .left = w->pads[1],
    };
    for (int d = 0; d < 4; d++) p.image_stride[d] = (i32) stride[d];
    for (int d = 0; d < 2; d++) p.kernel[d] = (u32) w->kernel[d], p.stride[d] = (u32) w->stride[d], p.dilation[d] = (u32) w->dilation[d];
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = kernel, .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = n->op->flops ? n->op->flops(n) : 0,
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(0) }, .bind_count = 2,
    });
}

static weft_result unfold_emit(const weft_node *n, weft_emit *e)
{
    return emit(n, e, "unfold", n->in_shape[0], (weft_layout) n->in_layout[0]);
}

static weft_result fold_emit(const weft_node *n, weft_emit *e)
{
    return emit(n, e, "fold", n->out_shape[0], (weft_layout) n->out_layout[0]);
}

static weft_result unfold_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    fold_attrs back = { *(const window *) n->attrs, { (int32_t) n->in_shape[0].dim[2], (int32_t) n->in_shape[0].dim[3] } };
    if (want[0]) dx[0] = weft_graph_call(g, "fold", WEFT_V(dy[0]), &back);
    return WEFT_OK;
}

static weft_result fold_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_graph_call(g, "unfold", WEFT_V(dy[0]), n->attrs);
    return WEFT_OK;
}

#define WINDOW_TABLE(struct_) \
    { .name = "kernel", .offset = offsetof(struct_, window.kernel), .type = WEFT_ATTR_INT, .count = 2, .def = 3, .min = 1, .max = 1024, .doc = "size of the window, y and x" }, \
    { .name = "stride", .offset = offsetof(struct_, window.stride), .type = WEFT_ATTR_INT, .count = 2, .def = 1, .min = 1, .max = 4096, .doc = "step of the window" }, \
    { .name = "dilation", .offset = offsetof(struct_, window.dilation), .type = WEFT_ATTR_INT, .count = 2, .def = 1, .min = 1, .max = 4096, .doc = "step inside the window" }, \
    { .name = "pads", .offset = offsetof(struct_, window.pads), .type = WEFT_ATTR_INT, .count = 4, .min = 0, .max = 4096, .doc = "zeros around the image: top, left, bottom, right" },

static const weft_op unfold = {
    .name = "unfold",
    .doc = "y[n, (c K_y + ky) K_x + kx, ho W_o + wo] = x[n, c, ho stride_y + ky dilation_y - top, wo stride_x + kx dilation_x - left]:\n"
           "every window of the image as a column, zeros beyond the edge. As torch.nn.Unfold.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED,
    .attr_bytes = sizeof(unfold_attrs), .attrs = (const weft_attr[]) { WINDOW_TABLE(unfold_attrs) { 0 } },
    .infer = unfold_infer, .items = unfold_items, .cpu = unfold_cpu, .emit = unfold_emit, .grad = unfold_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 1, 3, 3) }, .attrs = &(const unfold_attrs) { { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 0 } } } },
        { .in = { WEFT_SHAPE(2, 3, 7, 5) }, .attrs = &(const unfold_attrs) { { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } } } },
        { .in = { WEFT_SHAPE(2, 5, 8, 9) }, .attrs = &(const unfold_attrs) { { { 4, 2 }, { 2, 3 }, { 1, 2 }, { 1, 0, 2, 3 } } } },
        { .in = { WEFT_SHAPE(1, 2, 5, 7) }, .attrs = &(const unfold_attrs) { { { 2, 2 }, { 1, 1 }, { 1, 1 }, { 0 } } }, .integers = 1, .low = -9, .high = 9 },
        { 0 }
    },
};

static const weft_op fold = {
    .name = "fold",
    .doc = "y[n, c, hi, wi] = the sum of x[n, (c K_y + ky) K_x + kx, ho W_o + wo] over all windows (ho, wo) and places in them\n"
           "(ky, kx) that lie on (hi, wi): the transpose of unfold. y has the given size, or height and width of `like`.\n"
           "As torch.nn.Fold.",
    .out_names = "y", .in_names = "x like?", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED,
    .attr_bytes = sizeof(fold_attrs),
    .attrs = (const weft_attr[]) {
        WINDOW_TABLE(fold_attrs)
        WEFT_ATTR(fold_attrs, size, INT, .count = 2, .def = 1, .min = 1, .max = 0x1p20, .doc = "of y: height and width"),
        { 0 }
    },
    .infer = fold_infer, .items = fold_items, .flops = fold_flops, .cpu = fold_cpu, .emit = fold_emit, .grad = fold_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 9, 1) }, .attrs = &(const fold_attrs) { { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 0 } }, { 3, 3 } } },
        { .in = { WEFT_SHAPE(2, 27, 35) }, .attrs = &(const fold_attrs) { { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } }, { 7, 5 } } },
        { .in = { WEFT_SHAPE(2, 40, 16) }, .attrs = &(const fold_attrs) { { { 4, 2 }, { 2, 3 }, { 1, 2 }, { 1, 0, 2, 3 } }, { 8, 9 } } },
        { .in = { WEFT_SHAPE(1, 12, 20), WEFT_SHAPE(1, 1, 6, 5) }, .attrs = &(const fold_attrs) { { { 2, 2 }, { 1, 1 }, { 1, 1 }, { 0 } }, { 1, 1 } } },
        { 0 }
    },
};

const weft_op *const weft_family_unfold[] = { &unfold, &fold, NULL };
