// SPDX-License-Identifier: MIT
#include "ops/conv_emit.h"
#include "ops/loop.h"
#include "params/conv.h"
#include <string.h>

enum { SPEC_OWN = 6 }; // a kernel's own constants follow those of shaders/glsl/conv.glsl
enum { PATH_ONE, PATH_ONE_WIDE, PATH_FOUR, PATH_FOUR_WIDE, PATH_DEPTHWISE }; // of shaders/conv_direct.comp

typedef struct conv { // a convolution on its way to a kernel
    const weft_node *node;
    const weft_conv_attrs *at;
    bool transposed;
    bool wide_in, wide_out; // channels can be read and written in fours: none of them spans two groups or halves
    struct conv_params p;
    weft_dispatch d;
} conv;

static int gcd(int a, int b) { return b ? gcd(b, a % b) : a; }

static void set_axis(conv *c, int axis)
{
    const weft_conv_attrs *at = c->at;
    struct conv_params *p = &c->p;
    const int stride = at->stride[axis], dilation = at->dilation[axis], common = gcd(stride, dilation);
    p->kernel[axis] = (i32) c->node->in_shape[1].dim[2 + axis];
    p->pad[axis] = at->pads[axis];
    p->dilation[axis] = dilation;
    p->stride[axis] = c->transposed ? 1 : stride;
    p->phases[axis] = c->transposed ? stride : 1;
    p->tap_by[axis] = c->transposed ? stride / common : 1; // only every such tap falls on an input
    p->tap[axis] = c->transposed ? -dilation / common : dilation;
}

static void describe(conv *c, const weft_node *n)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->out_shape[0].dim, *w = n->in_shape[1].dim;
    const u32 all = (u32) y[1] << (at->gate != 0), groups = (u32) at->groups;
    *c = (conv) { .node = n, .at = at, .transposed = n->op->kernel_t_inputs != 0 };
    c->p = (struct conv_params) {
        .n = (u32) x[0], .ci = (u32) x[1], .co = (u32) y[1], .hi = (i32) x[2], .wi = (i32) x[3], .ho = (i32) y[2], .wo = (i32) y[3],
        .ci_group = (u32) x[1] / groups, .co_group = all / groups, .a = at->a, .b = at->b,
    };
    c->p.w_tap = (u32) (w[0] * w[1]);
    c->p.w_ci = (u32) (c->transposed ? w[1] : w[0]);
    c->p.w_group = c->transposed ? c->p.ci_group * c->p.w_ci : c->p.co_group;
    set_axis(c, 0);
    set_axis(c, 1);
    c->wide_in = c->p.ci_group % 4 == 0;
    c->wide_out = c->p.co_group % 4 == 0 && c->p.co % 4 == 0;
    c->d = (weft_dispatch) {
        .spec = { c->transposed, (uint32_t) at->pad_mode, weft_has(n, 2), (uint32_t) at->act, (uint32_t) at->gate,
                  !weft_has(n, 3) ? 0 : at->residual == WEFT_RESIDUAL_AFTER ? 1 : 2 },
        .params_bytes = sizeof c->p, .flops = n->op->flops(n),
    };
}

static weft_result emit_direct(conv *c, weft_emit *e)
{
    const bool depthwise = c->p.ci_group == 1 && c->p.co_group == 1 && c->p.co % 4 == 0;
    const int path = depthwise ? PATH_DEPTHWISE : (c->wide_out ? PATH_FOUR : PATH_ONE) + c->wide_in;
    c->d.kernel = "conv_direct";
    c->d.spec[SPEC_OWN] = (uint32_t) path, c->d.spec_count = SPEC_OWN + 1;
    c->d.grid[0] = (uint32_t) (weft_shape_count(c->node->out_shape[0]) / (path < PATH_FOUR ? 1 : 4));
    return weft_emit_dispatch(e, &c->d);
}

weft_result weft_conv_emit(const weft_node *n, weft_emit *e)
{
    conv c;
    WEFT_TRY(weft_loop_check(n));
    describe(&c, n);
    c.d.params = &c.p;
    return emit_direct(&c, e);
}
