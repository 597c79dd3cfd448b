// SPDX-License-Identifier: MIT
// Winograd convolutions of the processor agree with the truth on any size, also where the library's own would be taken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "cpu/fast_winograd.h"
#include "graph/compute.h"
#include "ops/conv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scene {
    weft_context *ctx;
    weft_cpu_weights *weights;
    weft_arena arena;
    weft_graph g;
    weft_random random;
    double worst; // relative error
    bool edge;    // the last row and column of images are infinite
} scene;

static float *numbers(scene *s, weft_shape shape)
{
    const int64_t count = weft_shape_count(shape);
    float *f = weft_arena_new(&s->arena, (size_t) count * 4);
    for (int64_t i = 0; i < count; i++) f[i] = (float) weft_random_uniform(&s->random, -1, 1);
    return f;
}

static double difference(const float *y, const float *want, int64_t count)
{
    double error = 0, norm = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        error += ((double) y[i] - want[i]) * ((double) y[i] - want[i]);
        norm += (double) want[i] * want[i];
    }
    return sqrt(error / norm);
}

// The row's answer, with weights that are constant and packed or come with every run. False: it declines.
static bool answer(scene *s, const weft_cpu_fast *row, const weft_node *n, bool constant, float *y, int64_t count, const void *const *in)
{
    const void *known[WEFT_CASE_INPUTS] = { NULL, constant ? in[1] : NULL }, *seen[WEFT_CASE_INPUTS];
    weft_cpu_taken taken = { 0 };
    uint32_t unread = 0;
    size_t room = 0;
    void *state;
    assert_int_equal(row->prepare(s->ctx, n, known, &state, &room), WEFT_OK);
    if (!state) return false;
    assert_int_equal(row->pack(state, s->ctx, n, s->weights, &taken, &unread), WEFT_OK);
    assert_int_equal(unread, constant ? 2 : 0);
    const int64_t taps = n->in_shape[1].dim[2] * n->in_shape[1].dim[3], kernel = taps == 16 ? 64 : ((const weft_conv_attrs *) n->attrs)->stride[0] == 1 ? 36 : 25;
    assert_int_equal(taken.bytes, constant ? weft_shape_count(n->in_shape[1]) / taps * 4 * kernel : 0);
    if (constant) { // a second session takes what the first one made
        weft_cpu_taken again = { 0 };
        void *second;
        assert_int_equal(row->prepare(s->ctx, n, known, &second, &room), WEFT_OK);
        assert_int_equal(row->pack(second, s->ctx, n, s->weights, &again, &unread), WEFT_OK);
        assert_int_equal(again.shared_bytes, taken.bytes);
        row->destroy(s->ctx, second);
    }
    memcpy(seen, in, sizeof seen);
    if (constant) seen[1] = NULL;
    unsigned char *scratch = malloc(room + 128), *start = scratch + (64 - (uintptr_t) scratch % 64);
    assert_non_null(scratch);
    memset(start, 0xff, room); // not a number, wherever that is read
    for (int turn = 0; turn < 2; turn++) {
        memset(y, 0xff, (size_t) count * 4);
        assert_int_equal(row->run(state, s->ctx, n, (void *const[]) { y }, seen, start), WEFT_OK);
    }
    free(scratch);
    row->destroy(s->ctx, state);
    return true;
}

