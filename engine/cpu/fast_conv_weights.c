// SPDX-License-Identifier: MIT
// conv2d_weight_grad on oneDNN, with zeros beyond the edge: it chooses algorithm and blocked layouts, the plain ones of the graph are reordered.
#ifdef WEFT_DNNL
#include "cpu/dnnl.h"
#include "cpu/fast.h"
#include "ops/conv_weights.h"

#define TRY WEFT_DNNL_TRY
enum { X, DY, DW, PARTS };

typedef struct state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t gradient, move[PARTS];  // into and out of the library's layouts; NULL: as they are
    dnnl_memory_t plain[PARTS], inside[PARTS];
    size_t bytes[PARTS];                     // parts of the scratch
} state;

static void destroy(weft_context *ctx, void *user)
{
    state *s = user;
    if (!s) return;
    for (int i = 0; i < PARTS; i++) {
        if (s->move[i]) dnnl_primitive_destroy(s->move[i]);
        if (s->plain[i]) dnnl_memory_destroy(s->plain[i]);
        if (s->inside[i]) dnnl_memory_destroy(s->inside[i]);
    }
    if (s->gradient) dnnl_primitive_destroy(s->gradient);
    if (s->stream) dnnl_stream_destroy(s->stream);
    if (s->engine) dnnl_engine_destroy(s->engine);
    weft_delete(ctx, s);
}

// The tensors as they lie, and with the layout left to the library.
static dnnl_status_t describe_tensors(const weft_node *n, dnnl_memory_desc_t *any, dnnl_memory_desc_t *plain)
{
    const int64_t *x = n->in_shape[0].dim, *y = n->in_shape[1].dim, *w = n->out_shape[0].dim, groups = ((const weft_conv_weights_attrs *) n->attrs)->groups;
    const dnnl_dims_t dims[PARTS] = { { x[0], x[1], x[2], x[3] }, { y[0], y[1], y[2], y[3] }, { w[0], w[1], w[2], w[3] } };
    const dnnl_dims_t grouped = { groups, w[0] / groups, w[1], w[2], w[3] };
    for (int i = 0; i < PARTS; i++) {
        const bool five = i == DW && groups > 1;
        TRY(dnnl_memory_desc_init_by_tag(&any[i], five ? 5 : 4, five ? grouped : dims[i], dnnl_f32, dnnl_format_tag_any));
        TRY(dnnl_memory_desc_init_by_tag(&plain[i], five ? 5 : 4, five ? grouped : dims[i], dnnl_f32, five ? dnnl_abcde : dnnl_abcd));
    }
    return dnnl_success;
}

static dnnl_status_t describe_gradient(state *s, const weft_node *n, dnnl_memory_desc_t *any, dnnl_primitive_desc_t *out)
{
    const weft_conv_weights_attrs *at = n->attrs;
    dnnl_dims_t stride, dilation, before, after;
    for (int d = 0; d < 2; d++) {
        stride[d] = at->stride[d], dilation[d] = at->dilation[d] - 1, before[d] = at->pads[d];
        // What the library wants after is what makes its own size formula come out at ours.
        after[d] = (n->in_shape[1].dim[2 + d] - 1) * at->stride[d] + (at->kernel[d] - 1) * at->dilation[d] + 1 - at->pads[d] - n->in_shape[0].dim[2 + d];
    }
    dnnl_convolution_desc_t forward, back;
    dnnl_primitive_desc_t hint;
    TRY(dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &any[X], &any[DW], NULL, &any[DY], stride,
                                                   dilation, before, after));
    TRY(dnnl_primitive_desc_create(&hint, &forward, NULL, s->engine, NULL));
    dnnl_status_t r = dnnl_dilated_convolution_backward_weights_desc_init(&back, dnnl_convolution_direct, &any[X], &any[DW], NULL, &any[DY], stride,
                                                                          dilation, before, after);
    if (r == dnnl_success) r = dnnl_primitive_desc_create(out, &back, NULL, s->engine, hint);
    dnnl_primitive_desc_destroy(hint);
    return r;
}

