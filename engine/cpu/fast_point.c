// SPDX-License-Identifier: MIT
// Convolutions of 1x1 taps: products of the weights with images as they lie, so that there is no layout to change. From or to a few channels, as
// those that make or take colours, as fast as the larger of the two images can be read or written.
#include "cpu/add.h"
#include "cpu/epilogue.h"
#include "cpu/fast.h"
#include "ops/divide.h"
#include <string.h>
#ifdef WEFT_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

// STRETCH: pixels whose sums stay in the nearest cache; LEAST_WORK: that are worth another thread; LEAST_AREA: below, the library is as fast.
enum { FEW = 8, TOGETHER = 4, STRETCH = 1024, LEAST_WORK = 1 << 15, LEAST_AREA = 64 };

static bool is_few(const weft_node *n) { return n->in_shape[0].dim[1] <= FEW || n->out_shape[0].dim[1] <= FEW; }

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[1].dim;
    const bool plain = at->groups == 1 && !at->gate && at->stride[0] == 1 && at->stride[1] == 1 && w[2] == 1 && w[3] == 1;
    const bool padded = at->pads[0] || at->pads[1] || at->pads[2] || at->pads[3] || at->output_pad[0] || at->output_pad[1];
    bool serves = is_few(n);
    (void) ctx, (void) constant;
#ifdef WEFT_DNNL
    serves |= n->in_shape[0].dim[2] * n->in_shape[0].dim[3] >= LEAST_AREA;
    if (!is_few(n) && weft_has(n, WEFT_CONV_S)) *scratch = (size_t) weft_shape_count(n->in_shape[1]) * sizeof(float);
#endif
    *state = serves && plain && !padded ? (void *) (uintptr_t) n : NULL; // nothing to keep
    if (!*state) *scratch = 0;
    return WEFT_OK;
}

typedef struct job { const weft_node *node; const float *const *in; float *y; int64_t ci, co, area, parts, part; bool transposed, ends, styled; } job;

// Outputs [first, first + count) at some pixels of an image, from TOGETHER inputs or fewer at a time.
static void sum_channels(const job *j, int64_t image, int64_t first, int64_t count, int64_t pixel, int64_t pixels)
{
    const float *w = j->in[WEFT_CONV_W], *scale = weft_has(j->node, WEFT_CONV_S) ? j->in[WEFT_CONV_S] + image * j->ci : NULL;
    for (int64_t o = first; o < first + count; o++) memset(j->y + (image * j->co + o) * j->area + pixel, 0, (size_t) pixels * sizeof *j->y);
    for (int64_t i = 0; i < j->ci; i += TOGETHER) {
        const float *x = j->in[0] + (image * j->ci + i) * j->area + pixel;
        const int64_t some = j->ci - i < TOGETHER ? j->ci - i : TOGETHER;
        for (int64_t o = first; o < first + count; o++) {
            float *y = j->y + (image * j->co + o) * j->area + pixel, by[TOGETHER];
            for (int64_t k = 0; k < some; k++) by[k] = w[j->transposed ? (i + k) * j->co + o : o * j->ci + i + k] * (scale ? scale[i + k] : 1);
            if (some == TOGETHER) weft_cpu_add_four(y, x, j->area, by, pixels);
            else
                for (int64_t k = 0; k < some; k++) weft_cpu_add(y, x + k * j->area, by[k], pixels);
        }
    }
}

static void finish(const job *j, int64_t plane, int64_t pixel, int64_t pixels)
{
    float *y = j->y + plane * j->area + pixel;
    weft_cpu_plane p = weft_cpu_plane_of(j->node, j->in, &weft_cpu_conv_ending, plane, pixel);
    p.sum = y;
    if (weft_has(j->node, WEFT_CONV_R)) p.r = j->in[WEFT_CONV_R] + plane * j->area + pixel;
    if (j->ends) weft_cpu_epilogue(j->node->attrs, &p, j->styled, y, pixels);
}

static void stretches(void *user, int64_t begin, int64_t end) // of all images' pixels
{
    const job *j = user;
    for (int64_t k = begin; k < end; k++) {
        const int64_t image = k / j->parts, pixel = k % j->parts * j->part, pixels = j->area - pixel < j->part ? j->area - pixel : j->part;
        for (int64_t o = 0; o < j->co; o += FEW) {
            const int64_t count = j->co - o < FEW ? j->co - o : FEW;
            sum_channels(j, image, o, count, pixel, pixels);
            for (int64_t i = o; i < o + count; i++) finish(j, image * j->co + i, pixel, pixels);
        }
    }
}

#ifdef WEFT_DNNL
typedef struct scaling { const job *j; int64_t image; float *to; } scaling;

static void scale_weights(void *user, int64_t begin, int64_t end) // rows as they lie
{
    const scaling *s = user;
    const job *j = s->j;
    const float *w = j->in[WEFT_CONV_W], *scale = j->in[WEFT_CONV_S] + s->image * j->ci;
    const int64_t width = j->transposed ? j->co : j->ci;
    for (int64_t r = begin; r < end; r++)
        for (int64_t i = 0; i < width; i++) s->to[r * width + i] = w[r * width + i] * scale[j->transposed ? r : i];
}

static void finish_planes(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    for (int64_t plane = begin; plane < end; plane++) finish(j, plane, 0, j->area);
}

static weft_result products(job *j, weft_pool *pool, int64_t images, float *room)
{
    const bool scaled = weft_has(j->node, WEFT_CONV_S);
    for (int64_t i = 0; i < images; i++) {
        const float *w = scaled ? room : j->in[WEFT_CONV_W];
        if (scaled) weft_parallel(pool, j->transposed ? j->ci : j->co, ceil_div(LEAST_WORK, j->ci), scale_weights, &(scaling) { j, i, room });
        const dnnl_status_t r = dnnl_sgemm(j->transposed ? 'T' : 'N', 'N', j->co, j->area, j->ci, 1, w, j->transposed ? j->co : j->ci,
                                           j->in[0] + i * j->ci * j->area, j->area, 0, j->y + i * j->co * j->area, j->area);
        if (r == dnnl_out_of_memory) return weft_fail_memory(0);
        if (r != dnnl_success) return weft_node_fail(j->node, "oneDNN failed with status %d", (int) r), WEFT_ERR_UNSUPPORTED;
    }
    if (j->ends) weft_parallel(pool, images * j->co, ceil_div(LEAST_WORK, j->area), finish_planes, j);
    return WEFT_OK;
}
#endif

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim;
    job j = { .node = n, .in = (const float *const *) in, .y = out[0], .ci = x[1], .co = n->out_shape[0].dim[1], .area = x[2] * x[3],
              .transposed = n->op->kernel_t_inputs != 0, .styled = weft_has(n, WEFT_CONV_B) || weft_conv_is_styled(n) };
    (void) state, (void) scratch;
    j.ends = j.styled || at->act || weft_has(n, WEFT_CONV_R) || at->gain != 0 || at->clamp > 0;
#ifdef WEFT_DNNL
    if (!is_few(n)) return products(&j, ctx->pool, x[0], scratch);
#endif
    j.part = j.area < STRETCH ? j.area : STRETCH, j.parts = ceil_div(j.area, j.part);
    weft_parallel(ctx->pool, x[0] * j.parts, ceil_div(LEAST_WORK, j.part * (j.ci + j.co)), stretches, &j);
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_point = { "conv2d", prepare, run };
const weft_cpu_fast weft_cpu_fast_point_transposed = { "conv_transpose2d", prepare, run };
