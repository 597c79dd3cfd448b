// SPDX-License-Identifier: MIT
// DeepFill v2: gated convolutions in two stages, the second with contextual attention. Yu et al., Free-Form Image Inpainting
// with Gated Convolution, 2019. Two well-known sets of PyTorch weights, with the keys of each: those converted from
// TensorFlow (its padding, its way of shrinking the mask, no fusion of attention scores), and those trained in PyTorch.
#include "import/net.h"

typedef const char *const *names;
static const struct scheme {
    const char *first, *second; // prefixes of the stages
    names coarse, plain, attending, merged;
    const char *attention; // its constant kernel, which some checkpoints hold
} schemes[] = {
    {
        "", "",
        (const char *const[]) { "conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6", "conv7_atrous", "conv8_atrous", "conv9_atrous",
                                "conv10_atrous", "conv11", "conv12", "conv13_upsample.conv", "conv14", "conv15_upsample.conv", "conv16", "conv17" },
        (const char *const[]) { "xconv1", "xconv2_downsample", "xconv3", "xconv4_downsample", "xconv5", "xconv6", "xconv7_atrous", "xconv8_atrous",
                                "xconv9_atrous", "xconv10_atrous" },
        (const char *const[]) { "pmconv1", "pmconv2_downsample", "pmconv3", "pmconv4_downsample", "pmconv5", "pmconv6", "pmconv9", "pmconv10" },
        (const char *const[]) { "allconv11", "allconv12", "allconv13_upsample.conv", "allconv14", "allconv15_upsample.conv", "allconv16", "allconv17" },
        NULL,
    },
    {
        "stage1.", "stage2.",
        (const char *const[]) { "conv1", "down_block1.conv1_downsample", "down_block1.conv2", "down_block2.conv1_downsample", "down_block2.conv2",
                                "conv_bn1", "conv_bn2", "conv_bn3", "conv_bn4", "conv_bn5", "conv_bn6", "conv_bn7", "up_block1.conv1_upsample.conv",
                                "up_block1.conv2", "up_block2.conv1_upsample.conv", "up_block2.conv2", "conv_to_rgb" },
        (const char *const[]) { "conv_conv1", "conv_down_block1.conv1_downsample", "conv_down_block1.conv2", "conv_down_block2.conv1_downsample",
                                "conv_down_block2.conv2", "conv_conv_bn1", "conv_conv_bn2", "conv_conv_bn3", "conv_conv_bn4", "conv_conv_bn5" },
        (const char *const[]) { "ca_conv1", "ca_down_block1.conv1_downsample", "ca_down_block1.conv2", "ca_down_block2.conv1_downsample",
                                "ca_down_block2.conv2", "ca_conv_bn1", "ca_conv_bn4", "ca_conv_bn5" },
        (const char *const[]) { "conv_bn6", "conv_bn7", "up_block1.conv1_upsample.conv", "up_block1.conv2", "up_block2.conv1_upsample.conv",
                                "up_block2.conv2", "conv_to_rgb" },
        "stage2.contextual_attention.fuse_weight",
    },
};
enum { TF, PT };

// A convolution whose padding divides the size by its stride; TensorFlow puts the odd pixel at the end.
static weft_value same(net *n, const char *name, weft_value x, int in, int out, int kernel, int stride, int dilation)
{
    const int total = (kernel - 1) * dilation - (n->variant == TF ? stride - 1 : 0), first = total / 2, last = total - first;
    return conv(n, name, x, in, out, kernel, .stride = stride, .dilation = dilation, .pads = { first, first, last, last });
}

typedef struct layer { int in, out, kernel, stride, dilation; } layer; // out: after the gate
static weft_value gated(net *n, const char *stage, const char *name, weft_value x, layer l, const char *act)
{
    const weft_value y = same(n, path(n, "%s%s.conv", stage, name), x, l.in, 2 * l.out, l.kernel, l.stride ? l.stride : 1, l.dilation ? l.dilation : 1);
    return OPA(n, "gate", y, WEFT_TEXT("act", act), WEFT_NUM("a", 1));
}

