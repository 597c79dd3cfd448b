// SPDX-License-Identifier: MIT
// x: [ci, n, h, w], kernel: [co, n, ho, wo], y: [ci, co, ky, kx]: the gradient by the weights [co, ci, ky, kx] of the convolution
// of n images x with stride and dilation changed places.
#ifdef WEFT_DNNL
#include "cpu/fast_conv_weights.h"
#include "cpu/dnnl.h"
#include "ops/conv.h"

enum { X, KERNEL, Y, PARTS };

struct weft_cpu_conv_weights {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t gradient, move[PARTS];       // into and out of the library's layouts; NULL: as they are
    dnnl_memory_t plain[PARTS], inside[PARTS];
    size_t bytes[PARTS];                          // parts of the scratch
};

bool weft_cpu_conv_weights_fits(const weft_node *n)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[1].dim, *y = n->out_shape[0].dim;
    return at->groups == 1 && !at->act && !at->gate && !at->pad_mode && !weft_has(n, 2) && !weft_has(n, 3) && w[2] * w[3] > y[2] * y[3];
}

void weft_cpu_conv_weights_destroy(weft_context *ctx, weft_cpu_conv_weights *w)
{
    if (!w) return;
    for (int i = 0; i < PARTS; i++) {
        if (w->move[i]) dnnl_primitive_destroy(w->move[i]);
        if (w->plain[i]) dnnl_memory_destroy(w->plain[i]);
        if (w->inside[i]) dnnl_memory_destroy(w->inside[i]);
    }
    if (w->gradient) dnnl_primitive_destroy(w->gradient);
    if (w->stream) dnnl_stream_destroy(w->stream);
    if (w->engine) dnnl_engine_destroy(w->engine);
    weft_delete(ctx, w);
}

// Dimensions in the library's order; they lie in memory with the first two changed about.
static dnnl_status_t describe(const int64_t *dims, dnnl_memory_desc_t *any, dnnl_memory_desc_t *plain)
{
    const dnnl_dims_t d = { dims[1], dims[0], dims[2], dims[3] };
    const int64_t area = dims[2] * dims[3];
    const dnnl_dims_t strides = { area, area * dims[1], dims[3], 1 };
    WEFT_DNNL_TRY(dnnl_memory_desc_init_by_tag(any, 4, d, dnnl_f32, dnnl_format_tag_any));
    return dnnl_memory_desc_init_by_strides(plain, 4, d, dnnl_f32, strides);
}

static dnnl_status_t describe_gradient(weft_cpu_conv_weights *w, const weft_node *n, dnnl_memory_desc_t *any, dnnl_primitive_desc_t *out)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[0].dim, *ks = n->in_shape[1].dim, *ys = n->out_shape[0].dim;
    dnnl_dims_t stride, dilation, before, after;
    for (int d = 0; d < 2; d++) {
        stride[d] = at->dilation[d], dilation[d] = at->stride[d] - 1, before[d] = at->pads[d];
        after[d] = (ks[2 + d] - 1) * at->dilation[d] + (ys[2 + d] - 1) * at->stride[d] + 1 - at->pads[d] - xs[2 + d];
    }
    dnnl_convolution_desc_t forward, back;
    dnnl_primitive_desc_t hint;
    WEFT_DNNL_TRY(dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &any[X], &any[Y], NULL,
                                                             &any[KERNEL], stride, dilation, before, after));
    WEFT_DNNL_TRY(dnnl_primitive_desc_create(&hint, &forward, NULL, w->engine, NULL));
    dnnl_status_t r = dnnl_dilated_convolution_backward_weights_desc_init(&back, dnnl_convolution_direct, &any[X], &any[Y], NULL, &any[KERNEL], stride,
                                                                          dilation, before, after);
    if (r == dnnl_success) r = dnnl_primitive_desc_create(out, &back, NULL, w->engine, hint);
    dnnl_primitive_desc_destroy(hint);
    return r;
}