static bool compare(scene *s, const weft_op *op, const weft_case *c, int index)
{
    const void *data[WEFT_CASE_INPUTS] = { NULL };
    weft_value in[WEFT_CASE_INPUTS];
    int count = 0, served = 0;
    s->arena = (weft_arena) { .ctx = s->ctx };
    weft_graph_init(&s->g, &s->arena);
    s->g.bound = true;
    for (; c->in_count ? count < c->in_count : count < WEFT_CASE_INPUTS && c->in[count].rank; count++) {
        in[count] = -1;
        if (c->absent >> count & 1) continue;
        float *f = numbers(s, c->in[count]);
        const int64_t h = c->in[0].dim[2], w = c->in[0].dim[3];
        for (int64_t i = 0; s->edge && count == 0 && i < weft_shape_count(c->in[0]); i++)
            if (i % w == w - 1 || i / w % h == h - 1) f[i] = INFINITY;
        data[count] = f;
        in[count] = weft_graph_input(&s->g, (const char[]) { (char) ('a' + count), 0 }, WEFT_F32, c->in[count]);
    }
    weft_graph_op(&s->g, op, in, count, c->attrs);
    if (weft_graph_status(&s->g)) fail_msg("%s case %d: %s", op->name, index, weft_error_text());
    const weft_node *n = &s->g.nodes[s->g.node_count - 1];
    const int64_t size = weft_shape_count(n->out_shape[0]);
    float *y = weft_arena_new(&s->arena, (size_t) size * 4), *want = weft_arena_new(&s->arena, (size_t) size * 4);
    weft_node_compute(s->ctx->pool, n, (void *const[]) { want }, data);
    for (int constant = 0; constant < 2; constant++) {
        if (!answer(s, weft_cpu_winograd_row(strcmp(op->name, "conv2d") != 0), n, constant, y, size, data)) continue;
        const double off = difference(y, want, size);
        if (!(off <= 5e-6)) fail_msg("%s case %d, %s weights: relative error %g", op->name, index, constant ? "constant" : "new", off);
        if (off > s->worst) s->worst = off;
        served++;
    }
    weft_arena_free(&s->arena);
    assert_true(served == 0 || served == 2);
    return served;
}

typedef struct extra { const char *op; weft_case c; } extra;
#define CONV(...) &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, __VA_ARGS__ }
#define HALF(...) &(const weft_conv_attrs) { .stride = { 2, 2 }, .dilation = { 1, 1 }, .groups = 1, __VA_ARGS__ }
#define SPREAD(d, ...) &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { d, d }, .groups = 1, __VA_ARGS__ }
#define SAME .pads = { 1, 1, 1, 1 }

