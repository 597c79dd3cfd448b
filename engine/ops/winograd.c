// SPDX-License-Identifier: MIT
#include "ops/winograd.h"
#include "ops/conv_emit.h"
#include "ops/divide.h"
#include "ops/gemm.h"
#include "params/conv.h"

enum { MOST_SCRATCH = 96 << 20 };

typedef struct sizes { int64_t planes, tiles, ci, columns; } sizes; // of the products: planes x [tiles, ci] [ci, columns]
static sizes sizes_of(const weft_node *n, int m)
{
    const int64_t *y = n->out_shape[0].dim, *w = n->in_shape[1].dim;
    return (sizes) { (m + 2) * (m + 2), y[0] * ceil_div(y[2], m) * ceil_div(y[3], m), w[1], w[0] };
}

// In f16 tiles of 4 x 4 are off by 3e-3 to 4e-3 of the norm, those of 2 x 2 by less than 2e-3, which is what f16 is allowed; narrow channels are all
// loads and no products.
bool weft_winograd_serves(const weft_node *n, const weft_emit *e, int m)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[1].dim;
    const sizes s = sizes_of(n, m);
    const bool plain = !n->op->kernel_t_inputs && w[2] == 3 && w[3] == 3 && at->groups == 1 && at->stride[0] == 1 && at->stride[1] == 1 &&
                       at->dilation[0] == 1 && at->dilation[1] == 1;
    return plain && (m == 2 || !weft_emit_half(e)) && s.ci % 4 == 0 && s.columns % 4 == 0 && s.ci >= 8 && s.columns >= 8 &&
           s.planes * s.tiles * (s.ci + s.columns) * 4 <= MOST_SCRATCH;
}

// y[z] = v[z] u[z], one product per plane.
static weft_result multiply(weft_emit *e, sizes s, int y, int v, int u)
{
    const weft_gemm g = {
        .m = s.tiles, .n = s.columns, .k = s.ci, .batch = WEFT_SHAPE(s.planes), .a_step = { 1 }, .b_step = { 1 }, .b_count = s.planes,
        .y = WEFT_BIND_SCRATCH(y, 1), .a = WEFT_BIND_SCRATCH(v, 0), .b = WEFT_BIND_SCRATCH(u, 0), .bias = WEFT_BIND_SCRATCH(u, 0),
    };
    return weft_gemm_emit(&g, e, NULL);
}

weft_result weft_winograd_emit(const weft_node *n, weft_emit *e, const weft_dispatch *like, const struct conv_params *from, int m)
{
    const weft_conv_attrs *at = n->attrs;
    const sizes s = sizes_of(n, m);
    const bool constant = n->in_constant[1];
    const int64_t u_count = s.planes * s.ci * s.columns;
    const int v = weft_emit_scratch(e, s.planes * s.tiles * s.ci, WEFT_F32), y = weft_emit_scratch(e, s.planes * s.tiles * s.columns, WEFT_F32);
    const int u = constant ? weft_emit_kept(e, u_count, WEFT_F32) : weft_emit_scratch(e, u_count, WEFT_F32);
    struct conv_params p = *from;
    if (v < 0 || y < 0 || u < 0) return WEFT_ERR_MEMORY;
    p.column_tiles = (u32) ceil_div(p.wo, m), p.pixel_tiles = (u32) s.tiles;
    weft_dispatch d = *like;
    d.params = &p, d.spec[WEFT_CONV_SPEC] = (uint32_t) m, d.spec_count = WEFT_CONV_SPEC + 1;

    d.kernel = "winograd_weights", d.once = constant, d.grid[0] = (uint32_t) (s.ci * s.columns), d.flops = (double) u_count;
    d.bind[0] = (weft_bind) WEFT_BIND_SCRATCH(u, 1), d.bind[1] = (weft_bind) WEFT_BIND_IN(1), d.bind_count = 2;
    WEFT_TRY(weft_emit_dispatch(e, &d));

    d.kernel = "winograd_in", d.once = false, d.grid[0] = (uint32_t) (s.tiles * s.ci), d.flops = (double) (8 * s.planes * s.tiles * s.ci);
    d.bind[0] = (weft_bind) WEFT_BIND_SCRATCH(v, 1), d.bind[1] = (weft_bind) WEFT_BIND_IN(0), d.bind[2] = (weft_bind) WEFT_BIND_IN(WEFT_CONV_S);
    d.bind_count = 3;
    WEFT_TRY(weft_emit_dispatch(e, &d));

    WEFT_TRY(multiply(e, s, y, v, u));

    d.kernel = "winograd_out", d.grid[0] = (uint32_t) (s.tiles * (at->gate ? s.columns / 2 : s.columns));
    d.flops = (double) (8 * s.planes * s.tiles * s.columns);
    d.bind[0] = (weft_bind) WEFT_BIND_OUT(0), d.bind[1] = (weft_bind) WEFT_BIND_SCRATCH(y, 0);
    for (int i = WEFT_CONV_B; i < WEFT_CONV_S; i++) d.bind[i] = (weft_bind) WEFT_BIND_IN(i);
    d.bind_count = WEFT_CONV_S;
    return weft_emit_dispatch(e, &d);
}
