// SPDX-License-Identifier: MIT
// A tensor laid side by side with itself.
#include "ops/copy.h"
#include "ops/grad.h"

typedef struct tile_attrs { weft_list repeats; } tile_attrs;

// x's dimension and the repeats of dimension d of y: both lists are aligned at the end.
static void dimension(const weft_node *n, int d, int64_t *size, int64_t *times)
{
    const weft_list *repeats = &((const tile_attrs *) n->attrs)->repeats;
    const int rank = n->out_shape[0].rank, x = d - rank + n->in_shape[0].rank, r = d - rank + repeats->count;
    *size = x < 0 ? 1 : n->in_shape[0].dim[x];
    *times = r < 0 ? 1 : repeats->at[r];
}

static weft_result tile_infer(weft_node *n)
{
    const int repeats = ((const tile_attrs *) n->attrs)->repeats.count;
    weft_shape *y = &n->out_shape[0];
    int64_t size, times;
    int rank = 0; // of the copy: a repeated dimension counts twice
    y->rank = repeats > n->in_shape[0].rank ? repeats : n->in_shape[0].rank;
    for (int d = 0; d < y->rank; d++) {
        dimension(n, d, &size, &times);
        if (times > ((int64_t) 1 << 40) / size) return weft_node_fail(n, "%lld repeats of dimension %d are too many", (long long) times, d);
        y->dim[d] = size * times;
        rank += (size > 1) + (times > 1);
    }
    if (rank > WEFT_MAX_RANK) return weft_node_fail(n, "repeats too many dimensions at once: %d of them, and of repeats, are not 1", rank), WEFT_ERR_UNSUPPORTED;
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static bool tile_box(const weft_node *n, int k, weft_box *box)
{
    int64_t x[WEFT_MAX_RANK], y[WEFT_MAX_RANK], size, times;
    weft_in_strides(n, 0, x);
    weft_out_strides(n, 0, y);
    for (int d = 0; d < n->out_shape[0].rank; d++) {
        const int own = d - n->out_shape[0].rank + n->in_shape[0].rank;
        int *at = &box->shape.rank;
        dimension(n, d, &size, &times);
        if (times > 1) box->shape.dim[*at] = times, box->y_stride[*at] = y[d] * size, box->x_stride[(*at)++] = 0;
        if (size > 1) box->shape.dim[*at] = size, box->y_stride[*at] = y[d], box->x_stride[(*at)++] = x[own];
    }
    return k == 0;
}

WEFT_COPY_FUNCTIONS(tile)

static weft_result tile_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    weft_shape apart = { 0 }; // repeats and sizes side by side, without those that are 1
    uint32_t repeats = 0;
    for (int d = 0; d < n->out_shape[0].rank; d++) {
        int64_t size, times;
        dimension(n, d, &size, &times);
        if (times > 1) repeats |= 1u << apart.rank, apart.dim[apart.rank++] = times;
        if (size > 1) apart.dim[apart.rank++] = size;
    }
    if (want[0]) dx[0] = weft_grad_reshape(g, weft_grad_reduce(g, "sum", weft_grad_reshape(g, dy[0], apart), repeats), n->in_shape[0]);
    return WEFT_OK;
}

const weft_op weft_op_tile = {
    .name = "tile",
    .doc = "y = x laid `repeats[d]` times side by side along each dimension d; dimensions and repeats are aligned at the end.\n"
           "As numpy.tile, ONNX Tile and Tensor.repeat of PyTorch.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(tile), .grad = tile_grad,
    .attr_bytes = sizeof(tile_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(tile_attrs, repeats, LIST, .min = 1, .max = 0x1p31, .doc = "one number per dimension"), { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(13) }, .attrs = &(const tile_attrs) { WEFT_LIST(5) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const tile_attrs) { WEFT_LIST(2, 1, 3, 2) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const tile_attrs) { WEFT_LIST(1, 4, 1, 1) } },
        { .in = { WEFT_SHAPE(3, 5) }, .attrs = &(const tile_attrs) { WEFT_LIST(2, 1, 2, 3) }, .integers = 1, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(1, 2, 1, 3, 1, 1, 2, 1) }, .attrs = &(const tile_attrs) { WEFT_LIST(2, 1, 2, 1, 1, 2, 2, 2) } },
        { 0 }
    },
};