static const extra extras[] = {
    // one pixel, one row, one column; paddings that make the output larger or smaller
    { "conv2d", { .in = { WEFT_SHAPE(1, 1, 1, 1), WEFT_SHAPE(1, 1, 3, 3) }, .attrs = CONV(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(2, 3, 1, 37), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(5) }, .attrs = CONV(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 7, 29, 1), WEFT_SHAPE(2, 7, 3, 3), WEFT_SHAPE(2) }, .attrs = CONV(SAME, .act = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 2, 3, 3), WEFT_SHAPE(3, 2, 3, 3) }, .attrs = CONV(.pads = { 0 }) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 9, 14), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = CONV(.pads = { 5, 0, 0, 7 }) } },
    // every way of padding, more than a tile of it
    { "conv2d", { .in = { WEFT_SHAPE(2, 3, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = CONV(.pads = { 6, 5, 4, 3 }, .pad_mode = WEFT_PAD_REFLECT) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = CONV(.pads = { 9, 8, 1, 10 }, .pad_mode = WEFT_PAD_REPLICATE) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = CONV(.pads = { 1, 7, 8, 2 }, .pad_mode = WEFT_PAD_CIRCULAR) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 2, 2, 3), WEFT_SHAPE(2, 2, 3, 3) }, .attrs = CONV(SAME, .pad_mode = WEFT_PAD_REFLECT) } },
    // gates and residuals
    { "conv2d", { .in = { WEFT_SHAPE(2, 5, 14, 22), WEFT_SHAPE(14, 5, 3, 3), WEFT_SHAPE(14), WEFT_SHAPE(2, 7, 14, 22) },
                  .attrs = CONV(SAME, .act = 3, .a = 1, .gate = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 19, 10, 21), WEFT_SHAPE(6, 19, 3, 3), { 0 }, WEFT_SHAPE(1, 6, 10, 21) }, .absent = 1 << 2, .in_count = 4,
                  .attrs = CONV(SAME, .act = 2, .a = 0.2f, .residual = WEFT_RESIDUAL_BEFORE) } },
    // styled, with noise for all images and for each; with a strength
    { "conv2d", { .in = { WEFT_SHAPE(2, 6, 13, 18), WEFT_SHAPE(9, 6, 3, 3), WEFT_SHAPE(9), { 0 }, WEFT_SHAPE(2, 9), WEFT_SHAPE(2, 1, 13, 18), { 0, { 1 } }, WEFT_SHAPE(2, 6) },
                  .in_count = 8, .absent = 1 << 3, .attrs = CONV(SAME, .act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 1.5f) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 6, 5, 70), WEFT_SHAPE(9, 6, 3, 3), { 0 }, { 0 }, { 0 }, WEFT_SHAPE(1, 1, 5, 70) }, .in_count = 6, .absent = 1 << 2 | 1 << 3 | 1 << 4,
                  .attrs = CONV(SAME) } },
    // strips for each thread: rows of tiles that end within a strip, rows longer than a strip, strips with parts of two images
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 61, 75), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(5) }, .attrs = CONV(SAME, .act = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 18, 411), WEFT_SHAPE(10, 3, 3, 3), WEFT_SHAPE(10), WEFT_SHAPE(1, 5, 18, 411) }, .attrs = CONV(SAME, .gate = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(7, 4, 21, 31), WEFT_SHAPE(3, 4, 3, 3), { 0 }, { 0 }, WEFT_SHAPE(7, 3), WEFT_SHAPE(7, 1, 21, 31), { 0 }, WEFT_SHAPE(7, 4) },
                  .in_count = 8, .absent = 1 << 2 | 1 << 3 | 1 << 6, .attrs = CONV(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(90, 2, 4, 4), WEFT_SHAPE(3, 2, 3, 3) }, .attrs = CONV(SAME) } },
    // long sums
    { "conv2d", { .in = { WEFT_SHAPE(1, 512, 9, 10), WEFT_SHAPE(24, 512, 3, 3) }, .attrs = CONV(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 24, 9, 10), WEFT_SHAPE(200, 24, 3, 3) }, .attrs = CONV(SAME) } },
    // transposed: those of input gradients, and with less of the edge
    { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 5, 12, 13), WEFT_SHAPE(5, 7, 3, 3) }, .attrs = CONV(SAME) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 5, 6, 13), WEFT_SHAPE(5, 7, 3, 3), WEFT_SHAPE(7) }, .attrs = CONV(.pads = { 0, 2, 2, 1 }, .act = 1) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 8, 45, 65), WEFT_SHAPE(8, 6, 3, 3), { 0 }, WEFT_SHAPE(1, 6, 45, 65) }, .in_count = 4, .absent = 1 << 2, .attrs = CONV(SAME) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 40, 7, 7), WEFT_SHAPE(40, 33, 3, 3) }, .attrs = CONV(.pads = { 0 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 3, 7, 9), WEFT_SHAPE(3, 5, 3, 3) }, .attrs = CONV(.pads = { 1, 0, 0, 1 }, .output_pad = { 3, 6 }) } },
    // dilated
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 13, 18), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(5) }, .attrs = SPREAD(2, .pads = { 2, 2, 2, 2 }, .act = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(2, 4, 31, 30), WEFT_SHAPE(6, 4, 3, 3), WEFT_SHAPE(6), WEFT_SHAPE(2, 3, 31, 30) },
                  .attrs = SPREAD(8, .pads = { 8, 8, 8, 8 }, .act = 3, .a = 1, .gate = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 9, 11), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = SPREAD(16, .pads = { 16, 16, 16, 16 }) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 19, 17), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = SPREAD(3, .pads = { 6, 5, 4, 3 }, .pad_mode = WEFT_PAD_REFLECT) } },
    { "conv2d", { .in = { WEFT_SHAPE(2, 3, 10, 33), WEFT_SHAPE(4, 3, 3, 3) },
                  .attrs = &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 1, 4 }, .groups = 1, .pads = { 1, 4, 1, 4 } } } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 33, 10), WEFT_SHAPE(4, 3, 3, 3), { 0 }, { 0 }, WEFT_SHAPE(1, 4), WEFT_SHAPE(1, 1, 33, 10) }, .in_count = 6, .absent = 1 << 2 | 1 << 3,
                  .attrs = &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 4, 1 }, .groups = 1, .pads = { 4, 1, 4, 1 } } } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 2, 70, 80), WEFT_SHAPE(3, 2, 3, 3) }, .attrs = SPREAD(2, .pads = { 2, 2, 2, 2 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 5, 12, 13), WEFT_SHAPE(5, 7, 3, 3), WEFT_SHAPE(7) }, .attrs = SPREAD(2, .pads = { 2, 2, 1, 0 }) } },
    // stride 2, every way of padding
    { "conv2d", { .in = { WEFT_SHAPE(1, 1, 1, 1), WEFT_SHAPE(1, 1, 3, 3) }, .attrs = HALF(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(2, 5, 33, 33), WEFT_SHAPE(7, 5, 3, 3), WEFT_SHAPE(7) }, .attrs = HALF(.pads = { 0 }, .act = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 5, 22, 17), WEFT_SHAPE(8, 5, 3, 3), WEFT_SHAPE(8), WEFT_SHAPE(1, 4, 11, 9) }, .attrs = HALF(SAME, .act = 3, .a = 1, .gate = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = HALF(.pads = { 6, 5, 4, 3 }, .pad_mode = WEFT_PAD_REFLECT) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = HALF(.pads = { 9, 8, 1, 10 }, .pad_mode = WEFT_PAD_REPLICATE) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = HALF(.pads = { 1, 7, 8, 2 }, .pad_mode = WEFT_PAD_CIRCULAR) } },
    { "conv2d", { .in = { WEFT_SHAPE(3, 4, 71, 90), WEFT_SHAPE(6, 4, 3, 3) }, .attrs = HALF(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 2, 7, 901), WEFT_SHAPE(3, 2, 3, 3), WEFT_SHAPE(3) }, .attrs = HALF(.pads = { 1, 0, 0, 1 }) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 300, 9, 11), WEFT_SHAPE(18, 300, 3, 3) }, .attrs = HALF(SAME) } },
    // transposed, stride 2
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 1, 1, 1), WEFT_SHAPE(1, 1, 3, 3) }, .attrs = HALF(.pads = { 0 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 5, 8, 16), WEFT_SHAPE(5, 7, 3, 3) }, .attrs = HALF(.pads = { 0 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 5, 9, 12), WEFT_SHAPE(5, 4, 3, 3), WEFT_SHAPE(4) }, .attrs = HALF(SAME, .output_pad = { 1, 1 }, .act = 1) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 5, 9, 12), WEFT_SHAPE(5, 4, 3, 3), WEFT_SHAPE(4) }, .attrs = HALF(.pads = { 7, 8, 1, 2 }, .output_pad = { 5, 0 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 6, 6, 5), WEFT_SHAPE(6, 9, 3, 3), WEFT_SHAPE(9), { 0 }, WEFT_SHAPE(2, 9), WEFT_SHAPE(2, 1, 13, 11), { 0, { 1 } }, WEFT_SHAPE(2, 6) },
                            .in_count = 8, .absent = 1 << 3, .attrs = HALF(.pads = { 0 }, .act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 1.5f) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(3, 3, 41, 40), WEFT_SHAPE(3, 5, 3, 3), WEFT_SHAPE(5), WEFT_SHAPE(3, 5, 82, 80) },
                            .attrs = HALF(SAME, .output_pad = { 1, 1 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 2, 5, 300), WEFT_SHAPE(2, 3, 3, 3), WEFT_SHAPE(3) }, .attrs = HALF(.pads = { 0 }, .act = 1) } },
    // 4 x 4 taps, stride 2
    { "conv2d", { .in = { WEFT_SHAPE(1, 1, 2, 2), WEFT_SHAPE(1, 1, 4, 4) }, .attrs = HALF(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 1, 5, 4), WEFT_SHAPE(3, 1, 4, 4) }, .attrs = HALF(.pads = { 0 }) } },
    { "conv2d", { .in = { WEFT_SHAPE(2, 5, 33, 34), WEFT_SHAPE(7, 5, 4, 4), WEFT_SHAPE(7) }, .attrs = HALF(SAME, .act = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 5, 22, 17), WEFT_SHAPE(8, 5, 4, 4), WEFT_SHAPE(8), WEFT_SHAPE(1, 4, 11, 8) }, .attrs = HALF(SAME, .act = 3, .a = 1, .gate = 1) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 4, 4) }, .attrs = HALF(.pads = { 6, 5, 4, 3 }, .pad_mode = WEFT_PAD_REFLECT) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 4, 4) }, .attrs = HALF(.pads = { 9, 8, 1, 10 }, .pad_mode = WEFT_PAD_REPLICATE) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(4, 3, 4, 4) }, .attrs = HALF(.pads = { 1, 7, 8, 2 }, .pad_mode = WEFT_PAD_CIRCULAR) } },
    { "conv2d", { .in = { WEFT_SHAPE(3, 4, 71, 90), WEFT_SHAPE(6, 4, 4, 4) }, .attrs = HALF(SAME) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 2, 7, 901), WEFT_SHAPE(3, 2, 4, 4), WEFT_SHAPE(3) }, .attrs = HALF(.pads = { 1, 0, 0, 1 }) } },
    { "conv2d", { .in = { WEFT_SHAPE(1, 300, 9, 11), WEFT_SHAPE(18, 300, 4, 4) }, .attrs = HALF(SAME) } },
    // the same transposed
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 1, 1, 1), WEFT_SHAPE(1, 1, 4, 4) }, .attrs = HALF(SAME) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 5, 8, 16), WEFT_SHAPE(5, 7, 4, 4) }, .attrs = HALF(.pads = { 0 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 5, 9, 12), WEFT_SHAPE(5, 4, 4, 4), WEFT_SHAPE(4) }, .attrs = HALF(SAME, .output_pad = { 1, 1 }, .act = 1) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 5, 9, 12), WEFT_SHAPE(5, 4, 4, 4), WEFT_SHAPE(4) }, .attrs = HALF(.pads = { 7, 8, 1, 2 }, .output_pad = { 5, 0 }) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 6, 6, 5), WEFT_SHAPE(6, 9, 4, 4), WEFT_SHAPE(9), { 0 }, WEFT_SHAPE(2, 9), WEFT_SHAPE(2, 1, 12, 10), { 0, { 1 } }, WEFT_SHAPE(2, 6) },
                            .in_count = 8, .absent = 1 << 3, .attrs = HALF(SAME, .act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 1.5f) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(3, 3, 41, 40), WEFT_SHAPE(3, 5, 4, 4), WEFT_SHAPE(5), WEFT_SHAPE(3, 5, 82, 80) }, .attrs = HALF(SAME) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 4, 11, 10), WEFT_SHAPE(4, 6, 4, 4), WEFT_SHAPE(6), WEFT_SHAPE(1, 3, 22, 20) }, .attrs = HALF(SAME, .gate = 1) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 2, 5, 300), WEFT_SHAPE(2, 3, 4, 4), WEFT_SHAPE(3) }, .attrs = HALF(.pads = { 0 }, .act = 1) } },
    { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 200, 9, 7), WEFT_SHAPE(200, 33, 4, 4) }, .attrs = HALF(SAME) } },
};

