// SPDX-License-Identifier: MIT
// conv2d and conv_transpose2d on oneDNN, which chooses algorithm and blocked layout; the plain NCHW of the graph is
// reordered on the way in and out, as are weights that are no constant. Padding other than zeros is made by hand, the epilogue by cpu/epilogue.c.
#ifdef WEFT_DNNL
#include "cpu/clones.h"
#include "cpu/dnnl.h"
#include "cpu/epilogue.h"
#include "cpu/fast.h"
#include <string.h>

#define TRY WEFT_DNNL_TRY

typedef struct conv_state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t conv, load, store;            // load and store: reorders, NULL where the layout is plain already
    dnnl_primitive_t load_weights;                 // of weights that are made anew for every run
    dnnl_memory_t plain_weights;                   // NULL: they are a constant, once it is packed
    const float *constant;
    weft_cpu_weights *shared;
    weft_cpu_weight *packed;                       // of shared; NULL: as they are
    dnnl_memory_t plain_x, plain_y, x, y, weights, bias; // plain_*: NCHW; x, y: as the convolution wants them
    size_t scaled_bytes, padded_bytes, x_bytes, y_bytes, sum_bytes;    // parts of the scratch, multiples of 64
    int64_t padded_h, padded_w;                          // 0: no padding by hand
    bool finish;                                         // the epilogue has work to do
} conv_state;

static void destroy(weft_context *ctx, void *state)
{
    conv_state *s = state;
    if (!s) return;
    dnnl_primitive_t primitives[] = { s->conv, s->load, s->store, s->load_weights };
    dnnl_memory_t memories[] = { s->plain_x, s->plain_y, s->x, s->y, s->weights, s->bias, s->plain_weights };
    for (int i = 0; i < 4; i++)
        if (primitives[i]) dnnl_primitive_destroy(primitives[i]);
    for (int i = 0; i < 7; i++)
        if (memories[i]) dnnl_memory_destroy(memories[i]);
    if (s->stream) dnnl_stream_destroy(s->stream);
    if (s->engine) dnnl_engine_destroy(s->engine);
    if (s->packed) weft_cpu_weights_give_back(s->shared, s->packed);
    weft_delete(ctx, s);
}

typedef struct geometry { // in oneDNN's terms
    dnnl_dims_t x, w, b, y, stride, dilation, before, after;
    int w_rank;
    bool transposed;
} geometry;

static void describe(const weft_node *n, conv_state *s, bool transposed, geometry *g)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[0].dim, *ws = n->in_shape[1].dim, *ys = n->out_shape[0].dim;
    const int64_t co = at->gate ? 2 * ys[1] : ys[1], groups = at->groups;
    *g = (geometry) { .x = { xs[0], xs[1], xs[2], xs[3] }, .b = { co }, .y = { ys[0], co, ys[2], ys[3] }, .transposed = transposed };
    int k = 0;
    if (groups > 1) g->w[k++] = groups;
    g->w[k++] = co / groups, g->w[k++] = xs[1] / groups, g->w[k++] = ws[2], g->w[k++] = ws[3];
    g->w_rank = k;
    for (int d = 0; d < 2; d++) {
        g->stride[d] = at->stride[d], g->dilation[d] = at->dilation[d] - 1;
        g->before[d] = at->pads[d];
        // What the library wants after is what makes its own size formula come out at ours.
        const int64_t window = at->dilation[d] * (ws[2 + d] - 1) + 1;
        g->after[d] = transposed ? (xs[2 + d] - 1) * at->stride[d] + window - at->pads[d] - ys[2 + d]
                                 : (ys[2 + d] - 1) * at->stride[d] + window - at->pads[d] - xs[2 + d];
    }
    if (transposed || at->pad_mode == WEFT_PAD_ZERO || !(at->pads[0] | at->pads[1] | at->pads[2] | at->pads[3])) return;
    for (int d = 0; d < 2; d++) {
        g->x[2 + d] = xs[2 + d] + at->pads[d] + at->pads[2 + d];
        g->after[d] -= at->pads[2 + d];
        g->before[d] = 0;
    }
    s->padded_h = g->x[2], s->padded_w = g->x[3];
}

