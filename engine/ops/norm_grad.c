// SPDX-License-Identifier: MIT
// Gradient of a normalisation by statistics of the input itself. With z = (x - mean) / sqrt(var + eps) and e = scale dy, both
// over the same elements, dx = (e - mean(e) - z mean(e z)) / sqrt(var + eps) (Ioffe and Szegedy 2015).
#include "ops/grad.h"
#include "ops/norm.h"

weft_result weft_norm_grad(const weft_node *n, weft_graph *g, weft_value dy, const bool *want, weft_value *dx, const weft_norm_over *over)
{
    const weft_shape shape = n->in_shape[0];
    const weft_value x = weft_grad_reshape(g, n->in[0], over->view);
    const weft_value centred = weft_grad_binary(g, "sub", x, weft_grad_reduce(g, "mean", x, over->mask));
    const weft_value var = weft_grad_reduce(g, "mean", weft_grad_unary(g, "square", centred), over->mask);
    const weft_value by = weft_grad_unary(g, "rsqrt", weft_grad_shift(g, var, over->eps)), z = weft_grad_mul(g, centred, by);
    if (want[0]) {
        weft_value e = dy;
        if (weft_has(n, 1)) e = weft_grad_mul(g, e, weft_grad_reshape(g, n->in[1], over->params));
        e = weft_grad_reshape(g, e, over->view);
        const weft_value along = weft_grad_mul(g, z, weft_grad_reduce(g, "mean", weft_grad_mul(g, e, z), over->mask));
        const weft_value rest = weft_grad_binary(g, "sub", weft_grad_binary(g, "sub", e, weft_grad_reduce(g, "mean", e, over->mask)), along);
        dx[0] = weft_grad_reshape(g, weft_grad_mul(g, rest, by), shape);
    }
    if (n->in_count > 1 && want[1]) {
        const weft_value d = weft_grad_mul(g, dy, weft_grad_reshape(g, z, shape));
        dx[1] = weft_grad_reshape(g, weft_grad_unstretch(g, d, over->params), n->in_shape[1]);
    }
    if (n->in_count > 2 && want[2]) dx[2] = weft_grad_reshape(g, weft_grad_unstretch(g, dy, over->params), n->in_shape[2]);
    return WEFT_OK;
}

weft_shape weft_norm_channels(weft_shape x)
{
    weft_shape s = { x.rank - 1, { x.dim[1] } };
    for (int d = 1; d < s.rank; d++) s.dim[d] = 1;
    return s;
}