static weft_value stack(net *n, const char *stage, names name, weft_value x, const layer *layers, int count)
{
    for (int i = 0; i < count; i++) x = gated(n, stage, name[i], x, layers[i], "elu");
    return x;
}

// Two convolutions, twice as large, two more, twice as large, two more, of which the last makes the picture.
static weft_value decode(net *n, const char *stage, names name, weft_value x, int in)
{
    static const layer layers[] = { { 0, 96, 3 }, { 96, 96, 3 }, { 96, 48, 3 }, { 48, 48, 3 }, { 48, 24, 3 }, { 24, 12, 3 } };
    for (int i = 0; i < 6; i++) {
        layer l = layers[i];
        if (i == 0) l.in = in;
        x = gated(n, stage, name[i], i == 2 || i == 4 ? up2(n, x) : x, l, "elu");
    }
    return net_tanh(n, same(n, path(n, "%s%s.conv", stage, name[6]), x, 12, 3, 3, 1, 1));
}

static weft_value attend(net *n, weft_value x, weft_value mask)
{
    return op(n, "contextual_attention", (weft_value[]) { x, x, mask }, 3,
              (const weft_attr_arg[]) { WEFT_NUM("fuse", n->variant == PT), WEFT_TEXT("nearest", n->variant == TF ? "align_corners" : "floor") }, 2);
}

static void build(net *n)
{
    static const layer coarse[] = { { 5, 24, 5 }, { 24, 48, 3, 2 }, { 48, 48, 3 }, { 48, 96, 3, 2 }, { 96, 96, 3 }, { 96, 96, 3 },
                                    { 96, 96, 3, 1, 2 }, { 96, 96, 3, 1, 4 }, { 96, 96, 3, 1, 8 }, { 96, 96, 3, 1, 16 } };
    static const layer plain[] = { { 3, 24, 5 }, { 24, 24, 3, 2 }, { 24, 48, 3 }, { 48, 48, 3, 2 }, { 48, 96, 3 }, { 96, 96, 3 },
                                   { 96, 96, 3, 1, 2 }, { 96, 96, 3, 1, 4 }, { 96, 96, 3, 1, 8 }, { 96, 96, 3, 1, 16 } };
    static const layer attending[] = { { 3, 24, 5 }, { 24, 24, 3, 2 }, { 24, 48, 3 }, { 48, 96, 3, 2 }, { 96, 96, 3 }, { 96, 96, 3 }, { 96, 96, 3 }, { 96, 96, 3 } };
    const struct scheme *s = &schemes[n->variant];
    const int64_t batch = dim(n, "n", 1, 1), h = dim(n, "h", 256, 8), w = dim(n, "w", 256, 8);
    const weft_value image = input(n, "image", batch, 5, h, w), mask = input(n, "mask", batch, 1, h, w);
    if (s->attention) ignore(n, s->attention);

    weft_value x = stack(n, s->first, s->coarse, image, coarse, 10);
    const weft_value stage1 = decode(n, s->first, s->coarse + 10, x, 96);
    x = blend(n, channels(n, image, 0, 3), stage1, mask);
    const weft_value a = stack(n, s->second, s->plain, x, plain, 10);
    weft_value b = stack(n, s->second, s->attending, x, attending, 5);
    b = gated(n, s->second, s->attending[5], b, attending[5], "relu");
    b = attend(n, b, mask);
    b = stack(n, s->second, s->attending + 6, b, attending + 6, 2);
    const weft_value stage2 = decode(n, s->second, s->merged, cat(n, a, b), 192);
    output(n, "stage1", stage1);
    output(n, "stage2", stage2);
}

const arch arch_deepfillv2 = {
    .name = "deepfillv2", .doc = "DeepFill v2 inpainting generator (Yu et al. 2019)", .variants = "tf|pt", .probe = "conv1.conv.weight|stage1.conv1.conv.weight",
    .meta = (const char *const[]) {
        "task", "inpaint", "image.range", "-1..1", "image.planes", "image,one,mask", "image.hole", "0", "mask.hole", "1", "port.output", "stage2", NULL },
    .build = build,
};