static dnnl_status_t convolution(conv_state *s, const geometry *g, bool bias, dnnl_primitive_desc_t *out)
{
    dnnl_memory_desc_t x, w, b, y;
    TRY(dnnl_memory_desc_init_by_tag(&x, 4, g->x, dnnl_f32, dnnl_format_tag_any));
    TRY(dnnl_memory_desc_init_by_tag(&w, g->w_rank, g->w, dnnl_f32, dnnl_format_tag_any));
    TRY(dnnl_memory_desc_init_by_tag(&b, 1, g->b, dnnl_f32, dnnl_a));
    TRY(dnnl_memory_desc_init_by_tag(&y, 4, g->y, dnnl_f32, dnnl_format_tag_any));
    if (g->transposed) {
        dnnl_deconvolution_desc_t d;
        TRY(dnnl_dilated_deconvolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_deconvolution_direct, &x, &w, bias ? &b : NULL, &y,
                                                         g->stride, g->dilation, g->before, g->after));
        return dnnl_primitive_desc_create(out, &d, NULL, s->engine, NULL);
    }
    dnnl_convolution_desc_t d;
    TRY(dnnl_dilated_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_auto, &x, &w, bias ? &b : NULL, &y, g->stride,
                                                   g->dilation, g->before, g->after));
    return dnnl_primitive_desc_create(out, &d, NULL, s->engine, NULL);
}

// A constant is packed by `pack`; others are when they are there.
static dnnl_status_t place_weights(conv_state *s, const geometry *g, const dnnl_memory_desc_t *want, const float *data)
{
    dnnl_memory_desc_t plain;
    const dnnl_format_tag_t tag = g->transposed ? (g->w_rank == 5 ? dnnl_giohw : dnnl_iohw) : (g->w_rank == 5 ? dnnl_goihw : dnnl_oihw);
    TRY(dnnl_memory_desc_init_by_tag(&plain, g->w_rank, g->w, dnnl_f32, tag));
    TRY(dnnl_memory_create(&s->plain_weights, &plain, s->engine, (void *) (uintptr_t) data));
    TRY(weft_dnnl_reorder(s->engine, &plain, want, &s->load_weights));
    s->constant = data;
    return dnnl_memory_create(&s->weights, want, s->engine, !data && s->load_weights ? DNNL_MEMORY_ALLOCATE : NULL);
}

static dnnl_status_t fetch_weights(conv_state *s, const float *data)
{
    TRY(dnnl_memory_set_data_handle(s->plain_weights, (void *) (uintptr_t) data));
    if (s->load_weights) return weft_dnnl_move(s->stream, s->load_weights, s->plain_weights, s->weights);
    return dnnl_memory_set_data_handle(s->weights, (void *) (uintptr_t) data);
}

// Whether the epilogue adds the bias: it comes after scale and noise, and oneDNN 2.6 takes a third more time for transposed convolutions that have one.
static bool shifts(const weft_node *n)
{
    const weft_conv_attrs *at = n->attrs;
    return weft_conv_is_styled(n) || (n->op->kernel_t_inputs && weft_has(n, WEFT_CONV_B) && !at->gate);
}

