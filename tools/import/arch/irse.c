// SPDX-License-Identifier: MIT
// ArcFace's identity network IR-SE-50 for aligned faces of 112 x 112. Deng, Guo, Xue and Zafeiriou, ArcFace: Additive Angular
// Margin Loss for Deep Face Recognition, 2018; Hu, Shen and Sun, Squeeze-and-Excitation Networks, 2017.
#include "import/arch/irse.h"

static weft_value slope(net *n, const char *name, weft_value x, int c)
{
    const weft_value w = weight(n, path(n, "%s.weight", name), (weft_shape) WEFT_SHAPE(c));
    weft_build_name(n->b, name);
    return OP2(n, "prelu", x, w);
}

// x times a weight per channel that the channels' means decide.
static weft_value squeeze_excite(net *n, const char *name, weft_value x, int c)
{
    const int inner = (int) length(n, path(n, "%s.fc1.weight", name), 0);
    weft_build_name(n->b, name);
    weft_value y = OPA(n, "mean", x, WEFT_NUM("axes", 2, 3), WEFT_NUM("keep", 1));
    y = relu(n, conv(n, path(n, "%s.fc1", name), y, c, inner, 1, .no_bias = true));
    return mul(n, x, sigmoid(n, conv(n, path(n, "%s.fc2", name), y, inner, c, 1, .no_bias = true)));
}

static weft_value unit(net *n, int i, weft_value x, int in, int out, int stride)
{
    weft_value skip = x;
    if (has(n, path(n, "body.%d.shortcut_layer.0.weight", i))) {
        skip = conv(n, path(n, "body.%d.shortcut_layer.0", i), x, in, out, 1, .stride = stride, .no_bias = true);
        skip = batch_norm(n, path(n, "body.%d.shortcut_layer.1", i), skip, out, false);
    } else if (stride > 1) skip = OPA(n, "max_pool2d", x, WEFT_NUM("kernel", 1), WEFT_NUM("stride", stride));
    weft_value y = batch_norm(n, path(n, "body.%d.res_layer.0", i), x, in, false);
    y = conv(n, path(n, "body.%d.res_layer.1", i), y, in, out, 3, .no_bias = true);
    y = slope(n, path(n, "body.%d.res_layer.2", i), y, out);
    y = conv(n, path(n, "body.%d.res_layer.3", i), y, out, out, 3, .stride = stride, .no_bias = true);
    y = batch_norm(n, path(n, "body.%d.res_layer.4", i), y, out, false);
    if (has(n, path(n, "body.%d.res_layer.5.fc1.weight", i))) y = squeeze_excite(n, path(n, "body.%d.res_layer.5", i), y, out);
    return add(n, y, skip);
}

int irse_trunk(net *n, weft_value x, irse_stage out[IRSE_STAGES])
{
    int c = (int) length(n, "input_layer.0.weight", 0), stages = 0;
    x = conv(n, "input_layer.0", x, (int) length(n, "input_layer.0.weight", 1), c, 3, .no_bias = true);
    x = slope(n, "input_layer.2", batch_norm(n, "input_layer.1", x, c, false), c);
    for (int i = 0; !n->failed; i++) {
        const char *w = path(n, "body.%d.res_layer.1.weight", i);
        if (i && !has(n, w)) break;
        const int wide = (int) length(n, w, 0);
        const bool first = i == 0 || wide != c;
        if (first && stages == IRSE_STAGES) net_fail(n, WEFT_ERR_UNSUPPORTED, "more than %d stages of units", IRSE_STAGES);
        if (n->failed) break;
        x = unit(n, i, x, c, wide, first ? 2 : 1);
        c = wide;
        stages += first;
        out[stages - 1] = (irse_stage) { x, c };
    }
    return stages;
}

static weft_value unit_length(net *n, weft_value x)
{
    return OP2(n, "div", x, OPA(n, "l2_norm", x, WEFT_NUM("axes", 1), WEFT_NUM("keep", 1)));
}

// The size of the picture: what the fully connected layer takes says it.
static int64_t picture_size(net *n)
{
    const int64_t flat = length(n, "output_layer.3.weight", 1), c = length(n, "output_layer.0.weight", 0);
    int64_t side = 1, stages = 1;
    for (int i = 1; has(n, path(n, "body.%d.res_layer.1.weight", i)); i++)
        stages += length(n, path(n, "body.%d.res_layer.1.weight", i), 0) != length(n, path(n, "body.%d.res_layer.1.weight", i - 1), 0);
    while (side * side * c < flat) side++;
    return side << stages;
}

static void build(net *n)
{
    irse_stage stages[IRSE_STAGES];
    const int64_t size = picture_size(n);
    weft_build_meta(n->b, "image.size", path(n, "%lld", (long long) size));
    const weft_value image = input(n, "image", dim(n, "n", 1, 1), length(n, "input_layer.0.weight", 1), size, size);
    const int count = irse_trunk(n, image, stages);
    if (n->failed) return;
    const int c = stages[count - 1].channels;
    weft_value x = OP1(n, "flatten", batch_norm(n, "output_layer.0", stages[count - 1].x, c, false));
    const int flat = (int) length(n, "output_layer.3.weight", 1), out = (int) length(n, "output_layer.3.weight", 0);
    x = batch_norm(n, "output_layer.4", linear(n, "output_layer.3", x, flat, out), out, false);
    weft_build_name(n->b, "embedding");
    output(n, "embedding", unit_length(n, x));
}

const arch arch_irse = {
    .name = "arcface-irse50", .doc = "ArcFace's identity network of faces (Deng et al. 2018)", .probe = "output_layer.3.weight",
    .meta = (const char *const[]) { "task", "identity", "image.range", "-1..1", NULL }, .build = build,
};