static void any_size_equals_the_truth(void **state)
{
    static const char *const ops[] = { "conv2d", "conv_transpose2d" };
    (void) state;
    for (int threads = 1; threads <= 3; threads++) {
        scene s = { .random = { 7 } };
        int served = 0;
        assert_int_equal(weft_context_create(&(weft_context_params) { .threads = threads }, &s.ctx), WEFT_OK);
        assert_int_equal(weft_cpu_weights_create(s.ctx, &s.weights), WEFT_OK);
        for (int i = 0; i < 2; i++)
            for (const weft_case *c = weft_op_find(ops[i])->cases; c->in[0].rank || c->in_count; c++)
                served += compare(&s, weft_op_find(ops[i]), c, (int) (c - weft_op_find(ops[i])->cases));
        assert_true(served >= 3); // of the rows' own
        for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
            if (!compare(&s, weft_op_find(extras[i].op), &extras[i].c, 100 + (int) i)) fail_msg("extra case %zu is declined", i);
        print_message("%d threads: worst relative error %.2g\n", threads, s.worst);
        weft_cpu_weights_destroy(s.weights);
        weft_context_destroy(&s.ctx);
    }
}

// Tiles that hang over what the last window reads do not carry it into the outputs.
static void what_no_output_sees_may_be_infinite(void **state)
{
    (void) state;
    const extra cases[] = {
        { "conv2d", { .in = { WEFT_SHAPE(2, 3, 12, 16), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = HALF(.pads = { 0 }) } },
        { "conv2d", { .in = { WEFT_SHAPE(2, 3, 13, 17), WEFT_SHAPE(4, 3, 4, 4) }, .attrs = HALF(.pads = { 0 }) } },
        { "conv2d", { .in = { WEFT_SHAPE(1, 3, 28, 30), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = HALF(.pads = { 2, 2, 0, 0 }, .pad_mode = WEFT_PAD_REFLECT) } },
    };
    scene s = { .random = { 7 }, .edge = true };
    assert_int_equal(weft_context_create(NULL, &s.ctx), WEFT_OK);
    assert_int_equal(weft_cpu_weights_create(s.ctx, &s.weights), WEFT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_true(compare(&s, weft_op_find(cases[i].op), &cases[i].c, (int) i));
    weft_cpu_weights_destroy(s.weights);
    weft_context_destroy(&s.ctx);
}

static void other_convolutions_are_declined(void **state)
{
    (void) state;
    const weft_shape x = WEFT_SHAPE(1, 32, 64, 64), w = WEFT_SHAPE(32, 32, 3, 3), half = WEFT_SHAPE(32, 16, 3, 3), four = WEFT_SHAPE(32, 32, 4, 4), five = WEFT_SHAPE(32, 32, 5, 5);
    const extra cases[] = {
        { "conv2d", { .in = { x, w }, .attrs = &(const weft_conv_attrs) { .stride = { 3, 3 }, .dilation = { 1, 1 }, .groups = 1 } } },
        { "conv2d", { .in = { x, w }, .attrs = &(const weft_conv_attrs) { .stride = { 2, 1 }, .dilation = { 1, 1 }, .groups = 1 } } },
        { "conv2d", { .in = { x, w }, .attrs = &(const weft_conv_attrs) { .stride = { 2, 2 }, .dilation = { 1, 2 }, .groups = 1 } } },
        { "conv2d", { .in = { x, half }, .attrs = &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 2 } } },
        { "conv2d", { .in = { x, five }, .attrs = CONV(.pads = { 0 }) } },
        { "conv2d", { .in = { x, four }, .attrs = CONV(.pads = { 0 }) } },
        { "conv_transpose2d", { .in = { x, four }, .attrs = CONV(.pads = { 0 }) } },
        { "conv2d", { .in = { x, four }, .attrs = &(const weft_conv_attrs) { .stride = { 2, 2 }, .dilation = { 2, 2 }, .groups = 1 } } },
        { "conv_transpose2d", { .in = { x, w }, .attrs = CONV(.pads = { 1, 3, 1, 1 }) } },
        { "conv_transpose2d", { .in = { x, w }, .attrs = &(const weft_conv_attrs) { .stride = { 3, 3 }, .dilation = { 1, 1 }, .groups = 1 } } },
    };
    scene s = { .random = { 7 } };
    assert_int_equal(weft_context_create(NULL, &s.ctx), WEFT_OK);
    assert_int_equal(weft_cpu_weights_create(s.ctx, &s.weights), WEFT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (compare(&s, weft_op_find(cases[i].op), &cases[i].c, (int) i)) fail_msg("case %zu is served", i);
    weft_cpu_weights_destroy(s.weights);
    weft_context_destroy(&s.ctx);
}

int main(void)
{
    if (!weft_cpu_winograd_row(false)) return 77; // built without a library for its products
    const struct CMUnitTest tests[] = { cmocka_unit_test(any_size_equals_the_truth), cmocka_unit_test(what_no_output_sees_may_be_infinite),
                                       cmocka_unit_test(other_convolutions_are_declined) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
