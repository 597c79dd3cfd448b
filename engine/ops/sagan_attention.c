// SPDX-License-Identifier: MIT
// Self-attention over the positions of an image (Zhang et al. 2018, Self-Attention Generative Adversarial Networks).
// q: [n, ck, h, w], k: [n, ck, hk, wk], v: [n, c, hk, wk], y: [n, c, h, w].
#include "graph/graph.h"
#include "ops/sdpa.h"
#include <math.h>

enum { Q, K, V };

static weft_result sagan_infer(weft_node *n)
{
    const weft_shape *s = n->in_shape;
    char tq[WEFT_SHAPE_TEXT], tk[WEFT_SHAPE_TEXT], tv[WEFT_SHAPE_TEXT];
    if (s[Q].rank != 4 || s[K].rank != 4 || s[V].rank != 4) return weft_node_fail(n, "q, k and v must have 4 dimensions");
    if (s[Q].dim[0] != s[K].dim[0] || s[Q].dim[0] != s[V].dim[0] || s[Q].dim[1] != s[K].dim[1] || s[K].dim[2] != s[V].dim[2] || s[K].dim[3] != s[V].dim[3])
        return weft_node_fail(n, "q %s, k %s and v %s do not fit", weft_shape_text(s[Q], tq), weft_shape_text(s[K], tk), weft_shape_text(s[V], tv));
    n->out_shape[0] = s[Q];
    n->out_shape[0].dim[1] = s[V].dim[1];
    return WEFT_OK;
}

static int64_t pixels(weft_shape s) { return s.dim[2] * s.dim[3]; }
static int64_t sagan_items(const weft_node *n) { return n->in_shape[Q].dim[0] * pixels(n->in_shape[Q]); }

enum { TRUTH_CHANNELS = 64 };
static void sagan_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t here = pixels(n->in_shape[Q]), there = pixels(n->in_shape[K]), ck = n->in_shape[Q].dim[1], c = n->in_shape[V].dim[1];
    for (int64_t item = arg->begin; item < arg->end; item++) {
        const int64_t b = item / here, i = item % here;
        const weft_real *q = (const weft_real *) arg->in[Q] + b * ck * here + i, *k = (const weft_real *) arg->in[K] + b * ck * there;
        const weft_real *v = (const weft_real *) arg->in[V] + b * c * there;
        weft_real *y = (weft_real *) arg->out[0] + b * c * here + i;
        double most = -INFINITY;
        for (int64_t first = -TRUTH_CHANNELS; first < c; first += TRUTH_CHANNELS) { // the first round finds the largest score
            const int64_t count = first < 0 ? 0 : c - first < TRUTH_CHANNELS ? c - first : TRUTH_CHANNELS;
            double sum = 0, mix[TRUTH_CHANNELS] = { 0 };
            for (int64_t j = 0; j < there; j++) {
                double score = 0;
                for (int64_t d = 0; d < ck; d++) score += (double) q[d * here] * k[d * there + j];
                if (first < 0) {
                    most = fmax(most, score);
                    continue;
                }
                const double weight = exp(score - most);
                sum += weight;
                for (int64_t d = 0; d < count; d++) mix[d] += weight * v[(first + d) * there + j];
            }
            for (int64_t d = 0; d < count; d++) y[(first + d) * here] = (weft_real) (mix[d] / sum);
        }
    }
}

// [n, c, h, w] as [n, h w, c]
static weft_value as_rows(weft_graph *g, weft_value v, weft_shape s)
{
    const weft_value moved = weft_graph_call(g, "transpose", WEFT_V(v), &(weft_list) { 4, { 0, 2, 3, 1 } });
    return weft_graph_call(g, "reshape", WEFT_V(moved), &(weft_list) { 3, { s.dim[0], pixels(s), s.dim[1] } });
}

static weft_result sagan_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_shape q = n->in_shape[Q], y = n->out_shape[0];
    const weft_value rows = weft_graph_call(g, "sdpa", WEFT_V(as_rows(g, n->in[Q], q), as_rows(g, n->in[K], n->in_shape[K]), as_rows(g, n->in[V], n->in_shape[V])),
                                            &(weft_sdpa_attrs) { .scale = 1 });
    const weft_value image = weft_graph_call(g, "reshape", WEFT_V(rows), &(weft_list) { 4, { y.dim[0], y.dim[2], y.dim[3], y.dim[1] } });
    out[0] = weft_graph_call(g, "transpose", WEFT_V(image), &(weft_list) { 4, { 0, 3, 1, 2 } });
    return weft_graph_status(g);
}

static double sagan_flops(const weft_node *n)
{
    return 2.0 * (double) sagan_items(n) * (double) pixels(n->in_shape[K]) * (double) (n->in_shape[K].dim[1] + n->in_shape[V].dim[1]);
}

const weft_op weft_op_sagan_attention = {
    .name = "sagan_attention",
    .doc = "y[n,:,i] = sum over positions j of softmax_j(q[n,:,i] . k[n,:,j]) v[n,:,j]; the products are not scaled. Zhang et al. 2018.",
    .out_names = "y", .in_names = "q k v",
    .infer = sagan_infer, .items = sagan_items, .cpu = sagan_cpu, .expand = sagan_expand, .flops = sagan_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 5, 7), WEFT_SHAPE(1, 4, 5, 7), WEFT_SHAPE(1, 9, 5, 7) }, .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 3, 6, 6), WEFT_SHAPE(2, 3, 3, 4), WEFT_SHAPE(2, 68, 3, 4) }, .low = -2, .high = 2 },
        { 0 }
    },
};