static dnnl_status_t build(weft_cpu_conv_weights *w, const weft_node *n)
{
    dnnl_memory_desc_t any[PARTS], plain[PARTS], inside[PARTS];
    dnnl_primitive_desc_t pd = NULL;
    WEFT_DNNL_TRY(dnnl_engine_create(&w->engine, dnnl_cpu, 0));
    WEFT_DNNL_TRY(dnnl_stream_create(&w->stream, w->engine, dnnl_stream_default_flags));
    WEFT_DNNL_TRY(describe(n->in_shape[0].dim, &any[X], &plain[X]));
    WEFT_DNNL_TRY(describe(n->in_shape[1].dim, &any[KERNEL], &plain[KERNEL]));
    WEFT_DNNL_TRY(describe(n->out_shape[0].dim, &any[Y], &plain[Y]));
    WEFT_DNNL_TRY(describe_gradient(w, n, any, &pd));
    inside[X] = *dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    inside[KERNEL] = *dnnl_primitive_desc_query_md(pd, dnnl_query_diff_dst_md, 0);
    inside[Y] = *dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
    const dnnl_status_t made = dnnl_primitive_create(&w->gradient, pd);
    dnnl_primitive_desc_destroy(pd);
    WEFT_DNNL_TRY(made);
    for (int i = 0; i < PARTS; i++) {
        WEFT_DNNL_TRY(weft_dnnl_reorder(w->engine, i == Y ? &inside[i] : &plain[i], i == Y ? &plain[i] : &inside[i], &w->move[i]));
        WEFT_DNNL_TRY(dnnl_memory_create(&w->plain[i], &plain[i], w->engine, NULL));
        WEFT_DNNL_TRY(dnnl_memory_create(&w->inside[i], &inside[i], w->engine, NULL));
        w->bytes[i] = w->move[i] ? weft_dnnl_room(&inside[i]) : 0;
    }
    return dnnl_success;
}

weft_result weft_cpu_conv_weights_create(weft_context *ctx, const weft_node *n, weft_cpu_conv_weights **out, size_t *scratch)
{
    *out = NULL;
    weft_cpu_conv_weights *w = weft_new(ctx, sizeof *w);
    if (!w) return WEFT_ERR_MEMORY;
    const dnnl_status_t r = build(w, n);
    if (r != dnnl_success) {
        weft_cpu_conv_weights_destroy(ctx, w);
        return r == dnnl_out_of_memory ? weft_fail_memory(0) : WEFT_OK;
    }
    *scratch = w->bytes[X] + w->bytes[KERNEL] + w->bytes[Y];
    *out = w;
    return WEFT_OK;
}

static dnnl_status_t go(weft_cpu_conv_weights *w)
{
    for (int i = X; i <= KERNEL; i++)
        if (w->move[i]) WEFT_DNNL_TRY(weft_dnnl_move(w->stream, w->move[i], w->plain[i], w->inside[i]));
    WEFT_DNNL_TRY(weft_dnnl_execute(w->stream, w->gradient, 3, (dnnl_exec_arg_t[]) { { DNNL_ARG_SRC, w->inside[X] }, { DNNL_ARG_DIFF_DST, w->inside[KERNEL] },
                                                                                   { DNNL_ARG_DIFF_WEIGHTS, w->inside[Y] } }));
    return w->move[Y] ? weft_dnnl_move(w->stream, w->move[Y], w->inside[Y], w->plain[Y]) : dnnl_success;
}

weft_result weft_cpu_conv_weights_run(weft_cpu_conv_weights *w, const weft_node *n, float *y, const float *x, const float *kernel, void *scratch)
{
    void *const data[PARTS] = { (void *) (uintptr_t) x, (void *) (uintptr_t) kernel, y };
    unsigned char *room = scratch;
    for (int i = 0; i < PARTS; i++) {
        dnnl_memory_set_data_handle(w->plain[i], data[i]);
        dnnl_memory_set_data_handle(w->inside[i], w->move[i] ? room : data[i]);
        room += w->bytes[i];
    }
    const dnnl_status_t r = go(w);
    if (r == dnnl_out_of_memory) return weft_fail_memory(0);
    return r == dnnl_success ? WEFT_OK : (weft_node_fail(n, "oneDNN failed with status %d", (int) r), WEFT_ERR_UNSUPPORTED);
}
#endif // WEFT_DNNL
typedef int weft_cpu_fast_conv_weights_not_empty; // ISO C wants a declaration