static dnnl_status_t build(state *s, const weft_node *n)
{
    dnnl_memory_desc_t any[PARTS], plain[PARTS], inside[PARTS];
    dnnl_primitive_desc_t pd = NULL;
    TRY(dnnl_engine_create(&s->engine, dnnl_cpu, 0));
    TRY(dnnl_stream_create(&s->stream, s->engine, dnnl_stream_default_flags));
    TRY(describe_tensors(n, any, plain));
    TRY(describe_gradient(s, n, any, &pd));
    inside[X] = *dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    inside[DY] = *dnnl_primitive_desc_query_md(pd, dnnl_query_diff_dst_md, 0);
    inside[DW] = *dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
    const dnnl_status_t made = dnnl_primitive_create(&s->gradient, pd);
    dnnl_primitive_desc_destroy(pd);
    TRY(made);
    for (int i = 0; i < PARTS; i++) {
        TRY(weft_dnnl_reorder(s->engine, i == DW ? &inside[i] : &plain[i], i == DW ? &plain[i] : &inside[i], &s->move[i]));
        TRY(dnnl_memory_create(&s->plain[i], &plain[i], s->engine, NULL));
        TRY(dnnl_memory_create(&s->inside[i], &inside[i], s->engine, NULL));
        s->bytes[i] = s->move[i] ? weft_dnnl_room(&inside[i]) : 0;
    }
    return dnnl_success;
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **out, size_t *scratch)
{
    (void) constant;
    *out = NULL;
    if (((const weft_conv_weights_attrs *) n->attrs)->pad_mode) return WEFT_OK;
    state *s = weft_new(ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    const dnnl_status_t r = build(s, n);
    if (r != dnnl_success) { // the library cannot do it: the truth can
        destroy(ctx, s);
        if (r == dnnl_out_of_memory) return weft_fail_memory(0);
        weft_log(ctx, WEFT_LOG_DEBUG, "%s '%s': oneDNN declines (status %d)", n->op->name, n->name, (int) r);
        return WEFT_OK;
    }
    *scratch = s->bytes[X] + s->bytes[DY] + s->bytes[DW];
    *out = s;
    return WEFT_OK;
}

static dnnl_status_t go(state *s)
{
    for (int i = X; i <= DY; i++)
        if (s->move[i]) TRY(weft_dnnl_move(s->stream, s->move[i], s->plain[i], s->inside[i]));
    TRY(weft_dnnl_execute(s->stream, s->gradient, 3, (dnnl_exec_arg_t[]) { { DNNL_ARG_SRC, s->inside[X] }, { DNNL_ARG_DIFF_DST, s->inside[DY] },
                                                                          { DNNL_ARG_DIFF_WEIGHTS, s->inside[DW] } }));
    return s->move[DW] ? weft_dnnl_move(s->stream, s->move[DW], s->inside[DW], s->plain[DW]) : dnnl_success;
}

static weft_result run(void *user, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    state *s = user;
    void *const data[PARTS] = { (void *) (uintptr_t) in[0], (void *) (uintptr_t) in[1], out[0] };
    unsigned char *room = scratch;
    (void) ctx;
    for (int i = 0; i < PARTS; i++) {
        dnnl_memory_set_data_handle(s->plain[i], data[i]);
        dnnl_memory_set_data_handle(s->inside[i], s->move[i] ? room : data[i]);
        room += s->bytes[i];
    }
    const dnnl_status_t r = go(s);
    if (r == dnnl_out_of_memory) return weft_fail_memory(0);
    return r == dnnl_success ? WEFT_OK : (weft_node_fail(n, "oneDNN failed with status %d", (int) r), WEFT_ERR_UNSUPPORTED);
}

const weft_cpu_fast weft_cpu_fast_conv_weights = { "conv2d_weight_grad", prepare, run, destroy };
#endif // WEFT_DNNL
typedef int weft_cpu_fast_conv_weights_not_empty; // ISO C wants a declaration
