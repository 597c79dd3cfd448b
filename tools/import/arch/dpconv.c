// SPDX-License-Identifier: MIT
// Dilated partial convolutions for irregular holes in pictures of clothing. Kinli et al., A Benchmark for Inpainting of
// Clothing Images with Irregular Holes, 2020. As published, the second dilated layer normalises its mask in place of its features.
#include "import/net.h"

typedef struct masked { weft_value x, m; } masked;

static masked partial(net *n, const char *name, masked in, int cin, int cout, int kernel, int stride, int dilation)
{
    weft_build_name(n->b, name);
    const weft_value w = weight(n, path(n, "%s.weight", name), (weft_shape) WEFT_SHAPE(cout, cin, kernel, kernel));
    const weft_value b = weight(n, path(n, "%s.bias", name), (weft_shape) WEFT_SHAPE(cout));
    const weft_value y = op(n, "partial_conv2d", (weft_value[]) { in.x, in.m, w, b }, 4,
                            (const weft_attr_arg[]) { WEFT_NUM("stride", stride), WEFT_NUM("dilation", dilation), WEFT_NUM("pads", dilation * (kernel / 2)),
                                                      WEFT_NUM("multi_channel", 1), WEFT_NUM("eps", 1e-6) }, 5);
    return (masked) { y, y + 1 };
}

static weft_value normal(net *n, weft_value x) { return relu(n, instance_norm(n, NULL, x, 0)); }
static weft_value plain(net *n, const char *name, weft_value x, int in, int out)
{
    return leaky_relu(n, instance_norm(n, NULL, conv(n, name, x, in, out, 3, 0), 0), 0.2);
}

static void build(net *n)
{
    const int64_t batch = dim(n, "n", 1, 1), h = dim(n, "h", 256, 8), w = dim(n, "w", 256, 8);
    const weft_value image = input(n, "image", batch, 3, h, w);
    masked x0 = partial(n, "block_0", (masked) { image, input(n, "mask", batch, 3, h, w) }, 3, 64, 7, 2, 1);
    x0.x = relu(n, x0.x);
    masked x1 = partial(n, "block_1", x0, 64, 128, 5, 2, 1);
    x1.x = normal(n, x1.x);
    masked x2 = partial(n, "block_2", x1, 128, 256, 5, 1, 1);
    x2.x = normal(n, x2.x);
    masked x3 = partial(n, "block_3", x2, 256, 128, 5, 2, 1);
    x3.x = normal(n, x3.x);

    masked d1 = partial(n, "dilated_block_1", x3, 128, 128, 3, 1, 2);
    d1.x = normal(n, d1.x);
    masked d2 = partial(n, "dilated_block_2", d1, 128, 128, 3, 1, 4);
    d2.x = add(n, normal(n, d2.m), d1.x); // the mask, as published
    masked d3 = partial(n, "dilated_block_3", d2, 128, 128, 3, 1, 8);
    d3.x = add(n, normal(n, d3.x), d2.x);
    masked d4 = partial(n, "dilated_block_4", d3, 128, 128, 3, 1, 2);

    weft_value y = relu(n, self_attention(n, "s_attention_6", normal(n, d4.x), 128, 16, NULL));
    y = plain(n, "block_6", up2(n, cat(n, x3.x, y)), 256, 128);
    y = relu(n, self_attention(n, "s_attention_7", cat(n, x2.x, y), 384, 48, NULL));
    y = plain(n, "block_7", up2(n, y), 384, 128);
    y = plain(n, "block_8", cat(n, x0.x, y), 192, 64);
    output(n, "output", net_tanh(n, conv(n, "block_9", cat(n, image, up2(n, y)), 67, 3, 3, 0)));
}

const arch arch_dpconv = {
    .name = "dpconv", .doc = "dilated partial convolutions for pictures of clothing (Kinli et al. 2020)", .probe = "block_0.weight",
    .meta = (const char *const[]) {
        "task", "inpaint", "image.range", "0..1", "image.mean", "0.485,0.456,0.406", "image.std", "0.229,0.224,0.225", "image.hole", "0.5",
        "mask.hole", "0", "output.range", "0..1", NULL },
    .build = build,
};