static dnnl_status_t build(conv_state *s, const weft_node *n, const geometry *g, const void *const *constant)
{
    const weft_conv_attrs *at = n->attrs;
    const bool bias = weft_has(n, WEFT_CONV_B) && !shifts(n);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t plain_x, plain_y, b;
    TRY(dnnl_engine_create(&s->engine, dnnl_cpu, 0));
    TRY(dnnl_stream_create(&s->stream, s->engine, dnnl_stream_default_flags));
    TRY(convolution(s, g, bias, &pd));
    const dnnl_memory_desc_t x = *dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t y = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t w = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    const dnnl_status_t made = dnnl_primitive_create(&s->conv, pd);
    dnnl_primitive_desc_destroy(pd);
    TRY(made);
    TRY(dnnl_memory_desc_init_by_tag(&plain_x, 4, g->x, dnnl_f32, dnnl_nchw));
    TRY(dnnl_memory_desc_init_by_tag(&plain_y, 4, g->y, dnnl_f32, dnnl_nchw));
    TRY(dnnl_memory_desc_init_by_tag(&b, 1, g->b, dnnl_f32, dnnl_a));
    TRY(place_weights(s, g, &w, constant[1]));
    TRY(weft_dnnl_reorder(s->engine, &plain_x, &x, &s->load));
    TRY(weft_dnnl_reorder(s->engine, &y, &plain_y, &s->store));
    TRY(dnnl_memory_create(&s->plain_x, &plain_x, s->engine, NULL));
    TRY(dnnl_memory_create(&s->plain_y, &plain_y, s->engine, NULL));
    TRY(dnnl_memory_create(&s->x, &x, s->engine, NULL));
    TRY(dnnl_memory_create(&s->y, &y, s->engine, NULL));
    if (bias) TRY(dnnl_memory_create(&s->bias, &b, s->engine, NULL));
    s->finish = at->act || at->gate || weft_has(n, WEFT_CONV_R) || shifts(n) || at->gain != 0 || at->clamp > 0;
    s->scaled_bytes = weft_has(n, WEFT_CONV_S) ? ((size_t) weft_shape_count(n->in_shape[0]) * sizeof(float) + 63) / 64 * 64 : 0;
    s->padded_bytes = s->padded_h ? weft_dnnl_room(&plain_x) : 0;
    s->x_bytes = s->load ? weft_dnnl_room(&x) : 0;
    s->y_bytes = s->store ? weft_dnnl_room(&y) : 0;
    s->sum_bytes = at->gate ? weft_dnnl_room(&plain_y) : 0;
    return dnnl_success;
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, bool transposed, void **state, size_t *scratch)
{
    geometry g;
    *state = NULL;
    conv_state *s = weft_new(ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    describe(n, s, transposed, &g);
    const dnnl_status_t r = build(s, n, &g, constant);
    if (r != dnnl_success) { // the library cannot do it: the truth can
        destroy(ctx, s);
        if (r == dnnl_out_of_memory) return weft_fail_memory(0);
        weft_log(ctx, WEFT_LOG_DEBUG, "%s '%s': oneDNN declines (status %d)", n->op->name, n->name, (int) r);
        return WEFT_OK;
    }
    *scratch = s->scaled_bytes + s->padded_bytes + s->x_bytes + s->y_bytes + s->sum_bytes;
    *state = s;
    return WEFT_OK;
}

static weft_result pack_into(void *user, void *to)
{
    conv_state *s = user;
    dnnl_status_t r = dnnl_memory_set_data_handle(s->weights, to);
    if (r == dnnl_success) r = weft_dnnl_move(s->stream, s->load_weights, s->plain_weights, s->weights);
    return r == dnnl_success ? WEFT_OK : r == dnnl_out_of_memory ? weft_fail_memory(0) : weft_fail(WEFT_ERR_UNSUPPORTED, "oneDNN failed with status %d", (int) r);
}

static weft_result pack(void *state, weft_context *ctx, const weft_node *n, weft_cpu_weights *weights, weft_cpu_taken *taken, uint32_t *unread)
{
    conv_state *s = state;
    const void *data = s->constant;
    (void) ctx;
    if (!data) return WEFT_OK;
    if (s->load_weights) {
        const dnnl_memory_desc_t *plain, *want;
        dnnl_memory_get_memory_desc(s->plain_weights, &plain);
        dnnl_memory_get_memory_desc(s->weights, &want);
        dnnl_memory_desc_t forms[2] = { *plain, *want };
        const weft_cpu_form form = { data, dnnl_memory_desc_get_size(plain), forms, sizeof forms, dnnl_memory_desc_get_size(want), pack_into, s };
        s->shared = weights;
        const weft_result r = weft_cpu_weights_take(weights, &form, &s->packed, taken);
        if (r != WEFT_OK) return weft_fail_prefix(r, "%s '%s': ", n->op->name, n->name);
        data = weft_cpu_weight_data(s->packed);
        *unread = 1u << 1;
    }
    dnnl_memory_set_data_handle(s->weights, (void *) (uintptr_t) data);
    dnnl_memory_destroy(s->plain_weights);
    s->plain_weights = NULL;
    return WEFT_OK;
}

static weft_result prepare_conv(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    return prepare(ctx, n, constant, false, state, scratch);
}
static weft_result prepare_transposed(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    return prepare(ctx, n, constant, true, state, scratch);
}

typedef struct pad_job { const weft_node *node; const float *x; float *padded; int64_t h, w; } pad_job;

static void pad_rows(void *user, int64_t begin, int64_t end)
{
    const pad_job *j = user;
    const weft_conv_attrs *at = j->node->attrs;
    const int64_t *xs = j->node->in_shape[0].dim;
    for (int64_t row = begin; row < end; row++) {
        const int64_t hi = weft_pad_at(at->pad_mode, row % j->h - at->pads[0], xs[2]);
        const float *from = j->x + (row / j->h * xs[2] + hi) * xs[3];
        float *to = j->padded + row * j->w;
        for (int64_t k = 0; k < j->w; k++) to[k] = from[weft_pad_at(at->pad_mode, k - at->pads[1], xs[3])];
    }
}

typedef struct scale_job { const float *x, *s; float *scaled; int64_t area; } scale_job;

WEFT_CLONES static void scale_plane(float *restrict to, const float *restrict from, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = from[i] * by;
}

static void scale_planes(void *user, int64_t begin, int64_t end)
{
    const scale_job *j = user;
    for (int64_t c = begin; c < end; c++) scale_plane(j->scaled + c * j->area, j->x + c * j->area, j->s[c], j->area);
}

typedef struct finish_job { const weft_node *node; const void *const *in; const float *sum; float *y; } finish_job;

static void finish_channels(void *user, int64_t begin, int64_t end)
{
    const finish_job *j = user;
    const weft_conv_attrs *at = j->node->attrs;
    const int64_t *ys = j->node->out_shape[0].dim, area = ys[2] * ys[3];
    const weft_node *n = j->node;
    const float *const *in = (const float *const *) j->in;
    for (int64_t c = begin; c < end; c++) { // of n * co
        weft_cpu_plane p = weft_cpu_plane_of(n, in, &weft_cpu_conv_ending, c, 0);
        p.sum = j->sum + (at->gate ? c / ys[1] * 2 * ys[1] + c % ys[1] : c) * area;
        if (at->gate) p.gate = p.sum + ys[1] * area;
        if (weft_has(n, WEFT_CONV_R)) p.r = in[WEFT_CONV_R] + c * area;
        weft_cpu_epilogue(at, &p, shifts(n), j->y + c * area, area);
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    conv_state *s = state;
    const weft_conv_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[0].dim, *ys = n->out_shape[0].dim;
    unsigned char *scaled = scratch, *padded = scaled + s->scaled_bytes, *x = padded + s->padded_bytes, *y = x + s->x_bytes, *sum = y + s->y_bytes;
    void *plain_x = (void *) (uintptr_t) in[0], *plain_y = at->gate ? (void *) sum : out[0];
    if (s->scaled_bytes) {
        weft_parallel(ctx->pool, xs[0] * xs[1], 1, scale_planes, &(scale_job) { plain_x, in[WEFT_CONV_S], (float *) scaled, xs[2] * xs[3] });
        plain_x = scaled;
    }
    if (s->padded_h) {
        weft_parallel(ctx->pool, xs[0] * xs[1] * s->padded_h, 32, pad_rows, &(pad_job) { n, plain_x, (float *) padded, s->padded_h, s->padded_w });
        plain_x = padded;
    }
    dnnl_memory_set_data_handle(s->plain_x, plain_x);
    dnnl_memory_set_data_handle(s->x, s->load ? x : plain_x);
    dnnl_memory_set_data_handle(s->plain_y, plain_y);
    dnnl_memory_set_data_handle(s->y, s->store ? y : plain_y);
    if (s->bias) dnnl_memory_set_data_handle(s->bias, (void *) (uintptr_t) in[2]);
    dnnl_status_t r = s->plain_weights ? fetch_weights(s, in[1]) : dnnl_success;
    if (r == dnnl_success && s->load) r = weft_dnnl_move(s->stream, s->load, s->plain_x, s->x);
    if (r == dnnl_success)
        r = weft_dnnl_execute(s->stream, s->conv, s->bias ? 4 : 3, (dnnl_exec_arg_t[]) { { DNNL_ARG_SRC, s->x }, { DNNL_ARG_WEIGHTS, s->weights },
                                                                       { DNNL_ARG_DST, s->y }, { DNNL_ARG_BIAS, s->bias } });
    if (r == dnnl_success && s->store) r = weft_dnnl_move(s->stream, s->store, s->y, s->plain_y);
    if (r == dnnl_out_of_memory) return weft_fail_memory(0);
    if (r != dnnl_success) return weft_node_fail(n, "oneDNN failed with status %d", (int) r), WEFT_ERR_UNSUPPORTED;
    if (s->finish)
        weft_parallel(ctx->pool, ys[0] * ys[1], 1, finish_channels, &(finish_job) { n, in, plain_y, out[0] });
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_conv2d = { "conv2d", prepare_conv, run, destroy, pack };
const weft_cpu_fast weft_cpu_fast_conv_transpose2d = { "conv_transpose2d", prepare_transposed, run, destroy, pack };
#endif // WEFT_DNNL
typedef int weft_cpu_fast_conv_not_empty; // ISO C wants a declaration
