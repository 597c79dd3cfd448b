// SPDX-License-Identifier: MIT
// The U-Net of partial convolutions, 7 levels. Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions,
// 2018, in the well-known PyTorch port that divides by the known part of the window alone.
#include "import/net.h"

typedef struct masked { weft_value x, m; } masked; // features and what of them is known, channel by channel

static masked level(net *n, const char *name, masked in, int cin, int cout, int kernel, int stride, bool bias, bool norm)
{
    const weft_shape s = WEFT_SHAPE(cout, cin, kernel, kernel), c = WEFT_SHAPE(cout);
    expect_ones(n, path(n, "%s.conv.mask_conv.weight", name), s);
    weft_build_name(n->b, name);
    const weft_value w = weight(n, path(n, "%s.conv.input_conv.weight", name), s);
    const weft_value b = bias ? weight(n, path(n, "%s.conv.input_conv.bias", name), c) : WEFT_NONE;
    const weft_value y = op(n, "partial_conv2d", (weft_value[]) { in.x, in.m, w, b }, bias ? 4 : 3,
                            (const weft_attr_arg[]) { WEFT_NUM("stride", stride), WEFT_NUM("pads", kernel / 2), WEFT_NUM("multi_channel", 1),
                                                      WEFT_TEXT("variant", "naoto") }, 4);
    return (masked) { norm ? batch_norm(n, path(n, "%s.bn", name), y, cout, false) : y, y + 1 };
}

static void build(net *n)
{
    static const int width[] = { 3, 64, 128, 256, 512, 512, 512, 512 }, kernel[] = { 0, 7, 5, 5, 3, 3, 3, 3 };
    const int64_t batch = dim(n, "n", 1, 1), h = dim(n, "h", 512, 128), w = dim(n, "w", 512, 128);
    masked enc[8] = { { input(n, "image", batch, 3, h, w), input(n, "mask", batch, 3, h, w) } };
    for (int i = 1; i < 8; i++) {
        enc[i] = level(n, path(n, "enc_%d", i), enc[i - 1], width[i - 1], width[i], kernel[i], 2, false, i > 1);
        enc[i].x = relu(n, enc[i].x);
    }
    masked y = enc[7];
    for (int i = 7; i > 0; i--) {
        y = (masked) { cat(n, up2(n, y.x), enc[i - 1].x), cat(n, up2(n, y.m), enc[i - 1].m) };
        y = level(n, path(n, "dec_%d", i), y, width[i] + width[i - 1], width[i - 1], 3, 1, i == 1, i > 1);
        if (i > 1) y.x = leaky_relu(n, y.x, 0.2);
    }
    output(n, "output", y.x);
    output(n, "known", y.m);
}

const arch arch_partialconv_unet = {
    .name = "partialconv-unet", .doc = "partial-convolution U-Net for irregular holes (Liu et al. 2018)", .probe = "enc_1.conv.input_conv.weight",
    .meta = (const char *const[]) {
        "task", "inpaint", "image.range", "0..1", "image.mean", "0.485,0.456,0.406", "image.std", "0.229,0.224,0.225", "image.hole", "0", "mask.hole", "0", NULL },
    .build = build,
};
